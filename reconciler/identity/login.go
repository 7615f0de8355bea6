package identity

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mooring.dev/reconciler/access"
	"mooring.dev/sources/manifest"
)

// Client is this daemon as a client of an issuer that has a login.
type Client struct {
	Issuer   manifest.Issuer
	Secret   string // "" of a public client
	Redirect string // where the issuer sends people back to
}

// Proved is what an issuer said of somebody who logged in.
type Proved struct {
	issuer, login string // by which
	client        string
	claims        map[string]any
	Ends          time.Time
}

// said is what an issuer tells of itself beside the places of its keys.
type said struct {
	Challenges  []string `json:"code_challenge_methods_supported"`
	Auth        []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself bool     `json:"authorization_response_iss_parameter_supported"`
}

// Begin is the address a browser is sent to, to log in.
func (v *Verifier) Begin(ctx context.Context, c Client, a access.Attempt) (string, error) {
	config, _, err := v.config(ctx, c)
	if err != nil {
		return "", err
	}
	return config.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// config of a client, with what its issuer says of itself.
func (v *Verifier) config(ctx context.Context, c Client) (*oauth2.Config, said, error) {
	if c.Issuer.Login == nil {
		return nil, said{}, &access.NoLogin{Kind: access.Broken, Why: fmt.Errorf("issuer %s has no login", c.Issuer.URL)}
	}
	provider, err := v.provider(ctx, c.Issuer.URL)
	if err != nil {
		return nil, said{}, &access.NoLogin{Kind: access.Away, Why: err}
	}
	var s said
	if err := provider.Claims(&s); err != nil {
		return nil, said{}, &access.NoLogin{Kind: access.Away, Why: fmt.Errorf("issuer %s: what it says of itself cannot be read: %w", c.Issuer.URL, err)}
	}
	end := provider.Endpoint()
	if err := usable(end, s); err != nil {
		return nil, said{}, &access.NoLogin{Kind: access.Away, Why: fmt.Errorf("issuer %s: %w", c.Issuer.URL, err)}
	}
	if end.AuthStyle, err = authStyle(c.Secret != "", s.Auth); err != nil {
		return nil, said{}, &access.NoLogin{Kind: access.Away, Why: fmt.Errorf("issuer %s: %w", c.Issuer.URL, err)}
	}
	scopes := []string{oidc.ScopeOpenID}
	for _, scope := range c.Issuer.Login.Scopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return &oauth2.Config{ClientID: c.Issuer.Login.Client, ClientSecret: c.Secret, Endpoint: end, RedirectURL: c.Redirect, Scopes: scopes}, s, nil
}

// usable: people and codes go to places that nobody on the way can be.
func usable(end oauth2.Endpoint, s said) error {
	for name, address := range map[string]string{"authorization_endpoint": end.AuthURL, "token_endpoint": end.TokenURL} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
			return fmt.Errorf("its %s is no address", name)
		}
		ip, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
		if u.Scheme != "https" && (u.Scheme != "http" || err != nil || !ip.IsLoopback()) {
			return fmt.Errorf("its %s is no https address", name)
		}
	}
	if len(s.Challenges) > 0 && !slices.Contains(s.Challenges, "S256") {
		return errors.New("it does not take PKCE's S256")
	}
	return nil
}

// authStyle is how a client proves itself. It is not tried out: a code is good
// once, also where the first try was refused.
func authStyle(secret bool, methods []string) (oauth2.AuthStyle, error) {
	switch {
	case !secret:
		return oauth2.AuthStyleInParams, nil
	case len(methods) == 0, slices.Contains(methods, "client_secret_basic"):
		return oauth2.AuthStyleInHeader, nil
	case slices.Contains(methods, "client_secret_post"):
		return oauth2.AuthStyleInParams, nil
	}
	return 0, errors.New("it takes no client by its secret (client_secret_basic, client_secret_post)")
}

// Finish takes an issuer's answer up: the person who came back with it, and has
// a role.
func (v *Verifier) Finish(ctx context.Context, c Client, a access.Attempt, answer url.Values) (Proved, error) {
	config, s, err := v.config(ctx, c)
	if err != nil {
		return Proved{}, err
	}
	code, err := codeOf(answer, c.Issuer.URL, a.State, s.NamesItself)
	if err != nil {
		return Proved{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, v.codes), fetchTime)
	defer cancel()
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return Proved{}, exchangeFault(err)
	}
	raw, _ := token.Extra("id_token").(string)
	claims, err := v.proven(ctx, c.Issuer, raw, a.Nonce)
	if err != nil {
		return Proved{}, &access.NoLogin{Kind: access.Broken, Why: err}
	}
	p := Proved{issuer: c.Issuer.URL, login: c.Issuer.Login.Name, client: c.Issuer.Login.Client, claims: claims.all, Ends: claims.ends}
	if long := time.Duration(c.Issuer.Login.Session); long > 0 {
		p.Ends = v.now().Add(long)
	}
	if _, err := person(manifest.Identity{}, c.Issuer, p.claims); err != nil {
		return Proved{}, &access.NoLogin{Kind: access.Roleless, Why: err}
	}
	return p, nil
}

// codeOf an answer, which must be this attempt's and this issuer's (RFC 9207).
func codeOf(answer url.Values, issuer, state string, names bool) (string, error) {
	broken := func(why string) (string, error) {
		return "", &access.NoLogin{Kind: access.Broken, Why: errors.New(why)}
	}
	for _, one := range []string{"state", "code", "iss", "error"} {
		if len(answer[one]) > 1 {
			return broken("the answer has more than one " + one)
		}
	}
	switch from := answer.Get("iss"); {
	case state == "" || !hmac.Equal([]byte(answer.Get("state")), []byte(state)):
		return broken("the answer is to another login")
	case answer.Has("iss") && from != issuer:
		return broken("the answer is another issuer's")
	case names && !answer.Has("iss"):
		return broken("the answer does not name its issuer, which says that it does")
	}
	if code := answer.Get("error"); code != "" {
		kind := access.Declined
		if code == "server_error" || code == "temporarily_unavailable" {
			kind = access.Away
		}
		return "", &access.NoLogin{Kind: kind, Why: errors.New("the issuer says " + known(code))}
	}
	if answer.Get("code") == "" {
		return broken("the answer has no code")
	}
	return answer.Get("code"), nil
}

// codes that issuers may answer with (RFC 6749, OpenID Connect). Others are
// anybody's text.
var answers = []string{
	"access_denied", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable",
	"interaction_required", "login_required", "account_selection_required", "consent_required",
	"invalid_client", "invalid_grant", "unsupported_grant_type",
}

func known(code string) string {
	if slices.Contains(answers, code) {
		return code
	}
	return "no, by no code of the standard"
}

// exchangeFault keeps of an issuer's refusal its code, and none of its text.
func exchangeFault(err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500:
		return &access.NoLogin{Kind: access.Broken, Why: fmt.Errorf("take the code up: the issuer says %s", known(refused.ErrorCode))}
	case errors.As(err, &refused):
		return &access.NoLogin{Kind: access.Away, Why: errors.New("take the code up: the issuer has a fault")}
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		return &access.NoLogin{Kind: access.Away, Why: fmt.Errorf("take the code up: %w", asked.Err)}
	}
	return &access.NoLogin{Kind: access.Broken, Why: errors.New("take the code up: the issuer's answer is no token")}
}

// claims of an ID token that was proved.
type claims struct {
	all  map[string]any
	ends time.Time
}

// proven holds an ID token against its issuer's keys, this client and this
// attempt.
func (v *Verifier) proven(ctx context.Context, of manifest.Issuer, raw, nonce string) (claims, error) {
	switch {
	case raw == "":
		return claims{}, errors.New("the issuer sent no ID token")
	case len(raw) > maxToken:
		return claims{}, fmt.Errorf("the ID token has more than %d bytes", maxToken)
	}
	client := of.Login.Client
	token, err := v.token(ctx, of.URL, client, raw)
	if err != nil {
		return claims{}, err
	}
	if nonce == "" || !hmac.Equal([]byte(token.Nonce), []byte(nonce)) {
		return claims{}, errors.New("the ID token is of another login")
	}
	out := claims{all: map[string]any{}, ends: token.Expiry}
	if err := token.Claims(&out.all); err != nil {
		return claims{}, fmt.Errorf("read claims: %w", err)
	}
	party, named := out.all["azp"]
	if named && party != client || !named && len(token.Audience) > 1 {
		return claims{}, errors.New("the ID token was given to another client")
	}
	return out, nil
}

// Still is who somebody is that logged in, by what mooring.yaml says now.
func Still(known manifest.Identity, p Proved) (access.Person, error) {
	for _, of := range known.Issuers {
		if of.URL == p.issuer && of.Login != nil && of.Login.Name == p.login && of.Login.Client == p.client {
			return person(known, of, p.claims)
		}
	}
	return access.Person{}, fmt.Errorf("%w: nobody logs in by that issuer any more", ErrUnknown)
}

// Able says what of an issuer stands in the way of logging in there; nil: nothing
// that can be seen without a person.
func (v *Verifier) Able(ctx context.Context, c Client) error {
	_, s, err := v.config(ctx, c)
	var no *access.NoLogin
	switch {
	case errors.As(err, &no):
		return no.Why
	case err == nil && len(s.Challenges) == 0:
		return ErrUnsaid
	}
	return err
}

// ErrUnsaid: an issuer does not say whether it takes PKCE. Most that do not say
// so do.
var ErrUnsaid = errors.New("it does not say that it takes PKCE (S256)")
