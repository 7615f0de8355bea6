package reconciler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mooring.dev/policy"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
)

// Input is the document that policy would be asked about now, made by the code
// that asks. Nothing is written.
func (d *Daemon) Input(ctx context.Context, name string, q web.InputQuery) (doc json.RawMessage, err error) {
	err = d.do(ctx, name, func(ctx context.Context, e *environment) error {
		doc, err = e.question(ctx, d.world.Load(), q, false)
		return err
	})
	return doc, err
}

// PreviewInput is Input without a daemon. What only a daemon knows (what is in
// force, how long it has soaked, a rollout, an alert) is not there: a promotion
// is asked about with the head of the environment before, of which nothing is
// known.
func PreviewInput(ctx context.Context, opts Options, name string, q web.InputQuery) (json.RawMessage, error) {
	e, w, err := alone(ctx, opts, name)
	if err != nil {
		return nil, err
	}
	return e.question(ctx, w, q, true)
}

// question makes the input at a point.
func (e *environment) question(ctx context.Context, w *world, q web.InputQuery, alone bool) (json.RawMessage, error) {
	var in policy.Input
	var err error
	p := policy.Point(q.Point)
	switch p {
	case policy.Admission:
		in, err = e.askedAtAdmission(ctx, w, q.Commit)
	case policy.Promotion:
		in, err = e.askedAtPromotion(ctx, w, q.Commit, alone)
	case policy.Rollout:
		in, err = e.askedAtRollout(ctx, w)
	case policy.Drift:
		in, err = e.askedAtDrift(ctx, w, alone)
	case policy.Notify:
		in, err = e.askedAtNotify(w)
	default:
		err = fmt.Errorf("point %q: want admission, promotion, rollout, drift or notify (at activation nothing can be asked now)", q.Point)
	}
	if err != nil {
		return nil, fmt.Errorf("input of %s at %s: %w", e.name, cmp.Or(q.Point, "no point"), err)
	}
	return json.Marshal(in.Complete(p))
}

// askedAtAdmission is about a commit, or about the branch's head.
func (e *environment) askedAtAdmission(ctx context.Context, w *world, commit string) (policy.Input, error) {
	if commit != "" {
		var err error
		if w, err = e.imagine(ctx, w, commit); err != nil {
			return policy.Input{}, err
		}
	}
	p, err := e.glimpse(ctx, w)
	if err != nil {
		return policy.Input{}, err
	}
	road, err := p.road(p.head.release)
	if err != nil {
		return policy.Input{}, err
	}
	return p.admissionQuestion(ctx, road)
}

// askedAtPromotion is about the content that waits to come in, or about that
// of a commit.
func (e *environment) askedAtPromotion(ctx context.Context, w *world, commit string, alone bool) (policy.Input, error) {
	p, err := e.bystander(w)
	if err != nil {
		return policy.Input{}, err
	}
	if len(p.spec.After) == 0 {
		return policy.Input{}, errors.New("it comes after no other environment: nothing is promoted into it")
	}
	// The branch may be absent yet, or hold what does not render.
	if err := p.readHead(ctx); err != nil {
		return policy.Input{}, err
	}
	if err := p.lookAround(ctx); err != nil {
		return policy.Input{}, err
	}
	if p.target != nil {
		p.broken = p.contract(ctx, p.target)
	}
	if commit == "" && !alone {
		in, arriving, err := p.promotionInput(ctx)
		if err != nil {
			return policy.Input{}, err
		}
		for _, m := range promote.Next(in) {
			if rel := arriving[m.From]; m.To == e.name && rel != nil {
				return p.promotionQuestion(ctx, m, rel)
			}
		}
		return policy.Input{}, fmt.Errorf("nothing waits to come in from %s; ask about a commit with --commit", strings.Join(p.spec.After, ", "))
	}
	return p.promotionOf(ctx, commit)
}

// promotionOf is about a commit's content: that of the head of the environment
// before, where none is named.
func (p *pass) promotionOf(ctx context.Context, commit string) (policy.Input, error) {
	from, _ := p.w.pipeline.Environment(p.spec.After[0])
	if commit == "" {
		snap, there := p.w.branch(from)
		if !there {
			return policy.Input{}, fmt.Errorf("branch %s is not there", from.Branch)
		}
		commit = snap.Commit.SHA
	}
	rel, err := p.e.reopen(ctx, p.w, record.Release{Commit: commit})
	if err != nil {
		return policy.Input{}, err
	}
	m := promote.Move{From: from.Name, To: p.e.name, Commit: rel.Commit, Expect: p.head.snap.Commit.SHA, Key: named(rel).Key()}
	return p.promotionQuestion(ctx, m, rel)
}

func (e *environment) askedAtRollout(ctx context.Context, w *world) (policy.Input, error) {
	p, err := e.bystander(w)
	if err != nil {
		return policy.Input{}, err
	}
	if p.st.Rollout.Phase != rollout.Shift {
		return policy.Input{}, errors.New("no traffic is being shifted: this is asked before each stage of a release, and at each look")
	}
	if err := p.loadReleases(ctx); err != nil {
		return policy.Input{}, err
	}
	return p.rolloutInput(ctx, p.st.Rollout), nil
}

// askedAtDrift is about everything that differs now.
func (e *environment) askedAtDrift(ctx context.Context, w *world, alone bool) (policy.Input, error) {
	if alone {
		p, err := e.glimpse(ctx, w)
		if err != nil {
			return policy.Input{}, err
		}
		items, err := p.differences(ctx)
		if err != nil {
			return policy.Input{}, err
		}
		return p.driftInput(items), nil
	}
	p, err := e.bystander(w)
	if err != nil {
		return policy.Input{}, err
	}
	if err := p.loadReleases(ctx); err != nil {
		return policy.Input{}, err
	}
	var items []record.DriftItem
	for _, item := range sorted(p.st.Drift) {
		if item.Confirmed() {
			items = append(items, item)
		}
	}
	return p.driftInput(items), nil
}

// askedAtNotify is about the newest alert that fires.
func (e *environment) askedAtNotify(w *world) (policy.Input, error) {
	firing := e.d.ledger.firing(e.name + "/")
	if len(firing) == 0 {
		return policy.Input{}, errors.New("no alert is firing: this is asked when one begins or ends")
	}
	newest := slices.MaxFunc(firing, func(a, b journal.Alert) int { return a.At.Compare(b.At) })
	return e.notifyQuestion(w, newest), nil
}
