package reconciler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// canary brings production to the first stage of a canary.
func canary(t *testing.T) *simulation {
	t.Helper()
	return canaryOn(t, mutant{})
}

// canaryOn is canary with a mutant in what it builds on.
func canaryOn(t *testing.T, m mutant) *simulation {
	t.Helper()
	s := begin(t, memory.Options{}, m, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	if !s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached }) {
		t.Fatal("no canary")
	}
	return s
}

// Lesson 38: rollout policy breaks in the middle of a canary.
func TestLesson38BrokenRolloutPolicyHoldsTheWeightThenGoesBack(t *testing.T) {
	s := canary(t)
	split := s.platform.Routing("production-checkout", "live")
	w := *s.d.world.Load()
	w.evaluator = closedRules(s.watch.heard)(errRules)
	s.d.world.Store(&w)
	s.run(8 * time.Minute)
	if r := s.platform.Routing("production-checkout", "live"); !reflect.DeepEqual(r, split) {
		t.Errorf("traffic is at %+v, not at %+v", r, split)
	}
	stable := func() bool {
		return reflect.DeepEqual(s.platform.Routing("production-checkout", "live"), providers.Routing{Version: "1"})
	}
	if !s.until(5*time.Minute, stable) {
		t.Errorf("after the deadline traffic is at %+v", s.platform.Routing("production-checkout", "live"))
	}
	s.run(2 * time.Minute)
	if st := s.watch.environment("production"); len(st.Quarantine) != 0 || len(st.Holds) != 1 || s.alerts("rollout_paused", "firing") == 0 {
		t.Errorf("quarantine %v, holds %+v, %d alerts", st.Quarantine, st.Holds, s.alerts("rollout_paused", "firing"))
	}
	sound(t, s)
}

func TestLesson65ManualAliasInCanaryPauses(t *testing.T) {
	s := canary(t)
	manual := providers.Routing{Version: "2"}
	if err := s.platform.Manual("alice").Point("production-checkout", "live", manual); err != nil {
		t.Fatal(err)
	}
	s.run(2 * time.Minute)
	ro := s.watch.environment("production").Rollout
	if ro.Paused == "" || s.platform.Routing("production-checkout", "live") != manual {
		t.Errorf("paused %q, traffic at %+v", ro.Paused, s.platform.Routing("production-checkout", "live"))
	}
	if s.alerts("rollout_paused", "firing") != 1 {
		t.Errorf("%d alerts", s.alerts("rollout_paused", "firing"))
	}
	if err := s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Rollback(ctx, web.RollbackRequest{Environment: "production", By: access.Stated("bob"), Reason: "hands off"})
	}); err != nil {
		t.Fatal(err)
	}
	s.run(time.Minute)
	if r := s.platform.Routing("production-checkout", "live"); r != (providers.Routing{Version: "1"}) {
		t.Errorf("after the rollback traffic is at %+v", r)
	}
	sound(t, s)
}

// Lesson 65: whatever a person makes of the alias in mid-canary stands, is held
// in the person's name, and no more traffic goes to the new version, until
// somebody says that the release goes on over it, or the person undoes it.
func TestLesson65WhatAPersonDidInACanaryStands(t *testing.T) {
	deeds := map[string]providers.Routing{
		"routing removed": {Version: "1"},
		"weight lowered":  {Version: "1", Canary: "2", Weight: providers.Percent(3)},
		"weight raised":   {Version: "1", Canary: "2", Weight: providers.Percent(60)},
		"all on the new":  {Version: "2"},
		"turned round":    {Version: "2", Canary: "1", Weight: providers.Percent(10)},
	}
	for name, deed := range deeds {
		for _, undone := range []bool{false, true} {
			s := canary(t)
			before := s.live()
			must(s.platform.Manual("alice").Point("production-checkout", "live", deed))
			s.run(5 * time.Minute)
			ro := s.watch.environment("production").Rollout
			if s.live() != deed || ro.Phase != rollout.Shift || !strings.Contains(ro.Paused, "somebody else moved traffic") {
				t.Fatalf("%s: traffic at %+v, %s, paused %q", name, s.live(), ro.Phase, ro.Paused)
			}
			held := ro.Elapsed
			s.run(5 * time.Minute)
			if ro := s.watch.environment("production").Rollout; ro.Elapsed != held {
				t.Errorf("%s: the stage went on for %s", name, ro.Elapsed-held)
			}
			ids := s.heldFor(t, "alice")
			if undone {
				must(s.platform.Manual("alice").Point("production-checkout", "live", before))
			}
			for _, id := range ids {
				if undone {
					break
				}
				must(s.ask("production", func(ctx context.Context, d *Daemon) error {
					return d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: id, By: access.Stated("bob")})
				}))
			}
			if !s.until(time.Hour, s.ended("2")) || len(s.watch.environment("production").Holds) != 0 {
				t.Errorf("%s, undone %v: it does not go on: %+v, %v", name, undone, s.live(), s.open())
			}
			sound(t, s)
		}
	}
}

// Lesson 65 while policy caps the weight: what a person lowered it to is no
// earlier weight of ours.
func TestLesson65UnderACapOfPolicyAHandStands(t *testing.T) {
	cap := 0
	capped := mutant{evaluator: func(e policy.Evaluator) policy.Evaluator {
		return evaluatorFunc(func(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
			d, err := e.Evaluate(ctx, p, in)
			if p == policy.Rollout {
				d.WeightCap = cap
			}
			return d, err
		})
	}}
	for name, deed := range map[string]providers.Routing{
		"routing removed": {Version: "1"}, "weight lowered": {Version: "1", Canary: "2", Weight: providers.Percent(3)},
		"back to the stage's": {Version: "1", Canary: "2", Weight: providers.Percent(10)},
	} {
		cap = 0
		s := canaryOn(t, capped)
		cap = 5
		at := providers.Routing{Version: "1", Canary: "2", Weight: providers.Percent(5)}
		if !s.until(5*time.Minute, func() bool { return s.live() == at }) {
			t.Fatalf("%s: capped, and traffic is at %+v", name, s.live())
		}
		s.run(time.Minute)
		must(s.platform.Manual("alice").Point("production-checkout", "live", deed))
		s.run(5 * time.Minute)
		if ro := s.watch.environment("production").Rollout; s.live() != deed || ro.Phase != rollout.Shift || !strings.Contains(ro.Paused, "somebody else moved traffic") {
			t.Errorf("%s: traffic at %+v, %s, paused %q", name, s.live(), ro.Phase, ro.Paused)
		}
		s.heldFor(t, "alice")
		must(s.platform.Manual("alice").Point("production-checkout", "live", at))
		cap = 0
		if !s.until(time.Hour, s.ended("2")) {
			t.Errorf("%s, undone: it does not go on: %+v, %v", name, s.live(), s.open())
		}
		sound(t, s)
	}
}

// heldFor are the mitigations that are held in somebody's name.
func (s *simulation) heldFor(t *testing.T, who string) (ids []string) {
	t.Helper()
	for id, h := range s.watch.environment("production").Holds {
		if h.Kind != "mitigation" || !strings.Contains(h.Reason, "by "+who) {
			t.Errorf("held: %+v", h)
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		t.Error("nothing is held")
	}
	return ids
}

// Lesson 67: no answer and no calls are alike: nothing is known, nothing
// advances, and after the limit traffic goes back.
func TestLesson67LostMetricsNeverAdvance(t *testing.T) {
	for name, traffic := range map[string]memory.Traffic{"no answer": {PerSecond: 100, Unknown: true}, "no calls": {}} {
		s := canary(t)
		s.platform.SetTraffic("production-checkout", traffic)
		seen := providers.Weight(0)
		for range 60 {
			s.run(10 * time.Second)
			seen = max(seen, s.live().Weight)
		}
		if seen > providers.Percent(10) || s.live() != (providers.Routing{Version: "1"}) {
			t.Errorf("%s: weight rose to %d, traffic is at %+v", name, seen, s.live())
		}
		if q := s.watch.environment("production").Quarantine; len(q) != 0 {
			t.Errorf("%s: undecided is quarantined: %v", name, q)
		}
		sound(t, s)
	}
}

// Lesson 67 with a metric beside the calls: what is no number never advances,
// however good the calls are, and after the limit traffic goes back, undecided.
func TestLesson67NoNumberNeverAdvances(t *testing.T) {
	for _, value := range []string{"NaN", "", "five"} {
		var now atomic.Value
		now.Store("0.5")
		s, _ := asking(t, `metrics: [{name: p99, prometheus: {address: "URL", query: "max(p99)", max: 0.8, min: 0}}]`, func(*http.Request, []byte) (int, string) {
			return http.StatusOK, fmt.Sprintf(`{"status":"success","data":{"resultType":"scalar","result":[1,%q]}}`, now.Load())
		})
		now.Store(value)
		began := time.Time{}
		s.inject = func(op string, _ manifest.Ref) error {
			if op == "route:after" && began.IsZero() {
				began = s.real
			}
			return nil
		}
		most, inForce := released(t, s, code(9))
		st := s.watch.environment("production")
		if inForce || most > providers.Percent(10) || st.Rollout.Returned != rollout.ByUndecided || len(st.Quarantine) != 0 {
			t.Errorf("%q: up to %d, in force %t, returned %q: %s", value, most, inForce, st.Rollout.Returned, st.Rollout.Reason)
		}
		if held := s.real.Sub(began); held < 3*time.Minute || held > 4*time.Minute {
			t.Errorf("%q: back after %s, want the limit of 3m", value, held)
		}
		sound(t, s)
	}
}

// Lesson 67 with probes: they stand in for users who are known not to call, and
// for nobody while metrics are lost, be it from the start or since the probes
// began; what they find on the way still takes the release back.
func TestLesson67ProbesStandInForNoLostMetrics(t *testing.T) {
	for name, c := range map[string]struct {
		after    int // rounds of probes, before metrics are lost
		broken   bool
		returned rollout.Return
	}{"from the start": {0, false, rollout.ByUndecided}, "on the way": {3, false, rollout.ByUndecided}, "broken": {0, true, rollout.ByVerdict}} {
		s := analysed(t, probes)
		s.platform.SetTraffic("production-checkout", memory.Traffic{Unknown: c.after == 0})
		s.platform.Handle(func(in memory.Invocation) ([]byte, bool) {
			return []byte(`{"ok":true}`), c.broken && strings.Contains(in.Code, code(9))
		})
		s.inject = func(string, manifest.Ref) error {
			if c.after > 0 && s.watch.environment("production").Rollout.Probes >= c.after {
				s.inject = func(op string, _ manifest.Ref) error {
					if op == "measure" {
						return providers.Errorf(providers.Transient, "no answer")
					}
					return nil
				}
			}
			return nil
		}
		most, inForce := released(t, s, code(9))
		if ro := s.watch.environment("production").Rollout; inForce || most > providers.Percent(10) || ro.Returned != c.returned {
			t.Errorf("%s: up to %d, in force %t, returned %q: %s", name, most, inForce, ro.Returned, ro.Reason)
		}
		sound(t, s)
	}
}

func TestLesson69NewRevisionInCanaryBeginsAnew(t *testing.T) {
	s := canary(t)
	k := firstContent()
	k.checkout = code(10)
	s.repo.commit("env/production", k.files())
	s.until(time.Minute, func() bool {
		return s.watch.environment("production").Rollout.Release.Commit == s.repo.branches["env/production"]
	})
	if ro := s.watch.environment("production").Rollout; ro.Stage != 0 || ro.Phase == rollout.Connect {
		t.Errorf("the newer release begins at stage %d of %s", ro.Stage, ro.Phase)
	}
	settled(t, s)
	// The same bad content again is not tried again.
	bad := badCode(11)
	s.platform.SetErrors(bad, 0.5)
	k.checkout = bad
	s.repo.commit("env/production", k.files())
	s.until(5*time.Minute, func() bool { return len(s.watch.environment("production").Quarantine) == 1 })
	s.run(time.Minute)
	calls := s.mutations()
	files := k.files()
	files["README.md"] = "Another text, the same content.\n"
	s.repo.commit("env/production", files)
	s.run(5 * time.Minute)
	if s.mutations() != calls {
		t.Errorf("quarantined content made %d calls", s.mutations()-calls)
	}
	sound(t, s)
}

func TestLesson70RollbackWithEverythingElseDown(t *testing.T) {
	s := canary(t)
	s.repo.fault = func(op string) error {
		if op == "fetch" || strings.HasPrefix(op, "propose") {
			return errors.New("git is down")
		}
		return nil
	}
	s.platform.SetTraffic("production-checkout", memory.Traffic{Unknown: true})
	s.mutant.evaluator = nil
	w := *s.d.world.Load()
	w.evaluator = closedRules(s.watch.heard)(errRules)
	s.d.world.Store(&w)
	calls := s.mutations()
	if err := s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Rollback(ctx, web.RollbackRequest{Environment: "production", By: access.Stated("bob"), Reason: "errors"})
	}); err != nil {
		t.Fatal(err)
	}
	s.due["production"] = s.real
	s.turn(true)
	if r := s.platform.Routing("production-checkout", "live"); r != (providers.Routing{Version: "1"}) {
		t.Errorf("traffic is at %+v", r)
	}
	first := s.platform.Calls()[len(s.platform.Calls())-1]
	if s.mutations()-calls != 1 || first.Op != "route" {
		t.Errorf("the first pass made %d calls, the last %+v", s.mutations()-calls, first)
	}
	s.run(time.Minute)
	if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Idle {
		t.Errorf("still %s", ro.Phase)
	}
	held := slices.ContainsFunc(sorted(s.watch.environment("production").Holds), func(h record.Hold) bool {
		return h.Kind == "rollback" && h.Owner == "bob" && h.Reason != "" && !h.Until.IsZero()
	})
	if !held {
		t.Error("the rollback left no hold with owner, reason and end")
	}
	sound(t, s)
}

func TestLesson72CrashBetweenSendAndRecord(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	if err := s.platform.Manual("alice").Set(s.function("preview", "checkout"), "handler", `"other"`); err != nil {
		t.Fatal(err)
	}
	lost := false
	s.store.Break(func(_ int, recs []journal.Record) journal.Fault {
		if recs[0].Delivered != nil && !lost {
			lost = true
			return journal.FailBefore
		}
		return journal.NoFault
	})
	if !s.until(5*time.Minute, func() bool { return lost }) {
		t.Fatal("nothing was delivered")
	}
	s.restart()
	settled(t, s)
	times := map[string]int{}
	for _, e := range s.received["default"] {
		times[e.ID]++
	}
	twice := 0
	for id, n := range times {
		if n > 2 {
			t.Errorf("alert %s came %d times", id, n)
		}
		if n == 2 {
			twice++
		}
	}
	if twice != 1 {
		t.Errorf("%d alerts came twice", twice)
	}
	sound(t, s)
}

func TestLesson74TextVariesAlertDoesNot(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	n := 0
	s.inject = func(op string, _ manifest.Ref) error {
		if op == "survey" {
			n++
			return fmt.Errorf("no answer to request %d", n)
		}
		return nil
	}
	s.run(30 * time.Minute)
	if got := s.alerts("environment_error", "firing"); got != 1 || n < 5 {
		t.Errorf("%d failures, %d alerts", n, got)
	}
	s.inject = func(string, manifest.Ref) error { return nil }
	s.run(3 * time.Minute)
	settled(t, s)
	if got := s.alerts("environment_error", "resolved"); got != 1 {
		t.Errorf("%d resolved", got)
	}
	sound(t, s)
}

func TestHoldStopsForwardAndExpires(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	err := s.ask("preview", func(ctx context.Context, d *Daemon) error {
		_, err := d.Hold(ctx, web.HoldRequest{Environment: "preview", Reason: "incident", For: 10 * time.Minute, By: access.Stated("bob")})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	calls := s.mutations()
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/preview", k.files())
	s.run(9 * time.Minute)
	if s.mutations() != calls {
		t.Errorf("%d calls while held", s.mutations()-calls)
	}
	s.run(2 * time.Minute)
	settled(t, s)
	sound(t, s)
}
