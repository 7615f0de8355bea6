package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring.dev/sources/manifest"
)

// A release of many functions is judged as the most careful of them asks, whichever
// of them is named first.
func TestMergeJudgesAsTheStrictest(t *testing.T) {
	base := manifest.Analysis{Tolerance: 0.05, MinSamples: 50, FalseRollback: 0.02, Confidence: 0.9, MaxHold: holding(30), OnUndecided: "hold"}
	for name, c := range map[string]struct {
		change func(*manifest.Analysis) // of one of the two
		want   func(*manifest.Analysis) // of what both come to
	}{
		"tolerance, less":      {func(a *manifest.Analysis) { a.Tolerance = 0.01 }, func(a *manifest.Analysis) { a.Tolerance = 0.01 }},
		"tolerance, more":      {func(a *manifest.Analysis) { a.Tolerance = 0.5 }, nil},
		"samples, more":        {func(a *manifest.Analysis) { a.MinSamples = 500 }, func(a *manifest.Analysis) { a.MinSamples = 500 }},
		"samples, fewer":       {func(a *manifest.Analysis) { a.MinSamples = 5 }, nil},
		"false rollback, less": {func(a *manifest.Analysis) { a.FalseRollback = 0.001 }, func(a *manifest.Analysis) { a.FalseRollback = 0.001 }},
		"false rollback, more": {func(a *manifest.Analysis) { a.FalseRollback = 0.3 }, nil},
		"confidence, more":     {func(a *manifest.Analysis) { a.Confidence = 0.99 }, func(a *manifest.Analysis) { a.Confidence = 0.99 }},
		"confidence, less":     {func(a *manifest.Analysis) { a.Confidence = 0.6 }, nil},
		"undecided, back":      {func(a *manifest.Analysis) { a.OnUndecided = "rollback" }, func(a *manifest.Analysis) { a.OnUndecided = "rollback" }},
		"undecided, on":        {func(a *manifest.Analysis) { a.OnUndecided = "proceed" }, nil},
		"hold, shorter":        {func(a *manifest.Analysis) { a.MaxHold = holding(5) }, func(a *manifest.Analysis) { a.MaxHold = holding(5) }},
		"hold, longer":         {func(a *manifest.Analysis) { a.MaxHold = holding(90) }, nil},
		"latency of one": {func(a *manifest.Analysis) { a.Latency = manifest.LatencyRules{{Percentile: 90, Tolerance: 0.5}} },
			func(a *manifest.Analysis) { a.Latency = manifest.LatencyRules{{Percentile: 90, Tolerance: 0.5}} }},
	} {
		one, want := base, base
		c.change(&one)
		if c.want != nil {
			c.want(&want)
		}
		for order, pair := range map[string][2]manifest.Analysis{"first": {one, base}, "second": {base, one}} {
			got := Merge(manifest.Rollout{Analysis: pair[0]}, manifest.Rollout{Analysis: pair[1]}).Analysis
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: %s", name, order, diff)
			}
		}
	}
}

// Who goes on undecided is given the longest time first; of two bounds on latency
// at one percentile the tighter one holds, and at two both.
func TestMergeOfTwoThatBothSay(t *testing.T) {
	short := manifest.Analysis{OnUndecided: "proceed", MaxHold: holding(5), Latency: manifest.LatencyRules{{Percentile: 90, Tolerance: 0.5}, {Percentile: 99, Tolerance: 2}}}
	long := manifest.Analysis{OnUndecided: "proceed", MaxHold: holding(50), Latency: manifest.LatencyRules{{Percentile: 50, Tolerance: 0.2}, {Percentile: 90, Tolerance: 0.1}}}
	for _, pair := range [][2]manifest.Analysis{{short, long}, {long, short}} {
		got := Merge(manifest.Rollout{Analysis: pair[0]}, manifest.Rollout{Analysis: pair[1]}).Analysis
		want := manifest.LatencyRules{{Percentile: 50, Tolerance: 0.2}, {Percentile: 90, Tolerance: 0.1}, {Percentile: 99, Tolerance: 2}}
		if diff := cmp.Diff(want, got.Latency); diff != "" || got.MaxHold != holding(50) {
			t.Errorf("%+v: %s", got, diff)
		}
		if len(short.Latency) != 2 || short.Latency[0].Percentile != 90 || long.Latency[1].Tolerance != 0.1 {
			t.Errorf("what is merged is written to: %+v, %+v", short.Latency, long.Latency)
		}
	}
}

// What is halted moves by no time, so that no time wakes it.
func TestNothingWakesWhatIsHalted(t *testing.T) {
	s := State{Phase: Shift, Reached: true, Stages: []manifest.Stage{{Weight: 10, Hold: holding(4)}, {Weight: 100}}}
	if got := s.Wake(); got != time.Minute {
		t.Errorf("it moves, and is looked at in %s", got)
	}
	for name, change := range map[string]func(*State){
		"halted": func(s *State) { s.Halted = true }, "not in place": func(s *State) { s.Reached = false }, "over": func(s *State) { s.Phase = Connect },
	} {
		still := s
		change(&still)
		if got := still.Wake(); got != 0 {
			t.Errorf("%s: woken in %s", name, got)
		}
	}
}
