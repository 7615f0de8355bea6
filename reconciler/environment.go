package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// environment is one environment at work. Its goroutine makes the passes and
// is the only one that appends records about it; others hand it acts through
// the inbox and read what it published.
type environment struct {
	d        *Daemon
	name     string
	log      *zap.Logger
	provider providers.Provider
	target   string      // digest of what the provider was opened for
	openAnew atomic.Bool // it is to be opened anew all the same
	loader   manifest.Loader

	served bool // there is a goroutine at work for it; guarded by the daemon's mu

	wake  chan struct{}
	inbox chan act
	peeks chan func() // reads of what is known
	// hurried: there may be something in the inbox that does not wait for a look at
	// everything; there is where urgent is not 0.
	hurried  chan struct{}
	urgent   atomic.Int32
	brokeOff bool // the last such look was broken off for that
	// gathered are the statements last read for promotion.
	gathered gathered

	// Everything below is cache: a restart rebuilds it.
	look     look
	releases map[string]*manifest.Release // by commit and pipeline
	specs    map[manifest.Ref]cachedSpec
	brought  map[string]contractRead // what code expects, by its digest
	beside   map[string]besideRead   // what is signed beside code, by its address
	kept     map[string]string       // commits pinned in the source, by name
	lost     unreturnable
	soaking  journal.Soak // what is counted since the last record of it
	// answeredBy are the policies that open differences were last put to.
	answeredBy string
	backoff    map[manifest.Ref]backoff
	resting    map[manifest.Ref]resting // dead man's switches that were refused
	// at is the pass that is made now, and asked the request that an act is done
	// for: what the log says of its lines.
	at        atomic.Pointer[pass]
	asked     atomic.Pointer[string]
	passes    int
	failures  int // passes in a row that failed as a whole
	lastCheck map[string]time.Time
	verified  bool      // the account was checked
	reminded  time.Time // when policy was last asked about what it muted
	lastPass  time.Time // told by the clock that may go back
	pushed    pushed
	offered   offered
	// faultSince is since when content waits for what may pass by itself, at every
	// look; zero: it does not.
	faultSince time.Time
	// offeredUntil is when an offer that was pushed has to show.
	offeredUntil time.Time
	request      atomic.Pointer[request]
	// adopting is the offer to declare what was changed by hand, and adopted what
	// became of its pull request.
	adopting  adopting
	adopted   atomic.Pointer[request]
	stale     bool      // a binding moved under what serves, by the last plan
	cleanFrom time.Time // when versions may be cleaned up again
	measured  measured  // when the rollout's measures were asked last
	probed    probed    // when its functions were called last
	stageSaid string    // the last decision about a stage that was remembered
	trail     trail
	actors    heardActors
	ears      ears
	published atomic.Pointer[published]
	lineage   []lineage
}

// pushed is a move just made: until the repository is read again, the branch
// looks as if it were still to be made.
type pushed struct {
	from  string
	until time.Time
	tries int    // refusals in a row
	waits string // why it waits; "" for a move that only has to show
}

// pushedLimit is when a move that never showed is tried again.
const pushedLimit = 30 * time.Second

// act is something a person asked for, carried out between passes.
type act struct {
	do      func(ctx context.Context, e *environment) error
	done    chan error
	request string // id of the request it came by; "": by none
	hurries bool   // a look at everything is broken off for it
}

// backoff is when a resource may be written again after a failure.
type backoff struct {
	next  time.Time
	tries int
}

func newEnvironment(d *Daemon, name string) *environment {
	e := &environment{
		d: d, name: name,
		wake:      make(chan struct{}, 1),
		inbox:     make(chan act, 16),
		peeks:     make(chan func()),
		hurried:   make(chan struct{}, 1),
		releases:  map[string]*manifest.Release{},
		specs:     map[manifest.Ref]cachedSpec{},
		brought:   map[string]contractRead{},
		beside:    map[string]besideRead{},
		kept:      map[string]string{},
		backoff:   map[manifest.Ref]backoff{},
		resting:   map[manifest.Ref]resting{},
		lastCheck: map[string]time.Time{},
		actors:    heardActors{},
	}
	e.log = e.logger(d.opts.Log)
	return e
}

// nudge wakes the environment's goroutine; wakes coalesce.
func (e *environment) nudge() { signal(e.wake) }

// signal leaves a word in a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// taken takes a word that waits, and says whether there was one.
func taken(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// woken takes a wake that waits, and says whether there was one.
func (e *environment) woken() bool { return taken(e.wake) }

// state is what the journal remembers of this environment.
func (e *environment) state() *journal.Environment { return e.d.ledger.environment(e.name) }

// remember appends records about this environment.
func (e *environment) remember(ctx context.Context, recs ...journal.Record) error {
	return e.d.ledger.append(ctx, e.name, recs...)
}

// open makes sure the provider is the one the pipeline names now.
func (e *environment) open(ctx context.Context, w *world, spec manifest.Environment) error {
	target := fmt.Sprintf("%s|%+v|%+v|%+v", w.pipeline.Name, spec.Provider.AWS, spec.Provider.Memory, spec.Hints)
	again, asked := e.provider != nil && e.target == target, e.openAnew.Swap(false)
	if again && !asked {
		return nil
	}
	p, err := e.d.opts.Provider(ctx, w.pipeline, spec)
	if err != nil && again {
		e.log.Error("the platform cannot be opened anew; as it was opened before it stays", zap.Error(err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("open provider of %s: %w", e.name, err)
	}
	e.provider, e.target, e.verified, e.look = p, target, false, look{}
	clear(e.specs)
	return nil
}

// checkAccount verifies where writes would land, once per provider.
func (e *environment) checkAccount(ctx context.Context) error {
	checker, ok := e.provider.(providers.AccountChecker)
	if e.verified || !ok {
		return nil
	}
	if _, err := checker.CheckAccount(ctx); err != nil {
		return fmt.Errorf("check account of %s: %w", e.name, err)
	}
	e.verified = true
	return nil
}

// serve makes passes until ctx ends: when woken, and when the last pass said
// something is due.
func (e *environment) serve(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer e.deafen()
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-e.inbox:
			e.performed(ctx, a)
		case read := <-e.peeks:
			read()
			continue
		case <-e.wake:
		case <-timer.C:
		}
		e.performWaiting(ctx)
		next, err := e.once(ctx)
		if err != nil {
			return err
		}
		e.listen(ctx)
		timer.Reset(max(0, next.Sub(e.d.opts.Now())))
	}
}

// performed does what somebody asked for and answers.
func (e *environment) performed(ctx context.Context, a act) {
	a.done <- e.perform(ctx, a)
	if len(e.inbox) == 0 { // the pass that follows is the one it was nudged for
		e.woken()
	}
}

// performWaiting does what waits: the pass that follows sees it.
func (e *environment) performWaiting(ctx context.Context) {
	for {
		select {
		case a := <-e.inbox:
			e.performed(ctx, a)
		default:
			return
		}
	}
}

// perform does what somebody asked for.
func (e *environment) perform(ctx context.Context, a act) error {
	e.asked.Store(&a.request)
	defer e.asked.Store(nil)
	return e.contained(func() error { return a.do(ctx, e) })
}

// once makes one pass and says when the next is due. Only a lost journal ends
// the environment: everything else is remembered, alerted and tried again.
func (e *environment) once(ctx context.Context) (time.Time, error) {
	w := e.d.world.Load()
	if w == nil || w.pipeline == nil {
		return e.d.opts.Now().Add(e.d.opts.Pace.RetryMax), nil
	}
	start := e.d.opts.Now()
	report := Report{Environment: e.name, Outcome: "error"}
	defer e.at.Store(nil)
	err := e.contained(func() (err error) { report, err = e.pass(ctx, w); return err })
	if errors.Is(err, errBrokenOff) {
		return e.d.opts.Now(), nil // for what is in the inbox
	}
	e.d.opts.Metrics.Pass(e.name, report.Outcome, e.d.opts.Now().Sub(start).Seconds())
	if fatal := e.d.fatal(err); fatal != nil {
		return time.Time{}, fatal
	}
	if err != nil && ctx.Err() == nil {
		e.failures++
		e.log.Warn("pass failed", zap.Error(err), zap.Int("failures", e.failures))
		return e.d.opts.Now().Add(doubled(e.d.opts.Pace.Retry, e.failures, e.d.opts.Pace.RetryMax)), nil
	}
	e.failures = 0
	return report.Next, nil
}

// tell notes the time of a pass. Where the clock went back, what was to happen
// at a later time happens now: nothing waits for a time of day to come again.
func (e *environment) tell(now time.Time) {
	if now.Before(e.lastPass) {
		clear(e.backoff)
		clear(e.resting)
		clear(e.lastCheck)
		e.pushed = pushed{}
		e.adopting.again = time.Time{}
		e.look.again()
	}
	e.lastPass = now
}

// doubled is base·2^(tries-1), at most limit.
func doubled(base time.Duration, tries int, limit time.Duration) time.Duration {
	d := base
	for range tries - 1 {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return min(d, limit)
}

// resource finds a declared resource in any release at hand.
func find(ref manifest.Ref, releases ...*manifest.Release) (manifest.Resource, bool) {
	for _, rel := range releases {
		if rel == nil {
			continue
		}
		if res, ok := rel.Resource(ref); ok {
			return res, true
		}
	}
	return manifest.Resource{}, false
}

// quarantined says whether a key may not be tried.
func quarantined(st *journal.Environment, key record.Key) (record.Quarantine, bool) {
	q, ok := st.Quarantine[key]
	return q, ok
}

// sorted is what a map holds, by its keys: the same state is always worked
// through in the same order.
func sorted[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[key])
	}
	return out
}
