package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// shelved is a daemon with resources, and news.
type shelved struct {
	fake
	resources []ResourceStatus
	changed   chan chan struct{}
}

func (f *shelved) Resources(string) ([]ResourceStatus, error) { return f.resources, nil }

func (f *shelved) Resource(ctx context.Context, _, name string) (ResourceDetail, error) {
	if name == "Function/slow" {
		<-ctx.Done()
		return ResourceDetail{}, ctx.Err()
	}
	for _, r := range f.resources {
		if r.Resource == name {
			return ResourceDetail{ResourceStatus: r, Origin: "functions/checkout.yaml:3",
				Fields: []ResourceField{{Path: "memorySize", Declared: 256, Applied: 256, Live: 512}, {Path: "timeout", Declared: 5, Applied: 5, Live: 5}}}, nil
		}
	}
	return ResourceDetail{}, errors.New("none of this name")
}

func (f *shelved) Changed() <-chan struct{} {
	c := make(chan struct{})
	f.changed <- c
	return c
}

func shop(n int) *shelved {
	f := &shelved{fake: fake{status: Status{Pipeline: "shop", Environments: []EnvironmentStatus{{Name: "preview", State: "held",
		Holds: []HoldStatus{{ID: "hold_1", Kind: "manual", Owner: "ann", Reason: "incident"}}}}}}, changed: make(chan chan struct{}, 2000)}
	for i := range n {
		f.resources = append(f.resources, ResourceStatus{Resource: fmt.Sprintf("Function/f%05d", i), State: "in_place"})
	}
	return f
}

// A page of 10,000 resources shows a hundred of them and leads to all others,
// each once.
func TestResourcesArePaged(t *testing.T) {
	f := shop(1050)
	f.resources[7].State, f.resources[9].Drift = "differs", 2
	h := serve(t, &f.fake, func(o *Options) { o.View = f })
	next := regexp.MustCompile(`href="(\?[^"]*after=[^"#]*)`)
	seen, target := 0, "/environments/preview"
	for range 20 {
		w := ask(h, "GET", target, "", "Authorization", "Bearer the-token")
		seen += strings.Count(w.Body.String(), `class="is-in_place"`) + strings.Count(w.Body.String(), `class="is-differs"`)
		m := next.FindStringSubmatch(w.Body.String())
		if m == nil {
			break
		}
		target = "/environments/preview" + strings.ReplaceAll(m[1], "&amp;", "&")
	}
	if seen != 1050 {
		t.Errorf("%d of 1050 resources were shown", seen)
	}
	for q, want := range map[string]int{"state=differs": 1, "state=drifted": 1, "q=F0104": 10, "q=nothing": 0} {
		v, _ := url.ParseQuery(q)
		if page := pageOf(f.resources, v, 100); page.Total != want || len(page.Resources) != want {
			t.Errorf("%s: %d, want %d", q, page.Total, want)
		}
	}
}

func TestAResourceStandsSideBySide(t *testing.T) {
	f := shop(1)
	h := serve(t, &f.fake, func(o *Options) { o.View = f })
	body := ask(h, "GET", "/environments/preview/resources/Function/f00000", "", "Authorization", "Bearer the-token").Body.String()
	if !regexp.MustCompile(`(?s)class="differs"><th scope="row">memorySize</th>.*256.*256.*512`).MatchString(body) || strings.Count(body, `class="differs"`) != 1 {
		t.Errorf("the page: %s", body)
	}
	f.resources = append(f.resources, ResourceStatus{Resource: "Parameter//shop/rates"})
	link := regexp.MustCompile(`href="([^"]*rates)"`).FindStringSubmatch(ask(h, "GET", "/environments/preview", "", "Authorization", "Bearer the-token").Body.String())
	if w := ask(h, "GET", link[1], "", "Authorization", "Bearer the-token"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "checkout.yaml:3") {
		t.Errorf("a name with slashes, by %s: %d %s", link[1], w.Code, w.Body)
	}
	body = ask(h, "GET", "/environments/preview/resources/Function/gone", "", "Authorization", "Bearer the-token").Body.String()
	if !strings.Contains(body, "none of this name") {
		t.Errorf("of none: %s", body)
	}
}

// post sends a form as the page does.
func post(h http.Handler, target string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	return ask(h, "POST", target, form.Encode(), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

// What the page's forms ask for is done as the one who sent them, or refused
// with the reason on the page; a form of another site does nothing.
func TestFormsActAsTheirSender(t *testing.T) {
	now := time.Now()
	tokens, ann := people(t, now)
	f := shop(1)
	h := serve(t, &f.fake, func(o *Options) {
		o.View, o.Tokens = f, func() (access.Tokens, error) { return tokens, nil }
	})
	own := []string{"Authorization", "Bearer the-token"}
	for act, c := range map[string]struct {
		form url.Values
		want string // what was asked for; "" for a refusal
	}{
		"hold":     {url.Values{"reason": {"looking"}, "for": {"4h"}}, "hold preview by "},
		"resume":   {url.Values{"hold": {"hold_1"}}, "resume hold_1 preview by "},
		"rollback": {url.Values{"reason": {"orders fail"}}, "rollback preview by "},
		"drift":    {url.Values{"item": {"i1"}, "do": {"revert"}, "reason": {"no incident"}}, "answer i1 preview by "},
		"promote":  {url.Values{"reason": {"tested"}}, "promote preview by "},
		"sync":     {url.Values{"reason": {"tested"}}, "sync preview by "},
		"rollout":  {url.Values{"do": {"abort"}, "reason": {"orders fail"}}, "abort preview by "},
		"approval": {url.Values{"do": {"approve"}}, "approve preview by "},
	} {
		f.asked = nil
		w := post(h, "/environments/preview/act/"+act, c.form, own...)
		if w.Code != http.StatusSeeOther || len(f.asked) != 1 || !strings.HasPrefix(f.asked[0], c.want) || !strings.Contains(w.Header().Get("Location"), "done="+act) {
			t.Errorf("%s: %d to %s, asked %v", act, w.Code, w.Header().Get("Location"), f.asked)
		}
	}
	f.asked = nil
	for name, w := range map[string]*httptest.ResponseRecorder{
		"no reason":      post(h, "/environments/preview/act/rollback", nil, own...),
		"none to sync":   post(h, "/environments/preview/act/sync", nil, own...),
		"none to revert": post(h, "/environments/preview/act/drift", url.Values{"item": {"i1"}, "do": {"revert"}}, own...),
		"none to go on":  post(h, "/environments/preview/act/rollout", url.Values{"do": {"resume"}}, own...),
		"no end":         post(h, "/environments/preview/act/hold", url.Values{"reason": {"x"}}, own...),
		"an approver":    post(h, "/environments/preview/act/rollback", url.Values{"reason": {"x"}}, "Authorization", "Bearer "+ann),
		"another's site": post(h, "/environments/preview/act/sync", nil, append(own, "Origin", "https://evil.example")...),
		"an unknown act": post(h, "/environments/preview/act/delete", nil, own...),
	} {
		if len(f.asked) > 0 || w.Code == http.StatusSeeOther && !strings.Contains(w.Header().Get("Location"), "refused=") {
			t.Errorf("%s: %d to %s, asked %v", name, w.Code, w.Header().Get("Location"), f.asked)
		}
	}
	shown := ask(h, "GET", "/environments/preview", "", "Authorization", "Bearer "+ann).Body.String()
	if strings.Contains(shown, "/act/rollback") || !strings.Contains(shown, "/act/approval") {
		t.Errorf("an approver is offered what only operators may, or not what approvers may")
	}
	shown = ask(h, "GET", "/environments/preview?refused=%3Cscript%3E", "", own...).Body.String()
	for _, anchor := range []string{`id="hold"`, `id="holds"`, "&lt;script&gt;"} {
		if !strings.Contains(shown, anchor) {
			t.Errorf("the page lacks %s", anchor)
		}
	}
}

// A thousand listeners are told of one change, and cost nothing meanwhile; a
// stream ends when the daemon does.
func TestTheStreamTellsEverybody(t *testing.T) {
	const many = 1000
	f := shop(1)
	closing := make(chan struct{})
	server := httptest.NewServer(serve(t, &f.fake, func(o *Options) { o.View, o.Closing = f, closing }))
	defer server.Close()
	told := make(chan error, many)
	for range many {
		go func() { told <- listenOnce(server.URL) }()
	}
	var waiting []chan struct{}
	for range many {
		waiting = append(waiting, <-f.changed)
	}
	for _, c := range waiting {
		close(c)
	}
	for range many {
		if err := <-told; err != nil {
			t.Fatal(err)
		}
	}
	close(closing)
}

// listenOnce opens a stream and waits for the first change.
func listenOnce(base string) error {
	req, err := http.NewRequest(http.MethodGet, base+"/api/v1/events", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer the-token")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if lines.Text() == "event: change" {
			return nil
		}
	}
	return fmt.Errorf("the stream ended (%d): %w", resp.StatusCode, lines.Err())
}

func TestARevokedTokenEndsItsStream(t *testing.T) {
	tokens, ann := people(t, time.Now())
	f := shop(1)
	server := httptest.NewServer(serve(t, &f.fake, func(o *Options) {
		o.View, o.Tokens = f, func() (access.Tokens, error) { return tokens, nil }
	}))
	defer server.Close()
	req, _ := http.NewRequest(http.MethodGet, server.URL+"/api/v1/events", nil)
	req.Header.Set("Authorization", "Bearer "+ann)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	change := <-f.changed
	tokens, _ = tokens.Revoke("ann", time.Now())
	close(change)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event:") {
			t.Fatalf("it was told %q", lines.Text())
		}
	}
}

func TestARolloutIsDrawn(t *testing.T) {
	look := func(minute, weight int, verdict string, calls, errors int64) RolloutLook {
		return RolloutLook{At: noon.Add(time.Duration(minute) * time.Minute), RolloutStatus: RolloutStatus{Phase: "shift", Weight: weight, Verdict: verdict,
			Functions: []RolloutFunction{{Canary: CountsStatus{Calls: calls, Errors: errors}, Baseline: CountsStatus{Calls: 1000, Errors: 10}}}}}
	}
	c := chartOf([]RolloutLook{look(0, 0, "", 0, 0), look(5, 10, "", 100, 2), look(10, 100, "pass", 400, 8)})
	if c == nil || c.Weight != "0.0,120.0 0.0,120.0 320.0,120.0 320.0,108.0 640.0,108.0 640.0,0.0" || c.Errors.Canary != "316.0,0.0 320.0,0.0 640.0,0.0" ||
		c.Errors.Baseline != "0.0,60.0 0.0,60.0 320.0,60.0 640.0,60.0" || c.Errors.Top != "2.0%" || len(c.Marks) != 1 || c.Marks[0].X != "640.0" {
		t.Errorf("drawn as %+v", c)
	}
	if chartOf(nil) != nil || chartOf([]RolloutLook{look(1, 1, "", 0, 0), look(1, 1, "", 0, 0)}) != nil {
		t.Error("nothing was drawn as something")
	}
	dots := timelineOf([]Event{{At: noon.Add(-12 * time.Hour), Kind: "drift"}, {At: noon.Add(-25 * time.Hour), Kind: "drift"}, {At: noon, Kind: "step"}}, noon)
	if len(dots) != 1 || dots[0].X != "320" {
		t.Errorf("dots %+v", dots)
	}
}

// Of a decision among others a page shows the first of what was found, and the
// way to all of it.
func TestADecisionIsShownShort(t *testing.T) {
	f := &found{line: `{"decision_id":"d1","path":"policy/admission","result":{"outcome":"hold","findings":[` + strings.TrimSuffix(strings.Repeat(`{"code":"large","msg":"too large"},`, 1000), ",") + `]}}`}
	h := serve(t, &f.fake, func(o *Options) { o.View = f })
	for path, want := range map[string]int{"/decisions": findingsPerDecision, "/decisions?id=d1": 1000} {
		body := ask(h, "GET", path, "", "Authorization", "Bearer the-token").Body.String()
		if n := strings.Count(body, "<p>too large"); n != want || strings.Contains(body, `"?id=d1">and 990 more`) != (want < 1000) {
			t.Errorf("%s shows %d of 1000 findings, want %d", path, n, want)
		}
	}
}

// The newest decisions come first, and a link leads to the earlier ones of the same
// time and the same filter.
func TestTheNewestDecisionsComeFirst(t *testing.T) {
	f := &found{line: `{"decision_id":"d1"}`, next: 7}
	h := serve(t, &f.fake, func(o *Options) { o.View = f })
	body := ask(h, "GET", "/decisions?environment=preview", "", "Authorization", "Bearer the-token").Body.String()
	first := f.asked
	link := regexp.MustCompile(`href="(\?[^"]*)">earlier ones`).FindStringSubmatch(body)
	if link == nil || !first.Newest || first.Before != 0 || first.Since.IsZero() {
		t.Fatalf("asked for %+v, the page has %s", first, body)
	}
	ask(h, "GET", "/decisions"+html.UnescapeString(link[1]), "", "Authorization", "Bearer the-token")
	first.Before, first.Since = 7, first.Since.UTC().Truncate(time.Second)
	if f.asked != first {
		t.Errorf("the link asks for %+v, want %+v", f.asked, first)
	}
}

// found is a shop in which one decision was made.
type found struct {
	fake
	line  string
	next  journal.Seq
	asked journal.DecisionQuery
}

func (f *found) Decisions(_ context.Context, q journal.DecisionQuery) (DecisionPage, error) {
	f.asked = q
	return DecisionPage{Decisions: []RecordedDecision{{Seq: 7, Line: f.line}}, Next: f.next}, nil
}
