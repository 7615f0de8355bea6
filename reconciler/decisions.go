package reconciler

import (
	"context"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
)

// Bounds of a page of decision records.
const (
	maxPage      = 1000     // records
	maxPageBytes = 16 << 20 // of their lines, beyond the first
)

// Decisions are decision records of the journal, a page at a time.
func (d *Daemon) Decisions(ctx context.Context, q journal.DecisionQuery) (web.DecisionPage, error) {
	page := web.DecisionPage{Decisions: []web.RecordedDecision{}}
	if q.Limit <= 0 || q.Limit > maxPage {
		q.Limit = maxPage
	}
	size := 0
	for rec, err := range d.docket.Decisions(ctx, q) {
		if err != nil {
			return page, err
		}
		if size += len(rec.Decision.Line); size > maxPageBytes && len(page.Decisions) > 0 {
			page.Next = page.Decisions[len(page.Decisions)-1].Seq
			break
		}
		page.Decisions = append(page.Decisions, recorded(rec))
	}
	if len(page.Decisions) == q.Limit && q.ID == "" {
		page.Next = page.Decisions[len(page.Decisions)-1].Seq
	}
	return page, nil
}

func recorded(rec journal.Record) web.RecordedDecision {
	return web.RecordedDecision{
		Seq: rec.Seq, At: rec.At, Environment: rec.Environment, Hash: rec.Decision.Hash, Line: string(rec.Decision.Line),
	}
}
