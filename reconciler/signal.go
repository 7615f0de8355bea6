package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// signal gathers what the rollout has to know beside what the planner sees:
// a release to start, checks, looks at metrics, policy, holds, wishes.
func (p *pass) signal(ctx context.Context) (rollout.Signal, error) {
	sig := rollout.Signal{Held: p.heldWhy()}
	returning, err := p.requests(ctx, &sig)
	if err != nil {
		return sig, err
	}
	if returning {
		return sig, nil // traffic first: nothing is measured or asked before it
	}
	if p.guarded(ctx, &sig, p.st.Rollout); sig.Switched != "" {
		return sig, nil
	}
	start, err := p.start()
	if err != nil {
		return sig, err
	}
	if start != nil && p.mayStart() && (start.Retry || p.windowLets(ctx)) {
		if err := p.e.checkAccount(ctx); err != nil {
			return sig, err
		}
		sig.Start = start
		if err := p.synced(ctx); err != nil {
			return sig, err
		}
	}
	if back := p.retreat(); back != nil {
		sig.Start = back // no window and no word of a person is waited for
	}
	sig.Measures = p.measures(ctx)
	switch p.st.Rollout.Phase {
	case rollout.Check:
		sig.Checks = p.preTraffic(ctx, &sig)
	case rollout.Shift:
		sig.Looks, sig.Due = p.looks(ctx)
		if p.st.Rollout.Asking {
			sig.Checks = p.postTraffic(ctx)
		}
		p.askRollout(ctx, &sig, p.st.Rollout)
	case rollout.Connect, rollout.Contract:
		sig.Looks, sig.Due = p.looks(ctx)
	}
	sig.Pause = cmp.Or(p.paused(), sig.Pause)
	sig.Probes = p.probe(ctx, &sig)
	return sig, nil
}

// mayStart: nothing holds the environment, and it syncs by itself or somebody
// asked for it.
func (p *pass) mayStart() bool {
	if p.heldWhy() != "" {
		return false
	}
	if p.spec.Sync != "manual" {
		return true
	}
	for _, r := range p.st.Requests {
		if r.Kind == requestSync && !r.Done {
			return true
		}
	}
	return false
}

// synced marks the wish to sync as carried out.
func (p *pass) synced(ctx context.Context) error {
	for _, r := range p.st.Requests {
		if r.Kind == requestSync && !r.Done {
			r.Done, r.Result = true, "the admitted release starts to move"
			return p.remember(ctx, journal.Record{Request: &r})
		}
	}
	return nil
}

// heldWhy names the hold that stops forward steps of the whole environment.
func (p *pass) heldWhy() string {
	for _, h := range p.holds() {
		if h.Scope == (record.HoldScope{}) && h.Kind != "forced_update" && h.Kind != "empty" && h.Kind != "recovered" && h.Kind != record.PauseHold {
			return fmt.Sprintf("%s by %s: %s", h.Kind, h.Owner, h.Reason)
		}
	}
	return ""
}

// Kinds of request.
const (
	requestPromote  = "promote"
	requestRollback = "rollback"
	requestSync     = "sync"
	requestAbort    = "abort"
	requestAccept   = "accept"
)

// requests carries out what people asked of the rollout, and says whether
// traffic returns because of it.
func (p *pass) requests(ctx context.Context, sig *rollout.Signal) (returning bool, err error) {
	for _, r := range sorted(p.st.Requests) {
		if !returns(r) {
			continue
		}
		if r.Kind == requestAbort {
			r.Result = p.aborted(r, sig)
		} else {
			r.Result = p.rollback(ctx, r, sig)
		}
		r.Done = true
		if r.Result == "" {
			r.Result, returning = "traffic is returned first, then the rest", true
		}
		p.changed = true
		if err := p.remember(ctx, journal.Record{Request: &r}); err != nil {
			return returning, err
		}
	}
	return returning || sig.Abort != "", nil
}

// aborted sends the release back that the person meant, and says what came of
// it.
func (p *pass) aborted(r journal.Request, sig *rollout.Signal) string {
	if ro := p.st.Rollout; ro.Release.Digest != r.To || goesOn(ro) != nil {
		return "the release does not move any more"
	}
	sig.Abort = fmt.Sprintf("aborted by %s: %s", r.By, r.Reason)
	return "traffic is returned first, then the rest; the content is not tried again by itself"
}

// looks measures every function that shares traffic between two versions, up to
// when calls can be known; zero where nothing can.
func (p *pass) looks(ctx context.Context) ([]rollout.Look, time.Time) {
	ro := p.st.Rollout
	meter, ok := p.e.provider.(providers.Meter)
	if !ok || ro.Weight == 0 {
		return nil, time.Time{}
	}
	to := p.now.Add(-p.e.d.opts.Pace.MetricDelay).Truncate(p.e.d.opts.Pace.MetricPeriod)
	var out []rollout.Look
	for _, f := range ro.Functions {
		alias, ok := find(f.Alias, p.moving)
		if !ok || f.New == "" || f.New == f.Stable {
			continue
		}
		from := f.Measured
		if from.IsZero() {
			from = to.Add(-p.lookEvery(ro)).Truncate(p.e.d.opts.Pace.MetricPeriod)
		}
		if !from.Before(to) {
			continue
		}
		asked := providers.Asked{Window: providers.Window{From: from, To: to}, Again: f.Settled.Due(f.Longest, p.now)}
		look, err := looking{meter, alias, f}.at(ctx, asked, ro.Analysis.Latency)
		if err != nil {
			p.e.log.Debug("metrics could not be read", zap.Stringer("resource", f.Ref), zap.Error(err))
			continue
		}
		out = append(out, look)
	}
	return out, to
}

// looking is at one function's two versions.
type looking struct {
	meter providers.Meter
	alias manifest.Resource
	f     rollout.Function
}

func (l looking) at(ctx context.Context, q providers.Asked, latency manifest.LatencyRules) (rollout.Look, error) {
	look, beside := rollout.Look{Ref: l.f.Ref, Window: q.Window}, q
	for _, rule := range latency {
		canary, baseline := l.f.Latency.Of(rule).Thresholds(rule)
		q.Latency = append(q.Latency, providers.AskedLatency{Percentile: rule.Percentile, Threshold: canary})
		beside.Latency = append(beside.Latency, providers.AskedLatency{Percentile: rule.Percentile, Threshold: baseline})
	}
	var err error
	if look.Canary, err = l.meter.Measure(ctx, l.alias, l.f.New, q); err != nil {
		return look, fmt.Errorf("measure version %s of %s: %w", l.f.New, l.f.Ref, err)
	}
	if l.f.Stable == "" {
		return look, nil
	}
	if look.Baseline, err = l.meter.Measure(ctx, l.alias, l.f.Stable, beside); err != nil {
		return look, fmt.Errorf("measure version %s of %s: %w", l.f.Stable, l.f.Ref, err)
	}
	if c, b := look.Canary.Again, look.Baseline.Again; len(c) == len(q.Again) && len(b) == len(q.Again) {
		for i, w := range q.Again {
			look.Again = append(look.Again, rollout.Again{Window: w, Canary: c[i], Baseline: b[i]})
		}
	}
	look.Canary.Again, look.Baseline.Again = nil, nil
	return look, nil
}

// askRollout puts the stage to policy. Policy can stop and cap; only evidence
// or an explicit advance moves on.
func (p *pass) askRollout(ctx context.Context, sig *rollout.Signal, ro rollout.State) {
	d, err := p.ask(ctx, policy.Rollout, p.rolloutInput(ctx, heard(ro, sig)))
	p.recordStage(ctx, d)
	if err != nil {
		sig.Unasked = "policy could not be evaluated"
		return
	}
	if len(d.Abort) > 0 {
		sig.Abort = d.Abort[0].Msg
	}
	switch {
	case len(d.Pause) > 0:
		sig.Pause = d.Pause[0].Msg
	case ro.Phase != rollout.Shift:
		// Before the first traffic there is no evidence that advance could
		// rest on: only abort and pause keep it from beginning.
	case d.Outcome == policy.Hold && !d.Default:
		sig.Unadvanced = reason(d)
	case d.Outcome != policy.Allow && !d.Default:
		sig.Pause = reason(d)
	}
	sig.Advance, sig.WeightCap = d.Advance, d.WeightCap
}

// heard is the state with what was measured since.
func heard(ro rollout.State, sig *rollout.Signal) rollout.State {
	ro.Measures = ro.Heard(sig.Measures)
	return ro
}

// recordStage remembers a decision about a stage when it says something new:
// the first of a stage, and every one that stops, caps or advances.
func (p *pass) recordStage(ctx context.Context, d policy.Decision) {
	ro := p.st.Rollout
	said := fmt.Sprint(ro.Release.Digest, ro.Stage, d.Outcome, len(d.Abort), len(d.Pause), d.Advance, d.WeightCap)
	if said == p.e.stageSaid {
		return
	}
	if err := p.remember(ctx, decisionRecords(d)...); err != nil {
		p.e.log.Error("decision could not be remembered", zap.Error(err))
		return
	}
	p.e.stageSaid = said
}

// accrueLimit is the longest stretch between two passes that counts as
// observed: longer ones were downtime or a clock that jumped.
const accrueLimit = 2 * time.Minute
