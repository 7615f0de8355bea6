package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/web"
)

func rolloutCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rollout", Short: "what moves traffic, what moved it before, and a word on what moves"}
	cmd.AddCommand(rolloutListCommand(), rolloutShowCommand(), rolloutAbortCommand(), rolloutPauseCommand(), rolloutResumeCommand(), rolloutRetryCommand())
	return cmd
}

func rolloutListCommand() *cobra.Command {
	var c client
	var output, environment string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "the rollouts of an environment, newest first",
		Example: "  mooring rollout list --environment production",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := rollouts(cmd, &c, environment, url.Values{"limit": {strconv.Itoa(limit)}})
			if err != nil {
				return err
			}
			return print(cmd, output, all, func(w io.Writer) {
				row(w, "BEGAN", "RELEASE", "COMMIT", "CAUSE", "OUTCOME", "TOOK", "WHY")
				for _, r := range all {
					row(w, r.Began.Local().Format("2006-01-02 15:04:05"), short(r.Release.Digest), short(r.Release.Commit), r.Cause, r.Outcome, took(r), noReturn(r.Reason, r.NoReturn))
				}
			})
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&environment, "environment", "", "name of the environment")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many")
	return cmd
}

func rolloutShowCommand() *cobra.Command {
	var c client
	var output, environment string
	cmd := &cobra.Command{
		Use:     "show [RELEASE or COMMIT]",
		Short:   "every look at a rollout with its numbers; the newest one by default",
		Example: "  mooring rollout show --environment production\n  mooring rollout show --environment production 3f2a91c07d11 -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"limit": {"1"}, "looks": {"true"}}
			if len(args) == 1 {
				query.Set("release", args[0])
			}
			all, err := rollouts(cmd, &c, environment, query)
			switch {
			case err != nil:
				return err
			case len(all) == 0 && len(args) == 1:
				return fmt.Errorf("rollout show %s: %s has no rollout of such a release or commit; `mooring rollout list --environment %s` names them", args[0], environment, environment)
			case len(all) == 0:
				return fmt.Errorf("rollout show: nothing was rolled out in %s yet", environment)
			}
			return print(cmd, output, all[0], func(w io.Writer) { rolloutTable(w, all[0]) })
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&environment, "environment", "", "name of the environment")
	return cmd
}

func rollouts(cmd *cobra.Command, c *client, environment string, query url.Values) (all []web.Rollout, err error) {
	if environment == "" {
		return nil, errors.New("rollout " + cmd.Name() + ": name the environment with --environment")
	}
	return all, c.get(cmd.Context(), "/api/v1/environments/"+url.PathEscape(environment)+"/rollouts?"+query.Encode(), &all)
}

func took(r web.Rollout) string {
	if r.Ended.IsZero() {
		return "-"
	}
	return r.Ended.Sub(r.Began).Round(time.Second).String()
}

// rolloutTable is a line for each look, and under it what was measured of each
// function, where that is news.
func rolloutTable(w io.Writer, r web.Rollout) {
	fmt.Fprintf(w, "%s: commit %s, release %s, %s\n", r.Environment, short(r.Release.Commit), short(r.Release.Digest), r.Outcome)
	if r.Reason != "" {
		fmt.Fprintln(w, r.Reason)
	}
	row(w, "AT", "PHASE", "STAGE", "WEIGHT", "HELD", "VERDICT", "WHY")
	told, left := map[string]string{}, 0
	for _, l := range r.Looks {
		for i := left; i < len(l.Ladder) && l.Ladder[i].Left != nil; i++ {
			row(w, "", "", fmt.Sprintf("%d of %d", i+1, l.Stages), fmt.Sprintf("%d%%", l.Ladder[i].Weight), "", "", leftText(*l.Ladder[i].Left))
			left = i + 1
		}
		stage := "-"
		if l.Stage > 0 {
			stage = fmt.Sprintf("%d of %d", l.Stage, l.Stages)
		}
		why := l.Reason
		if l.Paused != "" {
			why = "paused: " + l.Paused
		} else if l.Need > 0 {
			why += fmt.Sprintf("; about %s needed", counted(twoDigits(l.Need), "more call"))
		}
		row(w, l.At.Local().Format("15:04:05"), l.Phase, stage, fmt.Sprintf("%d%%", l.Weight), time.Duration(l.ElapsedSeconds)*time.Second, l.Verdict, why)
		for _, f := range l.Functions {
			text := functionText(f, l.Phase == "back")
			if (f.Canary.Calls+f.Canary.Throttles+f.Baseline.Calls > 0 || f.Probes != nil) && told[f.Resource] != text {
				row(w, "", "", "", "", "", "", text)
			}
			told[f.Resource] = text
		}
		for _, m := range l.Measures {
			text := measureText(m)
			if m.Verdict != "" && told["measure "+m.Name] != text {
				row(w, "", "", "", "", "", "", text)
			}
			told["measure "+m.Name] = text
		}
	}
}
