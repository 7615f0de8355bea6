package web

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Who is woken reads first what is broken, since when, who did it, what Mooring
// does, and what can be done: the worst first.
func TestTroublesAreToldInTheirOrder(t *testing.T) {
	n := badNight(300)
	var got []string
	for _, x := range troubles(n.status.Environments[2], differencesOf(n.drift["production"]), noon) {
		got = append(got, fmt.Sprintf("%s: %s | %s | %s | %s | %s", x.Level, x.What, x.Since.Format("15:04"), x.Who, x.Does, x.Press))
	}
	want := `bad: cannot be worked on: survey of Lambda: ThrottlingException: Rate exceeded (attempt 3, asked again in 40s) | 00:00 |  | tries again by itself | look again
bad: 300 differences on 201 resources: 100 high, 200 medium | 06:54 | assumed-role/Admin/bob 200, somebody unknown 100 | puts back 200, holds 100 | put back or accept
wait: check smoke has not answered: no answer within 10 s | 00:00 |  |  | 
wait: held (manual): incident 4711: payments fail | 11:28 | ann |  | resume
wait: 39 resources are held, as ` + longName + `: payment endpoints are never put back by themselves | 11:00 | policy |  | resume
wait: 300 things cannot be seen | 00:00 |  |  | 
wait: content waits to come in, held: soak of 30m not over, 12m to go | 00:00 |  |  | approve or reject`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("told\n%s\nwant\n%s", text, want)
	}
	if got := troubles(n.status.Environments[0], differencesOf(Drift{}), noon); len(got) != 0 {
		t.Errorf("of what is at rest: %+v", got)
	}
	failing := troubles(n.status.Environments[1], differencesOf(Drift{}), noon)
	if len(failing) == 0 || failing[0].Level != "bad" || !strings.Contains(failing[0].What, "10% of calls, stage 2 of 4, and fails") || noon.Sub(failing[0].Since) != 340*time.Second {
		t.Errorf("of a canary that fails: %+v", failing)
	}
}

// Each difference stands on one page, the worst first, and is found by its id.
func TestDifferencesArePaged(t *testing.T) {
	items := badNight(301).drift["production"].Items
	seen := map[string]int{}
	var before DriftItem
	for page := 1; page <= 16; page++ {
		p := differencesOf(Drift{Items: items}).page(fmt.Sprint(page), "")
		for _, it := range p.Items {
			if seen[it.ID]++; before.Severity == "medium" && it.Severity == "high" {
				t.Errorf("%s comes after what is less", it.ID)
			}
			before = it
			if at := differencesOf(Drift{Items: items}).page("", it.ID); at.Page != page {
				t.Errorf("%s stands on page %d and is looked for on %d", it.ID, page, at.Page)
			}
		}
	}
	if len(seen) != 301 {
		t.Errorf("%d of 301 are shown", len(seen))
	}
	for _, wrong := range []string{"", "0", "-3", "x", "99999999999999999999"} {
		if p := differencesOf(Drift{Items: items}).page(wrong, "gone"); p.Page != 1 {
			t.Errorf("drift=%q shows page %d", wrong, p.Page)
		}
	}
	if p := differencesOf(Drift{Items: nil}).page("7", ""); p.Page != 1 || p.Last != 1 || len(p.Items) != 0 {
		t.Errorf("of none: %+v", p)
	}
	if p := differencesOf(Drift{Items: items}).page("500", ""); p.Page != p.Last {
		t.Errorf("beyond the end: %+v", p)
	}
}

// However large the fleet and its trouble: a view is so many bytes and elements
// at most, and so is the status of the API.
func TestViewsStaySmall(t *testing.T) {
	for _, drifted := range []int{0, 9_000} {
		n := badNight(max(2, drifted))
		n.status.Environments[2].Holds = manyHolds(200)
		h := serve(t, &n.fake, func(o *Options) { o.View, o.Now = n, func() time.Time { return noon } })
		for view, most := range map[string]struct{ kilobytes, elements int }{
			"/": {40, 750}, "/environments/production": {180, 3000}, "/environments/staging": {80, 1500}, "/decisions": {60, 900},
			"/environments/production/resources/" + longName: {60, 900}, "/environments/staging/releases/sha256:8c1f": {40, 900}, "/api/v1/status": {64, 0},
		} {
			w := ask(h, "GET", view, "", "Authorization", "Bearer the-token")
			elements := len(regexp.MustCompile(`<[a-z]`).FindAllString(w.Body.String(), -1))
			t.Logf("%d differ: %s has %d KB, %d elements", drifted, view, w.Body.Len()/1024, elements)
			if w.Code != http.StatusOK || w.Body.Len() > most.kilobytes*1024 || elements > most.elements {
				t.Errorf("%d differ: %s is %d with %d KB and %d elements, want %+v at most", drifted, view, w.Code, w.Body.Len()/1024, elements, most)
			}
		}
	}
}

// A view draws itself anew once where what it shows has changed, and not where
// others have.
func TestAViewIsDrawnForItsOwnChanges(t *testing.T) {
	n := badNight(2)
	tab, base := onStage(t, n)
	tab.Goto(base + "/environments/production")
	tab.Await(`performance.getEntriesByType("resource").filter((e) => e.initiatorType === "fetch" && e.responseEnd > 0).length === 1`) // once the stream is open
	fetched := func() (n int) {
		if err := tab.Eval(`performance.getEntriesByType("resource").filter((e) => e.initiatorType === "fetch").length`, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	state := func(i int, is string) {
		n.change(func() {
			n.status.Environments = append([]EnvironmentStatus(nil), n.status.Environments...)
			n.status.Environments[i].State = is
		})
	}
	if err := tab.Eval(`(() => { window.heard = 0; window.beside = new EventSource("/api/v1/events"); beside.addEventListener("change", () => heard++); })()`, nil); err != nil {
		t.Fatal(err)
	}
	tab.Await("beside.readyState === 1")
	state(0, "drifted")
	tab.Await("heard === 1")
	state(1, "drifted")
	tab.Await("heard === 2") // a second later, when the view has long heard of the first
	if n := fetched(); n != 1 {
		t.Errorf("the view was drawn %d times anew for what changed beside it", n-1)
	}
	state(2, "degraded")
	tab.Await(`document.querySelector("h1 .state").innerText === "degraded"`)
}
