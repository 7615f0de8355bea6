package aws

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

const (
	// largestEvent bounds what is read of a message, in bytes: what SQS
	// carries at most.
	largestEvent = 1 << 20
	// namesOfEvent bounds the names looked up for one event, and longestName
	// the length of each.
	namesOfEvent, longestName = 64, 2048
)

// sourceOf is the service whose events tell of a kind; a kind that is not
// here is told of by any.
var sourceOf = map[string]string{
	manifest.KindFunction: "lambda", manifest.KindAlias: "lambda", manifest.KindTrigger: "lambda", manifest.KindPermission: "lambda",
	manifest.KindURL: "lambda", manifest.KindAsync: "lambda", manifest.KindConcurrency: "lambda",
	manifest.KindProvisioned: "lambda", manifest.KindRuntimeManagement: "lambda", manifest.KindLogGroup: "logs",
	manifest.KindTopic: "sns", manifest.KindSubscription: "sns", manifest.KindRule: "events", manifest.KindSchedule: "scheduler",
	manifest.KindRole: "iam", manifest.KindQueue: "sqs", manifest.KindSecret: "secretsmanager", manifest.KindParameter: "ssm",
	manifest.KindWorkflow: "states", manifest.KindWorkflowAlias: "states",
	manifest.KindAlarm: "monitoring", manifest.KindAPI: "apigateway", manifest.KindRoute: "apigateway",
}

// readTrailEvent reads a message of EventBridge's that carries an event of
// CloudTrail's, or such an event by itself. ok is false for anything else.
func readTrailEvent(body []byte) (ev trailEvent, ok bool) {
	if len(body) > largestEvent {
		return ev, false
	}
	var envelope struct {
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return ev, false
	}
	if len(envelope.Detail) > 0 {
		body = envelope.Detail
	}
	if json.Unmarshal(body, &ev) != nil || ev.EventName == "" {
		return trailEvent{}, false
	}
	return ev, true
}

// hintsOf are the events that may be about something last surveyed.
func (p *Provider) hintsOf(events []trailEvent) []providers.Hint {
	var hints []providers.Hint
	for _, ev := range events {
		if ev.ErrorCode != "" || ev.ReadOnly || ev.Account != "" && p.o.Target.Account != "" && ev.Account != p.o.Target.Account {
			continue
		}
		found := p.suspects(ev)
		if len(found) == 0 {
			continue
		}
		h := providers.Hint{}
		at, err := time.Parse(time.RFC3339, ev.EventTime)
		if err == nil { // one that does not say when is no witness
			h.Actor = ev.actor(ev.EventName, "", at)
		}
		for _, res := range found {
			p.memory.touch(res)
			h.Refs = append(h.Refs, res.Ref)
		}
		hints = append(hints, h)
	}
	return hints
}

// suspects are the resources an event may be about: those it names whose kind
// such an event changes, and what those live on.
func (p *Provider) suspects(ev trailEvent) []manifest.Resource {
	source, _, _ := strings.Cut(ev.Source, ".")
	var out []manifest.Resource
	add := func(res manifest.Resource) {
		told, known := sourceOf[res.Ref.Kind]
		if known && told != source || res.Parent != (manifest.Ref{}) && !changes(res.Ref.Kind, ev.EventName) {
			return
		}
		if !slices.ContainsFunc(out, func(r manifest.Resource) bool { return r.Ref == res.Ref }) {
			out = append(out, res)
		}
	}
	names := ev.names()
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	for _, name := range names {
		for _, res := range p.memory.wanted[name] {
			add(res)
		}
	}
	for ref := range p.memory.drawn(names) {
		for _, all := range p.memory.wanted {
			for _, res := range all {
				if res.Ref == ref {
					add(res)
				}
			}
		}
	}
	return out
}

// drawn are the resources that events call by names which AWS drew, or by their
// bucket's: mappings, subscriptions, notifications, APIs and what is on them. The caller holds the lock.
func (m *memory) drawn(names []string) map[manifest.Ref]bool {
	out := map[manifest.Ref]bool{}
	for _, known := range []map[manifest.Ref]string{m.mappings, m.subscriptions, m.entries} {
		for ref, id := range known {
			if slices.Contains(names, id) {
				out[ref] = true
			}
		}
	}
	for ref, attributes := range m.known {
		if id := apiIn(attributes["arn"]); id != "" && slices.Contains(names, id) {
			out[ref] = true
		}
	}
	return out
}

// names are the names an event may give its subject: whatever text stands in
// its parameters and its answer, and the name in each ARN or URL.
func (ev trailEvent) names() []string {
	var names []string
	add := func(name string) {
		if name != "" && len(names) < namesOfEvent && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, doc := range []json.RawMessage{ev.Request, ev.Response} {
		var members map[string]any
		if json.Unmarshal(doc, &members) != nil {
			continue
		}
		for _, key := range sortedKeys(members) {
			for _, text := range texts(members[key]) {
				for _, name := range namesIn(text) {
					add(name)
				}
			}
		}
	}
	return names
}

// texts are a member's text, or those in a list of it.
func texts(member any) []string {
	switch m := member.(type) {
	case string:
		if len(m) <= longestName {
			return []string{m}
		}
	case []any:
		var out []string
		for _, item := range m[:min(len(m), namesOfEvent)] {
			if text, ok := item.(string); ok && len(text) <= longestName {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// namesIn are the names a text may mean: itself, the last part of a path or
// an ARN, the name of a function or state machine before its qualifier, a secret's without AWS's
// suffix.
func namesIn(text string) []string {
	out := []string{text, text[strings.LastIndexByte(text, '/')+1:], text[strings.LastIndexByte(text, ':')+1:]}
	for _, noun := range []string{"function:", "stateMachine:"} {
		if _, qualified, ok := strings.Cut(text, noun); ok {
			text = qualified
		}
	}
	name, _, _ := strings.Cut(text, ":")
	out = append(out, name)
	if _, secret, ok := strings.Cut(text, ":secret:"); ok && len(secret) > 7 {
		out = append(out, secret[:len(secret)-7])
	}
	if parts := strings.Split(text, ":"); len(parts) == 7 && parts[2] == "sns" {
		out = append(out, parts[5]) // a subscription's topic
	}
	if _, parameter, ok := strings.Cut(text, ":parameter"); ok {
		out = append(out, parameter)
	}
	return out
}
