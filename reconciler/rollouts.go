package reconciler

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
)

// Rollouts of one environment, newest first. Looks that the journal keeps no
// more are left out.
func (d *Daemon) Rollouts(ctx context.Context, q web.RolloutQuery) ([]web.Rollout, error) {
	pub, err := d.lastSeen(q.Environment)
	if err != nil {
		return nil, err
	}
	out := []web.Rollout{}
	for _, r := range slices.Backward(pub.rollouts) {
		if !begins(r.Release, q.Release) {
			continue
		}
		view := web.Rollout{Environment: q.Environment, ID: r.First, Release: r.Release, Stable: r.Stable, Cause: r.Cause,
			Began: r.Began, Ended: r.Ended, Outcome: r.Outcome, Reason: r.Reason, NoReturn: pub.noReturn(r.Release.Digest)}
		if pr, ok := promotedBy(pub.promotions, r.Release.Key()); ok {
			view.Promotion = &web.Promoted{From: pr.From, Decision: pr.Decision, Evidence: nonNil(pr.Evidence), At: pr.At}
		}
		if q.Looks {
			if view.Looks, err = d.looks(ctx, q.Environment, r); err != nil {
				return nil, fmt.Errorf("rollout of %s: %w", short(r.Release.Digest), err)
			}
		}
		if out = append(out, view); len(out) == q.Limit {
			break
		}
	}
	return out, nil
}

// begins: text is the beginning of a release's digest or commit.
func begins(r record.Release, text string) bool {
	text = strings.TrimPrefix(text, "sha256:")
	return strings.HasPrefix(strings.TrimPrefix(r.Digest, "sha256:"), text) || strings.HasPrefix(r.Commit, text)
}

// looks are those that say something new; accrued time alone does not.
func (d *Daemon) looks(ctx context.Context, environment string, r journal.Rollout) ([]web.RolloutLook, error) {
	var out []web.RolloutLook
	var before rollout.State
	for look, err := range d.docket.Looks(ctx, environment, r) {
		if err != nil {
			return nil, err
		}
		is := look.State
		news := len(out) == 0 || is.Phase != before.Phase || is.Stage != before.Stage || is.Weight != before.Weight ||
			is.Verdict != before.Verdict || is.Looks != before.Looks || is.Probes != before.Probes || is.Paused != before.Paused || is.Reason != before.Reason || is.Reached != before.Reached ||
			!reflect.DeepEqual(is.Measures, before.Measures)
		if before = is; news {
			view := web.RolloutLook{At: look.At, RolloutStatus: rolloutStatus(is)}
			if is.Phase == rollout.Idle {
				view.Functions = nil // nothing moves any more
			}
			out = append(out, view)
		}
	}
	return out, nil
}

func rolloutStatus(ro rollout.State) web.RolloutStatus {
	s := web.RolloutStatus{
		Phase: string(ro.Phase), Weight: ro.Weight, Stages: len(ro.Stages), Verdict: string(ro.Verdict), Reason: ro.Reason,
		Paused: ro.Paused, ElapsedSeconds: int64(ro.Elapsed / time.Second), Need: ro.Need,
	}
	if ro.Phase == rollout.Shift {
		s.Stage = ro.Stage + 1
		s.MaxHoldSeconds, s.OnUndecided = int64(time.Duration(ro.Analysis.MaxHold)/time.Second), ro.Analysis.OnUndecided
	}
	for i, stage := range ro.Stages {
		rung := web.Rung{Weight: stage.Weight, HoldSeconds: int64(time.Duration(stage.Hold) / time.Second)}
		if i < len(ro.Left) {
			l := ro.Left[i]
			rung.Left = &web.Left{HeldSeconds: int64(l.Held / time.Second), Verdict: string(l.Verdict), Reason: l.Reason, Canary: countsStatus(l.Canary), Baseline: countsStatus(l.Baseline),
				Probes: probesStatus(l.ProbedCanary, l.ProbedBaseline)}
		}
		s.Ladder = append(s.Ladder, rung)
	}
	if ro.Phase == rollout.Idle {
		s.Stages, s.Weight, s.Ladder = 0, 0, nil
	}
	for _, f := range ro.Functions {
		s.Functions = append(s.Functions, web.RolloutFunction{
			Resource: f.Ref.String(), Stable: f.Stable, New: f.New, Canary: countsStatus(f.Canary), Baseline: countsStatus(f.Baseline),
			Probes: probesStatus(f.Probe.Canary, f.Probe.Baseline),
		})
		told := &s.Functions[len(s.Functions)-1]
		told.Latency, told.FurtherLatency = latencyStatus(f)
	}
	for _, m := range ro.Measures {
		s.Measures = append(s.Measures, web.Measure{Name: m.Name, Alarm: m.Alarm, Verdict: string(m.Verdict), Detail: m.Detail, Value: m.Value, DryRun: m.DryRun, Red: m.Red})
	}
	return s
}

// latencyStatus is what is known of how slow calls are: at the lowest percentile
// that is judged, nil where nothing is, and at the others.
func latencyStatus(f rollout.Function) (first *web.LatencyStatus, further []web.LatencyStatus) {
	for _, l := range f.Latency {
		if l.Slow == 0 {
			continue
		}
		told := web.LatencyStatus{Percentile: l.Percentile, Seconds: l.Slow.Seconds(), Canary: countsStatus(l.Canary), Baseline: countsStatus(l.Baseline)}
		if first == nil {
			first = &told
			continue
		}
		further = append(further, told)
	}
	return first, further
}

// probesStatus is nil where no calls of our own were made.
func probesStatus(canary, baseline rollout.Counts) *web.ProbesStatus {
	if canary == (rollout.Counts{}) {
		return nil
	}
	return &web.ProbesStatus{Canary: countsStatus(canary), Baseline: countsStatus(baseline)}
}

func countsStatus(c rollout.Counts) web.CountsStatus {
	return web.CountsStatus{Calls: c.Calls, Errors: c.Errors, Throttles: c.Throttles}
}
