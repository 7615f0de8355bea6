package rollout

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// anySignal is one of the things a pass may learn, mostly what leads on.
func anySignal(t *rapid.T, d *drive) Signal {
	sig := Signal{
		Ready:  rapid.IntRange(0, 3).Draw(t, "ready") > 0,
		Routed: rapid.IntRange(0, 5).Draw(t, "routed") > 0,
	}
	if d.Phase == Expand {
		sig.Versions = map[manifest.Ref]string{}
		for _, f := range d.Functions {
			sig.Versions[f.Ref] = rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, "version")
		}
	}
	for _, f := range d.Functions {
		if d.Phase == Check {
			sig.Checks = append(sig.Checks, CheckDone{Ref: f.Ref, Passed: rapid.IntRange(0, 9).Draw(t, "check") > 0})
		}
		sig.Looks = append(sig.Looks, anyLook(t, d, f))
		if rapid.Bool().Draw(t, "probed") {
			n := int64(10)
			failed := func(kind string) int64 { return rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 0, 1, 10}).Draw(t, kind) }
			sig.Probes = append(sig.Probes, Probed{Ref: f.Ref, At: d.now, Canary: Counts{Calls: n, Errors: failed("probes")}, Baseline: Counts{Calls: n, Errors: failed("beside")}})
		}
	}
	switch rapid.IntRange(0, 40).Draw(t, "event") {
	case 0:
		sig.Abort = "abort"
	case 1:
		sig.Rollback = "ann"
	case 2:
		sig.Impossible = "denied"
	case 3, 4:
		sig.Held = "hold"
	case 5, 6:
		sig.Pause = "policy"
	case 7:
		sig.Foreign = "bob"
	case 8, 9:
		sig.WeightCap = rapid.IntRange(1, 100).Draw(t, "cap")
	case 16:
		sig.Unasked = "no answer"
	case 10, 11:
		sig.Advance = true
	case 12, 13, 14, 15:
		functions := []string{"a", "b", "c"}[:rapid.IntRange(0, 3).Draw(t, "functions")]
		sig.Start = starting(rapid.SampledFrom([]string{"r0", "r1", "r2", "r3"}).Draw(t, "start"), functions...)
		for i := range sig.Start.Functions {
			sig.Start.Functions[i].Probed = rapid.Bool().Draw(t, "declares probes")
		}
		sig.Start.Rollout.Analysis.OnUndecided = rapid.SampledFrom([]string{"hold", "proceed", "rollback"}).Draw(t, "undecided")
	}
	return sig
}

func anyLook(t *rapid.T, d *drive, f Function) Look {
	sample := func(share int64, kind string) providers.Sample {
		calls := 10 * share
		errors := calls * int64(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 50, 100}).Draw(t, kind)) / 100
		return providers.Sample{Known: rapid.IntRange(0, 9).Draw(t, "known") > 0, Calls: calls, Errors: errors}
	}
	look := Look{Ref: f.Ref, Window: providers.Window{From: d.now.Add(-time.Minute), To: d.now}}
	look.Canary, look.Baseline = sample(int64(d.Weight), "canary"), sample(int64(100-d.Weight), "baseline")
	return look
}

// mayLeave is written from delivery.md, not from the code: a pass for the
// stage, policy's word, nothing to compare with, or undecided for too long
// where that may proceed.
func mayLeave(before State, sig Signal, elapsed time.Duration) bool {
	before.Functions = slices.Clone(before.Functions)
	before.learn(sig)
	before.judge()
	compared := false
	for _, f := range before.Functions {
		compared = compared || f.Stable != "" && f.Stable != f.New && before.Weight < 100
	}
	return before.Verdict == Pass || sig.Advance || !compared ||
		before.Analysis.OnUndecided == "proceed" && elapsed >= time.Duration(before.Analysis.MaxHold)
}

func TestSafety(t *testing.T) {
	reached := map[Phase]int{}
	rapid.Check(t, func(t *rapid.T) {
		d := &drive{now: noon, State: State{Release: release("r0")}}
		var real time.Duration // truly observed in place in this stage
		jumps := 0             // of the clock, in this stage
		for range rapid.IntRange(1, 80).Draw(t, "passes") {
			passed := time.Duration(rapid.SampledFrom([]int{0, 1, 30, 60, 60, 60}).Draw(t, "seconds")) * time.Second
			jump := time.Duration(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 1, -1}).Draw(t, "jump")) * time.Hour
			sig, before := anySignal(t, d), d.State
			now := d.now.Add(passed + jump)
			got := unchanged(t, before, sig, func() State { return Advance(before, sig, now) })
			if before.Phase == Shift && before.Reached && sig.Routed {
				real += passed
			}
			if jump > 0 {
				jumps++
			}
			checkStep(t, before, sig, got)
			if left := before.Phase == Shift && (got.Phase == Connect || got.Phase == Shift && got.Stage == before.Stage+1); left {
				hold := time.Duration(before.Stages[before.Stage].Hold)
				if lost := time.Duration(jumps) * max(time.Second, hold/4); real+lost < hold {
					t.Fatalf("stage of %s left after %s in place and %d jumps", hold, real, jumps)
				}
				if !mayLeave(before, sig, before.Elapsed+MaxTick) {
					t.Fatalf("stage left without a pass: %q, %+v", before.Verdict, sig)
				}
			}
			if got.Phase != before.Phase || got.Stage != before.Stage || got.Release != before.Release {
				real, jumps = 0, 0
			}
			again := Advance(got, Signal{}, now)
			if twice := Advance(again, Signal{}, now); twice.Phase != again.Phase || twice.Weight != again.Weight ||
				twice.Elapsed != again.Elapsed || twice.Stage != again.Stage || twice.Paused != again.Paused || twice.Verdict != again.Verdict {
				t.Fatalf("no signal and no time moved it:\n%+v\n%+v", again, twice)
			}
			if lifted := got.Halted; !lifted && (again.Phase != got.Phase || again.Stage != got.Stage || again.Elapsed != got.Elapsed) {
				t.Fatalf("nothing happened, and it went from %s to %s, stage %d to %d", got.Phase, again.Phase, got.Stage, again.Stage)
			}
			d.State, d.now = got, now
			reached[got.Phase]++
		}
	})
	for _, phase := range []Phase{Idle, Expand, Check, Shift, Connect, Contract, Back} {
		if reached[phase] == 0 {
			t.Errorf("the search never came to phase %q: it proves nothing about it", phase)
		}
	}
}

// checkStep asserts what must hold of every single Advance.
func checkStep(t *rapid.T, before State, sig Signal, got State) {
	for _, f := range got.Functions {
		routing := got.Wanted(f)
		if (routing.Canary == "") != (routing.Weight == 0) || routing.Weight < 0 || routing.Weight >= providers.Percent(100) ||
			routing.Canary != "" && (routing.Version == "" || routing.Version == routing.Canary) {
			t.Fatalf("%s in %s: routing %+v", f.Ref, got.Phase, routing)
		}
		if serves := routing.Version == f.New || routing.Canary == f.New; serves && f.New != f.Stable && f.New != "" && !f.Checked && got.Phase != Idle {
			t.Fatalf("%s gets calls in %s before its check passed", f.Ref, got.Phase)
		}
		if got.Phase == Back && f.Stable != "" && routing != (providers.Routing{Version: f.Stable}) {
			t.Fatalf("going back, %s is wanted at %+v", f.Ref, routing)
		}
	}
	same := got.Release == before.Release && before.Phase == Shift && got.Phase == Shift
	halted := sig.Held != "" || sig.Foreign != "" || sig.Pause != "" || sig.Unasked != ""
	switch {
	case same && halted && got.Weight > before.Weight:
		t.Fatalf("the weight rose from %d to %d while halted", before.Weight, got.Weight)
	case same && got.Stage == before.Stage && got.Weight > max(before.Weight, before.Stages[before.Stage].Weight):
		t.Fatalf("the weight rose to %d within a stage of %d", got.Weight, before.Stages[before.Stage].Weight)
	case same && got.Stage > before.Stage+1:
		t.Fatalf("a stage was passed over: %d to %d", before.Stage, got.Stage)
	case sig.WeightCap > 0 && got.Phase == Shift && got.Weight > sig.WeightCap:
		t.Fatalf("weight %d over policy's cap of %d", got.Weight, sig.WeightCap)
	case halted && (got.Phase == Connect && before.Phase != Connect || got.Phase == Check && before.Phase != Check):
		t.Fatalf("went from %s to %s while halted", before.Phase, got.Phase)
	}
	alive := before.Phase != Idle && before.Phase != Back && !before.stopped()
	if danger := sig.Abort != "" || sig.Impossible != ""; danger && alive && got.Phase != Back && !got.stopped() {
		t.Fatalf("danger in %s left it in %s", before.Phase, got.Phase)
	}
	if got.Phase == Idle && got.Done && got.Release != before.Release && got.Release != before.Stable {
		t.Fatalf("ended at %v, which was neither moving nor stable", got.Release)
	}
	if !slices.IsSortedFunc(got.Functions, func(a, b Function) int { return a.Ref.Compare(b.Ref) }) {
		t.Fatal("functions are out of order")
	}
}
