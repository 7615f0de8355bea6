package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
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

// counting counts how often metrics are read.
type counting struct {
	*tapped
	reads *int
}

// Measure implements providers.Meter.
func (c counting) Measure(ctx context.Context, alias manifest.Resource, version string, q providers.Asked) (providers.Sample, error) {
	*c.reads++
	return c.tapped.Measure(ctx, alias, version, q)
}

// asked is how often policy was asked about a rollout.
func (s *simulation) asked() (n int) {
	for _, a := range s.watch.answers {
		if a.point == policy.Rollout {
			n++
		}
	}
	return n
}

// Traffic first: once a person says abort or rollback, neither metrics nor
// policy is asked before traffic is back, so none of them can hold it up.
func TestGoingBackAsksNothingFirst(t *testing.T) {
	for _, word := range []string{web.RolloutAbort, "rollback"} {
		reads := 0
		s := canaryOn(t, mutant{provider: func(t *tapped) providers.Provider { return counting{t, &reads} }})
		s.run(time.Second) // past the look of this moment
		if word == "rollback" {
			must(s.back(""))
		} else {
			must(s.word(word, "orders fail"))
		}
		before, asked, calls := reads, s.asked(), s.mutations()
		s.real = s.real.Add(5 * time.Second) // there would be something to measure
		if s.pass("production"); s.live() != (providers.Routing{Version: "1"}) || s.mutations() != calls+1 {
			t.Errorf("%s: traffic is at %+v after %d calls", word, s.live(), s.mutations()-calls)
		}
		if reads != before || s.asked() != asked {
			t.Errorf("%s: %d reads of metrics and %d questions to policy came first", word, reads-before, s.asked()-asked)
		}
		sound(t, s)
	}
}

// back rolls production back, as bob says.
func (s *simulation) back(to string) error {
	return s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Rollback(ctx, web.RollbackRequest{Environment: "production", By: access.Stated("bob"), Reason: "errors", To: to})
	})
}

// Whoever does not hear the answer to a rollback asks again: before its pass,
// on the way back and after it, it is one rollback with one hold. What is in
// force and was not returned to is no place to go back to.
func TestARollbackIsAskedForAgain(t *testing.T) {
	s := begin(t, memory.Options{Settle: 3 * time.Second, Activate: 3 * time.Second}, mutant{}, "production")
	settled(t, s)
	first := s.watch.environment("production").Rollout.Release
	k := firstContent()
	k.checkout, k.memory = code(9), 512
	second := s.repo.commit("env/production", k.files())
	if !s.until(time.Hour, s.ended("2")) {
		t.Fatal("the second release does not end")
	}
	if err := s.back(second); err == nil || strings.Contains(err.Error(), "never") {
		t.Errorf("back to what is in force: %v", err)
	}
	if err := s.back("0123"); err == nil || !strings.Contains(err.Error(), "never") {
		t.Errorf("back to what never was: %v", err)
	}
	must(s.back(first.Commit))
	must(s.back(first.Commit))
	under := func() bool { return s.watch.environment("production").Rollout.Phase == rollout.Back }
	if !s.until(time.Minute, under) {
		t.Fatal("nothing goes back")
	}
	must(s.back(first.Commit))
	if !s.until(time.Hour, s.ended("1")) {
		t.Fatal("it does not go back")
	}
	s.restart()
	s.run(time.Minute)
	must(s.back(first.Digest))
	s.run(time.Minute)
	st, holds := s.watch.environment("production"), 0
	for _, h := range st.Holds {
		if h.Kind == "rollback" {
			holds++
		}
	}
	if holds != 1 || st.Rollout.Release != first || s.live() != (providers.Routing{Version: "1"}) {
		t.Errorf("%d holds, in force %+v at %+v", holds, st.Rollout.Release, s.live())
	}
	sound(t, s)
}

// A pause stops traffic from moving on, and no write: what the release still
// has to put in place is put in place.
func TestAPauseStopsNoWrite(t *testing.T) {
	s := begin(t, memory.Options{Settle: 3 * time.Second, Activate: 3 * time.Second}, mutant{}, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	if !s.until(time.Minute, func() bool { return s.watch.environment("production").Rollout.Phase == rollout.Expand }) {
		t.Fatal("no release begins")
	}
	must(s.word(web.RolloutPause, "lunch"))
	s.run(10 * time.Minute)
	ro := s.watch.environment("production").Rollout
	if ro.Phase != rollout.Expand || !strings.Contains(ro.Paused, "lunch") || s.live() != (providers.Routing{Version: "1"}) {
		t.Errorf("paused it is in %s, %q, at %+v", ro.Phase, ro.Paused, s.live())
	}
	if n := len(s.platform.Versions("production-checkout")); n != 2 {
		t.Errorf("in the pause there are %d versions; the new one is not published", n)
	}
	must(s.word(web.RolloutResume, ""))
	if !s.until(time.Hour, s.ended("2")) {
		t.Errorf("after the resume: %v", s.open())
	}
	sound(t, s)
}

// A pause is of one release: what another moves is not paused by it, also
// while nobody has lifted it yet.
func TestAPauseIsOfOneRelease(t *testing.T) {
	h := record.Hold{ID: "pause-1", Kind: record.PauseHold, Owner: "ann", Reason: "lunch", About: "sha256:old"}
	p := &pass{now: birth, st: &journal.Environment{Holds: map[string]record.Hold{h.ID: h}}}
	for digest, paused := range map[string]bool{"sha256:old": true, "sha256:new": false} {
		p.st.Rollout.Release.Digest = digest
		if got := p.paused(); (got != "") != paused {
			t.Errorf("%s is paused as %q", digest, got)
		}
	}
	if h.Covers(checkout) {
		t.Error("a pause stops writes")
	}
}
