package web

import (
	"bytes"
	"net/http"
	"runtime"
	"runtime/trace"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

// Profiles are for an admin of everything who shows a token; each is an act that
// is kept, whether it was done or refused.
func TestProfilesAreForAnAdmin(t *testing.T) {
	var tokens access.Tokens
	now, bearer := time.Now(), map[string]string{"own": "the-token", "nobody on this machine": ""}
	for name, g := range map[string]access.Grant{
		"boss": {Role: access.Admin}, "operator": {Role: access.Operator}, "viewer": {Role: access.Viewer},
		"narrow": {Role: access.Admin, Environments: []string{"preview"}},
	} {
		var err error
		tokens, bearer[name], err = tokens.Issue(access.Token{Name: name, Grants: []access.Grant{g}, Created: now, Expires: now.Add(time.Hour)}, []byte(strings.Repeat(name[:1], 32)))
		if err != nil {
			t.Fatal(err)
		}
	}
	kept := &shelf{}
	h := serve(t, &fake{}, func(o *Options) {
		o.Audit, o.Tokens = kept, func() (access.Tokens, error) { return tokens, nil }
		o.Loopback, o.InsecureLoopback = true, true
	})
	for name, token := range bearer {
		header := []string{"Authorization", "Bearer " + token}
		if token == "" {
			header = nil
		}
		want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[name == "boss" || name == "own"]
		w := ask(h, "GET", "http://127.0.0.1/debug/pprof/heap", "", header...)
		if w.Code != want || want == http.StatusOK && !bytes.HasPrefix(w.Body.Bytes(), []byte{0x1f, 0x8b}) {
			t.Errorf("%s: %d, want %d: %.200s", name, w.Code, want, w.Body)
		}
		if a := kept.kept[len(kept.kept)-1]; a.Act != "profile" || a.Target != "heap" || (a.Outcome == record.AuditDone) != (want == http.StatusOK) {
			t.Errorf("%s: kept as %+v", name, a)
		}
	}
	for _, target := range []string{"cmdline", "symbol", "profile?seconds=61", "profile?seconds=0", "trace?seconds=-1", "profile?seconds=1e1"} {
		if w := ask(h, "GET", "http://127.0.0.1/debug/pprof/"+target, "", "Authorization", "Bearer the-token"); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

// A profile of a time takes that time, two are not taken at once, and the end of
// the daemon ends it. Profiles are of the real process, and so is the time.
func TestAProfileTakesItsTimeAndEndsWithTheDaemon(t *testing.T) {
	closing := make(chan struct{})
	h := serve(t, &fake{}, func(o *Options) { o.Closing = closing })
	take := func(seconds string) (code int, took time.Duration) {
		begun := time.Now()
		w := ask(h, "GET", "/debug/pprof/trace?seconds="+seconds, "", "Authorization", "Bearer the-token")
		return w.Code, time.Since(begun)
	}
	if code, took := take("1"); code != http.StatusOK || took < time.Second {
		t.Errorf("%d after %s", code, took)
	}
	done := make(chan time.Duration)
	go func() {
		code, took := take("60")
		if code != http.StatusOK {
			t.Errorf("cut short: %d", code)
		}
		done <- took
	}()
	begun := time.Now()
	for !trace.IsEnabled() && time.Since(begun) < 20*time.Second {
		runtime.Gosched()
	}
	if code, _ := take("5"); code != http.StatusConflict {
		t.Errorf("a second one at once: %d", code)
	}
	close(closing)
	if took := <-done; took > 40*time.Second {
		t.Errorf("the end of the daemon waited %s", took)
	}
}
