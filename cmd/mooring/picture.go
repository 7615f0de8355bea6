package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"mooring.dev/reconciler/web"
)

// barWidth is how wide traffic is drawn, in characters.
const barWidth = 30

// rolloutPicture draws a release that moves: the share of its traffic, its
// stages, what was measured, and what it waits for. What stands still is not
// drawn.
func rolloutPicture(w io.Writer, e web.EnvironmentStatus) {
	r := e.Rollout
	if r.Phase == "" {
		return
	}
	fmt.Fprintf(w, "\n%s: %s %s\n", e.Name, short(e.Commit), phaseText(r))
	if len(r.Ladder) > 0 {
		fmt.Fprintf(w, "  %s %3d%%   %s\n", bar(r.Weight), r.Weight, ladderText(r))
	}
	for i, rung := range r.Ladder {
		if rung.Left != nil {
			fmt.Fprintf(w, "  stage %d at %d%%: %s\n", i+1, rung.Weight, leftText(*rung.Left))
		}
	}
	for _, f := range r.Functions {
		fmt.Fprintf(w, "  %s\n", functionText(f, r.Phase == "back"))
	}
	for _, m := range r.Measures {
		fmt.Fprintf(w, "  %s\n", measureText(m))
	}
	if r.Verdict != "" {
		fmt.Fprintf(w, "  %s%s\n", colour(verdictColour(r.Verdict), r.Verdict), needText(r))
	}
	if r.Reason != "" {
		fmt.Fprintf(w, "  %s\n", r.Reason)
	}
	if r.Paused != "" && r.Paused != r.Reason {
		fmt.Fprintf(w, "  paused: %s\n", r.Paused)
	}
}

// phaseText is where a release is on its way, and for how long.
func phaseText(r web.RolloutStatus) string {
	switch {
	case r.Stage > 0:
		return fmt.Sprintf("takes traffic, stage %d of %d, %s", r.Stage, r.Stages, heldText(r))
	case r.Phase == "back":
		return "returns traffic to the release before"
	}
	what := map[string]string{"expand": "adds and publishes", "check": "is checked before it gets traffic", "connect": "connects what calls it", "contract": "removes what is no longer declared"}
	return cmp.Or(what[r.Phase], r.Phase)
}

func heldText(r web.RolloutStatus) string {
	elapsed := time.Duration(r.ElapsedSeconds) * time.Second
	if r.Stage > len(r.Ladder) {
		return elapsed.String()
	}
	hold := time.Duration(r.Ladder[r.Stage-1].HoldSeconds) * time.Second
	if elapsed > hold {
		return fmt.Sprintf("held %s of %s", elapsed, hold)
	}
	return fmt.Sprintf("%s of %s", elapsed, hold)
}

func bar(percent int) string {
	full := (percent*barWidth + 50) / 100
	if percent > 0 {
		full = max(1, full)
	}
	full = min(barWidth, max(0, full))
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "]"
}

// ladderText is the stages; the one it stands in is in brackets.
func ladderText(r web.RolloutStatus) string {
	rungs := make([]string, len(r.Ladder))
	for i, rung := range r.Ladder {
		rungs[i] = fmt.Sprintf("%d%%", rung.Weight)
		if rung.HoldSeconds > 0 {
			rungs[i] += " for " + time.Duration(rung.HoldSeconds*int64(time.Second)).String()
		}
		if i+1 == r.Stage {
			rungs[i] = "[" + rungs[i] + "]"
		}
	}
	return strings.Join(rungs, " > ")
}

// leftText is how a stage was left.
func leftText(l web.Left) string {
	text := fmt.Sprintf("%s after %s", colour(verdictColour(l.Verdict), cmp.Or(l.Verdict, "unjudged")), time.Duration(l.HeldSeconds)*time.Second)
	if l.Canary.Calls+l.Canary.Throttles > 0 {
		text += ", " + countsText(l.Canary)
	}
	if l.Baseline.Calls+l.Baseline.Throttles > 0 {
		text += ", beside it " + countsText(l.Baseline)
	}
	text += probesText(l.Probes)
	if l.Verdict != "pass" && l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}

// functionText is a function's versions, in the way its traffic moves.
func functionText(f web.RolloutFunction, back bool) string {
	text := f.Resource + " "
	switch {
	case f.Stable == "" && f.New == "":
		text += "not published yet"
	case f.New == "" || f.New == f.Stable:
		text += "stays at version " + f.Stable
	case f.Stable == "":
		text += "gets version " + f.New
	case back:
		text += f.New + " -> " + f.Stable
	default:
		text += f.Stable + " -> " + f.New
	}
	if f.Canary.Calls+f.Canary.Throttles > 0 {
		text += ": " + countsText(f.Canary)
	}
	if f.Baseline.Calls+f.Baseline.Throttles > 0 {
		text += ", beside it " + countsText(f.Baseline)
	}
	return text + probesText(f.Probes)
}

// probesText is what calls of our own found, beside users'.
func probesText(p *web.ProbesStatus) string {
	if p == nil {
		return ""
	}
	text := fmt.Sprintf("; %d of %d probes failed", p.Canary.Errors, p.Canary.Calls)
	if p.Baseline.Calls > 0 {
		text += fmt.Sprintf(", beside it %d of %d", p.Baseline.Errors, p.Baseline.Calls)
	}
	return text
}

func measureText(m web.Measure) string {
	text := "metric " + m.Name
	if m.Alarm {
		text = "alarm " + m.Name
	}
	text += ": " + cmp.Or(m.Verdict, "not asked in this stage")
	if m.Verdict != "" && m.Detail != "" {
		text += ", " + m.Detail
	}
	switch {
	case m.DryRun:
		text += " (only told)"
	case m.Red:
		text += " (since before the release)"
	}
	return text
}

func countsText(c web.CountsStatus) string {
	text := fmt.Sprintf("%d of %d calls failed", c.Errors, c.Calls)
	if c.Calls > 0 {
		text += fmt.Sprintf(" (%.1f%%)", 100*float64(c.Errors)/float64(c.Calls))
	}
	if c.Throttles > 0 {
		text += fmt.Sprintf(", %d throttled", c.Throttles)
	}
	return text
}

// needText is what an undecided stage waits for, and until when.
func needText(r web.RolloutStatus) string {
	if r.Verdict != "undecided" {
		return ""
	}
	text := ": how many calls are missing is not known yet"
	if r.Need > 0 {
		text = fmt.Sprintf(": about %s needed", counted(twoDigits(r.Need), "more call"))
	}
	what := map[string]string{"hold": "it waits for somebody", "rollback": "it goes back", "proceed": "it goes on all the same"}[r.OnUndecided]
	if left := max(r.MaxHoldSeconds, holdSeconds(r)) - r.ElapsedSeconds; what != "" && left > 0 && r.Paused == "" {
		text += fmt.Sprintf("; in %s %s", time.Duration(left)*time.Second, what)
	}
	return text
}

// holdSeconds is what the stage it stands in must hold.
func holdSeconds(r web.RolloutStatus) int64 {
	if r.Stage < 1 || r.Stage > len(r.Ladder) {
		return 0
	}
	return r.Ladder[r.Stage-1].HoldSeconds
}

// twoDigits rounds an estimate up: the rest of it is noise.
func twoDigits(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit - 1) / unit * unit
}

func verdictColour(verdict string) string {
	return cmp.Or(map[string]string{"pass": "32", "fail": "31"}[verdict], "33")
}
