package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
)

// A suspended environment is looked at and not touched until the time that was
// said, by the daemon's clock: a restart, and a clock that goes back, end
// nothing early. Then everything that waited is done.
func TestSuspendEndsWhenItWasSaid(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	must(s.ask("production", func(ctx context.Context, d *Daemon) error {
		_, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "audit", For: time.Hour, Suspend: true, By: access.Stated("bob")})
		return err
	}))
	calls := s.mutations()
	k := firstContent()
	k.checkout = code(9)
	commit := s.repo.commit("env/production", k.files())
	must(s.platform.Manual("alice").Set(memory.Name{Kind: "Function", Physical: "production-mailer"}, "environment.LOG_LEVEL", `"trace"`))
	untouched := func(when string, after time.Duration) {
		t.Helper()
		s.run(after)
		if n := s.mutations() - calls; n != 0 || len(s.watch.environment("production").Holds) != 1 {
			t.Fatalf("%s: %d writes, holds %+v", when, n, s.watch.environment("production").Holds)
		}
	}
	untouched("in the beginning", 30*time.Minute)
	s.restart()
	untouched("after a restart", 20*time.Minute)
	s.skew -= 30 * time.Minute
	untouched("with a clock that went back", 35*time.Minute)
	s.skew = 0
	if !s.until(time.Hour, func() bool {
		return s.watch.environment("production").Rollout.Release.Commit == commit && s.converged()
	}) {
		t.Fatalf("it does not go on: %v, now %v, %+v", s.open(), s.now(), s.watch.environment("production").Holds)
	}
	over := false
	for _, ev := range s.watch.environment("production").History {
		over = over || ev.Kind == "hold" && strings.Contains(ev.Text, "lifted")
	}
	if !over {
		t.Error("nobody is told that it is over")
	}
	sound(t, s)
}
