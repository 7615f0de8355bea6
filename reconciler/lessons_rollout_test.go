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
