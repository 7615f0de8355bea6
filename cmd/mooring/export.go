package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/journal"
)

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "what the daemon remembers, for other tools",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(exportDecisionsCommand())
	return cmd
}

func exportDecisionsCommand() *cobra.Command {
	var from records
	var q journal.DecisionQuery
	var since string
	cmd := &cobra.Command{
		Use:   "decisions",
		Short: "decision records, one line of JSON each, oldest first",
		Long: `Prints decision records as they are kept, with the field names of OPA's decision
log. Each names the hash of the one before it in "prev": the hash is the SHA-256
of its line. That none was changed, left out or put in between is verified while
they are printed; the first that does not fit ends it with an error.`,
		Example: "  mooring export decisions --since 30d > decisions.jsonl\n  mooring export decisions --since 30d --point promotion\n  mooring export decisions --decisions decisions.jsonl --verify",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.Since, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
			c := from.chained(cmd, q)
			for _, line := range c.recorded() {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line); err != nil {
					return err
				}
			}
			return c.err
		},
	}
	from.flags(cmd)
	pointFlag(cmd, &q.Point)
	cmd.Flags().StringVar(&q.Environment, "environment", "", "only decisions about this environment")
	cmd.Flags().StringVar(&since, "since", "30d", "how far back (30d, 12h), or since when (2026-11-23T18:00:00Z)")
	return cmd
}
