package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/diagnose"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

const (
	foundToken    = "the-token-of-the-state-folder"
	personalToken = "mooring_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	issuedToken   = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2lnbmVk"
)

// stranger listens where a daemon is looked for, answers everything with what
// would please most, and notes all that it is told.
func stranger(t *testing.T, answer http.HandlerFunc) (address string, told *bytes.Buffer) {
	t.Helper()
	told = &bytes.Buffer{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dump, err := httputil.DumpRequest(r, true)
		check(t, err)
		told.Write(dump)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, told
}

// TestAStrangerNeverSeesTheToken: what listens where the daemon is looked for is
// told a token only where somebody named it and gave the token; neither of what
// was found nor of what was given does anything arrive that a token could be
// guessed from.
func TestAStrangerNeverSeesTheToken(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"pleases": func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("{}")) },
		"repeats": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(web.ProofHeader, "8420 "+r.Header.Get(web.ChallengeHeader))
		},
		"leads on": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"is secured": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
	}
	for _, c := range []struct {
		name, token string
		trust       trust
		sent        bool
	}{
		{"found, and nobody named the server", foundToken, trust{}, false},
		{"found, for a named server", foundToken, trust{named: true}, false},
		{"given, and nobody named the server", foundToken, trust{given: true}, false},
		{"a personal one, and nobody named the server", personalToken, trust{given: true}, false},
		{"given, for a named server", foundToken, trust{named: true, given: true}, true},
		{"a personal one, for a named server", personalToken, trust{named: true, given: true}, true},
		{"signed by an issuer", issuedToken, trust{given: true}, true},
	} {
		for how, answer := range answers {
			address, told := stranger(t, answer)
			err := (&client{server: address, token: c.token, trust: c.trust}).get(t.Context(), "/api/v1/status", nil)
			seen := strings.Contains(told.String(), c.token)
			if seen != c.sent || !c.sent && (err == nil || strings.Contains(told.String(), "/api/")) {
				t.Errorf("%s, to one that %s: seen %v, %v; it was told\n%s", c.name, how, seen, err, told)
			}
		}
	}
}

// quietView has nothing to show, and quietAudit keeps nothing.
type quietView struct{ web.View }

func (quietView) Status() web.Status { return web.Status{} }

type quietAudit struct{}

func (quietAudit) AddAudit(context.Context, record.Audit)            {}
func (quietAudit) Audit(int, func(record.Audit) bool) []record.Audit { return nil }

// proving is a daemon as far as it proves itself.
func proving(t *testing.T, token string) *httptest.Server {
	t.Helper()
	h, err := web.New(web.Options{View: quietView{}, Control: struct{ web.Control }{}, Audit: quietAudit{}, Metrics: web.NewMetrics("test"), Token: token, Now: time.Now})
	check(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// TestTheDaemonProvesItself: it is told the token, and answers; one that hands the
// challenge on to it is told none where nobody named it, as the answer is for
// another port.
func TestTheDaemonProvesItself(t *testing.T) {
	daemon := proving(t, foundToken)
	at, err := url.Parse(daemon.URL)
	check(t, err)
	relay, told := stranger(t, httputil.NewSingleHostReverseProxy(at).ServeHTTP)
	for _, c := range []struct {
		name, server string
		trust        trust
		good         bool
	}{
		{"the daemon", daemon.URL, trust{}, true}, {"the daemon, named", daemon.URL + "/", trust{named: true}, true},
		{"between", relay, trust{}, false}, {"a tunnel, named", relay, trust{named: true}, true},
	} {
		told.Reset()
		err := (&client{server: c.server, token: foundToken, trust: c.trust}).get(t.Context(), "/api/v1/status", nil)
		if (err == nil) != c.good || !c.good && strings.Contains(told.String(), foundToken) {
			t.Errorf("%s: %v; told %s", c.name, err, told)
		}
	}
	if err := (&client{server: daemon.URL, token: foundToken + "-of-another"}).get(t.Context(), "/api/v1/status", nil); err == nil {
		t.Error("it proved that it knows another's token")
	}
}

// TestWhoseTokenItIs: it is known of each command whether the token was given or
// found, and whether the server was named; the doctor tells of a stranger, and
// asks it nothing.
func TestWhoseTokenItIs(t *testing.T) {
	t.Setenv("MOORING_TOKEN", "")
	state := t.TempDir()
	check(t, os.WriteFile(filepath.Join(state, "token"), []byte(foundToken+"\n"), 0o600))
	for _, c := range []struct {
		given string
		named bool
		want  trust
	}{{"", false, trust{}}, {"", true, trust{named: true}}, {"mine", false, trust{given: true}}, {"mine", true, trust{named: true, given: true}}} {
		t.Setenv("MOORING_TOKEN", c.given)
		var got client
		if got.as(state, c.named); got.trust != c.want || (got.token == foundToken) != (c.given == "") {
			t.Errorf("given %q, named %v: %+v", c.given, c.named, got.trust)
		}
	}
	t.Setenv("MOORING_TOKEN", "")
	address, told := stranger(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	d := doctoring{asked: true}
	d.server = address
	d.as(state, false)
	checks := d.ofDaemon(t.Context())
	if len(checks) != 1 || checks[0].Result != diagnose.Fault || !strings.Contains(checks[0].Found, "did not prove") || !strings.Contains(checks[0].Command, "ss -ltnp") {
		t.Errorf("the doctor says %+v", checks)
	}
	if strings.Contains(told.String(), foundToken) {
		t.Errorf("the stranger was told %s", told)
	}
}
