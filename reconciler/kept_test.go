package reconciler

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// mines are where something panics, and how many more times.
type mines struct {
	mu sync.Mutex
	at map[string]int
}

func (m *mines) set(where string, times int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at[where] = times
}

func (m *mines) step(where string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at[where] > 0 {
		m.at[where]--
		panic(saidInPanic)
	}
}

// left is what nobody stepped on.
func (m *mines) left() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, times := range m.at {
		n += times
	}
	return n
}

type minedSource struct {
	*shared
	*mines
}

func (s minedSource) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	s.step("fetch")
	return s.shared.Fetch(ctx)
}

func (s minedSource) Watch(ctx context.Context, wake func()) error {
	return s.shared.Watch(ctx, func() { s.step("watch"); wake() })
}

type minedMetrics struct {
	panics
	*mines
}

func (m *minedMetrics) Pass(environment, _ string, _ float64) { m.step("pass of " + environment) }
func (m *minedMetrics) Outbox(int, float64)                   { m.step("count") }

type minedReceiver struct {
	*box
	*mines
}

func (r minedReceiver) Notify(ctx context.Context, e notify.Event) error {
	r.step("receiver")
	return r.box.Notify(ctx, e)
}

// minedDaemon is a daemon as it runs in production, in a bubble of time.
func minedDaemon(t *testing.T, m *mines) (o Options, told *box, counted *minedMetrics, logged *observer.ObservedLogs) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "staging") // for its contents only
	platform := memory.New(memory.Options{Now: time.Now})
	must(platform.Manual("admin").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil))
	files := controlFiles("allow", s.names...)
	files["mooring.yaml"] += "  host: {github: {repository: acme/shop, token: {fromFile: /run/token}, webhookSecret: {fromFile: /run/hook}}}\n"
	s.repo.commit("main", files)
	s.repo.commit("env/preview", firstContent().files())
	told, counted = &box{}, &minedMetrics{panics{of: map[string]int{}}, m}
	core, logged := observer.New(zap.DebugLevel)
	o = s.options()
	source := minedSource{&shared{r: s.repo}, m}
	o.Source, o.Proposer, o.Store, o.Now, o.Pace, o.NewID = source, source, journal.NewMemory(), time.Now, Pace{}, nil
	o.Policies = loadRules(func(policy.Point, string, policy.Input, policy.Decision) {})
	o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
		return platform.Environment("shop", e.Name), nil
	}
	o.Notifier = func(string, manifest.Receiver) (notify.Notifier, error) { return minedReceiver{told, m}, nil }
	o.Host = func(manifest.Host) (sources.Host, error) {
		m.step("host")
		return nil, errors.New("this host is not there")
	}
	o.Metrics, o.Log = counted, zap.New(core)
	return o, told, counted, logged
}

// A panic in any goroutine of the daemon's own ends neither it nor that part: it
// is counted, told once, without what it said, and an hour after the last the
// alert ends. What did not panic goes on meanwhile.
func TestAPanicBesideThePassesEndsNothing(t *testing.T) {
	for where, part := range map[string]string{
		"fetch": "reading of the repository", "watch": "watch of the repository", "host": "talk with the host",
		"receiver": "deliveries", "count": "deliveries", "pass of preview": "work for preview",
	} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &mines{at: map[string]int{}}
				o, told, counted, logged := minedDaemon(t, m)
				ctx, cancel := context.WithCancel(t.Context())
				d, err := New(ctx, o)
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- d.Run(ctx) }()
				if where == "fetch" {
					m.set(where, 1) // at the start, when nobody is known who could be told
				}
				time.Sleep(time.Minute)
				m.set(where, 3)
				must(d.ledger.append(ctx, "", journal.Record{Alert: &journal.Alert{ID: "one", Fingerprint: "/test/x", Status: "firing", Kind: "test", Receivers: []string{"default"}, At: time.Now()}}))
				d.wakeOutbox()
				d.wakeReviews()
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				if n := m.left(); n != 0 {
					t.Errorf("%d panics never came", n)
				}
				if n := told.count(daemonFault, "firing"); n != 1 || told.count("test", "firing") != 1 {
					t.Errorf("told %d times, or what else there was to tell was not", n)
				}
				if told.count(daemonFault, "resolved") != 0 {
					t.Error("it is over before its hour")
				}
				of := ""
				if name, ours := strings.CutPrefix(where, "pass of "); ours {
					of = name
				}
				if n := counted.of[of]; n < 3 {
					t.Errorf("counted: %v", counted.of)
				}
				for _, e := range d.Status().Environments {
					if e.Name == "preview" && e.State != "in_sync" {
						t.Errorf("%s is %s: %s", e.Name, e.State, e.Reason)
					}
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if n := told.count(daemonFault, "resolved"); n != 1 {
					t.Errorf("told %d times that it is over", n)
				}
				said := ""
				for _, e := range logged.All() {
					for _, v := range e.ContextMap() {
						if text, ok := v.(string); ok {
							said += text
						}
					}
				}
				for _, e := range told.seen {
					said += e.Title + e.Text
				}
				if strings.Contains(said, saidInPanic) || !strings.Contains(said, "kept_test.go") || !strings.Contains(said, "its "+part) {
					t.Error("what is told says what the panic said, or not where it was")
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// An alert about a defect that a daemon before had ends an hour after this one
// began.
func TestAnAlertAboutADefectOutlivesNoRestart(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	s.d.Defect(t.Context(), "deliveries", "mast", nil)
	s.restart()
	settled(t, s)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{calm / 2, 0}, {calm, 1}} {
		s.real = s.real.Add(step.after)
		must(s.d.calmed(t.Context()))
		s.deliver()
		if n := s.alerts(daemonFault, "resolved"); n != step.want {
			t.Errorf("after %s it was told %d times that it is over, want %d", step.after, n, step.want)
		}
	}
	if n := s.alerts(daemonFault, "firing"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// Who reads what an environment knows is answered whatever it meets.
func TestAPanicOfAReaderIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _, _, _ := minedDaemon(t, &mines{at: map[string]int{}})
		ctx, cancel := context.WithCancel(t.Context())
		d, err := New(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		time.Sleep(time.Minute)
		var own *defect
		if err := d.peek(ctx, "preview", func(*environment) { panic(saidInPanic) }); !errors.As(err, &own) {
			t.Errorf("%v, want a defect", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
