package analysis

import (
	"testing"
	"time"
)

// The guard's part of α is divided: what is proof for one function is not yet for
// ten, of which each has its chance.
func TestGuardIsDivided(t *testing.T) {
	for among, proved := range map[int]bool{0: true, 1: true, 10: false} {
		var e Evidence
		e.Count(Look{Window: windowAt(0), Canary: sample(5, 5), Baseline: sample(10, 0)}, Setting{Among: among}, usual)
		if e.Guarded != proved || (e.LogE == most) != proved {
			t.Errorf("one of %d: asked %t, evidence %g", among, e.Guarded, e.LogE)
		}
	}
}

// Users' calls and probes share what is left to chance, so that each needs more
// than one of them alone.
func TestProbesHaveHalfOfTheChance(t *testing.T) {
	enough := Counts{Calls: 100}
	for evidence, want := range map[float64]bool{2.9: false, 3.1: false, 3.6: false, 3.8: true} { // 1/0.05 is e^3.0, 1/0.025 is e^3.7
		var e Evidence
		e.Probe.Staged, e.Probe.LogSafe = enough, evidence
		if got := e.probesPass(usual); got != want {
			t.Errorf("probes with evidence e^%g pass: %t", evidence, got)
		}
	}
}

// Evidence of no harm begins anew with each stage, in each of its kinds; evidence of
// harm, and the baseline's quantile, stay.
func TestNextStageForgetsEveryKind(t *testing.T) {
	told := Test{Staged: Counts{Calls: 100}, LogSafe: 5, LogE: 2}
	e := Evidence{Test: told}
	e.Latency = Latencies{{Test: told, Slow: time.Second}}
	before := e
	e.Probe = Probe{Test: told, At: noon, Enough: noon}
	e.NextStage()
	for name, of := range map[string]Test{"calls": e.Test, "latency": e.Latency[0].Test, "probes": e.Probe.Test} {
		if of.Staged != (Counts{}) || of.LogSafe != 0 || of.LogE != told.LogE {
			t.Errorf("%s: %+v", name, of)
		}
	}
	if !e.Probe.Enough.IsZero() || e.Probe.At != noon || e.Latency[0].Slow != time.Second || before.Latency[0].LogSafe != 5 {
		t.Errorf("probes %+v, latency %+v", e.Probe, e.Latency)
	}
}
