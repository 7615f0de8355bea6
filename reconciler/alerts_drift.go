package reconciler

import (
	"context"
	"fmt"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

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
	done := who // and when, which is before it was seen
	if item.Actor.Known && !item.Actor.At.IsZero() {
		done += " at " + inSeconds(item.Actor.At)
	}
	response := item.Response
	if item.Decision == "" {
		response = undecided
	}
	subject := item.Ref.String()
	if item.Path != "" {
		subject += " " + item.Path
	}
	ev := event{
		kind: "drift", key: item.ID, severity: item.Severity, resource: item.Ref.String(),
		title:  fmt.Sprintf("%s: %s %s: %s", p.e.name, subject, item.Kind, response),
		text:   fmt.Sprintf("%s\nsince %s\nwho: %s\nresponse: %s", describe(item), inSeconds(item.Since), done, because(string(response), item.Reason)),
		labels: map[string]string{"item": item.ID, "path": item.Path, "drift": string(item.Kind), "response": string(response), "actor": who},
		facts:  driftFacts(item, done, string(response)),
	}
	if said, ok := p.e.adopting.said[item.ID]; ok && item.Response == record.Propose && p.sayable(said) {
		text := said.String()
		ev.text += "\nproposal: " + text
		ev.labels["proposal"] = text
		ev.facts = append(ev.facts, journal.Fact{Name: "proposal", Value: text})
	}
	return ev
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
	add("since", inSeconds(item.Since))
	add("who", who)
	add("response", because(response, item.Reason))
	return facts
}

func inSeconds(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

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
	return atMost(v, mostOfValue)
}
