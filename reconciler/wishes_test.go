package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
)

// word says a person's word on production's rollout.
func (s *simulation) word(act, reason string) error {
	return s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Rollout(ctx, web.RolloutRequest{Environment: "production", Act: act, Reason: reason, For: 6 * time.Hour, By: access.Stated("ann")})
	})
}

func (s *simulation) live() providers.Routing {
	return s.platform.Routing("production-checkout", "live")
}

// An abort sends traffic back in one call, quarantines the content, leaves no
// hold, and lasts until a person says retry.
func TestAbortLastsUntilRetry(t *testing.T) {
	s := canary(t)
	if err := s.word(web.RolloutAbort, ""); err == nil {
		t.Error("aborted without a reason")
	}
	if err := s.word(web.RolloutAbort, "orders fail"); err != nil {
		t.Fatal(err)
	}
	calls := s.mutations()
	if !s.until(10*time.Second, func() bool { return s.live() == providers.Routing{Version: "1"} }) {
		t.Fatalf("traffic is at %+v", s.live())
	}
	if n := s.mutations() - calls; n != 1 {
		t.Errorf("traffic was back after %d calls", n)
	}
	s.run(time.Hour)
	st := s.watch.environment("production")
	if s.live() != (providers.Routing{Version: "1"}) || st.Rollout.Phase != rollout.Idle || len(st.Holds) != 0 {
		t.Errorf("an hour later: %+v, %s, holds %+v", s.live(), st.Rollout.Phase, st.Holds)
	}
	for _, q := range st.Quarantine {
		if !strings.Contains(q.Reason, "ann") || !strings.Contains(q.Reason, "orders fail") {
			t.Errorf("quarantined as %q", q.Reason)
		}
	}
	if len(st.Quarantine) != 1 || s.word(web.RolloutAbort, "again") == nil {
		t.Errorf("quarantine %+v; or aborted where nothing moves", st.Quarantine)
	}
	if err := s.word(web.RolloutRetry, "the database was down"); err != nil {
		t.Fatal(err)
	}
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Errorf("after the retry traffic is at %+v", s.live())
	}
	sound(t, s)
}

// A pause keeps the weight, whatever the evidence for going on; a bad release
// goes back all the same.
func TestPauseKeepsTheWeightAndNothingElse(t *testing.T) {
	s := canary(t)
	weight := s.live()
	if err := s.word(web.RolloutPause, "lunch"); err != nil {
		t.Fatal(err)
	}
	s.run(2 * time.Hour)
	ro := s.watch.environment("production").Rollout
	if s.live() != weight || !strings.Contains(ro.Paused, "ann: lunch") {
		t.Fatalf("after two hours of pause: %+v, paused %q", s.live(), ro.Paused)
	}
	if err := s.word(web.RolloutResume, ""); err != nil {
		t.Fatal(err)
	}
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Fatalf("after the resume traffic is at %+v", s.live())
	}
	settled(t, s)
	if err := s.word(web.RolloutResume, ""); err == nil {
		t.Error("resumed where nothing is paused")
	}
	bad := badCode(11)
	s.platform.SetErrors(bad, 0.5)
	k := firstContent()
	k.checkout = bad
	s.repo.commit("env/production", k.files())
	if !s.until(10*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached }) {
		t.Fatal("no second canary")
	}
	if err := s.word(web.RolloutPause, "watching"); err != nil {
		t.Fatal(err)
	}
	if !s.until(30*time.Minute, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Errorf("a bad release that is paused stays at %+v", s.live())
	}
	s.run(time.Minute)
	for _, h := range s.watch.environment("production").Holds {
		t.Errorf("hold %+v is left", h)
	}
	sound(t, s)
}

// A newer release does not wait for the pause of another.
func TestNewerReleaseOvertakesAPause(t *testing.T) {
	s := canary(t)
	if err := s.word(web.RolloutPause, "lunch"); err != nil {
		t.Fatal(err)
	}
	k := firstContent()
	k.checkout = code(10)
	sha := s.repo.commit("env/production", k.files())
	if !s.until(time.Hour, func() bool {
		ro := s.watch.environment("production").Rollout
		return ro.Release.Commit == sha && ro.Phase == rollout.Idle
	}) {
		t.Fatalf("it is at %+v", s.watch.environment("production").Rollout)
	}
	for _, h := range s.watch.environment("production").Holds {
		if h.Kind == record.PauseHold {
			t.Errorf("the pause is left: %+v", h)
		}
	}
	sound(t, s)
}
