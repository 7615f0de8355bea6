package reconciler

import (
	"context"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

// quick makes Once wait for next to nothing: its clock is the simulation's,
// and moves on by itself whenever somebody reads it.
func (s *simulation) quick(t *testing.T) *Daemon {
	t.Helper()
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
	s.startWith(t, o)
	return s.d
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
