package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/trace"
)

// event is something people may have to hear of. kind and key are its
// identity; title and text may vary without making it another.
type event struct {
	kind, key, severity, title, text, resource string
	labels                                     map[string]string
	facts                                      []journal.Fact
}

func (e *environment) fingerprint(kind, key string) string {
	return strings.Join([]string{e.name, kind, key}, "/")
}

// fire raises an alert: once per fingerprint while it lasts.
func (p *pass) fire(ctx context.Context, ev event) error { return p.e.alert(ctx, p.w, ev, "firing") }

// resolve ends an alert that is firing. An event with labels is said once more
// although it is over: something was learned about it.
func (p *pass) resolve(ctx context.Context, kind, key string) error {
	return p.e.alert(ctx, p.w, event{kind: kind, key: key}, "resolved")
}

// alert puts a change of an alert's state into the outbox.
func (e *environment) alert(ctx context.Context, w *world, ev event, status string) error {
	fp := e.fingerprint(ev.kind, ev.key)
	before, known := e.d.ledger.alert(fp)
	firing := known && before.Alert.Status == "firing"
	switch {
	case status == "firing" && firing && before.Alert.Title == ev.title && before.Alert.Labels["actor"] == ev.labels["actor"]:
		return nil
	case status == "resolved" && !firing && !(known && ev.labels != nil):
		return nil
	case status == "resolved" && ev.labels == nil:
		ev.title, ev.text, ev.severity, ev.resource, ev.labels = before.Alert.Title, before.Alert.Text, before.Alert.Severity, before.Alert.Resource, before.Alert.Labels
		ev.facts = before.Alert.Facts
	}
	ctx, span := trace.Start(ctx, "alert")
	defer span.End()
	span.Text(spanKind, ev.kind)
	span.Text("mooring.status", status)
	span.Text("mooring.severity", ev.severity)
	a := journal.Alert{
		ID: e.d.opts.NewID("alert"), Fingerprint: fp, Status: status, Kind: ev.kind, Severity: ev.severity, Title: ev.title, Text: ev.text,
		Resource: ev.resource, Labels: ev.labels, Facts: ev.facts, At: e.d.opts.Now(), Trace: trace.At(ctx).String(),
	}
	var recs []journal.Record
	a.Receivers, recs = e.route(ctx, w, a)
	if status == "firing" {
		e.log.Warn("alert", zap.String("kind", a.Kind), zap.String("resource", a.Resource), zap.String("title", a.Title))
	} else {
		e.log.Info("alert resolved", zap.String("kind", a.Kind), zap.String("resource", a.Resource), zap.String("title", a.Title))
	}
	if err := e.remember(ctx, append(recs, journal.Record{Alert: &a})...); err != nil {
		return err
	}
	e.d.wakeOutbox()
	return nil
}

// route asks notify policy where an alert goes. Broken policy, or none, means
// the default receiver: an alert is never lost to a policy.
func (e *environment) route(ctx context.Context, w *world, a journal.Alert) ([]string, []journal.Record) {
	all := slices.Sorted(maps.Keys(w.pipeline.Receivers))
	defaults := all
	if slices.Contains(all, "default") {
		defaults = []string{"default"}
	}
	if w.evaluator == nil {
		return defaults, nil
	}
	d, err := w.evaluate(ctx, policy.Notify, e.notifyQuestion(w, a))
	d.Point = policy.Notify
	recs := decisionRecords(d)
	switch {
	case err != nil || d.Outcome == policy.Error || d.Default:
		return defaults, recs
	case d.Muted && !slices.Contains(policy.OwnFaults(), a.Kind):
		return nil, recs
	}
	var out []string
	for _, r := range d.Routes {
		if slices.Contains(all, r.Receiver) && !slices.Contains(out, r.Receiver) {
			out = append(out, r.Receiver)
		}
	}
	if len(out) == 0 {
		return defaults, recs
	}
	return out, recs
}

// notifyQuestion describes an alert to policy.
func (e *environment) notifyQuestion(w *world, a journal.Alert) policy.Input {
	return policy.Input{
		Request:     policy.Request{ID: e.d.opts.NewID("dec"), TimeNS: e.d.opts.Now().UnixNano(), Trigger: w.trigger, Actor: policy.Actor{Kind: "daemon", Name: "mooring"}},
		Environment: policy.Environment{Name: e.name, Window: policy.Window{Open: true}},
		NotifyFacts: &policy.NotifyFacts{Receivers: slices.Sorted(maps.Keys(w.pipeline.Receivers)), Event: policy.Event{
			Kind: a.Kind, Fingerprint: a.Fingerprint, Severity: a.Severity, Title: a.Title, Text: a.Text,
			Environment: e.name, Resource: a.Resource, Status: a.Status,
		}},
	}
}

// alertDrift tells what differs, who did it, and what is done about it.
func (p *pass) alertDrift(ctx context.Context, item record.DriftItem) error {
	if item.Response == record.Ignore {
		return nil
	}
	return p.fire(ctx, p.driftEvent(item))
}

// completeDrift tells who made a difference that is over already, under the
// fingerprint it was told with.
func (p *pass) completeDrift(ctx context.Context, item record.DriftItem) error {
	if item.Response == record.Ignore || !item.Actor.Known {
		return nil
	}
	return p.e.alert(ctx, p.w, p.driftEvent(item), "resolved")
}

func (p *pass) driftEvent(item record.DriftItem) event {
	who := "unknown"
	if item.Actor.Known {
		who = item.Actor.Name + " by " + item.Actor.Event
	}
	response := item.Response
	if item.Decision == "" {
		response = "waits for who did it"
	}
	subject := item.Ref.String()
	if item.Path != "" {
		subject += " " + item.Path
	}
	return event{
		kind: "drift", key: item.ID, severity: item.Severity, resource: item.Ref.String(),
		title:  fmt.Sprintf("%s: %s %s: %s", p.e.name, subject, item.Kind, response),
		text:   fmt.Sprintf("%s\nsince %s\nwho: %s\nresponse: %s", describe(item), item.Since.UTC().Format("2006-01-02 15:04:05Z"), who, because(string(response), item.Reason)),
		labels: map[string]string{"item": item.ID, "path": item.Path, "drift": string(item.Kind), "response": string(response), "actor": who},
		facts:  driftFacts(item, who, string(response)),
	}
}

// driftFacts are what people want to know of a difference, in the order they
// ask. Sensitive values are tokens already.
func driftFacts(item record.DriftItem, who, response string) []journal.Fact {
	facts := []journal.Fact{{Name: "resource", Value: item.Ref.String()}}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, journal.Fact{Name: name, Value: value})
		}
	}
	add("field", item.Path)
	add("declared", orNone(item.Declared))
	add("live", orNone(item.Live))
	add("since", item.Since.UTC().Format("2006-01-02 15:04:05Z"))
	add("who", who)
	add("response", because(response, item.Reason))
	return facts
}

// because is an answer with its reason, where there is one.
func because(answer, reason string) string {
	if reason == "" {
		return answer
	}
	return answer + ": " + reason
}

func orNone(v string) string {
	if v == "" {
		return "none"
	}
	return v[:min(len(v), 200)]
}

// alertEnvironment tells about an environment that cannot be worked on at
// all, once it is more than a hiccup.
func (p *pass) alertEnvironment(ctx context.Context, err error) error {
	if err == nil {
		return p.resolve(ctx, "environment_error", "")
	}
	var own *defect
	if ctx.Err() != nil || p.e.failures < 2 && !providers.KindOf(err).Permanent() && !errors.As(err, &own) {
		return nil
	}
	return p.fire(ctx, event{
		kind: "environment_error", severity: "critical",
		title: fmt.Sprintf("%s cannot be reconciled (%s)", p.e.name, providers.KindOf(err)), text: err.Error(),
	})
}
