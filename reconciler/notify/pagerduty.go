package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// PagerDutyURL is where PagerDuty takes events, in its US region.
const PagerDutyURL = "https://events.pagerduty.com"

const (
	pagerDutyKey     = 255       // bytes of a dedup_key
	pagerDutySummary = 1024      // of a summary
	pagerDutySize    = 500 << 10 // of an event; PagerDuty takes 512 KB
)

// PagerDuty triggers and resolves incidents by its Events API v2. An incident
// is an alert's fingerprint, so the same event twice is one incident. Of many
// that begin at once there is one incident for each kind and environment, which
// is resolved when the last of that kind is over there.
type PagerDuty struct {
	url    string
	key    Secret
	client *http.Client
}

// NewPagerDuty sends with an integration's routing key to the address url, or
// PagerDutyURL when that is "". transport may be nil.
func NewPagerDuty(key Secret, url string, transport http.RoundTripper) *PagerDuty {
	return &PagerDuty{url: strings.TrimSuffix(cmp.Or(url, PagerDutyURL), "/"), key: key, client: client(transport)}
}

type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"` // trigger | resolve
	Key        string            `json:"dedup_key"`
	Client     string            `json:"client,omitempty"`
	ClientURL  string            `json:"client_url,omitempty"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
	Links      []pagerDutyLink   `json:"links,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp time.Time         `json:"timestamp"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// Notify implements Notifier.
func (p *PagerDuty) Notify(ctx context.Context, e Event) error {
	key, err := read("PagerDuty routing key", p.key)
	if err != nil {
		return err
	}
	if key == "" {
		return errors.New("notify: the PagerDuty routing key is empty")
	}
	err = p.enqueue(ctx, e, key)
	if err != nil && !IsPermanent(err) || e.Status == Firing || !e.Last {
		return err
	}
	// The incident about many, of which PagerDuty takes note where there is one, is
	// over too where this end is refused for good: nobody else closes it.
	e.Fingerprint = stormOf(e)
	if many := p.enqueue(ctx, e, key); many != nil {
		return many
	}
	return err
}

func (p *PagerDuty) enqueue(ctx context.Context, e Event, key string) error {
	_, body, err := within(e, pagerDutySize, func(e Event) ([]byte, error) { return json.Marshal(pagerDutyOf(e, key)) })
	if err != nil {
		return err
	}
	return post(ctx, p.client, request{url: p.url + "/v2/enqueue", body: body, header: http.Header{}})
}

// Test implements Tester: an incident that is resolved at once.
func (p *PagerDuty) Test(ctx context.Context, e Event) error {
	if err := p.Notify(ctx, e); err != nil {
		return err
	}
	e.Status = Resolved
	if err := p.Notify(ctx, e); err != nil {
		return fmt.Errorf("the test is triggered and was not resolved: %w", err)
	}
	return nil
}

// NotifyAll implements Grouper. Resolving is one call for each, which PagerDuty
// may refuse for their number: what was sent is told as taken.
func (p *PagerDuty) NotifyAll(ctx context.Context, events []Event) error {
	var taken []string
	for _, call := range p.summed(events) {
		if err := p.Notify(ctx, call.Event); err != nil {
			return Partly(taken, err)
		}
		taken = append(taken, call.of...)
	}
	return nil
}

// pagerDutyCall is one event as it is sent, and those it stands for.
type pagerDutyCall struct {
	Event
	of []string // ids
}

// summed are events with what begins of one kind and environment as one.
func (p *PagerDuty) summed(events []Event) []pagerDutyCall {
	begin := map[string][]Event{}
	for _, e := range events {
		if e.Status == Firing {
			begin[stormOf(e)] = append(begin[stormOf(e)], e)
		}
	}
	var out []pagerDutyCall
	for _, e := range events {
		of := begin[stormOf(e)]
		switch {
		case e.Status != Firing || len(of) == 1:
			out = append(out, pagerDutyCall{e, []string{e.ID}})
		case e.ID == of[0].ID:
			all := pagerDutyCall{Event: Summary(of)}
			all.Fingerprint, all.Kind, all.Link = stormOf(e), e.Kind, e.Link
			for _, e := range of {
				all.of = append(all.of, e.ID)
			}
			out = append(out, all)
		}
	}
	return out
}

// stormOf is the fingerprint of the incident about many alerts at once.
func stormOf(e Event) string { return "many/" + e.Environment + "/" + e.Kind }

func pagerDutyOf(e Event, key string) pagerDutyEvent {
	out := pagerDutyEvent{RoutingKey: key, Action: "resolve", Key: dedupKey(e.Fingerprint)}
	if e.Status == Firing {
		out.Action, out.Payload = "trigger", payload(e)
		out.Client, out.ClientURL = "Mooring", e.Link
		for _, a := range e.Actions {
			out.Links = append(out.Links, pagerDutyLink{Href: a.Link, Text: a.Name})
		}
	}
	return out
}

func payload(e Event) *pagerDutyPayload {
	out := &pagerDutyPayload{
		Summary: cut(cmp.Or(e.Title, e.Kind), pagerDutySummary), Source: cmp.Or(e.Environment, "mooring"), Severity: pagerDutySeverity(e.Severity),
		Timestamp: e.At, Component: e.Resource, Group: e.Environment, Class: e.Kind, Details: map[string]string{},
	}
	if e.Text != "" {
		out.Details["text"] = e.Text
	}
	for _, f := range e.Facts {
		out.Details[f.Name] = f.Value
	}
	return out
}

// pagerDutySeverity is PagerDuty's word; what is unknown wakes people.
func pagerDutySeverity(severity string) string {
	switch severity {
	case "low":
		return "info"
	case "medium":
		return "warning"
	case "high":
		return "error"
	}
	return "critical"
}

// dedupKey is the fingerprint, or a digest of one that is too long.
func dedupKey(fingerprint string) string {
	if len(fingerprint) <= pagerDutyKey {
		return fingerprint
	}
	sum := sha256.Sum256([]byte(fingerprint))
	return "sha256:" + hex.EncodeToString(sum[:])
}
