package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Chart is a rollout over time, drawn in a box of chartWidth by chartHeight:
// the share of traffic on the new version as steps, and the error rate of the
// canary and of the baseline beside it as lines.
type Chart struct {
	Weight string // points of a polyline
	Errors Lines
	Slow   *Lines // the share of slow calls; nil where latency is not judged
	Marks  []Mark
	From   time.Time
	To     time.Time
	Text   string // what it shows, for who does not see it
}

// Lines are the rates of the new version and of the one beside it, as points of
// polylines; Top is the rate at the upper edge, as text.
type Lines struct {
	Canary, Baseline, Top string
	canary, baseline      float64 // the last; below 0 without any
}

// Mark is a look whose verdict was another than the one before.
type Mark struct {
	X       string
	Verdict string
	Sign    string // the verdict without colour
	Text    string
}

const (
	chartWidth  = 640
	chartHeight = 120
)

// markRoom is how far marks stand apart at least; a failure is always marked.
const markRoom = 14

var signs = map[string]string{"pass": "✓", "fail": "✕"}

// chartOf draws looks, oldest first; nil where there is nothing to draw.
func chartOf(looks []RolloutLook) *Chart {
	if len(looks) < 2 || !looks[len(looks)-1].At.After(looks[0].At) {
		return nil
	}
	c := &Chart{From: looks[0].At, To: looks[len(looks)-1].At}
	span := float64(c.To.Sub(c.From))
	at := func(l RolloutLook) float64 { return chartWidth * float64(l.At.Sub(c.From)) / span }
	var weight strings.Builder
	before, most, verdict, room := 0, 0, "", -chartWidth*1.0
	for _, l := range looks {
		x, share := at(l), l.Weight
		if l.Phase == "" { // at rest: nothing moves any more
			share = before
		}
		fmt.Fprintf(&weight, "%.1f,%.1f %.1f,%.1f ", x, high(float64(before)/100), x, high(float64(share)/100))
		before, most = share, max(most, share)
		if l.Verdict != "" && l.Verdict != verdict {
			verdict = l.Verdict
			if x-room >= markRoom || verdict == "fail" {
				room = x
				c.Marks = append(c.Marks, Mark{X: fmt.Sprintf("%.1f", x), Verdict: verdict, Sign: cmp.Or(signs[verdict], "?"), Text: strings.TrimSpace(verdict + " " + l.Reason)})
			}
		}
	}
	c.Weight = strings.TrimSpace(weight.String())
	c.Errors = linesOf(looks, at, failing)
	c.Text = fmt.Sprintf("share of traffic up to %d%%; of the new version %s of calls failed, beside it %s", most, percent(c.Errors.canary), percent(c.Errors.baseline))
	if slow := linesOf(looks, at, slowness); slow.Canary != "" || slow.Baseline != "" {
		c.Slow = &slow
		c.Text += fmt.Sprintf("; %s were slow, beside it %s", percent(slow.canary), percent(slow.baseline))
	}
	if verdict != "" {
		c.Text += "; the last verdict is " + verdict
	}
	return c
}

func high(share float64) float64 { return chartHeight * (1 - share) }

// percent is a rate as text.
func percent(rate float64) string {
	if rate < 0 {
		return "none known"
	}
	return fmt.Sprintf("%.1f%%", 100*rate)
}

// linesOf draws one rate of both versions.
func linesOf(looks []RolloutLook, at func(RolloutLook) float64, of func(RolloutFunction) (canary, baseline CountsStatus)) Lines {
	canary, baseline := make([]float64, len(looks)), make([]float64, len(looks))
	top := 0.01
	for i, l := range looks {
		canary[i], baseline[i] = rates(l, of)
		top = max(top, canary[i], baseline[i])
	}
	draw := func(rates []float64) (points string, last float64) {
		var out []string
		last = -1
		for i, rate := range rates {
			if rate < 0 {
				continue
			}
			x := at(looks[i])
			if len(out) == 0 { // a line of one point would not be seen
				out = append(out, fmt.Sprintf("%.1f,%.1f", max(0, x-4), high(rate/top)))
			}
			out, last = append(out, fmt.Sprintf("%.1f,%.1f", x, high(rate/top))), rate
		}
		return strings.Join(out, " "), last
	}
	l := Lines{Top: percent(top)}
	l.Canary, l.canary = draw(canary)
	l.Baseline, l.baseline = draw(baseline)
	return l
}

func failing(f RolloutFunction) (canary, baseline CountsStatus) { return f.Canary, f.Baseline }

func slowness(f RolloutFunction) (canary, baseline CountsStatus) {
	if f.Latency == nil {
		return canary, baseline
	}
	return f.Latency.Canary, f.Latency.Baseline
}

// rates are the shares of calls, of all functions together so far, that failed
// or were slow; below 0 where nothing was called.
func rates(l RolloutLook, of func(RolloutFunction) (canary, baseline CountsStatus)) (canary, baseline float64) {
	var c, b CountsStatus
	for _, f := range l.Functions {
		fc, fb := of(f)
		c.Calls, c.Errors = c.Calls+fc.Calls, c.Errors+fc.Errors
		b.Calls, b.Errors = b.Calls+fb.Calls, b.Errors+fb.Errors
	}
	return share(c), share(b)
}

func share(c CountsStatus) float64 {
	if c.Calls <= 0 {
		return -1
	}
	return min(1, float64(c.Errors)/float64(c.Calls))
}

// looksAt are the looks in which a function moved, with its own counts only.
func looksAt(looks []RolloutLook, resource string) []RolloutLook {
	var out []RolloutLook
	for _, l := range looks {
		if i := slices.IndexFunc(l.Functions, func(f RolloutFunction) bool { return f.Resource == resource && f.New != f.Stable }); i >= 0 {
			l.Functions = l.Functions[i : i+1]
			out = append(out, l)
		}
	}
	return out
}

// Dot is one event in a picture of the last day.
type Dot struct {
	X, Kind, Text string
	More          int // others at about that time
}

// dotRoom is how far dots stand apart at least.
const dotRoom = 4

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
		x := fmt.Sprintf("%.0f", dotRoom*math.Round(chartWidth/dotRoom*(1-float64(age)/float64(day))))
		if n := len(dots); n > 0 && dots[n-1].X == x {
			dots[n-1].More++
			continue
		}
		dots = append(dots, Dot{X: x, Kind: e.Kind, Text: e.At.Format("15:04") + " " + e.Resource + " " + e.Text})
	}
	return dots
}
