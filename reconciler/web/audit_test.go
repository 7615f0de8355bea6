package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

// shelf keeps audit records in memory, newest last.
type shelf struct{ kept []record.Audit }

func (s *shelf) AddAudit(_ context.Context, a record.Audit) { s.kept = append(s.kept, a) }
func (s *shelf) Audit(limit int, wanted func(record.Audit) bool) []record.Audit {
	out := []record.Audit{}
	for _, a := range slices.Backward(s.kept) {
		if wanted(a) && len(out) < limit {
			out = append(out, a)
		}
	}
	return out
}

// able is a daemon that can everything, and asks who may as the real one does.
type able struct{ fake }

func (a *able) Hold(ctx context.Context, h HoldRequest) (record.Hold, error) {
	if err := h.By.Check(access.Operate, h.Environment); err != nil {
		return record.Hold{}, err
	}
	return a.fake.Hold(ctx, h)
}
func (a *able) Approve(_ context.Context, r ApprovalRequest) (Approval, error) {
	return Approval{}, r.By.Check(access.Approve, r.Environment)
}
func (a *able) Verdict(_ context.Context, v VerdictRequest) (record.CheckResult, error) {
	return record.CheckResult{}, v.By.Check(access.Attest, v.Environment)
}
func (a *able) PolicyWord(_ context.Context, r PolicyRequest) (Approval, error) {
	return Approval{}, r.By.CheckEverywhere(access.Approve)
}
func (a *able) AddEvidence(_ context.Context, r EvidenceRequest) ([]Statement, error) {
	return nil, r.By.CheckEverywhere(access.Attest)
}
func (a *able) TestReceiver(_ context.Context, _ string, by access.Person) error {
	return by.CheckEverywhere(access.Operate)
}
func (a *able) Destruction(_ context.Context, environment string, _ bool, by access.Person) (Destruction, error) {
	return Destruction{Environment: environment}, by.Check(access.Destroy, environment)
}
func (a *able) Destroy(_ context.Context, r DestroyRequest) error {
	return r.By.Check(access.Destroy, r.Environment)
}

// audited is a server that can everything, with people of each kind and a clock
// that goes on ten seconds a look.
func audited(t *testing.T) (h http.Handler, book *shelf, secrets map[access.Role]string, clock *time.Time) {
	t.Helper()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock, book, secrets = &now, &shelf{}, map[access.Role]string{}
	var tokens access.Tokens
	for i, role := range access.Roles() {
		var err error
		tokens, secrets[role], err = tokens.Issue(access.Token{Name: "the-" + string(role), Grants: []access.Grant{{Role: role}}, Created: now, Expires: now.Add(240 * time.Hour)},
			[]byte(strings.Repeat(fmt.Sprint(i), 32)))
		if err != nil {
			t.Fatal(err)
		}
	}
	h = serve(t, &fake{}, func(o *Options) {
		o.Control, o.Audit = &able{}, book
		o.Tokens, o.Now = func() (access.Tokens, error) { return tokens, nil }, func() time.Time { return *clock }
	})
	return h, book, secrets, clock
}

// TestEachActAndRefusalIsAudited asks for every act there is, as somebody who
// may, who may not, whom nobody knows, and from another site's page; and finds
// each in the record.
func TestEachActAndRefusalIsAudited(t *testing.T) {
	h, book, secrets, clock := audited(t)
	ways := []struct {
		name, outcome, code string
		headers             []string
	}{
		{"may", record.AuditDone, "", []string{"Authorization", "Bearer " + secrets[access.Admin]}},
		{"may not", record.AuditRefused, "forbidden", []string{"Authorization", "Bearer " + secrets[access.Viewer]}},
		{"is nobody", record.AuditRefused, "unauthenticated", []string{"Authorization", "Bearer mooring_ffffffffffffffff"}},
		{"is led here by another site", record.AuditRefused, "foreign_site", []string{"Authorization", "Bearer " + secrets[access.Admin], "Sec-Fetch-Site", "cross-site"}},
	}
	acts := 0
	for _, r := range closedRoutes(t, h) {
		if r.method == http.MethodGet {
			continue
		}
		acts++
		for _, way := range ways {
			*clock, book.kept = clock.Add(time.Minute), nil
			body, headers := `{"reason":"because"}`, way.headers
			if strings.Contains(r.target, "/act/") {
				body, headers = "reason=because", append(slices.Clone(headers), "Content-Type", "application/x-www-form-urlencoded")
			}
			w := ask(h, r.method, r.target, body, headers...)
			what := r.method + " " + r.target + " by who " + way.name
			if len(book.kept) != 1 {
				t.Errorf("%s: %d records (answer %d %s)", what, len(book.kept), w.Code, w.Body)
				continue
			}
			a := book.kept[0]
			if a.Outcome != way.outcome || a.Code != way.code {
				t.Errorf("%s: %s %q (%s), want %s %q", what, a.Outcome, a.Code, a.Detail, way.outcome, way.code)
			}
			if a.Request == "" || a.Request != w.Header().Get(requestID) || !a.At.Equal(*clock) || a.From != "127.0.0.1" || strings.ContainsAny(a.Act, "{}") || a.Act == "" {
				t.Errorf("%s: %+v", what, a)
			}
			if strings.Contains(r.target, "preview") && a.Environment != "preview" {
				t.Errorf("%s: environment %q", what, a.Environment)
			}
			if proved := strings.HasPrefix(a.Proof, "token:") && strings.HasPrefix(a.Who, "the-"); proved == (way.code == "unauthenticated") {
				t.Errorf("%s: by %q, proof %q", what, a.Who, a.Proof)
			}
			reads := way.code == "" || way.code == "forbidden"
			if reads && !strings.HasSuffix(r.target, "/evidence") && !strings.HasSuffix(r.target, "/test") && a.Reason != "because" {
				t.Errorf("%s: reason %q", what, a.Reason)
			}
		}
	}
	if acts < 15 {
		t.Errorf("only %d acts", acts)
	}
}

func TestAuditTellsWhatWasAskedAndNoSecret(t *testing.T) {
	h, book, secrets, _ := audited(t)
	operator := "Bearer " + secrets[access.Operator]
	jwt := "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2ln"
	leak := url.QueryEscape("oh " + secrets[access.Admin] + " the-token " + jwt)
	ask(h, "POST", "/environments/preview/act/rollout", "do=abort&reason="+leak, "Authorization", operator, "Content-Type", "application/x-www-form-urlencoded")
	ask(h, "POST", "/api/v1/environments/preview/holds", `{"resource":"Function/checkout","for":3600000000000,"reason":"incident"}`, "Authorization", operator)
	ask(h, "POST", "/api/v1/environments/"+strings.Repeat("e", 5000)+"/sync", `{}`, "Authorization", operator)
	ask(h, "POST", "/api/v1/environments/preview/rollback", `{"reasn":"typo"}`, "Authorization", operator)
	ask(h, "GET", "/login?token="+secrets[access.Viewer], "")
	ask(h, "GET", "/login?token=guess-the-token", "")
	ask(h, "GET", "/api/v1/status", "", "Authorization", operator)
	got := book.kept
	if len(got) != 6 {
		t.Fatalf("%d records: %+v", len(got), got)
	}
	if got[0].Act != "rollout/abort" || got[1].Act != "holds" || got[1].Target != "resource=Function/checkout for=1h0m0s" {
		t.Errorf("%+v\n%+v", got[0], got[1])
	}
	if len(got[2].Environment) > 2*auditText || got[3].Code != "invalid" {
		t.Errorf("%+v\n%+v", got[2], got[3])
	}
	if got[4].Act != "login" || got[4].Outcome != record.AuditDone || got[4].Who != "the-viewer" || got[5].Code != "unauthenticated" {
		t.Errorf("%+v\n%+v", got[4], got[5])
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{secrets[access.Admin], secrets[access.Viewer], secrets[access.Operator], "the-token", jwt, "c2ln"} {
		if strings.Contains(string(text), s) {
			t.Errorf("the record holds %q: %s", s, text)
		}
	}
}

// Who has no token cannot fill the journal, nor hide among what is not kept.
func TestRefusalsAreBounded(t *testing.T) {
	h, book, secrets, clock := audited(t)
	for range 500 {
		ask(h, "GET", "/api/v1/status", "")
	}
	if len(book.kept) != auditRefusals {
		t.Errorf("%d records of 500 refusals", len(book.kept))
	}
	ask(h, "POST", "/api/v1/environments/preview/sync", "{}", "Authorization", "Bearer "+secrets[access.Viewer])
	if last := book.kept[len(book.kept)-1]; last.Who != "the-viewer" || last.More != 0 {
		t.Errorf("%+v", last)
	}
	*clock = clock.Add(auditEvery)
	ask(h, "GET", "/api/v1/status", "")
	if last := book.kept[len(book.kept)-1]; last.More != 500-auditRefusals || last.Act != "see" {
		t.Errorf("%+v", last)
	}
}

func TestAuditIsForWhoOperates(t *testing.T) {
	h, book, secrets, _ := audited(t)
	for _, e := range []string{"preview", "production", ""} {
		book.kept = append(book.kept, record.Audit{Act: "sync", Environment: e, Outcome: record.AuditDone, Who: "ann"})
	}
	count := func(role access.Role, query string) int {
		w := ask(h, "GET", "/api/v1/audit"+query, "", "Authorization", "Bearer "+secrets[role])
		var out []record.Audit
		if w.Code != http.StatusOK {
			return -w.Code
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return len(out)
	}
	for _, want := range []struct {
		role  access.Role
		query string
		n     int
	}{
		{access.Admin, "", 3}, {access.Operator, "", 2}, {access.Operator, "?environment=preview", 1}, {access.Admin, "?limit=1", 1}, {access.Admin, "?who=bob", 0},
		{access.Admin, "?outcome=refused", 0}, {access.Admin, "?outcome=other", -400},
		{access.Viewer, "", -403}, {access.Approver, "?environment=preview", -403}, {"", "", -401},
	} {
		if n := count(want.role, want.query); n != want.n {
			t.Errorf("%q asks %q: %d, want %d", want.role, want.query, n, want.n)
		}
	}
	for role, shown := range map[access.Role]bool{access.Admin: true, access.Viewer: false} {
		w := ask(h, "GET", "/decisions", "", "Authorization", "Bearer "+secrets[role])
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `id="audit"`) != shown {
			t.Errorf("%s sees the page with audit %v: %d", role, !shown, w.Code)
		}
	}
}
