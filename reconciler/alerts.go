package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/trace"
)

// event is something people may have to hear of. kind and key are its
// identity; title and text may vary without making it another.
type event struct {
	kind, key, severity, title, text, resource string
	labels                                     map[string]string
	facts                                      []journal.Fact
	// restated: while it fires, it goes by its newest title and text, of which
	// nobody is told anew.
	restated bool
}

func (e *environment) fingerprint(kind, key string) string {
	return strings.Join([]string{e.name, kind, key}, "/")
}

// fire raises an alert: once per fingerprint while it lasts.
func (p *pass) fire(ctx context.Context, ev event) error { return p.e.alert(ctx, p.w, ev, "firing") }

// resolve ends an alert that is firing. An event with labels is said once more
// although it is over: something was learned about it.
func (p *pass) resolve(ctx context.Context, kind, key string) error {
	return p.e.alert(ctx, p.w, event{kind: kind, key: key}, "resolved")
}

// alert puts what is worth a message into the outbox, and remembers an alert's
// state where it changed.
func (e *environment) alert(ctx context.Context, w *world, ev event, status string) error {
	before, known := e.d.ledger.alert(e.fingerprint(ev.kind, ev.key))
	firing := known && before.Alert.Status == notify.Firing
	send, why := e.worth(w, before, notify.Event{Status: status, Severity: ev.severity})
	switch {
	case status == notify.Firing && firing && !send && !learns(before.Alert, ev):
		return e.restate(ctx, before.Alert, ev)
	case status == notify.Firing && firing && untold(before) && !learns(before.Alert, ev) && !notify.MoreSevere(ev.severity, before.Alert.Severity):
		return e.restate(ctx, before.Alert, ev) // it is kept back: tidy sees to it
	case status != notify.Firing && !firing && (!known || ev.labels == nil):
		return nil
	case status != notify.Firing && ev.labels == nil:
		was := before.Alert
		ev.title, ev.text, ev.severity, ev.resource, ev.labels, ev.facts = was.Title, cmp.Or(ev.text, was.Text), was.Severity, was.Resource, was.Labels, was.Facts
	}
	ctx, span := trace.Start(ctx, "alert")
	defer span.End()
	span.Text(spanKind, ev.kind)
	span.Text("mooring.status", status)
	span.Text("mooring.severity", ev.severity)
	span.Text("mooring.why", why)
	a := journal.Alert{
		ID: e.d.opts.NewID("alert"), Fingerprint: e.fingerprint(ev.kind, ev.key), Status: status, Kind: ev.kind, Severity: ev.severity, Title: ev.title, Text: ev.text,
		Resource: ev.resource, Labels: ev.labels, Facts: ev.facts, At: e.d.opts.Now(), Trace: trace.At(ctx).String(),
	}
	since := a.At
	if firing {
		since = before.Since
	}
	var recs []journal.Record
	switch {
	case status != notify.Firing:
		followTold(w, before, &a)
	case ripe(w, since, a.At):
		recs = e.route(ctx, w, &a)
	}
	return e.put(ctx, a, recs)
}

// restate has an alert that fires go by another title. Other words alone may be
// those of each try.
func (e *environment) restate(ctx context.Context, a journal.Alert, ev event) error {
	if !ev.restated || a.Title == ev.title {
		return nil
	}
	a.Title, a.Text, a.Receivers = ev.title, ev.text, nil
	return e.remember(ctx, journal.Record{Alert: &a})
}

// put remembers an alert, and has it sent.
func (e *environment) put(ctx context.Context, a journal.Alert, recs []journal.Record) error {
	if a.Status == notify.Firing {
		e.log.Warn("alert", zap.String("kind", a.Kind), zap.String("resource", a.Resource), zap.String("title", a.Title))
	} else {
		e.log.Info("alert resolved", zap.String("kind", a.Kind), zap.String("resource", a.Resource), zap.String("title", a.Title))
	}
	if err := e.remember(ctx, append(recs, journal.Record{Alert: &a})...); err != nil {
		return err
	}
	e.d.wakeOutbox()
	return nil
}

// worth says whether an event is worth a message after what was sent before.
func (e *environment) worth(w *world, before journal.AlertState, now notify.Event) (bool, string) {
	last := notify.Last{}
	if told := before.Told(); len(told.To) > 0 {
		last = notify.Last{Status: before.Alert.Status, Severity: told.Severity, At: told.At}
	}
	now.At = e.d.opts.Now()
	return notify.Decide(last, now, time.Duration(w.pipeline.Alerts.Repeat))
}

// untold: nobody was sent anything of it since it fires.
func untold(a journal.AlertState) bool { return len(a.Told().To) == 0 }

// ripe: what is wrong since then is told by now. A clock that went back holds
// nothing back.
func ripe(w *world, since, now time.Time) bool {
	lasts := time.Duration(w.pipeline.Alerts.For)
	return lasts == 0 || now.Before(since) || now.Sub(since) >= lasts
}

// undecided is the response to a difference while it is asked for who made it.
const undecided = "waits for who did it"

// learns: people are told once more, because it is known now who did it, or
// what is done about it, or where it is offered to be declared. Other words of
// an alert may vary.
func learns(before journal.Alert, now event) bool {
	if proposal := now.labels["proposal"]; proposal != "" && proposal != before.Labels["proposal"] {
		return true
	}
	return before.Labels["actor"] != now.labels["actor"] || before.Labels["response"] == undecided && now.labels["response"] != undecided
}

// followTold has the end of an alert sent to whom its beginning was, at the
// severity it had there: policy may have changed its mind, an incident that is
// open somewhere has to be closed there.
func followTold(w *world, before journal.AlertState, a *journal.Alert) {
	for receiver, severities := range before.Told().To {
		if _, declared := w.pipeline.Receivers[receiver]; !declared {
			continue // nobody can be told any more
		}
		a.Receivers = append(a.Receivers, receiver)
		a.Grade(receiver, severities[len(severities)-1])
	}
	slices.Sort(a.Receivers)
	a.Groups = before.Alert.Groups
}

// remindEvery is how often policy is asked again about what it muted.
const remindEvery = time.Minute

// remind tells of what fires and was kept back, because it had not fired for
// long enough or because policy muted it, and tells again what is to be
// repeated. It returns when something has fired for long enough; zero: nothing
// waits for that.
func (e *environment) remind(ctx context.Context, w *world) (time.Time, error) {
	var next time.Time
	var errs []error
	now := e.d.opts.Now()
	asks := now.Before(e.reminded) || !now.Before(e.reminded.Add(remindEvery))
	if asks {
		e.reminded = now
	}
	for _, a := range e.d.ledger.firing(e.name + "/") {
		state, _ := e.d.ledger.alert(a.Fingerprint)
		unasked := untold(state) && !ripe(w, state.Since, state.Alert.At)
		switch {
		case unasked && !ripe(w, state.Since, now):
			if due := state.Since.Add(time.Duration(w.pipeline.Alerts.For)); next.IsZero() || due.Before(next) {
				next = due
			}
		case unasked || asks:
			errs = append(errs, e.again(ctx, w, state, unasked))
		}
	}
	return next, errors.Join(errs...)
}

// again sends an alert that fires, where it is worth a message and policy names
// somebody. That policy mutes it is recorded when it is asked for the first time.
func (e *environment) again(ctx context.Context, w *world, state journal.AlertState, unasked bool) error {
	a := state.Alert
	if send, _ := e.worth(w, state, notify.Event{Status: a.Status, Severity: a.Severity}); !send {
		return nil
	}
	ctx, span := trace.Start(ctx, "alert")
	defer span.End()
	span.Text(spanKind, a.Kind)
	a.ID, a.At, a.Trace = e.d.opts.NewID("alert"), e.d.opts.Now(), trace.At(ctx).String()
	recs := e.route(ctx, w, &a)
	if len(a.Receivers) == 0 && !unasked {
		return nil
	}
	return e.put(ctx, a, recs)
}

// alertEnvironment tells about an environment that cannot be worked on at
// all, once it is more than a hiccup.
func (p *pass) alertEnvironment(ctx context.Context, err error) error {
	if err == nil {
		return p.resolve(ctx, "environment_error", "")
	}
	var own *defect
	if ctx.Err() != nil || p.e.failures < 2 && !providers.KindOf(err).Permanent() && !errors.As(err, &own) {
		return nil
	}
	return p.fire(ctx, event{
		kind: "environment_error", severity: "critical",
		title: p.e.name + " cannot be reconciled", text: fmt.Sprintf("%s: %s", providers.KindOf(err), err),
	})
}
