package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// quick makes Once wait for next to nothing: its clock is the simulation's,
// and moves on by itself whenever somebody reads it.
func (s *simulation) quick(t *testing.T) *Daemon {
	t.Helper()
	s.startWith(t, s.quickOptions())
	return s.d
}

func (s *simulation) quickOptions() Options {
	o := s.options()
	o.Now = func() time.Time {
		s.real = s.real.Add(20 * time.Millisecond)
		return s.now()
	}
	// Once makes its passes by itself, where the watcher does not see them begin.
	o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
		return s.platform.Environment("shop", e.Name), nil
	}
	o.Pace = Pace{SecondLook: time.Millisecond, Settle: time.Millisecond, Retry: time.Millisecond, RetryMax: 2 * time.Millisecond, Look: time.Millisecond, Check: time.Millisecond, Parallel: 1}
	return o
}

// TestOnceOutcomes: what one run of passes comes to, for each way it can end.
func TestOnceOutcomes(t *testing.T) {
	bad := badCode(3)
	for _, c := range []struct {
		name    string
		prepare func(*simulation)
		content func(*content)
		want    string
	}{
		{name: "everything is put in place", want: "in_sync"},
		{name: "policy says no", want: "denied", prepare: func(s *simulation) { s.repo.commit("main", controlFiles("deny", "preview")) }},
		{name: "policy is broken", want: "denied", prepare: func(s *simulation) { s.repo.commit("main", controlFiles("failing", "preview")) }},
		{name: "a manifest is invalid", want: "denied", content: func(k *content) { k.invalid = true }},
		{name: "somebody else's queue is there", want: "held", prepare: func(s *simulation) {
			must(s.platform.Manual("alice").Add(memory.Name{Kind: manifest.KindQueue, Physical: "preview-orders"}, nil))
		}},
		{name: "a first deployment fails its calls", want: "in_sync", content: func(k *content) { k.checkout = bad }},
		{name: "the platform does not answer", want: "error", prepare: func(s *simulation) {
			s.inject = func(op string, _ manifest.Ref) error {
				if op == "survey" {
					return providers.Errorf(providers.Transient, "no answer")
				}
				return nil
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSimulation(1, memory.Options{}, mutant{}, "preview")
			k := firstContent()
			if c.content != nil {
				c.content(&k)
			}
			if c.prepare != nil {
				c.prepare(s)
			}
			s.repo.commit("env/preview", k.files())
			d := s.quick(t)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			reports, err := d.Once(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if len(reports) != 1 || reports[0].Outcome != c.want {
				t.Errorf("%+v", reports)
			}
			if n := len(s.watch.state.Outbox); n > 0 {
				t.Errorf("%d alerts were not sent before the end", n)
			}
		})
	}
}

// TestOnceDestroys: a removal that somebody wished for is gone on with until
// nothing of it is left, or until somebody has to do something; also where its
// environment is the only one asked for, and not by a daemon that only looks.
func TestOnceDestroys(t *testing.T) {
	refused := func(op string, ref manifest.Ref) error {
		if op == "delete:before" && ref.Name == "audit" {
			return providers.Errorf(providers.Denied, "not authorized to perform sqs:DeleteQueue")
		}
		return nil
	}
	for name, c := range map[string]struct {
		inject       func(string, manifest.Ref) error
		suspend      bool
		only         []string
		readOnly     bool
		want, reason string   // of production; "": it is not among the reports
		left         []string // of production; nil: all
	}{
		"all of it goes":               {want: "destroyed", reason: "is kept: Secret/shop/stripe", left: []string{}},
		"it alone is asked for":        {only: []string{"production"}, want: "destroyed", reason: "is kept: Secret/shop/stripe", left: []string{}},
		"another alone is asked for":   {only: []string{"preview"}},
		"it is suspended":              {suspend: true, want: "held", reason: "it is suspended"},
		"one of it may not be removed": {inject: refused, want: "held", reason: "sqs:DeleteQueue", left: []string{"Queue/audit"}},
		"the daemon only looks":        {readOnly: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := abandoned(t)
			ada, all := access.Stated("ada"), s.lives("production")
			if err := s.ask("production", wishOf(ada, true)); err != nil {
				t.Fatal(err)
			}
			if c.suspend {
				must(s.ask("production", func(ctx context.Context, d *Daemon) error {
					_, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "wait", For: time.Hour, By: ada, Suspend: true})
					return err
				}))
			}
			if c.inject != nil {
				s.inject = c.inject
			}
			if c.left == nil {
				c.left = all
			}
			o := s.quickOptions()
			if o.Environments, o.ReadOnly = c.only, c.readOnly; c.inject == nil && c.only == nil {
				o.Pace.SecondLook = 200 * time.Millisecond // longer than a pass, so that there are some in between
				o.Now = func() time.Time {
					s.real = s.real.Add(time.Millisecond)
					return s.now()
				}
			}
			s.startWith(t, o)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			reports, err := s.d.Once(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got := Report{}
			for _, r := range reports {
				if r.Environment == "production" {
					got = r
				} else if r.Outcome != "in_sync" {
					t.Errorf("beside it: %+v", r)
				}
			}
			if got.Outcome != c.want || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("it came to %+v, want %s: %s", got, c.want, c.reason)
			}
			for e := s.d.environment("production"); c.readOnly && len(got.Outcome) < 3; got.Outcome += "x" {
				_, err := e.once(ctx) // as a daemon that stays
				must(err)
			}
			want(t, "left of production", s.lives("production"), c.left...)
		})
	}
}
