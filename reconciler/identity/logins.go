package identity

import (
	"context"
	"fmt"
	"net/url"

	"mooring.dev/reconciler/access"
	"mooring.dev/sources/manifest"
)

// Logins are the ways in to the page that mooring.yaml names.
type Logins struct {
	Verifier *Verifier
	Known    func() manifest.Identity // those of now
	// Back is where the issuer of a way in sends people back to.
	Back func(way string) string
	// Secret reads a client's secret, anew at each use.
	Secret func(manifest.Secret) (string, error)
}

// Ways in, in the order of mooring.yaml.
func (l Logins) Ways() (out []access.Way) {
	for _, of := range l.Known().Issuers {
		if of.Login != nil {
			out = append(out, access.Way{Name: of.Login.Name, Label: of.Login.Shown()})
		}
	}
	return out
}

// Begin is the address where a browser logs in.
func (l Logins) Begin(ctx context.Context, way string, a access.Attempt) (string, error) {
	c, err := l.client(way)
	if err != nil {
		return "", err
	}
	return l.Verifier.Begin(ctx, c, a)
}

// Finish is who came back with an answer, for as long as mooring.yaml gives them
// a role.
func (l Logins) Finish(ctx context.Context, way string, a access.Attempt, answer url.Values) (access.Login, error) {
	c, err := l.client(way)
	if err != nil {
		return access.Login{}, err
	}
	proved, err := l.Verifier.Finish(ctx, c, a, answer)
	if err != nil {
		return access.Login{}, err
	}
	return access.Login{Ends: proved.Ends, Person: func() (access.Person, error) { return Still(l.Known(), proved) }}, nil
}

// client is this daemon at the issuer of a way in.
func (l Logins) client(way string) (Client, error) {
	for _, of := range l.Known().Issuers {
		if of.Login == nil || of.Login.Name != way {
			continue
		}
		c, err := l.Of(of)
		if err != nil {
			return Client{}, &access.NoLogin{Kind: access.Away, Why: err}
		}
		return c, nil
	}
	return Client{}, &access.NoLogin{Kind: access.Broken, Why: fmt.Errorf("no issuer has a login %q", way)}
}

// Of is this daemon as a client of an issuer that has a login.
func (l Logins) Of(of manifest.Issuer) (Client, error) {
	c := Client{Issuer: of, Redirect: l.Back(of.Login.Name)}
	if of.Login.Secret == nil {
		return c, nil
	}
	secret, err := l.Secret(*of.Login.Secret)
	switch {
	case err != nil:
		return Client{}, fmt.Errorf("read the secret of login %s: %w", of.Login.Name, err)
	case secret == "":
		return Client{}, fmt.Errorf("the secret of login %s is empty", of.Login.Name)
	}
	c.Secret = secret
	return c, nil
}
