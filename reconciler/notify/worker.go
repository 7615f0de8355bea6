package notify

import (
	"context"
	"errors"
	"slices"
	"time"
)

// worker serves one receiver. Failures wait at two levels: the fingerprint
// that failed waits by its own count, so that an event the receiver chokes on
// does not hold up the others; and the receiver as a whole waits by the
// failures since it last took anything, so that one that is down is not asked
// once per fingerprint.
type worker struct {
	*Options
	receiver string
	poke     chan struct{}
	blocked  map[string]block     // by fingerprint
	sent     map[string]sentEvent // taken by the receiver, not yet recorded
	failures int                  // in a row, of any fingerprint
	rest     time.Time            // the receiver is left alone until then
	window   time.Time            // when the messages below began to be counted
	messages int                  // single ones within the window
	panics   int                  // in a row, of rounds as a whole
}

type block struct {
	tries int
	until time.Time
}

// sentEvent is how the delivery to be recorded went.
type sentEvent struct {
	dead bool
	text string
}

func newWorker(o *Options, receiver string) *worker {
	return &worker{Options: o, receiver: receiver, poke: make(chan struct{}, 1), blocked: map[string]block{}, sent: map[string]sentEvent{}}
}

func (w *worker) wake() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// run serves until ctx ends. What is under way then goes on, and what is due
// gets one last try, within Drain.
func (w *worker) run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(w.Drain):
			cancel()
		case <-work.Done():
		}
	})
	defer stop()
	for {
		next, wait := w.sound(work)
		var timer <-chan time.Time
		if wait {
			timer = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			w.sound(work)
			return
		case <-w.poke:
		case <-timer:
		}
	}
}

// sound is round, made again after a while where it panics.
func (w *worker) sound(ctx context.Context) (next time.Time, wait bool) {
	err := w.guarded(func() error { next, wait = w.round(ctx); return nil })
	if w.panics++; err == nil {
		w.panics = 0
		return next, wait
	}
	return time.Now().Add(w.backoff(w.panics)), true
}

// agenda is when to come again.
type agenda struct {
	next time.Time
	set  bool
}

func (a *agenda) by(t time.Time) {
	if !a.set || t.Before(a.next) {
		a.next, a.set = t, true
	}
}

// round tries everything that is due, in order, and says when to come again.
func (w *worker) round(ctx context.Context) (next time.Time, wait bool) {
	var a agenda
	due := w.due(ctx, &a)
	if together, yes := w.storm(due); yes {
		w.together(ctx, together, due, &a)
		return a.next, a.set
	}
	later := map[string]bool{} // fingerprints of which an earlier event failed just now
	done := map[string]bool{}  // events that went with others
	for _, e := range due {
		switch {
		case done[e.ID] || later[e.Fingerprint]:
		case w.waits(e).After(time.Now()): // the receiver failed just now
			later[e.Fingerprint] = true
			a.by(w.waits(e))
		default:
			with := w.company(due, e, func(other Event) bool { return done[other.ID] || later[other.Fingerprint] })
			sent := w.tryAll(ctx, with, &a)
			for _, e := range with {
				done[e.ID] = true
				later[e.Fingerprint] = later[e.Fingerprint] || !sent
			}
		}
	}
	return a.next, a.set
}

// due is what may be tried now.
func (w *worker) due(ctx context.Context, a *agenda) []Event {
	pending := w.pending()
	w.forget(pending)
	// Those that failed less go first, or what the receiver chokes on would
	// use up every moment it is asked. Within a fingerprint order stays.
	slices.SortStableFunc(pending, func(a, b Event) int {
		return w.blocked[a.Fingerprint].tries - w.blocked[b.Fingerprint].tries
	})
	if ctx.Err() != nil {
		return nil
	}
	return slices.DeleteFunc(pending, func(e Event) bool {
		until := w.waits(e)
		if !until.After(time.Now()) {
			return false
		}
		a.by(until)
		return true
	})
}

// waits is until when an event may not be tried.
func (w *worker) waits(e Event) time.Time {
	until := w.blocked[e.Fingerprint].until
	if w.rest.After(until) {
		return w.rest
	}
	return until
}

func (w *worker) pending() []Event {
	var events []Event
	for _, item := range w.Queue.Pending() {
		if item.Receiver == w.receiver {
			events = append(events, item.Event)
		}
	}
	return events
}

// forget drops what is remembered of events no longer in the queue.
func (w *worker) forget(pending []Event) {
	ids, prints := map[string]bool{}, map[string]bool{}
	for _, e := range pending {
		ids[e.ID], prints[e.Fingerprint] = true, true
	}
	for id := range w.sent {
		if !ids[id] {
			delete(w.sent, id)
		}
	}
	for print := range w.blocked {
		if !prints[print] {
			delete(w.blocked, print)
		}
	}
}

// try sends and records one event; false when it has to be tried again.
func (w *worker) try(ctx context.Context, e Event) bool {
	if _, sent := w.sent[e.ID]; !sent {
		err := w.send(ctx, e)
		if err != nil && !IsPermanent(err) {
			w.failed(e, "retry", err)
			return false
		}
		w.messages++
		w.took(e, err)
	}
	return w.record(ctx, e)
}

// took notes that the receiver decided on an event.
func (w *worker) took(e Event, err error) {
	done := sentEvent{}
	if err != nil {
		done = sentEvent{dead: true, text: err.Error()}
	}
	w.sent[e.ID] = done
	w.failures, w.rest = 0, time.Time{}
}

// record makes a delivery durable. One that cannot be recorded is only
// recorded again, not sent: a duplicate takes a crash in between.
func (w *worker) record(ctx context.Context, e Event) bool {
	done := w.sent[e.ID]
	if err := w.Queue.Delivered(ctx, e.ID, w.receiver, done.dead, done.text); err != nil {
		w.failed(e, "unrecorded", err)
		return false
	}
	attempt := Attempt{Receiver: w.receiver, Event: e.ID, Outcome: "delivered", Tries: w.blocked[e.Fingerprint].tries + 1}
	if done.dead {
		attempt.Outcome, attempt.Err = "dead", errors.New(done.text)
	}
	delete(w.sent, e.ID)
	delete(w.blocked, e.Fingerprint)
	w.Observe(attempt)
	return true
}

func (w *worker) send(ctx context.Context, e Event) error {
	notifier, known := w.Resolve(w.receiver)
	if !known {
		return errors.New("no receiver has this name now")
	}
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	return w.guarded(func() error { return notifier.Notify(ctx, e) })
}

// failed makes the fingerprint and the receiver wait.
func (w *worker) failed(e Event, outcome string, err error) {
	b := w.blocked[e.Fingerprint]
	b.tries++
	wait := max(w.backoff(b.tries), asked(err))
	b.until = time.Now().Add(wait)
	w.blocked[e.Fingerprint] = b
	if outcome == "retry" {
		w.failures++
		w.rest = time.Now().Add(max(w.backoff(w.failures), asked(err)))
	}
	w.Observe(Attempt{Receiver: w.receiver, Event: e.ID, Outcome: outcome, Tries: b.tries, Wait: wait, Err: err})
}
