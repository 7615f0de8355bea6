// Package rollout is the traffic state machine of a release: which share of
// calls the new versions get, and what moves it. It is pure: time, samples
// and verdicts of policy come in as data, states go out. It refuses to call
// anything, to wait, and to know a platform.
package rollout

import (
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout/analysis"
	"mooring.dev/sources/manifest"
)

// Phase is where a release is on its way.
type Phase string

const (
	Idle     Phase = ""         // nothing moves; the release named is in force
	Expand   Phase = "expand"   // adding and widening, publishing
	Check    Phase = "check"    // pre-traffic checks of the new versions
	Shift    Phase = "shift"    // traffic moves by stages
	Connect  Phase = "connect"  // triggers added or re-pointed
	Contract Phase = "contract" // what is no longer declared goes
	Back     Phase = "back"     // traffic returns to stable, then the rest
)

// State is one release's rollout. The zero State is Idle with nothing ever
// released. States are values: Advance never writes to its argument.
type State struct {
	Release record.Release `json:"release"` // moving, or in force when Idle
	Phase   Phase          `json:"phase"`
	Cause   string         `json:"cause"` // commit | rollback
	// Stable is the release whose traffic is the baseline and to which
	// failure returns; zero on a first deployment.
	Stable    record.Release    `json:"stable,omitzero"`
	Functions []Function        `json:"functions,omitempty"` // whose version changes, sorted by Ref
	Stages    []manifest.Stage  `json:"stages,omitempty"`
	Analysis  manifest.Analysis `json:"analysis,omitzero"`
	Stage     int               `json:"stage"` // index into Stages, valid in Shift
	// Left are the stages that were left, in order, with what was known then.
	Left    []Left `json:"left,omitempty"`
	Weight  int    `json:"weight"`  // percent wanted now on the new versions
	Reached bool   `json:"reached"` // the weight was seen in place; holds count from here
	// Since is when this stage's weight was first seen in place: what was called
	// before it says nothing of the stage.
	Since time.Time `json:"since,omitzero"`
	// Divided is since when traffic is known to be divided by this weight, by
	// nobody's hand otherwise; zero where no function's calls run long.
	Divided time.Time     `json:"divided,omitzero"`
	Elapsed time.Duration `json:"elapsed"` // observed time in this stage since reached
	Tick    time.Time     `json:"tick"`    // the last Advance, for accruing
	Verdict Verdict       `json:"verdict"` // of this stage
	Reason  string        `json:"reason,omitempty"`
	Need    int64         `json:"need,omitempty"`   // calls missing for a verdict; 0 unknown
	Paused  string        `json:"paused,omitempty"` // why it does not go on; "" when it may
	Looks   int           `json:"looks"`
	// Probes are the rounds of calls of our own that were counted.
	Probes int `json:"probes,omitempty"`
	// Measures are what is asked beside the calls, as last heard.
	Measures []Measured `json:"measures,omitempty"`
	Failed   bool       `json:"failed,omitempty"` // Back because of failure (quarantine follows)
	Done     bool       `json:"done,omitempty"`   // this Advance ended the rollout
	// Blind is why a change of versions is not canaried ("role changes").
	Blind string `json:"blind,omitempty"`
	// Halted: paused by a hold, a policy or a foreign write rather than by
	// missing evidence; such time counts for no stage.
	Halted bool `json:"halted,omitempty"`
	// Unasked is the observed time in a row, with traffic shifted, in which
	// policy could not be evaluated.
	Unasked time.Duration `json:"unasked,omitempty"`
	// Asking: the last stage has held, and only the post-traffic checks are
	// missing.
	Asking bool `json:"asking,omitempty"`
	// Next is the release that waits for traffic to be back at stable.
	Next *Start `json:"next,omitempty"`
	// Returned is what sent the rollout Back (or, on a first deployment,
	// stopped it), kept until the next Start: the shell quarantines Failed
	// ones and holds for ByRollback, ByUndecided and BySwitch.
	Returned Return `json:"returned,omitempty"`
}

// Left is a stage that was left for the next one.
type Left struct {
	Weight   int           `json:"weight"` // percent
	Held     time.Duration `json:"held"`   // observed in place
	Verdict  Verdict       `json:"verdict"`
	Reason   string        `json:"reason,omitempty"`
	Canary   Counts        `json:"canary"`   // of all functions, over the whole rollout so far
	Baseline Counts        `json:"baseline"` // beside them
	// What our own calls found, apart from users'.
	ProbedCanary   Counts `json:"probedCanary,omitzero"`
	ProbedBaseline Counts `json:"probedBaseline,omitzero"`
}

// Return is what sent a rollout back.
type Return string

const (
	ByCheck      Return = "check"      // a check before or after the traffic failed
	ByVerdict    Return = "verdict"    // the analysis failed
	ByAbort      Return = "abort"      // policy or a person said so
	ByImpossible Return = "impossible" // a step cannot succeed
	ByRollback   Return = "rollback"   // a person or a rule asked
	ByUndecided  Return = "undecided"  // no verdict within the stage's limit, or no answer of policy
	BySuperseded Return = "superseded" // a newer release came
	BySwitch     Return = "deadman"    // the dead man's switch took traffic back while nobody looked
)

// Function is one function whose version changes in this release.
type Function struct {
	Ref     manifest.Ref `json:"ref"`
	Alias   manifest.Ref `json:"alias"`
	Stable  string       `json:"stable"`            // version with the baseline; "" on first deployment
	New     string       `json:"new"`               // version to come; "" until published
	Checked bool         `json:"checked,omitempty"` // pre-traffic check passed
	Proved  bool         `json:"proved,omitempty"`  // post-traffic check passed
	Probed  bool         `json:"probed,omitempty"`  // calls of our own are made of both versions
	// Longest is how long a call of either version may run, where that is longer
	// than what is told in time; else 0.
	Longest time.Duration `json:"longest,omitempty"`
	// Evidence is of the whole rollout; in JSON its fields stand among these.
	analysis.Evidence
}

// Stands: the routing that Wanted says was seen in place, so that what is not as
// it says was moved by somebody else since.
func (s State) Stands() bool {
	return s.Phase == Shift && s.Reached || s.Phase == Connect || s.Phase == Contract
}

// moving functions change their version; the others have nothing to check.
func (f Function) moving() bool { return f.New != f.Stable }

// shifts: its traffic moves. What has no alias takes the new version at once.
func (f Function) shifts() bool { return f.moving() && f.Alias != (manifest.Ref{}) }

// Signal is everything that happened since the last Advance. Zero fields mean
// "nothing": a zero Signal only lets time pass.
type Signal struct {
	// Start begins a rollout of this release (only when it differs from the
	// one moving or in force). In mid-rollout, traffic returns to stable and
	// stage one begins again.
	Start *Start
	// Ready: everything the phase has to put in place was observed in place.
	// Versions gives the published version per function once it is Ready.
	Ready    bool
	Versions map[manifest.Ref]string
	// Routed: live routing of every function equals Wanted.
	Routed bool
	// Foreign: somebody else moved an alias of this release.
	Foreign string
	Checks  []CheckDone
	Looks   []Look
	// Due is up to when calls can be known by now. A stage is not left while a
	// window before it is unknown; zero asks for none.
	Due time.Time
	// Probes are rounds of our own calls.
	Probes []Probed
	// Measures are the answers that came since.
	Measures []Measured
	// Held: an active hold or manual sync stops forward motion; why.
	Held string
	// Policy at the rollout point. Unasked: it could not be evaluated; why.
	Unasked string
	Abort   string // why, "" for none; a person may say it too
	Pause   string
	// Unadvanced: policies say when to go on, and none says so yet; why. The stage
	// is not left, and its time goes on: they may wait for that.
	Unadvanced string
	Advance    bool // policy positively says go on (replaces a missing pass)
	WeightCap  int  // percent; 0: none
	// Rollback asks to return to stable as a person or a rule wants; why.
	Rollback string
	// Impossible: a step of this release failed for good; why.
	Impossible string
	// Switched: a dead man's switch took traffic back, while nobody looked; why.
	Switched string
}

// Start is a release about to move.
type Start struct {
	Release   record.Release
	Stable    record.Release
	Cause     string
	Functions []Function // Ref, Alias, Stable version
	Rollout   manifest.Rollout
	Blind     string
	// Retry begins again although the release is the same: one that stopped
	// for good (a failed first deployment) when a person asked, or the one in
	// force when a binding moved and its versions no longer carry it.
	Retry bool
}

// CheckDone is the result of a pre-traffic check, or while Asking of a
// post-traffic check.
type CheckDone struct {
	Ref    manifest.Ref
	Passed bool
	Detail string
}

// Wanted is the routing a function's alias should have now.
func (s State) Wanted(f Function) providers.Routing {
	switch {
	case f.New == "" || f.New == f.Stable:
		return providers.Routing{Version: f.Stable}
	case s.Phase == Back && f.Stable != "":
		return providers.Routing{Version: f.Stable}
	case s.Phase == Shift && s.Weight >= 100, s.Phase == Connect, s.Phase == Contract, s.Phase == Idle:
		return providers.Routing{Version: f.New}
	case f.Stable == "":
		// First deployment: nothing to fall back to, so the alias appears
		// with the new version once the checks have passed.
		if s.Phase == Shift {
			return providers.Routing{Version: f.New}
		}
		return providers.Routing{}
	case s.Phase == Shift && s.Weight > 0:
		return providers.Routing{Version: f.Stable, Canary: f.New, Weight: providers.Percent(s.Weight)}
	}
	return providers.Routing{Version: f.Stable}
}
