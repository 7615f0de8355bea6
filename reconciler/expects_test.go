package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/rollout"
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

// stripe is the secret that the checkout's code expects.
var stripe = memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}

// without merges a commit into production, whose last look is from before the
// secret that the code expects was scheduled for deletion by hand.
func without(t *testing.T, rollouts string) (*simulation, map[string]string) {
	t.Helper()
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	files := k.files()
	files["checkout.yaml"] += rollouts
	s.repo.commit("env/production", files)
	if !s.until(time.Minute, func() bool { return s.watch.environment("production").Rollout.Phase == rollout.Expand }) {
		t.Fatal("no release moves")
	}
	must(s.platform.Manual("alice").Set(stripe, "scheduledForDeletion", "true"))
	s.run(5 * time.Minute)
	st := s.watch.environment("production")
	if s.live() != (providers.Routing{Version: "1"}) || !strings.Contains(st.Rollout.Paused, "contract: Function/checkout expects secret shop/stripe") {
		t.Fatalf("traffic is at %+v, in phase %q, paused: %q", s.live(), st.Rollout.Phase, st.Rollout.Paused)
	}
	return s, files
}

// TestNoTrafficMovesWhileTheContractIsBroken: a commit made by hand is not
// promoted by anybody, so what its code expects is asked before its first
// call; once it is there again, the release goes on by itself.
func TestNoTrafficMovesWhileTheContractIsBroken(t *testing.T) {
	s, _ := without(t, "")
	must(s.platform.Manual("admin").Unset(stripe, "scheduledForDeletion"))
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Errorf("traffic is at %+v: %s", s.live(), s.watch.environment("production").Rollout.Paused)
	}
	sound(t, s)
}

// TestANewerReleaseMendsTheContract: what waits for its contract does not keep
// the commit away that no longer expects what is gone.
func TestANewerReleaseMendsTheContract(t *testing.T) {
	for _, rollouts := range []string{"", "  rollout: {strategy: canary, analysis: {preTraffic: {name: basket, invoke: {function: checkout, payload: {}, expect: {}}}}}\n"} {
		s, files := without(t, rollouts)
		files["checkout.yaml"] = strings.Replace(files["checkout.yaml"], "secrets: [shop/stripe]", "secrets: []", 1)
		s.repo.commit("env/production", files)
		if !s.until(time.Hour, func() bool { return s.live().Version != "1" && s.live().Canary == "" }) {
			t.Errorf("%q: traffic is at %+v: %s", rollouts, s.live(), s.watch.environment("production").Rollout.Paused)
		}
		sound(t, s)
	}
}

// TestAReleaseMayEnableTheMappingItExpects: a mapping declared disabled until
// now is not broken for the release that enables it.
func TestAReleaseMayEnableTheMappingItExpects(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	k := firstContent()
	files := k.files()
	files["checkout.yaml"] = strings.Replace(files["checkout.yaml"], "batchSize: 10}", "batchSize: 10, enabled: false}", 1)
	s.repo.commit("env/production", files)
	settled(t, s)
	k.checkout = code(9)
	files = k.files()
	files["checkout.yaml"] = strings.Replace(files["checkout.yaml"], "secrets: [shop/stripe]}", "secrets: [shop/stripe], queues: [orders]}", 1)
	s.repo.commit("env/production", files)
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Errorf("traffic is at %+v: %s", s.live(), s.watch.environment("production").Rollout.Paused)
	}
	sound(t, s)
}
