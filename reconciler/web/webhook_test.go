package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const hookSecret = "correct horse"

// hearing is a daemon that takes webhooks of every host.
type hearing struct {
	mu    sync.Mutex
	hints []Hint
	hook  func(host string) (Webhook, bool, error)
	cares func(Hint) bool
}

func (h *hearing) Webhook(host string) (Webhook, bool, error) {
	if h.hook != nil {
		return h.hook(host)
	}
	w := Webhook{Secret: hookSecret}
	if host != "generic" {
		w.Repository = "acme/shop"
	}
	return w, true, nil
}

func (h *hearing) Hint(hint Hint) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hints = append(h.hints, hint)
	return h.cares == nil || h.cares(hint)
}

func (h *hearing) heard() []Hint {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.hints)
}

func listening(t *testing.T, h *hearing) http.Handler {
	t.Helper()
	return serve(t, &fake{}, func(o *Options) { o.Webhooks = h })
}

func mac(body, secret string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

// proof is the header by which a host proves a body.
func proof(host, body, secret string) (name, value string) {
	d := dialects[host]
	if d.plain {
		return d.signature[0], secret
	}
	return d.signature[0], d.prefix + mac(body, secret)
}

// send is a webhook as a host sends it.
func send(h http.Handler, host, event, delivery, body string) *httptest.ResponseRecorder {
	d := dialects[host]
	name, value := proof(host, body, hookSecret)
	return ask(h, "POST", "/webhooks/"+host, body, name, value, d.event, event, d.delivery[0], delivery)
}

const sha = "89e6c98d92887913cadf06b2adb97f26cde4849b"

// What each host sends when somebody pushes to env/preview, in the form its
// documentation shows, and when a review is given.
var pushes = map[string]struct{ push, body, review, reviewBody string }{
	"github": {"push", `{"ref":"refs/heads/env/preview","before":"0","after":"` + sha + `","repository":{"full_name":"acme/shop"}}`,
		"pull_request_review", `{"action":"submitted","review":{"state":"approved"},"repository":{"full_name":"acme/shop"}}`},
	"gitlab": {"Push Hook", `{"object_kind":"push","ref":"refs/heads/env/preview","after":"` + sha + `","project":{"path_with_namespace":"acme/shop"}}`,
		"Merge Request Hook", `{"object_kind":"merge_request","project":{"path_with_namespace":"acme/shop"},"object_attributes":{"action":"approved"}}`},
	"gitea": {"push", `{"ref":"refs/heads/env/preview","after":"` + sha + `","repository":{"full_name":"Acme/shop"}}`,
		"pull_request_review_approved", `{"action":"reviewed","repository":{"full_name":"acme/shop"}}`},
	"bitbucket": {"repo:push", `{"repository":{"full_name":"acme/shop"},"push":{"changes":[{"new":{"type":"branch","name":"env/preview","target":{"hash":"` + sha + `"}},"old":null},{"new":{"type":"tag","name":"v1"}}]}}`,
		"pullrequest:approved", `{"repository":{"full_name":"acme/shop"},"pullrequest":{"id":1}}`},
	"generic": {"", `{"ref":"refs/heads/env/preview","after":"` + sha + `"}`, "", `{}`},
}

func TestWebhooksOfEachHostAreHints(t *testing.T) {
	for host, p := range pushes {
		f := &hearing{}
		h := listening(t, f)
		for i, r := range []*httptest.ResponseRecorder{send(h, host, p.push, "1", p.body), send(h, host, p.review, "2", p.reviewBody)} {
			if r.Code != http.StatusAccepted {
				t.Errorf("%s, request %d: %d %s", host, i, r.Code, r.Body)
			}
		}
		got := f.heard()
		if len(got) != 2 || got[0].Host != host || !maps.Equal(got[0].Pushed, map[string]string{"env/preview": sha}) || got[0].Reviewed || got[0].Anything {
			t.Errorf("%s: a push is %+v", host, got)
			continue
		}
		if len(got[1].Pushed) != 0 || got[1].Reviewed != (host != "generic") || got[1].Anything != (host == "generic") {
			t.Errorf("%s: a review is %+v", host, got[1])
		}
	}
}

func TestWebhooksOfBitbucketDataCenter(t *testing.T) {
	f := &hearing{}
	h := listening(t, f)
	send(h, "bitbucket", "repo:refs_changed", "1", `{"eventKey":"repo:refs_changed","repository":{"slug":"shop","project":{"key":"ACME"}},"changes":[{"ref":{"id":"refs/heads/main"},"toHash":"`+sha+`","type":"UPDATE"},{"ref":{"id":"refs/heads/old"},"toHash":"`+strings.Repeat("0", 40)+`","type":"DELETE"}]}`)
	send(h, "bitbucket", "pr:reviewer:approved", "2", `{"pullRequest":{"toRef":{"repository":{"slug":"shop","project":{"key":"ACME"}}}}}`)
	send(h, "bitbucket", "pr:reviewer:approved", "3", `{"pullRequest":{"toRef":{"repository":{"slug":"other","project":{"key":"ACME"}}}}}`)
	got := f.heard()
	if len(got) != 2 || !maps.Equal(got[0].Pushed, map[string]string{"main": sha, "old": ""}) || !got[1].Reviewed {
		t.Errorf("heard %+v", got)
	}
}

// Lesson 17: missing, short, wrong and of another algorithm: 401, counted, and
// nothing of the body is looked at.
func TestLesson17UnprovedWebhooksAreNotRead(t *testing.T) {
	for host, p := range pushes {
		f := &hearing{}
		h := listening(t, f)
		name, right := proof(host, p.body, hookSecret)
		_, wrong := proof(host, p.body, "another secret")
		other := hmac.New(sha512.New, []byte(hookSecret))
		other.Write([]byte(p.body))
		tries := map[string]string{"missing": "", "short": right[:len(right)-1], "wrong": wrong, "long": right + "0", "junk": "zz", "another algorithm": "sha512=" + hex.EncodeToString(other.Sum(nil))}
		for what, value := range tries {
			if r := ask(h, "POST", "/webhooks/"+host, p.body, name, value); r.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d", host, what, r.Code)
			}
			// Not parsed: the same answer to what no parser takes.
			if r := ask(h, "POST", "/webhooks/"+host, "{", name, value); r.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s, and no JSON: %d", host, what, r.Code)
			}
		}
		if len(f.heard()) != 0 {
			t.Errorf("%s: heard %+v", host, f.heard())
		}
		body := ask(h, "GET", "/metrics", "").Body.String()
		if want := fmt.Sprintf(`mooring_webhook_requests_total{code="401",host="%s"} %d`, host, 2*len(tries)); !strings.Contains(body, want) {
			t.Errorf("%s: not counted: want %s", host, want)
		}
	}
}

// Whoever has no plain token costs not even the reading of a body.
func TestAWrongTokenIsRefusedBeforeTheBody(t *testing.T) {
	h := listening(t, &hearing{})
	r := httptest.NewRequest("POST", "/webhooks/gitlab", unread{t})
	r.Header.Set("X-Gitlab-Token", "guess")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d", w.Code)
	}
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// Lesson 18: no body is too large or too slow for the daemon.
func TestLesson18LargeAndSlowWebhooks(t *testing.T) {
	f := &hearing{}
	h := listening(t, f)
	large := `{"ref":"` + strings.Repeat("x", maxHook) + `"}`
	if r := send(h, "generic", "", "1", large); r.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("large: %d", r.Code)
	}
	if r := send(h, "generic", "", "2", large[:maxHook-2]+`"}`); r.Code != http.StatusAccepted {
		t.Errorf("just not too large: %d", r.Code)
	}
	hooks := newHooks(Options{Webhooks: f, Metrics: NewMetrics("test"), Now: time.Now})
	hooks.wait = 50 * time.Millisecond
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/{host}", hooks)
	server := httptest.NewServer(mux)
	defer server.Close()
	body, end := io.Pipe() // whose end never comes
	defer end.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL+"/webhooks/generic", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Mooring-Signature", "sha256="+mac("", hookSecret))
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("slow: %d", resp.StatusCode)
	}
}

// At most so many are read at a time, and who sends slowly keeps nobody out: the
// slowest is told to come again.
func TestSlowWebhooksGiveWay(t *testing.T) {
	f := &hearing{}
	hooks := newHooks(Options{Webhooks: f, Metrics: NewMetrics("test"), Now: time.Now})
	began := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/{host}", func(w http.ResponseWriter, r *http.Request) {
		r.Body = begun{r.Body, began}
		hooks.ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	type answer struct{ who, code int }
	answers := make(chan answer, maxHooks)
	for i := range maxHooks { // bodies whose end never comes, by somebody who knows no secret
		body, end := io.Pipe()
		defer end.Close()
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/webhooks/github", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Hub-Signature-256", "sha256=00")
		go func() {
			code := 0
			if resp, err := server.Client().Do(r); err == nil {
				code = resp.StatusCode
				_ = resp.Body.Close()
			}
			answers <- answer{i, code}
		}()
		<-began
	}
	p := pushes["github"]
	for i := range 3 {
		if r := send(mux, "github", p.push, fmt.Sprint(i), fmt.Sprintf("%s%*s", p.body, i, "")); r.Code != http.StatusAccepted {
			t.Errorf("while others are slow: %d %s", r.Code, r.Body)
		}
		<-began
	}
	if got := <-answers; got != (answer{0, http.StatusServiceUnavailable}) {
		t.Errorf("who was slow for longest is %+v", got)
	}
	if n := hooks.room.in.Len(); n != maxHooks-1 || len(answers) != 0 {
		t.Errorf("%d are read, and %d more were broken off", n, len(answers))
	}
	if got := len(f.heard()); got != 3 {
		t.Errorf("heard %d", got)
	}
}

// begun says when a body begins to be read.
type begun struct {
	io.ReadCloser
	said chan struct{}
}

func (b begun) Read(p []byte) (int, error) {
	select {
	case b.said <- struct{}{}:
	default:
	}
	return b.ReadCloser.Read(p)
}

// Lesson 20: a delivery that comes again is heard once, under another id too
// where the body is signed; and what is remembered is bounded.
func TestLesson20ReplayedWebhooks(t *testing.T) {
	for host, p := range pushes {
		f := &hearing{}
		h := listening(t, f)
		for range 1000 {
			if r := send(h, host, p.push, "the-same", p.body); r.Code != http.StatusAccepted {
				t.Fatalf("%s: %d", host, r.Code)
			}
		}
		if n := len(f.heard()); n != 1 {
			t.Errorf("%s: heard %d times", host, n)
		}
		if again := send(h, host, p.push, "another", p.body); !dialects[host].plain && host != "generic" && (again.Code != http.StatusAccepted || len(f.heard()) != 1) {
			t.Errorf("%s: the same body under another id is heard %d times", host, len(f.heard()))
		}
	}
	f := &hearing{}
	hooks := newHooks(Options{Webhooks: f, Metrics: NewMetrics("test"), Now: time.Now})
	for i := range 3 * maxSeen {
		hooks.again("generic", fmt.Sprint(i), nil, true)
	}
	if len(hooks.seen) != maxSeen || hooks.order.Len() != maxSeen {
		t.Errorf("%d remembered", len(hooks.seen))
	}
}

// Lesson 22: what concerns another repository, or no branch of ours, is taken
// and does nothing.
func TestLesson22WebhooksThatConcernNobody(t *testing.T) {
	f := &hearing{cares: func(h Hint) bool { return h.Pushed["env/preview"] != "" }}
	h := listening(t, f)
	for i, c := range []struct{ event, body, says string }{
		{"push", strings.ReplaceAll(pushes["github"].body, "acme/shop", "acme/other"), "another repository"},
		{"push", strings.ReplaceAll(pushes["github"].body, "env/preview", "feature/x"), "no branch"},
		{"push", strings.ReplaceAll(pushes["github"].body, "refs/heads/env/preview", "refs/tags/v1"), "nothing"},
		{"star", pushes["github"].body, "nothing"},
		{"ping", `{"zen":"","repository":{"full_name":"acme/shop"}}`, "nothing"},
	} {
		if r := send(h, "github", c.event, fmt.Sprint(i), c.body); r.Code != http.StatusAccepted || !strings.Contains(r.Body.String(), c.says) {
			t.Errorf("%d: %d %s", i, r.Code, r.Body)
		}
	}
	if n := len(f.heard()); n != 1 {
		t.Errorf("%d hints, want the one about a branch", n)
	}
	if body := ask(h, "GET", "/metrics", "").Body.String(); !strings.Contains(body, `mooring_webhook_requests_total{code="202",host="github"} 5`) {
		t.Error("not counted")
	}
}

// What is not set up is not there, and what cannot be read closes.
func TestWebhooksThatAreNotSetUp(t *testing.T) {
	f := &hearing{hook: func(string) (Webhook, bool, error) { return Webhook{}, false, nil }}
	h := listening(t, f)
	for host, p := range pushes {
		if r := send(h, host, p.push, "1", p.body); r.Code != http.StatusNotFound {
			t.Errorf("%s: %d", host, r.Code)
		}
	}
	if r := ask(h, "POST", "/webhooks/gogs", "{}"); r.Code != http.StatusNotFound {
		t.Errorf("gogs: %d", r.Code)
	}
	if r := ask(h, "GET", "/webhooks/github", ""); r.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.Code)
	}
	f.hook = func(string) (Webhook, bool, error) { return Webhook{}, true, errors.New("file of " + hookSecret) }
	if r := send(h, "github", "push", "1", pushes["github"].body); r.Code != http.StatusServiceUnavailable || strings.Contains(r.Body.String(), hookSecret) {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	f.hook = func(string) (Webhook, bool, error) { return Webhook{}, true, nil } // an empty secret proves nothing
	name, value := proof("github", pushes["github"].body, "")
	if r := ask(h, "POST", "/webhooks/github", pushes["github"].body, name, value); r.Code != http.StatusServiceUnavailable {
		t.Errorf("empty secret: %d", r.Code)
	}
	without := serve(t, &fake{}, nil)
	if r := send(without, "github", "push", "1", pushes["github"].body); r.Code != http.StatusNotFound {
		t.Errorf("no webhooks at all: %d", r.Code)
	}
}

// Lesson 24, of webhooks: a fault ends one request.
func TestLesson24AFaultInAWebhookEndsNothing(t *testing.T) {
	f := &hearing{cares: func(Hint) bool { panic("oh") }}
	told := ""
	h := serve(t, &fake{}, func(o *Options) {
		o.Webhooks, o.Panicked = f, func(_ context.Context, v any, stack []byte) { told += fmt.Sprint(v) + string(stack) }
	})
	if r := send(h, "github", "push", "1", pushes["github"].body); r.Code != http.StatusInternalServerError {
		t.Errorf("%d", r.Code)
	}
	if !strings.HasPrefix(told, "oh") || strings.Count(told, "TestLesson24AFaultInAWebhookEndsNothing") == 0 {
		t.Errorf("told of it: %q", told)
	}
	if body := ask(h, "GET", "/metrics", "").Body.String(); !strings.Contains(body, `mooring_webhook_requests_total{code="500",host="github"} 1`) {
		t.Error("not counted")
	}
}

// GitHub and Gitea can send the document as a field of a form.
func TestWebhooksAsForms(t *testing.T) {
	f := &hearing{}
	h := listening(t, f)
	body := url.Values{"payload": {pushes["github"].body}}.Encode()
	name, value := proof("github", body, hookSecret)
	r := ask(h, "POST", "/webhooks/github", body, name, value, "X-GitHub-Event", "push", "X-GitHub-Delivery", "1", "Content-Type", "application/x-www-form-urlencoded")
	if r.Code != http.StatusAccepted || len(f.heard()) != 1 {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

// Lesson 19: whatever a proved body holds, it makes a bounded hint or an error.
func FuzzLesson19Webhook(f *testing.F) {
	hosts := slices.Sorted(maps.Keys(dialects))
	for i, host := range hosts {
		p := pushes[host]
		f.Add(i, p.push, []byte(p.body))
		f.Add(i, p.review, []byte(p.reviewBody))
		f.Add(i, "pr:x", []byte(`{"push":{"changes":[null,{"new":null,"old":null}]},"changes":[{}],"pullRequest":null}`))
	}
	f.Fuzz(func(t *testing.T, host int, event string, body []byte) {
		d := dialects[hosts[uint(host)%uint(len(hosts))]]
		c, err := d.parse(event, body)
		if err != nil {
			return
		}
		if len(c.Pushed) > maxBranches {
			t.Errorf("%d branches", len(c.Pushed))
		}
		if _, empty := c.Pushed[""]; empty {
			t.Error("a branch without a name")
		}
	})
}
