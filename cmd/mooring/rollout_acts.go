package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/web"
)

func rolloutAbortCommand() *cobra.Command {
	return rolloutAct(web.RolloutAbort, "send traffic back to stable now; the content is not tried again by itself",
		"  mooring rollout abort --environment production --reason \"orders fail\"")
}

func rolloutResumeCommand() *cobra.Command {
	return rolloutAct(web.RolloutResume, "let a paused release go on", "  mooring rollout resume --environment production")
}

func rolloutRetryCommand() *cobra.Command {
	return rolloutAct(web.RolloutRetry, "take failed content out of quarantine",
		"  mooring rollout retry --environment production --reason \"the database was down\"")
}

func rolloutPauseCommand() *cobra.Command {
	return rolloutAct(web.RolloutPause, "keep the release that moves at its weight until an end; it goes on being judged",
		"  mooring rollout pause --environment production --reason \"lunch\" --until 1h")
}

// rolloutAct makes a command that says a word on the release that moves, or
// that failed.
func rolloutAct(act, short, example string) *cobra.Command {
	var c client
	var until, output string
	var r web.RolloutRequest
	cmd := &cobra.Command{
		Use: act, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if r.Environment == "" {
				return fmt.Errorf("rollout %s: name the environment with --environment", act)
			}
			r.Act = act
			if act == web.RolloutPause {
				if r.For, err = untilDuration(until, time.Now()); err != nil {
					return err
				}
			}
			if err := c.post(cmd.Context(), "/api/v1/environments/"+r.Environment+"/rollout/"+act, r, nil); err != nil {
				return err
			}
			return taken{Act: "rollout " + act, Environment: r.Environment}.print(cmd, output)
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&r.Environment, "environment", "", "name of the environment")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why; it is recorded and shown")
	if act == web.RolloutPause {
		cmd.Flags().StringVar(&until, "until", "1h", "for how long (2h), or until when (2026-11-23T18:00:00Z)")
	}
	return cmd
}
