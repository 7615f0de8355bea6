package notify

import (
	"context"
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
	var fresh []Event
	for _, e := range due {
		if _, sent := w.sent[e.ID]; !sent {
			fresh = append(fresh, e)
		}
	}
	if len(fresh) > 0 && !w.all(ctx, receiver, fresh) {
		for _, e := range due {
			a.by(w.waits(e))
		}
		return
	}
	for _, e := range due {
		if !w.record(ctx, e) {
			a.by(w.waits(e))
			return // in order: what follows is recorded with it
		}
	}
}

// all sends a group; false when it has to be tried again.
func (w *worker) all(ctx context.Context, receiver Grouper, events []Event) bool {
	bounded, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	one := len(events) == 1
	var err error
	if one {
		err = w.guarded(func() error { return receiver.Notify(bounded, events[0]) })
	} else {
		err = w.guarded(func() error { return receiver.NotifyAll(bounded, events) })
	}
	switch {
	case err == nil || one && IsPermanent(err):
		w.messages = w.Burst + 1
	case IsPermanent(err):
		for _, e := range events {
			err := w.send(ctx, e)
			if err != nil && !IsPermanent(err) {
				w.failed(e, "retry", err)
				return false
			}
			w.took(e, err)
		}
		return true
	default:
		w.failedAll(events, err)
		return false
	}
	for _, e := range events {
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
