// Package notify brings events to people: which state of an alert is worth a
// message, the sinks that carry one, and the worker that empties an outbox
// into them. An event is delivered at least once, with the same idempotency
// key each time, and in order for each fingerprint. It refuses to decide who
// is told (that is policy's), to remember anything itself (that is the
// queue's), and to let a secret into an error.
package notify

import (
	"context"
	"errors"
	"time"
)

// Statuses of an Event.
const (
	Firing   = "firing"
	Resolved = "resolved"
)

// Event is one message about one alert.
type Event struct {
	ID          string            `json:"id"`          // idempotency key: the same for every delivery
	Fingerprint string            `json:"fingerprint"` // of the alert; its text may vary
	Status      string            `json:"status"`      // firing | resolved
	Kind        string            `json:"kind"`        // drift, rollout, hold, …
	Severity    string            `json:"severity"`    // low | medium | high | critical
	Title       string            `json:"title"`
	Text        string            `json:"text"`
	Resource    string            `json:"resource,omitempty"`
	Environment string            `json:"environment,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	At          time.Time         `json:"at"`
	Since       time.Time         `json:"since,omitzero"` // firing since; zero: since At
	Link        string            `json:"link,omitempty"` // to the page
	// Facts are what the text says, one by one, for receivers that can show it.
	Facts []Fact `json:"facts,omitempty"`
	// Severities are all that an alert which is over fired in; none: in Severity.
	Severities []string `json:"-"`
	// Last: the receiver was told of nothing else of this kind and environment that
	// fires now.
	Last bool `json:"-"`
	// Trace is where it was raised, as a traceparent; "": it was not traced.
	Trace string `json:"-"`
	// Group: what waits with the same goes as one message, where the receiver is a
	// Grouper; "": by itself.
	Group string `json:"-"`
	// Actions are what people can do about it, as links.
	Actions []Action `json:"actions,omitempty"`
}

// Fact is one thing that is known about an alert, for people.
type Fact struct {
	Name  string `json:"name"` // "declared", "who", …
	Value string `json:"value"`
}

// Action leads to where something can be done about an alert.
type Action struct {
	Name string `json:"name"` // "put it back", "hold", …
	Link string `json:"link"`
}

// Notifier carries an event to one receiver. An error is worth another try
// unless IsPermanent; its text holds no secret. Safe for concurrent use.
type Notifier interface {
	Notify(ctx context.Context, e Event) error
}

// Grouper is a Notifier that can carry many events in one message, in order.
// It answers for all of them: each event keeps its own id. One that needs
// several messages says by Partly which events went before another failed.
type Grouper interface {
	Notifier
	NotifyAll(ctx context.Context, events []Event) error
}

// Forgetful is a Notifier that takes for over what is not said again every
// AgainEvery.
type Forgetful interface {
	Grouper
	// Forgets tells it from others that take groups; it does nothing.
	Forgets()
}

// AgainEvery is how often a Forgetful is told what fires.
const AgainEvery = 3 * time.Minute

// Tester is a Notifier that shows a test only while it fires: a test that is
// over already would be taken and shown to nobody. What Test begins ends by
// itself.
type Tester interface {
	Test(ctx context.Context, e Event) error
}

// Test sends a message that says it is a test, so that somebody sees it and
// nothing stays open behind it.
func Test(ctx context.Context, n Notifier, e Event) error {
	if t, ok := n.(Tester); ok {
		e.Status = Firing
		return t.Test(ctx, e)
	}
	e.Status = Resolved
	return n.Notify(ctx, e)
}

// permanent marks an error that no repetition will cure.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error as final: the event goes to the dead letters.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent is true for errors marked by Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// partly carries what of a group was taken before the rest failed.
type partly struct {
	error
	taken map[string]bool // by id
}

func (p partly) Unwrap() error { return p.error }

// Partly says that of a group these events, by id, were taken: only the others
// failed by err. Partly(taken, nil) is nil.
func Partly(taken []string, err error) error {
	if err == nil || len(taken) == 0 {
		return err
	}
	p := partly{error: err, taken: map[string]bool{}}
	for _, id := range taken {
		p.taken[id] = true
	}
	return p
}

// taken are those of events that went though err says that the group did not;
// none that overtakes an earlier one of its own alert, which would come after it.
func taken(events []Event, err error) []Event {
	var p partly
	if !errors.As(err, &p) {
		return nil
	}
	var out []Event
	behind := map[string]bool{}
	for _, e := range events {
		if !p.taken[e.ID] || behind[e.Fingerprint] {
			behind[e.Fingerprint] = true
			continue
		}
		out = append(out, e)
	}
	return out
}

// later carries the wait a receiver asked for.
type later struct {
	error
	wait time.Duration
}

func (l later) Unwrap() error { return l.error }

// Later says that the receiver wants no further try before this wait is over.
func Later(err error, wait time.Duration) error {
	if err == nil {
		return nil
	}
	return later{err, wait}
}

// asked is the wait a receiver asked for, 0 if none.
func asked(err error) time.Duration {
	var l later
	if errors.As(err, &l) {
		return l.wait
	}
	return 0
}
