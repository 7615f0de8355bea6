package web

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// labelled is every metric of ours in the registry, with its labels.
func labelled(t *testing.T, m *Metrics) map[string]string {
	t.Helper()
	descs := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(descs)
	close(descs)
	out := map[string]string{}
	form := regexp.MustCompile(`fqName: "(mooring_[a-z_]+)".*variableLabels: \{([^}]*)\}`)
	for d := range descs {
		if found := form.FindStringSubmatch(d.String()); found != nil {
			out[found[1]] = found[2]
		}
	}
	return out
}

// TestMetricsAreDocumented: the table of docs/operations.md has each metric with
// its labels, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(mooring_[a-z_]+)` \\| ([^|]*) ?\\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = strings.NewReplacer("`", "", " ", "").Replace(row[2])
	}
	there := labelled(t, NewMetrics("test"))
	for name, labels := range there {
		if got, ok := documented[name]; !ok || got != labels {
			t.Errorf("%s{%s}: documented is %v {%s}", name, labels, ok, got)
		}
	}
	for name := range documented {
		if _, ok := there[name]; !ok {
			t.Errorf("%s is documented and is not there", name)
		}
	}
	if len(there) < 20 {
		t.Errorf("only %d metrics: %v", len(there), there)
	}
}

// sums is the value of each metric of ours, as it is served, over its series: of
// a histogram how much it observed.
func sums(t *testing.T, m *Metrics) (values map[string]float64, series int) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	values = map[string]float64{}
	for _, line := range strings.Split(w.Body.String(), "\n") {
		name, _, _ := strings.Cut(line, "{")
		name, _, _ = strings.Cut(name, " ")
		if !strings.HasPrefix(name, "mooring_") {
			continue
		}
		series++
		if strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_count") {
			continue
		}
		v, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values[strings.TrimSuffix(name, "_sum")] += v
	}
	return values, series
}

// TestEachMetricIsMoved by what it is of, and by nothing else.
func TestEachMetricIsMoved(t *testing.T) {
	moves := []struct {
		do   func(*Metrics)
		want map[string]float64
	}{
		{func(m *Metrics) { m.Pass("preview", "held", 2) }, map[string]float64{"mooring_passes_total": 1, "mooring_pass_seconds": 2}},
		{func(m *Metrics) { m.Resources("preview", map[string]int{"missing": 3}) }, map[string]float64{"mooring_resources": 3}},
		{func(m *Metrics) { m.DriftItems("preview", map[string]int{"high": 4}) }, map[string]float64{"mooring_drift_items": 4}},
		{func(m *Metrics) { m.DriftReverted("preview") }, map[string]float64{"mooring_drift_reverted_total": 1}},
		{func(m *Metrics) { m.ObservationAge("preview", "state", 60) }, map[string]float64{"mooring_observation_oldest_seconds": 60}},
		{func(m *Metrics) { m.RolloutWeights("preview", map[string]float64{"checkout": 30}) }, map[string]float64{"mooring_rollout_weight": 30}},
		{func(m *Metrics) { m.Rollout("done") }, map[string]float64{"mooring_rollouts_total": 1}},
		{func(m *Metrics) { m.Promotion("preview", "production", "moved") }, map[string]float64{"mooring_promotions_total": 1}},
		{func(m *Metrics) { m.Decision("drift", "allow", 0.5) }, map[string]float64{"mooring_policy_decisions_total": 1, "mooring_policy_eval_seconds": 0.5}},
		{func(m *Metrics) { m.Bundle("3f2a") }, map[string]float64{"mooring_policy_bundle_info": 1}},
		{func(m *Metrics) { m.Fetch("error", 90) }, map[string]float64{"mooring_git_fetch_total": 1, "mooring_source_stale_seconds": 90}},
		{func(m *Metrics) { m.CloudCall("lambda", "Invoke", "") }, map[string]float64{"mooring_cloud_calls_total": 1}},
		{func(m *Metrics) { m.Quota("1/eu/lambda", 0.2) }, map[string]float64{"mooring_cloud_quota_used_ratio": 0.2}},
		{func(m *Metrics) { m.Outbox(7, 30) }, map[string]float64{"mooring_outbox_depth": 7, "mooring_outbox_oldest_seconds": 30}},
		{func(m *Metrics) { m.OutboxDropped(5) }, map[string]float64{"mooring_outbox_dropped_total": 5}},
		{func(m *Metrics) { m.Delivery("oncall", "dead") }, map[string]float64{"mooring_deliveries_total": 1}},
		{func(m *Metrics) { m.Holds("preview", 2) }, map[string]float64{"mooring_holds": 2}},
		{func(m *Metrics) { m.Webhook("github", 202) }, map[string]float64{"mooring_webhook_requests_total": 1}},
		{func(m *Metrics) { m.Panic("preview") }, map[string]float64{"mooring_panics_total": 1}},
		{func(m *Metrics) { m.TraceSpans("sent", 3) }, map[string]float64{"mooring_trace_spans_total": 3}},
	}
	moved := []string{"mooring_leader", "mooring_build_info"} // which say 1 from the start
	first, _ := sums(t, NewMetrics("test"))
	for _, name := range moved {
		if first[name] != 1 {
			t.Errorf("%s is %v at the start", name, first[name])
		}
	}
	for _, move := range moves {
		m := NewMetrics("test")
		move.do(m)
		after, _ := sums(t, m)
		for name, value := range after {
			if got := value - first[name]; got != move.want[name] {
				t.Errorf("%s moved by %v, want %v", name, got, move.want[name])
			}
		}
		for name := range move.want {
			if _, ok := after[name]; !ok {
				t.Errorf("%s did not move", name)
			}
			moved = append(moved, name)
		}
	}
	for name := range labelled(t, NewMetrics("test")) {
		if !slices.Contains(moved, name) {
			t.Errorf("nothing moves %s", name)
		}
	}
}

// What will be counted is there at 0: a first rollback is a rise.
func TestCountsBeginAtNothing(t *testing.T) {
	m := NewMetrics("test")
	m.Environment("production", []string{"staging"})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`mooring_drift_reverted_total{environment="production"} 0`, `mooring_rollouts_total{outcome="rolled_back"} 0`,
		`mooring_promotions_total{from="staging",outcome="moved",to="production"} 0`, `mooring_promotions_total{from="staging",outcome="failed",to="production"} 0`,
		`mooring_policy_decisions_total{outcome="error",point="rollout"} 0`, `mooring_panics_total{environment="production"} 0`,
	} {
		if !strings.Contains(w.Body.String(), "\n"+line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
}

// What was last seen of an environment, a function or a rollout goes with it, of
// every figure that is not a count; another's stays.
func TestFiguresGoWithWhatTheyAreOf(t *testing.T) {
	m := NewMetrics("test")
	for _, environment := range []string{"preview", "production"} {
		m.Resources(environment, map[string]int{"missing": 3})
		m.DriftItems(environment, map[string]int{"high": 4})
		m.ObservationAge(environment, "state", 60)
		m.ObservationAge(environment, "mappings", 60)
		m.Holds(environment, 2)
		m.RolloutWeights(environment, map[string]float64{"checkout": 30, "mailer": 30})
		m.Environment(environment, nil)
	}
	m.RolloutWeights("production", map[string]float64{"checkout": 40}) // mailer is in no rollout there now
	m.Gone("preview")
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var left []string
	for _, line := range strings.Split(w.Body.String(), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.Contains(line, `environment="preview"`) && !strings.Contains(line, "_total{"):
			t.Errorf("stays of what is gone: %s", line)
		case strings.HasPrefix(line, "mooring_rollout_weight"), strings.HasPrefix(line, "mooring_holds"):
			left = append(left, line)
		}
	}
	if want := []string{`mooring_holds{environment="production"} 2`, `mooring_rollout_weight{environment="production",function="checkout"} 40`}; !slices.Equal(left, want) {
		t.Errorf("%q stay, want %q", left, want)
	}
	m.RolloutWeights("production", nil) // the rollout is over
	if after, _ := sums(t, m); after["mooring_rollout_weight"] != 0 || after["mooring_holds"] != 2 || after["mooring_drift_items"] != 4 {
		t.Errorf("%v", after)
	}
}

// A thousand commits, policies and requests of hosts nobody knows make no
// series of their own.
func TestSeriesAreBounded(t *testing.T) {
	m := NewMetrics("test")
	h := serve(t, &fake{}, func(o *Options) { o.Metrics, o.Webhooks = m, &hearing{} })
	round := func(i int) {
		m.Bundle(fmt.Sprintf("%040d", i))
		m.Pass("preview", "in_sync", 1)
		m.Resources("preview", map[string]int{"in_place": i, fmt.Sprint("state-", i): 1})
		m.DriftItems("preview", map[string]int{"high": i, fmt.Sprint("severity-", i): 1})
		ask(h, "POST", fmt.Sprintf("/webhooks/host-%d", i), "{}")
	}
	round(0)
	_, before := sums(t, m)
	for i := range 1000 {
		round(i)
	}
	if _, after := sums(t, m); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}
