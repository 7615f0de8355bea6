package rollout

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func TestHoldsDoNotCountWhilePaused(t *testing.T) {
	for name, sig := range map[string]Signal{
		"held": {Held: "incident", Routed: true}, "pause": {Pause: "policy", Routed: true},
		"foreign": {Foreign: "bob", Routed: true}, "cap": {WeightCap: 5, Routed: true}, "not in place": {},
	} {
		d := at(Shift).healthy(2)
		before := d.Elapsed
		if name == "cap" {
			before += time.Minute // up to the cap's first look the weight was in place
		}
		for range 30 {
			d.step(time.Minute, sig)
		}
		if d.Elapsed != before || d.Stage != 0 || d.Weight > 10 {
			t.Errorf("%s: elapsed %s became %s, weight %d", name, before, d.Elapsed, d.Weight)
		}
		d.healthy(1)
		if name == "cap" {
			d.healthy(1) // the weight has to be seen in place again
		}
		if d.Elapsed > before+time.Minute {
			t.Errorf("%s: the pause was counted afterwards: %s, before %s", name, d.Elapsed, before)
		}
	}
}

func TestUndecided(t *testing.T) {
	for policy, want := range map[string]Return{"hold": "", "proceed": "", "rollback": ByUndecided} {
		d := at(Shift)
		d.Analysis.OnUndecided = policy
		left := -1
		for i := range 40 {
			d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 1}, Counts{Calls: 9})}})
			if left < 0 && (d.Stage > 0 || d.Phase == Back) {
				left = i
			}
		}
		if d.Failed || d.Returned != want {
			t.Errorf("%s: failed %t, returned %q, want %q and no quarantine", policy, d.Failed, d.Returned, want)
		}
		if policy == "hold" && (left >= 0 || d.Paused == "" || d.Need < 50 || d.Halted) {
			t.Errorf("hold: left at %d, paused %q, need %d", left, d.Paused, d.Need)
		}
		if policy != "hold" && (left < 28 || left > 31) {
			t.Errorf("%s: left after %d minutes, want maxHold 30", policy, left)
		}
	}
}

func TestPolicyAdvance(t *testing.T) {
	d := shifting()
	for range 5 {
		d.step(time.Minute, Signal{Routed: true, Advance: true})
	}
	if d.Stage != 0 {
		t.Fatalf("policy shortened a hold: stage %d after 4 counted minutes", d.Stage)
	}
	if d.step(time.Minute, Signal{Routed: true, Advance: true}); d.Stage != 1 {
		t.Errorf("policy says go on and the hold is over: %d%%, elapsed %s", d.Weight, d.Elapsed)
	}
	bad := shifting()
	for range 4 {
		bad.step(time.Minute, Signal{Routed: true, Advance: true, Looks: []Look{bad.look("a", Counts{Calls: 100, Errors: 60}, Counts{Calls: 900, Errors: 1})}})
	}
	if bad.Phase != Back || !bad.Failed {
		t.Errorf("policy's advance hid failing evidence: %s", bad.Phase)
	}
}

func TestNoDataIsNeverGood(t *testing.T) {
	d := shifting()
	for range 60 {
		d.step(time.Minute, Signal{Routed: true, Looks: []Look{{Ref: fn("a"), Window: providers.Window{From: d.now, To: d.now.Add(time.Minute)}}}})
	}
	if d.Stage != 0 || d.Verdict != Unjudged || d.Paused == "" {
		t.Errorf("without answers: stage %d verdict %q paused %q", d.Stage, d.Verdict, d.Paused)
	}
}

func TestBlindGoesAtOnce(t *testing.T) {
	st := starting("r1", "a")
	st.Blind = "role changes"
	d := &drive{now: noon, State: State{Release: release("r0")}}
	d.step(0, Signal{Start: st}).step(1, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}})
	d.step(1, Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
	want := providers.Routing{Version: "2"}
	if got := d.Wanted(d.Functions[0]); got != want || len(d.Stages) != 1 || d.Stages[0].Hold != manifest.Duration(2*time.Minute) {
		t.Errorf("blind: routing %+v, stages %+v", got, d.Stages)
	}
}

// A cap that goes while the rollout is halted lets no weight rise.
func TestCapThenHold(t *testing.T) {
	d := at(Shift).step(time.Second, Signal{WeightCap: 5, Routed: true})
	if d.Weight != 5 || !d.Halted {
		t.Fatalf("capped: %d%%", d.Weight)
	}
	for name, sig := range map[string]Signal{"held": {Held: "x"}, "paused": {Pause: "x"}, "foreign": {Foreign: "x"}} {
		if got := Advance(d.State, sig, d.now); got.Weight != 5 {
			t.Errorf("%s: the weight rose to %d", name, got.Weight)
		}
	}
	if d.step(time.Second, Signal{Routed: true}); d.Weight != 10 || d.Reached {
		t.Errorf("without the cap: %d%%, reached %t", d.Weight, d.Reached)
	}
}

// A stage is left only while its weight is seen in place: a look that failed
// is no yes.
func TestUnseenIsNotInPlace(t *testing.T) {
	for _, sig := range []Signal{{}, {Advance: true}, {Ready: true}} {
		d := at(Shift).healthy(4)
		d.Elapsed = 5 * time.Minute
		if d.step(time.Second, sig); d.Stage != 0 || d.Verdict != Pass {
			t.Errorf("left stage 1 unseen, with %+v", sig)
		}
		if d.step(time.Second, Signal{Routed: true}); d.Stage != 1 {
			t.Error("not left once it was seen")
		}
	}
}

// A baseline that nobody could measure is not a baseline of no calls.
func TestUnknownBaseline(t *testing.T) {
	d := at(Shift)
	before := d.Functions[0]
	look := d.look("a", Counts{Calls: 100, Errors: 50}, Counts{})
	look.Baseline.Known = false
	if d.step(time.Minute, Signal{Routed: true, Looks: []Look{look}}); !reflect.DeepEqual(d.Functions[0], before) {
		t.Errorf("counted without a baseline: %+v", d.Functions[0])
	}
	look.Baseline = providers.Sample{Known: true, Calls: 900}
	if d.step(0, Signal{Routed: true, Looks: []Look{look}}); d.Functions[0].Canary.Calls != before.Canary.Calls+100 {
		t.Error("the same window is not counted once it is known")
	}
}

func TestMinSamples(t *testing.T) {
	d := at(Shift)
	d.Analysis.MinSamples = 450
	d.healthy(4)
	if d.Verdict == Pass || d.Need != 50 {
		t.Errorf("%d calls of %d: %s, needs %d more", d.Functions[0].Staged.Calls, d.Analysis.MinSamples, d.Verdict, d.Need)
	}
	if d.healthy(1); d.Stage != 1 {
		t.Errorf("after enough calls: %s, %s", d.Verdict, d.Reason)
	}
}

// Each stage has evidence of its own: a pass at 10% is none for 50%.
func TestEachStageIsJudgedAnew(t *testing.T) {
	d := shifting().healthy(6)
	if d.Stage != 1 {
		t.Fatal("not at the second stage")
	}
	if d.step(time.Second, Signal{Routed: true}); d.Verdict != Unjudged || d.Functions[0].Staged.Calls != 0 || d.Functions[0].Canary.Calls == 0 {
		t.Errorf("at the second stage: %q with %+v", d.Verdict, d.Functions[0])
	}
}

// A stage passes by what was called in it. What a meter tells later of the time
// before, at a smaller weight, can show harm and passes nothing; so it is after a cap.
func TestAStagePassesByItsOwnCalls(t *testing.T) {
	told := func(d *drive, from time.Duration, canary Counts) Signal {
		window := providers.Window{From: d.now.Add(from), To: d.now.Add(from + 30*time.Second)}
		d.Functions[0].Measured = time.Time{} // none of these overlap
		return Signal{Routed: true, Looks: []Look{{Ref: fn("a"), Window: window,
			Canary:   providers.Sample{Known: true, Calls: canary.Calls, Errors: canary.Errors},
			Baseline: providers.Sample{Known: true, Calls: 10_000}}}}
	}
	second := func() *drive {
		d := shifting().healthy(6)
		d.Functions = slices.Clone(d.Functions)
		return d.step(time.Second, Signal{Routed: true})
	}
	const late, within = -2 * time.Minute, time.Second
	good, bad := Counts{Calls: 10_000}, Counts{Calls: 100, Errors: 100}
	d := second()
	if d.Stage != 1 || !d.Reached || d.Since != d.now {
		t.Fatalf("the second stage is not in place: %s, since %s", summary(d.State), d.Since)
	}
	if d.step(time.Second, told(d, late, good)); d.Verdict != Unjudged || d.Functions[0].Staged.Calls != 0 || d.Functions[0].Canary.Calls < 10_000 {
		t.Errorf("passed by calls of the stage before: %s", summary(d.State))
	}
	if d.step(time.Second, told(d, within, good)); d.Verdict != Pass {
		t.Errorf("its own calls do not pass it: %s", summary(d.State))
	}
	if d = second(); d.step(time.Second, told(d, late, bad)).Phase != Back {
		t.Errorf("calls of the stage before show no harm: %s", summary(d.State))
	}
	d = second()
	d.step(time.Second, Signal{Routed: true, WeightCap: 20})
	capped := told(d, within, good)
	capped.WeightCap = 20
	d.step(time.Second, Signal{Routed: true, WeightCap: 20})
	if d.step(time.Second, capped); d.Weight != 20 || d.Verdict == Pass {
		t.Errorf("passed under a cap: %s", summary(d.State))
	}
	d.step(time.Second, Signal{Routed: true})
	d.step(time.Second, Signal{Routed: true})
	if d.step(time.Second, told(d, -3*time.Second, good)); d.Weight != 50 || d.Verdict == Pass {
		t.Errorf("passed by what was called under the cap: %s", summary(d.State))
	}
	d = second()
	d.Since = time.Time{} // as an older daemon left it
	d.step(time.Second, Signal{})
	if d.step(time.Second, told(d, within, good)); d.Verdict != Pass {
		t.Errorf("of an older daemon: %s", summary(d.State))
	}
}

// Looks that overlap are counted once, whatever a meter answers twice.
func TestWindowsCountOnce(t *testing.T) {
	d := shifting()
	look := d.look("a", Counts{Calls: 10}, Counts{Calls: 90})
	for range 5 {
		d.step(0, Signal{Routed: true, Looks: []Look{look, look}})
	}
	late := look
	late.Window.From = late.Window.From.Add(30 * time.Second)
	late.Window.To = late.Window.To.Add(30 * time.Second)
	d.step(0, Signal{Routed: true, Looks: []Look{late}})
	if got := d.Functions[0].Canary.Calls; got != 10 || d.Looks != 1 {
		t.Errorf("counted %d calls in %d looks, want 10 in 1", got, d.Looks)
	}
}
