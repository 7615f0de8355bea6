package web

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/identity"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// issuing is an issuer in this process, and a server that knows it.
type issuing struct {
	issuer *oidctest.Server
	url    string
	key    *rsa.PrivateKey
	now    time.Time
	away   atomic.Bool
	mended atomic.Bool // it answers, and is none
	asked  atomic.Int64
	h      http.Handler
	fake   *fake
	book   *shelf
}

// RoundTrip reaches the issuer, unless it is away. No network is between: what is
// asked in a bubble is answered in it.
func (i *issuing) RoundTrip(r *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	if i.away.Load() {
		return nil, errors.New("nobody answers")
	}
	if !strings.HasPrefix(r.URL.String(), i.url+"/") {
		return nil, errors.New("no such host")
	}
	w := httptest.NewRecorder()
	if i.mended.Load() {
		text(w, http.StatusOK, `{"status":"we are back soon"}`)
		return w.Result(), nil
	}
	i.issuer.ServeHTTP(w, r)
	return w.Result(), nil
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func issues(t *testing.T) *issuing {
	t.Helper()
	i := &issuing{key: newKey(t), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), fake: &fake{}, book: &shelf{}}
	// The issuer says that it signs with a shared secret too: that it does not count.
	i.issuer = &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: i.key.Public(), KeyID: "one", Algorithm: oidc.RS256}}, Algorithms: []string{"RS256", "HS256", "none"}}
	i.url = "https://login.shop.example"
	i.issuer.SetIssuer(i.url)
	issuers := []manifest.Issuer{{URL: i.url, Audience: "mooring", Name: "sub", Teams: "groups", Roles: []manifest.IssuerRole{
		{Role: "operator", Environments: []string{"preview"}, Claims: map[string]string{"sub": "repo:shop/*", "ref": "refs/heads/main"}},
		{Role: "viewer", Claims: map[string]string{"groups": "people"}},
	}}}
	v := identity.New(func() time.Time { return i.now }, i)
	i.h = serve(t, i.fake, func(o *Options) {
		o.Audit, o.Now = i.book, func() time.Time { return i.now }
		o.Federated = func(ctx context.Context, token string) (access.Person, error) {
			return v.Person(ctx, manifest.Identity{Issuers: issuers}, token)
		}
	})
	return i
}

// claims of a robot that may operate preview, changed.
func (i *issuing) claims(t *testing.T, change map[string]any) string {
	t.Helper()
	c := map[string]any{"iss": i.url, "aud": "mooring", "sub": "repo:shop/checkout", "ref": "refs/heads/main", "exp": i.now.Add(10 * time.Minute).Unix(), "iat": i.now.Unix()}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (i *issuing) signed(t *testing.T, change map[string]any) string {
	t.Helper()
	return oidctest.SignIDToken(i.key, "one", oidc.RS256, i.claims(t, change))
}

func (i *issuing) sync(bearer string) int {
	return ask(i.h, "POST", "/api/v1/environments/preview/sync", "{}", "Authorization", "Bearer "+bearer).Code
}

func encoded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// TestLesson78BadSignedTokensAreRefused: each kind of them, with 401, and each
// is in the audit record without the token.
func TestLesson78BadSignedTokensAreRefused(t *testing.T) {
	i := issues(t)
	if code := i.sync(i.signed(t, nil)); code != http.StatusOK {
		t.Fatalf("a good token: %d %+v", code, i.book.kept)
	}
	if a := i.book.kept[0]; a.Who != "repo:shop/checkout" || a.Proof != "oidc:"+i.url+"|repo:shop/checkout" || a.Outcome != record.AuditDone {
		t.Errorf("%+v", a)
	}
	other := newKey(t)
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	shared := func(secret []byte) string {
		text := encoded(`{"alg":"HS256","kid":"one"}`) + "." + encoded(i.claims(t, nil))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	good := i.signed(t, nil)
	parts := strings.Split(good, ".")
	headed := func(key *rsa.PrivateKey, header, claims string) string {
		text := encoded(header) + "." + encoded(claims)
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	if code := i.sync(headed(i.key, `{"alg":"RS256","kid":"one","typ":"JWT"}`, i.claims(t, nil))); code != http.StatusOK {
		t.Fatalf("a good token, signed here: %d", code)
	}
	i.fake.asked = i.fake.asked[:1]
	ownKey := `{"kty":"RSA","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(other.N.Bytes()) + `"}`
	for name, bad := range map[string]string{
		"none-alg":                  encoded(`{"alg":"none"}`) + "." + encoded(i.claims(t, nil)) + ".",
		"none-alg with a signature": encoded(`{"alg":"none","kid":"one"}`) + "." + encoded(i.claims(t, nil)) + "." + parts[2],
		"HS with the public key":    shared(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"HS with its DER":           shared(der),
		"wrong aud":                 i.signed(t, map[string]any{"aud": "another"}),
		"no aud":                    i.signed(t, map[string]any{"aud": nil}),
		"wrong iss":                 i.signed(t, map[string]any{"iss": "https://issuer.example"}),
		"no iss":                    i.signed(t, map[string]any{"iss": nil}),
		"iss with a slash more":     i.signed(t, map[string]any{"iss": i.url + "/"}),
		"expired":                   i.signed(t, map[string]any{"exp": i.now.Add(-time.Second).Unix()}),
		"no exp":                    i.signed(t, map[string]any{"exp": nil}),
		"future nbf":                i.signed(t, map[string]any{"nbf": i.now.Add(8 * time.Minute).Unix()}),
		"unknown kid":               oidctest.SignIDToken(i.key, "two", oidc.RS256, i.claims(t, nil)),
		"another's key":             oidctest.SignIDToken(other, "one", oidc.RS256, i.claims(t, nil)),
		"other claims":              parts[0] + "." + encoded(i.claims(t, map[string]any{"sub": "repo:shop/x"})) + "." + parts[2],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"oversized":                 i.signed(t, map[string]any{"pad": strings.Repeat("x", 20<<10)}),
		"no subject":                i.signed(t, map[string]any{"sub": nil}),
		"a subject of brackets":     i.signed(t, map[string]any{"sub": "repo:shop/(unverified)"}),
		"a name nobody proved":      i.signed(t, map[string]any{"sub": "local:ann", "groups": []string{"people"}}),
		"no role":                   i.signed(t, map[string]any{"ref": "refs/heads/topic"}),
		"a ref that begins like it": i.signed(t, map[string]any{"ref": "refs/heads/mainline"}),
		"another organisation":      i.signed(t, map[string]any{"sub": "repo:shopping/checkout"}),
		"dots":                      "..",
		"its own key with it":       headed(other, `{"alg":"RS256","jwk":`+ownKey+`}`, i.claims(t, nil)),
		"its own key by that name":  headed(other, `{"alg":"RS256","kid":"one","jwk":`+ownKey+`}`, i.claims(t, nil)),
		"keys from elsewhere":       headed(other, `{"alg":"RS256","kid":"one","jku":"https://evil.example/keys","x5u":"https://evil.example/x5u"}`, i.claims(t, nil)),
		"no kid, another's key":     headed(other, `{"alg":"RS256"}`, i.claims(t, nil)),
		"a kid that is a path":      headed(other, `{"alg":"RS256","kid":"../../../../dev/null"}`, i.claims(t, nil)),
		"what nobody here knows":    headed(i.key, `{"alg":"RS256","kid":"one","crit":["strict"],"strict":true}`, i.claims(t, nil)),
		"rs256":                     headed(i.key, `{"alg":"rs256","kid":"one"}`, i.claims(t, nil)),
		"another way of signing":    headed(i.key, `{"alg":"PS256","kid":"one"}`, i.claims(t, nil)),
		"one token in another":      headed(i.key, `{"alg":"RS256","kid":"one","cty":"JWT"}`, good),
		"iss of several":            i.signed(t, map[string]any{"iss": []string{i.url}}),
		"aud of others":             i.signed(t, map[string]any{"aud": []string{"one", "two"}, "azp": "mooring"}),
		"exp before there was time": i.signed(t, map[string]any{"exp": -1}),
		"padding":                   good + "==",
	} {
		i.now, i.book.kept = i.now.Add(3*time.Second), nil // thirty a minute are kept
		if code := i.sync(bad); code != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, code)
		}
		if len(i.book.kept) != 1 || i.book.kept[0].Code != "unauthenticated" || !strings.Contains(i.book.kept[0].Detail, "proves nobody") {
			t.Errorf("%s: %+v", name, i.book.kept)
			continue
		}
		if part := strings.Split(bad, ".")[1]; part != "" && strings.Contains(i.book.kept[0].Detail, part) {
			t.Errorf("%s: the record holds the token", name)
		}
	}
	if len(i.fake.asked) != 1 {
		t.Errorf("done: %v", i.fake.asked)
	}
	if code := ask(serve(t, &fake{}, func(o *Options) { o.InsecureLoopback = true }), "GET", "/api/v1/status", "", "Authorization", "Bearer "+good).Code; code != http.StatusUnauthorized {
		t.Errorf("a token of an issuer nobody named, where nobody is asked for one: %d", code)
	}
}

func TestSignedTokensGiveTheRolesOfTheirClaims(t *testing.T) {
	i := issues(t)
	robot := i.signed(t, nil)
	human := i.signed(t, map[string]any{"sub": "ann", "ref": nil, "groups": []string{"people", "shop"}})
	for name, c := range map[string]struct {
		bearer, method, target string
		want                   int
	}{
		"a robot syncs its environment":  {robot, "POST", "/api/v1/environments/preview/sync", 200},
		"a robot syncs another":          {robot, "POST", "/api/v1/environments/production/sync", 403},
		"somebody of a group sees":       {human, "GET", "/api/v1/environments/production/plan", 200},
		"somebody of a group acts":       {human, "POST", "/api/v1/environments/preview/sync", 403},
		"a token for several":            {i.signed(t, map[string]any{"aud": []string{"another", "mooring"}, "azp": "another"}), "POST", "/api/v1/environments/preview/sync", 200},
		"a session of a token is no way": {human, "GET", "/login?token=" + human, 401},
	} {
		if w := ask(i.h, c.method, c.target, "{}", "Authorization", "Bearer "+c.bearer); w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.want)
		}
	}
}

// An issuer that is away shuts nobody out whose key is known, and whoever has a
// token of the daemon's needs none; new keys are found; and nobody makes us ask
// the issuer without end.
func TestIssuersMayBeAwayAndChangeKeys(t *testing.T) { synctest.Test(t, issuerAwayAndChanged) }

func issuerAwayAndChanged(t *testing.T) {
	i := issues(t)
	// New keys are kept a moment after who waited for them went on.
	sync := func(bearer string) int { defer synctest.Wait(); return i.sync(bearer) }
	i.away.Store(true)
	if code := sync(i.signed(t, nil)); code != http.StatusUnauthorized {
		t.Errorf("keys that nobody knows: %d", code)
	}
	if code := sync("the-token"); code != http.StatusOK {
		t.Errorf("the daemon's own token while the issuer is away: %d", code)
	}
	i.away.Store(false)
	i.now = i.now.Add(time.Minute)
	if code := sync(i.signed(t, nil)); code != http.StatusOK {
		t.Fatalf("the issuer is back: %d", code)
	}
	i.away.Store(true)
	i.now = i.now.Add(time.Hour)
	if code := sync(i.signed(t, nil)); code != http.StatusOK {
		t.Errorf("keys that are known, the issuer away: %d", code)
	}
	i.away.Store(false)
	next := newKey(t)
	i.issuer.PublicKeys = []oidctest.PublicKey{{PublicKey: next.Public(), KeyID: "two", Algorithm: oidc.RS256}}
	i.now = i.now.Add(time.Minute)
	if code := sync(oidctest.SignIDToken(next, "two", oidc.RS256, i.claims(t, nil))); code != http.StatusOK {
		t.Errorf("a new key: %d", code)
	}
	i.now = i.now.Add(time.Minute)
	if code := sync(i.signed(t, nil)); code != http.StatusUnauthorized {
		t.Errorf("a key that was taken back: %d", code)
	}
	i.now = i.now.Add(time.Minute)
	before := i.asked.Load()
	for range 50 {
		sync(oidctest.SignIDToken(next, "three", oidc.RS256, i.claims(t, nil)))
	}
	if n := i.asked.Load() - before; n > 1 {
		t.Errorf("the issuer was asked %d times for 50 unknown keys", n)
	}
}

// A key that its issuer took back proves nobody once ten minutes have passed, also
// where no other key was seen since; an issuer that cannot be asked, or says
// something else, keeps its word for a day and no longer.
func TestAKeyTakenBackProvesNobody(t *testing.T) { synctest.Test(t, keyTakenBack) }

func keyTakenBack(t *testing.T) {
	i := issues(t)
	next := newKey(t)
	want := func(what string, after time.Duration, key *rsa.PrivateKey, kid string, code int) {
		t.Helper()
		i.now = i.now.Add(after)
		if got := i.sync(oidctest.SignIDToken(key, kid, oidc.RS256, i.claims(t, nil))); got != code {
			t.Errorf("%s: %d, want %d; %+v", what, got, code, i.book.kept[len(i.book.kept)-1])
		}
		synctest.Wait()
	}
	want("a key", 0, i.key, "one", http.StatusOK)
	i.issuer.PublicKeys = []oidctest.PublicKey{{PublicKey: next.Public(), KeyID: "two", Algorithm: oidc.RS256}}
	want("ten minutes less", 10*time.Minute-time.Second, i.key, "one", http.StatusOK)
	if n := i.asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times for what is known, want 2", n)
	}
	want("ten minutes after", time.Second, i.key, "one", http.StatusUnauthorized)
	want("the key in its place", time.Minute, next, "two", http.StatusOK)

	i.away.Store(true)
	want("away", time.Hour, next, "two", http.StatusOK)
	if want("away, another key", time.Second, i.key, "one", http.StatusUnauthorized); !strings.Contains(i.book.kept[len(i.book.kept)-1].Detail, "nobody answers") {
		t.Errorf("why an issuer was not heard is not told: %+v", i.book.kept[len(i.book.kept)-1])
	}
	i.away.Store(false)
	i.mended.Store(true)
	want("a page that says that it is being mended", 20*time.Hour, next, "two", http.StatusOK)
	want("that for a day", 3*time.Hour, next, "two", http.StatusUnauthorized)
	i.mended.Store(false)
	want("back", time.Minute, next, "two", http.StatusOK)
}
