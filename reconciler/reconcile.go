package reconciler

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/trace"
	"mooring.dev/sources/manifest"
)

// advances bounds how often plan and rollout may answer each other in one
// pass: a rollout has fewer phases than this.
const advances = 12

// reconcile plans toward the target, moves the rollout, remembers what was
// learned, and acts.
func (p *pass) reconcile(ctx context.Context) error {
	signal, err := p.signal(ctx)
	if err != nil {
		return err
	}
	ro, err := p.settle(ctx, signal)
	if err != nil {
		return err
	}
	if err := p.learn(ctx, ro); err != nil {
		return err
	}
	return errors.Join(p.act(ctx), p.disarm(ctx))
}

// settle lets the planner and the rollout answer each other until neither has
// news: what the planner sees in place moves the rollout, and where the
// rollout stands decides what is planned.
func (p *pass) settle(ctx context.Context, signal rollout.Signal) (rollout.State, error) {
	ro := p.st.Rollout
	for range advances {
		if err := p.aim(ctx, ro); err != nil {
			return ro, err
		}
		in, err := p.input(p.target, ro)
		if err != nil {
			return ro, err
		}
		_, span := trace.Start(ctx, "plan")
		p.plan = plan.Make(in)
		span.Number("mooring.steps", int64(len(p.plan.Steps)))
		span.End()
		next := rollout.Advance(ro, merged(signal, p.plan.Signal), p.now)
		if passes(ro, next) && p.questioned(ctx, &signal, next) {
			next = rollout.Advance(ro, merged(signal, p.plan.Signal), p.now)
		}
		if err := p.consequences(ctx, ro, next); err != nil {
			return ro, err
		}
		signal = rollout.Signal{Held: signal.Held, Pause: signal.Pause, Unasked: signal.Unasked, Unadvanced: signal.Unadvanced, Advance: signal.Advance, WeightCap: signal.WeightCap}
		moved := next.Phase != ro.Phase || next.Weight != ro.Weight || next.Release != ro.Release || next.Stage != ro.Stage
		ro = next
		if !moved {
			break
		}
	}
	p.e.stale = len(p.plan.Stale) > 0
	return ro, p.saveRollout(ctx, ro)
}

// passes: this advance takes a release past the last point at which nobody
// was served by it yet.
func passes(from, to rollout.State) bool {
	switch from.Phase {
	case rollout.Expand, rollout.Check:
		return to.Phase == rollout.Shift || to.Phase == rollout.Connect
	}
	return to.Phase == rollout.Shift && from.Phase != rollout.Shift
}

// questioned asks what has to be asked before a release serves its first call,
// whether or not a pre-traffic check is declared: the contract against what
// lives, and, where traffic moves in stages, policy. It is false when there
// was nothing to say to the rollout.
func (p *pass) questioned(ctx context.Context, sig *rollout.Signal, next rollout.State) bool {
	if !p.fulfilled(sig, p.contractNow(ctx, p.moving)) {
		return true
	}
	if next.Phase != rollout.Shift {
		return false
	}
	before := next
	before.Phase, before.Weight = rollout.Check, 0
	if p.askRollout(ctx, sig, before); sig.Pause == "" && sig.Abort == "" && sig.Unasked == "" {
		p.guarded(ctx, sig, next)
	}
	return true
}

// aim points the pass at what shall live in this state of the rollout.
func (p *pass) aim(ctx context.Context, ro rollout.State) error {
	var err error
	if p.moving == nil || p.moving.Commit != ro.Release.Commit {
		if p.moving, err = p.e.reopen(ctx, p.w, ro.Release); err != nil {
			return err
		}
	}
	if p.stable == nil && ro.Stable.Commit != "" || p.stable != nil && p.stable.Commit != ro.Stable.Commit {
		if p.stable, err = p.e.reopen(ctx, p.w, ro.Stable); err != nil {
			return err
		}
	}
	p.target = p.moving
	if ro.Phase == rollout.Back && p.stable != nil {
		p.target = p.stable
	}
	return nil
}

// merged adds what the planner saw to what the shell knows.
func merged(shell, planned rollout.Signal) rollout.Signal {
	shell.Ready, shell.Versions, shell.Routed = planned.Ready, planned.Versions, planned.Routed
	shell.Foreign, shell.Impossible = planned.Foreign, planned.Impossible
	return shell
}

// saveEvery is how often accrued time alone is worth a record.
const saveEvery = 5 * time.Second

// saveRollout remembers a state that says something new.
func (p *pass) saveRollout(ctx context.Context, ro rollout.State) error {
	before := p.st.Rollout
	quiet := ro
	quiet.Tick, quiet.Elapsed = before.Tick, before.Elapsed
	if reflect.DeepEqual(quiet, before) && (ro.Phase == rollout.Idle || ro.Tick.Sub(before.Tick) < saveEvery) {
		return nil
	}
	if ro.Phase != before.Phase || ro.Weight != before.Weight || ro.Verdict != before.Verdict || ro.Paused != before.Paused {
		p.changed = true
		p.traceRollout(ctx, "rollout", ro)
		p.e.log.Info("rollout moved", zap.String("commit", short(ro.Release.Commit)), zap.String("phase", string(ro.Phase)),
			zap.Int("weight", ro.Weight), zap.String("verdict", string(ro.Verdict)), zap.String("reason", ro.Reason), zap.String("paused", ro.Paused))
	}
	saved := ro
	saved.Done = false
	return p.remember(ctx, journal.Record{Rollout: &saved}) // tidy tells people
}

// consequences of one advance: content that failed is quarantined the moment
// it does, and what was sent back undecided is not tried again by itself.
func (p *pass) consequences(ctx context.Context, before, after rollout.State) error {
	if after.Failed && !before.Failed {
		p.changed = true
		q := record.Quarantine{Key: after.Release.Key(), Reason: after.Reason, At: p.now}
		if err := p.remember(ctx, journal.Record{Quarantine: &q}); err != nil {
			return err
		}
	}
	if !after.Done {
		return nil
	}
	p.changed = true
	outcome := "released"
	if before.Phase == rollout.Back {
		outcome = "rolled_back"
	}
	p.e.d.opts.Metrics.Rollout(outcome)
	p.traceRollout(ctx, outcome, after)
	return p.holdReturned(ctx, before)
}

// holdReturned keeps what was sent back without a verdict from beginning again
// by itself.
func (p *pass) holdReturned(ctx context.Context, ro rollout.State) error {
	if ro.Phase != rollout.Back {
		return nil
	}
	h := record.Hold{About: ro.Release.Commit, Until: p.now.Add(mitigationHold)}
	switch ro.Returned {
	case rollout.ByUndecided:
		h.Kind, h.Reason = "undecided", "the release was neither shown to be harmless nor harmful in time: "+ro.Reason
	case rollout.BySwitch:
		h.Kind, h.Reason = "deadman", ro.Reason+"; see why nobody did, and then `mooring resume`"
	default:
		return nil
	}
	h.ID = holdID(h.Kind, p.e.name, ro.Release.Digest)
	return p.hold(ctx, h)
}

// learn appends facts, drift and holds that the plan found.
func (p *pass) learn(ctx context.Context, ro rollout.State) error {
	var recs []journal.Record
	for _, f := range p.plan.Facts {
		recs = append(recs, journal.Record{Fact: &f})
	}
	for _, item := range p.plan.Items {
		if old, ok := p.st.Drift[item.ID]; !ok || !sameItem(old, item) {
			recs = append(recs, journal.Record{Drift: &item})
		}
		p.lookAgain(item)
	}
	for _, id := range p.plan.Resolved {
		recs = append(recs, journal.Record{Resolved: &journal.Resolved{ID: id, How: p.howResolved(id)}})
	}
	for _, w := range p.plan.Waits {
		if w.For == "settling" { // a version too: its function is at rest already
			p.e.look.touch(w.Ref, p.now.Add(p.e.d.opts.Pace.Settle))
		}
	}
	resolved := p.resolvedItems()
	p.changed = p.changed || len(recs) > 0
	if err := p.remember(ctx, append(recs, p.placing(false)...)...); err != nil {
		return err
	}
	p.bind()
	for _, item := range resolved {
		if err := p.resolveDrift(ctx, item); err != nil {
			return err
		}
	}
	for _, h := range p.plan.Holds {
		if err := p.hold(ctx, h); err != nil {
			return err
		}
	}
	p.rolloutTimer(ro)
	return nil
}

// sameItem: nothing about the item is news. Later looks of a confirmed item
// are not.
func sameItem(a, b record.DriftItem) bool {
	if a.Confirmed() && b.Confirmed() {
		a.Seen, a.SeenAt = b.Seen, b.SeenAt
	}
	return reflect.DeepEqual(a, b)
}

// lookAgain asks for the second look that confirms a difference.
func (p *pass) lookAgain(item record.DriftItem) {
	if item.Confirmed() {
		return
	}
	at := p.now.Add(p.e.d.opts.Pace.SecondLook)
	if item.Parent != (manifest.Ref{}) && item.Kind == record.Extra {
		if _, ok := p.e.provider.(providers.Examiner); ok {
			p.e.look.suspect(item.Parent, at)
			return
		}
		if p.e.look.resurvey.IsZero() {
			p.e.look.resurvey = at
		}
		p.e.look.touch(item.Parent, at)
		return
	}
	p.e.look.touch(item.Ref, at)
}

// rolloutTimer wakes the pass that a moving rollout needs.
func (p *pass) rolloutTimer(ro rollout.State) {
	if ro.Phase == rollout.Idle {
		return
	}
	p.timers = append(p.timers, p.now.Add(p.lookEvery(ro)))
}

// lookEvery is the time between looks at a rollout: an eighth of the
// stage's hold, within bounds.
func (p *pass) lookEvery(ro rollout.State) time.Duration {
	every := p.e.d.opts.Pace.Look
	if ro.Phase == rollout.Shift && ro.Stage < len(ro.Stages) {
		hold := time.Duration(ro.Stages[ro.Stage].Hold)
		every = min(every, max(hold/8, 250*time.Millisecond))
	} else {
		every = min(every, p.e.d.opts.Pace.Settle*2)
	}
	return every
}

// start is the release that should begin to move now, if any.
func (p *pass) start() (*rollout.Start, error) {
	ro, adm := p.st.Rollout, p.st.Admitted
	if adm != nil && adm.Release.Digest == ro.Release.Digest && ro.Failed && ro.Phase != rollout.Idle && ro.Phase != rollout.Back {
		return p.again()
	}
	if adm != nil && adm.Release.Digest == ro.Release.Digest && ro.Phase == rollout.Idle && p.e.stale {
		return p.again()
	}
	if adm == nil || adm.Release.Digest == ro.Release.Digest || ro.Next != nil && ro.Next.Release.Digest == adm.Release.Digest {
		return nil, nil
	}
	if _, bad := quarantined(p.st, adm.Release.Key()); bad || p.rolledBack() {
		return nil, nil
	}
	return p.startOf(adm.Release)
}

// retreat is the way back to stable while a release moves, or waits to, that is
// not wanted any more: the newest one let in is a content that failed before,
// which is not tried again. A person's rollback is on its way back already.
func (p *pass) retreat() *rollout.Start {
	ro, adm := p.st.Rollout, p.st.Admitted
	if adm == nil || ro.Stable.Digest == "" {
		return nil
	}
	if _, bad := quarantined(p.st, adm.Release.Key()); !bad {
		return nil
	}
	moves := ro.Release
	switch ro.Phase {
	case rollout.Expand, rollout.Check, rollout.Shift:
	case rollout.Back:
		if ro.Next == nil {
			return nil
		}
		moves = ro.Next.Release
	default: // every stage was passed, or nothing moves
		return nil
	}
	if moves.Key() == adm.Release.Key() {
		return nil
	}
	return &rollout.Start{Release: ro.Stable}
}

// again is the same release once more: a first deployment that stopped, once a
// person took its content out of quarantine, or the release in force when a
// binding moved and the versions that serve no longer carry it.
func (p *pass) again() (*rollout.Start, error) {
	if _, bad := quarantined(p.st, p.st.Admitted.Release.Key()); bad {
		return nil, nil
	}
	s, err := p.startOf(p.st.Admitted.Release)
	if s != nil {
		s.Retry = true
	}
	return s, err
}

// rolledBack: somebody rolled back, and that holds until it is lifted.
func (p *pass) rolledBack() bool {
	for _, h := range p.holds() {
		if h.Kind == "rollback" {
			return true
		}
	}
	return false
}

// startOf is a release about to move: the functions whose traffic has to, each
// with the version that last proved itself, and whether weights can be used.
func (p *pass) startOf(to record.Release) (*rollout.Start, error) {
	rel := p.admitted
	if rel == nil || rel.Digest != to.Digest {
		return nil, fmt.Errorf("start release %s: it renders otherwise now", short(to.Digest))
	}
	in, err := p.input(rel, p.st.Rollout)
	if err != nil {
		return nil, err
	}
	stable := p.st.Rollout.Release
	if p.st.Rollout.Phase != rollout.Idle {
		stable = p.st.Rollout.Stable
	}
	changing := plan.Changing(in)
	s := &rollout.Start{Release: to, Stable: stable, Cause: string(plan.Commit), Rollout: p.ladder(rel, changing), Functions: changing}
	if why := plan.Blind(in); why != "" {
		s.Blind = "not canaried: " + why
	}
	return s, nil
}

// ladder is the release's one ladder, merged from those of what changes.
func (p *pass) ladder(rel *manifest.Release, changing []rollout.Function) manifest.Rollout {
	var of []manifest.Rollout
	for _, f := range changing {
		of = append(of, rel.Functions[f.Ref].Rollout)
	}
	if len(of) == 0 {
		return p.spec.Rollout
	}
	return rollout.Merge(of...)
}
