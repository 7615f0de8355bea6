package reconciler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources"
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

// That the repository takes no push is one alert, whichever contents are tried
// and however long the next is on its way; it speaks of the newest, and ends when
// one is taken, whoever brings it.
func TestARefusedPushIsOneAlert(t *testing.T) {
	t.Parallel()
	for name, taken := range map[string]func(s *simulation, c content){
		"by Mooring": func(s *simulation, _ content) { s.repo.fault = func(string) error { return nil } },
		"by hand":    func(s *simulation, c content) { s.repo.commit("env/staging", c.files()) },
	} {
		s, first, c := byHand(t)
		s.repo.fault = func(op string) error {
			if op == "propose:before" {
				return fmt.Errorf("%w: protected", sources.ErrRefused)
			}
			return nil
		}
		title := func() string {
			a, _ := s.d.ledger.alert(s.d.environment("staging").fingerprint("promotion", pushRefused))
			return a.Alert.Title
		}
		for n := range 3 {
			c.memory = 512 + n
			sha := s.repo.commit("env/preview", c.files())
			tried := func() bool {
				ps := s.watch.environment("staging").Promotions
				return len(ps) > 0 && ps[len(ps)-1].Outcome == "failed" && ps[len(ps)-1].Source == sha
			}
			if !s.until(time.Hour, tried) {
				t.Fatalf("%s: content %d was not tried: %v", name, n, s.open())
			}
			s.run(10 * time.Minute)
			if of := short(s.watch.environment("preview").Rollout.Release.Content); !strings.Contains(title(), of) {
				t.Errorf("%s: of content %s it is told that %q", name, of, title())
			}
			s.restart()
		}
		if fired, over := s.alerts("promotion", "firing"), s.alerts("promotion", "resolved"); fired != 1 || over != 0 || s.carries("staging", c) {
			t.Errorf("%s: told %d times that it is refused, and %d times that it is not", name, fired, over)
		}
		taken(s, c)
		if !s.until(time.Hour, func() bool { return s.carries("staging", c) && s.alerts("promotion", "resolved") > 0 }) {
			t.Errorf("%s: it is told on and on: %v", name, s.open())
		}
		// The next is refused anew.
		s.repo.fault = func(op string) error {
			if op == "propose:before" {
				return sources.ErrRefused
			}
			return nil
		}
		s.repo.commit("env/preview", first.files())
		s.run(time.Hour)
		if fired, over := s.alerts("promotion", "firing"), s.alerts("promotion", "resolved"); fired != 2 || over != 1 {
			t.Errorf("%s: of the next, told %d times that it is refused, and %d times that it is not", name, fired, over)
		}
	}
}
