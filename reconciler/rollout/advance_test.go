package rollout

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func fn(name string) manifest.Ref { return manifest.Ref{Kind: manifest.KindFunction, Name: name} }

func alias(name string) manifest.Ref {
	return manifest.Ref{Kind: manifest.KindAlias, Name: name + ".live"}
}

func release(name string) record.Release {
	return record.Release{Commit: name, Content: "content-" + name, Digest: name}
}

// starting is a release over r0 that changes these functions from version 1.
func starting(name string, functions ...string) *Start {
	st := &Start{Release: release(name), Stable: release("r0"), Cause: "commit", Rollout: canary()}
	for _, f := range functions {
		st.Functions = append(st.Functions, Function{Ref: fn(f), Alias: alias(f), Stable: "1"})
	}
	return st
}

func canary() manifest.Rollout {
	minute := manifest.Duration(time.Minute)
	return manifest.Rollout{Strategy: "canary", Stages: []manifest.Stage{
		{Weight: 10, Hold: 5 * minute}, {Weight: 50, Hold: 10 * minute}, {Weight: 100, Hold: 2 * minute}},
		Analysis: manifest.Analysis{FalseRollback: 0.01, Tolerance: 0.02, Confidence: 0.95, MinSamples: 50,
			MaxHold: 30 * minute, OnUndecided: "hold", PreTraffic: &manifest.Check{Name: "ping"}}}
}

// drive is a small world around a state: time, and windows one after another.
type drive struct {
	State
	now time.Time
}

func (d *drive) step(after time.Duration, sig Signal) *drive {
	d.now = d.now.Add(after)
	d.State = Advance(d.State, sig, d.now)
	return d
}

// look is one window that ends now.
func (d *drive) look(name string, canary, baseline Counts) Look {
	return Look{Ref: fn(name), Window: providers.Window{From: d.now, To: d.now.Add(time.Minute)},
		Canary:   providers.Sample{Known: true, Calls: canary.Calls, Errors: canary.Errors, Throttles: canary.Throttles},
		Baseline: providers.Sample{Known: true, Calls: baseline.Calls, Errors: baseline.Errors, Throttles: baseline.Throttles}}
}

// healthy lets minutes pass in place with good calls on both sides.
func (d *drive) healthy(minutes int) *drive {
	for range minutes {
		weight := int64(d.Weight)
		d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 10 * weight}, Counts{Calls: 10 * (100 - weight)})}})
	}
	return d
}

// shifting is a rollout of r1 at its first stage, not yet in place.
func shifting() *drive {
	d := &drive{now: noon}
	d.step(0, Signal{Start: starting("r1", "a")})
	d.step(time.Second, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}})
	d.step(time.Second, Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
	return d
}

// at is a rollout of r1 in a phase.
func at(phase Phase) *drive {
	d := &drive{now: noon, State: State{Release: release("r0")}}
	if phase == Idle {
		return d
	}
	d.step(0, Signal{Start: starting("r1", "a")})
	if phase == Expand {
		return d
	}
	d.step(time.Second, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}})
	if phase == Check {
		return d
	}
	d.step(time.Second, Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
	if phase == Shift {
		return d.healthy(1)
	}
	if phase == Back {
		return d.healthy(1).step(0, Signal{Abort: "test"})
	}
	d.healthy(6).healthy(11).healthy(5)
	if phase == Contract {
		d.step(time.Second, Signal{Ready: true})
	}
	return d
}

func TestWholeWay(t *testing.T) {
	d := shifting()
	if d.Phase != Shift || d.Weight != 10 || d.Reached {
		t.Fatalf("after the checks: %s %d%% reached %t", d.Phase, d.Weight, d.Reached)
	}
	d.healthy(5)
	if d.Weight != 10 {
		t.Fatalf("left the first stage after %s of 5m", d.Elapsed)
	}
	d.healthy(1)
	if d.Weight != 50 || d.Stage != 1 || d.Elapsed != 0 || d.Reached {
		t.Fatalf("after 5 observed minutes: %d%% stage %d elapsed %s", d.Weight, d.Stage, d.Elapsed)
	}
	d.healthy(11)
	if d.Weight != 100 {
		t.Fatalf("after 10 more: %d%%, %s", d.Weight, d.Reason)
	}
	d.healthy(4)
	if d.Phase != Shift {
		t.Fatalf("a last hold of 2m, counted by 30s at most, was over after 4 looks: %s", d.Phase)
	}
	d.healthy(1)
	if d.Phase != Connect {
		t.Fatalf("after the last hold: %s", d.Phase)
	}
	d.step(time.Second, Signal{Ready: true}).step(time.Second, Signal{Ready: true})
	if d.Phase != Idle || !d.Done || d.Release != release("r1") || d.Stable != (record.Release{}) || d.Failed {
		t.Fatalf("at the end: %+v", d.State)
	}
	if got := d.Wanted(d.Functions[0]); got != (providers.Routing{Version: "2"}) {
		t.Errorf("in force, the alias points at %+v", got)
	}
	d.step(time.Second, Signal{})
	if d.Done {
		t.Error("Done is said twice")
	}
}

func TestNothingToShift(t *testing.T) {
	d := &drive{now: noon, State: State{Release: release("r0")}}
	d.step(0, Signal{Start: starting("r1")}).step(1, Signal{Ready: true})
	if d.Phase != Connect {
		t.Errorf("a release without functions is in %s, want connect", d.Phase)
	}
	d = &drive{now: noon, State: State{Release: release("r0")}}
	d.step(0, Signal{Start: starting("r1", "a")}).step(1, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "1"}})
	if d.Phase != Connect {
		t.Errorf("a function whose version stays leads to %s, want connect", d.Phase)
	}
}

func TestFirstDeployment(t *testing.T) {
	first := func() *drive {
		st := starting("r1", "a")
		st.Stable, st.Functions[0].Stable = record.Release{}, ""
		d := &drive{now: noon}
		d.step(0, Signal{Start: st}).step(1, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "1"}})
		if got := d.Wanted(d.Functions[0]); got != (providers.Routing{}) {
			t.Errorf("traffic before the check: %+v", got)
		}
		return d
	}
	d := first().step(time.Second, Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
	if d.Phase != Shift || d.Weight != 100 || len(d.Stages) != 1 {
		t.Errorf("all at once: %s %d%% of %d stages", d.Phase, d.Weight, len(d.Stages))
	}
	for name, sig := range map[string]Signal{
		"check":      {Checks: []CheckDone{{Ref: fn("a"), Detail: "status 500"}}},
		"abort":      {Abort: "no"},
		"impossible": {Impossible: "no such role"},
	} {
		d := first().step(time.Second, sig)
		if d.Phase != Check || !d.Failed || d.Paused == "" {
			t.Errorf("%s: a first deployment must stop and keep: %s failed %t paused %q", name, d.Phase, d.Failed, d.Paused)
		}
		d.step(time.Second, Signal{Ready: true, Routed: true, Advance: true, Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
		if d.Phase != Check || !d.Failed {
			t.Errorf("%s: went on after it stopped: %s", name, d.Phase)
		}
		retry := starting("r1", "a")
		if d.step(time.Second, Signal{Start: retry}); !d.Failed {
			t.Errorf("%s: begun again without being asked", name)
		}
		retry.Retry = true
		d.step(time.Second, Signal{Start: retry}).step(time.Second, Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
		if d.Phase != Shift || d.Failed {
			t.Errorf("%s: after a retry: %s failed %t", name, d.Phase, d.Failed)
		}
	}
}

// A newer release in mid-rollout returns traffic to stable and starts from
// stage one, against the same baseline.
func TestNewerRelease(t *testing.T) {
	for _, phase := range []Phase{Expand, Check, Shift, Back} {
		d := at(phase)
		next := starting("r2", "a", "b")
		next.Functions[0].Stable = "2" // what the shell sees serving is not the baseline
		d.step(time.Second, Signal{Start: next, Routed: phase == Shift})
		if phase == Shift || phase == Back {
			if d.Phase != Back || d.Next == nil {
				t.Errorf("%s: %s, next %v; want back first", phase, d.Phase, d.Next)
				continue
			}
			if w := d.Wanted(d.Functions[0]); w != (providers.Routing{Version: "1"}) {
				t.Errorf("%s: on the way back the alias points at %+v", phase, w)
			}
			d.step(time.Second, Signal{Routed: true})
		}
		if d.Phase != Expand || d.Release != release("r2") || d.Stable != release("r0") || d.Weight != 0 || d.Failed || d.Next != nil {
			t.Errorf("%s: then %s of %s over %s", phase, d.Phase, d.Release.Digest, d.Stable.Digest)
		}
		if len(d.Functions) != 2 || d.Functions[0].Stable != "1" || d.Functions[0].Canary.Calls != 0 {
			t.Errorf("%s: functions %+v, want the old baseline and no evidence", phase, d.Functions)
		}
	}
	for _, phase := range []Phase{Connect, Contract} {
		d := at(phase).step(time.Second, Signal{Start: starting("r2", "a")})
		if d.Phase != Expand || d.Stable != release("r1") || d.Functions[0].Stable != "2" {
			t.Errorf("%s: every stage was passed, so r1 is the baseline; got %s over %s at version %s",
				phase, d.Phase, d.Stable.Digest, d.Functions[0].Stable)
		}
	}
}

// A fix for a first deployment that serves is compared with what serves: there
// is nothing else, and without it the alias would be taken away.
func TestNewerReleaseOverAFirstDeployment(t *testing.T) {
	st := starting("r1", "a")
	st.Stable, st.Functions[0].Stable, st.Rollout.Analysis.PreTraffic = record.Release{}, "", nil
	d := &drive{now: noon}
	d.step(0, Signal{Start: st}).step(1, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "1"}})
	d.step(time.Second, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 9, Errors: 9}, Counts{})}})
	if d.Phase != Shift || !d.Failed {
		t.Fatalf("a first deployment of which all calls fail stops and stays: %s", summary(d.State))
	}
	next := starting("r2", "a")
	next.Stable, next.Functions[0].Stable = record.Release{}, ""
	d.step(time.Second, Signal{Start: next})
	if d.Phase != Expand || d.Stable != release("r1") || d.Failed || d.Wanted(d.Functions[0]) != (providers.Routing{Version: "1"}) {
		t.Errorf("then %s, wanted at %+v", summary(d.State), d.Wanted(d.Functions[0]))
	}
}

func TestStableAgainInMidRollout(t *testing.T) {
	back := starting("r0", "a")
	for _, phase := range []Phase{Expand, Check, Shift} {
		d := at(phase).step(time.Second, Signal{Start: back})
		if d.Phase != Back || d.Next != nil || d.Failed || d.Returned != BySuperseded {
			t.Errorf("%s: a revert in Git is a way back: %s next %v failed %t", phase, d.Phase, d.Next, d.Failed)
		}
		d.step(time.Second, Signal{Routed: true, Ready: true, Start: back})
		if d.Phase != Idle || d.Release != release("r0") || !d.Done {
			t.Errorf("%s: ends %s at %s", phase, d.Phase, d.Release.Digest)
		}
	}
}

// A failed content is not begun again by the Start that every pass sends.
func TestFailedIsNotBegunAgain(t *testing.T) {
	d := at(Shift).step(time.Second, Signal{Abort: "alarm"})
	d.step(time.Second, Signal{Start: starting("r1", "a"), Routed: true})
	if d.Phase != Back || d.Next != nil {
		t.Errorf("the failed release waits to come again: %s %v", d.Phase, d.Next)
	}
}

// A person's rollback drops the newer release that waited.
func TestRollbackDropsNext(t *testing.T) {
	d := at(Shift).step(time.Second, Signal{Start: starting("r2", "a")})
	d.step(time.Second, Signal{Rollback: "ann: stop", Routed: true, Ready: true})
	if d.Phase != Idle || d.Release != release("r0") || d.Failed || d.Returned != ByRollback {
		t.Errorf("after a rollback: %s at %s failed %t by %s", d.Phase, d.Release.Digest, d.Failed, d.Returned)
	}
}

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
	if d.step(time.Minute, Signal{Routed: true, Looks: []Look{look}}); d.Functions[0] != before {
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

// What Advance was given is as it was, and the journal can hold what it gave.
func unchanged(t *rapid.T, before State, sig Signal, after func() State) State {
	frozen, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	got := after()
	if now, err := json.Marshal(before); err != nil || string(now) != string(frozen) {
		t.Fatalf("Advance wrote to its argument:\n%s\n%s", frozen, now)
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatalf("the journal cannot hold it: %v", err)
	}
	var read State
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, read, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the journal gives back another state (-had +read):\n%s", diff)
	}
	return got
}
