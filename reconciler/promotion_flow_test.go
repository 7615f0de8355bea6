package reconciler

import (
	"testing"
	"time"

	"mooring.dev/providers/memory"
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
