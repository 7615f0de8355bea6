package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"mooring.dev/reconciler/web"
	"mooring.dev/reconciler/web/browsertest"
)

// painted is a view as a real browser met it: milliseconds from when it was asked
// for, and what it is made of.
type painted struct {
	Answered, Drawn float64 // its last byte, and the first thing seen
	Bytes, Nodes    int
}

// paintedNow is what the browser knows of the view that it shows.
const paintedNow = `(() => {
	const of = performance.getEntriesByType("navigation")[0], drawn = performance.getEntriesByName("first-contentful-paint")[0];
	return {Answered: of.responseEnd, Drawn: drawn ? drawn.startTime : -1, Bytes: of.decodedBodySize, Nodes: document.querySelectorAll("*").length};
})()`

// unseenBeyond is how many changes policy is shown: a release of more waits for
// a person.
const unseenBeyond = 5000

// letIn says yes to what waits.
func (s *killStage) letIn(t *testing.T) {
	t.Helper()
	s.until("held for a person", func(e web.EnvironmentStatus) bool { return e.State == "held" })
	resp, err := http.Post("http://"+s.listen+"/api/v1/environments/preview/approvals", "application/json", strings.NewReader(`{"answer": "approve", "reason": "load"}`))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("approve: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

// mostNodes is how large a view may be, however many resources there are.
const mostNodes = 4000

// paints opens each view in a real browser, and gives a line of each.
func (s *killStage) paints(t *testing.T) []string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("the page is looked at by chromium, which is not on this machine (Debian: apt-get install chromium): %v", err)
	}
	tab := browsertest.Start(t, path).Open("http://" + s.listen + "/")
	lines := []string{"| opened | answered | first drawn | bytes | nodes |", "|---|---|---|---|---|"}
	for _, view := range []string{"/", "/environments/preview", "/environments/preview?q=q0000", "/environments/preview?state=missing", "/environments/preview/resources/Queue/q00000", "/decisions"} {
		tab.Goto("http://" + s.listen + view)
		tab.Await(`document.readyState == "complete" && performance.getEntriesByName("first-contentful-paint").length > 0`)
		var p painted
		if err := tab.Eval(paintedNow, &p); err != nil {
			t.Fatal(err)
		}
		if p.Nodes > mostNodes {
			t.Errorf("%s has %d elements", view, p.Nodes)
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %.0f ms | %.0f ms | %d | %d |", view, p.Answered, p.Drawn, p.Bytes, p.Nodes))
	}
	return lines
}
