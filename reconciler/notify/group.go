package notify

import (
	"context"
	"slices"
	"time"
)

// storm says whether what is due goes as one message: the receiver can take
// one, and single ones would be more than Burst within Group.
func (w *worker) storm(due []Event) (Grouper, bool) {
	if time.Since(w.window) >= w.Group {
		w.window, w.messages = time.Now(), 0
	}
	if len(due) == 0 || w.messages+len(due) <= w.Burst {
		return nil, false
	}
	notifier, known := w.Resolve(w.receiver)
	if !known {
		return nil, false
	}
	together, can := notifier.(Grouper)
	return together, can
}

// together sends what is due as one message, once in each window; what comes
// later waits for the next. A group that is refused for good is not lost for
// one bad event: its events are tried one by one.
func (w *worker) together(ctx context.Context, receiver Grouper, due []Event, a *agenda) {
	if w.messages > w.Burst {
		a.by(w.window.Add(w.Group))
		return
	}
	fresh := w.unsent(due)
	if len(fresh) > 0 && !w.all(ctx, receiver, fresh, true) {
		w.left(ctx, due, a)
		return
	}
	w.recordAll(ctx, due, a)
}

// left records what of a group went, and comes again for the rest of it.
func (w *worker) left(ctx context.Context, events []Event, a *agenda) {
	recorded := true // in order, as in recordAll
	for _, e := range events {
		if _, sent := w.sent[e.ID]; sent && recorded {
			recorded = w.record(ctx, e)
		}
		a.by(w.waits(e))
	}
}

// recordAll makes the delivery of a group durable; false when that has to be
// tried again.
func (w *worker) recordAll(ctx context.Context, events []Event, a *agenda) bool {
	for _, e := range events {
		if !w.record(ctx, e) {
			a.by(w.waits(e))
			return false // in order: what follows is recorded with it
		}
	}
	return true
}

// company is the events that one goes with, itself among them: those of its
// group, where it has one and the receiver takes many in one message.
func (w *worker) company(due []Event, e Event, left func(Event) bool) []Event {
	if _, sent := w.sent[e.ID]; e.Group == "" || sent {
		return []Event{e}
	}
	notifier, _ := w.Resolve(w.receiver)
	if _, can := notifier.(Grouper); !can {
		return []Event{e}
	}
	return alike(due, e, func(other Event) bool {
		_, sent := w.sent[other.ID]
		return sent || left(other)
	})
}

// tryAll sends and records what goes together; false when it has to be tried
// again.
func (w *worker) tryAll(ctx context.Context, events []Event, a *agenda) bool {
	if len(events) == 1 {
		sent := w.try(ctx, events[0])
		if !sent {
			a.by(w.waits(events[0]))
		}
		return sent
	}
	notifier, _ := w.Resolve(w.receiver)
	receiver, can := notifier.(Grouper)
	if !can || !w.all(ctx, receiver, events, false) {
		w.left(ctx, events, a)
		return false
	}
	return w.recordAll(ctx, events, a)
}

// alike is what goes as one message with an event: what shares its group and
// overtakes nothing of its own alert. left: it is not to be sent now.
func alike(due []Event, with Event, left func(Event) bool) []Event {
	var out []Event
	behind := map[string]bool{} // fingerprints of which an earlier event goes elsewhere
	for _, e := range due {
		switch {
		case left(e):
		case e.Group == with.Group && !behind[e.Fingerprint]:
			out = append(out, e)
		default:
			behind[e.Fingerprint] = true
		}
	}
	return out
}

// all sends a group; false when it, or the rest of it, has to be tried again.
// storm: it is the last message of its window.
func (w *worker) all(ctx context.Context, receiver Grouper, events []Event, storm bool) bool {
	bounded, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	one := len(events) == 1
	var err error
	if one {
		err = w.guarded(func() error { return receiver.Notify(bounded, events[0]) })
	} else {
		err = w.guarded(func() error { return receiver.NotifyAll(bounded, events) })
	}
	for _, e := range taken(events, err) {
		w.took(e, nil)
	}
	switch {
	case err == nil || one && IsPermanent(err):
		if w.messages++; storm {
			w.messages = w.Burst + 1
		}
		for _, e := range events {
			w.took(e, err)
		}
		return true
	case IsPermanent(err):
		return w.apart(ctx, w.unsent(events))
	}
	w.failedAll(w.unsent(events), err)
	return false
}

// unsent leaves out what was taken.
func (w *worker) unsent(events []Event) []Event {
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		_, sent := w.sent[e.ID]
		return sent
	})
}

// apart sends one by one what was refused for good as a group; false when one
// of them has to be tried again.
func (w *worker) apart(ctx context.Context, events []Event) bool {
	for _, e := range events {
		err := w.send(ctx, e)
		if err != nil && !IsPermanent(err) {
			w.failed(e, "retry", err)
			return false
		}
		w.took(e, err)
	}
	return true
}

// failedAll makes the receiver wait once for the whole group.
func (w *worker) failedAll(events []Event, err error) {
	before := w.failures
	for _, e := range events {
		w.failures = before
		w.failed(e, "retry", err)
	}
}
