package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/web"
)

func statusCommand() *cobra.Command {
	var c client
	var output string
	var watch bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "where everything stands",
		Example: "  mooring status\n  mooring status --watch\n  mooring status -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			show := func(w io.Writer) error {
				var s web.Status
				if err := c.get(cmd.Context(), "/api/v1/status", &s); err != nil {
					return err
				}
				cmd.SetOut(w)
				return print(cmd, output, s, func(w io.Writer) { statusTable(w, s) })
			}
			if !watch {
				return show(cmd.OutOrStdout())
			}
			live := screen{to: cmd.OutOrStdout(), terminal: isTerminal(os.Stdout)}
			for {
				var text bytes.Buffer
				if err := show(&text); err != nil {
					return err
				}
				live.draw(text.Bytes())
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(time.Second):
				}
			}
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on showing it, live on a terminal and elsewhere what changes, until interrupted")
	return cmd
}

// screen shows one text over the other on a terminal; elsewhere it writes a
// text that differs from the one before.
type screen struct {
	to       io.Writer
	terminal bool
	before   []byte
}

func (s *screen) draw(text []byte) {
	switch {
	case bytes.Equal(text, s.before):
		return
	case s.terminal:
		// Line by line over what stands there, so that nothing flickers; what
		// is left below is cleared.
		text := strings.ReplaceAll(string(text), "\n", "\x1b[K\n")
		fmt.Fprint(s.to, "\x1b[H"+text+"\x1b[J")
	default:
		if s.before != nil {
			fmt.Fprintln(s.to)
		}
		_, _ = s.to.Write(text) // a reader that left needs no more
	}
	s.before = text
}

func statusTable(w io.Writer, s web.Status) {
	row(w, "ENVIRONMENT", "STATE", "COMMIT", "CONTENT", "ROLLOUT", "DRIFT", "WHY")
	for _, e := range s.Environments {
		row(w, e.Name, colour(stateColour(e.State), e.State), short(e.Commit), short(e.Content), rolloutText(e.Rollout), driftCount(e.Drift), e.Reason)
		for _, h := range e.Holds {
			row(w, "", "hold", h.ID, h.Kind, h.Resource, "", h.Reason)
		}
		if len(e.Queue) > 0 {
			row(w, "", "queue", "", "", "", "", queueText(e.Queue))
		}
		if e.Promotion != "" {
			row(w, "", "waits", "", "", "", "", e.Promotion)
		}
		for _, a := range e.Approvals {
			row(w, "", string(a.Answer), a.By, short(a.Content), "", "", a.Why)
		}
	}
	for _, e := range s.Environments {
		rolloutPicture(w, e)
	}
	for _, f := range s.Faults {
		fmt.Fprintln(w, "fault:", f)
	}
	for _, l := range s.Quota {
		if l.UsedRatio >= 0.01 || l.Throttles > 0 {
			fmt.Fprintf(w, "rate: %s: %.0f%% of %g calls a second used, %d refused\n", l.Name, 100*l.UsedRatio, l.PerSecond, l.Throttles)
		}
	}
}

func rolloutText(r web.RolloutStatus) string {
	switch {
	case r.Phase == "":
		return "-"
	case r.Stage == 0:
		return r.Phase
	}
	return strings.TrimSpace(fmt.Sprintf("%d%% (stage %d of %d) %s", r.Weight, r.Stage, r.Stages, r.Verdict))
}

func driftCount(d map[string]int) int {
	n := 0
	for _, c := range d {
		n += c
	}
	return n
}

func stateColour(state string) string {
	switch state {
	case "in_sync":
		return "32"
	case "progressing":
		return "36"
	case "drifted", "held":
		return "33"
	}
	return "31"
}

// queueText is what waits in turn, first in first.
func queueText(queue []web.QueuedStatus) string {
	names := make([]string, len(queue))
	for i, q := range queue {
		names[i] = short(q.Content)
	}
	return fmt.Sprintf("%d wait in turn: %s", len(queue), strings.Join(names, ", "))
}
