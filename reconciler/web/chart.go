package web

import (
	"fmt"
	"strings"
	"time"
)

// Chart is a rollout over time, drawn in a box of chartWidth by chartHeight:
// the share of traffic on the new version as steps, and the error rate of the
// canary and of the baseline beside it as lines.
type Chart struct {
	Weight, Canary, Baseline string // points of polylines
	Top                      string // the error rate at the upper edge, as text
	Marks                    []Mark
	From, To                 time.Time
}

// Mark is a look whose verdict was another than the one before.
type Mark struct {
	X       string
	Verdict string
	Text    string
}

const (
	chartWidth  = 640
	chartHeight = 120
)

// chartOf draws looks, oldest first; nil where there is nothing to draw.
func chartOf(looks []RolloutLook) *Chart {
	if len(looks) < 2 || !looks[len(looks)-1].At.After(looks[0].At) {
		return nil
	}
	c := &Chart{From: looks[0].At, To: looks[len(looks)-1].At}
	canary, baseline := make([]float64, len(looks)), make([]float64, len(looks))
	top := 0.01
	for i, l := range looks {
		canary[i], baseline[i] = rates(l)
		top = max(top, canary[i], baseline[i])
	}
	c.Top = fmt.Sprintf("%.1f%%", 100*top)
	span := float64(c.To.Sub(c.From))
	var weight, can, base strings.Builder
	before, verdict := 0, ""
	for i, l := range looks {
		x := chartWidth * float64(l.At.Sub(c.From)) / span
		high := func(share float64) float64 { return chartHeight * (1 - share) }
		share := l.Weight
		if l.Phase == "" { // at rest: nothing moves any more
			share = before
		}
		fmt.Fprintf(&weight, "%.1f,%.1f %.1f,%.1f ", x, high(float64(before)/100), x, high(float64(share)/100))
		before = share
		if canary[i] >= 0 {
			fmt.Fprintf(&can, "%.1f,%.1f ", x, high(canary[i]/top))
		}
		if baseline[i] >= 0 {
			fmt.Fprintf(&base, "%.1f,%.1f ", x, high(baseline[i]/top))
		}
		if l.Verdict != "" && l.Verdict != verdict {
			verdict = l.Verdict
			c.Marks = append(c.Marks, Mark{X: fmt.Sprintf("%.1f", x), Verdict: verdict, Text: strings.TrimSpace(verdict + " " + l.Reason)})
		}
	}
	c.Weight, c.Canary, c.Baseline = strings.TrimSpace(weight.String()), strings.TrimSpace(can.String()), strings.TrimSpace(base.String())
	return c
}

// rates are the shares of calls that failed, of all functions together so far;
// below 0 where nothing was called.
func rates(l RolloutLook) (canary, baseline float64) {
	var c, b CountsStatus
	for _, f := range l.Functions {
		c.Calls, c.Errors = c.Calls+f.Canary.Calls, c.Errors+f.Canary.Errors
		b.Calls, b.Errors = b.Calls+f.Baseline.Calls, b.Errors+f.Baseline.Errors
	}
	return share(c), share(b)
}

func share(c CountsStatus) float64 {
	if c.Calls == 0 {
		return -1
	}
	return float64(c.Errors) / float64(c.Calls)
}

// Dot is one event in a picture of the last day.
type Dot struct {
	X, Kind, Text string
}

// timelineOf are the events about drift of the last day, as dots on a line of
// chartWidth that ends now.
func timelineOf(events []Event, now time.Time) []Dot {
	const day = 24 * time.Hour
	dots := []Dot{}
	for _, e := range events {
		age := now.Sub(e.At)
		if e.Kind != "drift" || age < 0 || age > day {
			continue
		}
		dots = append(dots, Dot{X: fmt.Sprintf("%.1f", chartWidth*(1-float64(age)/float64(day))), Kind: e.Kind, Text: e.At.Format("15:04") + " " + e.Resource + " " + e.Text})
	}
	return dots
}
