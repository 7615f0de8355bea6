package reconciler

import (
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// flapping makes staging's platform fail and come back, over and over.
func (s *simulation) flapping(rounds int, fail, well time.Duration) {
	for range rounds {
		s.inject = func(op string, ref manifest.Ref) error {
			if op == "survey" || op == "observe" {
				return providers.Errorf(providers.Throttled, "%s: too many requests", op)
			}
			return nil
		}
		s.until(fail, func() bool { return false })
		s.inject = func(string, manifest.Ref) error { return nil }
		s.until(well, func() bool { return false })
	}
}

// However often a fault of the platform hides why content waits, the wait is one
// alert, which ends once.
func TestAWaitIsOneAlertWhateverThePlatformDoes(t *testing.T) {
	s := guarded(t, promotionFolder)
	s.flapping(8, 3*time.Minute, 4*time.Minute)
	if fired, over := s.alerts("promotion", "firing"), s.alerts("promotion", "resolved"); fired != 1 || over != 0 {
		t.Errorf("told %d times that content waits, and %d times that it does not", fired, over)
	}
	seen := map[string]bool{}
	for _, r := range s.watch.state.Environments["production"].Promotions {
		seen[r.Findings[0].Code] = true
	}
	if len(seen) < 2 {
		t.Fatalf("it waited for one reason alone: %v", seen)
	}
	s.approves(t, person("ann"))
	s.approves(t, person("bob"))
	settled(t, s)
	s.flapping(2, 3*time.Minute, 4*time.Minute)
	if fired, over := s.alerts("promotion", "firing"), s.alerts("promotion", "resolved"); fired != 1 || over != 1 {
		t.Errorf("told %d times that content waits, and %d times that it does not", fired, over)
	}
	sound(t, s)
}
