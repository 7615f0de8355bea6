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

// TestAMovedBindingRollsTheSameReleaseAgain: in force, the same release starts
// again only when asked to.
func TestAMovedBindingRollsTheSameReleaseAgain(t *testing.T) {
	in := State{Release: record.Release{Digest: "sha256:a"}}
	start := Start{Release: in.Release, Stable: in.Release, Functions: []Function{{Stable: "1"}}}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	if s := Advance(in, Signal{Start: &start}, now); s.Phase != Idle {
		t.Errorf("without Retry: phase %q", s.Phase)
	}
	start.Retry = true
	if s := Advance(in, Signal{Start: &start}, now); s.Phase != Expand || s.Stable != in.Release {
		t.Errorf("with Retry: phase %q, stable %v", s.Phase, s.Stable)
	}
}
