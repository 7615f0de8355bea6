package reconciler

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"mooring.dev/reconciler/notify"
)

// remindAtOnce is how many alerts are said again in one message, and
// remindWithin how long one may take.
const remindAtOnce, remindWithin = 100, 15 * time.Second

// remind says what fires again to receivers that forget it, until ctx ends.
// It is no delivery: the outbox knows nothing of it, and what fails is said at
// the next round.
func (r *receivers) remind(ctx context.Context) error {
	tick := time.NewTicker(notify.AgainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.sayAgain(ctx)
		}
	}
}

// sayAgain is one round.
func (r *receivers) sayAgain(ctx context.Context) {
	w := r.d.world.Load()
	if w == nil || w.pipeline == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(w.pipeline.Receivers)) {
		if _, ok := r.resolve(name); !ok {
			continue
		}
		r.mu.Lock()
		to := r.forgetful[name]
		r.mu.Unlock()
		if to == nil {
			continue
		}
		if err := r.sayTo(ctx, name, to); err != nil {
			r.d.opts.Log.Warn("what fires was not said again", zap.String("receiver", name), zap.Error(err))
		}
	}
}

// sayTo tells one receiver. What was over by the time it was told is said to be
// once more: the two may have crossed.
func (r *receivers) sayTo(ctx context.Context, name string, to notify.Forgetful) error {
	for events := range slices.Chunk(r.d.fires(name), remindAtOnce) {
		bounded, cancel := context.WithTimeout(ctx, remindWithin)
		err := to.NotifyAll(bounded, events)
		if over := r.d.overSince(events); err == nil && len(over) > 0 {
			err = to.NotifyAll(bounded, over)
		}
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// fires is what a receiver was told of and still fires, as severe as it was
// told last. What still waits for it in the outbox is left to that.
func (d *Daemon) fires(receiver string) []notify.Event {
	waiting := map[string]bool{}
	for _, p := range d.ledger.pending() {
		if p.Receiver == receiver {
			waiting[p.Alert.Fingerprint] = true
		}
	}
	var out []notify.Event
	for _, a := range d.ledger.firing("") {
		if severities := d.sentTo(a.Fingerprint, receiver); len(severities) > 0 && !waiting[a.Fingerprint] {
			state, _ := d.ledger.alert(a.Fingerprint)
			a.Severity = severities[len(severities)-1]
			out = append(out, d.message(a, state.Since))
		}
	}
	return out
}

// overSince are those of events that are over now.
func (d *Daemon) overSince(events []notify.Event) []notify.Event {
	var out []notify.Event
	for _, e := range events {
		if now, ok := d.ledger.alert(e.Fingerprint); ok && now.Alert.Status != notify.Firing {
			e.Status, e.At = notify.Resolved, now.Alert.At
			out = append(out, e)
		}
	}
	return out
}

// sentTo are the severities in which an alert was sent to a receiver since it
// fires, the newest last.
func (d *Daemon) sentTo(fingerprint, receiver string) []string {
	state, _ := d.ledger.alert(fingerprint)
	return state.Told().To[receiver]
}

// kindAt is a kind of alerts of an environment, as a receiver knows it.
type kindAt struct{ receiver, environment, kind string }

// kindsThatFire are those of which a receiver was told of one that fires now.
func (d *Daemon) kindsThatFire() map[kindAt]bool {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	out := map[kindAt]bool{}
	for _, a := range d.ledger.state.Alerts {
		if a.Alert.Status != notify.Firing {
			continue
		}
		for receiver := range a.Told().To {
			out[kindAt{receiver, environmentOf(a.Alert), a.Alert.Kind}] = true
		}
	}
	return out
}
