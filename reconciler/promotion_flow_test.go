package reconciler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// TestContentMovesThroughThreeEnvironments: one commit on the first branch is
// enough; each move waits for the soak and the checks upstream.
func TestContentMovesThroughThreeEnvironments(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "staging", "production")
	s.repo.commit("env/preview", firstContent().files())
	s.restart()
	arrived := func(env string) func() bool {
		return func() bool { return s.watch.environment(env).Admitted != nil }
	}
	if !s.until(time.Hour, arrived("staging")) {
		t.Fatal("nothing came to staging", s.watch.broken)
	}
	if got := s.real.Sub(birth); got < 20*time.Second {
		t.Errorf("it came to staging after %v, the soak is 20s", got)
	}
	if s.repo.branches["env/production"] != "" {
		t.Error("it came to production at once")
	}
	if !s.until(time.Hour, arrived("production")) {
		t.Fatal("nothing came to production")
	}
	if checks := s.watch.environment("staging").Checks; len(checks) != 1 {
		t.Errorf("checks of staging: %v", checks)
	}
	settled(t, s)
	for _, env := range s.names {
		if got, want := s.watch.environment(env).Rollout.Release.Content, s.watch.environment("preview").Rollout.Release.Content; got != want {
			t.Errorf("%s has %s", env, got)
		}
	}
	sound(t, s)
}

// TestFailedCheckStopsPromotion: content that fails its check where it is
// goes no further.
func TestFailedCheckStopsPromotion(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "staging", "production")
	s.platform.Handle(func(memory.Invocation) ([]byte, bool) { return []byte(`{"ok":false}`), false })
	s.repo.commit("env/staging", firstContent().files())
	s.restart()
	s.run(30 * time.Minute)
	if s.watch.environment("production").Admitted != nil || s.repo.branches["env/production"] != "" {
		t.Error("it moved on")
	}
	s.platform.Handle(nil)
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Admitted != nil }) {
		t.Error("it does not move once the check passes")
	}
	sound(t, s)
}

// TestPromotionCommitSaysOnWhatItRests: content, decision and evidence stand in
// the trailers, and the same evidence gives the same digests.
func TestPromotionCommitSaysOnWhatItRests(t *testing.T) {
	up := promote.Place{Environment: manifest.Environment{Name: "staging"},
		Checks: []record.CheckResult{{Key: record.Key{Content: "c"}, Name: "smoke", Passed: true, At: birth}}}
	first := evidenceOf(up)
	if len(first) != 1 || !slices.Equal(first, evidenceOf(up)) || !strings.HasPrefix(first[0], "staging/smoke sha256:") {
		t.Fatalf("got %v", first)
	}
	up.Checks[0].Passed = false
	if slices.Equal(first, evidenceOf(up)) {
		t.Error("another result has the same digest")
	}
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "staging", "production")
	s.repo.commit("env/preview", firstContent().files())
	s.restart()
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Admitted != nil }) {
		t.Fatal("nothing came to production")
	}
	st := s.watch.environment("production")
	moved := st.Promotions[len(st.Promotions)-1]
	spec, _ := s.d.world.Load().pipeline.Environment("production")
	p := &pass{e: s.d.environment("production"), spec: spec}
	message := p.promotionMessage(promote.Move{From: moved.From, To: moved.To, Commit: moved.Source, Key: moved.Key},
		policy.Decision{ID: moved.Decision})
	got := sources.ParseTrailers(message)
	if got["Mooring-Content"] != moved.Key.Content || got["Mooring-Decision"] != moved.Decision || !strings.HasPrefix(got["Mooring-Evidence"], "staging/smoke sha256:") {
		t.Errorf("trailers %v of %q", got, message)
	}
}

// dazed is an environment that cannot be listed for a while.
type dazed struct {
	*tapped
	still *bool
}

func (d dazed) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	if *d.still {
		return providers.Inventory{}, errors.New("no answer")
	}
	return d.tapped.Survey(ctx, want)
}

// TestPolicySeesWhatAPromotionCreates: before anything was ever released, and
// while the branch is not there, policy is told all that would be made; while
// that cannot be told nothing moves.
func TestPolicySeesWhatAPromotionCreates(t *testing.T) {
	blind := true
	s := newSimulation(1, memory.Options{}, mutant{provider: func(p *tapped) providers.Provider {
		if p.env != "production" {
			return p
		}
		return dazed{p, &blind}
	}}, "staging", "production")
	last := s.listen(t)
	s.repo.commit("env/staging", firstContent().files())
	s.run(time.Hour)
	st := s.watch.environment("production")
	if len(st.Promotions) == 0 || st.Promotions[len(st.Promotions)-1].Outcome != "held" || s.repo.branches["env/production"] != "" {
		t.Errorf("moved blindly: %+v", st.Promotions)
	}
	if n := len(st.Promotions); n > 1 {
		t.Errorf("remembered %d times", n)
	}
	blind = false
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Admitted != nil }) {
		t.Fatal("nothing came to production")
	}
	asked := last.about("production", policy.Promotion)
	if asked.Summary.Created == 0 || !slices.ContainsFunc(asked.Changes, func(c policy.Change) bool { return c.Resource == "Function/checkout" && c.Operation == "create" }) {
		t.Errorf("policy was told of %+v", asked.Summary)
	}
	sound(t, s)
}
