package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "give the verdict that a check of an environment waits for",
		Long: `Check gives the result of a check that is declared as verdict: {} in mooring.yaml,
for a test that ran elsewhere. It is evidence about one content in one
environment, and about no other. Whoever gives it needs the role approver or
operator there; where a protected environment rests on it, a personal token
(see mooring token --help).`,
		Example: "  mooring check pass staging acceptance --content 3f2a91c07d11\n  mooring check fail staging acceptance --content 3f2a91c07d11 --reason \"the basket is empty\"",
	}
	cmd.AddCommand(verdict("pass", "say that a content has passed a check", true), verdict("fail", "say that a content has failed a check", false))
	return cmd
}

func verdict(use, about string, passed bool) *cobra.Command {
	var c client
	var output string
	r := web.VerdictRequest{Passed: passed}
	cmd := &cobra.Command{
		Use: use + " ENVIRONMENT CHECK", Short: about, Args: cobra.ExactArgs(2),
		Example: fmt.Sprintf("  mooring check %s staging acceptance --content 3f2a91c07d11", use),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Environment, r.Check = args[0], args[1]
			var out record.CheckResult
			if err := c.post(cmd.Context(), "/api/v1/environments/"+r.Environment+"/checks/"+r.Check, r, &out); err != nil {
				return err
			}
			return print(cmd, output, out, func(w io.Writer) {
				word := map[bool]string{true: "passed", false: "failed"}[out.Passed]
				fmt.Fprintf(w, "check %s of %s: %s on %s, by %s\n", out.Name, r.Environment, word, short(out.Key.Content), out.By)
			})
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&r.Content, "content", "", "digest of the content that was looked at, or its beginning")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why; it is recorded and shown")
	return cmd
}
