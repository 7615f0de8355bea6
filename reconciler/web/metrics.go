package web

import (
	"net/http"
	"runtime"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what the daemon counts, under the names of the interface
// document. Labels are bounded: never a commit, never a resource's free text.
type Metrics struct {
	registry *prometheus.Registry

	passes       *prometheus.CounterVec
	passSeconds  *prometheus.HistogramVec
	resources    *prometheus.GaugeVec
	driftItems   *prometheus.GaugeVec
	reverted     *prometheus.CounterVec
	oldest       *prometheus.GaugeVec
	weight       *prometheus.GaugeVec
	rollouts     *prometheus.CounterVec
	promotions   *prometheus.CounterVec
	decisions    *prometheus.CounterVec
	evalSeconds  *prometheus.HistogramVec
	bundle       prometheus.Gauge
	fetches      *prometheus.CounterVec
	stale        prometheus.Gauge
	calls        *prometheus.CounterVec
	quota        *prometheus.GaugeVec
	outboxDepth  prometheus.Gauge
	outboxOldest prometheus.Gauge
	dropped      prometheus.Counter
	deliveries   *prometheus.CounterVec
	holds        *prometheus.GaugeVec
	leader       prometheus.Gauge
	webhooks     *prometheus.CounterVec
	panics       *prometheus.CounterVec
	spans        *prometheus.CounterVec

	mu      sync.Mutex
	shifted map[string]map[string]float64 // what weight shows, by environment and function
}

// NewMetrics makes the daemon's metrics.
func NewMetrics(version string) *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &Metrics{
		registry:     r,
		shifted:      map[string]map[string]float64{},
		passes:       counter(r, "mooring_passes_total", "Passes made.", "environment", "outcome"),
		passSeconds:  histogram(r, "mooring_pass_seconds", "How long passes took.", "environment"),
		resources:    gauge(r, "mooring_resources", "Declared resources by state.", "environment", "state"),
		driftItems:   gauge(r, "mooring_drift_items", "Open, confirmed drift.", "environment", "severity"),
		reverted:     counter(r, "mooring_drift_reverted_total", "Differences put back.", "environment"),
		oldest:       gauge(r, "mooring_observation_oldest_seconds", "Age of the oldest look.", "environment", "layer"),
		weight:       gauge(r, "mooring_rollout_weight", "Percent of calls on the new version.", "environment", "function"),
		rollouts:     counter(r, "mooring_rollouts_total", "Rollouts ended.", "outcome"),
		promotions:   counter(r, "mooring_promotions_total", "Promotions moved, held or failed.", "from", "to", "outcome"),
		decisions:    counter(r, "mooring_policy_decisions_total", "Decisions of policy.", "point", "outcome"),
		evalSeconds:  histogram(r, "mooring_policy_eval_seconds", "How long decisions took.", "point"),
		bundle:       single(r, "mooring_policy_bundle_info", "1 when policies of the control branch are active."),
		fetches:      counter(r, "mooring_git_fetch_total", "Reads of the repository.", "result"),
		stale:        single(r, "mooring_source_stale_seconds", "Since the repository was last read with success."),
		calls:        counter(r, "mooring_cloud_calls_total", "Calls to the platform.", "service", "operation", "code"),
		quota:        gauge(r, "mooring_cloud_quota_used_ratio", "Share of an account's rate lane in use.", "lane"),
		outboxDepth:  single(r, "mooring_outbox_depth", "Alerts not delivered yet."),
		outboxOldest: single(r, "mooring_outbox_oldest_seconds", "Age of the oldest alert not delivered."),
		dropped:      tally(r, "mooring_outbox_dropped_total", "Resolved alerts dropped because nobody took them."),
		deliveries:   counter(r, "mooring_deliveries_total", "Tries to deliver an alert.", "receiver", "outcome"),
		holds:        gauge(r, "mooring_holds", "Active holds.", "environment"),
		webhooks:     counter(r, "mooring_webhook_requests_total", "Requests of git hosts.", "host", "code"),
		panics:       counter(r, "mooring_panics_total", "Defects met and contained.", "environment"),
		spans:        counter(r, "mooring_trace_spans_total", "Spans of traces that were sent, failed to be, or were lost for want of room.", "outcome"),
		leader:       single(r, "mooring_leader", "1 when this daemon holds the journal."),
	}
	gauge(r, "mooring_build_info", "Which mooring this is.", "version", "go").WithLabelValues(version, runtime.Version()).Set(1)
	m.leader.Set(1) // a daemon that does not hold the journal does not run
	for _, outcome := range []string{"released", "rolled_back"} {
		m.rollouts.WithLabelValues(outcome)
	}
	for _, point := range []string{"admission", "promotion", "rollout", "drift", "notify", "activation"} {
		for _, outcome := range []string{"allow", "hold", "deny", "error"} {
			m.decisions.WithLabelValues(point, outcome)
		}
	}
	return m
}

// Environment shows what of an environment will be counted, and of the ways
// content comes into it, before anything is: a count that begins with 1 has not
// risen, for whoever asks Prometheus by how much it did.
func (m *Metrics) Environment(name string, after []string) {
	m.reverted.WithLabelValues(name)
	m.panics.WithLabelValues(name)
	for _, from := range after {
		for _, outcome := range []string{"moved", "held", "failed"} {
			m.promotions.WithLabelValues(from, name, outcome)
		}
	}
}

// Gone forgets what was last seen of an environment that the pipeline no longer
// has: as nobody looks, it would stay so. What was counted stays.
func (m *Metrics) Gone(environment string) {
	m.RolloutWeights(environment, nil)
	for _, seen := range []*prometheus.GaugeVec{m.resources, m.driftItems, m.oldest, m.holds} {
		seen.DeletePartialMatch(prometheus.Labels{"environment": environment})
	}
}

func counter(r *prometheus.Registry, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

func tally(r *prometheus.Registry, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	r.MustRegister(c)
	return c
}

func gauge(r *prometheus.Registry, name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	r.MustRegister(g)
	return g
}

func single(r *prometheus.Registry, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	r.MustRegister(g)
	return g
}

func histogram(r *prometheus.Registry, name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, labels)
	r.MustRegister(h)
	return h
}

// Handler serves the metrics in Prometheus's format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Pass counts one pass.
func (m *Metrics) Pass(environment, outcome string, seconds float64) {
	m.passes.WithLabelValues(environment, outcome).Inc()
	m.passSeconds.WithLabelValues(environment).Observe(seconds)
}

// states a resource can be in: all are always shown, so that none sticks.
var resourceStates = [...]string{"in_place", "missing", "differs", "settling", "unknown"}

// Resources shows how the declared resources stand.
func (m *Metrics) Resources(environment string, byState map[string]int) {
	for _, state := range resourceStates {
		m.resources.WithLabelValues(environment, state).Set(float64(byState[state]))
	}
}

var severities = [...]string{"low", "medium", "high", "critical"}

// DriftItems shows the open drift.
func (m *Metrics) DriftItems(environment string, bySeverity map[string]int) {
	for _, severity := range severities {
		m.driftItems.WithLabelValues(environment, severity).Set(float64(bySeverity[severity]))
	}
}

// DriftReverted counts one difference put back.
func (m *Metrics) DriftReverted(environment string) { m.reverted.WithLabelValues(environment).Inc() }

// ObservationAge shows the age of the oldest look of a layer.
func (m *Metrics) ObservationAge(environment, layer string, seconds float64) {
	m.oldest.WithLabelValues(environment, layer).Set(seconds)
}

// RolloutWeights shows how far each function's traffic moved, in percent. A
// function that is not named any more has no figure.
func (m *Metrics) RolloutWeights(environment string, percent map[string]float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for function := range m.shifted[environment] {
		if _, still := percent[function]; !still {
			m.weight.DeleteLabelValues(environment, function)
		}
	}
	m.shifted[environment] = percent
	for function, at := range percent {
		m.weight.WithLabelValues(environment, function).Set(at)
	}
}

// Rollout counts one rollout that ended.
func (m *Metrics) Rollout(outcome string) { m.rollouts.WithLabelValues(outcome).Inc() }

// Promotion counts one promotion.
func (m *Metrics) Promotion(from, to, outcome string) {
	m.promotions.WithLabelValues(from, to, outcome).Inc()
}

// Decision counts one decision.
func (m *Metrics) Decision(point, outcome string, seconds float64) {
	m.decisions.WithLabelValues(point, outcome).Inc()
	m.evalSeconds.WithLabelValues(point).Observe(seconds)
}

// Bundle shows that policies are active. Which is for status to say: a commit
// is no label.
func (m *Metrics) Bundle(revision string) {
	if revision == "" {
		m.bundle.Set(0)
		return
	}
	m.bundle.Set(1)
}

// Fetch counts one read of the repository.
func (m *Metrics) Fetch(result string, staleSeconds float64) {
	m.fetches.WithLabelValues(result).Inc()
	m.stale.Set(staleSeconds)
}

// CloudCall counts one call to the platform.
func (m *Metrics) CloudCall(service, operation, code string) {
	m.calls.WithLabelValues(service, operation, code).Inc()
}

// Quota shows how much of a rate lane is used, 0..1.
func (m *Metrics) Quota(lane string, ratio float64) { m.quota.WithLabelValues(lane).Set(ratio) }

// Outbox shows what was not delivered yet.
func (m *Metrics) Outbox(depth int, oldestSeconds float64) {
	m.outboxDepth.Set(float64(depth))
	m.outboxOldest.Set(oldestSeconds)
}

// OutboxDropped counts resolved alerts that nobody took and that are gone.
func (m *Metrics) OutboxDropped(n int) { m.dropped.Add(float64(n)) }

// Delivery counts one try at one receiver: delivered, retry, dead (refused for
// good) or unrecorded.
func (m *Metrics) Delivery(receiver, outcome string) {
	m.deliveries.WithLabelValues(receiver, outcome).Inc()
}

// Holds shows how many holds are active.
func (m *Metrics) Holds(environment string, n int) {
	m.holds.WithLabelValues(environment).Set(float64(n))
}

// Webhook counts one request of a git host by the answer it got.
func (m *Metrics) Webhook(host string, code int) {
	m.webhooks.WithLabelValues(host, strconv.Itoa(code)).Inc()
}

// TraceSpans counts spans by what became of them: sent, failed or lost.
func (m *Metrics) TraceSpans(outcome string, spans int) {
	m.spans.WithLabelValues(outcome).Add(float64(spans))
}

// Panic counts one defect that was contained.
func (m *Metrics) Panic(environment string) { m.panics.WithLabelValues(environment).Inc() }
