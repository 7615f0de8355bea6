package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/web"
)

// declareFew writes so many functions of one build, all of them lame or none.
func (s *killStage) declareFew(b shopBuilds, n int, version string, lame bool) {
	s.t.Helper()
	if err := os.MkdirAll(s.path("shop/functions"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	for i := range n {
		s.declareTenth(b, i, version, lame)
	}
}

// TestProbesOfTheProgram releases to a function that nobody calls, with the real
// program and real code: a broken version goes back by its probes, by one call and
// with no more than ten, and a good one comes into force by them; where nothing
// moves nobody is called, and what CloudWatch has of the alias has no probe in it.
func TestProbesOfTheProgram(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s := openStage(t)
	s.repository(`stages: [{weight: 10, hold: 1s}, {weight: 100, hold: 1s}], analysis: {tolerance: 0.5, minSamples: 10, maxHold: 2m, probe: {perMinute: 60, payload: {ping: true}, expect: {"$.ok": true}}}`,
		func(string) { s.declareFew(b, 1, "1.0", false) })
	s.begin()
	s.await(s.head())
	probes := func(since time.Time) (n int) {
		for _, c := range s.box.Calls(since) {
			if c.Operation == "Invoke" && c.Actor.AccessKey == "mooring" {
				n++
			}
		}
		return n
	}

	began := time.Now()
	s.declareFew(b, 1, "1.1", true)
	s.push("a broken 1.1")
	s.awaitRoutings(began, 2)
	e := s.until("back", func(e web.EnvironmentStatus) bool { return e.Rollout.Phase == "" })
	if got := s.routings(began); len(got) != 2 || len(weights(t, got[1])) != 0 || text(got[1].Params["functionVersion"]) != "1" {
		t.Errorf("%d routings, the last %v", len(got), last(got).Params)
	}
	if n := probes(began); n == 0 || n > 20 {
		t.Errorf("back after %d calls of both versions", n)
	}
	if !strings.Contains(e.Reason, "probes of version 2 failed") {
		t.Errorf("it went back because of %q", e.Reason)
	}
	rest := time.Now()

	s.declareFew(b, 1, "1.1", false)
	good := s.push("1.1 as it should be")
	moving := s.until("probed", func(e web.EnvironmentStatus) bool {
		return len(e.Rollout.Functions) > 0 && e.Rollout.Functions[0].Probes != nil
	})
	if f := moving.Rollout.Functions[0]; f.Canary.Calls+f.Baseline.Calls > 0 || f.Probes.Canary.Errors > 0 || f.Probes.Baseline.Calls == 0 {
		t.Errorf("it is told as %+v with probes %+v", f, f.Probes)
	}
	s.await(good)
	if routed := s.routings(rest); len(routed) != 2 {
		t.Errorf("%d routings of a good version", len(routed))
	}
	if n := probes(rest); n == 0 || n%2 != 0 {
		t.Errorf("a good version was probed by %d calls", n)
	}
	rest = time.Now()
	for surveys := 0; surveys < 3; time.Sleep(50 * time.Millisecond) {
		surveys = 0
		for _, c := range s.box.Calls(rest) {
			if c.Operation == "GetResources" {
				surveys++
			}
		}
		if time.Since(rest) > 30*time.Second {
			t.Fatal("the daemon looks no more")
		}
	}
	if n := probes(rest); n != 0 {
		t.Errorf("at rest there are %d calls", n)
	}
}

// alarmed waits until an alarm is in a state.
func (s *killStage) alarmed(state string) {
	s.t.Helper()
	s.poll("the alarm is "+state, func() bool {
		return strings.Contains(s.call("monitoring", "GraniteServiceVersion20100801.DescribeAlarms", `{}`), `"StateValue":"`+state+`"`)
	})
}

// TestAlarmsOfTheProgram: an alarm on the errors of an alias, which the calls of its
// users trip and nothing else. One that was red before lets the fix through; one
// that begins to fire in a canary, although every test of the calls tolerates it, takes
// the release back by one call a function; one without data is waited for, and
// neither good nor bad.
func TestAlarmsOfTheProgram(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s := openStage(t)
	s.call("monitoring", "GraniteServiceVersion20100801.PutMetricAlarm", `{"AlarmName":"orders-lost","Namespace":"AWS/Lambda","MetricName":"Errors",
		"Dimensions":[{"Name":"FunctionName","Value":"preview-f0"},{"Name":"Resource","Value":"preview-f0:live"}],
		"Statistic":"Sum","Period":1,"EvaluationPeriods":3,"DatapointsToAlarm":1,"Threshold":0,"ComparisonOperator":"GreaterThanThreshold"}`)
	const few, bad = 2, "1.2-bad" // which loses a tenth of its orders
	s.repository(`stages: [{weight: 50, hold: 6s}, {weight: 100, hold: 1s}], analysis: {tolerance: 0.9, onUndecided: proceed, maxHold: 5s, alarms: [orders-lost]}`,
		func(string) { s.declareFew(b, few, bad, false) })
	s.begin()
	s.await(s.head())
	orders := s.callers("f0")
	s.alarmed("ALARM")
	alarm := func(e web.EnvironmentStatus) web.Measure {
		if len(e.Rollout.Measures) == 0 {
			return web.Measure{}
		}
		return e.Rollout.Measures[0]
	}

	s.declareFew(b, few, "1.3", false)
	fix := s.push("the fix, under the red alarm")
	s.until("red", func(e web.EnvironmentStatus) bool {
		return e.Rollout.Phase == "shift" && alarm(e).Verdict == "fail" && alarm(e).Red
	})
	s.await(fix)
	s.alarmed("OK")

	began := time.Now()
	s.declareFew(b, few, bad, false)
	s.push(bad + " again, and orders are lost")
	s.awaitRoutings(began, 2*few)
	e := s.until("back", func(e web.EnvironmentStatus) bool { return e.Rollout.Phase == "" })
	back := s.routings(began)
	if len(back) != 2*few || !strings.Contains(e.Reason, "alarm orders-lost") {
		t.Fatalf("%d routings of %d functions, because of %q", len(back), few, e.Reason)
	}
	for _, c := range back[few:] {
		if text(c.Params["functionVersion"]) != "2" || len(weights(t, c)) != 0 {
			t.Errorf("it goes back by %v", c.Params)
		}
	}

	orders.stop()
	s.alarmed("INSUFFICIENT_DATA")
	s.declareFew(b, few, "1.4", false)
	quiet := s.push("1.4, and the alarm has no data")
	s.until("no data", func(e web.EnvironmentStatus) bool { return e.Rollout.Weight == 50 && alarm(e).Verdict == "undecided" })
	s.await(quiet) // by proceed, once maxHold is over
	e, err = s.status()
	if err != nil || len(e.Rollout.Ladder) != 0 {
		t.Errorf("%+v, %v", e.Rollout, err)
	}
}
