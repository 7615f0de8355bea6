package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever is asked below /api/ is answered as the API answers: a program that
// reads JSON is never given words of the router's.
func TestTheAPIAnswersInJSON(t *testing.T) {
	h := serve(t, &fake{}, nil)
	for _, c := range []struct {
		method, path string
		status       int
		says, hint   string
	}{
		{"GET", "/api/v1/nothing", http.StatusNotFound, "/api/v1/nothing: no such route", "openapi.json"},
		{"GET", "/api/v2/status", http.StatusNotFound, "no such route", "openapi.json"},
		{"PUT", "/api/v1/environments/preview/holds", http.StatusMethodNotAllowed, "PUT is nothing that", "POST"},
		{"DELETE", "/api/v1/status", http.StatusMethodNotAllowed, "DELETE is nothing that", "GET"},
	} {
		for _, token := range []string{"the-token", "none"} { // what routes there are is no secret
			w := ask(h, c.method, c.path, "", "Authorization", "Bearer "+token)
			var said Refused
			if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code != c.status || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: %d %s %q: %v", c.method, c.path, w.Code, w.Header().Get("Content-Type"), w.Body, err)
			}
			if !strings.Contains(said.Error, c.says) || !strings.Contains(said.Hint, c.hint) || said.Request == "" || said.Request != w.Header().Get(requestID) {
				t.Errorf("%s %s says %+v", c.method, c.path, said)
			}
		}
	}
	if w := ask(h, "GET", "/elsewhere", "", "Authorization", "Bearer the-token"); w.Code != http.StatusNotFound {
		t.Errorf("elsewhere: %d", w.Code)
	}
}

// A link to what is gone leads to a page that goes on from there.
func TestWhatIsGoneHasAPage(t *testing.T) {
	n := badNight(2)
	h := serve(t, &n.fake, func(o *Options) { o.View, o.Now = n, func() time.Time { return noon } })
	for path, want := range map[string][]string{
		"/environments/gone<b>":                {"no environment gone&lt;b&gt;", `href="/"`},
		"/environments/production/releases/12": {"No release 12 came into production", `href="/environments/production"`},
	} {
		w := ask(h, "GET", strings.ReplaceAll(path, "<b>", "%3Cb%3E"), "", "Authorization", "Bearer the-token")
		if w.Code != http.StatusNotFound || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		for _, part := range want {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s does not have %s:\n%s", path, part, w.Body)
			}
		}
	}
}
