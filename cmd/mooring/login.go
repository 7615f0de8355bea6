package main

import (
	"cmp"
	"net/netip"
	"net/url"
	"strings"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/identity"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// logins are the ways in by issuers, for a page that is reached at an address.
func logins(v *identity.Verifier, keys *secrets, known func() manifest.Identity, page string) identity.Logins {
	return identity.Logins{
		Verifier: v, Known: known, Back: func(way string) string { return page + web.Back(way) },
		Secret: keys.value,
	}
}

// knownTokens are the personal tokens, of the people they are said to be of.
func knownTokens(state string, known manifest.Identity) (access.Tokens, error) {
	ts, err := readTokens(state)
	if err != nil {
		return nil, err
	}
	return ts.Known(func(name string) (string, []string) {
		p, _ := known.Holder(name)
		return p.Name, p.Emails
	}), nil
}

// reachedAt is where people reach the page of a daemon that listens at an
// address, as far as they can log in there by an issuer: by https, or on this
// machine. Else "".
func (f *runFlags) reachedAt(listens string) string {
	page := strings.TrimSuffix(cmp.Or(f.pageURL, f.address(), listens), "/")
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.Scheme != "https" && !onLoopback(u.Hostname()) {
		return ""
	}
	return page
}

// onLoopback: a host's name is this machine's for itself.
func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
