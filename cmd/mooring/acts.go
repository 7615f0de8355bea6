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

// acting makes a command that asks the daemon to do something in one
// environment.
func acting(use, short, example, path string, flags func(cmd *cobra.Command)) *cobra.Command {
	var c client
	var environment, output string
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if environment == "" {
				return fmt.Errorf("%s: name the environment with --environment", cmd.Name())
			}
			body := map[string]string{}
			for _, name := range []string{"to", "reason"} {
				if f := cmd.Flags().Lookup(name); f != nil {
					body[name] = f.Value.String()
				}
			}
			if len(args) == 1 {
				body["hold"] = args[0]
			}
			if err := c.post(cmd.Context(), "/api/v1/environments/"+environment+path, body, nil); err != nil {
				return err
			}
			return taken{Act: cmd.Name(), Environment: environment}.print(cmd, output)
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&environment, "environment", "", "name of the environment")
	if flags != nil {
		flags(cmd)
	}
	return cmd
}

// taken is an act that the daemon took: what comes of it shows later.
type taken struct {
	Accepted    bool   `json:"accepted"`
	Act         string `json:"act"`
	Environment string `json:"environment"`
	Item        string `json:"item,omitempty"` // of drift
}

func (t taken) print(cmd *cobra.Command, output string) error {
	t.Accepted = true
	return print(cmd, output, t, func(w io.Writer) {
		if t.Item != "" {
			fmt.Fprintf(w, "%s %s: accepted; `mooring drift --environment %s` shows what comes of it\n", t.Act, t.Item, t.Environment)
			return
		}
		fmt.Fprintf(w, "%s %s: accepted; `mooring status` shows what comes of it\n", t.Act, t.Environment)
	})
}

func promoteCommand() *cobra.Command {
	return acting("promote", "let content that waits move into an environment", "  mooring promote --environment production", "/promote", nil)
}

func syncCommand() *cobra.Command {
	return acting("sync", "let an environment with sync: manual take its admitted release", "  mooring sync --environment production", "/sync", nil)
}

func retryCommand() *cobra.Command {
	return acting("retry", "take failed content out of quarantine", "  mooring retry --environment staging", "/retry", nil)
}

func rollbackCommand() *cobra.Command {
	return acting("rollback", "return to an earlier release, traffic first, and hold there",
		"  mooring rollback --environment production --reason \"orders fail\"\n  mooring rollback --environment production --to 3f2a91c07d11 --reason \"back to last week\"",
		"/rollback", func(cmd *cobra.Command) {
			cmd.Flags().String("to", "", "release or commit to return to (default: the one before)")
			cmd.Flags().String("reason", "", "why; it is recorded and shown")
		})
}

func resumeCommand() *cobra.Command {
	return acting("resume [HOLD]", "lift a hold, or all holds, of an environment", "  mooring resume --environment production hold-1a2b3c4d", "/resume", nil)
}

func holdCommand() *cobra.Command {
	return holding("hold [RESOURCE | ITEM]", "stop every write but rollback, with a reason and an end",
		"  mooring hold --environment production --reason \"incident 4711\" --until 2h\n  mooring hold --environment production Function/checkout --reason \"looking at it\" --until 30m",
		cobra.MaximumNArgs(1), false)
}

func suspendCommand() *cobra.Command {
	return holding("suspend", "let a whole environment be: it is only looked at, until an end",
		"  mooring suspend --environment production --reason \"moving the account\" --until 8h", cobra.NoArgs, true)
}

// holding makes a command that stops Mooring's hands.
func holding(use, short, example string, args cobra.PositionalArgs, suspend bool) *cobra.Command {
	var c client
	var until, output string
	r := web.HoldRequest{Suspend: suspend}
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.For, err = untilDuration(until, time.Now()); err != nil {
				return err
			}
			if len(args) == 1 && strings.Contains(args[0], "/") {
				r.Resource = args[0]
			} else if len(args) == 1 {
				r.Item = args[0]
			}
			if r.Environment == "" {
				return fmt.Errorf("%s: name the environment with --environment", cmd.Name())
			}
			var h record.Hold
			if err := c.post(cmd.Context(), "/api/v1/environments/"+r.Environment+"/holds", r, &h); err != nil {
				return err
			}
			return print(cmd, output, h, func(w io.Writer) {
				fmt.Fprintf(w, "%s is held until %s; lift it with: mooring resume --environment %s %s\n",
					r.Environment, h.Until.Local().Format(time.RFC3339), r.Environment, h.ID)
			})
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&r.Environment, "environment", "", "name of the environment")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why; it is recorded and shown")
	cmd.Flags().StringVar(&until, "until", "1h", "for how long (2h), or until when (2026-11-23T18:00:00Z)")
	return cmd
}

// untilDuration reads a duration or a time.
func untilDuration(text string, now time.Time) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !t.After(now) {
		return 0, fmt.Errorf("--until %q: want a duration (2h) or a time to come (%s)", text, now.Add(2*time.Hour).UTC().Format(time.RFC3339))
	}
	return t.Sub(now), nil
}
