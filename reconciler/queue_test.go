package reconciler

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
)

// inLine has an environment that takes every content in turn, and the same
// promises kept as anywhere.
func inLine(t *testing.T) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")
	files := s.controlFiles()
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "promotion: auto", "promotion: auto\n      take: queue", 1)
	s.repo.commit("main", files)
	s.restart()
	return s
}

// bringsAll releases contents in preview one after another, each ready to go on.
func (s *simulation) bringsAll(t *testing.T, versions ...int) (digests []string) {
	t.Helper()
	for _, v := range versions {
		k := firstContent()
		k.memory = 256 + v
		sha := s.repo.commit("env/preview", k.files())
		joined := func() bool {
			return s.watch.environment("production").LastQueued.Release.Commit == sha
		}
		if !s.until(time.Hour, joined) {
			t.Fatalf("content %d does not join: %v, %+v", v, s.watch.broken, s.d.environment("production").published.Load().status)
		}
		digests = append(digests, s.watch.environment("production").LastQueued.Key.Content)
	}
	return digests
}

// cameTo are the contents let into an environment, in order.
func (s *simulation) cameTo(env string) (out []string) {
	for _, a := range s.watch.environment(env).Known {
		if n := len(out); n == 0 || out[n-1] != a.Release.Content {
			out = append(out, a.Release.Content)
		}
	}
	return out
}

// Every content comes in, in the order it became ready, though preview has gone
// on since; each has its rollout and its check before the next. A restart
// loses none.
func TestAQueueTakesEveryContentInTurn(t *testing.T) {
	s := inLine(t)
	want := s.bringsAll(t, 1, 2, 3)
	s.restart()
	st := s.watch.environment("production")
	if len(st.Queue) == 0 {
		t.Fatalf("%d wait", len(st.Queue))
	}
	s.run(time.Second)
	status := s.d.environment("production").published.Load().status
	if len(status.Queue) != len(s.watch.environment("production").Queue) || status.Queue[0].From != "preview" {
		t.Errorf("status tells %+v", status.Queue)
	}
	want = append(want, s.bringsAll(t, 4)...)
	done := func() bool {
		st := s.watch.environment("production")
		return len(st.Queue) == 0 && st.Rollout.Release.Content == want[3]
	}
	if !s.until(3*time.Hour, done) {
		t.Fatalf("they do not come: %v, queue %+v", s.watch.broken, s.watch.environment("production").Queue)
	}
	if got := s.cameTo("production"); !slices.Equal(got, want) {
		t.Errorf("came in %v, want %v", got, want)
	}
	for _, content := range want {
		passed := false
		for key, checks := range s.watch.environment("production").Checks {
			passed = passed || key.Content == content && checks["smoke"].Passed
		}
		if !passed && content != want[3] {
			t.Errorf("%s was not checked before the next", short(content))
		}
	}
	for name, sha := range s.repo.kept {
		if strings.HasPrefix(name, "production.queue-") && sha != "" {
			t.Errorf("%s still pins %s", name, sha)
		}
	}
	sound(t, s)
}

// A hold stops the queue and loses nothing; what people reject leaves it, and
// those behind go on.
func TestHoldAndRejectLoseNothingBehind(t *testing.T) {
	s := inLine(t)
	want := s.bringsAll(t, 1)
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Admitted != nil }) {
		t.Fatal("the first does not come in")
	}
	boss := person("boss", access.Grant{Role: access.Admin})
	var hold record.Hold
	if err := s.ask("production", func(ctx context.Context, d *Daemon) (err error) {
		hold, err = d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "sales", For: 100 * time.Hour, By: boss})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want = append(want, s.bringsAll(t, 2, 3, 4)...)
	s.run(time.Hour)
	if n := len(s.watch.environment("production").Queue); n != 3 {
		t.Fatalf("%d wait", n)
	}
	if _, err := s.say(web.ApprovalRequest{Answer: record.Rejected, Content: want[2], Reason: "not this one", By: boss}); err != nil {
		t.Fatal(err)
	}
	if err := s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: hold.ID, By: boss})
	}); err != nil {
		t.Fatal(err)
	}
	want = slices.Delete(want, 2, 3)
	if !s.until(3*time.Hour, func() bool {
		return slices.Equal(s.cameTo("production"), want) && len(s.watch.environment("production").Queue) == 0
	}) {
		t.Fatalf("came in %v, want %v; %v", s.cameTo("production"), want, s.watch.broken)
	}
	told := slices.ContainsFunc(s.watch.environment("production").History, func(e journal.Event) bool {
		return strings.Contains(e.Text, "is out of the queue, rejected: by boss: not this one")
	})
	if !told {
		t.Error("history does not tell")
	}
	sound(t, s)
}

// A push that was refused is over when that content is taken, although the next
// one waits in the queue already.
func TestARefusedPushOfAQueueIsOverWithIt(t *testing.T) {
	t.Parallel()
	s := inLine(t)
	refuses := func(op string) error {
		if op == "propose:before" {
			return sources.ErrRefused
		}
		return nil
	}
	s.bringsAll(t, 1)
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Rollout.Release.Digest != "" }) {
		t.Fatal("the first does not come")
	}
	settled(t, s)
	moves := s.moves("production")
	s.repo.fault = refuses
	s.bringsAll(t, 2, 3)
	if !s.until(time.Hour, func() bool { return s.alerts("promotion", "firing") == 1 }) {
		t.Fatal("nobody is told")
	}
	s.repo.fault = func(string) error { return nil }
	if !s.until(time.Hour, func() bool { return s.moves("production") > moves }) {
		t.Fatal("the second does not come")
	}
	s.repo.fault = refuses
	s.run(time.Minute)
	if over := s.alerts("promotion", "resolved"); over != 1 || s.moves("production") != moves+1 {
		t.Errorf("told %d times that it is over, after %d moves", over, s.moves("production")-moves)
	}
}
