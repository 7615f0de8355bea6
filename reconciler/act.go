package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/trace"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// act carries out the plan's steps, a few at a time: the intents first into
// the journal, then the calls, then what was answered. What really happened
// is for the next pass to see.
func (p *pass) act(ctx context.Context) error {
	steps := p.due()
	if len(steps) == 0 {
		return nil
	}
	if err := p.e.checkAccount(ctx); err != nil {
		return err
	}
	intents := p.placing(true)
	for _, s := range steps {
		intents = append(intents, journal.Record{Intent: &record.Intent{
			Ref: s.Ref, Operation: string(s.Operation), Cause: string(s.Cause), Release: s.Change.Release,
			Guard: s.Change.Guard, At: p.e.d.opts.Now(),
		}})
	}
	if err := p.remember(ctx, intents...); err != nil {
		return err
	}
	outcomes := make([]record.Outcome, len(steps))
	var g crew.Crew
	g.SetLimit(p.e.d.opts.Pace.Parallel)
	for i, s := range steps {
		g.Go(func() error {
			outcomes[i] = p.carryOut(ctx, s)
			return nil
		})
	}
	_ = g.Wait() // no step returns an error: each has its outcome
	p.wrote = len(steps)
	return p.answered(ctx, steps, outcomes)
}

// due leaves out what failed a moment ago.
func (p *pass) due() []plan.Step {
	var out []plan.Step
	for _, s := range p.plan.Steps {
		if b, ok := p.e.backoff[s.Ref]; ok && p.now.Before(b.next) {
			p.timers = append(p.timers, b.next)
			continue
		}
		if p.unguarded(s) { // the next pass writes the switch, or says why it cannot
			p.timers = append(p.timers, p.now.Add(p.e.d.opts.Pace.Settle))
			continue
		}
		out = append(out, s)
	}
	return out
}

// carryOut makes one step's call.
func (p *pass) carryOut(ctx context.Context, s plan.Step) record.Outcome {
	out := record.Outcome{Ref: s.Ref, Operation: string(s.Operation), Input: stepInput(s)}
	if ctx.Err() != nil { // a cancelled pass starts no write
		out.Kind, out.Error, out.At = providers.Transient.String(), ctx.Err().Error(), p.e.d.opts.Now()
		return out
	}
	ctx, span := trace.Start(ctx, "step")
	defer span.End()
	receipt, err := p.call(ctx, s)
	if span != nil {
		span.Text(spanResource, s.Ref.String())
		span.Text(spanOperation, string(s.Operation))
		span.Text("mooring.cause", string(s.Cause))
		span.Failed(kindOf(err))
	}
	out.RequestIDs, out.At = receipt.RequestIDs, p.e.d.opts.Now()
	if err != nil {
		out.Kind, out.Error = providers.KindOf(err).String(), fmt.Errorf("%s %s: %w", s.Operation, s.Ref, err).Error()
	}
	return out
}

func (p *pass) call(ctx context.Context, s plan.Step) (providers.Receipt, error) {
	switch s.Operation {
	case plan.Create, plan.Update:
		return p.e.provider.Put(ctx, s.Change)
	case plan.Publish:
		_, receipt, err := p.e.provider.Publish(ctx, s.Change)
		return receipt, err
	case plan.Route:
		return p.e.provider.Route(ctx, s.Change, s.Routing)
	case plan.Delete:
		return p.e.provider.Delete(ctx, s.Change.Resource, s.Change.Guard)
	case plan.Detach:
		return p.e.provider.Detach(ctx, s.Change.Resource, s.Extra)
	}
	return providers.Receipt{}, providers.Errorf(providers.Invalid, "unknown operation %q", s.Operation)
}

// stepInput is what a permanent failure was about: the same input is not
// tried again.
func stepInput(s plan.Step) string { return s.Input() }

// answered remembers the answers, and asks for the looks that tell what
// became of the calls.
func (p *pass) answered(ctx context.Context, steps []plan.Step, outcomes []record.Outcome) error {
	recs := make([]journal.Record, 0, len(outcomes))
	for i := range outcomes {
		out, s := &outcomes[i], steps[i]
		recs = append(recs, journal.Record{Outcome: out})
		p.afterStep(s, *out)
	}
	// A farewell write under its own deadline: an answer must not be lost
	// because the daemon was asked to stop meanwhile.
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
	}
	return p.remember(ctx, recs...) // tidy tells about what is refused for good
}

// conflictsAtOnce is how many conflicts in a row are answered by looking and
// planning again at once.
const conflictsAtOnce = 2

func (p *pass) afterStep(s plan.Step, out record.Outcome) {
	now := p.e.d.opts.Now()
	p.e.look.touch(s.Ref, now)
	if s.Operation == plan.Detach || s.Operation == plan.Delete {
		p.e.look.resurvey = now.Add(p.e.d.opts.Pace.SecondLook)
		if out.Error == "" {
			p.e.look.forget(s.Ref)
		}
	}
	fields := []zap.Field{zap.Stringer("resource", s.Ref), zap.String("operation", string(s.Operation)), zap.String("cause", string(s.Cause))}
	if out.Error == "" {
		delete(p.e.backoff, s.Ref)
		p.e.log.Info("step", fields...)
		return
	}
	kind := providers.Transient
	for _, k := range []providers.Kind{providers.Conflict, providers.Throttled, providers.Invalid, providers.Denied} {
		if k.String() == out.Kind {
			kind = k
		}
	}
	p.e.log.Warn("step refused", append(fields, zap.String("kind", out.Kind), zap.String("error", out.Error))...)
	b := p.e.backoff[s.Ref]
	b.tries++
	if kind == providers.Conflict && b.tries <= conflictsAtOnce {
		p.e.backoff[s.Ref] = b
		return // look and plan again at once; a conflict that stays is slowed down
	}
	b.next = now.Add(doubled(p.e.d.opts.Pace.Retry, b.tries, p.e.d.opts.Pace.RetryMax))
	p.e.backoff[s.Ref] = b
}

// housekeep cleans versions up. What it cannot do is told, and tried again
// later: it is no reason to think worse of the release.
func (p *pass) housekeep(ctx context.Context) {
	if p.now.Before(p.e.cleanFrom) {
		return
	}
	if err := p.clean(ctx); err != nil {
		p.e.cleanFrom = p.now.Add(cleanAgain)
		p.e.log.Warn("old versions could not be removed", zap.Error(err))
	}
}

// cleanAgain is how long a failed clean-up rests.
const cleanAgain = time.Hour

// clean removes versions that nothing needs any more, after a release has
// come to rest. However many releases failed since, the two that were in force
// last keep theirs.
func (p *pass) clean(ctx context.Context) error {
	cleaner, ok := p.e.provider.(providers.Cleaner)
	if !ok || p.st.Rollout.Phase != rollout.Idle || p.target == nil || len(p.holds()) > 0 {
		return nil
	}
	var failed []error
	var good map[manifest.Ref][]string
	for _, res := range p.target.Resources {
		if !manifest.Versioned(res.Ref.Kind) && res.Ref.Kind != manifest.KindLayer {
			continue
		}
		live := p.e.look.inventory.Live[res.Ref]
		if len(live.Published) <= keepVersions+2 {
			continue
		}
		if good == nil {
			var err error
			if good, err = p.goodBefore(ctx); err != nil {
				return fmt.Errorf("clean versions: %w", err)
			}
		}
		receipt, err := cleaner.Clean(ctx, res, append([]string{p.st.Applied[res.Ref].Version}, good[res.Ref]...), keepVersions)
		if err != nil {
			failed = append(failed, fmt.Errorf("clean versions of %s: %w", res.Ref, err))
			continue
		}
		if err := p.remember(ctx, journal.Record{Outcome: &record.Outcome{
			Ref: res.Ref, Operation: "clean", RequestIDs: receipt.RequestIDs, At: p.e.d.opts.Now()}}); err != nil {
			return err
		}
		p.e.look.touch(res.Ref, p.e.d.opts.Now())
	}
	return errors.Join(failed...)
}

// goodBefore are the versions that carry what was in force before what is.
func (p *pass) goodBefore(ctx context.Context) (map[manifest.Ref][]string, error) {
	cached := maps.Clone(p.e.specs)
	defer func() { p.e.specs = cached }()
	out := map[manifest.Ref][]string{}
	for _, r := range slices.Backward(p.st.Rollouts) {
		if r.Outcome != journal.InForce || r.Release.Digest == p.st.Rollout.Release.Digest {
			continue
		}
		rel, err := p.e.reopen(ctx, p.w, r.Release)
		if errors.Is(err, sources.ErrUnknownCommit) {
			return out, nil // nobody can return to it
		}
		if err != nil {
			return nil, err
		}
		specs, err := p.e.canonical(rel, p.e.bindings())
		if err != nil {
			return nil, fmt.Errorf("canonical form: %w", err)
		}
		for _, res := range rel.Resources {
			if back, _ := p.backTo(rel, res, specs[res.Ref].Snapshot); back != "" {
				out[res.Ref] = []string{back}
			}
		}
		return out, nil
	}
	return out, nil
}

// keepVersions is how many versions beside those in use are kept to go back to.
const keepVersions = 5
