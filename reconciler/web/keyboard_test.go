package web

import (
	"slices"
	"testing"
)

// Every view is gone through by the Tab key alone: in the order in which it is
// read, past each control once, always seen, and out again at the end. The
// headings lead through it, too.
func TestEveryViewGoesByKeyboard(t *testing.T) {
	tab, base := onStage(t, badNight(12))
	for name, view := range views {
		tab.Goto(base + view)
		tab.Await(`!document.body.classList.contains("offline")`)
		stops, missed, letGo := tab.Walk(600)
		if !letGo || len(stops) < 5 || len(missed) > 0 {
			t.Errorf("%s: let go of the focus %v after %d stops, and it never came to %q", name, letGo, len(stops), missed)
		}
		for i, s := range stops {
			if !s.Seen {
				t.Errorf("%s: on %q the focus is not seen", name, s.What)
			}
			if i > 0 && s.Place <= stops[i-1].Place {
				t.Errorf("%s: from %q the focus goes back to %q", name, stops[i-1].What, s.What)
			}
		}
		before := 0
		for _, level := range tab.Headings() {
			if level > before+1 || level == 1 && before > 0 {
				t.Errorf("%s: the levels of the headings are %v", name, tab.Headings())
				break
			}
			before = level
		}
	}
}

// The first stop leads past what every view has in common; a form that is opened
// is left by Escape, to where it was opened, and what was typed does not go.
func TestAFormIsLeftByEscape(t *testing.T) {
	tab, base := onStage(t, badNight(2))
	tab.Goto(base + "/environments/production")
	tab.Press("Tab")
	tab.Await(`document.activeElement.matches(".skip") && document.activeElement.getBoundingClientRect().left >= 0`)
	tab.Press("Enter", "Tab")
	tab.Await(`document.querySelector("main").contains(document.activeElement)`)
	tab.TabTo("#hold > summary")
	tab.Press("Enter", "Tab", "Tab")
	tab.Type("looking with bob")
	tab.Press("Escape")
	tab.Await(`!document.querySelector("#hold").open && document.activeElement.matches("#hold > summary")`)
	var live []string
	if err := tab.Eval(`[...document.querySelectorAll("[role=status], [role=alert], [aria-live]")].map((e) => e.getAttribute("aria-live") || e.getAttribute("role"))`, &live); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(live, "assertive") || !slices.Contains(live, "status") {
		t.Errorf("what changes is said as %q", live)
	}
}
