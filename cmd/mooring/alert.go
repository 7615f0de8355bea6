package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
)

func alertCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "alert", Short: "where alerts go", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(alertTestCommand())
	return cmd
}

func alertTestCommand() *cobra.Command {
	var c client
	cmd := &cobra.Command{
		Use:     "test RECEIVER",
		Short:   "let the daemon send a message that says it is a test, and tell what became of it",
		Example: "  mooring alert test oncall",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.post(cmd.Context(), "/api/v1/receivers/"+url.PathEscape(args[0])+"/test", nil, nil); err != nil {
				return fmt.Errorf("alert test %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s took a test message\n", args[0])
			return nil
		},
	}
	c.flags(cmd)
	return cmd
}
