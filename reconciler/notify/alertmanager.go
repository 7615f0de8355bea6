package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// firesFor is how long Alertmanager keeps an alert that is not said again: two
// rounds may fail. What nobody says any more, ends.
const firesFor = 3 * AgainEvery

// alertmanagerLabel is the most bytes of a label: names of ours are shorter,
// and a longer one would be in every notification's subject. The fingerprint,
// which tells alerts apart, is no more than that.
const alertmanagerLabel = 1024

// Alertmanager posts alerts to Prometheus Alertmanager's API v2, which groups
// and silences. An alert there is its labels; the words are annotations. The
// severity is a label because people route by it, so an alert whose severity
// rose is two there, and resolving resolves it in each it fired in. It keeps
// nothing through a restart, so what fires is said again.
type Alertmanager struct {
	url    Secret
	client *http.Client
}

// NewAlertmanager posts to the Alertmanager at url (without /api/v2).
// transport may be nil.
func NewAlertmanager(url Secret, transport http.RoundTripper) *Alertmanager {
	return &Alertmanager{url: url, client: client(transport)}
}

type alertmanagerAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Notify implements Notifier.
func (a *Alertmanager) Notify(ctx context.Context, e Event) error {
	return a.send(ctx, alertsOf(e), e.ID)
}

// NotifyAll implements Grouper.
func (a *Alertmanager) NotifyAll(ctx context.Context, events []Event) error {
	var alerts []alertmanagerAlert
	for _, e := range events {
		alerts = append(alerts, alertsOf(e)...)
	}
	return a.send(ctx, alerts, groupKey(events))
}

// testFires is how long a test fires. Alertmanager tells nobody of an alert
// that is over before its group is due, so it is not resolved at once.
const testFires = 5 * time.Minute

// Test implements Tester: an alert that ends by itself.
func (a *Alertmanager) Test(ctx context.Context, e Event) error {
	alert := alertOf(e)
	alert.EndsAt = time.Now().Add(testFires)
	return a.send(ctx, []alertmanagerAlert{alert}, e.ID)
}

// Forgets implements Forgetful.
func (a *Alertmanager) Forgets() {}

func (a *Alertmanager) send(ctx context.Context, alerts []alertmanagerAlert, id string) error {
	base, err := read("Alertmanager's URL", a.url)
	if err != nil {
		return err
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return Permanent(fmt.Errorf("notify: write the alert: %w", err))
	}
	header := http.Header{}
	header.Set("Idempotency-Key", id)
	return post(ctx, a.client, request{url: strings.TrimSuffix(base, "/") + "/api/v2/alerts", body: body, header: header})
}

// alertsOf is one alert while it fires, and when it is over one for each
// severity that was sent.
func alertsOf(e Event) []alertmanagerAlert {
	if e.Status == Firing || len(e.Severities) == 0 {
		return []alertmanagerAlert{alertOf(e)}
	}
	var alerts []alertmanagerAlert
	for _, severity := range e.Severities {
		e.Severity = severity
		alerts = append(alerts, alertOf(e))
	}
	return alerts
}

func alertOf(e Event) alertmanagerAlert {
	starts := e.At
	if !e.Since.IsZero() {
		starts = e.Since
	}
	out := alertmanagerAlert{Labels: labels(e), StartsAt: starts, EndsAt: time.Now().Add(firesFor), GeneratorURL: e.Link,
		Annotations: map[string]string{"summary": cut(e.Title, titleMost), "description": cutLines(e.Text, textMost)}}
	for _, name := range varying() {
		if v := e.Labels[name]; v != "" {
			out.Annotations[name] = cut(v, titleMost)
		}
	}
	if links := linesOf(e.Actions); links != "" {
		out.Annotations["links"] = links
	}
	if e.Status != Firing {
		out.EndsAt = e.At
	}
	return out
}

// linesOf are links, a line each. One that is cut would lead nowhere: what is too
// long is left out.
func linesOf(actions []Action) string {
	var lines []string
	for _, a := range actions {
		if len(a.Link) <= linkMost {
			lines = append(lines, cut(a.Name, nameMost)+": "+a.Link)
		}
	}
	return strings.Join(lines, "\n")
}

// varying are the labels of an event that change while its alert lasts: who did
// it is learned later, what is done about it is decided. As labels there they
// would make another alert of it, and the first would never end.
func varying() []string { return []string{"actor", "drift", "proposal", "response"} }

// labels never lets an event's own labels hide what the alert is.
func labels(e Event) map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
		if !slices.Contains(varying(), name) {
			out[labelName(name)] = e.Labels[name]
		}
	}
	for name, value := range map[string]string{"alertname": e.Kind, "environment": e.Environment, "severity": e.Severity,
		"resource": e.Resource, "fingerprint": e.Fingerprint} {
		out[name] = value
	}
	if out["alertname"] == "" {
		out["alertname"] = "mooring"
	}
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	for name, value := range out {
		out[name] = cut(strings.ToValidUTF8(value, "\uFFFD"), alertmanagerLabel)
	}
	return out
}

// labelName makes a name that Prometheus takes.
func labelName(name string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		return "_" + out
	}
	return out
}
