package journal

import (
	"slices"
	"time"
)

// alert remembers the newest state of a fingerprint and puts the event into
// the outbox, once per receiver.
func (s *State) alert(a Alert) {
	since := a.At
	if last, known := s.Alerts[a.Fingerprint]; known && last.Alert.Status == a.Status {
		since = last.Since
	}
	s.Alerts[a.Fingerprint] = AlertState{Alert: a, Since: since}
	s.forgetAlerts(a.Fingerprint)
	if s.OutboxBytes == 0 { // nothing waits, or a snapshot from before it was counted
		for _, p := range s.Outbox {
			s.OutboxBytes += p.size()
		}
	}
	for _, receiver := range a.Receivers {
		p := Pending{Alert: a, Receiver: receiver}
		s.Outbox = append(s.Outbox, p)
		s.OutboxBytes += p.size()
	}
	s.capOutbox()
}

// size is about what one takes in a snapshot, in bytes.
func (p Pending) size() int {
	const names = 300 // of members, with the time and what is short
	n := names + len(p.Receiver) + len(p.Alert.ID) + len(p.Alert.Fingerprint) + len(p.Alert.Title) + len(p.Alert.Text) + len(p.Alert.Resource)
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

func (s *State) delivered(d Delivered) {
	i := slices.IndexFunc(s.Outbox, func(p Pending) bool { return p.Alert.ID == d.ID && p.Receiver == d.Receiver })
	if i >= 0 {
		s.OutboxBytes = max(0, s.OutboxBytes-s.Outbox[i].size())
		s.Outbox = slices.Delete(s.Outbox, i, i+1)
	}
}
