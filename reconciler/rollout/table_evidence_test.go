package rollout

import (
	"math"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// evidenceEvents is what measures, calls and probes may say, and keep to
// themselves: a stage is held by what is missing, and left by nothing but a pass.
func evidenceEvents() []event {
	nan := math.NaN()
	said := func(m ...Measured) Signal { return Signal{Routed: true, Measures: m} }
	heldBack := said(metric(Fail))
	heldBack.Held = "incident"
	nothing := providers.Sample{Known: true}
	return []event{
		signals("switched", Signal{Switched: "it acted", Routed: true}),
		signals("switched, held", Signal{Switched: "it acted", Held: "incident"}),
		signals("switched, silent", Signal{Switched: "it acted", Unasked: "no answer of policy"}),
		signals("metric fails", said(metric(Fail))),
		signals("metric fails, held", heldBack),
		signals("dry metric fails", said(dry(Fail))),
		signals("metric passes", said(metric(Pass))),
		signals("metric unknown", said(metric(Undecided))),
		signals("metric is NaN", said(Measured{Name: "p99", Verdict: Undecided, Detail: "NaN", Value: &nan})),
		signals("alarm rings", said(ring(Fail))),
		signals("alarm unknown", said(ring(Undecided))),
		looks("good calls", 0, providers.Sample{Known: true, Calls: 100}, providers.Sample{Known: true, Calls: 900}),
		looks("no calls", 0, nothing, nothing),
		looks("calls unknown", 0, providers.Sample{}, providers.Sample{}),
		looks("baseline unknown", 0, providers.Sample{Known: true, Calls: 100, Errors: 90}, providers.Sample{}),
		looks("impossible calls", 0, providers.Sample{Known: true, Calls: 100, Errors: 900}, providers.Sample{Known: true, Calls: 900}),
		looks("failures come late", time.Hour, providers.Sample{Known: true, Calls: 100, Errors: 90}, providers.Sample{Known: true, Calls: 900}),
		probes("probes pass", Counts{Calls: 900}, Counts{Calls: 900}),
		probes("probes fail", Counts{Calls: 50, Errors: 50}, Counts{Calls: 50}),
		probes("probes unanswered", Counts{}, Counts{}),
		probes("both arms' fail", Counts{Calls: 50, Errors: 50}, Counts{Calls: 50, Errors: 50}),
	}
}

// looks is one window of calls, that ended so long ago.
func looks(name string, ago time.Duration, canary, baseline providers.Sample) event {
	return event{name: name, make: func(d *drive) Signal {
		look := Look{Ref: fn("a"), Window: providers.Window{From: d.now.Add(-ago), To: d.now.Add(time.Minute - ago)}, Canary: canary, Baseline: baseline}
		return Signal{Routed: true, Looks: []Look{look}}
	}}
}

// probes is one round, in a minute in which nobody called.
func probes(name string, canary, baseline Counts) event {
	quiet := looks(name, 0, providers.Sample{Known: true}, providers.Sample{Known: true})
	return event{name: name, make: func(d *drive) Signal {
		sig := quiet.make(d)
		sig.Probes = []Probed{{Ref: fn("a"), At: d.now.Add(time.Second), Canary: canary, Baseline: baseline}}
		return sig
	}}
}

// onTheBrink are stages whose hold is over with the next second: what is heard
// then decides.
func onTheBrink() []func() *drive {
	brink := func(change func(*Start), each func(*drive) Signal) func() *drive {
		return func() *drive {
			st := starting("r1", "a")
			change(st)
			d := &drive{now: noon}
			d.step(0, Signal{Start: st})
			d.step(time.Second, Signal{Ready: true, Versions: map[manifest.Ref]string{fn("a"): "2"}})
			d.step(time.Second, Signal{Checks: []CheckDone{{Ref: fn("a"), Passed: true}}})
			d.step(time.Second, Signal{Routed: true})
			for range 4 {
				d.step(time.Minute, each(d))
			}
			return d.step(59*time.Second, each(d))
		}
	}
	calls := looks("", time.Minute, providers.Sample{Known: true, Calls: 100}, providers.Sample{Known: true, Calls: 900})
	quiet := looks("", time.Minute, providers.Sample{Known: true}, providers.Sample{Known: true})
	return []func() *drive{
		brink(func(*Start) {}, calls.make), // a pass
		brink(func(*Start) {}, quiet.make), // nobody calls
		brink(func(st *Start) { st.Functions[0].Probed = true }, quiet.make),
		brink(func(st *Start) { // a metric and an alarm that said nothing yet
			st.Rollout.Analysis.Metrics = []manifest.Measure{{Name: "p99"}, {Name: "dry", DryRun: true}}
		}, calls.make),
		brink(func(st *Start) {
			st.Rollout.Analysis.Metrics = []manifest.Measure{{Name: "p99"}}
		}, func(d *drive) Signal {
			sig := calls.make(d)
			sig.Measures = []Measured{metric(Pass)}
			return sig
		}),
	}
}

// weighs holds one line of the table of evidence against what delivery.md says:
// no data is never good data, and harm is never waited out.
func weighs(t *testing.T, before State, e event, got State) {
	t.Helper()
	sig := e.make(&drive{State: before, now: noon})
	where := summary(before) + " with " + e.name + " gives " + summary(got)
	moves := before.Phase != Idle && before.Phase != Back && !before.stopped()
	serves := moves && before.Phase != Expand && before.Phase != Check
	for _, m := range sig.Measures {
		if m.Verdict == Fail && !m.DryRun && serves && got.Phase != Back {
			t.Errorf("a measure fails: %s", where)
		}
	}
	if sig.Switched != "" && moves && got.Phase != Back {
		t.Errorf("a switch acted: %s", where)
	}
	left := before.Phase == Shift && (got.Phase == Connect || got.Phase == Shift && got.Stage != before.Stage)
	unknown := len(sig.Looks) > 0 && !sig.Looks[0].Canary.Known
	if left && got.Left[len(got.Left)-1].Verdict != Pass && before.Weight < 100 {
		t.Errorf("left without a pass: %s", where)
	}
	if left && unknown && before.Verdict != Pass {
		t.Errorf("no data is good data: %s", where)
	}
	for _, m := range sig.Measures {
		if left && m.Name == "p99" && m.Verdict == Undecided && len(before.Analysis.Metrics) > 0 {
			t.Errorf("a metric says nothing: %s", where)
		}
	}
}

// What evidence does in every state, and where it decides.
func TestEveryStateWithAllEvidence(t *testing.T) {
	tabulate(t, "testdata/evidence.txt", append(standing(t), onTheBrink()...), evidenceEvents(), weighs)
}
