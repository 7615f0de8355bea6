package rollout

import (
	"reflect"
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
	d.healthy(3)
	if d.Verdict == Pass || d.Need != 50 {
		t.Errorf("%d calls of %d: %s, needs %d more", d.Functions[0].Staged.Calls, d.Analysis.MinSamples, d.Verdict, d.Need)
	}
	if d.healthy(1); d.Verdict != Pass {
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
