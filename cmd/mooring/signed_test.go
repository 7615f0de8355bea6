package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"mooring.dev/reconciler/diagnose"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// TestSignedTokensOfTheProgram: the running program knows a robot by a token
// that an issuer of mooring.yaml signed, with the rights its claims give and
// no other; the doctor asks that issuer.
func TestSignedTokensOfTheProgram(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: oidc.ES256}}, Algorithms: []string{oidc.ES256}}
	listens := httptest.NewServer(issuer)
	t.Cleanup(listens.Close)
	issuer.SetIssuer(listens.URL)
	pipeline := killPipeline + `  identity:
    issuers:
      - issuer: ` + listens.URL + `
        audience: mooring
        roles: [{role: operator, environments: [preview], claims: {sub: "repo:shop/*"}}]
`
	s := openStage(t)
	s.repository(killStages, func(string) { s.write("shop/README.md", "No function yet.\n") })
	s.git("-C", s.path("shop"), "checkout", "-q", "main")
	s.write("shop/mooring.yaml", strings.Replace(pipeline, "rollout_stages", killStages, 1))
	s.git("-C", s.path("shop"), "commit", "-qam", "who signs")
	s.git("-C", s.path("shop"), "push", "-q", "origin", "main")
	s.begin()
	s.until("known", func(web.EnvironmentStatus) bool { return true })

	hold := func(audience, subject string) (int, string) {
		now := time.Now()
		token := oidctest.SignIDToken(key, "one", oidc.ES256, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":%q,"iat":%d,"exp":%d}`, listens.URL, audience, subject, now.Unix(), now.Add(time.Minute).Unix()))
		req, err := http.NewRequest(http.MethodPost, "http://"+s.listen+"/api/v1/environments/preview/holds", strings.NewReader(`{"reason":"a deploy elsewhere","for":3600000000000}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, token
	}
	for _, c := range []struct {
		audience, subject string
		want              int
	}{
		{"mooring", "repo:shop/checkout", http.StatusOK},
		{"another", "repo:shop/checkout", http.StatusUnauthorized},
		{"mooring", "repo:other/checkout", http.StatusUnauthorized},
	} {
		got, token := hold(c.audience, c.subject)
		if got != c.want {
			t.Errorf("%s for %s: %d, want %d", c.subject, c.audience, got, c.want)
		}
		if log, err := os.ReadFile(s.path("daemon.log")); err != nil || strings.Contains(string(log), token) {
			t.Errorf("a token is in the log (%v)", err)
		}
	}
	s.until("held by the robot", func(e web.EnvironmentStatus) bool {
		return len(e.Holds) == 1 && e.Holds[0].Owner == "repo:shop/checkout"
	})

	issuers := []manifest.Issuer{{URL: listens.URL, Audience: "mooring"}}
	asked := func() diagnose.Result {
		checks := ofIssuers(t.Context(), issuers)
		if len(checks) != 1 || checks[0].Name != "issuer" {
			t.Fatalf("the doctor says %+v", checks)
		}
		return checks[0].Result
	}
	if got := asked(); got != diagnose.OK {
		t.Errorf("of an issuer that answers the doctor says %s", got)
	}
	listens.Close()
	if got := asked(); got != diagnose.Fault {
		t.Errorf("of one that is away the doctor says %s", got)
	}
}
