package reconciler

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
)

// forgetting is a receiver that wants to be told again.
type forgetting struct {
	receiver
	said *[]notify.Event
	hook func() error
}

func (f forgetting) Forgets() {}

func (f forgetting) NotifyAll(_ context.Context, events []notify.Event) error {
	*f.said = append(*f.said, events...)
	return f.hook()
}

// What fires is said again every few minutes to whom it was sent, as severe as
// it was said last; what waits, is over or went elsewhere is not.
func TestWhatFiresIsSaidAgain(t *testing.T) {
	var said []notify.Event
	hook := func() error { return nil }
	s := begin(t, memory.Options{}, mutant{notifier: func(n notify.Notifier) notify.Notifier {
		if n.(receiver).name == "oncall" {
			return forgetting{n.(receiver), &said, func() error { return hook() }}
		}
		return n
	}}, "preview")
	settled(t, s)
	alert := func(fp, status, severity, to string) {
		must(s.d.ledger.append(t.Context(), "preview", journal.Record{Alert: &journal.Alert{ID: fp + status + severity, Fingerprint: "preview/drift/" + fp,
			Status: status, Kind: "drift", Severity: severity, Receivers: []string{to}, At: s.now()}}))
	}
	alert("worse", "firing", "high", "oncall")
	alert("worse", "firing", "critical", "oncall")
	alert("over", "firing", "high", "oncall")
	alert("over", "resolved", "high", "oncall")
	alert("elsewhere", "firing", "high", "default")
	r := &receivers{d: s.d}
	r.sayAgain(t.Context())
	if len(said) != 0 {
		t.Fatalf("said again what was not delivered yet: %+v", said)
	}
	for range 5 {
		must(s.d.drain(t.Context()))
	}
	said = nil
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.remind(ctx) }()
		time.Sleep(4*notify.AgainEvery + time.Second)
		cancel()
		<-done
	})
	if len(said) != 4 || said[0].Fingerprint != "preview/drift/worse" || said[0].Severity != "critical" || said[0].Status != notify.Firing || !said[3].Since.Equal(said[0].Since) {
		t.Fatalf("said again: %+v", said)
	}
	said = nil
	hook = func() error {
		if len(said) == 1 {
			alert("worse", "resolved", "critical", "oncall")
		}
		return nil
	}
	r.sayAgain(t.Context())
	if len(said) != 2 || said[1].Status != notify.Resolved {
		t.Errorf("it ended meanwhile, and was said: %+v", said)
	}
	if n := len(s.d.ledger.pending()); n != 1 {
		t.Errorf("%d wait in the outbox, want the one that ended", n)
	}
	hook = func() error { return errors.New("down") }
	r.sayAgain(t.Context()) // is logged, and tried at the next round
}

// What is over carries each severity it was sent in, and no other.
func TestWhatIsOverSaysHowSevereItWas(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	for i, severity := range []string{"medium", "critical"} {
		must(s.d.ledger.append(t.Context(), "preview", journal.Record{Alert: &journal.Alert{ID: string(rune('a' + i)), Fingerprint: "preview/drift/x",
			Status: "firing", Severity: severity, Receivers: []string{"default"}, At: s.now()}}))
	}
	must(s.d.ledger.append(t.Context(), "preview", journal.Record{Alert: &journal.Alert{ID: "over", Fingerprint: "preview/drift/x",
		Status: "resolved", Severity: "critical", Receivers: []string{"default"}, At: s.now()}}))
	for _, item := range (outboxQueue{s.d}).Pending() {
		want := 0
		if item.Event.Status == notify.Resolved {
			want = 2
		}
		if len(item.Event.Severities) != want {
			t.Errorf("%s: %v", item.Event.ID, item.Event.Severities)
		}
	}
}

// The last of a kind that is over says so, to the receiver that knew the others.
func TestTheLastOfAKindSaysSo(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	alert := func(id, fp, status string, to ...string) {
		must(s.d.ledger.append(t.Context(), "preview", journal.Record{Alert: &journal.Alert{ID: id, Fingerprint: fp, Status: status, Kind: "drift", Severity: "high", Receivers: to, At: s.now()}}))
	}
	alert("1", "preview/drift/a", "firing", "default", "oncall")
	alert("2", "preview/drift/b", "firing", "default")
	alert("3", "other/drift/c", "firing", "oncall")
	alert("4", "preview/drift/a", "resolved", "default", "oncall")
	for _, item := range (outboxQueue{s.d}).Pending() {
		if want := item.Event.ID == "4" && item.Receiver == "oncall"; item.Event.Last != want {
			t.Errorf("%s to %s: last %v", item.Event.ID, item.Receiver, item.Event.Last)
		}
	}
	alert("5", "preview/drift/b", "resolved", "default")
	for _, item := range (outboxQueue{s.d}).Pending() {
		if item.Event.ID == "5" && !item.Event.Last {
			t.Error("nothing fires any more, and the last does not say so")
		}
	}
}
