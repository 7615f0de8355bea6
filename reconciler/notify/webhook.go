package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Webhook posts each event as JSON: the members of Event, "version" and
// "sentAt". When very many come at once, the rest comes in one message that
// has "events" instead, each with its own id. Headers:
//
//	Idempotency-Key       the event's id, the same for every delivery of it
//	X-Mooring-Timestamp   when this delivery was sent, Unix seconds, as sentAt
//	X-Mooring-Signature   sha256= and the hex HMAC-SHA256 of the body, when there is a key
//
// The body holds the time, so the signature covers it: a receiver that checks
// both refuses old deliveries.
type Webhook struct {
	url    Secret
	key    Secret // nil: unsigned
	client *http.Client
}

// Templated is a Webhook whose body is the receiver's own form. Many events are
// one Summary for it.
type Templated struct {
	hook     *Webhook
	template *Template
}

// WithTemplate lets t make the body of every delivery; the headers stay.
func (w *Webhook) WithTemplate(t *Template) *Templated { return &Templated{hook: w, template: t} }

// Notify implements Notifier.
func (t *Templated) Notify(ctx context.Context, e Event) error {
	body, err := t.template.execute(e)
	if err != nil {
		return Permanent(err)
	}
	return t.hook.post(ctx, delivery{body: body, contentType: t.template.contentType, id: e.ID, at: time.Now().UTC()})
}

// NotifyAll implements Grouper.
func (t *Templated) NotifyAll(ctx context.Context, events []Event) error {
	return t.Notify(ctx, Summary(events))
}

// NewWebhook posts to url, signing with key unless it is nil. transport may
// be nil.
func NewWebhook(url, key Secret, transport http.RoundTripper) *Webhook {
	return &Webhook{url: url, key: key, client: client(transport)}
}

type webhookBody struct {
	Version int `json:"version"`
	Event
	SentAt time.Time `json:"sentAt"`
}

type webhookGroup struct {
	Version int       `json:"version"`
	Events  []Event   `json:"events"`
	SentAt  time.Time `json:"sentAt"`
}

// Notify implements Notifier.
func (w *Webhook) Notify(ctx context.Context, e Event) error {
	now := time.Now().UTC()
	return w.send(ctx, webhookBody{Version: 1, Event: e, SentAt: now}, e.ID, now)
}

// NotifyAll implements Grouper.
func (w *Webhook) NotifyAll(ctx context.Context, events []Event) error {
	now := time.Now().UTC()
	return w.send(ctx, webhookGroup{Version: 1, Events: events, SentAt: now}, groupKey(events), now)
}

func (w *Webhook) send(ctx context.Context, message any, id string, now time.Time) error {
	body, err := json.Marshal(message)
	if err != nil {
		return Permanent(fmt.Errorf("notify: write the event: %w", err))
	}
	return w.post(ctx, delivery{body: body, id: id, at: now})
}

// delivery is one message to a webhook.
type delivery struct {
	body        []byte
	contentType string // "": JSON
	id          string
	at          time.Time
}

func (w *Webhook) post(ctx context.Context, d delivery) error {
	address, err := read("webhook's URL", w.url)
	if err != nil {
		return err
	}
	header := http.Header{}
	header.Set("Idempotency-Key", d.id)
	header.Set("X-Mooring-Timestamp", fmt.Sprint(d.at.Unix()))
	if d.contentType != "" {
		header.Set("Content-Type", d.contentType)
	}
	if w.key != nil {
		key, err := read("webhook's key", w.key)
		if err != nil {
			return err
		}
		if key == "" {
			return errors.New("notify: the webhook's key is empty")
		}
		header.Set("X-Mooring-Signature", Sign([]byte(key), d.body))
	}
	return post(ctx, w.client, request{url: address, body: d.body, header: header})
}

// groupKey is the same for the same events, however often they are sent.
func groupKey(events []Event) string {
	sum := sha256.New()
	for _, e := range events {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(e.ID), e.ID) // a hash never fails
	}
	return "group-" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// Sign is the signature of a body, as in X-Mooring-Signature.
func Sign(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(body) // a hash never fails
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
