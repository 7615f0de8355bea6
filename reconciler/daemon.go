package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/promote"
	"mooring.dev/sources"
)

// Daemon reconciles the environments of one pipeline.
type Daemon struct {
	opts   Options
	born   time.Time
	ledger *ledger
	docket *journal.Docket
	world  atomic.Pointer[world]
	unread atomic.Pointer[string] // why the repository could not be read at the last try
	// unhosted is why the host could not be spoken with at the last try.
	unhosted atomic.Pointer[string]

	mu           sync.Mutex
	environments map[string]*environment

	fetchWake  chan struct{}
	hintWake   chan struct{} // a host told of a change
	outboxWake chan struct{}
	hostWake   chan struct{} // there is something to tell the host
	reviewWake chan struct{} // people did something on the host
	chase      chase
	dropped    uint64            // alerts of the outbox that were told to be
	left       map[string]string // commits that were pending at the start, by environment
	defects    defects
	beat       beat
}

// New opens the journal and takes it over. Faults of the options are reported
// all at once.
func New(ctx context.Context, opts Options) (*Daemon, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	l, err := openLedger(ctx, opts.Store, opts.Instance, opts.Now)
	if err != nil {
		return nil, err
	}
	return &Daemon{
		opts: opts, born: opts.Now(), ledger: l, docket: journal.NewDocket(opts.Store, l.last), dropped: l.dropped(), left: leftPending(l.state.Environments), environments: map[string]*environment{},
		fetchWake: make(chan struct{}, 1), hintWake: make(chan struct{}, 1), outboxWake: make(chan struct{}, 1),
		hostWake: make(chan struct{}, 1), reviewWake: make(chan struct{}, 1),
	}, nil
}

// Run reconciles until ctx ends. It returns an error only when going on would
// be unsafe: the journal is lost or another daemon took over.
func (d *Daemon) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for part, do := range map[string]func(context.Context) error{
		"watch of the repository":   func(ctx context.Context) error { return d.opts.Source.Watch(ctx, d.nudgeFetch) },
		"deliveries":                d.deliver,
		"reminders":                 (&receivers{d: d}).remind,
		"talk with the host":        d.herald,
		"reading of the repository": func(ctx context.Context) error { return d.follow(ctx, g) },
	} {
		g.Go(func() error { return d.Keep(ctx, part, do) })
	}
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// follow reads the repository whenever woken and keeps one goroutine at work
// for each environment.
func (d *Daemon) follow(ctx context.Context, g *errgroup.Group) error {
	trigger, failures, read := "startup", 0, time.Time{}
	for {
		err := d.refresh(ctx, trigger)
		for _, e := range d.unserved() {
			g.Go(func() error { return d.keep(ctx, e, "work for "+e.name, e.serve) })
		}
		retry, chased := time.Duration(0), false
		if err != nil && ctx.Err() == nil {
			failures++
			retry = doubled(d.opts.Pace.Retry, failures, d.opts.Pace.RetryMax)
			d.opts.Log.Warn("repository could not be read", zap.Error(err), zap.Int("failures", failures))
			if fatal := d.sourceFault(ctx, err, failures); fatal != nil {
				return fatal
			}
		} else {
			failures = 0
			retry = d.chase.next(d.world.Load())
			chased = retry > 0
			if again := d.policiesAgain(); again > 0 && (retry == 0 || again < retry) {
				retry, chased = again, false
			}
		}
		woken, hinted := d.await(ctx, retry)
		if !woken || hinted && !d.gather(ctx, read) {
			return nil
		}
		trigger = d.opts.Trigger
		if hinted {
			read = d.opts.Now()
		}
		if hinted || chased {
			trigger = "webhook"
		}
	}
}

// policiesAgain is in how long the policies in force are to be asked again about
// those they keep out; 0: they keep none out.
func (d *Daemon) policiesAgain() time.Duration {
	w := d.world.Load()
	if w == nil || !errors.Is(w.faults[faultPolicy], errKeptOut) {
		return 0
	}
	return max(time.Millisecond, w.again.Sub(d.opts.Now()))
}

// await waits for a wake, or for the retry; woken is false when ctx ended, and
// hinted tells that a host told of a change.
func (d *Daemon) await(ctx context.Context, retry time.Duration) (woken, hinted bool) {
	var timer <-chan time.Time
	if retry > 0 {
		t := time.NewTimer(retry)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return false, false
	case <-d.hintWake:
		return true, true
	case <-d.fetchWake:
	case <-timer:
	}
	return true, false
}

// refresh reads the world again and wakes whom it concerns.
func (d *Daemon) refresh(ctx context.Context, trigger string) error {
	before, begun := d.world.Load(), d.opts.Now()
	w, err := d.read(ctx, before, trigger)
	if err != nil {
		why := err.Error()
		d.unread.Store(&why)
		d.opts.Metrics.Fetch("error", d.stale())
		return err
	}
	d.unread.Store(nil)
	d.opts.Metrics.Fetch("ok", 0)
	d.world.Store(w)
	d.saw(before, w, begun)
	if before == nil || !maps.EqualFunc(before.snapshots, w.snapshots, sameCommit) {
		d.wakeReviews() // a pull request may bring what is only seen now
	}
	if err := d.controlFaults(ctx, w); err != nil {
		return err
	}
	if w.pipeline == nil {
		return w.faults[faultPipeline]
	}
	if err := d.orphans(ctx, w); err != nil {
		return err
	}
	if err := d.strangers(w.pipeline); err != nil && (before == nil || before.digest != w.digest) {
		d.opts.Log.Warn("an environment that was asked for is not there", zap.Error(err))
	}
	d.mu.Lock()
	for _, name := range d.names() {
		if d.environments[name] == nil {
			d.environments[name] = newEnvironment(d, name)
		}
	}
	d.mu.Unlock()
	for _, name := range d.names() {
		if spec, ok := w.pipeline.Environment(name); ok && (before == nil || before.digest != w.digest) {
			d.opts.Metrics.Environment(name, spec.After)
		}
		if changedFor(before, w, name) {
			d.environment(name).nudge()
		}
	}
	return nil
}

func sameCommit(a, b sources.Snapshot) bool { return a.Commit.SHA == b.Commit.SHA }

// changedFor: the new world says something else to an environment.
func changedFor(before, after *world, name string) bool {
	if before == nil || before.pipeline == nil || before.policies != after.policies || before.control.Commit.SHA != after.control.Commit.SHA {
		return true
	}
	spec, _ := after.pipeline.Environment(name)
	return before.snapshots[spec.Branch].Commit.SHA != after.snapshots[spec.Branch].Commit.SHA
}

// stale is how long ago the repository was read with success, in seconds.
func (d *Daemon) stale() float64 {
	if w := d.world.Load(); w != nil {
		return d.opts.Now().Sub(w.at).Seconds()
	}
	return 0
}

// controlFaults tells about a broken control branch, and takes it back.
func (d *Daemon) controlFaults(ctx context.Context, w *world) error {
	if w.pipeline == nil {
		return nil // nobody is configured to be told; it is logged
	}
	mouth := d.mouth()
	var errs []error
	for _, kind := range []string{faultPipeline, faultPolicy, faultSource} {
		if err, bad := w.faults[kind]; bad {
			ev := event{
				kind: kind, severity: "critical", title: fmt.Sprintf("%s of branch %s at %s", kind, w.main, short(w.control.Commit.SHA)),
				text: err.Error() + "\nWhat was active before stays active.",
			}
			if errors.Is(err, errKeptOut) {
				ev.severity, ev.title = "high", fmt.Sprintf("policies of branch %s at %s are kept out by those in force", w.main, short(w.control.Commit.SHA))
			}
			errs = append(errs, mouth.alert(ctx, w, ev, "firing"))
			continue
		}
		errs = append(errs, mouth.alert(ctx, w, event{kind: kind}, "resolved"))
	}
	_, err := mouth.remind(ctx, w)
	return d.fatal(errors.Join(append(errs, err)...))
}

// mouth speaks for the pipeline as a whole.
func (d *Daemon) mouth() *environment { return newEnvironment(d, "") }

// sourceFault tells about a repository that cannot be read for a while.
func (d *Daemon) sourceFault(ctx context.Context, err error, failures int) error {
	w := d.world.Load()
	if w == nil || w.pipeline == nil || failures < 3 {
		return nil
	}
	return d.fatal(d.mouth().alert(ctx, w, event{
		kind: faultSource, severity: "critical", title: "the repository cannot be read",
		text: err.Error() + "\nThe releases last admitted stay in force; drift is still put back.",
	}, "firing"))
}

// fatal picks out what the daemon must not go on after.
func (d *Daemon) fatal(err error) error {
	for _, end := range []error{journal.ErrFenced, journal.ErrCorrupt} {
		if errors.Is(err, end) {
			return err
		}
	}
	return nil
}

func (d *Daemon) environment(name string) *environment {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.environments[name]
}

// place is an environment as it last published itself.
func (d *Daemon) place(name string) promote.Place {
	if e := d.environment(name); e != nil {
		if pub := e.published.Load(); pub != nil {
			return pub.place
		}
	}
	return promote.Place{Moving: true} // nothing is known of it yet
}

// wakeDownstream nudges who may take content from an environment.
func (d *Daemon) wakeDownstream(name string) {
	w := d.world.Load()
	for _, spec := range w.pipeline.Environments {
		if slices.Contains(spec.After, name) {
			if e := d.environment(spec.Name); e != nil {
				e.nudge()
			}
		}
	}
}

// Reload has the repository read, the host asked and every environment looked at
// now, whatever they wait for. reopen: platforms are opened anew first, as at a
// start.
func (d *Daemon) Reload(reopen bool) {
	d.mu.Lock()
	for _, e := range d.environments {
		if reopen {
			e.openAnew.Store(true)
		}
		e.nudge()
	}
	d.mu.Unlock()
	d.nudgeFetch()
	d.wakeReviews()
	d.wakeOutbox()
}

func (d *Daemon) nudgeFetch() {
	select {
	case d.fetchWake <- struct{}{}:
	default:
	}
}

func (d *Daemon) wakeOutbox() {
	select {
	case d.outboxWake <- struct{}{}:
	default:
	}
}
