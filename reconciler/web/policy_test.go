package web

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
)

func TestDecisionsAreReadAsAsked(t *testing.T) {
	f := &fake{}
	h := serve(t, f, nil)
	w := ask(h, "GET", "/api/v1/decisions?since=2026-06-01T12:00:00Z&point=drift&environment=preview&after=3&limit=10", "", "Authorization", "Bearer the-token")
	want := journal.DecisionQuery{Environment: "preview", Point: "drift", Since: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), After: 3, Limit: 10}
	if w.Code != http.StatusOK || f.query != want {
		t.Errorf("%d, asked %+v, want %+v", w.Code, f.query, want)
	}
	for _, bad := range []string{"since=yesterday", "after=-1", "limit=0", "limit=many"} {
		if w := ask(h, "GET", "/api/v1/decisions?"+bad, "", "Authorization", "Bearer the-token"); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", bad, w.Code)
		}
	}
}

// Who may see one environment sees its decisions alone, and the page goes on
// where the journal does.
func TestDecisionsOfForeignEnvironmentsAreNotShown(t *testing.T) {
	now := time.Now()
	vera := access.Token{Name: "vera", Grants: []access.Grant{{Role: access.Viewer, Environments: []string{"preview"}}}, Created: now, Expires: now.Add(time.Hour)}
	tokens, secret, err := access.Tokens(nil).Issue(vera, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, &fake{}, func(o *Options) { o.Tokens = func() (access.Tokens, error) { return tokens, nil } })
	w := ask(h, "GET", "/api/v1/decisions", "", "Authorization", "Bearer "+secret)
	var page DecisionPage
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if len(page.Decisions) != 1 || page.Decisions[0].Environment != "preview" || page.Next != 9 {
		t.Errorf("shown: %+v", page)
	}
	for _, foreign := range []string{"/api/v1/decisions?environment=production", "/api/v1/environments/production/input?point=drift"} {
		if w := ask(h, "GET", foreign, "", "Authorization", "Bearer "+secret); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", foreign, w.Code)
		}
	}
}
