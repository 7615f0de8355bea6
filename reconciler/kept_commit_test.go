package reconciler

import (
	"errors"
	"testing"
	"time"

	"mooring.dev/providers/memory"
)

// What cannot be pinned is not let in: were its branch rewritten, nobody could
// open it any more. It is let in once pinning works again.
func TestNothingIsLetInThatIsNotPinned(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	s.repo.fault = func(op string) error {
		if op == "keep:before" {
			return errors.New("no space left on device")
		}
		return nil
	}
	next := firstContent()
	next.checkout = code(9)
	sha := s.repo.commit("env/production", next.files())
	s.d.nudgeFetch()
	s.run(time.Minute)
	if got := s.watch.environment("production").Admitted.Release.Commit; got == sha {
		t.Error("it was let in, and nothing keeps it")
	}
	s.repo.fault = func(string) error { return nil }
	if !s.until(10*time.Minute, func() bool { return s.watch.environment("production").Admitted.Release.Commit == sha }) {
		t.Error("it is never let in")
	}
	sound(t, s)
}
