package reconciler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/measure"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// analysed is a production environment at rest whose canaries are also judged
// as said, in the YAML of analysis.
func analysed(t *testing.T, also string) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	s.analysis = also + ", "
	s.repo.commit("main", s.controlFiles())
	s.repo.commit("env/production", firstContent().files())
	s.restart()
	settled(t, s)
	return s
}

// asking is like analysed, with somebody outside who answers as said; URL in
// what is said stands for where. Beside it is what rollout policies saw last.
func asking(t *testing.T, also string, answer func(*http.Request, []byte) (int, string)) (*simulation, map[string]policy.Metric) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is cut off is signed otherwise
		status, text := answer(r, body)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	client := measure.NewClient(nil)
	t.Cleanup(func() { client.Close(); server.Close() })
	seen := map[string]policy.Metric{}
	s := newSimulation(1, memory.Options{}, mutant{evaluator: func(e policy.Evaluator) policy.Evaluator {
		return evaluatorFunc(func(ctx context.Context, at policy.Point, in policy.Input) (policy.Decision, error) {
			if at == policy.Rollout {
				maps.Copy(seen, in.RolloutFacts.Metrics)
			}
			return e.Evaluate(ctx, at, in)
		})
	}}, "production")
	s.analysis = strings.ReplaceAll(also, "URL", server.URL) + ", "
	s.repo.commit("main", s.controlFiles())
	s.repo.commit("env/production", firstContent().files())
	o := s.options()
	o.Ask = client
	o.Secret = func(m manifest.Secret) (string, error) {
		if m.FromEnv == "THE_KEY" {
			return "the-s3cret", nil
		}
		return m.Inline, nil
	}
	s.startWith(t, o)
	settled(t, s)
	return s, seen
}

// released commits another code of checkout and waits until it is in force or
// was taken back; it tells the most traffic the new version had.
func released(t *testing.T, s *simulation, digest string) (most providers.Weight, inForce bool) {
	t.Helper()
	k := firstContent()
	k.checkout = digest
	sha := s.repo.commit("env/production", k.files())
	ended := s.until(time.Hour, func() bool {
		st := s.watch.environment("production")
		most = max(most, s.platform.Routing("production-checkout", "live").Weight)
		return st.Rollout.Phase == "" && st.Admitted != nil && st.Admitted.Release.Commit == sha && (st.Rollout.Release.Commit == sha || st.Rollout.Returned != "")
	})
	if !ended {
		t.Fatalf("neither in force nor back: %+v", s.watch.environment("production").Rollout)
	}
	return most, s.watch.environment("production").Rollout.Release.Commit == sha
}

// A version that does not fail and is slower than allowed goes back; one that
// is as fast as the one beside it comes into force.
func TestSlowVersionGoesBack(t *testing.T) {
	for name, tc := range map[string]struct {
		took    time.Duration
		inForce bool
	}{"slow": {300 * time.Millisecond, false}, "as fast": {100 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			s := analysed(t, "latency: {percentile: 90}")
			s.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 100,
				Durations: map[string]time.Duration{"1": 100 * time.Millisecond, "2": tc.took}})
			most, inForce := released(t, s, code(9))
			if inForce != tc.inForce {
				t.Errorf("in force: %t", inForce)
			}
			ro := s.watch.environment("production").Rollout
			if !tc.inForce && (most > providers.Percent(10) || !strings.Contains(ro.Reason, "slower")) {
				t.Errorf("up to %d of traffic, %q", most, ro.Reason)
			}
			sound(t, s)
		})
	}
}

// A metric decides as declared, whatever the calls say; a source that is gone,
// or says what is no verdict, neither passes a release nor takes it back.
func TestMetricsDecide(t *testing.T) {
	const query = `metrics: [{name: p99, prometheus: {address: "URL", query: "max(p99)", max: 0.8}}]`
	const hook = `metrics: [{name: judge, webhook: {url: "URL/judge", secret: {fromEnv: THE_KEY}}}]`
	value := func(v string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":"scalar","result":[1,%q]}}`, v)
	}
	for _, c := range []struct {
		name, said string
		status     int
		answer     string // once the new version has traffic; before it all is well
		inForce    bool
		returned   rollout.Return
		reason     string
	}{
		{"within", query, 200, value("0.5"), true, "", ""},
		{"above", query, 200, value("0.9"), false, rollout.ByVerdict, "metric p99: the query gives 0.9"},
		{"no number", query, 200, value("NaN"), false, rollout.ByUndecided, "metric p99: prometheus: no data"},
		{"gone", query, 503, "", false, rollout.ByUndecided, "metric p99"},
		{"above, only told", strings.Replace(query, "name: p99", "name: p99, dryRun: true", 1), 200, value("0.9"), true, "", ""},
		{"gone, only told", strings.Replace(query, "name: p99", "name: p99, dryRun: true", 1), 503, "", true, "", ""},
		{"judge passes", hook, 200, `{"verdict":"pass","value":3}`, true, "", ""},
		{"judge fails", hook, 200, `{"verdict":"fail","reason":"too few\norders"}`, false, rollout.ByVerdict, "metric judge: too few orders"},
		{"judge does not know", hook, 200, `{"verdict":"undecided"}`, false, rollout.ByUndecided, "metric judge"},
		{"judge says nothing", hook, 200, `{"ok":true}`, false, rollout.ByUndecided, "metric judge: the answer has no verdict"},
		{"judge is ill", hook, 500, `{"verdict":"pass"}`, false, rollout.ByUndecided, "metric judge: answered 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var traffic atomic.Bool
			s, seen := asking(t, c.said, func(r *http.Request, body []byte) (int, string) {
				if r.URL.Path == "/judge" {
					var q webhookQuestion
					if json.Unmarshal(body, &q) != nil || q.Metric != "judge" || q.Release.Digest == "" || len(q.Functions) == 0 ||
						r.Header.Get("X-Mooring-Signature") != notify.Sign([]byte("the-s3cret"), body) {
						return 400, ""
					}
				}
				switch {
				case traffic.Load():
					return c.status, c.answer
				case strings.Contains(c.said, "webhook"):
					return 200, `{"verdict":"pass"}`
				}
				return 200, value("0.1")
			})
			s.inject = func(op string, _ manifest.Ref) error {
				traffic.Store(traffic.Load() || op == "route:after")
				return nil
			}
			_, inForce := released(t, s, code(9))
			ro := s.watch.environment("production").Rollout
			if inForce != c.inForce || ro.Returned != c.returned || !strings.Contains(ro.Reason, c.reason) {
				t.Errorf("in force %t, returned %q: %s", inForce, ro.Returned, ro.Reason)
			}
			if m := seen["p99"]; strings.Contains(c.said, "p99") && m.Known != (c.status == 200 && !strings.Contains(c.answer, "NaN")) {
				t.Errorf("policies saw %+v", m)
			}
			if c.name == "judge passes" && seen["judge"].Value != 3 {
				t.Errorf("policies saw %+v", seen["judge"])
			}
			secretKept(t, s, "s3cret")
			sound(t, s)
		})
	}
}

// A value without end that keeps within its bounds is no data; beyond them it is
// what it says.
func TestValuesWithoutEnd(t *testing.T) {
	half, most := 0.5, math.Inf(1)
	atLeast, atMost := manifest.PrometheusCheck{Min: &half}, manifest.PrometheusCheck{Max: &half}
	for _, c := range []struct {
		check  manifest.PrometheusCheck
		value  float64
		passed bool
		known  bool
	}{
		{atLeast, 1, true, true}, {atLeast, 0, false, true}, {atLeast, most, false, false}, {atLeast, -most, false, true},
		{atMost, 0, true, true}, {atMost, 1, false, true}, {atMost, -most, false, false}, {atMost, most, false, true},
	} {
		if passed, _, err := heldTo(c.check, c.value); passed != c.passed || (err == nil) != c.known || err != nil && !errors.Is(err, measure.ErrNoData) {
			t.Errorf("%g, where %s is wanted: %t, %v", c.value, bounds(c.check), passed, err)
		}
	}
}

// An alarm that begins to fire takes the release back; one that fired before
// does not stand in the way of the fix.
func TestAlarmsOfARollout(t *testing.T) {
	const alarm = "apiVersion: mooring.dev/v1\nkind: Alarm\nmetadata: {name: failing}\nspec: {namespace: Shop, metricName: Failed, statistic: Sum, period: 60, evaluationPeriods: 1, threshold: 1, comparisonOperator: GreaterThanThreshold}\n"
	for name, c := range map[string]struct {
		before, then string
		inForce      bool
		reason       string
	}{
		"quiet":          {"ok", "ok", true, ""},
		"begins to fire": {"ok", "alarm", false, "alarm Alarm/failing: it fires"},
		"fires all over": {"alarm", "alarm", true, ""},
		"has no data":    {"ok", "insufficient_data", false, "alarm Alarm/failing: it has no data"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulation(1, memory.Options{}, mutant{}, "production")
			s.analysis = "alarms: [Alarm/failing], "
			s.repo.commit("main", s.controlFiles())
			k := firstContent()
			files := k.files()
			files["alarm.yaml"] = alarm
			s.repo.commit("env/production", files)
			s.platform.SetAlarm("production-failing", "ok")
			s.restart()
			settled(t, s)
			s.platform.SetAlarm("production-failing", c.before)
			k.checkout = code(9)
			files = k.files()
			files["alarm.yaml"] = alarm
			sha := s.repo.commit("env/production", files)
			inForce := false
			if !s.until(time.Hour, func() bool {
				st := s.watch.environment("production")
				if st.Rollout.Reached {
					s.platform.SetAlarm("production-failing", c.then)
				}
				inForce = st.Rollout.Release.Commit == sha && st.Rollout.Phase == rollout.Idle
				return inForce || st.Rollout.Phase == rollout.Idle && st.Rollout.Returned != "" && st.Admitted.Release.Commit == sha
			}) {
				t.Fatalf("it is at %+v", s.watch.environment("production").Rollout)
			}
			if ro := s.watch.environment("production").Rollout; inForce != c.inForce || !strings.Contains(ro.Reason, c.reason) {
				t.Errorf("in force %t, %q: %s", inForce, ro.Returned, ro.Reason)
			}
			sound(t, s)
		})
	}
}

// Policy is told of calls that were refused apart from those that failed, also
// where every call was and nothing is known of failures.
func TestPolicyIsToldOfThrottles(t *testing.T) {
	s := canary(t)
	p, err := s.d.environment("production").bystander(s.d.world.Load())
	if err != nil {
		t.Fatal(err)
	}
	ro := s.watch.environment("production").Rollout
	f := ro.Functions[0]
	f.Canary, f.Baseline = rollout.Counts{Throttles: 40}, rollout.Counts{Calls: 150, Errors: 3, Throttles: 50}
	ro.Functions = []rollout.Function{f}
	told := p.rolloutInput(t.Context(), ro).Metrics
	for name, want := range map[string]policy.Metric{
		"canary.error_rate": {}, "canary.throttle_rate": {Known: true, Value: 1, Samples: 40},
		"baseline.error_rate": {Known: true, Value: 0.02, Samples: 150}, "baseline.throttle_rate": {Known: true, Value: 0.25, Samples: 200},
	} {
		if got, there := told["checkout."+name]; !there || got != want {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
}
