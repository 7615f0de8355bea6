package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
)

// remembering is a Control with a memory to copy.
type remembering struct{ *fake }

func (remembering) Backup(_ context.Context, by access.Person) (io.ReadCloser, error) {
	if err := by.CheckEverywhere(access.Copy); err != nil {
		return nil, err
	}
	return io.NopCloser(strings.NewReader(strings.Repeat("journal", 300_000))), nil
}

// The journal is for an admin of everything, and for nobody else.
func TestBackup(t *testing.T) {
	var tokens access.Tokens
	now, bearer := time.Now(), map[string]string{"own": "the-token"}
	for name, g := range map[string]access.Grant{
		"boss": {Role: access.Admin}, "operator": {Role: access.Operator}, "approver": {Role: access.Approver}, "viewer": {Role: access.Viewer},
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
		o.Audit = kept
		o.Control = remembering{&fake{}}
		o.Tokens = func() (access.Tokens, error) { return tokens, nil }
	})
	for name, token := range bearer {
		want := http.StatusForbidden
		if name == "boss" || name == "own" {
			want = http.StatusOK
		}
		w := ask(h, "GET", "/api/v1/journal", "", "Authorization", "Bearer "+token)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", name, w.Code, want)
		}
		if want == http.StatusOK && w.Body.Len() != 2_100_000 {
			t.Errorf("%s got %d bytes", name, w.Body.Len())
		}
	}
	if w := ask(h, "GET", "/api/v1/openapi.json", "", "Authorization", "Bearer the-token"); !strings.Contains(w.Body.String(), "/api/v1/journal") {
		t.Error("the OpenAPI document does not name the journal")
	}
	if n := len(kept.kept); n != len(bearer) || kept.kept[0].Act != "journal/backup" {
		t.Errorf("%d of %d copies and refusals are in the audit record", n, len(bearer))
	}
}
