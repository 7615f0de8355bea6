package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

func approveCommand() *cobra.Command {
	var withdraw bool
	cmd := answering(word{
		use: "approve", short: "say yes to content that waits for a person in an environment",
		long: `Approve says yes to the content that waits to be promoted into, or admitted to,
an environment. The yes is bound to that content, to the environment and to the
findings there are now: other content, or a new finding, needs a new one. The
author's own does not count, and in a protected environment neither does one
whose giver was not proved by a personal token (see mooring token --help).

Exit code 0: it counts. 3: it is recorded, and does not count.`,
		example: "  mooring approve --environment production --reason \"looked at the plan\"\n  mooring approve --environment production --content 3f2a91c07d11 --until 4h\n  mooring approve --environment production --withdraw",
		said: func() record.Answer {
			if withdraw {
				return record.Withdrawn
			}
			return record.Approved
		},
	})
	cmd.Flags().BoolVar(&withdraw, "withdraw", false, "take back what you said before, yes or no")
	return cmd
}

func rejectCommand() *cobra.Command {
	return answering(word{
		use: "reject", short: "say no to content that waits for a person in an environment",
		long: `Reject keeps the content that waits out of an environment, whatever policy and
others say, until the same person approves it or takes the no back
(mooring approve --withdraw).`,
		example: "  mooring reject --environment production --reason \"the migration is not ready\"",
		said:    func() record.Answer { return record.Rejected },
	})
}

// word is one way to speak about content that waits.
type word struct {
	use, short, long, example string
	said                      func() record.Answer
}

func answering(a word) *cobra.Command {
	var c client
	var output, until string
	var r web.ApprovalRequest
	cmd := &cobra.Command{
		Use: a.use, Short: a.short, Long: a.long, Example: a.example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Environment == "" {
				return fmt.Errorf("%s: name the environment with --environment", cmd.Name())
			}
			var err error
			if r.Answer = a.said(); until != "" {
				if r.For, err = untilDuration(until, time.Now()); err != nil {
					return err
				}
			}
			var out web.Approval
			if err := c.post(cmd.Context(), "/api/v1/environments/"+r.Environment+"/approvals", r, &out); err != nil {
				return err
			}
			if err := print(cmd, output, out, func(w io.Writer) { approvalText(w, out) }); err != nil {
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
	f := cmd.Flags()
	f.StringVar(&r.Environment, "environment", "", "name of the environment")
	f.StringVar(&r.Content, "content", "", "digest of the content, or its beginning, where several wait")
	f.StringVar(&r.Reason, "reason", "", "why; it is recorded and shown")
	if a.use == "approve" {
		f.StringVar(&until, "until", "", "how long it is good for, or until when: 4h, 2026-05-01T18:00:00Z (default 24h)")
	}
	return cmd
}

func approvalText(w io.Writer, a web.Approval) {
	verb := map[record.Answer]string{record.Approved: "approved", record.Rejected: "rejected", record.Withdrawn: "word withdrawn on"}[a.Answer]
	fmt.Fprintf(w, "%s %s for %s by %s", verb, short(a.Content), a.Environment, a.By)
	if len(a.Findings) > 0 && a.Answer == record.Approved {
		fmt.Fprintf(w, ", in view of %s, until %s", strings.Join(a.Findings, ", "), a.Until.Local().Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	if a.Answer == record.Approved && !a.Counts {
		fmt.Fprintf(w, "it does not count: %s\n", a.Why)
	}
}
