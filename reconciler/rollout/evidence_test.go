package rollout

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"mooring.dev/sources/manifest"
)

// binomial draws by jumping from success to success.
func binomial(r *rand.Rand, n int64, p float64) int64 {
	switch {
	case p <= 0 || n == 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	}
	k, at, scale := int64(0), 0.0, math.Log1p(-p)
	for {
		at += math.Floor(math.Log(1-r.Float64())/scale) + 1
		if at > float64(n) {
			return k
		}
		k++
	}
}

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 2026)) }

// Five first calls that all fail are enough, at once; also with no baseline
// beside them. A baseline that fails as well excuses them.
func TestHardGuard(t *testing.T) {
	d := shifting().step(time.Second, Signal{Routed: true})
	d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 5, Errors: 5}, Counts{Calls: 45})}})
	if d.Phase != Back || !d.Failed || d.Returned != ByVerdict {
		t.Errorf("5 of 5 failed beside 0 of 45: %s", d.Phase)
	}
	d = shifting().step(time.Second, Signal{Routed: true})
	d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 5, Errors: 5}, Counts{Calls: 45, Errors: 40})}})
	if d.Phase != Shift {
		t.Errorf("5 of 5 failed beside 40 of 45: %s, a red baseline must not block", d.Phase)
	}
	d = at(Shift)
	for range 3 {
		d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 90, Errors: 85}, Counts{Calls: 900, Errors: 850})}})
	}
	d.Stage, d.Weight = 2, 100
	d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 6, Errors: 6}, Counts{})}})
	if d.Phase == Back {
		t.Errorf("6 of 6 failed at full traffic after a baseline as red: %s", d.Reason)
	}
	d = shifting()
	d.Stages, d.Weight = d.Stages[2:], 100
	d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 6, Errors: 6}, Counts{})}})
	if d.Phase != Back {
		t.Errorf("all at once, 6 of 6 failed: %s", d.Phase)
	}
}

// Throttled calls are failures of the version they were meant for.
func TestThrottlesCount(t *testing.T) {
	d := shifting()
	for range 4 {
		d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 40, Throttles: 60}, Counts{Calls: 900})}})
	}
	if d.Phase != Back || !d.Failed {
		t.Errorf("60 of 100 calls throttled, beside none: %s, verdict %q", d.Phase, d.Verdict)
	}
}

// At full traffic nothing runs beside it any more; a version that then breaks
// goes back, however long it was good, and one that is merely flaky does not.
func TestCollapseAtFullTraffic(t *testing.T) {
	for _, phase := range []Phase{Connect, Contract} {
		d := at(phase)
		d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 1000, Errors: 900}, Counts{})}})
		if d.Phase != Back || d.Returned != ByVerdict {
			t.Errorf("%s: 900 of 1000 calls fail: %s", phase, d.Phase)
		}
	}
	r := seeded(23)
	d := at(Connect)
	for range 2000 {
		n := int64(1 + r.IntN(6))
		d.step(time.Minute, Signal{Looks: []Look{d.look("a", Counts{Calls: n, Errors: binomial(r, n, 0.2)}, Counts{})}})
	}
	if d.Phase != Connect {
		t.Errorf("a version that fails 20%% of few calls went %s: %s", d.Phase, d.Reason)
	}
}

// Probes count while traffic is divided and at no other time: what our own calls
// find before the first share or after the last stage is nobody's evidence.
func TestProbesCountOnlyWhileTrafficMoves(t *testing.T) {
	told := func(d *drive, of string) Signal {
		return Signal{Routed: true, Probes: []Probed{{Ref: fn(of), At: d.now.Add(time.Second), Canary: Counts{Calls: 50, Errors: 50}, Baseline: Counts{Calls: 50}}}}
	}
	for _, phase := range []Phase{Idle, Expand, Check, Shift, Connect, Contract, Back} {
		d := at(phase)
		d.Functions = []Function{{Ref: fn("a"), Alias: alias("a"), Stable: "1", New: "2", Probed: true}}
		next := Advance(d.State, told(d, "a"), d.now.Add(2*time.Second))
		if heard := next.Probes > d.Probes; heard != (phase == Shift) {
			t.Errorf("%q: rounds heard: %t", phase, heard)
		}
		if phase != Shift && (len(next.Functions) == 0 || next.Functions[0].Probe != d.Functions[0].Probe || next.Verdict == Fail) {
			t.Errorf("%q: what was heard became evidence: %s", phase, summary(next))
		}
		if phase == Shift && (next.Phase != Back || next.Returned != ByVerdict) {
			t.Errorf("fifty probes of fifty that fail leave it in %s", next.Phase)
		}
	}
	for name, change := range map[string]func(*Function){
		"not probed": func(f *Function) { f.Probed = false }, "does not move": func(f *Function) { f.New = f.Stable },
		"no alias": func(f *Function) { f.Alias = manifest.Ref{} },
	} {
		d := at(Shift)
		d.Functions[0].Probed = true
		change(&d.Functions[0])
		if next := Advance(d.State, told(d, "a"), d.now.Add(2*time.Second)); next.Probes != 0 || next.Phase == Back {
			t.Errorf("%s: heard all the same: %s", name, summary(next))
		}
	}
}
