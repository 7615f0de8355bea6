package main

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/policy"
	"mooring.dev/reconciler/journal"
)

func policyReplayCommand() *cobra.Command {
	var p policyFolder
	var from records
	var q journal.DecisionQuery
	var since string
	cmd := &cobra.Command{
		Use:   "replay [DIR]",
		Short: "which past decisions would be others under these policies",
		Long: `Decides again, with the policies of DIR (--policies DIR means the same), what was
decided since a time, and prints what flips. The records come from the daemon,
from the journal in --state when no daemon uses it, or from a file of lines.
Records whose input was not kept are named; masked values are tokens, as they
were. On the way the chain of the records is verified: a record changed, left
out or put in between is an error, and names the first one that does not fit.

Exit codes: 0 nothing flips, 2 something does, 1 error.`,
		Example: `  mooring policy replay --since 30d --policies testdata/shop/control
  mooring policy replay --since 24h --point drift -o json
  mooring policy replay --decisions decisions.jsonl --policies .`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if q.Since, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
			if q.Point != "" {
				if _, err := pointNamed(q.Point); err != nil {
					return err
				}
			}
			if dir := cmd.Flags().Lookup("policies").Value.String(); dir != "" {
				args = append(args, dir)[:1]
			}
			return replay(cmd, &p, from, q, args)
		},
	}
	p.flags(cmd)
	from.flags(cmd)
	pointFlag(cmd, &q.Point)
	cmd.Flags().StringVar(&q.Environment, "environment", "", "only decisions about this environment")
	cmd.Flags().StringVar(&since, "since", "30d", "how far back (30d, 12h), or since when (2026-11-23T18:00:00Z)")
	cmd.Flags().String("policies", "", "the policies to try: a working folder with policies/, or a policy folder")
	return cmd
}

func replay(cmd *cobra.Command, p *policyFolder, from records, q journal.DecisionQuery, args []string) error {
	tree, err := p.open(cmd.Context(), args)
	if err != nil {
		return err
	}
	defer tree.done()
	e, err := tree.evaluator()
	if err != nil {
		return err
	}
	c := from.chained(cmd, q)
	out := replayedDecisions{Replayed: policy.Replay(cmd.Context(), e, firsts(c.recorded()))}
	out.Records, out.Hash = c.n, c.hash
	if err := cmd.Context().Err(); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if c.err != nil {
		return c.err
	}
	if err := print(cmd, p.output, out, out.table); err != nil {
		return err
	}
	if len(out.Flips) > 0 {
		return exit{exitChanges}
	}
	return nil
}

// firsts are the first of pairs.
func firsts[A, B any](pairs iter.Seq2[A, B]) iter.Seq[A] {
	return func(yield func(A) bool) {
		for a := range pairs {
			if !yield(a) {
				return
			}
		}
	}
}

// replayedDecisions is what became of them, and of their chain.
type replayedDecisions struct {
	policy.Replayed
	Records int    `json:"records"`        // read, those not asked for among them
	Hash    string `json:"hash,omitempty"` // of the last one: the chain up to it is whole
}

func (r replayedDecisions) table(w io.Writer) {
	for _, f := range r.Flips {
		row(w, f.ID, f.Environment, f.Point, fmt.Sprintf("%s → %s", f.Before, f.After), flipText(f))
	}
	for _, s := range r.Skipped {
		row(w, s.ID, "not replayable", "", "", s.Why)
	}
	fmt.Fprintf(w, "%d decisions: %d flip, %d cannot be replayed\n", r.Decisions+len(r.Skipped), len(r.Flips), len(r.Skipped))
	if r.Hash != "" {
		fmt.Fprintf(w, "chain of %d records is whole up to %s\n", r.Records, r.Hash)
	}
}

// flipText is what appears and vanishes.
func flipText(f policy.Flip) string {
	var parts []string
	for _, code := range f.Appear {
		parts = append(parts, "+"+code)
	}
	for _, code := range f.Vanish {
		parts = append(parts, "-"+code)
	}
	if f.Error != "" {
		parts = append(parts, f.Error)
	}
	return strings.Join(parts, " ")
}

// sinceTime reads how far back: a duration, with days, or a time.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--since %q: want how long ago (30d, 12h) or a time (2026-11-23T18:00:00Z)", text)
	}
	return t, nil
}
