package manifest

import "slices"

// Measure is a source beside the calls that a rollout is judged by. Exactly one
// of its kinds is set. Both leave the platform, and stand in mooring.yaml alone.
type Measure struct {
	Name       string           `json:"name" is:"required,match=name,maxlen=64" doc:"What the metric is called."`
	Prometheus *PrometheusCheck `json:"prometheus,omitempty" doc:"A query of a Prometheus and the bounds of its value."`
	Webhook    *WebhookMeasure  `json:"webhook,omitempty" doc:"Somebody else's verdict, asked for by POST."`
	DryRun     bool             `json:"dryRun,omitempty" doc:"Only told: it neither takes a release back nor lets it pass."`
}

// WebhookMeasure asks a URL for its verdict.
type WebhookMeasure struct {
	URL    Secret  `json:"url" is:"required" doc:"Where to post the question."`
	Secret *Secret `json:"secret,omitempty" is:"secret" doc:"The key of the HMAC-SHA256 signature."`
}

// check holds the members of a Measure against each other.
func (m *Measure) check(d *decoder, n *node) {
	switch {
	case !d.literal:
		d.fault(n.pos(), "metrics stand in mooring.yaml only", "a branch of an environment does not choose where the daemon connects to; use alarms here")
	case m.Prometheus == nil && m.Webhook == nil:
		d.fault(n.pos(), "asks nothing", "give it one of prometheus, webhook")
	case m.Prometheus != nil && m.Webhook != nil:
		d.fault(n.get("webhook").pos(), "asks two questions: prometheus and webhook", "make two metrics of it")
	}
}

// MergeMeasures puts two sets of metrics together; of one name the first is
// kept.
func MergeMeasures(a, b []Measure) []Measure {
	out := slices.Clone(a)
	for _, m := range b {
		if !slices.ContainsFunc(out, func(o Measure) bool { return o.Name == m.Name }) {
			out = append(out, m)
		}
	}
	return out
}

// MergeAlarms is the alarms of both, each once.
func MergeAlarms(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
