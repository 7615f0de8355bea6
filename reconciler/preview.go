package reconciler

import (
	"context"
	"fmt"

	"mooring.dev/policy"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// Plan of an environment's head against what lives, with what policy says.
// Nothing is written, neither to the platform nor to the journal.
func (d *Daemon) Plan(ctx context.Context, name string) (out web.Plan, err error) {
	err = d.do(ctx, name, func(ctx context.Context, e *environment) error {
		out, err = e.preview(ctx, d.world.Load(), "")
		return err
	})
	return out, err
}

// baselineRef: without a journal, the branch's head is what drift is told
// from.
const baselineRef = "ref"

// PreviewPlan plans one environment without a daemon: the journal of opts may
// be empty, and is not written.
func PreviewPlan(ctx context.Context, opts Options, name string) (web.Plan, error) {
	e, w, err := alone(ctx, opts, name)
	if err != nil {
		return web.Plan{}, err
	}
	return e.preview(ctx, w, baselineRef)
}

// PreviewDrift looks for drift in one environment without a daemon.
func PreviewDrift(ctx context.Context, opts Options, name string) (web.Drift, error) {
	e, w, err := alone(ctx, opts, name)
	if err != nil {
		return web.Drift{}, err
	}
	return e.previewDrift(ctx, w)
}

// alone makes one environment that no daemon drives.
func alone(ctx context.Context, opts Options, name string) (*environment, *world, error) {
	d, err := New(ctx, opts)
	if err != nil {
		return nil, nil, err
	}
	if err := d.refresh(ctx, "cli"); err != nil {
		return nil, nil, err
	}
	e := d.environment(name)
	if e == nil {
		return nil, nil, d.unknown(name)
	}
	return e, d.world.Load(), nil
}

// glimpse is a pass that only looks.
func (e *environment) glimpse(ctx context.Context, w *world) (*pass, error) {
	p, err := e.bystander(w)
	if err != nil {
		return nil, err
	}
	if err := p.readHead(ctx); err != nil {
		return nil, err
	}
	if !p.head.there {
		return nil, fmt.Errorf("branch %s is not there", p.spec.Branch)
	}
	if p.head.err != nil {
		return p, p.head.err
	}
	return p, p.lookAround(ctx)
}

// bystander is a pass that neither reads the branch nor looks at the platform.
func (e *environment) bystander(w *world) (*pass, error) {
	spec, ok := w.pipeline.Environment(e.name)
	if !ok {
		return nil, fmt.Errorf("environment %q: %w", e.name, ErrUnknown)
	}
	return &pass{e: e, w: w, spec: spec, st: e.state(), now: e.d.opts.Now()}, nil
}

// lookAround looks at what lives as a pass does.
func (p *pass) lookAround(ctx context.Context) error {
	if err := p.e.open(ctx, p.w, p.spec); err != nil {
		return err
	}
	if err := p.loadReleases(ctx); err != nil || p.nothingToLookAt() {
		return err
	}
	return p.e.observe(ctx, union(p.stable, p.moving, p.admitted, p.head.release), p.interval(), false)
}

func (e *environment) preview(ctx context.Context, w *world, baseline string) (web.Plan, error) {
	out := blankPlan(e.name, baseline)
	p, err := e.glimpse(ctx, w)
	if err != nil {
		if p != nil {
			out.Commit = p.head.snap.Commit.SHA
		}
		return out, err
	}
	rel := p.head.release
	out.Commit, out.Content, out.Release = rel.Commit, rel.Content, rel.Digest
	road, err := p.road(rel)
	if err != nil {
		return out, err
	}
	for _, s := range road {
		if adopts(s) {
			out.Adopt = append(out.Adopt, s.Ref.String())
			continue
		}
		out.Steps = append(out.Steps, stepView(s))
	}
	if out.Traffic, err = p.plannedTraffic(rel, road); err != nil {
		return out, err
	}
	d, err := p.askAdmission(ctx, road)
	d = p.withTrespass(rel, p.withSignatures(ctx, d))
	out.Decision = decisionView(d)
	out.Holds = p.predictedHolds(rel)
	out.Outcome = planOutcome(out, d)
	if err != nil {
		return out, fmt.Errorf("admission policy: %w", err)
	}
	return out, nil
}

// blankPlan is a plan of which nothing is known yet.
func blankPlan(environment, baseline string) web.Plan {
	return web.Plan{Environment: environment, Outcome: "error", Baseline: baseline, Steps: []web.Step{}, Adopt: []string{}, Holds: []web.HoldStatus{},
		Decision: web.Decision{Point: string(policy.Admission), Outcome: "error", Findings: []web.Finding{}}}
}

// plannedTraffic is how calls get to what changes.
func (p *pass) plannedTraffic(rel *manifest.Release, road []plan.Step) ([]web.PlannedTraffic, error) {
	in, err := p.input(rel, p.st.Rollout)
	if err != nil {
		return nil, err
	}
	var out []web.PlannedTraffic
	for _, s := range plan.Traffic(in, road, p.ladder(rel, plan.Changing(in)).Stages) {
		t := web.PlannedTraffic{Resource: s.Ref.String(), Stages: []int{}, NotCanaried: s.Blind, Ways: []web.PlannedWay{}}
		for _, stage := range s.Stages {
			t.Stages = append(t.Stages, stage.Weight)
		}
		if probe := rel.Functions[s.Ref].Rollout.Analysis.Probe; probe.Of(s.Ref) && s.Alias != (manifest.Ref{}) {
			t.ProbesPerMinute = probe.PerMinute
		}
		for _, w := range s.Ways {
			t.Ways = append(t.Ways, web.PlannedWay{Resource: w.Ref.String(), Weighted: w.Weighted, How: w.How})
		}
		out = append(out, t)
	}
	return out, nil
}

// predictedHolds are the active ones and those this release would meet.
func (p *pass) predictedHolds(rel *manifest.Release) []web.HoldStatus {
	out := []web.HoldStatus{}
	for _, h := range p.holds() {
		out = append(out, holdStatus(h))
	}
	if hold, ok := p.unsafeUpdate(); ok && p.st.Branch != "" && p.head.judge {
		out = append(out, holdStatus(hold))
	}
	if q, bad := quarantined(p.st, named(rel).Key()); bad {
		out = append(out, web.HoldStatus{
			ID: holdID("quarantine", p.e.name, q.Key.Content), Kind: "quarantine", Owner: ownerMooring, Since: q.At,
			Reason: fmt.Sprintf("content %s failed and is quarantined: %s; `mooring retry --environment %s` lets it be tried again", short(q.Key.Content), q.Reason, p.e.name),
		})
	}
	out = append(out, p.missing(rel)...)
	in, err := p.input(rel, rollout.State{Release: named(rel), Phase: rollout.Contract})
	if err != nil {
		return out
	}
	in.Surveys = max(in.Surveys, 2)
	for _, h := range plan.Make(in).Holds {
		out = append(out, holdStatus(h))
	}
	return out
}

// missing names what this release needs and nobody here makes: it would wait
// for ever.
func (p *pass) missing(rel *manifest.Release) []web.HoldStatus {
	var out []web.HoldStatus
	for _, res := range rel.Resources {
		if res.Ref.Kind != manifest.KindSecret && res.Ref.Kind != manifest.KindParameter {
			continue
		}
		live, looked := p.e.look.inventory.Live[res.Ref]
		why := "does not exist"
		switch {
		case !looked:
			why = "could not be looked at"
		case live.Exists && live.Spec.Fields["scheduledForDeletion"] == "true":
			why = "is scheduled for deletion"
		case live.Exists:
			continue
		}
		out = append(out, web.HoldStatus{
			ID: holdID("contract", p.e.name, res.Ref.String()), Kind: "contract", Owner: ownerMooring, Resource: res.Ref.String(), Since: p.now,
			Reason: fmt.Sprintf("%s %s; what needs it waits until somebody makes it (%s)", res.Ref, why, res.Origin),
		})
	}
	return out
}

func planOutcome(out web.Plan, d policy.Decision) string {
	switch {
	case d.Outcome == policy.Deny:
		return "denied"
	case d.Outcome == policy.Error:
		return "error"
	case d.Outcome == policy.Hold || len(out.Holds) > 0:
		return "held"
	case len(out.Steps) > 0:
		return "changes"
	}
	return "in_sync"
}

// adopts: the step tags what lives as ours and changes nothing else.
func adopts(s plan.Step) bool {
	return s.Operation == plan.Update && s.Change.Adopt && len(s.Fields) == 0
}

func stepView(s plan.Step) web.Step {
	v := web.Step{Resource: s.Ref.String(), Operation: string(s.Operation), Cause: string(s.Cause), Fields: []web.Field{}}
	for _, f := range s.Fields {
		v.Fields = append(v.Fields, web.Field{Path: f.Path, Before: value(f.Before), After: value(f.After), Sensitive: f.Sensitive})
	}
	return v
}

func decisionView(d policy.Decision) web.Decision {
	v := web.Decision{Point: string(d.Point), Outcome: string(d.Outcome), Findings: []web.Finding{}}
	for _, f := range d.Findings {
		v.Findings = append(v.Findings, web.Finding{Code: f.Code, Msg: f.Msg, Resource: f.Resource, Path: f.Path, Level: f.Level, Remediation: f.Remediation})
	}
	return v
}

// previewDrift takes the head as what should be in place and names what is
// not. One look cannot confirm.
func (e *environment) previewDrift(ctx context.Context, w *world) (web.Drift, error) {
	p, err := e.glimpse(ctx, w)
	if err != nil {
		return web.Drift{}, err
	}
	items, err := p.differences(ctx)
	if err != nil {
		return web.Drift{}, err
	}
	var d policy.Decision
	if len(items) > 0 {
		if d, err = p.ask(ctx, policy.Drift, p.driftInput(items)); err != nil && d.Outcome != policy.Error {
			return web.Drift{}, fmt.Errorf("drift policy: %w", err)
		}
	}
	out := web.Drift{Environment: e.name, ObservedAt: e.look.at, Baseline: baselineRef, Items: []web.DriftItem{}, Coverage: p.coverage()}
	for _, item := range items {
		out.Items = append(out.Items, driftItemView(answer(item, d, d.Outcome == policy.Error)))
	}
	return out, nil
}

// differences are what differs from the head, as if it had been released.
func (p *pass) differences(ctx context.Context) ([]record.DriftItem, error) {
	rel := p.head.release
	p.target, p.moving = rel, rel
	in, err := p.input(rel, rollout.State{Release: named(rel)})
	if err != nil {
		return nil, err
	}
	in.Applied = asApplied(in, rel)
	items := plan.Make(in).Items
	p.e.trail.looks = previewLooks
	for i := range items {
		p.attribute(ctx, &items[i])
	}
	return items, nil
}

// asApplied is the journal that would exist had rel been released as
// declared.
func asApplied(in plan.Input, rel *manifest.Release) map[manifest.Ref]record.Fact {
	facts := make(map[manifest.Ref]record.Fact, len(rel.Resources))
	for _, res := range rel.Resources {
		spec := in.Specs[res.Ref]
		facts[res.Ref] = record.Fact{
			Ref: res.Ref, Release: rel.Digest, Fields: spec.Fields, Snapshot: spec.Snapshot,
			Version: versionOf(in.Inventory.Live[res.Ref], spec.Snapshot), At: in.Now,
		}
	}
	return facts
}
