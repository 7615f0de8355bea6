package reconciler

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

const saidInPanic = "saidInPanic-in-a-panic"

// faulty is the platform of one environment that panics where it is told to.
type faulty struct {
	*tapped
	where *string // "survey", "put", "" for nowhere
}

func (f faulty) met(where string) {
	if f.env == "preview" && *f.where == where {
		panic(saidInPanic)
	}
}

// Survey implements providers.Provider.
func (f faulty) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	f.met("survey")
	return f.tapped.Survey(ctx, want)
}

// Put implements providers.Provider: called in a goroutine of its own.
func (f faulty) Put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	f.met("put")
	return f.tapped.Put(ctx, c)
}

// panics counts them.
type panics struct {
	noMetrics
	mu sync.Mutex
	of map[string]int
}

func (p *panics) Panic(environment string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[environment]++
}

// A panic at work for one environment, in its goroutine or in one of a step,
// degrades that environment and is told once, without what it said; the others
// go on; and once it is over, so does this one.
func TestAPanicIsContained(t *testing.T) {
	for _, where := range []string{"survey", "put"} {
		t.Run(where, func(t *testing.T) {
			at := ""
			s := begin(t, memory.Options{}, mutant{provider: func(p *tapped) providers.Provider { return faulty{p, &at} }}, "preview", "production")
			settled(t, s)
			counted := &panics{of: map[string]int{}}
			core, logged := observer.New(zap.DebugLevel)
			s.d.opts.Metrics, s.d.environment("preview").log = counted, zap.New(core)
			at = where
			k := firstContent()
			k.mailer = code(9)
			here, there := s.repo.commit("env/preview", k.files()), s.repo.commit("env/production", k.files())
			for range 40 { // the invariant that passes end is not kept meanwhile
				s.turn(true)
				s.advance(30e9)
			}
			if got := s.watch.environment("production").Rollout.Release.Commit; got != there {
				t.Errorf("production runs %s, want %s", got, there)
			}
			if st := s.d.environment("preview").published.Load().status; st.State != "degraded" || !strings.Contains(st.LastError, "defect") {
				t.Errorf("preview is %s: %s", st.State, st.LastError)
			}
			if counted.of["preview"] == 0 || counted.of["production"] != 0 {
				t.Errorf("counted: %v", counted.of)
			}
			if n := s.alerts("environment_error", "firing"); n != 1 {
				t.Errorf("%d alerts", n)
			}
			said := ""
			for _, e := range logged.All() {
				for _, v := range e.ContextMap() {
					if text, ok := v.(string); ok {
						said += text
					}
				}
			}
			for _, e := range s.received["default"] {
				said += e.Title + e.Text
			}
			if strings.Contains(said, saidInPanic) || !strings.Contains(said, "defect_test.go") {
				t.Error("what is told says what the panic said, or not where it was")
			}
			at = ""
			settled(t, s)
			if got := s.watch.environment("preview").Rollout.Release.Commit; got != here {
				t.Errorf("preview runs %s, want %s", got, here)
			}
			if n := s.alerts("environment_error", "resolved"); n != 1 {
				t.Errorf("%d alerts resolved", n)
			}
			sound(t, s)
		})
	}
}

// What a person asks for ends with an answer, whatever it meets.
func TestAPanicInAnActIsAnswered(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	err := s.d.environment("preview").contained(func() error {
		var g crew.Crew
		g.Go(func() error {
			var inner crew.Crew
			inner.Go(func() error { return error(nil).(*defect) })
			return inner.Wait()
		})
		return g.Wait()
	})
	var own *defect
	if !errors.As(err, &own) || !strings.Contains(err.Error(), "interface conversion") {
		t.Errorf("%v, want a defect that says what the runtime said", err)
	}
}
