package web

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// drawing is how the page draws a rollout.
func drawing(t *testing.T, looks []RolloutLook) string {
	t.Helper()
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := all.ExecuteTemplate(&out, "rollout", Rollout{ID: 1, Looks: looks}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func looksOf(n int, change func(i int, l *RolloutLook)) []RolloutLook {
	var out []RolloutLook
	for i := range n {
		l := RolloutLook{At: noon.Add(time.Duration(i) * time.Minute), RolloutStatus: RolloutStatus{Phase: "shift", Weight: 10, Verdict: "undecided"}}
		change(i, &l)
		out = append(out, l)
	}
	return out
}

// counting is a function called so often, failing so often, and slow so often.
func counting(calls, errors int64) []RolloutFunction {
	c := CountsStatus{Calls: calls, Errors: errors}
	return []RolloutFunction{{Resource: "Function/f", Stable: "1", New: "2", Canary: c, Baseline: c, Latency: &LatencyStatus{Canary: c, Baseline: c}}}
}

// Whatever was measured, a picture is of numbers within its box, says in words
// what it shows, and is no larger than it can be read.
func TestPicturesOfOddRollouts(t *testing.T) {
	for name, c := range map[string]struct {
		looks    []RolloutLook
		drawn    bool
		lines    int // with points
		says     string
		hasTable bool
	}{
		"none":              {nil, false, 0, "", false},
		"one look":          {looksOf(1, func(_ int, l *RolloutLook) { l.Functions = counting(9, 1) }), false, 0, "", true},
		"at one moment":     {looksOf(3, func(_ int, l *RolloutLook) { l.At = noon }), false, 0, "", true},
		"no calls":          {looksOf(5, func(_ int, l *RolloutLook) { l.Functions = counting(0, 0) }), true, 1, "of the new version none known of calls failed", true},
		"no functions":      {looksOf(5, func(int, *RolloutLook) {}), true, 1, "none known", true},
		"calls at the end":  {looksOf(5, func(i int, l *RolloutLook) { l.Functions = counting(int64(i/4), 0) }), true, 5, "0.0% of calls failed", true},
		"counts that lie":   {looksOf(5, func(_ int, l *RolloutLook) { l.Functions = counting(3, 700) }), true, 5, "100.0% of calls failed", true},
		"less than nothing": {looksOf(5, func(_ int, l *RolloutLook) { l.Functions = counting(-3, -1) }), true, 1, "none known", true},
		"five hundred": {looksOf(500, func(i int, l *RolloutLook) {
			l.Functions, l.Verdict = counting(int64(i*100), int64(i)), []string{"undecided", "pass"}[i%2]
			if i == 499 {
				l.Verdict = "fail"
			}
		}), true, 5, "; 1.0% were slow, beside it 1.0%; the last verdict is fail", true},
	} {
		out := drawing(t, c.looks)
		label := regexp.MustCompile(`<svg class="chart"[^>]*role="img" aria-label="([^"]+)"`).FindStringSubmatch(out)
		if (label != nil) != c.drawn || c.drawn && !strings.Contains(label[1], c.says) || strings.Contains(out, "<table>") != c.hasTable {
			t.Errorf("%s: drawn %v as %q", name, label != nil, label)
		}
		lines := regexp.MustCompile(`points="([^"]+)"`).FindAllStringSubmatch(out, -1)
		if len(lines) != c.lines {
			t.Errorf("%s: %d lines, want %d", name, len(lines), c.lines)
		}
		for _, line := range lines {
			within(t, name, line[1])
		}
		if marks := strings.Count(out, "<text "); marks > chartWidth/markRoom+2 {
			t.Errorf("%s: %d verdicts stand on one another", name, marks)
		}
		picture, _, _ := strings.Cut(out, "<details")
		if len(picture) > 64*1024 || strings.Contains(out, "NaN") || strings.Contains(out, "Inf") {
			t.Errorf("%s: %d bytes of picture: %.200s", name, len(picture), picture)
		}
		if c.drawn && name == "five hundred" && !strings.Contains(picture, `class="fail"`) {
			t.Errorf("%s: the failure is not marked", name)
		}
	}
}

// within: points are numbers in the box, from left to right.
func within(t *testing.T, name, points string) {
	t.Helper()
	before := -1.0
	for p := range strings.FieldsSeq(points) {
		xs, ys, _ := strings.Cut(p, ",")
		x, xerr := strconv.ParseFloat(xs, 64)
		y, yerr := strconv.ParseFloat(ys, 64)
		if xerr != nil || yerr != nil || x < 0 || x > chartWidth || y < 0 || y > chartHeight || x < before {
			t.Errorf("%s: the point %q after %v", name, p, before)
			return
		}
		before = x
	}
}

// A function's own view draws its own calls, of the newest release it moved in.
func TestAFunctionsOwnRollout(t *testing.T) {
	n := badNight(2)
	other := looksOf(3, func(i int, l *RolloutLook) {
		l.Functions = append(counting(100, 50), RolloutFunction{Resource: "Function/g", Stable: "1", New: "2", Canary: CountsStatus{Calls: 10, Errors: int64(i)}}, RolloutFunction{Resource: "Function/still", Stable: "3", New: "3"})
	})
	n.releases["production"] = append([]Rollout{{Environment: "production", Outcome: "in_force"}}, Rollout{Environment: "production", Outcome: "returned", Reason: "it failed", Looks: other})
	h := serve(t, &n.fake, func(o *Options) { o.View = n })
	for resource, want := range map[string]string{"Function/g": "of the new version 20.0% of calls failed", "Function/f": "of the new version 50.0% of calls failed", "Function/still": "", "Queue/orders": ""} {
		body := ask(h, "GET", "/environments/production/resources/"+resource, "", "Authorization", "Bearer the-token").Body.String()
		if got := strings.Contains(body, `aria-label="traffic"`); got != (want != "") || !strings.Contains(body, want) {
			t.Errorf("%s: traffic is shown: %v, want %q", resource, got, want)
		}
	}
}

// Drift of the last day is a dot each, or one for what was at one time.
func TestPicturesOfADay(t *testing.T) {
	var events []Event
	for i := range 500 {
		events = append(events, Event{At: noon.Add(-time.Duration(i) * time.Minute), Kind: "drift", Resource: "Function/f", Text: "changed"})
	}
	for want, list := range map[int][]Event{0: nil, 1: events[:1], 56: events} {
		dots, all := timelineOf(list, noon), 0
		for _, d := range dots {
			within(t, "a day", fmt.Sprint(d.X, ",12"))
			all += 1 + d.More
		}
		if len(dots) != want || all != len(list) {
			t.Errorf("of %d events %d dots of %d", len(list), len(dots), all)
		}
	}
}
