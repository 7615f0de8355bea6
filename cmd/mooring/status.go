package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
			live := screen{to: cmd.OutOrStdout(), terminal: isTerminal(os.Stdout), size: func() (int, int) { return terminalSize(os.Stdout) }}
			return live.watch(cmd.Context(), show, pauseFor)
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
	size     func() (width, height int)
	before   []byte
}

// watch shows again and again until it is interrupted, which is no failure. A
// daemon that goes away is asked again; one that never answered, or that
// refuses, is not.
func (s *screen) watch(ctx context.Context, show func(io.Writer) error, pause func(context.Context, time.Duration) error) error {
	for {
		var text bytes.Buffer
		err := show(&text)
		var refused *refusal
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (s.before == nil || errors.As(err, &refused) && refused.code < http.StatusInternalServerError):
			return err
		case err != nil:
			text.Reset()
			fmt.Fprintf(&text, "%v\nasked again every second, until interrupted\n", err)
		}
		s.draw(text.Bytes())
		if pause(ctx, time.Second) != nil {
			return nil
		}
	}
}

func (s *screen) draw(text []byte) {
	if s.terminal {
		width, height := s.size()
		text = fitted(text, width, height)
	}
	switch {
	case bytes.Equal(text, s.before):
		return
	case s.terminal:
		// Line by line over what stands there, so that nothing flickers; what
		// is left below is cleared.
		lines := strings.ReplaceAll(string(text), "\n", "\x1b[K\n")
		fmt.Fprint(s.to, "\x1b[H"+lines+"\x1b[J")
	default:
		if s.before != nil {
			fmt.Fprintln(s.to)
		}
		_, _ = s.to.Write(text) // a reader that left needs no more
	}
	s.before = text
}

// fitted is as much of a text as a terminal shows at once: what is above its
// first line cannot be drawn over.
func fitted(text []byte, width, height int) []byte {
	var lines []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if width == 0 || visible(line) <= width {
			lines = append(lines, line)
		} else {
			lines = append(lines, wrap("", line, width, leading(line))...)
		}
	}
	if most := height - 1; most > 1 && len(lines) > most { // the cursor stands below
		rest := len(lines) - (most - 1)
		lines = append(lines[:most-1], fmt.Sprintf("… %s: a taller window shows more", counted(rest, "more line")))
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// rateShown is the share of an account's rate from which people are told.
const rateShown = 0.1

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
			row(w, "", "waits", "", e.PromotionCode, "", "", e.Promotion)
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
		if l.UsedRatio >= rateShown {
			fmt.Fprintf(w, "rate: %s: %.0f%% of %g calls a second used, %d refused since the daemon began\n", l.Name, 100*l.UsedRatio, l.PerSecond, l.Throttles)
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
