package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/record"
)

func auditCommand() *cobra.Command {
	var c client
	var output, environment, who, outcome string
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "who had what done, and who was refused what, newest first",
		Long: `The newest thousand acts and refusals of the API and the page. Operators see
those of their environments, admins of every environment all of them.`,
		Example: "  mooring audit --environment production --limit 20\n  mooring audit --outcome refused",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"environment": {environment}, "who": {who}, "outcome": {outcome}, "limit": {fmt.Sprint(limit)}}
			var records []record.Audit
			if err := c.get(cmd.Context(), "/api/v1/audit?"+q.Encode(), &records); err != nil {
				return err
			}
			return print(cmd, output, records, func(w io.Writer) {
				for _, a := range records {
					row(w, a.At.Local().Format("2006-01-02 15:04:05"), cmp.Or(a.Who, "nobody known"), a.Proof, a.Act, a.Environment, a.Target, cmp.Or(a.Code, a.Outcome), cmp.Or(a.Detail, a.Reason))
				}
			})
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&environment, "environment", "", "only this environment")
	cmd.Flags().StringVar(&who, "who", "", "only what this person did or was refused")
	cmd.Flags().StringVar(&outcome, "outcome", "", "only what was done, or only what was refused: done, refused")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many lines, up to 1000")
	return cmd
}
