package reconciler

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
)

// A test of a receiver reaches it at once and is no alert; whoever may not
// operate sends none.
func TestReceiverIsTested(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	if err := s.d.TestReceiver(t.Context(), "default", access.Stated("ann")); err != nil {
		t.Fatal(err)
	}
	got := s.received["default"]
	if n := len(got); n == 0 || got[n-1].Kind != "test" || !strings.Contains(got[n-1].Text, "ann") {
		t.Errorf("received %+v", got)
	}
	if n := len(s.d.ledger.pending()); n != 0 {
		t.Errorf("%d alerts wait", n)
	}
	if err := s.d.TestReceiver(t.Context(), "nobody", access.Stated("ann")); !errors.Is(err, ErrUnknown) {
		t.Errorf("nobody: %v", err)
	}
	viewer := access.Person{Name: "eve", Grants: []access.Grant{{Role: access.Viewer}}}
	var refusal *access.Refusal
	if err := s.d.TestReceiver(t.Context(), "default", viewer); !errors.As(err, &refusal) || len(s.received["default"]) != len(got) {
		t.Errorf("a viewer: %v", err)
	}
}

// A message says where to act while there is something to act on.
func TestMessagesLeadToThePage(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	s.d.opts.PageURL = "https://mooring.example/"
	a := journal.Alert{Fingerprint: "preview/drift/item-1", Status: "firing", Kind: "drift", Labels: map[string]string{"item": "item-1"}, Facts: []journal.Fact{{Name: "who", Value: "bob"}}}
	e := s.d.message(a, time.Time{})
	if e.Link != "https://mooring.example/environments/preview" || len(e.Actions) != 2 || e.Actions[0].Link != e.Link+"?item=item-1#item-1" || e.Actions[1].Link != e.Link+"?at=hold#hold" || len(e.Facts) != 1 {
		t.Errorf("%+v", e)
	}
	a.Labels["response"] = "hold"
	if e := s.d.message(a, time.Time{}); len(e.Actions) != 2 || e.Actions[0].Link != e.Link+"?item=item-1#item-1" || e.Actions[1].Name != "resume" || e.Actions[1].Link != e.Link+"?at=holds#holds" {
		t.Errorf("a difference that is held: %+v", e.Actions)
	}
	held := s.d.message(journal.Alert{Fingerprint: "preview/hold/h1", Status: "firing", Kind: "hold"}, time.Time{})
	if len(held.Actions) != 1 || held.Actions[0].Link != e.Link+"?at=holds#holds" {
		t.Errorf("a hold: %+v", held)
	}
	// The page has what the links name.
	page, err := os.ReadFile("web/environment.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{`id="hold"`, `id="holds"`, `id="{{.ID}}"`} {
		if !strings.Contains(string(page), id) {
			t.Errorf("the view of an environment has no %s", id)
		}
	}
	a.Status = "resolved"
	if e := s.d.message(a, time.Time{}); len(e.Actions) != 0 || e.Link == "" {
		t.Errorf("over, and there is still something to do: %+v", e)
	}
	s.d.opts.PageURL = ""
	if e := s.d.message(a, time.Time{}); e.Link != "" {
		t.Errorf("a link to nowhere: %+v", e)
	}
}
