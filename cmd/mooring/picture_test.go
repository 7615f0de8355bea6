package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/web"
)

func drawn(e web.EnvironmentStatus) string {
	var out bytes.Buffer
	rolloutPicture(&out, e)
	return out.String()
}

func TestPictureOfARollout(t *testing.T) {
	moving := web.RolloutStatus{
		Phase: "shift", Weight: 10, Stage: 1, Stages: 2, Ladder: []web.Rung{{Weight: 10, HoldSeconds: 300}, {Weight: 100}},
		Verdict: "undecided", Reason: "no evidence yet of no harm", Need: 200, ElapsedSeconds: 130,
		Functions: []web.RolloutFunction{
			{Resource: "Function/checkout", Stable: "2", New: "3", Canary: web.CountsStatus{Calls: 312, Errors: 3, Throttles: 4}, Baseline: web.CountsStatus{Calls: 2808, Errors: 2},
				Probes: &web.ProbesStatus{Canary: web.CountsStatus{Calls: 20, Errors: 1}, Baseline: web.CountsStatus{Calls: 20}}},
			{Resource: "Function/fulfil", Stable: "5", New: "5"},
			{Resource: "Function/new", New: "1"},
		},
		Measures: []web.Measure{
			{Name: "p99", Verdict: "pass", Detail: "0.5"}, {Name: "refunds", Verdict: "fail", Detail: "the query gives 12, want at most 10", DryRun: true},
			{Name: "Alarm/errors", Alarm: true, Verdict: "fail", Detail: "it fires", Red: true}, {Name: "orders", Detail: "of a stage before"},
		},
	}
	want := `
production: 469066e1086d takes traffic, stage 1 of 2, 2m10s of 5m0s
  [###---------------------------]  10%   [10% for 5m0s] > 100%
  Function/checkout 2 -> 3: 3 of 312 calls failed (1.0%), 4 throttled, beside it 2 of 2808 calls failed (0.1%); 1 of 20 probes failed, beside it 0 of 20
  Function/fulfil stays at version 5
  Function/new gets version 1
  metric p99: pass, 0.5
  metric refunds: fail, the query gives 12, want at most 10 (only told)
  alarm Alarm/errors: fail, it fires (since before the release)
  metric orders: not asked in this stage
  undecided: about 200 more calls needed
  no evidence yet of no harm
  paused: held by ann
`
	moving.Paused = "held by ann"
	if got := drawn(web.EnvironmentStatus{Name: "production", Commit: "469066e1086d409ec1ba", Rollout: moving}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	moving.Stage, moving.Weight, moving.Verdict, moving.Paused, moving.Reason, moving.Functions, moving.Measures = 2, 100, "", "", "", nil, nil
	moving.Ladder[0].Left = &web.Left{HeldSeconds: 301, Verdict: "pass", Reason: "of no interest", Canary: web.CountsStatus{Calls: 400}, Baseline: web.CountsStatus{Calls: 3600, Errors: 1},
		Probes: &web.ProbesStatus{Canary: web.CountsStatus{Calls: 40}}}
	want = `
production: 469066e1086d takes traffic, stage 2 of 2, held 2m10s of 0s
  [##############################] 100%   10% for 5m0s > [100%]
  stage 1 at 10%: pass after 5m1s, 0 of 400 calls failed (0.0%), beside it 1 of 3600 calls failed (0.0%); 0 of 40 probes failed
`
	if got := drawn(web.EnvironmentStatus{Name: "production", Commit: "469066e1086d409ec1ba", Rollout: moving}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := drawn(web.EnvironmentStatus{Name: "production", Rollout: web.RolloutStatus{Functions: moving.Functions}}); got != "" {
		t.Errorf("nothing moves, and it is drawn:\n%s", got)
	}
}

// What an undecided stage waits for is said, how many calls, and what happens
// when.
func TestPictureOfWhatIsMissing(t *testing.T) {
	base := web.RolloutStatus{Phase: "shift", Stage: 1, Stages: 2, Ladder: []web.Rung{{Weight: 10, HoldSeconds: 300}, {Weight: 100}}, Verdict: "undecided", ElapsedSeconds: 130, MaxHoldSeconds: 1800}
	for want, change := range map[string]func(*web.RolloutStatus){
		": how many calls are missing is not known yet":                                    func(*web.RolloutStatus) {},
		": about 12000 more calls needed":                                                  func(r *web.RolloutStatus) { r.Need = 11321 },
		": about 99 more calls needed; in 27m50s it goes back":                             func(r *web.RolloutStatus) { r.Need, r.OnUndecided = 99, "rollback" },
		": how many calls are missing is not known yet; in 27m50s it goes on all the same": func(r *web.RolloutStatus) { r.OnUndecided = "proceed" },
		": how many calls are missing is not known yet; in 2m50s it waits for somebody":    func(r *web.RolloutStatus) { r.OnUndecided, r.MaxHoldSeconds = "hold", 60 },
		": about 120 more calls needed":                                                    func(r *web.RolloutStatus) { r.Need, r.OnUndecided, r.Paused = 111, "hold", "held by ann" },
		"":                                                                                 func(r *web.RolloutStatus) { r.Verdict, r.Need = "pass", 5 },
	} {
		r := base
		change(&r)
		if got := needText(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBar(t *testing.T) {
	for percent, full := range map[int]int{0: 0, 1: 1, 10: 3, 50: 15, 99: 30, 100: 30, 140: 30, -1: 0} {
		if got := strings.Count(bar(percent), "#"); got != full {
			t.Errorf("%d%%: %d of %d", percent, got, barWidth)
		}
	}
}

// What does not change is written once; on a terminal the new text stands
// where the old one stood, with nothing of it left.
func TestScreen(t *testing.T) {
	var plain, live bytes.Buffer
	p, l := screen{to: &plain}, screen{to: &live, terminal: true, size: func() (int, int) { return 0, 0 }}
	for _, text := range []string{"one\ntwo\n", "one\ntwo\n", "three\n"} {
		p.draw([]byte(text))
		l.draw([]byte(text))
	}
	if got, want := plain.String(), "one\ntwo\n\nthree\n"; got != want {
		t.Errorf("plain %q, want %q", got, want)
	}
	if got, want := live.String(), "\x1b[H"+"one\x1b[K\ntwo\x1b[K\n\x1b[J"+"\x1b[H"+"three\x1b[K\n\x1b[J"; got != want {
		t.Errorf("live %q, want %q", got, want)
	}
}

// A text that is larger than its terminal could not be drawn over: it is cut,
// and says so.
func TestScreenFits(t *testing.T) {
	long := strings.Repeat("a word ", 30) + "\n" + strings.Repeat("line\n", 40)
	for _, size := range [][2]int{{80, 24}, {40, 10}, {20, 5}} {
		got := string(fitted([]byte(long), size[0], size[1]))
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if len(lines) != size[1]-1 || !strings.Contains(lines[len(lines)-1], "more lines") {
			t.Errorf("%v: %d lines, the last %q", size, len(lines), lines[len(lines)-1])
		}
		for _, line := range lines[:len(lines)-1] {
			if visible(line) > size[0] {
				t.Errorf("%v: a line of %d", size, visible(line))
			}
		}
	}
	if got := string(fitted([]byte("one\ntwo\n"), 80, 24)); got != "one\ntwo\n" {
		t.Errorf("what fits became %q", got)
	}
}

// Who watches is told that the daemon went away and sees it come back; a
// daemon that never answered, or that lets nobody in, ends it.
func TestWatchOutlivesTheDaemon(t *testing.T) {
	away, shut := errors.New("no daemon answers"), &refusal{code: 401, text: "no token"}
	for _, c := range []struct {
		name    string
		answers []error // of one second after another; then it is interrupted
		want    error
		shown   string
	}{
		{"comes back", []error{nil, away, away, nil}, nil, "fine\n\nno daemon answers\nasked again every second, until interrupted\n\nfine\n"},
		{"never there", []error{away}, away, ""},
		{"shut out", []error{nil, shut}, shut, "fine\n"},
		{"interrupted in a request", []error{nil, context.Canceled}, nil, "fine\n"},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		var out bytes.Buffer
		s, i := screen{to: &out}, 0
		err := s.watch(ctx, func(w io.Writer) error {
			answer := c.answers[i]
			i++
			if errors.Is(answer, context.Canceled) {
				interrupt()
			}
			if answer == nil {
				fmt.Fprintln(w, "fine")
			}
			return answer
		}, func(context.Context, time.Duration) error {
			if i == len(c.answers) {
				return context.Canceled
			}
			return nil
		})
		if !errors.Is(err, c.want) || out.String() != c.shown {
			t.Errorf("%s: %v, shown %q", c.name, err, out.String())
		}
		interrupt()
	}
}

func TestReasonsAreToldApartInOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"one": "one", "one\ntwo": "one; two", "broken:\n  here\n": "broken:   here", "a;\n\nb": "a;  b", "": "",
	} {
		if got := inOneLine(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
