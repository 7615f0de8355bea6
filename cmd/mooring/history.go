package main

import (
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/web"
)

// noReturn marks what is said of a release that nobody can return to.
func noReturn(text, why string) string {
	if why == "" {
		return text
	}
	return strings.TrimSpace(text + " [no rollback to it: " + why + "]")
}

func historyCommand() *cobra.Command {
	var c client
	var output, environment string
	var limit int
	cmd := &cobra.Command{
		Use:     "history",
		Short:   "what happened, newest first",
		Example: "  mooring history --environment production --limit 20",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var events []web.Event
			if err := c.get(cmd.Context(), "/api/v1/history?"+url.Values{"environment": {environment}, "limit": {strconv.Itoa(limit)}}.Encode(), &events); err != nil {
				return err
			}
			return print(cmd, output, events, func(w io.Writer) {
				for _, e := range events {
					row(w, e.At.Local().Format("2006-01-02 15:04:05"), e.Environment, e.Kind, e.Resource, noReturn(e.Text, e.NoReturn))
				}
			})
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&environment, "environment", "", "only this environment")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many lines")
	return cmd
}
