package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
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
	want(t, "its end, at once", s.toldOf("default", expiredHold), "firing/medium")
	for _, e := range s.received["default"] {
		if e.Kind == expiredHold && (!strings.Contains(e.Title, "suspension of bob has ended") || !strings.Contains(e.Text, "audit")) {
			t.Errorf("it says %q: %q", e.Title, e.Text)
		}
	}
	s.run(40 * time.Minute)
	s.restart()
	s.run(10 * time.Minute)
	want(t, "its end, once", s.toldOf("default", expiredHold), "firing/medium")
	s.run(30 * time.Minute)
	want(t, "an hour after its end", s.toldOf("default", expiredHold), "firing/medium", "resolved/medium")
	sound(t, s)
}

// What Mooring holds itself, and what somebody lifts, ends without being told as
// run out.
func TestOnlyWhatRunsOutIsToldAsRunOut(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	var held string
	must(s.ask("production", func(ctx context.Context, d *Daemon) error {
		h, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "audit", For: time.Hour, By: access.Stated("bob")})
		held = h.ID
		return err
	}))
	must(s.d.ledger.append(t.Context(), "production", journal.Record{Hold: &record.Hold{ID: "own", Owner: ownerMooring, Kind: "fight", Reason: "own", Since: s.now(), Until: s.now().Add(time.Hour)}}))
	s.run(10 * time.Minute)
	must(s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: held, By: access.Stated("bob")})
	}))
	s.run(2 * time.Hour)
	want(t, "nothing ran out", s.toldOf("default", expiredHold))
	want(t, "Mooring's own", s.toldOf("default", "hold"), "firing/medium", "resolved/medium")
	sound(t, s)
}
