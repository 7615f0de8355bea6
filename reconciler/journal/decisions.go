package journal

import (
	"context"
	"iter"
	"time"
)

// DecisionQuery narrows which decision records are read. Its zero value means
// all of them.
type DecisionQuery struct {
	ID          string
	Environment string
	Point       string
	Since       time.Time
	After       Seq // continue after this record
	Limit       int // at most so many; 0: no limit
	// Newest: the newest first, before the record Before where that is not 0. Only
	// a Docket knows how.
	Newest bool
	Before Seq
	// Brief: their lines lack the input, which may be most of them.
	Brief bool
}

// Decisions yields the decision records of a store that q means, oldest first,
// as the journal's records they are. An error ends them.
func Decisions(ctx context.Context, store Store, q DecisionQuery) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		n := 0
		for rec, err := range store.Records(ctx, q.After) {
			if err != nil {
				yield(rec, err)
				return
			}
			if !q.means(rec) {
				continue
			}
			if q.Brief {
				rec = brief(rec)
			}
			if n++; !yield(rec, nil) || n == q.Limit || q.ID != "" {
				return
			}
		}
	}
}

func (q DecisionQuery) means(r Record) bool {
	d := r.Decision
	return d != nil && (q.ID == "" || q.ID == d.ID) && (q.Environment == "" || q.Environment == r.Environment) &&
		(q.Point == "" || q.Point == d.Point) && !r.At.Before(q.Since)
}
