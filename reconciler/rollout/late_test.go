package rollout

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
)

// A stage that holds and passes is not left while calls are not known that could be by
// now, and is once they are, once they are lost, or when policy says so.
func TestUnknownWindowsKeepAStage(t *testing.T) {
	ready := func() *drive {
		d := shifting().step(time.Second, Signal{Routed: true})
		for range 30 {
			d.step(time.Minute, Signal{Routed: true, Held: "a look at first", Looks: []Look{d.look("a", Counts{Calls: 100}, Counts{Calls: 900})}})
		}
		d.Elapsed = d.hold()
		return d
	}
	d := ready()
	if d.Verdict != Pass || d.Stage != 0 {
		t.Fatalf("%s at stage %d", d.Verdict, d.Stage)
	}
	known := d.Functions[0].Answered
	for _, tc := range []struct {
		name  string
		after time.Duration // of what is known, that calls can be known of
		sig   Signal
		left  bool
	}{
		{"all is known", 0, Signal{}, true},
		{"a minute is not", time.Minute, Signal{}, false},
		{"policy says go on", time.Minute, Signal{Advance: true}, true},
		{"nearly lost", lost - time.Second, Signal{}, false},
		{"lost", lost, Signal{}, true},
	} {
		d := ready()
		tc.sig.Routed, tc.sig.Due = true, known.Add(tc.after)
		d.step(time.Second, tc.sig)
		if left := d.Stage > 0; left != tc.left || !left && (!strings.Contains(d.Reason, "are not known yet") || d.Paused != "") {
			t.Errorf("%s: left: %t (%s)", tc.name, left, d.Reason)
		}
	}
}

// Nobody calls what is deployed for the first time, or is at full traffic: that is known,
// and nothing is waited for.
func TestSilenceAtFullTrafficIsKnown(t *testing.T) {
	for name, stable := range map[string]string{"first": "", "all at once": "1"} {
		d := shifting()
		d.Stages, d.Weight, d.Functions[0].Stable = d.Stages[2:], 100, stable
		d.Stages[0].Hold = 0
		d.step(time.Second, Signal{Routed: true, Held: "a look at first"})
		silent := d.look("a", Counts{}, Counts{})
		if silent.Canary = (providers.Sample{Silent: true}); stable == "" {
			silent.Baseline = providers.Sample{}
		}
		d.step(time.Minute, Signal{Routed: true, Looks: []Look{silent}, Due: silent.Window.To})
		if d.Phase != Connect {
			t.Errorf("%s: %s", name, summary(d.State))
		}
	}
}

// The release is not over while calls of the time in which traffic was divided may still
// run; where no answer comes it ends all the same, five minutes later. A function all
// of whose calls are told in time waits for nothing.
func TestTheEndWaitsForWhatRuns(t *testing.T) {
	for _, tc := range []struct {
		name    string
		longest time.Duration
		again   bool
		silent  bool // nothing is looked at any more
		waits   time.Duration
	}{{"short", 0, true, false, 0}, {"long", 5 * time.Minute, true, false, 7 * time.Minute}, {"long, and no answer", 5 * time.Minute, false, false, 12 * time.Minute},
		{"long, and no look", 5 * time.Minute, false, true, 12 * time.Minute}} {
		d := shifting().step(time.Second, Signal{Routed: true})
		d.Functions[0].Longest = tc.longest
		for i := 0; i < 30 && d.Weight < 100; i++ {
			d.healthy(1)
		}
		if d.Weight != 100 {
			t.Fatalf("%s: %s", tc.name, summary(d.State))
		}
		d.Stages[d.Stage].Hold = 0
		since := time.Duration(0)
		for ; d.Phase == Shift && since < time.Hour; since += 30 * time.Second {
			look := Look{Ref: d.Functions[0].Ref}
			for _, w := range d.Functions[0].Settled.Due(tc.longest, d.Tick.Add(30*time.Second)) {
				if tc.again {
					look.Again = append(look.Again, Again{Window: w, Canary: providers.Sample{Known: true, Calls: 100}, Baseline: providers.Sample{Known: true, Calls: 900}})
				}
			}
			sig := Signal{Routed: true, Looks: []Look{look}}
			if tc.silent {
				sig.Looks = nil
			}
			d.step(30*time.Second, sig)
		}
		if since < tc.waits-time.Minute || since > tc.waits+2*time.Minute || d.Phase != Connect {
			t.Errorf("%s: over after %s, want about %s: %s", tc.name, since, tc.waits, summary(d.State))
		}
	}
}

// Successes are held against the weight only for windows in all of which traffic was
// divided by it: not of before it was in place, and not with a hand in between.
func TestSharesAreOfDividedTraffic(t *testing.T) {
	d := shifting().step(time.Second, Signal{Routed: true})
	d.Functions[0].Longest = time.Minute
	bets := func(sig Signal) bool {
		before := d.Functions[0].Settled.Split
		sig.Looks = []Look{d.look("a", Counts{Calls: 40}, Counts{Calls: 960})}
		d.step(time.Minute, sig)
		return d.Functions[0].Settled.Split != before
	}
	if bets(Signal{Routed: true}) {
		t.Error("of before anybody looked")
	}
	if !bets(Signal{Routed: true}) {
		t.Error("divided, and not counted")
	}
	if bets(Signal{Foreign: "alice"}) || bets(Signal{Routed: true}) {
		t.Error("with a hand in between")
	}
	if !bets(Signal{Routed: true}) {
		t.Error("put back, and not counted")
	}
}

// What is known of calls that run long survives a restart; a state of before has none
// of it, and is judged to its end as it was.
func TestLateEvidenceIsKept(t *testing.T) {
	d := shifting().step(time.Second, Signal{Routed: true})
	d.Functions[0].Longest = 5 * time.Minute
	d.healthy(9)
	f := &d.Functions[0]
	again := []Again{{Window: f.Settled.Due(f.Longest, d.now.Add(time.Minute))[0], Canary: providers.Sample{Known: true, Calls: 100, Errors: 4}, Baseline: providers.Sample{Known: true, Calls: 900}}}
	d.step(time.Minute, Signal{Routed: true, Looks: []Look{{Ref: f.Ref, Again: again}}})
	text, err := json.Marshal(d.State)
	if err != nil {
		t.Fatal(err)
	}
	var kept State
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	rewritten, err := json.Marshal(kept)
	if s := kept.Functions[0].Settled; err != nil || s.Canary.Errors != 4 || s.Split.LogE == 0 || len(s.Open) == 0 || kept.Divided.IsZero() || !bytes.Equal(text, rewritten) {
		t.Errorf("%s\nwas kept as\n%s", text, rewritten)
	}
	text, err = json.Marshal(shifting().step(time.Second, Signal{Routed: true}).State)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"settled", "longest", "divided"} {
		if strings.Contains(string(text), `"`+field+`"`) {
			t.Errorf("%s is written where no call runs long", field)
		}
	}
}
