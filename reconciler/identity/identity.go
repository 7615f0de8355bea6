// Package identity proves people and robots by tokens that an OpenID Connect
// issuer signed. It refuses whatever is not signed by a key of the issuer that
// it names, for this daemon, now; and knows nobody whom the control branch does
// not give a role.
package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/egress"
	"mooring.dev/sources/manifest"
)

// Bounds.
const (
	maxToken  = 16 << 10 // bytes
	maxName   = 200
	fetchTime = 10 * time.Second
	// fetchPause is the least time between two requests to one address of an
	// issuer: whoever sends tokens with unknown keys does not make us ask more.
	fetchPause = 10 * time.Second
	// keysAge is how old what an issuer said may be before it is asked anew: a key
	// that it took back proves nobody after that.
	keysAge = 10 * time.Minute
	// keysLast is how long its word is good while it cannot be asked.
	keysLast = 24 * time.Hour
	// againTime is how long it is waited for where its word of before is good.
	againTime = 3 * time.Second
	maxAnswer = 1 << 20 // bytes of an issuer's answer
)

// algorithms are those of key pairs: what verifies cannot sign.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// ErrUnknown: a token proves nobody.
var ErrUnknown = errors.New("token proves nobody")

// Verifier proves people by tokens. What an issuer says of itself and its keys is
// asked anew after keysAge: while it is away, tokens signed by keys that are known
// go on being good for keysLast. Safe for concurrent use.
type Verifier struct {
	now    func() time.Time
	kept   *kept
	client *http.Client // for what an issuer says of itself, and its keys
	codes  *http.Client // for taking codes up

	mu      sync.Mutex
	issuers map[string]*issuer
}

// issuer is what is known of one.
type issuer struct {
	mu       sync.Mutex
	provider *oidc.Provider
	found    time.Time
}

// New makes a verifier; through is how issuers are reached, nil for the usual
// that asks no machine's metadata.
func New(now func() time.Time, through http.RoundTripper) *Verifier {
	if through == nil {
		through = egress.Transport(fetchTime)
	}
	p := &paced{now: now, through: bounded{through}, asked: map[string]time.Time{}}
	k := &kept{now: now, client: &http.Client{Transport: p, Timeout: fetchTime}, said: map[string]word{}}
	return &Verifier{
		now: now, kept: k, client: &http.Client{Transport: k}, issuers: map[string]*issuer{},
		// A code and a secret go to no other place than the one that was named.
		codes: &http.Client{Transport: bounded{through}, Timeout: fetchTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// Looks tells whether a bearer has the form of a signed token.
func Looks(bearer string) bool { return strings.Count(bearer, ".") == 2 }

// Person whom a token proves, by those who are known; ErrUnknown and why otherwise.
func (v *Verifier) Person(ctx context.Context, known manifest.Identity, raw string) (access.Person, error) {
	if len(raw) > maxToken {
		return access.Person{}, fmt.Errorf("%w: it has more than %d bytes", ErrUnknown, maxToken)
	}
	named, err := issuerOf(raw)
	if err != nil {
		return access.Person{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	fault := errors.New("its issuer is not one of mooring.yaml")
	for _, of := range known.Issuers {
		if of.URL != named {
			continue
		}
		claims, err := v.verify(ctx, of, raw)
		if err != nil {
			fault = err
			continue
		}
		return person(known, of, claims)
	}
	return access.Person{}, fmt.Errorf("%w: %w", ErrUnknown, fault)
}

// issuerOf is what a token says of itself, which proves nothing yet.
func issuerOf(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", errors.New("it is no signed token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errors.New("its claims cannot be read")
	}
	var said struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &said) != nil {
		return "", errors.New("its claims cannot be read")
	}
	return said.Issuer, nil
}

// verify holds a token against its issuer's keys, audience and times.
func (v *Verifier) verify(ctx context.Context, of manifest.Issuer, raw string) (map[string]any, error) {
	if of.Audience == "" {
		return nil, errors.New("no audience is configured")
	}
	token, err := v.token(ctx, of.URL, of.Audience, raw)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	return claims, nil
}

// token that an issuer signed, for an audience, and that is good now.
func (v *Verifier) token(ctx context.Context, issuer, audience, raw string) (*oidc.IDToken, error) {
	provider, err := v.provider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	token, err := provider.Verifier(&oidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms, Now: v.now}).Verify(ctx, raw)
	if err == nil {
		return token, nil
	}
	var said struct {
		Keys string `json:"jwks_uri"`
	}
	if provider.Claims(&said) == nil && v.kept.fault(said.Keys) != nil {
		return nil, fmt.Errorf("%w; %w", err, v.kept.fault(said.Keys))
	}
	return nil, err
}

// provider of an issuer, with its keys: found anew after keysAge, for which who
// asks then waits.
func (v *Verifier) provider(ctx context.Context, url string) (*oidc.Provider, error) {
	v.mu.Lock()
	i := v.issuers[url]
	if i == nil {
		i = &issuer{}
		v.issuers[url] = i
	}
	v.mu.Unlock()
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := v.now(); i.provider != nil && now.Sub(i.found) < keysAge && !now.Before(i.found) {
		return i.provider, nil
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), v.client), fetchTime)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("ask issuer %s: %w", url, err)
	}
	i.provider, i.found = provider, v.now()
	return provider, nil
}

// Reach asks an issuer for its keys' place, as the first token of it would.
func (v *Verifier) Reach(ctx context.Context, of manifest.Issuer) error {
	_, err := v.provider(ctx, of.URL)
	return err
}

// person is who has those claims, with what they give. A name that an issuer
// gives is that issuer's, unless somebody is said to be known there.
func person(known manifest.Identity, of manifest.Issuer, claims map[string]any) (access.Person, error) {
	name, _ := claims[of.Name].(string)
	subject, _ := claims["sub"].(string)
	switch {
	case subject == "":
		return access.Person{}, fmt.Errorf("%w: it has no subject", ErrUnknown)
	case name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r == '(' || r == ')' }):
		return access.Person{}, fmt.Errorf("%w: claim %s is no name of at most %d characters, without spaces, brackets and what is not seen", ErrUnknown, of.Name, maxName)
	case of.Name == "email" && slices.Contains(texts(claims["email_verified"]), "false"):
		return access.Person{}, fmt.Errorf("%w: claim email is one that its issuer did not verify", ErrUnknown)
	case strings.HasPrefix(name, "local:"), strings.HasPrefix(name, "token:"):
		return access.Person{}, fmt.Errorf("%w: claim %s looks like a name that nobody proved", ErrUnknown, of.Name)
	}
	proof := "oidc:" + of.URL + "|" + subject
	p := access.Person{Name: name, Identity: proof, Verified: true, Proof: proof, Teams: texts(claims[of.Teams])}
	if verified, _ := claims["email_verified"].(bool); verified {
		p.Emails = texts(claims["email"])
	}
	if who, ok := known.At(of.URL, subject); ok {
		p.Name, p.Identity, p.Emails = who.Name, "", append(p.Emails, who.Emails...)
	}
	for _, r := range of.Roles {
		if gives(r, claims) {
			p.Grants = append(p.Grants, access.Grant{Role: access.Role(r.Role), Environments: r.Environments})
		}
	}
	if len(p.Grants) == 0 {
		return access.Person{}, fmt.Errorf("%w: %s has none of the claims that give a role", ErrUnknown, name)
	}
	return p, nil
}

// gives: the claims have all that a role wants; a role that wants nothing gives
// nothing.
func gives(r manifest.IssuerRole, claims map[string]any) bool {
	for name, want := range r.Claims {
		found := false
		for _, has := range texts(claims[name]) {
			rest, open := strings.CutSuffix(want, "*")
			found = found || has == want || open && strings.HasPrefix(has, rest)
		}
		if !found {
			return false
		}
	}
	return len(r.Claims) > 0
}

// texts of a claim: itself, or those of a list.
func texts(claim any) []string {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case bool:
		return []string{fmt.Sprint(c)}
	case []any:
		var out []string
		for _, v := range c {
			if s, ok := v.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
