package reconciler

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// shared is a repo for several goroutines.
type shared struct {
	mu sync.Mutex
	r  *repo
}

func (s *shared) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Fetch(ctx)
}

// Watch polls every five seconds.
func (s *shared) Watch(ctx context.Context, wake func()) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(5 * time.Second):
			wake()
		}
	}
}

func (s *shared) Classify(ctx context.Context, from, to string) (sources.Update, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Classify(ctx, from, to)
}

func (s *shared) Open(ctx context.Context, sha string) (sources.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Open(ctx, sha)
}

func (s *shared) Keep(ctx context.Context, name, sha string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Keep(ctx, name, sha)
}

func (s *shared) Visit(ctx context.Context, sha string) (sources.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Visit(ctx, sha)
}

func (s *shared) Propose(ctx context.Context, e sources.Edit) (sources.Proposal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Propose(ctx, e)
}

// box collects what a receiver is told.
type box struct {
	mu   sync.Mutex
	seen []notify.Event
}

func (b *box) Notify(_ context.Context, e notify.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, e)
	return nil
}

// count is how many events of a kind and a status were told.
func (b *box) count(kind, status string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, e := range b.seen {
		if e.Kind == kind && e.Status == status {
			n++
		}
	}
	return n
}

// TestRun lets the daemon run as it does in production: a goroutine for each
// environment, four steps at a time, its own timers; in a bubble of time.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"preview", "staging", "production"}
		s := newSimulation(1, memory.Options{}, mutant{}, names...) // for its contents only
		platform := memory.New(memory.Options{Now: time.Now, Settle: 2 * time.Second, Activate: time.Second})
		must(platform.Manual("admin").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil))
		for _, env := range names {
			platform.SetTraffic(env+"-checkout", memory.Traffic{PerSecond: 100})
			platform.SetTraffic(env+"-mailer", memory.Traffic{PerSecond: 100})
		}
		source, told := &shared{r: s.repo}, &box{}
		s.repo.commit("env/preview", firstContent().files())
		quiet := loadRules(func(policy.Point, string, policy.Input, policy.Decision) {})
		o := s.options()
		o.Source, o.Proposer, o.Store, o.Now, o.Pace, o.NewID, o.Policies = source, source, journal.NewMemory(), time.Now, Pace{}, nil, quiet
		o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
			return platform.Environment("shop", e.Name), nil
		}
		o.Notifier = func(string, manifest.Receiver) (notify.Notifier, error) { return told, nil }
		ctx, cancel := context.WithCancel(t.Context())
		d, err := New(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for _, env := range names {
			if r := platform.Routing(env+"-checkout", "live"); r.Version == "" || r.Canary != "" {
				t.Errorf("%s: traffic is at %+v", env, r)
			}
		}
		if err := d.Ready(); err != nil {
			t.Error(err)
		}
		for _, e := range d.Status().Environments {
			if e.State != "in_sync" || e.Rollout.Phase != string(rollout.Idle) {
				t.Errorf("%s is %s: %s", e.Name, e.State, e.Reason)
			}
		}
		must(platform.Manual("alice").Set(memory.Name{Kind: manifest.KindFunction, Physical: "staging-checkout"}, "handler", `"other"`))
		h, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "incident", For: time.Hour, By: access.Stated("bob")})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if fields, _ := platform.Fields(memory.Name{Kind: manifest.KindFunction, Physical: "staging-checkout"}); fields["handler"] != `"bootstrap"` {
			t.Error("the drift is not put back")
		}
		if err := d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: h.ID, By: access.Stated("bob")}); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !slices.ContainsFunc(told.seen, func(e notify.Event) bool { return e.Kind == "drift" && e.Status == "resolved" }) {
			t.Errorf("told: %+v", told.seen)
		}
	})
}
