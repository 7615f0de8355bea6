package reconciler

import (
	"context"
	"errors"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/rollout"
)

// Named after the tests 35 to 38 of gitops-lessons.md, 4.3; 25 and 26 are
// TestLesson25… and TestLesson26….

// breaks is an evaluator that fails at one point while it is told to.
type breaks struct {
	policy.Evaluator
	at *policy.Point
}

func (b breaks) Evaluate(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
	if p == *b.at {
		return policy.Decision{ID: in.Request.ID, Point: p, Outcome: policy.Error}, errors.New("the package is broken")
	}
	return b.Evaluator.Evaluate(ctx, p, in)
}

func breaking(at *policy.Point) mutant {
	return mutant{evaluator: func(e policy.Evaluator) policy.Evaluator { return breaks{e, at} }}
}

// What a commit brings of policies is not read: it is judged by those of the
// control branch that were active before it came.
func TestLesson35ACommitDoesNotJudgeItself(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	s.repo.commit("main", controlFiles("deny", s.names...))
	s.run(20 * time.Second)
	active := s.d.world.Load().policies
	k := firstContent()
	k.memory = 512
	files := k.files()
	files["policies/mode"] = "allow\n"
	sha := s.repo.commit("env/preview", files)
	calls := s.mutations()
	s.run(time.Minute)
	j := s.watch.environment("preview").Judged
	if j.Release.Commit != sha || j.Outcome != "deny" || j.Policy != active || s.mutations() != calls {
		t.Errorf("judged %+v, %d calls", j, s.mutations()-calls)
	}
	sound(t, s)
}

// A broken notify policy loses no alert.
func TestLesson37ABrokenNotifyPolicyLosesNothing(t *testing.T) {
	at := policy.Notify
	s := begin(t, memory.Options{}, breaking(&at), "preview")
	settled(t, s)
	s.repo.rewrite("env/preview", firstContent().files())
	s.run(5 * time.Minute)
	if s.alerts("hold", "firing") == 0 && s.alerts("forced_update", "firing") == 0 {
		t.Errorf("the default receiver heard %+v", s.received["default"])
	}
	sound(t, s)
}

// A rollout policy that breaks in a canary leaves the weight where it is, and
// after its deadline traffic is back on what was there before.
func TestLesson38ABrokenRolloutPolicyGoesBack(t *testing.T) {
	at := policy.Point("")
	s := begin(t, memory.Options{}, breaking(&at), "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	if !s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached }) {
		t.Fatal("no canary")
	}
	at = policy.Rollout
	weight := s.platform.Routing("production-checkout", "live").Weight
	s.run(rollout.PolicyDeadline / 2)
	if got := s.platform.Routing("production-checkout", "live").Weight; got != weight || weight == 0 {
		t.Errorf("the weight went from %d to %d", weight, got)
	}
	s.run(rollout.PolicyDeadline)
	if got := s.platform.Routing("production-checkout", "live"); got != (providers.Routing{Version: "1"}) {
		t.Errorf("after the deadline traffic is at %+v", got)
	}
	sound(t, s)
}
