package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

// bearers are a server's: people with tokens of each kind, and an issuer.
type bearers struct {
	*issuing
	good, other, revoked, expired string // personal tokens
}

func newBearers(t *testing.T) *bearers {
	t.Helper()
	b := &bearers{issuing: issues(t)}
	var ts access.Tokens
	make := func(name string, seed string, long time.Duration) (secret string) {
		var err error
		ts, secret, err = ts.Issue(access.Token{Name: name, Grants: []access.Grant{{Role: access.Operator, Environments: []string{"preview"}}}, Created: b.now, Expires: b.now.Add(long)}, []byte(strings.Repeat(seed, 32)))
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	b.good, b.other, b.revoked, b.expired = make("ann", "1", time.Hour), make("bob", "2", time.Hour), make("eve", "3", time.Hour), make("dan", "4", time.Second)
	ts, _ = ts.Revoke("eve", b.now)
	b.now = b.now.Add(time.Minute)
	b.h.(*server).o.Tokens = func() (access.Tokens, error) { return ts, nil }
	return b
}

// asks for an act in preview, or elsewhere, with these lines of a request.
func (b *bearers) asks(environment string, lines http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/api/v1/environments/"+environment+"/sync", strings.NewReader("{}"))
	r.Host, r.RemoteAddr = "127.0.0.1:8420", "127.0.0.1:5000"
	for name, values := range lines {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	return w
}

func authorization(values ...string) http.Header { return http.Header{"Authorization": values} }

// TestLesson78NobodyLearnsWhyATokenIsBad: whatever is wrong with a token, its sender is
// told the same, and the record names no one.
func TestLesson78NobodyLearnsWhyATokenIsBad(t *testing.T) {
	b := newBearers(t)
	jwt := b.signed(t, nil)
	parts := strings.Split(jwt, ".")
	mac := hmac.New(sha256.New, []byte("a shared secret"))
	mac.Write([]byte(encoded(`{"alg":"HS256"}`) + "." + parts[1]))
	session := ask(b.h, "GET", "/login?token="+b.good, "").Result().Cookies()[0]
	first := ""
	for name, lines := range map[string]http.Header{
		"none":                       nil,
		"an empty one":               authorization("Bearer "),
		"no scheme":                  authorization(b.good),
		"another scheme":             authorization("Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+b.good))),
		"a wrong one":                authorization("Bearer mooring_" + strings.Repeat("0", 64)),
		"its form alone":             authorization("Bearer mooring_"),
		"a letter less":              authorization("Bearer " + b.good[:len(b.good)-1]),
		"a letter more":              authorization("Bearer " + b.good + "0"),
		"in capitals":                authorization("Bearer " + strings.ToUpper(b.good)),
		"two spaces":                 authorization("Bearer  " + b.good),
		"revoked":                    authorization("Bearer " + b.revoked),
		"run out":                    authorization("Bearer " + b.expired),
		"a letter less of our own":   authorization("Bearer the-toke"),
		"two, the first good":        authorization("Bearer "+b.good, "Bearer x"),
		"two, the last good":         authorization("Bearer x", "Bearer "+b.good),
		"two, both good":             authorization("Bearer "+b.good, "Bearer "+b.other),
		"a bad one beside a session": {"Authorization": {"Bearer " + b.revoked}, "Cookie": {session.Name + "=" + session.Value}},
		"a token as a session":       {"Cookie": {session.Name + "=" + b.good}},
		"a session of nobody":        {"Cookie": {session.Name + "=" + strings.Repeat("A", 52)}},
		"signed: no algorithm":       authorization("Bearer " + encoded(`{"alg":"none"}`) + "." + parts[1] + "."),
		"signed: a shared secret":    authorization("Bearer " + encoded(`{"alg":"HS256"}`) + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))),
		"signed: for another":        authorization("Bearer " + b.signed(t, map[string]any{"aud": "another"})),
		"signed: by another":         authorization("Bearer " + b.signed(t, map[string]any{"iss": "https://issuer.example"})),
		"signed: run out":            authorization("Bearer " + b.signed(t, map[string]any{"exp": b.now.Add(-time.Second).Unix()})),
		"signed: not begun":          authorization("Bearer " + b.signed(t, map[string]any{"nbf": b.now.Add(time.Hour).Unix()})),
		"signed: an unknown key":     authorization("Bearer " + oidctest.SignIDToken(b.key, "two", oidc.RS256, b.claims(t, nil))),
		"signed: oversized":          authorization("Bearer " + b.signed(t, map[string]any{"pad": strings.Repeat("x", 20<<10)})),
		"signed: no role":            authorization("Bearer " + b.signed(t, map[string]any{"ref": "refs/heads/topic"})),
	} {
		b.now, b.book.kept = b.now.Add(time.Second), nil
		w := b.asks("preview", lines)
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: %d", name, w.Code)
		}
		told := strings.Replace(w.Body.String(), w.Header().Get(requestID), "", 1) // each request's own
		if first == "" {
			first = told
		} else if told != first {
			t.Errorf("%s: told %q, others %q", name, told, first)
		}
		if len(b.book.kept) != 1 || b.book.kept[0].Code != auditUnknown || b.book.kept[0].Who != "" || b.book.kept[0].Act != "sync" {
			t.Errorf("%s: recorded %+v", name, b.book.kept)
		}
	}
	if len(b.fake.asked) != 0 {
		t.Errorf("done: %v", b.fake.asked)
	}
}

// TestLesson78WhoIsKnownMayNoMoreThanTheirRole: and is told so, by whatever they are
// known; a bearer counts before a session.
func TestLesson78WhoIsKnownMayNoMoreThanTheirRole(t *testing.T) {
	b := newBearers(t)
	session := ask(b.h, "GET", "/login?token="+b.other, "").Result().Cookies()[0]
	by := http.Header{"Cookie": {session.Name + "=" + session.Value}}
	both := by.Clone()
	both.Set("Authorization", "Bearer "+b.good)
	for name, c := range map[string]struct {
		lines       http.Header
		environment string
		code        int
		who         string
	}{
		"a token":                        {authorization("Bearer " + b.good), "preview", 200, "ann"},
		"a scheme in small letters":      {authorization("bearer " + b.good), "preview", 200, "ann"},
		"a signed one":                   {authorization("Bearer " + b.signed(t, nil)), "preview", 200, "repo:shop/checkout"},
		"a session":                      {by, "preview", 200, "bob"},
		"a token beside another session": {both, "preview", 200, "ann"},
		"another environment":            {authorization("Bearer " + b.good), "production", 403, "ann"},
		"a signed one elsewhere":         {authorization("Bearer " + b.signed(t, nil)), "production", 403, "repo:shop/checkout"},
		"a session elsewhere":            {by, "production", 403, "bob"},
	} {
		b.book.kept = nil
		if w := b.asks(c.environment, c.lines); w.Code != c.code || len(b.book.kept) != 1 || b.book.kept[0].Who != c.who {
			t.Errorf("%s: %d, recorded %+v", name, w.Code, b.book.kept)
		}
	}
}

// A stated name is one that is seen as it is, or none.
func TestStatedNamesAreSeen(t *testing.T) {
	book := &shelf{}
	h := serve(t, &fake{}, func(o *Options) { o.Audit = book })
	for name, want := range map[string]string{"Ann O'Neil": "Ann O'Neil", "Åsa": "Åsa", "a\u202enna": "token", "ann\u200b": "token", "a\xffn": "token", "a\tb": "token", strings.Repeat("a", 65): "token"} {
		ask(h, "POST", "/api/v1/environments/preview/sync", "{}", "Authorization", "Bearer the-token", "Mooring-User", name)
		if got := book.kept[len(book.kept)-1].Who; got != "local:"+want+" (unverified)" {
			t.Errorf("%q is shown as %q", name, got)
		}
	}
}

// A proxy on this machine does not let in whoever asks it, where everybody on this
// machine is let in; and no header makes somebody be here.
func TestProxiesAreNotThisMachine(t *testing.T) {
	h := serve(t, &fake{}, func(o *Options) { o.InsecureLoopback = true })
	for _, headers := range [][]string{{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=127.0.0.1"}, {"X-Real-IP", "127.0.0.1"}, {"Via", "1.1 proxy"}, {"X-Forwarded-Host", "localhost"},
		{"Host", "evil.example"}, {"Host", "127.0.0.1.evil.example:8420"}, {"Host", "localhost.evil.example"}, {"Host", "[::]:8420"}, {"Host", "0.0.0.0:8420"}, {"Host", "192.0.2.1:8420"}, {"Host", ""}} {
		if w := ask(h, "GET", "/api/v1/status", "", headers...); w.Code != http.StatusUnauthorized {
			t.Errorf("%v: %d", headers, w.Code)
		}
	}
	beyond := serve(t, &fake{}, func(o *Options) { o.Loopback = false })
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		if w := ask(beyond, "GET", "/metrics", "", name, "127.0.0.1"); w.Code != http.StatusUnauthorized {
			t.Errorf("metrics with %s: %d", name, w.Code)
		}
	}
	book := &shelf{}
	ask(serve(t, &fake{}, func(o *Options) { o.Audit = book }), "GET", "/api/v1/status", "", "X-Forwarded-For", "192.0.2.1")
	if i := slices.IndexFunc(book.kept, func(a record.Audit) bool { return a.From != "127.0.0.1" }); len(book.kept) != 1 || i >= 0 {
		t.Errorf("%+v", book.kept)
	}
}
