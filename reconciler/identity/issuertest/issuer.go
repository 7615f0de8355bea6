// Package issuertest is an OpenID Connect issuer in this process that people
// log in at, and that holds its clients to the rules: a registered place to
// return to, PKCE, a code that is good once. It is for tests only, which can
// make it lie.
package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
)

// Issuer is one. What it is told is told before it is asked.
type Issuer struct {
	URL       string
	Client    string
	Secret    string // "" of a public client
	Redirects []string
	People    map[string]map[string]any // claims by login
	Now       func() time.Time

	// What it lies in; nil: nothing.
	SaysOfItself func(map[string]any) // discovery
	SendsBack    func(url.Values)     // what a browser brings back
	Signs        func(map[string]any) // claims
	Answers      func(map[string]any) // to who takes a code up
	Fails        int                  // the status of that answer
	SignsWith    crypto.PrivateKey    // another's key

	key  *ecdsa.PrivateKey
	keys *oidctest.Server

	mu     sync.Mutex
	codes  map[string]grant
	events []string
}

// grant is what a code stands for.
type grant struct {
	person, redirect, challenge, nonce string
	taken                              bool
}

// Start begins one until the test ends.
func Start(t testing.TB, i *Issuer) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.key, i.codes = key, map[string]grant{}
	i.keys = &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: oidc.ES256}}, Algorithms: []string{oidc.ES256}}
	if i.Now == nil {
		i.Now = time.Now
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.itself)
	mux.Handle("GET /keys", i.keys)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	i.URL = s.URL
	i.keys.SetIssuer(s.URL)
	return i
}

// Heard is what it refused, oldest first.
func (i *Issuer) Heard() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.events)
}

func (i *Issuer) itself(w http.ResponseWriter, _ *http.Request) {
	said := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{oidc.ES256},
		"code_challenge_methods_supported": []string{"S256"}, "authorization_response_iss_parameter_supported": true,
	}
	if i.SaysOfItself != nil {
		i.SaysOfItself(said)
	}
	answer(w, http.StatusOK, said)
}

var asks = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Issuer</title><main><h1>Who are you?</h1>
<form>{{range $k, $v := .}}<input type="hidden" name="{{$k}}" value="{{index $v 0}}">{{end}}
<label>name <input name="as" autofocus></label><button>Go on</button></form></main>`))

// authorize asks who somebody is, and sends them back with a code.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, want := range map[string]bool{
		"client_id": q.Get("client_id") == i.Client, "redirect_uri": slices.Contains(i.Redirects, q.Get("redirect_uri")), "response_type": q.Get("response_type") == "code",
		"scope": slices.Contains(strings.Fields(q.Get("scope")), "openid"), "code_challenge_method": q.Get("code_challenge_method") == "S256",
		"code_challenge": len(q.Get("code_challenge")) == 43, "state": len(q.Get("state")) >= 22, "nonce": len(q.Get("nonce")) >= 22,
	} {
		if !want {
			i.refuse(w, "invalid_request: "+name)
			return
		}
	}
	if !q.Has("as") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = asks.Execute(w, q) // a browser that left needs none
		return
	}
	back := url.Values{"state": {q.Get("state")}, "iss": {i.URL}}
	if person := q.Get("as"); i.People[person] == nil {
		back.Set("error", "access_denied")
		back.Set("error_description", "<script>alert(1)</script> nobody of that name")
	} else {
		code := rand.Text()
		i.mu.Lock()
		i.codes[code] = grant{person: person, redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), nonce: q.Get("nonce")}
		i.mu.Unlock()
		back.Set("code", code)
	}
	if i.SendsBack != nil {
		i.SendsBack(back)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token gives for a code what it stands for, once.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	if i.Fails != 0 {
		answer(w, i.Fails, map[string]any{"error": "<b>invalid_thing</b>", "error_description": "a text of the issuer's"})
		return
	}
	code := r.PostFormValue("code")
	client, secret, basic := r.BasicAuth()
	if basic { // which are encoded as in a form
		client, _ = url.QueryUnescape(client)
		secret, _ = url.QueryUnescape(secret)
	} else {
		client, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	i.mu.Lock()
	g, known := i.codes[code]
	was := g.taken
	g.taken = true
	if known {
		i.codes[code] = g
	}
	i.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case client != i.Client || secret != i.Secret:
		i.refuse(w, "invalid_client")
	case !known || was || r.PostFormValue("grant_type") != "authorization_code":
		i.refuse(w, "invalid_grant")
	case g.redirect != r.PostFormValue("redirect_uri"), g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		i.refuse(w, "invalid_grant")
	default:
		i.give(w, g)
	}
}

// give signs who somebody is.
func (i *Issuer) give(w http.ResponseWriter, g grant) {
	claims := map[string]any{"iss": i.URL, "aud": i.Client, "sub": "id-" + g.person, "nonce": g.nonce, "iat": i.Now().Unix(), "exp": i.Now().Add(5 * time.Minute).Unix()}
	maps.Copy(claims, i.People[g.person])
	if i.Signs != nil {
		i.Signs(claims)
	}
	said := map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 300, "id_token": i.Sign(claims)}
	if i.Answers != nil {
		i.Answers(said)
	}
	answer(w, http.StatusOK, said)
}

// Sign makes a token of these claims.
func (i *Issuer) Sign(claims map[string]any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		panic(fmt.Sprintf("issuertest: claims: %v", err))
	}
	if i.SignsWith != nil {
		return oidctest.SignIDToken(i.SignsWith, "one", oidc.ES256, string(text))
	}
	return oidctest.SignIDToken(i.key, "one", oidc.ES256, string(text))
}

func (i *Issuer) refuse(w http.ResponseWriter, why string) {
	i.mu.Lock()
	i.events = append(i.events, why)
	i.mu.Unlock()
	code, _, _ := strings.Cut(why, ":")
	answer(w, http.StatusBadRequest, map[string]any{"error": code})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who left needs no answer
}
