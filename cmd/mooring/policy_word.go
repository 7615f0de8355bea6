package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

func policyApproveCommand() *cobra.Command {
	var withdraw bool
	cmd := policyWord(word{
		use: "approve [COMMIT]", short: "say yes to policies that those in force keep out until somebody does",
		long: `Policies in force that speak about policies (packages policy.activation.NAME) are
asked about others that would take their place, and may want people's approval of
them. The yes is bound to the commit of the control branch and to the findings
there are now. Who wrote a commit of the change does not count, and neither does
whoever was not proved by a personal token. It takes the role approver or admin,
narrowed to no environment.

Exit code 0: it counts. 3: it is recorded, and does not count.`,
		example: "  mooring policy approve 3f2a91c0 --reason \"looked at the rules\"\n  mooring policy approve --withdraw",
		said: func() record.Answer {
			if withdraw {
				return record.Withdrawn
			}
			return record.Approved
		},
	}, "approvals")
	cmd.Flags().BoolVar(&withdraw, "withdraw", false, "take back what you said before, yes or no")
	return cmd
}

func policyRejectCommand() *cobra.Command {
	return policyWord(word{
		use: "reject [COMMIT]", short: "say no to policies that wait for people",
		long: `Keeps the policies that wait out, whatever others say, until the same person
approves them or takes the no back (mooring policy approve --withdraw).`,
		example: "  mooring policy reject --reason \"it opens production\"",
		said:    func() record.Answer { return record.Rejected },
	}, "approvals")
}

func policyActivateCommand() *cobra.Command {
	cmd := policyWord(word{
		use: "activate COMMIT", short: "make policies active over those in force that keep them out",
		long: `The way out when the policies in force keep others out by mistake: an admin, whose
name is proved by a personal token and who wrote no commit of the change, makes
those at a commit of the control branch active. Who, why and what the policies
before had said is recorded and told. What does not load, fails its own tests, or
breaks on decisions made before cannot be made active by anybody.`,
		example: "  mooring policy activate 3f2a91c0 --reason \"the guard denied everything\"",
		said:    func() record.Answer { return record.Approved },
	}, "activate")
	cmd.Args = cobra.ExactArgs(1)
	return cmd
}

// policyWord makes a command that says a word on policies that wait.
func policyWord(a word, path string) *cobra.Command {
	var c client
	var output, until string
	var r web.PolicyRequest
	cmd := &cobra.Command{
		Use: a.use, Short: a.short, Long: a.long, Example: a.example, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Commit = args[0]
			}
			if len(args) == 1 && len(r.Commit) < 4 {
				return errors.New("policy " + cmd.Name() + ": name the commit, or at least four digits of it")
			}
			var err error
			if r.Answer = a.said(); until != "" {
				if r.For, err = untilDuration(until, time.Now()); err != nil {
					return err
				}
			}
			var out web.Approval
			if err := c.post(cmd.Context(), "/api/v1/policies/"+path, r, &out); err != nil {
				return err
			}
			if err := print(cmd, output, out, func(w io.Writer) {
				if path == "activate" {
					fmt.Fprintf(w, "policies of %s are let in by %s; `mooring history` tells when they are active\n", short(out.Content), out.By)
					return
				}
				out.Environment = "the policies"
				approvalText(w, out)
			}); err != nil {
				return err
			}
			if out.Answer == record.Approved && !out.Counts {
				return exit{exitHeld}
			}
			return nil
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why; it is recorded and shown")
	if path != "activate" {
		cmd.Flags().StringVar(&until, "until", "", "how long an approval is good for, or until when: 4h, 2026-05-01T18:00:00Z (default 24h)")
	}
	return cmd
}
