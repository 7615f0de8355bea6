package reconciler

import (
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/rollout/analysis"
	"mooring.dev/reconciler/web"
)

// Every look at a canary is found again with its numbers, in order, and the
// rollouts before it by their release.
func TestRolloutsHoldEveryLook(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	sha := s.repo.commit("env/production", k.files())
	most := 0
	if !s.until(time.Hour, func() bool {
		ro := s.watch.environment("production").Rollout
		most = max(most, ro.Looks)
		return ro.Phase == rollout.Idle && ro.Release.Commit == sha
	}) {
		t.Fatal("the canary did not end")
	}
	all, err := s.d.Rollouts(t.Context(), web.RolloutQuery{Environment: "production", Looks: true})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d rollouts, %v", len(all), err)
	}
	canary, first := all[0], all[1]
	if canary.Release.Commit != sha || canary.Outcome != "in_force" || canary.Ended.IsZero() || canary.Stable != first.Release {
		t.Errorf("the canary is told as %+v", canary)
	}
	counted, last := 0, web.RolloutLook{}
	for _, l := range canary.Looks {
		if l.At.Before(last.At) || l.Weight < last.Weight && l.Phase == last.Phase {
			t.Errorf("%+v follows %+v", l, last)
		}
		for i, f := range l.Functions {
			if i < len(last.Functions) && (f.Canary.Calls < last.Functions[i].Canary.Calls || f.Baseline.Calls < last.Functions[i].Baseline.Calls) {
				t.Errorf("numbers shrink from %+v to %+v", last.Functions[i], f)
			}
			if i < len(last.Functions) && f.Canary != last.Functions[i].Canary {
				counted++
			}
		}
		last = l
	}
	if counted < most*3/4 || most == 0 { // one pass may count two
		t.Errorf("%d looks brought numbers, the rollout counted %d", counted, most)
	}
	one, err := s.d.Rollouts(t.Context(), web.RolloutQuery{Environment: "production", Release: first.Release.Digest[7:19]})
	if err != nil || len(one) != 1 || one[0].ID != first.ID || one[0].Looks != nil {
		t.Errorf("by its digest: %+v, %v", one, err)
	}
	if _, err := s.d.Rollouts(t.Context(), web.RolloutQuery{Environment: "nowhere"}); err == nil {
		t.Error("an unknown environment has rollouts")
	}
}

// How slow the calls are is told once it is known what slow is.
func TestLatencyIsToldOnceKnown(t *testing.T) {
	var f rollout.Function
	f.Latency = make(analysis.Latencies, 2)
	f.Latency[0].Canary, f.Latency[0].Baseline = rollout.Counts{Calls: 90, Errors: 9}, rollout.Counts{Calls: 900, Errors: 8}
	if got, further := latencyStatus(f); got != nil || further != nil {
		t.Errorf("before anything is known: %+v, %+v", got, further)
	}
	f.Latency[0].Slow = 412 * time.Millisecond
	f.Latency[1].Percentile, f.Latency[1].Slow = 99, time.Second
	got, further := latencyStatus(f)
	if len(further) != 1 || further[0].Percentile != 99 || further[0].Seconds != 1 {
		t.Errorf("of the other percentile: %+v", further)
	}
	if got == nil || got.Seconds != 0.412 || got.Canary != (web.CountsStatus{Calls: 90, Errors: 9}) || got.Baseline != (web.CountsStatus{Calls: 900, Errors: 8}) {
		t.Errorf("told as %+v", got)
	}
}
