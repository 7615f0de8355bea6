package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
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

// ringing writes a value of a metric every while, and none while it is below 0.
type ringing struct {
	value atomic.Int64
	stop  func()
}

func (s *killStage) ring() *ringing {
	r, done := &ringing{}, make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if v := r.value.Load(); v >= 0 {
				s.call("monitoring", "GraniteServiceVersion20100801.PutMetricData", fmt.Sprintf(`{"Namespace":"Shop","MetricData":[{"MetricName":"Lost","Value":%d}]}`, v))
			}
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	r.stop = func() { close(done); wg.Wait() }
	return r
}

// TestAlarmsOfTheProgram: an alarm that begins to fire in a canary takes the
// release back, by one call a function; one that was red before lets the fix
// through; one without data is waited for, and neither good nor bad.
func TestAlarmsOfTheProgram(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s := openStage(t)
	s.call("monitoring", "GraniteServiceVersion20100801.PutMetricAlarm",
		`{"AlarmName":"orders-lost","Namespace":"Shop","MetricName":"Lost","Statistic":"Maximum","Period":1,"EvaluationPeriods":2,"DatapointsToAlarm":1,"Threshold":0,"ComparisonOperator":"GreaterThanThreshold"}`)
	metric := s.ring()
	defer metric.stop()
	const few = 2
	s.repository(`stages: [{weight: 10, hold: 4s}, {weight: 100, hold: 1s}], analysis: {onUndecided: proceed, maxHold: 5s, alarms: [orders-lost]}`,
		func(string) { s.declareFew(b, few, "1.0", false) })
	s.begin()
	s.await(s.head())
	alarm := func(e web.EnvironmentStatus) web.Measure {
		if len(e.Rollout.Measures) == 0 {
			return web.Measure{}
		}
		return e.Rollout.Measures[0]
	}

	began := time.Now()
	s.declareFew(b, few, "1.1", false)
	s.push("1.1, and orders are lost")
	s.awaitRoutings(began, few)
	metric.value.Store(3)
	s.awaitRoutings(began, 2*few)
	e := s.until("back", func(e web.EnvironmentStatus) bool { return e.Rollout.Phase == "" })
	back := s.routings(began)
	if len(back) != 2*few || !strings.Contains(e.Reason, "alarm orders-lost") {
		t.Fatalf("%d routings of %d functions, because of %q", len(back), few, e.Reason)
	}
	for _, c := range back[few:] {
		if text(c.Params["functionVersion"]) != "1" || len(weights(t, c)) != 0 {
			t.Errorf("it goes back by %v", c.Params)
		}
	}

	s.declareFew(b, few, "1.3", false)
	fix := s.push("the fix, under the red alarm")
	s.until("red", func(e web.EnvironmentStatus) bool {
		return e.Rollout.Phase == "shift" && alarm(e).Verdict == "fail" && alarm(e).Red
	})
	s.await(fix)

	metric.value.Store(-1)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.call("monitoring", "GraniteServiceVersion20100801.DescribeAlarms", `{}`), "INSUFFICIENT_DATA"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the alarm still has data")
		}
	}
	s.declareFew(b, few, "1.4", false)
	quiet := s.push("1.4, and the alarm has no data")
	s.until("no data", func(e web.EnvironmentStatus) bool { return e.Rollout.Weight == 10 && alarm(e).Verdict == "undecided" })
	s.await(quiet) // by proceed, once maxHold is over
	e, err = s.status()
	if err != nil || len(e.Rollout.Ladder) != 0 {
		t.Errorf("%+v, %v", e.Rollout, err)
	}
}
