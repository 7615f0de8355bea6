package reconciler

import (
	"fmt"
	"testing"
	"time"

	"mooring.dev/providers/memory"
)

// until is a requirement that time alone meets, at an odd moment.
func until(point, code string, at time.Time) string {
	return fmt.Sprintf(`package policy.%s.window
allow if true
require contains {"kind": "window", "code": %q, "msg": "not yet", "until_ns": %d} if input.request.time_ns < %d
`, point, code, at.UnixNano(), at.UnixNano())
}

// TestTheTimePolicyNamesIsKept: a pass is made at the very moment policy said
// it would decide otherwise, not at the next look.
func TestTheTimePolicyNamesIsKept(t *testing.T) {
	opens, moves := birth.Add(7*time.Minute+3217*time.Millisecond), birth.Add(53*time.Minute+1713*time.Millisecond)
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")
	s.govern(map[string]string{
		"policies/admission/window.rego": until("admission", "opens", opens),
		"policies/promotion/window.rego": until("promotion", "moves", moves),
	})
	s.repo.commit("env/preview", firstContent().files())
	s.restartRego(t)
	if !s.until(time.Hour, func() bool { return s.watch.environment("preview").Admitted != nil }) {
		t.Fatal("it is never admitted")
	}
	if at := s.watch.environment("preview").Admitted.At; !at.Equal(opens) {
		t.Errorf("admitted %v after the window opened", at.Sub(opens))
	}
	if !s.until(2*time.Hour, s.moved) {
		t.Fatal("it never moves")
	}
	ps := s.watch.environment("production").Promotions
	if at := ps[len(ps)-1].At; at.Sub(moves) < 0 || at.Sub(moves) > time.Second {
		t.Errorf("moved %v after it might", at.Sub(moves))
	}
	sound(t, s)
}
