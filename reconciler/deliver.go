package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/record"
)

// outboxQueue is the journal as the outbox worker asks for it.
type outboxQueue struct{ d *Daemon }

// Pending is every alert not yet delivered to each of its receivers.
func (q outboxQueue) Pending() []notify.Item {
	pending := q.d.ledger.pending()
	fires := q.d.kindsThatFire()
	items := make([]notify.Item, len(pending))
	for i, p := range pending {
		since := p.Alert.At
		if a, ok := q.d.ledger.alert(p.Alert.Fingerprint); ok && !a.Since.IsZero() {
			since = a.Since
		}
		items[i] = notify.Item{Receiver: p.Receiver, Event: q.d.message(p.Alert, since)}
		items[i].Event.Group = p.Group
		if p.Alert.Status != notify.Firing {
			items[i].Event.Severities = q.d.sentTo(p.Alert.Fingerprint, p.Receiver)
			items[i].Event.Last = !fires[kindAt{p.Receiver, environmentOf(p.Alert), p.Alert.Kind}]
		}
	}
	return items
}

// message is an alert as receivers get it.
func (d *Daemon) message(a journal.Alert, since time.Time) notify.Event {
	e := notify.Event{
		ID: a.ID, Fingerprint: a.Fingerprint, Status: a.Status, Kind: a.Kind, Severity: a.Severity,
		Title: a.Title, Text: a.Text, Resource: a.Resource, Environment: environmentOf(a), Labels: a.Labels, At: a.At, Since: since,
		Trace: a.Trace,
	}
	for _, f := range a.Facts {
		e.Facts = append(e.Facts, notify.Fact{Name: f.Name, Value: f.Value})
	}
	if at := offeredAt(a); at != "" && a.Status == notify.Firing {
		e.Actions = append(e.Actions, notify.Action{Name: "pull request", Link: at})
	}
	base := strings.TrimSuffix(d.opts.PageURL, "/")
	if base == "" || e.Environment == "" {
		return e
	}
	e.Link = base + "/environments/" + url.PathEscape(e.Environment)
	if a.Status == notify.Firing {
		e.Actions = append(e.Actions, actionsOf(a, e.Link)...)
	}
	return e
}

// offeredAt is the pull request that would declare what an alert is about; "":
// there is none.
func offeredAt(a journal.Alert) string {
	words := strings.Fields(a.Labels["proposal"])
	if len(words) == 0 {
		return ""
	}
	last := words[len(words)-1]
	if at, err := url.Parse(last); err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return ""
	}
	return last
}

// actionsOf are what people can do about an alert, on the view of its environment.
func actionsOf(a journal.Alert, view string) []notify.Action {
	hold, resume := notify.Action{Name: "hold", Link: part(view, "at", "hold")}, notify.Action{Name: "resume", Link: part(view, "at", "holds")}
	item := a.Labels["item"]
	switch answer := (notify.Action{Name: "put it back or accept it", Link: part(view, "item", item)}); {
	case item != "" && a.Labels["response"] == string(record.HoldIt):
		return []notify.Action{answer, resume}
	case item != "":
		return []notify.Action{answer, hold}
	case a.Kind == "hold":
		return []notify.Action{resume}
	}
	return nil
}

// part is a link to a part of a view. It says so twice, since what follows #
// does not survive a login.
func part(view, by, id string) string {
	return view + "?" + by + "=" + url.QueryEscape(id) + "#" + url.PathEscape(id)
}

// TestReceiver sends a message that says it is a test to one receiver, now and
// past the outbox, and tells what became of it.
func (d *Daemon) TestReceiver(ctx context.Context, name string, by access.Person) error {
	if err := by.Check(access.Operate, ""); err != nil {
		return err
	}
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return errors.New("the pipeline was not read yet")
	}
	declared, ok := w.pipeline.Receivers[name]
	if !ok {
		return fmt.Errorf("receiver %q: %w; the pipeline has %s", name, ErrUnknown, namesOf(slices.Sorted(maps.Keys(w.pipeline.Receivers))))
	}
	n, err := d.opts.Notifier(name, declared)
	if err != nil {
		return err
	}
	now := d.opts.Now()
	if err := notify.Test(ctx, n, notify.Event{
		ID: d.opts.NewID("test"), Fingerprint: "test/" + name, Kind: "test", Severity: "low",
		Title: "a test of receiver " + name, Text: "Asked for by " + by.Name + ". Nothing is wrong.", At: now, Since: now, Link: d.opts.PageURL,
		Facts: []notify.Fact{{Name: "receiver", Value: name}, {Name: "asked by", Value: by.Name}},
	}); err != nil {
		return err
	}
	d.takes(ctx, w, name)
	return nil
}

// environmentOf is the first part of a fingerprint.
func environmentOf(a journal.Alert) string {
	for i, c := range a.Fingerprint {
		if c == '/' {
			return a.Fingerprint[:i]
		}
	}
	return ""
}

// Delivered remembers what became of one delivery.
func (q outboxQueue) Delivered(ctx context.Context, id, receiver string, dead bool, errText string) error {
	return q.d.ledger.append(ctx, "", journal.Record{Delivered: &journal.Delivered{ID: id, Receiver: receiver, Dead: dead, Error: errText}})
}

// receivers opens what the pipeline names, and keeps it while the pipeline
// does.
type receivers struct {
	d    *Daemon
	mu   sync.Mutex
	from string
	open map[string]notify.Notifier
	// forgetful are those of open that have to be told again, themselves: what is
	// said again is no delivery.
	forgetful map[string]notify.Forgetful
}

func (r *receivers) resolve(name string) (notify.Notifier, bool) {
	w := r.d.world.Load()
	if w == nil || w.pipeline == nil {
		return nil, false
	}
	declared, ok := w.pipeline.Receivers[name]
	if !ok {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if from := w.control.Commit.SHA; r.from != from {
		r.from, r.open, r.forgetful = from, map[string]notify.Notifier{}, map[string]notify.Forgetful{}
	}
	if n := r.open[name]; n != nil {
		return n, true
	}
	n, err := r.d.opts.Notifier(name, declared)
	if err != nil {
		r.d.opts.Log.Warn("receiver cannot be used", zap.String("receiver", name), zap.Error(err))
		return nil, false
	}
	r.open[name] = r.d.traced(name, n)
	if f, ok := n.(notify.Forgetful); ok {
		r.forgetful[name] = f
	}
	return r.open[name], true
}

// outbox makes the worker that delivers alerts.
func (d *Daemon) outbox(r *receivers) (*notify.Outbox, error) {
	o, err := notify.NewOutbox(notify.Options{
		Queue: outboxQueue{d}, Resolve: r.resolve, Random: rand.Float64,
		Panicked: func(v any, stack []byte) { d.Defect(context.Background(), "deliveries", v, stack) },
		Observe: func(a notify.Attempt) {
			d.opts.Metrics.Delivery(a.Receiver, a.Outcome)
			d.attempted(a)
			if a.Err != nil {
				d.opts.Log.Warn("alert not delivered", zap.String("receiver", a.Receiver), zap.String("outcome", a.Outcome), zap.Int("tries", a.Tries), zap.Error(a.Err))
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return o, nil
}

// deliver works the outbox until ctx ends.
func (d *Daemon) deliver(ctx context.Context) error {
	o, err := d.outbox(&receivers{d: d})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { o.Run(ctx) })
	defer func() { cancel(); wg.Wait() }()
	tick := time.NewTicker(outboxTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.outboxWake:
			o.Wake()
		case <-tick.C:
		}
		d.countOutbox()
		if err := d.calmed(ctx); err != nil {
			return err
		}
	}
}

// outboxTick is how often the outbox's figures are renewed.
const outboxTick = 10 * time.Second

func (d *Daemon) countOutbox() {
	d.forgetRefusers()
	pending := d.ledger.pending()
	oldest := 0.0
	if len(pending) > 0 {
		oldest = d.opts.Now().Sub(pending[0].Alert.At).Seconds()
	}
	d.opts.Metrics.Outbox(len(pending), oldest)
	dropped := d.ledger.dropped()
	d.opts.Metrics.OutboxDropped(int(dropped - d.dropped))
	if dropped > d.dropped {
		d.opts.Log.Warn("resolved alerts were dropped: no receiver took them", zap.Uint64("alerts", dropped-d.dropped))
	}
	d.dropped = dropped
}

// drain gives what is in the outbox one try each, for a daemon that is about
// to exit.
func (d *Daemon) drain(ctx context.Context) error {
	r := &receivers{d: d}
	defer r.sayAgain(ctx) // without a daemon nobody else does
	if len(d.ledger.pending()) == 0 {
		return nil
	}
	o, err := d.outbox(r)
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel() // Run delivers what is due once when it is asked to stop
	o.Run(ended)
	return nil
}
