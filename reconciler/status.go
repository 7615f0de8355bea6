package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mooring.dev/reconciler/web"
)

// Status is where everything stands.
func (d *Daemon) Status() web.Status {
	s := web.Status{Environments: []web.EnvironmentStatus{}, Faults: []string{}, ObservedAt: d.opts.Now(), Outbox: len(d.ledger.pending()), Quota: []web.Lane{}}
	if d.opts.Lanes != nil {
		s.Quota = d.opts.Lanes()
	}
	w := d.world.Load()
	if why := d.unread.Load(); why != nil {
		s.Faults = append(s.Faults, faultSource+": "+*why+lastRead(w))
	}
	if why := d.unhosted.Load(); why != nil {
		s.Faults = append(s.Faults, "host: "+*why)
	}
	for _, a := range d.refusers() {
		s.Faults = append(s.Faults, faultOutbox+": "+a.Title)
	}
	if w == nil {
		return s
	}
	s.Control = web.ControlStatus{Branch: w.main, Commit: w.control.Commit.SHA, Policies: w.policies}
	if all := d.ledger.activations(); len(all) > 0 {
		s.Control.Activation = &all[len(all)-1]
	}
	for _, kind := range []string{faultPipeline, faultPolicy} {
		if err := w.faults[kind]; err != nil {
			s.Faults = append(s.Faults, kind+": "+err.Error())
		}
	}
	if w.pipeline == nil {
		return s
	}
	s.Pipeline = w.pipeline.Name
	s.Receivers = slices.Sorted(maps.Keys(w.pipeline.Receivers))
	if err := d.strangers(w.pipeline); err != nil {
		s.Faults = append(s.Faults, err.Error())
	}
	for _, name := range d.names() {
		status := web.EnvironmentStatus{Name: name, State: "unknown"}
		if e := d.environment(name); e != nil {
			if pub := e.published.Load(); pub != nil {
				status = pub.status
			}
		}
		s.Environments = append(s.Environments, status)
	}
	s.Environments = append(s.Environments, d.orphanStatus(w)...)
	return s
}

// lastRead says how old is what is known of the repository.
func lastRead(w *world) string {
	if w == nil {
		return "; it was not read yet"
	}
	return "; it was last read at " + w.at.UTC().Format(time.RFC3339)
}

// History of one environment, or of all with "", newest first.
func (d *Daemon) History(environment string, limit int) []web.Event {
	out := []web.Event{}
	newest := func(events []web.Event) {
		if limit > 0 && len(events) > limit {
			events = events[:limit]
		}
		out = append(out, events...)
	}
	for _, name := range d.known() {
		e := d.environment(name)
		if e == nil || environment != "" && name != environment {
			continue
		}
		if pub := e.published.Load(); pub != nil {
			newest(pub.events())
		}
	}
	newest(newestFirst(d.refusedAlerts(environment)))
	if environment == "" {
		var out []web.Event
		for _, a := range d.ledger.activations() {
			out = append(out, web.Event{At: a.At, Kind: "policies", Text: activationText(a)})
		}
		newest(newestFirst(out))
	}
	if newestFirst(out); limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

func newestFirst(events []web.Event) []web.Event {
	slices.SortStableFunc(events, func(a, b web.Event) int { return b.At.Compare(a.At) })
	return events
}

// eventsOf are the lines of an environment's history, newest first, for all who
// look until it is published anew.
func (pub *published) eventsOf(name string) []web.Event {
	out := make([]web.Event, 0, len(pub.history))
	for _, ev := range pub.history {
		out = append(out, web.Event{Environment: name, At: ev.At, Kind: ev.Kind, Text: ev.Text, Resource: ev.Ref, Seq: uint64(ev.Seq), Release: ev.Release, NoReturn: pub.noReturn(ev.Release)})
	}
	return newestFirst(out)
}

// Drift of an environment as last looked at.
func (d *Daemon) Drift(_ context.Context, name string) (web.Drift, error) {
	pub, err := d.lastSeen(name)
	if err != nil {
		return web.Drift{}, err
	}
	return pub.drift, nil
}

// Ready says why the daemon is not ready yet.
func (d *Daemon) Ready() error {
	w := d.world.Load()
	if w == nil {
		if why := d.unread.Load(); why != nil {
			return errors.New("the repository was not read yet: " + *why)
		}
		return errors.New("the repository was not read yet")
	}
	if w.pipeline == nil {
		return w.faults[faultPipeline]
	}
	if err := w.faults[faultPolicy]; err != nil && !errors.Is(err, errKeptOut) {
		return fmt.Errorf("policy is not active: %w", err)
	}
	for _, name := range d.names() {
		e := d.environment(name)
		if e == nil || e.published.Load() == nil {
			return fmt.Errorf("environment %s was not looked at yet", name)
		}
	}
	return nil
}

var (
	_ web.View     = (*Daemon)(nil)
	_ web.Control  = (*Daemon)(nil)
	_ web.Governor = (*Daemon)(nil)
	_ web.Webhooks = (*Daemon)(nil)
)
