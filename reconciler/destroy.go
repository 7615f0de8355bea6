package reconciler

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"go.uber.org/zap"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// requestDestroy is the wish that what is left of an environment goes, withData
// with what holds data, and destroyFault the kind of alert that it does not.
const requestDestroy, withData, destroyFault = "destroy", "data", "destroy"

// placed is where the environment is now, in as far as that is needed once
// mooring.yaml does not say it any more.
func (p *pass) placed() *record.Place {
	s := p.spec
	return &record.Place{Pipeline: p.w.pipeline.Name, Naming: p.w.pipeline.Naming,
		Environment: manifest.Environment{Name: s.Name, Branch: s.Branch, Path: s.Path, Provider: s.Provider}}
}

// placing is the record of where the environment is, when that is news and
// something of it is there, or is about to be.
func (p *pass) placing(writes bool) []journal.Record {
	at := p.placed()
	if !writes && len(p.st.Applied) == 0 || reflect.DeepEqual(p.st.Place, at) {
		return nil
	}
	return []journal.Record{{Place: at}}
}

// destroying is the wish that is open, if any.
func destroying(st *journal.Environment) (journal.Request, bool) {
	for _, r := range sorted(st.Requests) {
		if r.Kind == requestDestroy {
			return r, true
		}
	}
	return journal.Request{}, false
}

// unwish ends a wish to destroy an environment that the pipeline has again.
func (p *pass) unwish(ctx context.Context) error {
	r, open := destroying(p.st)
	if !open {
		return nil
	}
	r.Done, r.Result = true, "the environment is in mooring.yaml again"
	return p.remember(ctx, journal.Record{Request: &r})
}

// remains is the pass in which an environment that the pipeline does not have is
// looked at: as if the pipeline still had it where it was.
func (e *environment) remains(w *world) (*pass, error) {
	st := e.state()
	switch at := st.Place; {
	case at == nil:
		return nil, fmt.Errorf("%s: it is not known where it was; put it into mooring.yaml once more, and take it out when `mooring status` has shown it", e.name)
	case at.Pipeline != w.pipeline.Name:
		return nil, fmt.Errorf("%s: its resources are those of pipeline %s, and this one is %s: another pipeline's are never touched", e.name, at.Pipeline, w.pipeline.Name)
	}
	was, pipeline := *w, *w.pipeline
	pipeline.Naming = st.Place.Naming
	pipeline.Environments = append(slices.Clone(pipeline.Environments), st.Place.Environment)
	was.pipeline, was.digest = &pipeline, pipelineDigest(&pipeline)
	e.passes++
	p := &pass{e: e, w: &was, spec: st.Place.Environment, st: st, now: e.d.opts.Now(), number: e.passes}
	e.tell(p.now)
	return p, nil
}

// ruin looks at what is left of the environment and plans that it goes.
func (p *pass) ruin(ctx context.Context, data bool) (plan.Input, plan.Destruction, error) {
	var none plan.Destruction
	if err := p.e.open(ctx, p.w, p.spec); err != nil {
		return plan.Input{}, none, err
	}
	if err := p.loadReleases(ctx); err != nil {
		return plan.Input{}, none, fmt.Errorf("what %s declared last: %w", p.e.name, err)
	}
	want := union(p.stable, p.moving, p.admitted)
	if err := p.e.observe(ctx, want, p.interval(), false); err != nil {
		return plan.Input{}, none, err
	}
	p.e.settling()
	in, err := p.input(nil, rollout.State{})
	if err != nil {
		return in, none, err
	}
	in.Previous = &manifest.Release{Digest: p.st.Rollout.Release.Digest, Resources: want}
	return in, plan.Destroy(in, data), nil
}

// destroy makes one pass that takes away what is left, as somebody wished.
func (e *environment) destroy(ctx context.Context, w *world, wish journal.Request) (Report, error) {
	r := Report{Environment: e.name, Outcome: "progressing", Next: e.d.opts.Now().Add(e.d.opts.Pace.RetryMax)}
	p, err := e.remains(w)
	if err != nil {
		r.Outcome = "error"
		return r, err
	}
	e.at.Store(p)
	left, err := p.destroyOnce(ctx, wish)
	if err = errors.Join(err, p.destroyTold(ctx, w)); err != nil {
		r.Outcome = "error"
	}
	r.Steps, r.Facts = p.wrote, len(p.plan.Facts)
	r.Next = e.nextLook(p.interval())
	for _, t := range p.timers {
		if t.Before(r.Next) {
			r.Next = t
		}
	}
	if p.changed || p.wrote > 0 {
		r.Next = p.now
	}
	p.destroyRests(&r, left)
	e.bury(left, p.stuckWhy(), err)
	return r, err
}

// destroyRests says of a pass without an error whether the removal is over, or
// rests until somebody does something.
func (p *pass) destroyRests(r *Report, left plan.Destruction) {
	if r.Outcome == "error" {
		return
	}
	if !p.e.wished() {
		r.Outcome, r.Reason, r.Quiet = "destroyed", destroyResult(left), true
		return
	}
	r.Reason = fmt.Sprintf("it is being destroyed; left: %d", len(left.Going)+len(left.Unseen))
	if again := len(p.plan.Steps) > 0 && !p.suspended(); again || p.changed || p.wrote > 0 || p.e.busy() {
		return
	}
	stuck := p.stuckWhy()
	r.Outcome, r.Quiet = "held", true
	if stuck == "" && len(left.Waits) > 0 {
		stuck = fmt.Sprintf("%s waits: %s", left.Waits[0].Ref, left.Waits[0].Why)
	}
	r.Reason += "; " + stuck
}

// destroyOnce looks, and takes away what may go now.
func (p *pass) destroyOnce(ctx context.Context, wish journal.Request) (plan.Destruction, error) {
	if err := p.expireHolds(ctx); err != nil {
		return plan.Destruction{}, err
	}
	in, left, err := p.ruin(ctx, wish.To == withData)
	if err != nil {
		return left, err
	}
	p.plan = left.Plan
	if p.e.look.surveys < 2 && p.e.look.resurvey.IsZero() {
		p.e.look.resurvey = p.now.Add(p.e.d.opts.Pace.SecondLook)
	}
	if len(left.Facts) > 0 {
		p.changed = true
		if err := p.remember(ctx, facts(left.Facts)...); err != nil {
			return left, err
		}
	}
	if left.Over() && p.e.look.surveys > 1 && p.e.look.resurvey.IsZero() {
		return left, p.destroyed(ctx, wish, left)
	}
	if in.Observing {
		return left, nil
	}
	return left, errors.Join(p.disarm(ctx), p.act(ctx)) // a switch speaks of an alias that goes
}

func facts(all []record.Fact) []journal.Record {
	out := make([]journal.Record, 0, len(all))
	for _, f := range all {
		out = append(out, journal.Record{Fact: &f})
	}
	return out
}

// destroyed ends it: what stays is nobody's concern any more, and were the
// environment put back, its release would begin as in an empty one.
func (p *pass) destroyed(ctx context.Context, wish journal.Request, left plan.Destruction) error {
	wish.Done, wish.Result = true, destroyResult(left)
	var recs []journal.Record
	for _, item := range sorted(p.st.Drift) {
		recs = append(recs, journal.Record{Resolved: &journal.Resolved{ID: item.ID, How: "gone"}})
	}
	at := *p.st.Place
	at.LetGo = true
	recs = append(recs, journal.Record{Place: &at}, journal.Record{Request: &wish})
	p.e.log.Info("environment destroyed", zap.String("reason", wish.Result))
	return p.remember(ctx, recs...)
}

// destroyResult is what a removal came to.
func destroyResult(left plan.Destruction) string {
	if len(left.Kept) == 0 {
		return "nothing is left of it"
	}
	return "what is left of it is kept: " + keptNames(left.Kept)
}

func keptNames(kept []plan.Spared) string {
	var names []string
	for _, k := range kept[:min(len(kept), 5)] {
		names = append(names, k.Ref.String())
	}
	if n := len(kept) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return namesOf(names)
}

// stuckWhy is why nothing goes on until a person does something; "" when it does.
func (p *pass) stuckWhy() string {
	if p.suspended() {
		return "it is suspended, which `mooring resume --environment " + p.e.name + "` ends"
	}
	for _, kind := range []string{"parked", "hold"} {
		for _, w := range p.plan.Waits {
			if w.For == kind {
				return fmt.Sprintf("%s waits: %s", w.Ref, w.Why)
			}
		}
	}
	return ""
}

// destroyTold tells of a removal that was refused for good, until it was not.
func (p *pass) destroyTold(ctx context.Context, w *world) error {
	for _, wait := range p.plan.Waits {
		if wait.For == "parked" {
			return p.e.alert(ctx, w, event{
				kind: destroyFault, severity: "high", title: fmt.Sprintf("what is left of environment %s cannot be destroyed", p.e.name),
				text: fmt.Sprintf("%s: %s", wait.Ref, wait.Why),
			}, "firing")
		}
	}
	return p.e.alert(ctx, w, event{kind: destroyFault}, "resolved")
}

// Destruction is what Destroy would take away, and what it would leave.
func (d *Daemon) Destruction(ctx context.Context, name string, data bool, by access.Person) (web.Destruction, error) {
	if err := by.Check(access.Destroy, name); err != nil {
		return web.Destruction{}, err
	}
	if err := d.destroyable(name); err != nil {
		return web.Destruction{}, err
	}
	var out web.Destruction
	return out, d.do(ctx, name, func(ctx context.Context, e *environment) error {
		p, err := e.remains(d.world.Load())
		if err != nil {
			return err
		}
		_, left, err := p.ruin(ctx, data)
		out = p.destruction(left)
		return err
	})
}

// Destroy has what is left of an environment removed that is not in the pipeline
// any more. It begins with the next pass, and a restart goes on with it.
func (d *Daemon) Destroy(ctx context.Context, r web.DestroyRequest) error {
	if err := r.By.Check(access.Destroy, r.Environment); err != nil {
		return err
	}
	switch {
	case r.Reason == "":
		return fmt.Errorf("destroy %s: it needs a reason (--reason)", r.Environment)
	case r.Confirm != r.Environment:
		return fmt.Errorf("destroy %s: it is confirmed by the environment's name (--confirm %s)", r.Environment, r.Environment)
	case d.opts.ReadOnly:
		return fmt.Errorf("destroy %s: this daemon only looks (--read-only)", r.Environment)
	}
	if err := d.destroyable(r.Environment); err != nil {
		return err
	}
	return d.do(ctx, r.Environment, func(ctx context.Context, e *environment) error {
		if _, err := e.remains(d.world.Load()); err != nil {
			return err
		}
		wish := journal.Request{ID: d.opts.NewID("req"), Kind: requestDestroy, By: r.By.Name, Reason: r.Reason, At: d.opts.Now()}
		if r.Data {
			wish.To = withData
		}
		if before, open := destroying(e.state()); open {
			wish.ID = before.ID // said anew, with or without what holds data
		}
		return e.remember(ctx, journal.Record{Request: &wish})
	})
}

// destroyable says why an environment cannot be destroyed, or that nobody knows it.
func (d *Daemon) destroyable(name string) error {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return fmt.Errorf("destroy %s: the repository was not read yet", name)
	}
	if _, declared := w.pipeline.Environment(name); declared {
		return fmt.Errorf("destroy %s: it is in mooring.yaml; take it out there first, by a commit on branch %s, and destroy what is left then", name, w.main)
	}
	if d.environment(name) == nil {
		return d.unknown(name)
	}
	return nil
}

// destruction is what is left as people see it.
func (p *pass) destruction(left plan.Destruction) web.Destruction {
	out := web.Destruction{Environment: p.e.name, Deletes: []web.Doomed{}, Keeps: []web.Spared{}, Holds: []web.HoldStatus{}, Unknown: []web.Unobservable{}}
	_, out.Begun = destroying(p.st)
	for _, g := range left.Going {
		row := web.Doomed{Resource: g.Ref.String(), Name: g.Name, Data: g.Stateful}
		if g.With != (manifest.Ref{}) {
			row.With = g.With.String()
		}
		out.Deletes = append(out.Deletes, row)
	}
	for _, k := range left.Kept {
		out.Keeps = append(out.Keeps, web.Spared{Resource: k.Ref.String(), Name: k.Name, Why: k.Why, Data: k.Data})
	}
	for _, h := range p.holds() {
		out.Holds = append(out.Holds, holdStatus(h))
	}
	unseen := map[manifest.Ref]string{}
	for _, w := range left.Waits {
		if _, said := unseen[w.Ref]; w.For == "unknown" && !said {
			unseen[w.Ref] = w.Why
		}
	}
	for _, ref := range left.Unseen {
		out.Unknown = append(out.Unknown, web.Unobservable{Path: ref.String(), Why: unseen[ref]})
	}
	return out
}

var _ web.Destroyer = (*Daemon)(nil)
