package rollout

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

var update = flag.Bool("update", false, "write the tables of testdata anew; commit only what you understand")

// event is one thing that may happen to a rollout.
type event struct {
	name string
	make func(d *drive) Signal
	// again repeats it a minute later: the first look at failing calls only
	// makes the guess.
	again bool
}

// signals is an event that is the same whatever the state.
func signals(name string, sig Signal) event {
	return event{name: name, make: func(*drive) Signal { return sig }}
}

// begins is an event that asks for a release, with whatever else happens.
func begins(name, release string, sig Signal) event {
	return event{name: name, make: func(*drive) Signal {
		sig.Start = starting(release, "a")
		return sig
	}}
}

// failing is an event in which nearly all calls of the new version fail.
func failing(name string, sig Signal) event {
	return event{name: name, again: true, make: func(d *drive) Signal {
		sig.Routed, sig.Looks = true, []Look{d.look("a", Counts{Calls: 100, Errors: 90}, Counts{Calls: 900})}
		return sig
	}}
}

// events is everything that may happen, alone and in the combinations in which
// one has to win.
func events() []event {
	passed, failed := []CheckDone{{Ref: fn("a"), Passed: true}}, []CheckDone{{Ref: fn("a"), Detail: "status 500"}}
	versions := map[manifest.Ref]string{fn("a"): "2"}
	retry := begins("retry", "r1", Signal{})
	again := retry.make
	retry.make = func(d *drive) Signal {
		sig := again(d)
		sig.Start.Retry = true
		return sig
	}
	return []event{
		signals("nothing", Signal{}),
		signals("ready", Signal{Ready: true}),
		signals("ready with versions", Signal{Ready: true, Versions: versions}),
		signals("routed", Signal{Routed: true}),
		signals("routed and ready", Signal{Routed: true, Ready: true}),
		signals("check passed", Signal{Checks: passed}),
		signals("check passed, routed", Signal{Checks: passed, Routed: true}),
		signals("check passed, held", Signal{Held: "incident", Checks: passed, Routed: true}),
		signals("check failed", Signal{Checks: failed}),
		signals("check failed, paused", Signal{Pause: "ann: lunch", Checks: failed, Routed: true}),
		failing("calls fail", Signal{}),
		failing("calls fail, held", Signal{Held: "incident"}),
		failing("calls fail, paused", Signal{Pause: "ann: lunch"}),
		failing("calls fail, silent", Signal{Unasked: "no answer of policy"}),
		signals("held, ready", Signal{Held: "incident", Ready: true, Routed: true}),
		signals("paused, ready", Signal{Pause: "ann: lunch", Ready: true, Routed: true}),
		signals("no approval, ready", Signal{Pause: "needs an approval", Ready: true, Routed: true}),
		signals("silent, ready", Signal{Unasked: "no answer of policy", Ready: true, Routed: true}),
		signals("foreign, ready", Signal{Foreign: "user/bob", Ready: true}),
		signals("capped at 5", Signal{WeightCap: 5, Routed: true}),
		signals("not advanced, routed", Signal{Unadvanced: "no policy says advance yet", Routed: true, Ready: true}),
		signals("policy advances", Signal{Advance: true, Routed: true}),
		signals("alarm", Signal{Abort: "alarm", Routed: true}),
		signals("alarm, held", Signal{Abort: "alarm", Held: "incident"}),
		signals("alarm, no approval", Signal{Abort: "alarm", Pause: "needs an approval"}),
		signals("alarm, foreign", Signal{Abort: "alarm", Foreign: "user/bob"}),
		signals("alarm, policy advances", Signal{Abort: "alarm", Advance: true, Routed: true, Ready: true}),
		signals("ann aborts, silent", Signal{Abort: "aborted by ann", Unasked: "no answer of policy"}),
		signals("rollback", Signal{Rollback: "ann: errors"}),
		signals("rollback, held", Signal{Rollback: "ann: errors", Held: "incident"}),
		signals("rollback, silent", Signal{Rollback: "ann: errors", Unasked: "no answer of policy"}),
		signals("impossible", Signal{Impossible: "denied"}),
		begins("same release", "r1", Signal{}), retry,
		begins("newer release", "r2", Signal{}),
		begins("newer release, routed", "r2", Signal{Routed: true}),
		begins("newer release, held", "r2", Signal{Held: "incident"}),
		begins("newer release, paused", "r2", Signal{Pause: "ann: lunch"}),
		begins("newer release, foreign", "r2", Signal{Foreign: "user/bob"}),
		begins("newer release, alarm", "r2", Signal{Abort: "alarm"}),
		begins("stable again", "r0", Signal{}),
	}
}

// standing is every state a rollout can stand in, by a way that leads there.
func standing(t *testing.T) []func() *drive {
	var out []func() *drive
	for _, phase := range []Phase{Idle, Expand, Check, Shift} {
		out = append(out, func() *drive { return at(phase) })
	}
	in := func(sig Signal, minutes int) func() *drive {
		return func() *drive {
			d := at(Shift)
			for range minutes {
				d.step(time.Minute, sig)
			}
			return d
		}
	}
	return append(out,
		in(Signal{Pause: "ann: lunch", Routed: true}, 1), in(Signal{Unasked: "no answer of policy", Routed: true}, 9), in(Signal{WeightCap: 5, Routed: true}, 1),
		in(Signal{Foreign: "user/bob"}, 1), in(Signal{Routed: true}, 40), // undecided for longer than it may be
		func() *drive { return held(t, func(*Start) {}) }, // asking the post-traffic check
		func() *drive { return at(Connect) }, func() *drive { return at(Contract) }, func() *drive { return at(Back) },
		in(Signal{Rollback: "ann: errors"}, 1), in(Signal{Start: starting("r2", "a")}, 1), stoppedFirst)
}

// stoppedFirst is a first deployment whose check failed.
func stoppedFirst() *drive {
	st := starting("r1", "a")
	st.Stable, st.Functions[0].Stable = record.Release{}, ""
	d := &drive{now: noon}
	d.step(0, Signal{Start: st}).step(time.Second, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}})
	return d.step(time.Second, Signal{Checks: []CheckDone{{Ref: fn("a"), Detail: "status 500"}}})
}

// Every state with every event, as a table that people read.
func TestEveryStateWithEveryEvent(t *testing.T) {
	tabulate(t, "testdata/phases.txt", standing(t), events(), answers)
}

// tabulate holds each line of a table against what must hold of it, and the
// table against the one kept.
func tabulate(t *testing.T, path string, states []func() *drive, events []event, line func(*testing.T, State, event, State)) {
	t.Helper()
	var out strings.Builder
	for _, stands := range states {
		fmt.Fprintf(&out, "\n%s\n", summary(stands().State))
		for _, e := range events {
			d := stands()
			before := d.State
			d.step(time.Second, e.make(d))
			if e.again {
				d.step(time.Minute, e.make(d))
			}
			line(t, before, e, d.State)
			fmt.Fprintf(&out, "  %-23s-> %s\n", e.name, summary(d.State))
		}
	}
	golden(t, path, out.String())
}

// answers holds one line of the table against what delivery.md says, so that
// a table written anew cannot say anything.
func answers(t *testing.T, before State, e event, got State) {
	t.Helper()
	sig := e.make(&drive{State: before, now: noon})
	where := fmt.Sprintf("%s with %q gives %s", summary(before), e.name, summary(got))
	moves := before.Phase != Idle && before.Phase != Back && !before.stopped()
	halted := sig.Held != "" || sig.Pause != "" || sig.Unasked != "" || sig.Foreign != ""
	switch danger := sig.Abort != "" || sig.Impossible != "" || sig.Rollback != "" || e.again; {
	case moves && (sig.Abort != "" || sig.Impossible != "" || sig.Rollback != "") && got.Phase != Back:
		t.Errorf("danger: %s", where)
	case e.again && moves && before.Phase != Expand && before.Phase != Check && got.Phase != Back:
		t.Errorf("failing calls: %s", where)
	case moves && !danger && halted && got.Phase != before.Phase && got.Phase != Back && before.Phase != Contract && sig.Start == nil:
		t.Errorf("halted: %s", where)
	case before.Phase == Shift && got.Phase == Shift && halted && got.Weight > before.Weight:
		t.Errorf("weight: %s", where)
	case before.Phase == Back && got.Phase == Back && got.Failed != before.Failed:
		t.Errorf("the cause of a way back changed: %s", where)
	case before.Phase == Back && halted && sig.Routed && sig.Ready && got.Phase == Back:
		t.Errorf("a way back was held: %s", where)
	case before.stopped() && got.Phase != before.Phase && sig.Start == nil:
		t.Errorf("stopped: %s", where)
	}
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
		if s.Asking {
			line += ", asking"
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
