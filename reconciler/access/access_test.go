package access

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRolesMay(t *testing.T) {
	verbs := []Verb{See, Approve, Operate, Govern}
	want := map[Role]string{Viewer: "1000", Approver: "1100", Operator: "1010", Admin: "1111", "": "0000", "owner": "0000"}
	for role, may := range want {
		p := Person{Name: "ann", Grants: []Grant{{Role: role, Environments: []string{"staging"}}}}
		for i, v := range verbs {
			if got := p.May(v, "staging"); got != (may[i] == '1') {
				t.Errorf("%q may %s: %v", role, v, got)
			}
			if p.Everywhere(v) || p.CheckEverywhere(v) == nil {
				t.Errorf("%q of staging may %s everywhere", role, v)
			}
			if all := (Person{Name: "bob", Grants: []Grant{{Role: role}}}); all.Everywhere(v) != (may[i] == '1') {
				t.Errorf("%q may not %s everywhere", role, v)
			}
			if p.May(v, "production") {
				t.Errorf("%q of staging may %s in production", role, v)
			}
		}
	}
	var refusal *Refusal
	if err := (Person{Name: "ann"}).Check(Operate, "production"); !errors.As(err, &refusal) || refusal.Who != "ann" {
		t.Errorf("got %v", err)
	}
	if (Person{}).May(See, "") {
		t.Error("nobody may see")
	}
}

func TestParseGrant(t *testing.T) {
	for _, text := range []string{"admin", "approver:staging,production", "viewer:preview"} {
		if g, err := ParseGrant(text); err != nil || g.String() != text {
			t.Errorf("%q became %v, %v", text, g, err)
		}
	}
	for _, text := range []string{"", "owner", "approver:", "approver: ,", ":staging"} {
		if g, err := ParseGrant(text); err == nil {
			t.Errorf("%q became %v", text, g)
		}
	}
}

func TestSame(t *testing.T) {
	ann := Person{Name: "ann", Emails: []string{"Ann@Example.com"}}
	for _, author := range [][2]string{{"ann", ""}, {"ANN", "x@y"}, {"A. Nother", "ann@example.com"}, {"x", "ann@elsewhere"}} {
		if !ann.Same(author[0], author[1]) {
			t.Errorf("%v is ann", author)
		}
	}
	for _, author := range [][2]string{{"", ""}, {"bob", "bob@example.com"}, {"annabel", "annabel@example.com"}} {
		if ann.Same(author[0], author[1]) {
			t.Errorf("%v is not ann", author)
		}
	}
}

var (
	start  = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	random = bytes.Repeat([]byte{7}, 32)
)

func issued(t *testing.T) (Tokens, string) {
	t.Helper()
	ts, secret, err := Tokens(nil).Issue(Token{Name: "ann", Grants: []Grant{{Role: Approver}}, Created: start, Expires: start.Add(time.Hour)}, random)
	if err != nil {
		t.Fatal(err)
	}
	return ts, secret
}

func TestTokens(t *testing.T) {
	ts, secret := issued(t)
	text, err := ts.Text()
	if err != nil || strings.Contains(string(text), secret) || strings.Contains(string(text), strings.TrimPrefix(secret, tokenPrefix)) {
		t.Fatalf("the file holds the secret (%v)", err)
	}
	if ts, err = ParseTokens(text); err != nil {
		t.Fatal(err)
	}
	if p, ok := ts.Person(secret, start); !ok || p.Name != "ann" || !p.Verified || !p.May(Approve, "production") {
		t.Errorf("got %+v, %v", p, ok)
	}
	gone, n := ts.Revoke("ann", start.Add(time.Minute))
	if n != 1 {
		t.Errorf("revoked %d", n)
	}
	for name, try := range map[string]func() (Person, bool){
		"expired":       func() (Person, bool) { return ts.Person(secret, start.Add(time.Hour)) },
		"revoked":       func() (Person, bool) { return gone.Person(secret, start.Add(time.Minute)) },
		"a letter less": func() (Person, bool) { return ts.Person(secret[:len(secret)-1], start) },
		"its digest":    func() (Person, bool) { return ts.Person(ts[0].Digest, start) },
		"empty":         func() (Person, bool) { return ts.Person("", start) },
	} {
		if p, ok := try(); ok || p.May(See, "") {
			t.Errorf("%s: opens as %+v", name, p)
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	good := Token{Name: "ann", Grants: []Grant{{Role: Viewer}}, Created: start, Expires: start.Add(1)}
	for name, spoil := range map[string]func(*Token){
		"no name": func(t *Token) { t.Name = "" }, "a space": func(t *Token) { t.Name = "a b" },
		"looks unverified": func(t *Token) { t.Name = "local:ann" }, "no role": func(t *Token) { t.Grants = nil },
		"no end": func(t *Token) { t.Expires = time.Time{} }, "ends at once": func(t *Token) { t.Expires = t.Created },
	} {
		bad := good
		spoil(&bad)
		if _, _, err := Tokens(nil).Issue(bad, random); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	if _, _, err := Tokens(nil).Issue(good, random[:31]); err == nil {
		t.Error("issued with little randomness")
	}
}

func TestTokensOfKnownPeople(t *testing.T) {
	ts, secret := issued(t)
	known := ts.Known(func(name string) (string, []string) {
		if name == "ann" {
			return "ann-of-the-shop", []string{"ann@shop.example"}
		}
		return "", nil
	})
	if p, ok := known.Person(secret, start); !ok || p.Name != "ann-of-the-shop" || len(p.Emails) != 1 || p.Identity != "" {
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := ts.Person(secret, start); !ok || p.Name != "ann" || len(p.Emails) != 0 {
		t.Errorf("the tokens themselves were changed: %+v", p)
	}
	if p, _ := ts.Known(func(string) (string, []string) { return "", nil }).Person(secret, start); p.Name != "ann" {
		t.Errorf("whom nobody knows by another name is %+v", p)
	}
}
