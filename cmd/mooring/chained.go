package main

import (
	"iter"

	"github.com/spf13/cobra"

	"mooring.dev/policy"
	"mooring.dev/reconciler/journal"
)

// chained reads decision records one after the other, and verifies that each
// follows the one before it.
type chained struct {
	decisions iter.Seq2[journal.Decision, error]
	means     journal.DecisionQuery
	whole     bool // every record is there: they have to follow each other

	n    int
	hash string // of the last record
	err  error
}

// chained reads all records since a time, so that none is missing between two,
// and yields those that q means. A file may hold any of them: there it is not
// verified that they follow each other, unless it is asked for.
func (r *records) chained(cmd *cobra.Command, q journal.DecisionQuery) *chained {
	return &chained{decisions: r.all(cmd, journal.DecisionQuery{Since: q.Since}), means: q, whole: r.file == "" || r.verify}
}

// recorded yields what is meant, and its line. It ends at the first fault,
// which err then is.
func (c *chained) recorded() iter.Seq2[policy.Recorded, []byte] {
	return func(yield func(policy.Recorded, []byte) bool) {
		for d, err := range c.decisions {
			var r policy.Recorded
			if err == nil {
				err = c.follow(d)
			}
			if err == nil {
				r, err = policy.ParseRecorded(d.Line)
			}
			if err != nil {
				c.err = err
				return
			}
			asked := (c.means.Environment == "" || c.means.Environment == r.Environment) && (c.means.Point == "" || c.means.Point == string(r.Point))
			if asked && !yield(r, d.Line) {
				return
			}
		}
	}
}

func (c *chained) follow(d journal.Decision) error {
	c.n++
	if !c.whole {
		return nil
	}
	r, err := readRecord(d.Line)
	if err != nil {
		return err
	}
	before := c.hash
	if c.n == 1 {
		before = r.Prev // the record before is out of sight
	}
	d.ID = r.ID
	c.hash, err = journal.VerifyChain(before, func(yield func(journal.Decision) bool) { yield(d) })
	return err
}
