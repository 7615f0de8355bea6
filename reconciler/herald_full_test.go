package reconciler

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"mooring.dev/sources"
)

// A host that takes no more statuses of a commit is well: nobody is alerted, it
// is not left alone for it, and whatever else there is to say is said.
func TestACommitThatHasAllItsStatusesIsNoFault(t *testing.T) {
	onHost(t, hostedFiles(onGitHub, "preview", "production"), func(t *testing.T, s *stand) {
		s.crowd.breaks(func(_ context.Context, op string) error {
			if op == "status" {
				return fmt.Errorf("status: %w", sources.ErrFull)
			}
			return nil
		})
		s.push("env/preview", firstContent().files())
		s.wait(10 * time.Minute)
		c := firstContent()
		c.memory = 512
		s.push("feature", c.files())
		number := s.crowd.pull("feature", "env/preview")
		s.wait(2 * time.Minute)
		if _, written := s.crowd.comment(number, "preview"); written != 1 {
			t.Errorf("the plan was written %d times", written)
		}
		s.wait(20 * time.Minute)
		if n := s.events.count(hostFault, "firing"); n != 0 || len(s.d.Status().Faults) > 0 {
			t.Errorf("%d alerts about the host, faults %q", n, s.d.Status().Faults)
		}
	})
}

// It is told once of each commit and context, and not remembered without end.
func TestAFullCommitIsToldOfOnce(t *testing.T) {
	core, logged := observer.New(zap.DebugLevel)
	h := newHerald(&Daemon{opts: Options{Log: zap.New(core)}})
	full := fmt.Errorf("status: %w", sources.ErrFull)
	for range 3 {
		for _, c := range []string{"mooring/preview", "mooring/production"} {
			if err := h.saidAll(sources.CommitStatus{Commit: "a", Context: c}, full); err != nil {
				t.Error(err)
			}
		}
	}
	if n := logged.Len(); n != 2 {
		t.Errorf("two contexts are told of %d times", n)
	}
	for i := range 2 * maxFull {
		_ = h.saidAll(sources.CommitStatus{Commit: fmt.Sprint(i)}, full)
	}
	if len(h.full) > maxFull {
		t.Errorf("%d are remembered", len(h.full))
	}
	if h.saidAll(sources.CommitStatus{}, sources.ErrUnreachable) == nil {
		t.Error("another fault is none")
	}
}
