package analysis

import (
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Counts are calls and errors seen; throttles are apart, in neither.
type Counts struct {
	Calls     int64 `json:"calls"`
	Errors    int64 `json:"errors"`
	Throttles int64 `json:"throttles,omitempty"`
}

// Plus adds up.
func (c Counts) Plus(d Counts) Counts {
	return Counts{Calls: c.Calls + d.Calls, Errors: c.Errors + d.Errors, Throttles: c.Throttles + d.Throttles}
}

// Trials and Failures: a throttled call is one that was wanted and failed.
// Platforms count it apart from calls, so it is added to both.
func (c Counts) Trials() int64 { return c.Calls + c.Throttles }

// Failures are calls that failed or were throttled.
func (c Counts) Failures() int64 { return c.Errors + c.Throttles }

// Look is one pair of samples for one function over one window.
type Look struct {
	Ref      manifest.Ref
	Window   providers.Window
	Canary   providers.Sample
	Baseline providers.Sample
	// Again are windows of before that are complete by now.
	Again []Again
}

// Test is the evidence of one comparison of shares.
type Test struct {
	// What was seen over the whole rollout, side by side.
	Canary   Counts `json:"canary"`
	Baseline Counts `json:"baseline"`
	// LogE is the log evidence of harm; crossing log(1/α) is a failure. Stakes
	// are the logs of what it is the sum of.
	LogE   float64 `json:"logE"`
	Stakes Stakes  `json:"stakes,omitzero"`
	// Staged are the new version's calls in this stage, and LogSafe this
	// stage's log evidence that harm is below the tolerance; crossing
	// log(1/(1-confidence)) is a pass.
	Staged  Counts  `json:"staged,omitzero"`
	LogSafe float64 `json:"logSafe,omitempty"`
}

// add takes in one window. What was seen earlier than the stage began is no
// evidence that the stage does no harm.
func (t *Test) add(now pair, tolerance float64, earlier bool) {
	before := pair{canary: t.Canary, baseline: t.Baseline}
	t.Stakes, t.LogE = t.Stakes.bet(before, now, t.LogE)
	t.Canary, t.Baseline = t.Canary.Plus(now.canary), t.Baseline.Plus(now.baseline)
	if !earlier {
		t.LogSafe = bounded(t.LogSafe + safeEvidence(before, now, tolerance))
		t.Staged = t.Staged.Plus(now.canary)
	}
}

// Evidence is what is known of one function's new version. Its zero value
// knows nothing. It is a value: copying it copies all of it.
type Evidence struct {
	Test               // of failures
	Measured time.Time `json:"measured,omitzero"` // up to where windows were counted
	// Solo are the new version's calls with no baseline beside them: at full
	// weight, or where there was no version before.
	Solo Counts `json:"solo,omitzero"`
	// Run are those of the newest looks in a row of which most failed.
	Run Counts `json:"run,omitzero"`
	// Guarded: the one look of the hard guard was taken.
	Guarded bool `json:"guarded,omitempty"`
	// Answered is up to where users' calls are known: counted, or known to be
	// none. What is not known yet is no silence.
	Answered time.Time `json:"answered,omitzero"`
	// Probe is empty where no calls of our own are made.
	Probe Probe `json:"probe,omitzero"`
	// Latency is empty where it is not judged.
	Latency Latencies `json:"latency,omitempty"`
	// Settled is empty where all calls are told in time.
	Settled Settled `json:"settled,omitzero"`
}

// Setting is the circumstances of a look.
type Setting struct {
	Alone bool // no baseline runs beside it
	// Among is how many comparisons there are, over which the guard's part of α is
	// divided: each function's, and that of its probes.
	Among  int
	Weight int // percent of users' calls on the new version
	// Earlier: the look is of a time before this stage's weight was in place. It
	// may show harm, as every other, and passes no stage.
	Earlier bool
	// Longest is how long a call of either version may run, where that is longer
	// than is told in time; else 0.
	Longest time.Duration
	// Steady: traffic was divided by Weight throughout the look.
	Steady bool
	Now    time.Time
}

// Count adds one look, once: a window that overlaps what was counted and a
// sample that is unknown or impossible add nothing, and are told by false.
func (e *Evidence) Count(look Look, in Setting, a manifest.Analysis) bool {
	settled := false
	if in.Longest > 0 {
		settled = e.Settled.settle(look.Again, in, a.Tolerance)
		if w := look.Window; !in.Alone && w.To.After(w.From) && w.To.After(e.Settled.Seen) {
			e.Settled.note(w, in.Earlier)
		}
	}
	return e.count(look, in, a) || settled
}

// count adds what was told in time.
func (e *Evidence) count(look Look, in Setting, a manifest.Analysis) bool {
	w := look.Window
	if quiet(look, in) && w.To.After(w.From) && w.To.After(e.Answered) {
		e.Answered = w.To
	}
	if !w.To.After(w.From) || w.From.Before(e.Measured) || !Possible(look.Canary) {
		return false
	}
	if !Possible(look.Baseline) {
		if !in.Alone {
			return false
		}
		look.Baseline = providers.Sample{}
	}
	e.Measured = w.To
	if w.To.After(e.Answered) {
		e.Answered = w.To
	}
	now := pair{canary: counts(look.Canary), baseline: counts(look.Baseline)}
	if in.Alone {
		e.Solo, e.Run = e.Solo.Plus(now.canary), e.Run.Plus(now.canary)
		if 2*e.Run.Failures() <= e.Run.Trials() {
			e.Run = Counts{}
		}
	}
	e.add(now, a.Tolerance, in.Earlier)
	if in.Longest > 0 && !in.Alone && in.Steady && !in.Earlier {
		e.Settled.Split = e.Settled.Split.bet(now, in.Weight)
	}
	if !in.Alone {
		hardGuard(&e.Test, &e.Guarded, a.FalseRollback, in.Among)
		e.Latency = e.Latency.count(look, a.Latency, in.Earlier)
	}
	return true
}

// NextStage forgets what is known of one stage only.
func (e *Evidence) NextStage() {
	e.Staged, e.LogSafe = Counts{}, 0
	e.Latency = e.Latency.nextStage()
	e.Settled.nextStage()
	e.Probe.Staged, e.Probe.LogSafe, e.Probe.Enough = Counts{}, 0, time.Time{}
}

// Possible samples are known, and numbers that calls can have. What cannot be
// is no worse than unknown, and no better: a source that gives more failures
// than calls is late with one of them.
func Possible(s providers.Sample) bool {
	return s.Known && s.Calls >= 0 && s.Errors >= 0 && s.Throttles >= 0 && s.Errors <= s.Calls
}

func counts(s providers.Sample) Counts {
	return Counts{Calls: s.Calls, Errors: s.Errors, Throttles: s.Throttles}
}
