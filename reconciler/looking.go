package reconciler

import (
	"context"
	"fmt"

	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// onlyLooks is said of whatever a daemon does not do because it only looks.
const onlyLooks = "this daemon only looks (--read-only)"

// look is the pass of a daemon that only looks: the branch's head is taken as
// what should be in place, whoever put it there, and every difference is
// judged and told. Nothing is admitted, released, checked or moved on.
func (p *pass) look(ctx context.Context) error {
	if p.spec.Drift.Response == "revert" {
		p.spec.Drift.Response = string(record.Alert)
	}
	if err := p.readHead(ctx); err != nil {
		return err
	}
	switch {
	case !p.head.there:
		return nil
	case p.head.err != nil:
		return p.head.err
	}
	if err := p.e.checkAccount(ctx); err != nil {
		return err
	}
	rel := p.head.release
	p.target, p.moving = rel, rel
	if err := p.e.observe(ctx, rel.Resources, p.interval(), true); err != nil {
		return err
	}
	p.e.settling()
	in, err := p.input(rel, rollout.State{Release: named(rel)})
	if err != nil {
		return fmt.Errorf("compare with commit %s: %w", short(rel.Commit), err)
	}
	in.Applied, in.Observing, in.Unowned = asApplied(in, rel), true, true
	made := plan.Make(in)
	p.plan = plan.Plan{Items: made.Items, Resolved: made.Resolved} // nothing is learned that a release could be told from
	if err := p.learn(ctx, rollout.State{}); err != nil {
		return err
	}
	if err := p.drift(ctx); err != nil {
		return err
	}
	p.broken = p.contract(ctx, rel)
	return p.alertContract(ctx)
}

// onlyTold is an answer as a daemon that only looks carries it out.
func onlyTold(item record.DriftItem) record.DriftItem {
	if item.Response != record.Ignore && item.Response != record.Alert {
		item.Response, item.Reason = record.Alert, onlyLooks
	}
	return item
}
