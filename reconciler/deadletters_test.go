package reconciler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/web"
)

// gone refuses for good what comes to receivers that it names.
type gone struct {
	receiver
	names map[string]bool
}

func (g gone) Notify(ctx context.Context, e notify.Event) error {
	if g.names[g.name] {
		return notify.Permanent(errors.New("answered 404"))
	}
	return g.receiver.Notify(ctx, e)
}

// withRefusers is a settled daemon some of whose receivers are gone.
func withRefusers(t *testing.T, names map[string]bool) *simulation {
	s := begin(t, memory.Options{}, mutant{notifier: func(n notify.Notifier) notify.Notifier { return gone{n.(receiver), names} }}, "preview")
	settled(t, s)
	return s
}

// post puts an alert on its way, and lets the outbox work until nothing is.
func (s *simulation) post(t *testing.T, id string, receivers ...string) {
	t.Helper()
	must(s.d.ledger.append(t.Context(), "preview", journal.Record{Alert: &journal.Alert{ID: id, Fingerprint: "preview/drift/" + id, Status: "firing",
		Kind: "drift", Severity: "high", Title: "about " + id, Receivers: receivers, At: s.now()}}))
	for range 10 {
		must(s.d.drain(t.Context()))
	}
	if n := len(s.d.ledger.pending()); n != 0 {
		t.Fatalf("%d alerts still wait", n)
	}
}

func (s *simulation) heard(receiver, status string) (n int) {
	for _, e := range s.received[receiver] {
		if e.Kind == faultOutbox && e.Status == status {
			n++
		}
	}
	return n
}

// What a receiver refuses for good stands in the history, is told to another
// one once, and is over when an alert is taken.
func TestADeadLetterIsTold(t *testing.T) {
	names := map[string]bool{"oncall": true}
	s := withRefusers(t, names)
	s.post(t, "x1", "oncall")
	s.post(t, "x2", "oncall")
	for _, environment := range []string{"", "preview"} {
		told := slices.DeleteFunc(s.d.History(environment, 0), func(e web.Event) bool { return !strings.Contains(e.Text, "refused for good by oncall: about x") })
		if len(told) != 2 || told[0].Environment != "preview" || !strings.Contains(told[0].Text, "404") {
			t.Errorf("history of %q: %+v", environment, told)
		}
	}
	if n := len(slices.DeleteFunc(s.d.History("production", 0), func(e web.Event) bool { return !strings.Contains(e.Text, "refused for good") })); n != 0 {
		t.Errorf("another environment's history has %d of them", n)
	}
	if f := s.d.Status().Faults; len(f) != 1 || !strings.Contains(f[0], "oncall") {
		t.Errorf("faults %q", f)
	}
	if f, r := s.heard("default", "firing"), s.heard("default", "resolved"); f != 1 || r != 0 {
		t.Errorf("told %d times, over %d times", f, r)
	}
	delete(names, "oncall")
	s.post(t, "x3", "oncall")
	if f := s.d.Status().Faults; len(f) != 0 || s.heard("default", "resolved") != 1 {
		t.Errorf("it takes alerts again: faults %q, over %d times", f, s.heard("default", "resolved"))
	}
}

// A default receiver that is gone is told of by all others, and where every
// receiver is gone nobody is told without end.
func TestADeadLetterIsNoLoop(t *testing.T) {
	names := map[string]bool{"default": true}
	s := withRefusers(t, names)
	s.post(t, "x1", "default")
	if n := s.heard("oncall", "firing"); n != 1 {
		t.Errorf("oncall was told %d times", n)
	}
	names["oncall"] = true
	before := len(s.d.ledger.deadLetters())
	s.post(t, "x2", "oncall", "default")
	if n := len(s.d.ledger.deadLetters()) - before; n != 2 || len(s.d.Status().Faults) != 2 {
		t.Errorf("%d dead letters, faults %q", n, s.d.Status().Faults)
	}
	delete(names, "oncall")
	if err := s.d.TestReceiver(t.Context(), "oncall", access.Stated("ann")); err != nil {
		t.Fatal(err)
	}
	if f := s.d.Status().Faults; len(f) != 1 || !strings.Contains(f[0], "default") {
		t.Errorf("after a test that was taken: faults %q", f)
	}
}

// A receiver that the pipeline no longer has is nobody's fault.
func TestARefuserThatIsGoneIsForgotten(t *testing.T) {
	s := withRefusers(t, map[string]bool{"oncall": true})
	s.post(t, "x1", "oncall")
	files := controlFiles("allow", s.names...)
	files["mooring.yaml"] = files["mooring.yaml"][:strings.Index(files["mooring.yaml"], "    oncall:")]
	s.repo.commit("main", files)
	s.run(time.Minute)
	s.d.countOutbox()
	if f := s.d.Status().Faults; len(f) != 0 {
		t.Errorf("faults %q", f)
	}
}
