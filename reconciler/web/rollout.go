package web

import (
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// RolloutQuery says which rollouts of an environment are meant, and whether
// with every look at them.
type RolloutQuery struct {
	Environment string
	// Release is the digest or commit of one release, or the beginning of it;
	// "" means every one.
	Release string
	Looks   bool
	Limit   int // the newest so many; 0: all that are remembered
}

// Rollout is one release's way into force.
type Rollout struct {
	Environment string         `json:"environment"`
	ID          journal.Seq    `json:"id"`
	Release     record.Release `json:"release"`
	Stable      record.Release `json:"stable,omitzero"` // what served beside it
	Cause       string         `json:"cause"`
	Began       time.Time      `json:"began"`
	Ended       time.Time      `json:"ended,omitzero"` // absent while it moves
	// Outcome is moving | stopped | in_force | returned | superseded.
	Outcome string        `json:"outcome"`
	Reason  string        `json:"reason,omitempty"`
	Looks   []RolloutLook `json:"looks,omitempty"` // oldest first
	// NoReturn is why a rollback to this release would be refused; absent where
	// it would not be.
	NoReturn string `json:"no_return,omitempty"`
	// Promotion is how the content came in; absent where people brought it.
	Promotion *Promoted `json:"promotion,omitempty"`
}

// Promoted is the move that brought a content in.
type Promoted struct {
	From     string    `json:"from"`
	Decision string    `json:"decision"` // its id
	Evidence []string  `json:"evidence"` // signed statements policy was told of: signer/kind digest
	At       time.Time `json:"at"`
}

// RolloutLook is what a rollout was at one moment.
type RolloutLook struct {
	At time.Time `json:"at"`
	RolloutStatus
}

// RolloutStatus is how far a release has moved.
type RolloutStatus struct {
	Phase          string `json:"phase"`
	Weight         int    `json:"weight"` // percent on the new versions
	Stage          int    `json:"stage"`  // from 1; 0 when nothing moves
	Stages         int    `json:"stages"`
	Ladder         []Rung `json:"ladder,omitempty"` // the stages themselves
	Verdict        string `json:"verdict"`
	Reason         string `json:"reason,omitempty"`
	Paused         string `json:"paused,omitempty"`
	ElapsedSeconds int64  `json:"elapsed_seconds"`
	Need           int64  `json:"need,omitempty"` // calls missing for a verdict
	// MaxHoldSeconds is how long a stage may stay undecided, and OnUndecided what
	// is done then: hold, proceed or rollback; while traffic moves by stages.
	MaxHoldSeconds int64             `json:"max_hold_seconds,omitempty"`
	OnUndecided    string            `json:"on_undecided,omitempty"`
	Functions      []RolloutFunction `json:"functions,omitempty"`
	Measures       []Measure         `json:"measures,omitempty"`
}

// Measure is what a metric or an alarm said last beside the calls.
type Measure struct {
	Name    string   `json:"name"`
	Alarm   bool     `json:"alarm,omitempty"`
	Verdict string   `json:"verdict"` // pass | fail | undecided; "" while it was not asked in this stage
	Detail  string   `json:"detail,omitempty"`
	Value   *float64 `json:"value,omitempty"`
	DryRun  bool     `json:"dry_run,omitempty"`
	Red     bool     `json:"red,omitempty"` // it failed before the new version's first call, and is not held against it
}

// Rung is one stage: the share of traffic, and how long it must hold.
type Rung struct {
	Weight      int   `json:"weight"` // percent
	HoldSeconds int64 `json:"hold_seconds"`
	// Left is how the stage was left; absent while it is not.
	Left *Left `json:"left,omitempty"`
}

// Left is a stage that was left for the next one: what was known then of all
// functions, over the whole rollout.
type Left struct {
	HeldSeconds int64        `json:"held_seconds"`
	Verdict     string       `json:"verdict"`
	Reason      string       `json:"reason,omitempty"`
	Canary      CountsStatus `json:"canary"`
	Baseline    CountsStatus `json:"baseline"`
	// Probes are Mooring's own calls, in neither of the two; absent without any.
	Probes *ProbesStatus `json:"probes,omitempty"`
}

// RolloutFunction is one function's share of a rollout.
type RolloutFunction struct {
	Resource string       `json:"resource"`
	Stable   string       `json:"stable"`
	New      string       `json:"new"`
	Canary   CountsStatus `json:"canary"`
	Baseline CountsStatus `json:"baseline"`
	// Probes are Mooring's own calls, in neither of the two; absent without any.
	Probes *ProbesStatus `json:"probes,omitempty"`
	// Latency is how many calls were slow; absent where that is not judged.
	Latency *LatencyStatus `json:"latency,omitempty"`
	// FurtherLatency is the same at the other percentiles, where several are judged.
	FurtherLatency []LatencyStatus `json:"furtherLatency,omitempty"`
}

// LatencyStatus counts as errors the calls that were slow: on the baseline those
// above its own quantile, on the canary those above it and the tolerance.
type LatencyStatus struct {
	Percentile float64      `json:"percentile,omitempty"` // of the durations; 0 in what an older daemon left
	Seconds    float64      `json:"seconds"`              // the baseline's quantile
	Canary     CountsStatus `json:"canary"`
	Baseline   CountsStatus `json:"baseline"`
}

// ProbesStatus is what calls of Mooring's own found, over the whole rollout so
// far.
type ProbesStatus struct {
	Canary   CountsStatus `json:"canary"`
	Baseline CountsStatus `json:"baseline"`
}

// CountsStatus are calls and errors measured.
type CountsStatus struct {
	Calls     int64 `json:"calls"`
	Errors    int64 `json:"errors"`
	Throttles int64 `json:"throttles,omitempty"` // calls refused for their rate, in neither of the two
}
