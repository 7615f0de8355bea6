package rollout

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring.dev/sources/manifest"
)

var update = flag.Bool("update", false, "write the tables of testdata anew; commit only what you understand")

// Every phase with every signal, as a table that people read.
func TestEveryPhaseWithEverySignal(t *testing.T) {
	bad := Counts{Calls: 100, Errors: 90}
	signals := []struct {
		name string
		make func(d *drive) Signal
	}{
		{"nothing", func(*drive) Signal { return Signal{} }},
		{"ready", func(*drive) Signal { return Signal{Ready: true} }},
		{"ready with versions", func(*drive) Signal { return Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}} }},
		{"routed", func(*drive) Signal { return Signal{Routed: true} }},
		{"routed and ready", func(*drive) Signal { return Signal{Routed: true, Ready: true} }},
		{"check passed", func(*drive) Signal { return Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}} }},
		{"check failed", func(*drive) Signal { return Signal{Checks: []CheckDone{{Ref: fn("a"), Detail: "status 500"}}} }},
		{"check passed, held", func(*drive) Signal {
			return Signal{Held: "incident", Checks: []CheckDone{{Ref: fn("a"), Passed: true}}}
		}},
		{"calls fail", func(d *drive) Signal {
			return Signal{Routed: true, Looks: []Look{d.look("a", bad, Counts{Calls: 900})}}
		}},
		{"calls fail, held", func(d *drive) Signal {
			return Signal{Routed: true, Held: "incident", Looks: []Look{d.look("a", bad, Counts{Calls: 900})}}
		}},
		{"held, ready", func(*drive) Signal { return Signal{Held: "incident", Ready: true, Routed: true} }},
		{"policy pauses, ready", func(*drive) Signal { return Signal{Pause: "window closed", Ready: true, Routed: true} }},
		{"policy is silent, ready", func(*drive) Signal {
			return Signal{Unasked: "policy could not be evaluated", Ready: true, Routed: true}
		}},
		{"foreign write", func(*drive) Signal { return Signal{Foreign: "user/bob", Ready: true} }},
		{"capped at 5", func(*drive) Signal { return Signal{WeightCap: 5, Routed: true} }},
		{"policy advances", func(*drive) Signal { return Signal{Advance: true, Routed: true} }},
		{"policy aborts", func(*drive) Signal { return Signal{Abort: "alarm"} }},
		{"abort, held", func(*drive) Signal { return Signal{Abort: "alarm", Held: "incident"} }},
		{"rollback", func(*drive) Signal { return Signal{Rollback: "ann: errors"} }},
		{"rollback, held", func(*drive) Signal { return Signal{Rollback: "ann: errors", Held: "incident"} }},
		{"impossible", func(*drive) Signal { return Signal{Impossible: "denied"} }},
		{"same release", func(*drive) Signal { return Signal{Start: starting("r1", "a")} }},
		{"newer release", func(*drive) Signal { return Signal{Start: starting("r2", "a")} }},
		{"newer release, held", func(*drive) Signal { return Signal{Start: starting("r2", "a"), Held: "incident"} }},
		{"stable again", func(*drive) Signal { return Signal{Start: starting("r0", "a")} }},
	}
	var out strings.Builder
	for _, phase := range []Phase{Idle, Expand, Check, Shift, Connect, Contract, Back} {
		fmt.Fprintf(&out, "\n%s\n", summary(at(phase).State))
		for _, s := range signals {
			d := at(phase)
			sig := s.make(d)
			d.step(time.Second, sig)
			if twice := s.name == "calls fail" || s.name == "calls fail, held"; twice {
				d.step(time.Minute, s.make(d)) // the first look only makes the guess
			}
			fmt.Fprintf(&out, "  %-22s -> %s\n", s.name, summary(d.State))
		}
	}
	golden(t, "testdata/phases.txt", out.String())
}

// summary is a state in one line.
func summary(s State) string {
	phase := string(s.Phase)
	if s.Phase == Idle {
		phase = "idle"
	}
	line := phase + " " + s.Release.Digest
	if s.Stable.Digest != "" {
		line += " over " + s.Stable.Digest
	}
	if s.Phase == Shift {
		line += fmt.Sprintf(", stage %d at %d%%", s.Stage+1, s.Weight)
		if s.Reached {
			line += fmt.Sprintf(" for %s", s.Elapsed)
		}
		if s.Verdict != "" {
			line += ", " + string(s.Verdict)
		}
	}
	for _, part := range []struct {
		is   bool
		text string
	}{{s.Done, "done"}, {s.Failed, "failed"}, {s.Returned != "", "by " + string(s.Returned)}, {s.Next != nil, "then another"},
		{s.Paused != "", "paused: " + s.Paused}} {
		if part.is {
			line += ", " + part.text
		}
	}
	return line
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}
