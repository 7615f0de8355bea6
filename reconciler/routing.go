package reconciler

import (
	"context"
	"maps"
	"slices"

	"mooring.dev/policy"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
)

// route asks notify policy where an alert goes, and notes it there. Broken
// policy, or none, means the default receiver: an alert is never lost to a
// policy. Mooring's own faults go to the default receiver besides.
func (e *environment) route(ctx context.Context, w *world, a *journal.Alert) []journal.Record {
	all := slices.Sorted(maps.Keys(w.pipeline.Receivers))
	defaults := all
	if slices.Contains(all, "default") {
		defaults = []string{"default"}
	}
	a.Receivers, a.Severities, a.Groups = slices.Clone(defaults), nil, nil
	if w.evaluator == nil {
		return nil
	}
	d, err := w.evaluate(ctx, policy.Notify, e.notifyQuestion(w, *a))
	d.Point = policy.Notify
	recs := decisionRecords(d)
	own := slices.Contains(policy.OwnFaults(), a.Kind)
	switch {
	case err != nil || d.Outcome == policy.Error || d.Default:
		return recs
	case d.Muted && !own:
		a.Receivers = nil
		return recs
	}
	if routed := follow(d.Routes, all, a); len(routed) > 0 {
		if own {
			routed = append(routed, defaults...)
		}
		slices.Sort(routed)
		a.Receivers = slices.Compact(routed)
	}
	return recs
}

// follow is the receivers that routes lead to, each once. Where several lead to
// one, what they hold for more severe counts.
func follow(routes []policy.Route, all []string, a *journal.Alert) []string {
	severities := map[string]string{}
	for _, r := range routes {
		if !slices.Contains(all, r.Receiver) {
			continue
		}
		severity := r.Severity
		if severity == "" {
			severity = a.Severity
		}
		if other, twice := severities[r.Receiver]; !twice || notify.MoreSevere(severity, other) {
			severities[r.Receiver] = severity
		}
	}
	for receiver, severity := range severities {
		a.Grade(receiver, severity)
	}
	for _, r := range routes { // where several lead to one, the first that groups counts: they are sorted
		if group := grouped(r.GroupBy, a); group != "" && a.Groups[r.Receiver] == "" {
			if a.Groups == nil {
				a.Groups = map[string]string{}
			}
			a.Groups[r.Receiver] = group
		}
	}
	return slices.Sorted(maps.Keys(severities))
}

// grouped is what an alert shares with those it goes together with.
func grouped(by string, a *journal.Alert) string {
	switch {
	case by == "environment":
		return by + " " + environmentOf(*a)
	case by == "kind":
		return by + " " + a.Kind
	case by == "severity":
		return by + " " + a.Severity
	case by == "resource" && a.Resource != "":
		return by + " " + environmentOf(*a) + " " + a.Resource
	}
	return ""
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
