package rollout

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mooring.dev/sources/manifest"
)

// measured is a rollout at its first stage with a metric, a dry one and an
// alarm, which said this before the first traffic.
func measured(before ...Measured) *drive {
	d := &drive{now: noon}
	st := starting("r1", "a")
	st.Rollout.Analysis.Metrics = []manifest.Measure{{Name: "p99"}, {Name: "dry", DryRun: true}}
	st.Rollout.Analysis.Alarms = []string{"Alarm/errors"}
	d.step(0, Signal{Start: st})
	d.step(time.Second, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}, Measures: before})
	return d.step(time.Second, Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
}

func metric(v Verdict) Measured { return Measured{Name: "p99", Verdict: v, Detail: "is so"} }
func dry(v Verdict) Measured    { return Measured{Name: "dry", Verdict: v, DryRun: true, Detail: "is so"} }
func ring(v Verdict) Measured {
	return Measured{Name: "Alarm/errors", Alarm: true, Verdict: v, Detail: "is so"}
}

// What measures do to a healthy stage: the calls alone would pass it.
func TestMeasures(t *testing.T) {
	all := func(m ...Measured) []Measured { return m }
	good := all(metric(Pass), dry(Pass), ring(Pass))
	for name, tc := range map[string]struct {
		before []Measured
		then   [][]Measured // one a minute, at the first stage
		want   Verdict
		back   bool
	}{
		"all pass":                      {good, [][]Measured{good}, Pass, false},
		"not asked in this stage":       {good, nil, Undecided, false},
		"a metric fails":                {good, [][]Measured{good, all(metric(Fail))}, Fail, true},
		"a metric fails unasked before": {nil, [][]Measured{all(metric(Fail))}, Fail, true},
		"a metric says nothing":         {good, [][]Measured{good, all(metric(Undecided))}, Undecided, false},
		"an alarm fires":                {good, [][]Measured{good, all(ring(Fail))}, Fail, true},
		"an alarm has no data":          {good, [][]Measured{all(metric(Pass), ring(Undecided))}, Undecided, false},
		"an alarm was never heard":      {good, [][]Measured{all(metric(Pass))}, Undecided, false},
		"a dry one fails":               {good, [][]Measured{all(metric(Pass), dry(Fail), ring(Pass))}, Pass, false},
		"a dry one says nothing":        {good, [][]Measured{all(metric(Pass), ring(Pass))}, Pass, false},
		"an alarm fired before":         {all(ring(Fail)), [][]Measured{all(metric(Pass), ring(Fail))}, Pass, false},
		"a metric failed before":        {all(metric(Fail)), [][]Measured{all(metric(Fail), ring(Pass))}, Pass, false},
		"it fired before and is silent": {all(ring(Fail)), [][]Measured{all(metric(Pass), ring(Undecided))}, Undecided, false},
		"it was ok, and fires again":    {all(ring(Fail)), [][]Measured{good, all(ring(Fail))}, Fail, true},
		"silent, and fires as before":   {all(ring(Fail)), [][]Measured{all(metric(Pass), ring(Undecided)), all(ring(Fail))}, Pass, false},
	} {
		d := measured(tc.before...)
		d.step(time.Second, Signal{Routed: true})
		for i := range 3 {
			sig := Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 1000}, Counts{Calls: 9000})}}
			if i < len(tc.then) {
				sig.Measures = tc.then[i]
			}
			if d.step(time.Minute, sig); d.Phase == Back {
				break
			}
		}
		if d.Verdict != tc.want || (d.Phase == Back) != tc.back || (d.Phase == Back && d.Returned != ByVerdict) {
			t.Errorf("%s: %q in %s (%s): %s", name, d.Verdict, d.Phase, d.Returned, d.Reason)
		}
		text, err := json.Marshal(d.State)
		var again State
		if err != nil || json.Unmarshal(text, &again) != nil || len(again.Measures) != len(d.Measures) {
			t.Errorf("%s: does not keep: %v", name, err)
		}
	}
}

// A stage asks anew: what passed in the one before says nothing of this one.
// What alone is missing is named, and what fires after the last stage still
// takes the release back.
func TestMeasuresAreAskedInEachStage(t *testing.T) {
	good := []Measured{metric(Pass), ring(Pass)}
	d := measured(good...)
	d.step(time.Second, Signal{Routed: true})
	for i := 0; i < 6 && d.Stage == 0; i++ {
		d.step(time.Minute, Signal{Routed: true, Measures: good, Looks: []Look{d.look("a", Counts{Calls: 1000}, Counts{Calls: 9000})}})
	}
	if d.Stage != 1 {
		t.Fatalf("stage %d: %s %s", d.Stage, d.Verdict, d.Reason)
	}
	for range 60 {
		d.step(time.Minute, Signal{Routed: true, Looks: []Look{d.look("a", Counts{Calls: 5000}, Counts{Calls: 5000})}})
	}
	if d.Stage != 1 || d.Verdict != Undecided || !strings.Contains(d.Paused, "metric p99") {
		t.Errorf("stage %d is %q, paused %q", d.Stage, d.Verdict, d.Paused)
	}
	for range 60 {
		d.step(time.Minute, Signal{Routed: true, Measures: good, Looks: []Look{d.look("a", Counts{Calls: 5000}, Counts{Calls: 5000})}})
	}
	if d.Phase != Connect {
		t.Fatalf("it is in %s: %s %s", d.Phase, d.Verdict, d.Reason)
	}
	if d.step(time.Second, Signal{Measures: []Measured{ring(Fail)}}); d.Phase != Back {
		t.Errorf("an alarm at full weight leaves it in %s", d.Phase)
	}
}
