package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

// TestAnExpectedPermissionThatGoesBreaksTheContract: a statement the code
// relies on is taken away by hand: a difference of the highest severity, and
// the contract is told as broken until the statement is back.
func TestAnExpectedPermissionThatGoesBreaksTheContract(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	files := controlFiles("allow", "preview")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "response: revert", "response: alert", 1)
	s.repo.commit("main", files)
	declared := firstContent().files()
	for name, text := range declared {
		declared[name] = strings.Replace(text, "expects: {environment: [STRIPE_KEY],", "expects: {environment: [STRIPE_KEY], permissions: [partner],", 1)
	}
	s.repo.commit("env/preview", declared)
	s.restart()
	settled(t, s)
	if n := s.alerts("contract", "firing"); n != 0 {
		t.Fatalf("broken from the start: %+v", s.received["default"])
	}
	statement := memory.Name{Kind: manifest.KindPermission, Physical: "preview-checkout", Key: "partner"}
	must(s.platform.Manual("alice").Remove(statement))
	s.run(2 * time.Minute)
	if n := s.alerts("contract", "firing"); n != 1 {
		t.Errorf("told %d times that the contract is broken", n)
	}
	for _, item := range s.watch.environment("preview").Drift {
		if item.Ref.Kind == manifest.KindPermission && item.Severity != "critical" {
			t.Errorf("severity %s", item.Severity)
		}
	}
	sound(t, s)
}
