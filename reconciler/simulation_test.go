package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/sources/manifest"
)

// simulation is a daemon, everything around it, and one clock, driven a pass
// at a time without goroutines or sleeping. The same seed gives the same run.
type simulation struct {
	rng      *rand.Rand
	real     time.Time     // the true time
	skew     time.Duration // of the daemon's clock
	repo     *repo
	platform *memory.Platform
	store    *journal.Memory
	watch    *watcher
	mutant   mutant

	d          *Daemon
	generation int // of the daemon: counts restarts
	due        map[string]time.Time
	fetchAt    time.Time

	inject   func(op string, ref manifest.Ref) error
	partial  func() bool
	unheard  func() bool // a receiver does not answer
	hears    sync.Mutex
	received map[string][]notify.Event // by receiver
	names    []string
	after    map[string]string // what environments come after, where that is not the one before
	says     map[string]string // of environments, how content comes into them
	jumps    int               // of the clock, and restarts: each may add one piece of time
	down     time.Duration
	ids      int
	idle     map[string]int // passes in a row that asked for another and learned nothing
	budget   int            // what is left of the passes a run may take
	quiet    bool           // policy may mute, whatever its mode
	analysis string         // what environments say of it beside what all say, as "probe: {…}, "
	pace     string         // how they roll out, where it is not as all do
}

// control is the control branch with this simulation's graph of environments.
func (s *simulation) control(mode string) map[string]string {
	files := controlFiles(mode, s.names...)
	for i, name := range s.names[1:] {
		if after := s.after[name]; after != "" {
			start, rest, _ := strings.Cut(files["mooring.yaml"], "- name: "+name+"\n")
			files["mooring.yaml"] = start + "- name: " + name + "\n" + strings.Replace(rest, "after: ["+s.names[i]+"]", "after: ["+after+"]", 1)
		}
	}
	for env, says := range s.says {
		start, rest, _ := strings.Cut(files["mooring.yaml"], "- name: "+env+"\n")
		files["mooring.yaml"] = start + "- name: " + env + "\n" + strings.Replace(rest, "promotion: auto\n", says+"\n", 1)
	}
	return files
}

// before names the environments that one comes after.
func (s *simulation) before(env string) []string {
	i := slices.Index(s.names, env)
	switch {
	case i == 0:
		return nil
	case s.after[env] != "":
		return strings.Split(s.after[env], ", ")
	}
	return s.names[i-1 : i]
}

// canaries is how environments roll out in which traffic moves.
var canaries = regexp.MustCompile(`rollout: \{strategy: canary.*`)

// controlFiles is the control branch with what this simulation says of analysis.
func (s *simulation) controlFiles() map[string]string {
	files := s.control("allow")
	files["mooring.yaml"] = strings.ReplaceAll(files["mooring.yaml"], "analysis: {", "analysis: {"+s.analysis)
	if s.pace != "" {
		files["mooring.yaml"] = canaries.ReplaceAllLiteralString(files["mooring.yaml"], s.pace)
	}
	return files
}

// mutant is one deliberate fault in a contract the daemon builds on; nil
// members change nothing.
type mutant struct {
	name      string
	evaluator func(policy.Evaluator) policy.Evaluator
	provider  func(*tapped) providers.Provider
	store     func(journal.Store, *simulation) journal.Store
	notifier  func(notify.Notifier) notify.Notifier
}

var birth = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newSimulation has a control branch, a secret, and traffic; nothing is
// declared yet.
func newSimulation(seed uint64, o memory.Options, m mutant, environments ...string) *simulation {
	s := &simulation{
		rng: rand.New(rand.NewPCG(seed, 1)), real: birth, store: journal.NewMemory(), mutant: m, due: map[string]time.Time{}, idle: map[string]int{},
		inject: func(string, manifest.Ref) error { return nil }, partial: func() bool { return false }, unheard: func() bool { return false },
		received: map[string][]notify.Event{}, names: environments, budget: 100_000,
	}
	o.Now = func() time.Time { return s.real }
	o.Inject = func(op string, ref manifest.Ref) error { return s.inject(op, ref) }
	o.Partial = func() bool { return s.partial() }
	s.platform = memory.New(o)
	s.repo = newRepo(func() time.Time { return s.real })
	s.watch = newWatcher(s)
	s.repo.moved = s.watch.moved
	s.repo.commit("main", controlFiles("allow", environments...))
	for _, env := range environments {
		for _, fn := range []string{"checkout", "mailer", "flow"} {
			s.platform.SetTraffic(env+"-"+fn, memory.Traffic{PerSecond: 100})
		}
	}
	must(s.platform.Manual("admin").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil))
	return s
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// now is the daemon's clock.
func (s *simulation) now() time.Time { return s.real.Add(s.skew) }

func branchOf(env string) string { return "env/" + env }

// options is a daemon of this simulation.
func (s *simulation) options() Options {
	load, closed := loadRules(s.watch.heard), closedRules(s.watch.heard)
	wrap := func(e policy.Evaluator) policy.Evaluator {
		if s.mutant.evaluator != nil {
			return s.mutant.evaluator(e)
		}
		return e
	}
	generation := s.generation
	var store journal.Store = tape{s.store, s}
	if s.mutant.store != nil {
		store = s.mutant.store(store, s)
	}
	return Options{
		Source: s.repo, Proposer: s.repo, Store: store, Instance: fmt.Sprintf("daemon-%d", generation), Now: s.now,
		Pace: Pace{Parallel: 1},
		NewID: func(prefix string) string {
			s.ids++
			return fmt.Sprintf("%s_%d", prefix, s.ids)
		},
		Provider: func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
			t := &tapped{Provider: s.platform.Environment("shop", e.Name), s: s, env: e.Name, generation: generation}
			if s.mutant.provider != nil {
				return s.mutant.provider(t), nil
			}
			return t, nil
		},
		Policies: func(tree fs.FS, revision string) (policy.Evaluator, error) {
			e, err := load(tree, revision)
			if err != nil {
				return nil, err
			}
			return wrap(e), nil
		},
		Closed: func(err error) policy.Evaluator { return wrap(closed(err)) },
		Notifier: func(name string, _ manifest.Receiver) (notify.Notifier, error) {
			var n notify.Notifier = receiver{name, s}
			if s.mutant.notifier != nil {
				n = s.mutant.notifier(n)
			}
			return n, nil
		},
	}
}

// receiver is somebody to be told.
type receiver struct {
	name string
	s    *simulation
}

// Notify implements notify.Notifier.
func (r receiver) Notify(_ context.Context, e notify.Event) error {
	r.s.hears.Lock() // each receiver is told by a goroutine of its own
	defer r.s.hears.Unlock()
	if r.s.unheard() {
		return errors.New("no answer")
	}
	r.s.received[r.name] = append(r.s.received[r.name], e)
	return nil
}

// tape is the store with the watcher listening to what became durable.
type tape struct {
	*journal.Memory
	s *simulation
}

// Append implements journal.Store.
func (t tape) Append(ctx context.Context, fence journal.Fence, recs ...journal.Record) error {
	err := t.Memory.Append(ctx, fence, recs...)
	t.s.watch.catchUp()
	return err
}

// restart replaces the daemon by a fresh one on the same journal.
func (s *simulation) restart() {
	s.generation++
	s.jumps++
	d, err := New(context.Background(), s.options())
	if err != nil {
		s.watch.fail(13, "a daemon does not start: %v", err)
		return
	}
	s.d = d
	s.watch.restarted()
	clear(s.due)
	s.fetchAt = s.real
}

// refresh reads the repository, as a wake or the poll interval has it.
func (s *simulation) refresh() {
	err := s.d.refresh(context.Background(), "poll")
	if fatal := s.d.fatal(err); fatal != nil {
		s.watch.fail(5, "the daemon in charge had to stop: %v", fatal)
	}
	s.fetchAt = s.real.Add(10 * time.Second)
	if err != nil {
		s.fetchAt = s.real.Add(2 * time.Second)
	}
}

// pass makes one pass of one environment, if the daemon knows it.
func (s *simulation) pass(env string) {
	e := s.d.environment(env)
	if e == nil {
		return
	}
	s.budget--
	seq := s.watch.state.Seq
	s.watch.begin(env)
	next, err := e.once(context.Background())
	s.watch.end(env)
	if err != nil {
		s.watch.fail(5, "the daemon in charge had to stop: %v", err)
	}
	s.due[env] = s.real.Add(max(0, next.Sub(s.now())))
	s.idle[env]++
	if err != nil || next.After(s.now()) || s.watch.state.Seq != seq {
		s.idle[env] = 0
	}
	if s.idle[env] == 5 {
		s.watch.fail(13, "%s wants another pass at once, and learned nothing in five", env)
	}
}

// nudged takes an environment's wake, if there is one.
func (s *simulation) nudged(env string) bool {
	e := s.d.environment(env)
	return e != nil && e.woken()
}

// turn lets everything happen that is due now; heard says whether hints
// arrive.
func (s *simulation) turn(heard bool) {
	select {
	case <-s.d.fetchWake:
		if heard {
			s.fetchAt = s.real
		}
	default:
	}
	if !s.real.Before(s.fetchAt) {
		s.refresh()
	}
	for _, env := range s.names {
		wake := s.nudged(env) && heard
		if at, ok := s.due[env]; wake || !ok || !s.real.Before(at) {
			s.pass(env)
		}
	}
	s.deliver()
}

// advance lets time pass until something is due, at least a tick and at most
// limit.
func (s *simulation) advance(limit time.Duration) {
	next := s.fetchAt
	for _, at := range s.due {
		if at.Before(next) {
			next = at
		}
	}
	s.real = s.real.Add(min(limit, max(200*time.Millisecond, next.Sub(s.real))))
}

// deliver gives everything in the outbox one try.
func (s *simulation) deliver() {
	r := &receivers{d: s.d}
	q := outboxQueue{s.d}
	for _, item := range q.Pending() {
		n, ok := r.resolve(item.Receiver)
		if !ok || n.Notify(context.Background(), item.Event) != nil {
			continue
		}
		_ = q.Delivered(context.Background(), item.Event.ID, item.Receiver, false, "") // not recorded: it stays in the outbox
	}
}

// ask has somebody ask the daemon for something, and the environment carry it
// out, without a goroutine of its own.
func (s *simulation) ask(env string, request func(ctx context.Context, d *Daemon) error) error {
	e := s.d.environment(env)
	if e == nil {
		return ErrUnknown
	}
	done := make(chan error, 1)
	go func() { done <- request(context.Background(), s.d) }()
	select {
	case a := <-e.inbox:
		a.done <- a.do(context.Background(), e)
		return <-done
	case err := <-done:
		return err
	}
}

// until lets time pass, without anybody interfering, until ok holds; it gives
// up after a while of the simulated time and says so.
func (s *simulation) until(limit time.Duration, ok func() bool) bool {
	for end := s.real.Add(limit); s.real.Before(end) && s.watch.ok(); {
		s.turn(true)
		if ok() {
			return true
		}
		s.advance(30 * time.Second)
	}
	return false
}
