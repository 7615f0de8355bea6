package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"mooring.dev/reconciler/egress"
	"mooring.dev/sources/manifest"
)

// Who has a name and a role is still nobody without a subject, and an address
// counts only where the issuer says that it was proved.
func TestPersonOfClaims(t *testing.T) {
	of := manifest.Issuer{URL: "https://issuer.example", Name: "login", Teams: "groups", Roles: []manifest.IssuerRole{
		{Role: "approver", Claims: map[string]string{"groups": "shop"}}, {Role: "admin"},
	}}
	claims := map[string]any{"sub": "17", "login": "ann", "groups": []any{"shop", 4, "ops"}, "email": "ann@shop.example"}
	p, err := person(manifest.Identity{}, of, claims)
	if err != nil || p.Name != "ann" || !p.Verified || len(p.Emails) != 0 || len(p.Teams) != 2 || p.Proof != "oidc:https://issuer.example|17" {
		t.Errorf("%+v, %v", p, err)
	}
	if len(p.Grants) != 1 || p.Grants[0].Role != "approver" {
		t.Errorf("a role that wants no claim was given: %+v", p.Grants)
	}
	claims["email_verified"] = true
	if p, err = person(manifest.Identity{}, of, claims); err != nil || len(p.Emails) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range [][2]any{{"sub", nil}, {"login", 17}, {"groups", "shopping"}, {"login", "a\u202enna"}, {"login", "ann\u200b"}, {"login", "ann\u00a0b"}} {
		name := bad[0].(string)
		was := claims[name]
		claims[name] = bad[1]
		if p, err := person(manifest.Identity{}, of, claims); err == nil || len(p.Grants) > 0 {
			t.Errorf("%s=%q: %+v", name, bad[1], p)
		}
		claims[name] = was
	}
}

// Who is named by an address has it: not where the issuer says that nobody looked.
func TestAnUnverifiedAddressIsNoName(t *testing.T) {
	of := manifest.Issuer{URL: "https://issuer.example", Name: "email", Roles: []manifest.IssuerRole{{Role: "viewer", Claims: map[string]string{"sub": "*"}}}}
	for verified, want := range map[any]bool{true: true, false: false, "false": false, nil: true} {
		claims := map[string]any{"sub": "17", "email": "ann@shop.example", "email_verified": verified}
		if p, err := person(manifest.Identity{}, of, claims); (err == nil) != want || (len(p.Emails) == 1) != (verified == true) {
			t.Errorf("verified %v: %+v, %v", verified, p, err)
		}
	}
}

func TestAnIssuersTextsAreNotRepeated(t *testing.T) {
	for status, text := range map[int]string{http.StatusInternalServerError: "panic: password=hunter2", http.StatusOK: `{"hunter2":true}`} {
		issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}))
		err := New(time.Now, nil).Reach(t.Context(), manifest.Issuer{URL: issuer.URL})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), fmt.Sprint("it answers ", status)) {
			t.Errorf("%d: %v", status, err)
		}
		issuer.Close()
	}
}

// An issuer leads the daemon to its keys, and not to what the machine is known by.
func TestLesson77IssuersLeadToNoMetadata(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var issuer *httptest.Server
	for _, leads := range []string{"http://169.254.169.254/latest/meta-data/", "ISSUER/moved"} {
		mux := http.NewServeMux()
		mux.Handle("/moved", http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound))
		mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer.URL, strings.Replace(leads, "ISSUER", issuer.URL, 1))
		})
		issuer = httptest.NewServer(mux)
		of := manifest.Issuer{URL: issuer.URL, Audience: "mooring", Name: "sub", Roles: []manifest.IssuerRole{{Role: "viewer", Claims: map[string]string{"sub": "*"}}}}
		raw := oidctest.SignIDToken(key, "one", oidc.RS256, fmt.Sprintf(`{"iss":%q,"aud":"mooring","sub":"ann","exp":%d}`, issuer.URL, time.Now().Add(time.Hour).Unix()))
		if _, err := New(time.Now, nil).Person(t.Context(), manifest.Identity{Issuers: []manifest.Issuer{of}}, raw); err == nil || !strings.Contains(err.Error(), egress.ErrRefused.Error()) {
			t.Errorf("%s: %v", leads, err)
		}
		issuer.Close()
	}
}

// Somebody's name at an issuer is that issuer's, until the control branch says who
// it is.
func TestWhoSomebodyIsAtAnIssuer(t *testing.T) {
	of := manifest.Issuer{URL: "https://issuer.example", Name: "login", Roles: []manifest.IssuerRole{{Role: "viewer", Claims: map[string]string{"sub": "*"}}}}
	known := manifest.Identity{Issuers: []manifest.Issuer{of}, People: []manifest.KnownPerson{
		{Name: "ann", Emails: []string{"ann@shop.example"}, Identities: []manifest.KnownIdentity{{Issuer: of.URL, Subject: "17"}}},
	}}
	for subject, want := range map[string]struct{ name, identity string }{
		"17": {"ann", ""}, "18": {"ann-at-the-issuer", "oidc:https://issuer.example|18"},
	} {
		p, err := person(known, of, map[string]any{"sub": subject, "login": "ann-at-the-issuer"})
		if err != nil || p.Name != want.name || p.Identity != want.identity || p.Proof != "oidc:https://issuer.example|"+subject || (len(p.Emails) == 1) != (want.identity == "") {
			t.Errorf("%s is %+v, %v", subject, p, err)
		}
	}
	other := of
	other.URL = "https://other.example"
	if p, err := person(known, other, map[string]any{"sub": "17", "login": "ann"}); err != nil || p.Identity == "" {
		t.Errorf("the same subject of another issuer: %+v, %v", p, err)
	}
}
