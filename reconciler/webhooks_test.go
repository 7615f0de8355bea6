package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// hostedFiles is a control branch whose repository stands on a host.
func hostedFiles(host string, environments ...string) map[string]string {
	files := controlFiles("allow", environments...)
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "spec:\n", "spec:\n  host: "+host+"\n", 1)
	return files
}

// slow is a repository that is asked each hour, and shows a push only some
// time after it was made.
type slow struct {
	*shared
	fetches int
	late    time.Duration
	seen    map[string]sources.Snapshot
	at      map[string]time.Time // since when a branch is where it is
}

func (s *slow) Watch(ctx context.Context, wake func()) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Hour):
			wake()
		}
	}
}

func (s *slow) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	all, err := s.shared.Fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetches++
	for branch, snap := range all {
		if s.seen[branch].Commit.SHA == "" || time.Since(s.at[branch]) >= s.late {
			s.seen[branch] = snap
		}
	}
	return maps.Clone(s.seen), err
}

// push commits upstream.
func (s *slow) push(branch string, files map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[branch] = time.Now()
	return s.r.commit(branch, files)
}

func (s *slow) reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// hooked runs a daemon over a slow repository of one environment, and ends it.
func hooked(t *testing.T, try func(t *testing.T, d *Daemon, s *slow)) {
	hookedWith(t, func(*Options) {}, try)
}

// hookedWith runs it with other options.
func hookedWith(t *testing.T, change func(o *Options), try func(t *testing.T, d *Daemon, s *slow)) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(1, memory.Options{}, mutant{}, "preview") // for its repository only
		source := &slow{shared: &shared{r: sim.repo}, seen: map[string]sources.Snapshot{}, at: map[string]time.Time{}}
		source.push("main", hostedFiles("{github: {repository: acme/shop, token: {fromEnv: HOST_TOKEN}, webhookSecret: {fromEnv: HOOK}}}", "preview"))
		source.push("env/preview", firstContent().files())
		o := sim.options()
		o.Source, o.Proposer, o.Now, o.NewID = source, nil, time.Now, nil
		o.Notifier = func(string, manifest.Receiver) (notify.Notifier, error) { return &box{}, nil }
		o.Secret = func(s manifest.Secret) (string, error) {
			if s.FromEnv == "HOOK" {
				return "correct horse", nil
			}
			return "", errors.New("not set")
		}
		platform := memory.New(memory.Options{Now: time.Now})
		must(platform.Manual("admin").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil))
		o.Store, o.Policies = journal.NewMemory(), loadRules(func(policy.Point, string, policy.Input, policy.Decision) {})
		o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
			return platform.Environment("shop", e.Name), nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		change(&o)
		d, err := New(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Webhook("github"); err == nil {
			t.Error("nothing was read, and a webhook is taken")
		}
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		time.Sleep(time.Minute)
		try(t, d, source)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func pushed1(branch, commit string) web.Hint {
	return web.Hint{Host: "github", Pushed: map[string]string{branch: commit}}
}

func TestWebhooksAreProvedAsThePipelineSays(t *testing.T) {
	hooked(t, func(t *testing.T, d *Daemon, _ *slow) {
		if w, ok, err := d.Webhook("github"); !ok || err != nil || w.Secret != "correct horse" || w.Repository != "acme/shop" {
			t.Errorf("got %+v, %v, %v", w, ok, err)
		}
		for _, other := range []string{"gitlab", "gitea", "bitbucket", "generic"} {
			if _, ok, _ := d.Webhook(other); ok {
				t.Errorf("%s is taken", other)
			}
		}
	})
}

// A push that a webhook tells of is seen at once, though the poll is an hour,
// and what matters to nobody reads nothing (lesson 22).
func TestLesson22AWebhookIsReadForAtOnce(t *testing.T) {
	hooked(t, func(t *testing.T, d *Daemon, s *slow) {
		before := s.reads()
		if d.Hint(pushed1("feature/x", "")) {
			t.Error("a branch of nobody matters")
		}
		time.Sleep(time.Minute)
		if n := s.reads() - before; n != 0 {
			t.Errorf("%d reads for nothing", n)
		}
		c := firstContent()
		c.memory = 512
		sha := s.push("env/preview", c.files())
		if !d.Hint(pushed1("env/preview", sha)) {
			t.Error("an environment's branch does not matter")
		}
		synctest.Wait()
		w := d.world.Load()
		if w.snapshots["env/preview"].Commit.SHA != sha || w.trigger != "webhook" {
			t.Errorf("read %s by %s", short(w.snapshots["env/preview"].Commit.SHA), w.trigger)
		}
		if !d.Hint(pushed1("env/preview", sha)) { // again, of what was seen
			t.Error("an environment's branch does not matter")
		}
		time.Sleep(time.Minute)
		if n := s.reads() - before; n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
	})
}

// A host tells of a push before it shows it: looked for again after 1, 2, 4
// and 8 seconds, and then no more.
func TestAWebhookIsEarlierThanThePush(t *testing.T) {
	hooked(t, func(t *testing.T, d *Daemon, s *slow) {
		s.late = 5 * time.Second
		before := s.reads()
		c := firstContent()
		c.memory = 512
		sha := s.push("env/preview", c.files())
		d.Hint(pushed1("env/preview", sha))
		time.Sleep(8 * time.Second) // looked at 0, 1, 3 and 7
		if d.world.Load().snapshots["env/preview"].Commit.SHA != sha {
			t.Fatal("it was not looked for again")
		}
		time.Sleep(time.Minute)
		if n := s.reads() - before; n != 4 {
			t.Errorf("%d reads, want 4", n)
		}
		before = s.reads()
		d.Hint(pushed1("env/preview", strings.Repeat("a", 40))) // which never comes
		time.Sleep(10 * time.Minute)
		if n := s.reads() - before; n != 1+len(rechecks) {
			t.Errorf("%d reads, want one and %d more", n, len(rechecks))
		}
	})
}

// Lesson 21: 500 pushes in ten seconds are at most three reads, and the last of
// them is seen within five seconds.
func TestLesson21ABurstOfPushes(t *testing.T) {
	hooked(t, func(t *testing.T, d *Daemon, s *slow) {
		before, last := s.reads(), ""
		for i := range 500 {
			c := firstContent()
			c.level = fmt.Sprintf("l%d", i)
			last = s.push("env/preview", c.files())
			d.Hint(pushed1("env/preview", last))
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if at := d.world.Load().snapshots["env/preview"].Commit.SHA; at != last {
			t.Errorf("at %s, want %s", short(at), short(last))
		}
		if n := s.reads() - before; n > 3 {
			t.Errorf("%d reads, want at most 3", n)
		}
	})
}
