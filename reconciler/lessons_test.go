package reconciler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
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

// lesson35 is an environment with a content in force, and then one commit of the
// control branch that points it at a newer content and brings other policies.
func lesson35(t *testing.T, before string, after map[string]string) (s *simulation, first, next string) {
	t.Helper()
	s = governed(t, ruled("admission/size.rego", before))
	k := firstContent()
	k.memory = 512
	s.repo.branches["env/next"] = s.repo.branches["env/staging"]
	first, next = s.active(), s.repo.commit("env/next", k.files())
	files := controlFiles("allow", s.names...)
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "- name: staging\n", "- name: staging\n      branch: env/next\n", 1)
	maps.Copy(files, after)
	s.repo.commit("main", files)
	return s, first, next
}

// A commit that changes mooring.yaml and policies counts whole: what the one
// brings is judged by the others where those in force let them in, and by those
// in force where not.
func TestLesson35OneCommitOfPipelineAndPolicies(t *testing.T) {
	elsewhere := allowing + "deny contains \"not from there\" if input.source.ref == \"refs/heads/env/next\"\n"
	for _, c := range []struct {
		name     string
		before   string
		after    map[string]string
		active   bool
		restarts bool
	}{
		{name: "stricter ones, let in", before: allowing, after: ruled("admission/size.rego", elsewhere), active: true},
		{name: "stricter ones, let in by a new daemon", before: allowing, after: ruled("admission/size.rego", elsewhere), active: true, restarts: true},
		{name: "milder ones, kept out", before: elsewhere, after: ruled("admission/size.rego", allowing, "rollout/calm.rego", rollout1)},
		{name: "milder ones, kept out by a new daemon", before: elsewhere, after: ruled("admission/size.rego", allowing, "rollout/calm.rego", rollout1), restarts: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, first, next := lesson35(t, c.before, c.after)
			if c.restarts {
				s.restartRego(t)
			}
			calls := s.mutations()
			s.run(time.Minute)
			j := s.watch.environment("staging").Judged
			if j.Release.Commit != next || j.Outcome != "deny" || j.Policy != s.active() || (s.active() != first) != c.active || s.mutations() != calls {
				t.Errorf("active %.12s, before it %.12s; %s of %.12s by %.12s, %d calls", s.active(), first, j.Outcome, j.Release.Commit, j.Policy, s.mutations()-calls)
			}
			sound(t, s)
		})
	}
}

// Nothing of such a commit counts while the journal does not hold that its
// policies are in force.
func TestLesson35PoliciesNotRecordedAreNotInForce(t *testing.T) {
	s, first, next := lesson35(t, allowing, ruled("admission/size.rego", allowing+"# the same\n"))
	s.store.Break(func(_ int, recs []journal.Record) journal.Fault {
		if slices.ContainsFunc(recs, func(r journal.Record) bool { return r.Activation != nil }) {
			return journal.FailBefore
		}
		return journal.NoFault
	})
	calls := s.mutations()
	s.run(time.Minute)
	if spec, _ := s.d.world.Load().pipeline.Environment("staging"); s.active() != first || spec.Branch != "env/staging" || s.mutations() != calls {
		t.Errorf("active %.12s, before it %.12s; staging is on %s, %d calls", s.active(), first, spec.Branch, s.mutations()-calls)
	}
	s.store.Break(nil)
	s.run(time.Minute)
	j := s.watch.environment("staging").Judged
	if a := s.lastActivation(); j.Release.Commit != next || !a.Active || a.Revision != s.active() || a.Revision == first {
		t.Errorf("recorded is %+v, and judged %s of %.12s by %.12s", a, j.Outcome, j.Release.Commit, j.Policy)
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
