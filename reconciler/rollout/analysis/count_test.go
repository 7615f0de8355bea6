package analysis

import (
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/providers"
)

// windowAt is the nth minute.
func windowAt(n int) providers.Window {
	from := noon.Add(time.Duration(n) * time.Minute)
	return providers.Window{From: from, To: from.Add(time.Minute)}
}

func sample(calls, errors int64) providers.Sample {
	return providers.Sample{Known: true, Calls: calls, Errors: errors}
}

// What is lost, late, impossible or counted before adds nothing, to either
// side; no calls are known and prove nothing.
func TestWhatCountsAndWhatDoesNot(t *testing.T) {
	good, bad := sample(900, 0), sample(100, 50)
	cases := map[string]struct {
		look  Look
		alone bool
		want  bool
	}{
		"a minute":                          {look: Look{Window: windowAt(1), Canary: bad, Baseline: good}, want: true},
		"canary unknown":                    {look: Look{Window: windowAt(1), Baseline: good}},
		"baseline unknown":                  {look: Look{Window: windowAt(1), Canary: bad}},
		"baseline unknown, nothing beside":  {look: Look{Window: windowAt(1), Canary: bad}, alone: true, want: true},
		"both unknown":                      {look: Look{Window: windowAt(1)}},
		"numbers, and unknown":              {look: Look{Window: windowAt(1), Canary: providers.Sample{Calls: 100, Errors: 50}, Baseline: good}},
		"counted before":                    {look: Look{Window: windowAt(0), Canary: bad, Baseline: good}},
		"half of it counted before":         {look: Look{Window: providers.Window{From: noon.Add(30 * time.Second), To: noon.Add(2 * time.Minute)}, Canary: bad, Baseline: good}},
		"an empty window":                   {look: Look{Window: providers.Window{From: windowAt(1).From, To: windowAt(1).From}, Canary: bad, Baseline: good}},
		"a window turned round":             {look: Look{Window: providers.Window{From: windowAt(2).From, To: windowAt(1).From}, Canary: bad, Baseline: good}},
		"calls below zero: a counter reset": {look: Look{Window: windowAt(1), Canary: sample(-5, 0), Baseline: good}},
		"errors below zero":                 {look: Look{Window: windowAt(1), Canary: sample(5, -1), Baseline: good}},
		"throttles below zero":              {look: Look{Window: windowAt(1), Canary: providers.Sample{Known: true, Throttles: -1}, Baseline: good}},
		"more errors than calls":            {look: Look{Window: windowAt(1), Canary: sample(5, 6), Baseline: good}},
		"baseline with more errors":         {look: Look{Window: windowAt(1), Canary: bad, Baseline: sample(5, 6)}},
		"no calls at all":                   {look: Look{Window: windowAt(1), Canary: sample(0, 0), Baseline: sample(0, 0)}, want: true},
	}
	for name, tc := range cases {
		var e Evidence
		e.Count(Look{Window: windowAt(0), Canary: sample(100, 1), Baseline: sample(900, 9)}, Setting{Among: 1}, usual)
		before := e
		got := e.Count(tc.look, Setting{Alone: tc.alone, Among: 1}, usual)
		if got != tc.want {
			t.Errorf("%s: counted %t", name, got)
		}
		if !tc.want && !reflect.DeepEqual(e, before) {
			t.Errorf("%s: evidence changed: %+v", name, e)
		}
		if tc.want && !e.Measured.Equal(tc.look.Window.To) {
			t.Errorf("%s: measured up to %s", name, e.Measured)
		}
	}
	var silent Evidence
	for n := range 600 {
		silent.Count(Look{Window: windowAt(n), Canary: sample(0, 0), Baseline: sample(6000, 0)}, Setting{Among: 1}, usual)
	}
	j := Judge([]Arm{{Evidence: silent, Ref: fn("a"), Stable: "1", New: "2", Weight: 10}}, usual)
	if j.Verdict != Unjudged || j.Need <= 0 {
		t.Errorf("ten hours without a call: %+v", j)
	}
}

// Throttled calls are failures of the version they were meant for.
func TestThrottlesAreFailures(t *testing.T) {
	failed := pair{Counts{Calls: 100, Errors: 60}, Counts{Calls: 900, Errors: 9}}
	throttled := pair{Counts{Calls: 40, Throttles: 60}, Counts{Calls: 891, Throttles: 9}}
	f, _ := Stakes{}.bet(failed, failed, 0)
	if g, _ := (Stakes{}).bet(throttled, throttled, 0); f != g || safeEvidence(failed, failed, 0.02) != safeEvidence(throttled, throttled, 0.02) {
		t.Error("a throttled call counts otherwise than a failed one")
	}
	var all Evidence
	all.Count(Look{Window: windowAt(1), Canary: providers.Sample{Known: true, Throttles: 70}, Baseline: sample(600, 0)}, Setting{Among: 1}, usual)
	if j := Judge([]Arm{{Evidence: all, Ref: fn("a"), Stable: "1", New: "2", Weight: 10}}, usual); j.Verdict != Fail {
		t.Errorf("every call is throttled: %+v", j)
	}
}

// The sum of all stakes has a mean of at most what it was, whatever was betted
// before: exactly, over all outcomes of one look.
func TestStakesAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(what string) int64 { return rapid.Int64Range(1, 12).Draw(t, what) }
		before := pair{Counts{Calls: n("cb")}, Counts{Calls: n("bb")}}
		before.canary.Errors = rapid.Int64Range(0, before.canary.Calls).Draw(t, "cbe")
		before.baseline.Errors = rapid.Int64Range(0, before.baseline.Calls).Draw(t, "bbe")
		var s Stakes
		had := 0.0
		for range rapid.IntRange(0, 3).Draw(t, "looks before") {
			s, had = s.bet(pair{}, before, had)
		}
		nc, nb := n("nc"), n("nb")
		low, high := rapid.Float64Range(0, 1).Draw(t, "p"), rapid.Float64Range(0, 1).Draw(t, "q")
		if low > high {
			low, high = high, low
		}
		mean := 0.0
		for kc := range nc + 1 {
			for kb := range nb + 1 {
				_, log := s.bet(before, pair{Counts{Calls: nc, Errors: kc}, Counts{Calls: nb, Errors: kb}}, had)
				mean += mass(nc, kc, low) * mass(nb, kb, high) * math.Exp(log-had)
			}
		}
		if mean > 1+1e-6 {
			t.Fatalf("mean %.9f at pc %.3f, pb %.3f", mean, low, high)
		}
	})
}
