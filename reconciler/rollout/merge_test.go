package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mooring.dev/sources/manifest"
)

func holding(n int) manifest.Duration { return manifest.Duration(time.Duration(n) * time.Minute) }

func TestMerge(t *testing.T) {
	five := manifest.Rollout{Strategy: "canary", Stages: []manifest.Stage{{Weight: 10, Hold: holding(5)}, {Weight: 100}}}
	half := manifest.Rollout{Strategy: "custom", Stages: []manifest.Stage{{Weight: 10, Hold: holding(1)}, {Weight: 50, Hold: holding(10)}, {Weight: 100, Hold: holding(2)}}}
	once := manifest.Rollout{Strategy: "allAtOnce", Stages: []manifest.Stage{{Weight: 100}},
		Analysis: manifest.Analysis{OnUndecided: "proceed", PostTraffic: &manifest.Check{Name: "ping"}}}
	want := []manifest.Stage{{Weight: 10, Hold: holding(5)}, {Weight: 50, Hold: holding(10)}, {Weight: 100, Hold: holding(2)}}
	got := Merge(five, half, once)
	if diff := cmp.Diff(want, got.Stages); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, ladder(got, false)); diff != "" {
		t.Errorf("it does not run all of them: %s", diff)
	}
	if got.Analysis.OnUndecided != "hold" || got.Analysis.PostTraffic == nil {
		t.Errorf("judged by %+v", got.Analysis)
	}
	if diff := cmp.Diff(once, Merge(once)); diff != "" {
		t.Errorf("one alone becomes another: %s", diff)
	}
	if l := ladder(Merge(), false); len(l) != 1 || l[0].Weight != 100 {
		t.Errorf("of none: %+v", l)
	}
}

// What each of them asks for is in the merged ladder, whatever their order.
func TestMergeForgetsNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SliceOfN(rapid.Custom(anyRollout), 1, 5).Draw(t, "rollouts")
		merged := ladder(Merge(of...), false)
		holds := map[int]manifest.Duration{}
		for i, stage := range merged {
			if i > 0 && stage.Weight <= merged[i-1].Weight {
				t.Fatalf("%+v does not rise", merged)
			}
			holds[stage.Weight] = stage.Hold
		}
		for _, r := range of {
			for _, stage := range ladder(r, false) {
				if hold, named := holds[stage.Weight]; !named || hold < stage.Hold {
					t.Fatalf("%+v of %+v is not kept in %+v", stage, r, merged)
				}
			}
		}
		back := append([]manifest.Rollout{}, of[1:]...)
		if again := ladder(Merge(append(back, of[0])...), false); len(of) > 1 && !cmp.Equal(again, merged) {
			t.Fatalf("another order gives %+v, not %+v", again, merged)
		}
	})
}

func anyRollout(t *rapid.T) manifest.Rollout {
	r := manifest.Rollout{Strategy: rapid.SampledFrom([]string{"allAtOnce", "blueGreen", "custom", "linear"}).Draw(t, "strategy")}
	weight := 0
	for range rapid.IntRange(0, 4).Draw(t, "stages") {
		if weight += rapid.IntRange(1, 40).Draw(t, "step"); weight < 100 {
			r.Stages = append(r.Stages, manifest.Stage{Weight: weight, Hold: holding(rapid.IntRange(0, 9).Draw(t, "hold"))})
		}
	}
	r.Stages = append(r.Stages, manifest.Stage{Weight: 100, Hold: holding(rapid.IntRange(0, 9).Draw(t, "last"))})
	return r
}

// held is a rollout with a post-traffic check whose last stage has held.
func held(t *testing.T, change func(*Start)) *drive {
	t.Helper()
	st := starting("r1", "a")
	st.Rollout.Analysis.PreTraffic, st.Rollout.Analysis.PostTraffic = nil, &manifest.Check{Name: "order"}
	change(st)
	d := &drive{now: noon}
	d.step(0, Signal{Start: st})
	d.step(time.Second, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}})
	for d.Stage < 2 {
		early := []CheckDone{{Ref: fn("a"), Detail: "too early"}}
		d.step(time.Minute, Signal{Routed: true, Checks: early, Looks: []Look{d.look("a", Counts{Calls: 1000}, Counts{Calls: 1000})}})
		if d.Asking || d.Phase != Shift {
			t.Fatalf("asked at stage %d, %s", d.Stage, d.Phase)
		}
	}
	d.healthy(5)
	if !d.Asking || d.Phase != Shift || d.Weight != 100 {
		t.Fatalf("after the last hold: asking %t, %s at %d%%", d.Asking, d.Phase, d.Weight)
	}
	return d
}

// The post-traffic check is asked once the last stage has held; without its
// answer nothing goes on, and a bad one sends everything back.
func TestPostTraffic(t *testing.T) {
	same := func(*Start) {}
	passed := Signal{Routed: true, Checks: []CheckDone{{Ref: fn("a"), Passed: true}}}
	if d := held(t, same).step(time.Second, passed); d.Phase != Connect || d.Asking {
		t.Errorf("passed: %s", summary(d.State))
	}
	failed := Signal{Routed: true, Checks: []CheckDone{{Ref: fn("a"), Detail: "status 500"}}}
	if d := held(t, same).step(time.Second, failed); d.Phase != Back || !d.Failed || d.Returned != ByCheck || d.Asking {
		t.Errorf("failed: %s", summary(d.State))
	}
	failed.Held = "incident"
	if d := held(t, same).step(time.Second, failed); d.Phase != Back {
		t.Errorf("failed in a hold: %s", summary(d.State))
	}
	if d := held(t, same).healthy(60); d.Phase != Shift || d.Paused == "" {
		t.Errorf("without an answer: %s", summary(d.State))
	}
	proceeds := func(st *Start) { st.Rollout.Analysis.OnUndecided = "proceed" }
	if d := held(t, proceeds).healthy(60); d.Phase != Shift {
		t.Errorf("without an answer, proceeding: %s", summary(d.State))
	}
	returns := func(st *Start) { st.Rollout.Analysis.OnUndecided = "rollback" }
	if d := held(t, returns).healthy(60); d.Phase != Back || d.Failed || d.Returned != ByUndecided {
		t.Errorf("without an answer, returning: %s", summary(d.State))
	}
}

// What a post-traffic check finds is proof only while all of the traffic is on
// the new version: not through an alias that somebody else moved, and not
// while policy caps the weight.
func TestPostTrafficProvesOnlyInPlace(t *testing.T) {
	same := func(*Start) {}
	passed := []CheckDone{{Ref: fn("a"), Passed: true}}
	d := held(t, same).step(time.Second, Signal{Foreign: "user/bob", Checks: passed})
	if d.Phase != Shift || d.Functions[0].Proved {
		t.Errorf("asked through an alias that somebody moved: %s", summary(d.State))
	}
	if d.step(time.Second, Signal{Routed: true, Checks: passed}); d.Phase != Connect {
		t.Errorf("asked again in place: %s", summary(d.State))
	}
	d = held(t, same).step(time.Second, Signal{WeightCap: 5, Routed: true})
	if d.step(time.Second, Signal{WeightCap: 5, Routed: true, Checks: passed}); d.Asking || d.Functions[0].Proved {
		t.Errorf("asked at a weight of %d%%: %s", d.Weight, summary(d.State))
	}
	d.step(time.Second, Signal{Routed: true})
	if d.step(time.Second, Signal{Routed: true}); !d.Asking || d.Weight != 100 {
		t.Errorf("without the cap: %s", summary(d.State))
	}
	if d.step(time.Second, Signal{Routed: true, Checks: passed}); d.Phase != Connect {
		t.Errorf("asked again without the cap: %s", summary(d.State))
	}
}
