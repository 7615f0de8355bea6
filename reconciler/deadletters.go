package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/web"
)

// faultOutbox is the kind of alert about a receiver that refuses alerts for
// good, and outboxWrite how long its record may take.
const faultOutbox, outboxWrite = "outbox_error", 10 * time.Second

// refusers are the alerts about receivers that refused one for good and took
// none since, sorted.
func (d *Daemon) refusers() []journal.Alert { return d.ledger.firing("/" + faultOutbox + "/") }

// refuser is the receiver that an alert of refusers is about.
func refuser(a journal.Alert) string { return strings.TrimPrefix(a.Fingerprint, "/"+faultOutbox+"/") }

// attempted tells people of a receiver that refuses, and that it takes alerts
// again.
func (d *Daemon) attempted(a notify.Attempt) {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), outboxWrite) // also while the daemon stops
	defer cancel()
	switch a.Outcome {
	case "dead":
		d.refuses(ctx, w, a)
	case "delivered":
		d.takes(ctx, w, a.Receiver)
	}
}

// refuses fires once while a receiver refuses, and never tells one that does:
// where all refuse nobody is told, and no alert is about an alert without end.
func (d *Daemon) refuses(ctx context.Context, w *world, a notify.Attempt) {
	fp := d.mouth().fingerprint(faultOutbox, a.Receiver)
	if before, known := d.ledger.alert(fp); known && before.Alert.Status == notify.Firing {
		return
	}
	d.tellOfReceiver(ctx, journal.Alert{
		Fingerprint: fp, Status: notify.Firing, Kind: faultOutbox, Severity: "critical", Labels: map[string]string{"receiver": a.Receiver},
		Title: fmt.Sprintf("receiver %s refuses alerts for good: %v", a.Receiver, a.Err),
		Text: fmt.Sprintf("What it refused is not tried again and stands in `mooring history`. `mooring alert test %s` sends it a test; this is over when it takes one.",
			a.Receiver),
		Receivers: d.others(w, a.Receiver),
	})
}

// others are who is told of a receiver's fault: the default one, or else all,
// but never one that refuses itself.
func (d *Daemon) others(w *world, receiver string) []string {
	deaf := map[string]bool{receiver: true}
	for _, a := range d.refusers() {
		deaf[refuser(a)] = true
	}
	if _, ok := w.pipeline.Receivers["default"]; ok && !deaf["default"] {
		return []string{"default"}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.pipeline.Receivers)), func(name string) bool { return deaf[name] })
}

// takes ends the alert about a receiver, for those who were told of it.
func (d *Daemon) takes(ctx context.Context, w *world, receiver string) {
	before, known := d.ledger.alert(d.mouth().fingerprint(faultOutbox, receiver))
	if !known || before.Alert.Status != notify.Firing {
		return
	}
	over := before.Alert
	over.Status = notify.Resolved
	over.Receivers = slices.DeleteFunc(slices.Clone(over.Receivers), func(name string) bool { _, ok := w.pipeline.Receivers[name]; return !ok })
	d.tellOfReceiver(ctx, over)
}

// forgetRefusers ends the alerts about receivers that the pipeline no longer
// has.
func (d *Daemon) forgetRefusers() {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return
	}
	for _, a := range d.refusers() {
		if _, ok := w.pipeline.Receivers[refuser(a)]; !ok {
			ctx, cancel := context.WithTimeout(context.Background(), outboxWrite)
			d.takes(ctx, w, refuser(a))
			cancel()
		}
	}
}

func (d *Daemon) tellOfReceiver(ctx context.Context, a journal.Alert) {
	a.ID, a.At = d.opts.NewID("alert"), d.opts.Now()
	d.opts.Log.Warn("alert", zap.String("kind", a.Kind), zap.String("status", a.Status), zap.String("title", a.Title))
	if err := d.ledger.append(ctx, "", journal.Record{Alert: &a}); err != nil {
		d.opts.Log.Error("alert about a receiver", zap.Error(err))
		return
	}
	d.wakeOutbox()
}

// refusedAlerts are the dead letters as lines of the history.
func (d *Daemon) refusedAlerts(environment string) []web.Event {
	var out []web.Event
	for _, l := range d.ledger.deadLetters() {
		about, _, _ := strings.Cut(l.Fingerprint, "/")
		if environment == "" || about == environment {
			out = append(out, web.Event{Environment: about, At: l.At, Kind: "alert", Text: fmt.Sprintf("refused for good by %s: %s: %s", l.Receiver, l.Title, l.Error)})
		}
	}
	return out
}
