package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/trace"
	"mooring.dev/sources/manifest"
)

// Report is what one pass of one environment came to.
type Report struct {
	Environment string
	// Outcome is in_sync | changes | drifted | progressing | held | denied | error;
	// of what the pipeline does not have: orphaned | progressing | held | destroyed | error.
	Outcome string
	Reason  string // why, when it is not in_sync
	Steps   int
	Facts   int
	Next    time.Time // when the next pass is due at the latest
	// Quiet: nothing was done or learned, and nothing is under way that time
	// alone brings further: no settling, no second look, no stage. Holds,
	// approvals, soaks and failed checks are quiet.
	Quiet bool
}

// pass is one pass in the making. It lives for one call of environment.pass.
type pass struct {
	e    *environment
	w    *world
	spec manifest.Environment
	st   *journal.Environment
	now  time.Time
	// number counts the passes of this environment and this daemon.
	number int

	head   head
	target *manifest.Release // what shall live now
	stable *manifest.Release // what traffic returns to, while a rollout moves
	moving *manifest.Release // the release of the rollout
	// admitted is the newest release let in, also where the branch's head is
	// another that is not.
	admitted *manifest.Release
	plan     plan.Plan
	broken   []broken // of the contract, against what lives
	changed  bool     // the journal learned something
	// promoted: promotion into here was looked at; waits is the code of why it
	// waits, awaits the reason where it is nobody's to do anything, and heldBy
	// the reason as of this pass where it is held.
	promoted bool
	waits    string
	awaits   string
	heldBy   string
	offering offer         // what people are to merge
	adoption offer         // what was changed by hand, to be declared
	relied   []string      // statements about the content that is asked about
	atOnce   string        // why what is asked about moves at once although it is to move in stages
	ahead    record.Queued // the first of the queue; zero: none waits
	wrote    int
	timers   []time.Time
	ringing  []policy.Alarm // what alarms say, once asked in this pass
	later    []time.Time    // when somebody else may have changed their mind
	work     *trace.Work    // nil: not traced
	// onItsWay: the pass is about a commit that is not in force yet.
	onItsWay bool
	// besides are records of decisions that were outweighed.
	besides []journal.Record
}

// pass looks, decides and acts once.
func (e *environment) pass(ctx context.Context, w *world) (Report, error) {
	spec, ok := w.pipeline.Environment(e.name)
	if !ok {
		return e.orphaned(ctx, w)
	}
	e.passes++
	p := &pass{e: e, w: w, spec: spec, st: e.state(), now: e.d.opts.Now(), number: e.passes}
	e.at.Store(p)
	e.tell(p.now)
	e.trail.looks = trailLooks
	ctx = p.begin(ctx)
	err := e.contained(func() error { return p.run(ctx) })
	if errors.Is(err, errBrokenOff) { // nothing was learned that could be told
		p.end(nil)
		return Report{}, err
	}
	err = errors.Join(err, e.contained(func() error { return p.tidy(ctx) }))
	p.publish(ctx, err)
	told := p.alertEnvironment(ctx, err)
	p.end(err)
	return p.report(err), errors.Join(err, told)
}

func (p *pass) run(ctx context.Context) error {
	if err := errors.Join(p.unwish(ctx), p.expireHolds(ctx)); err != nil {
		return err
	}
	if err := p.e.open(ctx, p.w, p.spec); err != nil {
		return err
	}
	p.heed()
	if p.e.d.opts.ReadOnly {
		return p.look(ctx)
	}
	unread := p.readHead(ctx)
	p.bind()
	if err := p.loadReleases(ctx); err != nil {
		return errors.Join(unread, err)
	}
	if unread == nil && p.nothingToLookAt() {
		// A branch that is not there yet, or does not render, costs no call
		// to the platform when nothing runs; content may still come in.
		return errors.Join(p.judge(ctx), p.promote(ctx))
	}
	p.watchTraffic()
	if err := p.observe(ctx); err != nil {
		return errors.Join(unread, err)
	}
	p.e.settling()
	// A head that cannot be read or judged stops what is new, never what is
	// under way: a canary is looked at, and traffic goes back, all the same.
	if unread == nil {
		unread = p.judge(ctx)
	}
	if err := p.reconcile(ctx); err != nil {
		return errors.Join(unread, err)
	}
	return errors.Join(unread, p.drift(ctx), p.adopt(ctx), p.check(ctx), p.soak(ctx), p.promote(ctx))
}

// nothingToLookAt: nothing was ever released here, and the branch brings
// nothing that could be.
func (p *pass) nothingToLookAt() bool {
	if p.st.Admitted != nil || p.st.Rollout.Release.Digest != "" {
		return false
	}
	return !p.head.there || p.head.err != nil
}

// loadReleases renders what the rollout knows: the release moving or in
// force, and the stable one.
func (p *pass) loadReleases(ctx context.Context) error {
	ro := p.st.Rollout
	var err error
	if p.moving, err = p.e.reopen(ctx, p.w, ro.Release); err != nil {
		return err
	}
	if p.stable, err = p.e.reopen(ctx, p.w, ro.Stable); err != nil {
		return err
	}
	p.target = p.moving
	if ro.Phase == rollout.Back && p.stable != nil {
		p.target = p.stable
	}
	return p.loadAdmitted(ctx)
}

func (p *pass) loadAdmitted(ctx context.Context) (err error) {
	if p.st.Admitted != nil {
		p.admitted, err = p.e.reopen(ctx, p.w, p.st.Admitted.Release)
	}
	return err
}

func (p *pass) interval() time.Duration {
	if d := time.Duration(p.spec.Drift.Interval); d > 0 {
		return d
	}
	return time.Minute
}

// input is the planner's world for one target.
func (p *pass) input(target *manifest.Release, ro rollout.State) (plan.Input, error) {
	in := plan.Input{
		Now: p.now, Pipeline: p.w.pipeline.Name, Environment: p.spec, Target: target,
		Applied: p.st.Applied, Inventory: p.inventory(target), Surveys: p.e.look.surveys, Rollout: ro,
		Holds: p.holds(), Items: p.st.Drift, Parked: p.parked(), Wrote: p.st.Wrote, Rounds: p.rounds(),
		Observing: p.suspended(),
	}
	switch {
	case target == nil:
	case target == p.moving:
		in.Previous = p.stable
	default:
		in.Previous = p.moving
	}
	if target != nil {
		var err error
		if in.Specs, err = p.e.canonical(target, p.e.bindings()); err != nil {
			return in, fmt.Errorf("canonical form: %w", err)
		}
		in.Approved = approve.Guarded(p.st.Approvals, record.Key{Content: target.Content, Overlay: target.Overlay}, p.now)
	}
	return in, nil
}

// inventory is the last look, split for one target: what that target does not
// declare is an orphan.
func (p *pass) inventory(target *manifest.Release) providers.Inventory {
	inv := p.e.look.inventory
	if target == nil {
		return inv
	}
	declared := make(map[manifest.Ref]bool, len(target.Resources))
	for _, res := range target.Resources {
		declared[res.Ref] = true
	}
	inv.Orphans = maps.Clone(inv.Orphans)
	if inv.Orphans == nil {
		inv.Orphans = map[manifest.Ref]providers.Live{}
	}
	for ref, live := range inv.Live {
		if _, applied := p.st.Applied[ref]; !declared[ref] && live.Exists && applied {
			inv.Orphans[ref] = live
		}
	}
	return inv
}

// remember appends records and reads the state anew.
func (p *pass) remember(ctx context.Context, recs ...journal.Record) error {
	err := p.e.remember(ctx, recs...)
	p.st = p.e.state()
	return err
}

// holds that are active, sorted by id.
func (p *pass) holds() []record.Hold {
	var out []record.Hold
	for _, id := range slices.Sorted(maps.Keys(p.st.Holds)) {
		if h := p.st.Holds[id]; h.Active(p.now) {
			out = append(out, h)
		}
	}
	return out
}

// rounds are the reverts made per difference.
func (p *pass) rounds() map[string]int {
	out := make(map[string]int, len(p.st.Rounds))
	for id, r := range p.st.Rounds {
		out[id] = r.Count
	}
	return out
}

// parked leaves out what may be tried again by now.
func (p *pass) parked() map[manifest.Ref]record.Outcome { return p.st.Parked }

func (p *pass) suspended() bool {
	for _, h := range p.holds() {
		if h.Kind == "suspend" {
			return true
		}
	}
	return false
}

// hold records a hold once.
func (p *pass) hold(ctx context.Context, h record.Hold) error {
	if old, ok := p.st.Holds[h.ID]; ok && old.Active(p.now) {
		return nil // tidy sees to its alert
	}
	if h.Since.IsZero() {
		h.Since = p.now
	}
	if h.Owner == "" {
		h.Owner = ownerMooring
	}
	p.changed = true
	if err := p.remember(ctx, journal.Record{Hold: &h}); err != nil {
		return err
	}
	return p.fire(ctx, p.holdEvent(h))
}

func (p *pass) lift(ctx context.Context, id, by, why string) error {
	if err := p.remember(ctx, journal.Record{Lift: &journal.Lift{ID: id, By: by, Why: why}}); err != nil {
		return err
	}
	return p.resolve(ctx, "hold", id)
}

// report sums the pass up and says when the next is due.
func (p *pass) report(err error) Report {
	r := Report{Environment: p.e.name, Outcome: p.outcome(err), Steps: p.wrote, Facts: len(p.plan.Facts)}
	_, r.Reason = p.stateWord(err)
	r.Next = p.e.nextLook(p.interval())
	for _, t := range slices.Concat(p.timers, p.later, p.rechecks()) {
		if t.Before(r.Next) {
			r.Next = t
		}
	}
	if p.changed || p.wrote > 0 {
		r.Next = p.now
	}
	rests := err == nil && !p.changed && p.wrote == 0 && !p.e.busy()
	stands := p.st.Rollout.Phase == rollout.Idle || p.st.Rollout.Paused != "" || p.stuck()
	r.Quiet = rests && (len(p.timers) == 0 || stands && p.holding())
	return r
}

// stuck: a rollout whose next step waits for a person, and nothing else is to
// be done.
func (p *pass) stuck() bool {
	return p.st.Rollout.Phase != rollout.Shift && len(p.plan.Steps) == 0 &&
		slices.ContainsFunc(p.plan.Waits, func(w plan.Wait) bool { return w.For == "hold" || w.For == "parked" })
}

// rechecks is when time alone may change what was decided about the head.
func (p *pass) rechecks() []time.Time {
	var out []time.Time
	if j := p.st.Judged; j != nil && j.Outcome != "allow" && j.RecheckAt.After(p.now) {
		out = append(out, j.RecheckAt)
	}
	return out
}

// outcome is the pass in one word.
func (p *pass) outcome(err error) string {
	switch {
	case err != nil:
		return "error"
	case p.st.Judged != nil && (p.st.Judged.Outcome == "deny" || p.st.Judged.Outcome == "error" || p.st.Judged.Outcome == "invalid"):
		return "denied"
	case p.holding(), p.waitsForWindow(), p.waits != "" && p.waits != "manual" && p.waits != promote.CodeWaiting:
		return "held"
	case p.st.Rollout.Phase != rollout.Idle:
		return "progressing"
	case len(p.confirmed()) > 0:
		return "drifted"
	case p.wrote > 0 || len(p.plan.Facts) > 0 || p.waitsForSync():
		return "changes"
	}
	return "in_sync"
}

// holding: something of this environment waits for a person or a policy.
func (p *pass) holding() bool {
	if p.st.Judged != nil && p.st.Judged.Outcome == "hold" || p.st.Rollout.Paused != "" {
		return true
	}
	if p.st.Admitted != nil {
		if _, bad := quarantined(p.st, p.st.Admitted.Release.Key()); bad {
			return true
		}
	}
	return len(p.holds()) > 0
}

// waitsForSync: a release is admitted, and only a person lets it in.
func (p *pass) waitsForSync() bool {
	return p.spec.Sync == "manual" && p.st.Admitted != nil && p.st.Admitted.Release.Digest != p.st.Rollout.Release.Digest && !p.mayStart()
}

func (p *pass) confirmed() []record.DriftItem {
	var out []record.DriftItem
	for _, id := range slices.Sorted(maps.Keys(p.st.Drift)) {
		if item := p.st.Drift[id]; item.Confirmed() && item.Response != record.Ignore {
			out = append(out, item)
		}
	}
	return out
}
