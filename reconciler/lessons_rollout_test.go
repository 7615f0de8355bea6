package reconciler

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// abortsOnAlarms is a policy that sends a release back when one of its alarms
// fires, and wants an approval of every stage while it is told to.
func abortsOnAlarms(wants *bool) mutant {
	return mutant{evaluator: func(e policy.Evaluator) policy.Evaluator {
		return evaluatorFunc(func(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
			d, err := e.Evaluate(ctx, p, in)
			if p != policy.Rollout {
				return d, err
			}
			if *wants {
				d.Pause = []policy.Finding{{Code: "approval", Msg: "needs an approval"}}
			}
			for _, a := range in.Alarms {
				if a.State == "alarm" {
					d.Abort = []policy.Finding{{Code: "alarm", Msg: a.Name + " fires"}}
				}
			}
			return d, err
		})
	}}
}

// Lesson 68: an alarm in any state of a canary brings all of the traffic back
// within half a minute, by one call.
func TestLesson68AnAlarmInEachStateGoesBack(t *testing.T) {
	var wants bool
	states := map[string]func(s *simulation){
		"in a step":            func(*simulation) {},
		"paused by a person":   func(s *simulation) { must(s.word(web.RolloutPause, "lunch")) },
		"waiting for approval": func(*simulation) { wants = true },
		"held":                 func(s *simulation) { must(s.stop("incident")) },
		"in the last step": func(s *simulation) {
			s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} })
		},
		"moved by another hand": func(s *simulation) {
			must(s.platform.Manual("bob").Point("production-checkout", "live", providers.Routing{Version: "2"}))
		},
	}
	for name, bring := range states {
		wants = false
		s := newSimulation(1, memory.Options{}, abortsOnAlarms(&wants), "production")
		s.platform.SetAlarm("production-errors", "ok")
		k := firstContent()
		declare := func() {
			files := maps.Clone(k.files())
			files["alarm.yaml"] = alarmYAML
			s.repo.commit("env/production", files)
		}
		declare()
		s.restart()
		settled(t, s)
		k.checkout = code(9)
		declare()
		s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached })
		bring(s)
		if s.live() != (providers.Routing{Version: "2"}) {
			s.run(11 * time.Second) // into the state; the last step lasts 8
		}
		if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Shift || s.live() == (providers.Routing{Version: "1"}) {
			t.Fatalf("%s: %s, traffic at %+v", name, ro.Phase, s.live())
		}
		calls := s.mutations()
		s.platform.SetAlarm("production-errors", "alarm")
		if !s.until(30*time.Second, func() bool { return s.live() == providers.Routing{Version: "1"} }) {
			t.Errorf("%s: half a minute later traffic is at %+v", name, s.live())
		}
		if n := s.mutations() - calls; n != 1 {
			t.Errorf("%s: traffic was back after %d calls", name, n)
		}
		if s.run(time.Minute); len(s.watch.environment("production").Quarantine) != 1 {
			t.Errorf("%s: the content is not quarantined", name)
		}
		sound(t, s)
	}
}

// stop holds production, as bob says.
func (s *simulation) stop(reason string) error {
	return s.ask("production", func(ctx context.Context, d *Daemon) error {
		_, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: reason, For: time.Hour, By: access.Stated("bob")})
		return err
	})
}

// Lesson 69: what a person sent back does not come again with another commit
// of the same content.
func TestLesson69AbortedContentComesAgain(t *testing.T) {
	s := canary(t)
	must(s.word(web.RolloutAbort, "orders fail"))
	if !s.until(time.Minute, s.ended("1")) {
		t.Fatalf("traffic is at %+v", s.live())
	}
	k := firstContent()
	k.checkout = code(9)
	files := k.files()
	files["README.md"] = "Another text, the same content.\n"
	calls := s.mutations()
	s.repo.commit("env/production", files)
	s.run(10 * time.Minute)
	if s.mutations() != calls || s.live() != (providers.Routing{Version: "1"}) {
		t.Errorf("quarantined content made %d calls, traffic is at %+v", s.mutations()-calls, s.live())
	}
	sound(t, s)
}

// A plan of content that failed here says that it is held, as status does, and
// what lets it be tried again.
func TestPlanOfQuarantinedContentIsHeld(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	if !s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached }) {
		t.Fatal("no canary")
	}
	planned := func() (out web.Plan) {
		must(s.ask("production", func(ctx context.Context, d *Daemon) (err error) {
			out, err = d.Plan(ctx, "production")
			return err
		}))
		return out
	}
	if p := planned(); len(p.Holds) != 0 {
		t.Errorf("in the canary: %s, holds %+v", p.Outcome, p.Holds)
	}
	must(s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Rollout(ctx, web.RolloutRequest{Environment: "production", Act: web.RolloutAbort, Reason: "enough", By: access.Stated("bob")})
	}))
	s.run(time.Minute)
	if p := planned(); p.Outcome != "held" || len(p.Holds) != 1 || p.Holds[0].Kind != "quarantine" || !strings.Contains(p.Holds[0].Reason, "mooring retry") || len(p.Steps) == 0 {
		t.Errorf("afterwards: %s, holds %+v", p.Outcome, p.Holds)
	}
	sound(t, s)
}

// failedBefore has a content that failed in production on its branch again,
// while another moves; at is the phase in which that one stands.
func failedBefore(t *testing.T, at rollout.Phase) *simulation {
	t.Helper()
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	good, bad := firstContent(), firstContent()
	good.checkout, bad.checkout = code(9), badCode(8)
	s.platform.SetErrors(bad.checkout, 0.5)
	s.repo.commit("env/production", bad.files())
	if !s.until(10*time.Minute, func() bool { return len(s.watch.environment("production").Quarantine) > 0 }) {
		t.Fatal("it does not fail")
	}
	s.repo.commit("env/production", good.files())
	s.d.nudgeFetch()
	if !s.until(10*time.Minute, func() bool { return s.watch.environment("production").Rollout.Phase == at }) {
		t.Fatalf("it never is in %s", at)
	}
	s.repo.commit("env/production", bad.files())
	s.d.nudgeFetch()
	return s
}

// A content that failed before takes the one that moves back, as every newer one
// does, and is not tried itself: who reverts in mid-canary is heard.
func TestARevertToWhatFailedTakesTheCanaryBack(t *testing.T) {
	for _, at := range []rollout.Phase{rollout.Expand, rollout.Shift} {
		t.Run(string(at), func(t *testing.T) {
			s := failedBefore(t, at)
			s.run(2 * time.Second)
			if got := s.platform.Routing("production-checkout", "live"); got != (providers.Routing{Version: "1"}) {
				t.Errorf("two seconds later traffic is at %+v", got)
			}
			s.run(10 * time.Minute)
			if got := s.platform.Routing("production-checkout", "live"); got != (providers.Routing{Version: "1"}) {
				t.Errorf("in the end traffic is at %+v", got)
			}
			if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Idle {
				t.Errorf("it is in %q of %.12s", ro.Phase, ro.Release.Commit)
			}
			sound(t, s)
		})
	}
}

// The same where one waits for traffic to be back: it does not begin.
func TestARevertToWhatFailedTakesTheNextBack(t *testing.T) {
	s := failedBefore(t, rollout.Shift)
	s.run(2 * time.Second)
	again := firstContent()
	again.checkout = code(10)
	s.repo.commit("env/production", again.files())
	if !s.until(10*time.Minute, func() bool { return s.watch.environment("production").Rollout.Phase == rollout.Shift }) {
		t.Fatal("it does not begin")
	}
	s.inject = func(op string, _ manifest.Ref) error {
		if op == "route:before" {
			return providers.Errorf(providers.Transient, "injected")
		}
		return nil
	}
	third := again
	third.checkout = code(11)
	s.repo.commit("env/production", third.files())
	s.run(20 * time.Second)
	if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Back || ro.Next == nil {
		t.Fatalf("it is in %q, then %+v", ro.Phase, ro.Next)
	}
	bad := firstContent()
	bad.checkout = badCode(8)
	s.repo.commit("env/production", bad.files())
	s.run(20 * time.Second)
	if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Back || ro.Next != nil {
		t.Errorf("it is in %q, then %+v", ro.Phase, ro.Next)
	}
	s.inject = func(string, manifest.Ref) error { return nil }
	s.run(5 * time.Minute)
	if got := s.platform.Routing("production-checkout", "live"); got != (providers.Routing{Version: "1"}) || len(s.platform.Versions("production-checkout")) != 4 {
		t.Errorf("traffic is at %+v of versions %v", got, s.platform.Versions("production-checkout"))
	}
	sound(t, s)
}
