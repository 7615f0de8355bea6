package journal

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// alert remembers the newest state of a fingerprint and puts the event into
// the outbox, once per receiver.
func (s *State) alert(a Alert) {
	since := a.At
	last, known := s.Alerts[a.Fingerprint]
	if known && last.Alert.Status == a.Status {
		since = last.Since
	}
	sent := last.Told()
	if a.Status == "firing" {
		if last.Alert.Status != "firing" {
			sent = Sent{}
		}
		sent = sent.with(a)
	}
	s.Alerts[a.Fingerprint] = AlertState{Alert: a, Since: since, Sent: sent}
	s.forgetAlerts(a.Fingerprint)
	if s.OutboxBytes == 0 { // nothing waits, or a snapshot from before it was counted
		for _, p := range s.Outbox {
			s.OutboxBytes += p.size()
		}
	}
	for _, receiver := range a.Receivers {
		p := Pending{Alert: a, Receiver: receiver}
		p.Alert.Severity, p.Alert.Severities = a.severityAt(receiver), nil
		p.Group, p.Alert.Groups = a.Groups[receiver], nil
		s.Outbox = append(s.Outbox, p)
		s.OutboxBytes += p.size()
	}
	s.capOutbox()
}

// Told is what was sent since the alert fires. A state from before it was kept
// speaks by its newest alert.
func (s AlertState) Told() Sent {
	if s.Sent.To == nil && s.Alert.Status == "firing" {
		return Sent{}.with(s.Alert)
	}
	return s.Sent
}

// with adds an alert that is sent. What s holds is not written to.
func (s Sent) with(a Alert) Sent {
	if len(a.Receivers) == 0 {
		return s
	}
	to := map[string][]string{}
	maps.Copy(to, s.To)
	for _, receiver := range a.Receivers {
		severity := a.severityAt(receiver)
		others := slices.DeleteFunc(slices.Clone(to[receiver]), func(of string) bool { return of == severity })
		to[receiver] = append(others, severity)
	}
	return Sent{Severity: a.Severity, At: a.At, To: to}
}

// Grade sets an alert's severity at one receiver.
func (a *Alert) Grade(receiver, severity string) {
	if severity == a.Severity {
		return
	}
	if a.Severities == nil {
		a.Severities = map[string]string{}
	}
	a.Severities[receiver] = severity
}

// severityAt is an alert's severity at one receiver.
func (a Alert) severityAt(receiver string) string { return cmp.Or(a.Severities[receiver], a.Severity) }

// size is about what one takes in a snapshot, in bytes.
func (p Pending) size() int {
	const names = 300 // of members, with the time and what is short
	n := names + len(p.Receiver) + len(p.Group) + len(p.Alert.ID) + len(p.Alert.Fingerprint) + len(p.Alert.Title) + len(p.Alert.Text) + len(p.Alert.Resource)
	for key, value := range p.Alert.Labels {
		n += len(key) + len(value)
	}
	for _, f := range p.Alert.Facts {
		n += len(f.Name) + len(f.Value)
	}
	return n
}

// forgetAlerts drops the oldest resolved ones; what fires is never forgotten.
func (s *State) forgetAlerts(but string) {
	if len(s.Alerts) <= 2*keepAlerts {
		return
	}
	type entry struct {
		fingerprint string
		at          time.Time
	}
	var resolved []entry
	for f, a := range s.Alerts {
		if a.Alert.Status != "firing" && f != but {
			resolved = append(resolved, entry{f, a.Alert.At})
		}
	}
	slices.SortFunc(resolved, func(a, b entry) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		if a.fingerprint < b.fingerprint {
			return -1
		}
		return 1
	})
	for _, e := range resolved[:min(len(resolved), len(s.Alerts)-keepAlerts)] {
		delete(s.Alerts, e.fingerprint)
	}
}

// capOutbox drops the oldest resolved events of an outbox nobody empties, by
// number and by bytes; a firing one is never dropped, however long it gets. It
// lets a tenth more gather first, so that the cost per event stays constant.
func (s *State) capOutbox() {
	over, bytes := len(s.Outbox)-keepOutbox, s.OutboxBytes-keepOutboxBytes
	if over <= keepOutbox/10 && bytes <= keepOutboxBytes/10 {
		return
	}
	s.Outbox = slices.DeleteFunc(s.Outbox, func(p Pending) bool {
		drop := (over > 0 || bytes > 0) && p.Alert.Status != "firing"
		if drop {
			over--
			bytes -= p.size()
			s.OutboxBytes -= p.size()
			s.Dropped++
		}
		return drop
	})
}

// delivered takes an alert out of the outbox, and keeps what was refused for
// good where people find it.
func (s *State) delivered(d Delivered, at time.Time) {
	i := slices.IndexFunc(s.Outbox, func(p Pending) bool { return p.Alert.ID == d.ID && p.Receiver == d.Receiver })
	if i >= 0 {
		if a := s.Outbox[i].Alert; d.Dead {
			s.DeadLetters = newest(append(s.DeadLetters, DeadLetter{ID: a.ID, Fingerprint: a.Fingerprint, Title: a.Title, Receiver: d.Receiver, Error: d.Error, At: at}), keepDead)
		}
		s.OutboxBytes = max(0, s.OutboxBytes-s.Outbox[i].size())
		s.Outbox = slices.Delete(s.Outbox, i, i+1)
	}
}
