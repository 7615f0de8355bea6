package reconciler

import (
	"context"
	"errors"
	"fmt"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// Answer is a person's word on one difference: it is put back, or let be until
// a time, whatever policy says meanwhile. A hold about it is lifted.
func (d *Daemon) Answer(ctx context.Context, a web.DriftAnswer) error {
	if err := a.By.Check(access.Operate, a.Environment); err != nil {
		return err
	}
	if a.Accept && a.For <= 0 {
		return errors.New("accept a difference: it needs an end (--until)")
	}
	return d.do(ctx, a.Environment, func(ctx context.Context, e *environment) error {
		st := e.state()
		item, ok := st.Drift[a.Item]
		if !ok {
			return fmt.Errorf("drift item %q in %s: %w; `mooring drift` lists them", a.Item, a.Environment, ErrUnknown)
		}
		recs := []journal.Record{{Drift: withAnswer(item, a, e)}}
		id := holdID("mitigation", e.name, item.ID)
		if st.Holds[id].ID != "" {
			recs = append(recs, journal.Record{Lift: &journal.Lift{ID: id, By: a.By.Name, Why: recs[0].Drift.Reason}})
		}
		return e.remember(ctx, recs...) // the next pass acts, and tidies the alerts
	})
}

func withAnswer(item record.DriftItem, a web.DriftAnswer, e *environment) *record.DriftItem {
	item.Decision, item.Policy = decidedByPerson, false
	if a.Accept {
		item.Response, item.Reason, item.Until = record.Ignore, "accepted by "+a.By.Name, e.d.opts.Now().Add(a.For)
	} else {
		item.Response, item.Reason = record.Revert, "put back by "+a.By.Name
	}
	if a.Reason != "" {
		item.Reason += ": " + a.Reason
	}
	return &item
}
