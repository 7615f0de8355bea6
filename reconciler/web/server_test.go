package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// fake is a daemon that remembers who asked for what.
type fake struct {
	status Status
	ready  error
	asked  []string
	panics bool
	query  journal.DecisionQuery

	rollouts RolloutQuery
	news     []Event
}

func (f *fake) Status() Status {
	if f.panics {
		panic("a defect")
	}
	return f.status
}
func (f *fake) History(string, int) []Event {
	if f.news != nil {
		return slices.Clone(f.news)
	}
	return []Event{{Environment: "preview", Kind: "step", Text: "<script>"}, {Environment: "production", Kind: "step", Text: "of production"}}
}
func (f *fake) Plan(_ context.Context, name string) (Plan, error) {
	if name == "nowhere" {
		return Plan{}, errors.New("unknown environment")
	}
	return Plan{Environment: name, Outcome: "in_sync"}, nil
}
func (f *fake) Drift(_ context.Context, name string) (Drift, error) {
	return Drift{Environment: name}, nil
}
func (f *fake) Input(_ context.Context, name string, q InputQuery) (json.RawMessage, error) {
	return json.RawMessage(`{"environment":"` + name + `","point":"` + q.Point + `","commit":"` + q.Commit + `"}`), nil
}
func (f *fake) Decisions(_ context.Context, q journal.DecisionQuery) (DecisionPage, error) {
	f.query = q
	return DecisionPage{Decisions: []RecordedDecision{{Seq: 7, Environment: "preview", Line: "{}"}, {Seq: 9, Environment: "production", Line: "{}"}}, Next: 9}, nil
}
func (f *fake) Rollouts(_ context.Context, q RolloutQuery) ([]Rollout, error) {
	f.rollouts = q
	return []Rollout{{Environment: q.Environment, ID: 3, Outcome: "in_force"}}, nil
}
func (f *fake) Ready() error { return f.ready }
func (f *fake) Hold(_ context.Context, h HoldRequest) (record.Hold, error) {
	f.asked = append(f.asked, "hold "+h.Environment+" by "+h.By.Name)
	return record.Hold{ID: "hold-1", Owner: h.By.Name, Reason: h.Reason}, nil
}
func (f *fake) note(what, name string, by access.Person) error {
	if err := by.Check(access.Operate, name); err != nil && what != "approve" {
		return err
	}
	f.asked = append(f.asked, what+" "+name+" by "+by.Name)
	return nil
}
func (f *fake) Resume(_ context.Context, r ResumeRequest) error {
	return f.note("resume "+r.Hold, r.Environment, r.By)
}
func (f *fake) Rollback(_ context.Context, r RollbackRequest) error {
	return f.note("rollback", r.Environment, r.By)
}
func (f *fake) Promote(_ context.Context, name string, by access.Person) error {
	return f.note("promote", name, by)
}
func (f *fake) Sync(_ context.Context, name string, by access.Person) error {
	return f.note("sync", name, by)
}
func (f *fake) Rollout(_ context.Context, r RolloutRequest) error {
	return f.note(r.Act, r.Environment, r.By)
}
func (f *fake) Answer(_ context.Context, a DriftAnswer) error {
	return f.note("answer "+a.Item, a.Environment, a.By)
}
func (f *fake) Approve(_ context.Context, a ApprovalRequest) (Approval, error) {
	return Approval{Environment: a.Environment, Answer: a.Answer, By: a.By.Name}, f.note(string(a.Answer), a.Environment, a.By)
}

func serve(t *testing.T, f *fake, change func(*Options)) http.Handler {
	t.Helper()
	o := Options{View: f, Control: f, Audit: &shelf{}, Metrics: NewMetrics("test"), Token: "the-token", Loopback: true, Version: "test", Now: time.Now}
	if change != nil {
		change(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8420", "127.0.0.1:5000"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// closedRoutes is every route that must not answer without a token, as the
// server itself registered them. Lesson 23.
func closedRoutes(t *testing.T, h http.Handler) []struct{ method, target string } {
	t.Helper()
	fill := strings.NewReplacer("{$}", "", "{name}", "preview", "{resource...}", "Function/checkout", "{release}", "abc", "{act}", "sync", "{check}", "smoke", "{receiver}", "default", "{commit}", "abc", "{profile}", "goroutine")
	var out []struct{ method, target string }
	for _, pattern := range h.(*server).shut {
		method, path, _ := strings.Cut(pattern, " ")
		out = append(out, struct{ method, target string }{method, fill.Replace(path)})
	}
	if len(out) < 25 {
		t.Fatalf("only %d routes: %v", len(out), out)
	}
	return out
}

func TestLesson23NothingAnswersWithoutAToken(t *testing.T) {
	f := &fake{}
	h := serve(t, f, func(o *Options) { o.View = &shelved{} })
	for _, r := range closedRoutes(t, h) {
		for name, headers := range map[string][]string{
			"none": nil, "wrong": {"Authorization", "Bearer another"}, "empty": {"Authorization", "Bearer "}, "cookie": {"Cookie", cookie + "=the-token"},
		} {
			if w := ask(h, r.method, r.target, "{}", headers...); w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s with %s token: %d, want 401", r.method, r.target, name, w.Code)
			}
		}
	}
	if len(f.asked) != 0 {
		t.Errorf("something was done: %v", f.asked)
	}
	for _, open := range []string{"/healthz", "/readyz", "/metrics"} {
		if w := ask(h, "GET", open, ""); w.Code != http.StatusOK {
			t.Errorf("GET %s: %d, want 200", open, w.Code)
		}
	}
}

func TestTheTokenOpensEverything(t *testing.T) {
	f := &fake{status: Status{Pipeline: "shop", Environments: []EnvironmentStatus{{Name: "preview", State: "in_sync"}}}}
	h := serve(t, f, func(o *Options) {
		o.View = &shelved{fake: *f, resources: []ResourceStatus{{Resource: "Function/checkout"}}}
	})
	for _, r := range closedRoutes(t, h) {
		if r.target == "/api/v1/events" {
			continue // it does not end: TestTheStream…
		}
		w := ask(h, r.method, r.target, "{}", "Authorization", "Bearer the-token")
		if want := http.StatusOK; w.Code != want && (w.Code != http.StatusSeeOther || !strings.Contains(r.target, "/act/")) {
			t.Errorf("%s %s: %d %s", r.method, r.target, w.Code, w.Body)
		} else if want == w.Code && w.Body.Len() == 0 {
			t.Errorf("%s %s: an empty answer", r.method, r.target)
		}
	}
	if len(f.asked) < 12 {
		t.Errorf("want twelve acts, got %v", f.asked)
	}
	for _, a := range f.asked {
		if !strings.HasSuffix(a, "(unverified)") {
			t.Errorf("%q claims a verified identity", a)
		}
	}
}

// TestHTTPSStaysHTTPS: where people come by https, the session is kept from
// plain http.
func TestHTTPSStaysHTTPS(t *testing.T) {
	for _, https := range []bool{false, true} {
		w := ask(serve(t, &fake{}, func(o *Options) { o.HTTPS = https }), "GET", "/login?token=the-token", "")
		if c := w.Result().Cookies(); len(c) != 1 || c[0].Secure != https || (w.Header().Get("Strict-Transport-Security") != "") != https {
			t.Errorf("https %v: %v, %v", https, c, w.Header())
		}
	}
}

func TestABrowserGetsInByItsCookie(t *testing.T) {
	h := serve(t, &fake{}, nil)
	if w := ask(h, "GET", "/login?token=wrong", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("wrong token: %d", w.Code)
	}
	w := ask(h, "GET", "/login?token=the-token", "")
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || strings.Contains(cookies[0].Value, "the-token") {
		t.Fatalf("cookies: %v", cookies)
	}
	if w := ask(h, "GET", "/", "", "Cookie", cookie+"="+cookies[0].Value); w.Code != http.StatusOK {
		t.Errorf("with the cookie: %d", w.Code)
	}
	if w := ask(h, "POST", "/api/v1/environments/preview/promote", "{}", "Cookie", cookie+"="+cookies[0].Value, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("another site's request: %d, want 403", w.Code)
	}
}

func TestInsecureLoopbackIsForLoopbackAlone(t *testing.T) {
	h := serve(t, &fake{}, func(o *Options) { o.InsecureLoopback = true })
	if w := ask(h, "GET", "/api/v1/status", ""); w.Code != http.StatusOK {
		t.Errorf("on loopback: %d", w.Code)
	}
	if w := ask(h, "GET", "/api/v1/status", "", "Host", "evil.example:8420"); w.Code != http.StatusUnauthorized {
		t.Errorf("a rebound name: %d, want 401", w.Code)
	}
	if _, err := New(Options{View: &fake{}, Control: &fake{}, Audit: &shelf{}, Metrics: NewMetrics("x"), Token: "t", Now: time.Now, InsecureLoopback: true}); err == nil {
		t.Error("insecure beyond loopback was accepted")
	}
}

func TestMetricsAreClosedToOtherMachines(t *testing.T) {
	beyond := func(o *Options) { o.Loopback = false }
	if w := ask(serve(t, &fake{}, beyond), "GET", "/metrics", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("%d, want 401", w.Code)
	}
	for _, from := range [][]string{{"Host", "evil.example"}, {"X-Forwarded-For", "203.0.113.7"}} {
		if w := ask(serve(t, &fake{}, nil), "GET", "/metrics", "", from...); w.Code != http.StatusUnauthorized {
			t.Errorf("on this machine with %v: %d, want 401", from, w.Code)
		}
		if w := ask(serve(t, &fake{}, nil), "GET", "/metrics", "", append(from, "Authorization", "Bearer the-token")...); w.Code != http.StatusOK {
			t.Errorf("with %v and a token: %d", from, w.Code)
		}
	}
	opened := func(o *Options) { o.Loopback, o.OpenMetrics = false, true }
	if w := ask(serve(t, &fake{}, opened), "GET", "/metrics", ""); w.Code != http.StatusOK {
		t.Errorf("with --open-metrics: %d", w.Code)
	}
}

func TestLesson24AFaultInAHandlerEndsNothing(t *testing.T) {
	told, request := "", ""
	h := serve(t, &fake{panics: true}, func(o *Options) {
		o.Panicked = func(ctx context.Context, v any, stack []byte) {
			told, request = fmt.Sprint(v)+string(stack), RequestOf(ctx)
		}
	})
	w := ask(h, "GET", "/api/v1/status", "", "Authorization", "Bearer the-token")
	if !strings.Contains(told, "(*fake).Status") || request == "" || request != w.Header().Get(requestID) {
		t.Errorf("told of request %q: %s", request, told)
	}
	if w.Code != http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLesson80ThePageEscapesAndSaysNothingForeignMayRun(t *testing.T) {
	f := &fake{status: Status{Pipeline: "<img src=x>", Environments: []EnvironmentStatus{{Name: "preview", Reason: "<script>alert(1)</script>"}}}}
	w := ask(serve(t, f, nil), "GET", "/", "", "Authorization", "Bearer the-token")
	if body := w.Body.String(); strings.Contains(body, "<script>") || strings.Contains(body, "<img src=x>") {
		t.Error("something was not escaped")
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy: %s", csp)
	}
}

func TestBadRequestsSayWhatIsWrong(t *testing.T) {
	h := serve(t, &fake{}, nil)
	for target, body := range map[string]string{
		"/api/v1/environments/preview/resume": `{"hold": 1}`, "/api/v1/environments/preview/rollback": `{"reasn": "typo"}`,
		"/api/v1/environments/preview/holds": `not json`,
	} {
		w := ask(h, "POST", target, body, "Authorization", "Bearer the-token")
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "error") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := ask(h, "GET", "/api/v1/history?limit=many", "", "Authorization", "Bearer the-token"); w.Code != http.StatusBadRequest {
		t.Errorf("limit: %d", w.Code)
	}
	if w := ask(h, "POST", "/api/v1/environments/preview/holds", strings.Repeat("x", maxBody+2), "Authorization", "Bearer the-token"); w.Code < 400 {
		t.Errorf("a body over the limit: %d", w.Code)
	}
}

func TestNotReadyUntilEverythingWasLookedAt(t *testing.T) {
	w := ask(serve(t, &fake{ready: errors.New("environment preview was not looked at yet")}, nil), "GET", "/readyz", "")
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusServiceUnavailable || !strings.Contains(string(text), "preview") {
		t.Errorf("%d %s %v", w.Code, text, err)
	}
}

// TestMetricNames holds the names against the interface document.
func TestMetricNames(t *testing.T) {
	m := NewMetrics("test")
	m.Pass("e", "in_sync", 0.1)
	m.Resources("e", nil)
	m.DriftItems("e", nil)
	m.DriftReverted("e")
	m.ObservationAge("e", "bulk", 1)
	m.RolloutWeights("e", map[string]float64{"f": 10})
	m.Rollout("released")
	m.Promotion("a", "b", "moved")
	m.Decision("admission", "allow", 0.01)
	m.Bundle("rev")
	m.Fetch("ok", 0)
	m.CloudCall("Lambda", "GetFunction", "")
	m.Quota("lane", 0.2)
	m.Outbox(1, 2)
	m.Holds("e", 1)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, name := range []string{
		"mooring_passes_total{", "mooring_pass_seconds", "mooring_resources{", "mooring_drift_items{", "mooring_drift_reverted_total",
		"mooring_observation_oldest_seconds{", "mooring_rollout_weight{", "mooring_rollouts_total{", "mooring_promotions_total{",
		"mooring_policy_decisions_total{", "mooring_policy_eval_seconds", "mooring_policy_bundle_info", "mooring_git_fetch_total{",
		"mooring_source_stale_seconds", "mooring_cloud_calls_total{", "mooring_cloud_quota_used_ratio{", "mooring_outbox_depth",
		"mooring_outbox_oldest_seconds", "mooring_holds", "mooring_leader", "mooring_build_info",
	} {
		if !strings.Contains(w.Body.String(), "\n"+name) {
			t.Errorf("metric %s is missing", name)
		}
	}
}

// people are tokens of single persons, and their secrets.
func people(t *testing.T, now time.Time) (ts access.Tokens, ann string) {
	t.Helper()
	ts, ann, err := ts.Issue(access.Token{Name: "ann", Grants: []access.Grant{{Role: access.Approver, Environments: []string{"preview"}}}, Created: now, Expires: now.Add(time.Hour)},
		[]byte(strings.Repeat("7", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return ts, ann
}

func TestPersonalTokensProveTheirName(t *testing.T) {
	now := time.Now()
	tokens, ann := people(t, now)
	f := &fake{}
	h := serve(t, f, func(o *Options) { o.Tokens = func() (access.Tokens, error) { return tokens, nil } })
	approve := func(headers ...string) int {
		return ask(h, "POST", "/api/v1/environments/preview/approvals", `{"answer":"approve"}`, headers...).Code
	}
	if code := approve("Authorization", "Bearer "+ann, "Mooring-User", "bob"); code != http.StatusOK || f.asked[0] != "approve preview by ann" {
		t.Errorf("%d, asked %v", code, f.asked)
	}
	if w := ask(h, "POST", "/api/v1/environments/preview/rollback", `{"reason":"x"}`, "Authorization", "Bearer "+ann); w.Code != http.StatusForbidden {
		t.Errorf("an approver rolls back: %d", w.Code)
	}
	if w := ask(h, "GET", "/api/v1/environments/production/plan", "", "Authorization", "Bearer "+ann); w.Code != http.StatusForbidden {
		t.Errorf("somebody of preview sees production: %d", w.Code)
	}
	f.status.Environments = []EnvironmentStatus{{Name: "preview"}, {Name: "production"}}
	for _, target := range []string{"/", "/api/v1/status", "/api/v1/history"} {
		w := ask(h, "GET", target, "", "Authorization", "Bearer "+ann)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "production") {
			t.Errorf("%s shows somebody of preview production: %d", target, w.Code)
		}
	}
	if w := ask(h, "GET", "/api/v1/history?environment=production", "", "Authorization", "Bearer "+ann); w.Code != http.StatusForbidden {
		t.Errorf("history of production: %d", w.Code)
	}
	login := ask(h, "GET", "/login?token="+ann, "")
	session := login.Result().Cookies()[0].String()
	if code := approve("Cookie", session); code != http.StatusOK || f.asked[1] != "approve preview by ann" {
		t.Errorf("by session: %d, asked %v", code, f.asked)
	}
	tokens, _ = tokens.Revoke("ann", now)
	for name, headers := range map[string][]string{"token": {"Authorization", "Bearer " + ann}, "session": {"Cookie", session}} {
		if code := approve(headers...); code != http.StatusUnauthorized {
			t.Errorf("revoked, by %s: %d", name, code)
		}
	}
}

// On a loopback that asks nobody, what another daemon of the machine gave out
// shuts nobody out; whoever shows a personal token is taken at their word.
func TestInsecureLoopbackTakesForeignProof(t *testing.T) {
	now := time.Now()
	tokens, ann := people(t, now)
	f := &fake{}
	h := serve(t, f, func(o *Options) {
		o.InsecureLoopback, o.Tokens = true, func() (access.Tokens, error) { return tokens, nil }
	})
	for name, headers := range map[string][]string{"a stale cookie": {"Cookie", cookie + "=.0123"}, "another daemon's token": {"Authorization", "Bearer 0123"}, "nothing": nil} {
		if w := ask(h, "GET", "/api/v1/status", "", headers...); w.Code != http.StatusOK {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := ask(h, "GET", "/api/v1/status", "", "Authorization", "Bearer "+ann+"0"); w.Code != http.StatusUnauthorized {
		t.Errorf("a wrong personal token: %d", w.Code)
	}
	if w := ask(h, "GET", "/api/v1/status", "", "Cookie", cookie+"=.0123", "Host", "rebound.example.com"); w.Code != http.StatusUnauthorized {
		t.Errorf("another name of this machine: %d", w.Code)
	}
}

func TestRolloutsAreAskedFor(t *testing.T) {
	f := &fake{}
	h := serve(t, f, nil)
	got := ask(h, "GET", "/api/v1/environments/production/rollouts?release=3f2a&looks=true&limit=5", "", "Authorization", "Bearer the-token")
	if want := (RolloutQuery{Environment: "production", Release: "3f2a", Looks: true, Limit: 5}); got.Code != 200 || f.rollouts != want {
		t.Errorf("%d %s: asked %+v, want %+v", got.Code, got.Body, f.rollouts, want)
	}
	if got := ask(h, "GET", "/api/v1/environments/production/rollouts?limit=all", "", "Authorization", "Bearer the-token"); got.Code != 400 {
		t.Errorf("limit=all: %d", got.Code)
	}
}
