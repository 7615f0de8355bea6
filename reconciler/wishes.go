package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
)

// Rollout carries out a person's word on the release that moves, or on the one
// that failed: abort, pause, resume or retry.
func (d *Daemon) Rollout(ctx context.Context, r web.RolloutRequest) error {
	if err := r.By.Check(access.Operate, r.Environment); err != nil {
		return err
	}
	do := map[string]func(*environment, web.RolloutRequest) ([]journal.Record, error){
		web.RolloutAbort: (*environment).abort, web.RolloutPause: (*environment).pause,
		web.RolloutResume: (*environment).resume, web.RolloutRetry: (*environment).retry,
	}[r.Act]
	if do == nil {
		return fmt.Errorf("rollout %s %s: want abort, pause, resume or retry", r.Act, r.Environment)
	}
	return d.hurry(ctx, r.Environment, func(ctx context.Context, e *environment) error {
		recs, err := do(e, r)
		if err != nil {
			return fmt.Errorf("rollout %s %s: %w", r.Act, r.Environment, err)
		}
		return e.remember(ctx, recs...) // the next pass acts, and tidies the alerts
	})
}

// goesOn is nil when a release moves forward here.
func goesOn(ro rollout.State) error {
	switch ro.Phase {
	case rollout.Idle:
		return errors.New("no release moves; `mooring rollback` returns to an earlier one")
	case rollout.Back:
		return fmt.Errorf("traffic returns to stable already: %s", ro.Reason)
	}
	return nil
}

func (e *environment) abort(r web.RolloutRequest) ([]journal.Record, error) {
	if r.Reason == "" {
		return nil, errors.New("it needs a reason (--reason)")
	}
	ro := e.state().Rollout
	if err := goesOn(ro); err != nil {
		return nil, err
	}
	return []journal.Record{{Request: &journal.Request{ID: e.d.opts.NewID("req"), Kind: requestAbort, By: r.By.Name, Reason: r.Reason,
		To: ro.Release.Digest, At: e.d.opts.Now()}}}, nil
}

func (e *environment) pause(r web.RolloutRequest) ([]journal.Record, error) {
	if r.Reason == "" || r.For <= 0 {
		return nil, errors.New("it needs a reason and an end (--reason, --until)")
	}
	ro := e.state().Rollout
	if err := goesOn(ro); err != nil {
		return nil, err
	}
	now := e.d.opts.Now()
	return []journal.Record{{Hold: &record.Hold{ID: holdID(record.PauseHold, e.name, ro.Release.Digest), Owner: r.By.Name, Kind: record.PauseHold,
		Reason: r.Reason, Since: now, Until: now.Add(r.For), About: ro.Release.Digest}}}, nil
}

func (e *environment) resume(r web.RolloutRequest) ([]journal.Record, error) {
	st := e.state()
	why := "resumed"
	if r.Reason != "" {
		why += ": " + r.Reason
	}
	var recs []journal.Record
	for _, h := range sorted(st.Holds) {
		if h.Kind == record.PauseHold {
			recs = append(recs, journal.Record{Lift: &journal.Lift{ID: h.ID, By: r.By.Name, Why: why}})
		}
	}
	switch {
	case len(recs) > 0:
		return recs, nil
	case st.Rollout.Paused != "":
		return nil, fmt.Errorf("nobody paused it; it waits: %s", st.Rollout.Paused)
	}
	return nil, errors.New("it is not paused")
}

// retry takes failed content out of quarantine, and tries steps again that were
// refused for good: what refused them, as a missing right, may be gone. What
// failed here is the content let in last or, where the branch has another since,
// the one that would come in but for that.
func (e *environment) retry(r web.RolloutRequest) ([]journal.Record, error) {
	st := e.state()
	if st.Admitted == nil {
		return nil, errors.New("nothing was admitted yet")
	}
	key := st.Admitted.Release.Key()
	if _, bad := quarantined(st, key); !bad && len(st.Parked) == 0 {
		if key = keptOut(st); key == (record.Key{}) {
			return nil, errors.New("its content is not quarantined, and no step was refused for good")
		}
	}
	return []journal.Record{{Retry: &journal.Retry{Key: key, By: r.By.Name, Reason: r.Reason}}}, nil
}

// keptOut is the quarantined content that waits to be moved in; zero: none does.
func keptOut(st *journal.Environment) record.Key {
	if n := len(st.Promotions); n > 0 && st.Promotions[n-1].Outcome == "held" {
		if _, bad := quarantined(st, st.Promotions[n-1].Key); bad {
			return st.Promotions[n-1].Key
		}
	}
	return record.Key{}
}

// paused is why a person wants the release that moves to stay at its weight.
func (p *pass) paused() string {
	for _, h := range p.holds() {
		if h.Kind == record.PauseHold && h.About == p.st.Rollout.Release.Digest {
			return fmt.Sprintf("paused by %s: %s", h.Owner, h.Reason)
		}
	}
	return ""
}

// stopping are the holds that keep newer content away: a pause does not.
func (p *pass) stopping() []record.Hold {
	return slices.DeleteFunc(p.holds(), func(h record.Hold) bool { return h.Kind == record.PauseHold })
}

// liftPauses lifts those of releases that do not move any more.
func (p *pass) liftPauses(ctx context.Context) error {
	for _, h := range sorted(p.st.Holds) {
		if ro := p.st.Rollout; h.Kind != record.PauseHold || h.About == ro.Release.Digest && ro.Phase != rollout.Idle && ro.Phase != rollout.Back {
			continue
		}
		if err := p.lift(ctx, h.ID, ownerMooring, "the release it paused does not move any more"); err != nil {
			return err
		}
	}
	return nil
}
