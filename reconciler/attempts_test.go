package reconciler

import (
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// Policy is told how often a content began to move here: one that is tried again
// because a person said so is not tried for the first time.
func TestPolicyIsToldOfAttempts(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	files := s.controlFiles()
	delete(files, "policies/mode")
	files["policies/admission/all.rego"] = letIn
	files["policies/rollout/first.rego"] = "package policy.rollout.first\nabort contains \"the first try\" if {\n input.rollout.attempt == 1\n input.rollout.functions[_].from != \"\"\n}\n"
	s.repo.commit("main", files)
	k := firstContent()
	s.repo.commit("env/production", k.files())
	s.restartRego(t)
	settled(t, s)
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	if !s.until(10*time.Minute, func() bool { return len(s.watch.environment("production").Quarantine) > 0 }) {
		t.Fatalf("the first try is not aborted: %v", s.open())
	}
	must(s.word(web.RolloutRetry, ""))
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Errorf("the second try is: traffic at %+v", s.live())
	}
	sound(t, s)
}

func TestAttempts(t *testing.T) {
	key := func(content string) record.Key { return record.Key{Content: content} }
	of := func(content, cause string) journal.Rollout {
		return journal.Rollout{Release: record.Release{Content: content}, Cause: cause}
	}
	all := []journal.Rollout{of("a", "commit"), of("b", "commit"), of("a", "rollback"), of("b", "commit")}
	for content, want := range map[string]int{"a": 1, "b": 2, "c": 1} {
		if got := attempts(all, key(content)); got != want {
			t.Errorf("%s: %d attempts, want %d", content, got, want)
		}
	}
}
