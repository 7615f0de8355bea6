package diagnose

// Issuer is one whose signed tokens prove people, as far as it was asked.
type Issuer struct {
	URL string
	Err error // it did not say where its keys are
}

// OfIssuer judges whether tokens of an issuer can be proved.
func OfIssuer(i Issuer) Check {
	s := subject{"issuer", i.URL}
	if i.Err != nil {
		return s.fault("let the daemon reach the issuer, and name it as its own /.well-known/openid-configuration does; personal tokens go on working meanwhile", "it cannot be asked for its keys: %v", i.Err)
	}
	return s.ok("says where its keys are")
}

// Login is the page's way in by an issuer, as far as it can be seen without a
// person. Whether the issuer knows this client shows at the first login.
type Login struct {
	Name   string
	Back   string // below the page: where the issuer has to let people return to
	Secret bool   // the client has one
	Err    error
	Unsaid bool // Err: only that the issuer does not say that it takes PKCE
}

// OfLogin judges whether people can log in to the page by an issuer.
func OfLogin(l Login) Check {
	s := subject{"login", l.Name}
	switch {
	case l.Unsaid:
		return s.warning("look at the issuer's settings; Mooring sends S256 whatever it says", "%v; people return to PAGE%s", l.Err, l.Back)
	case l.Err != nil:
		return s.fault("mend the client at the issuer, or its secret; people log in with tokens meanwhile", "nobody can log in: %v", l.Err)
	case l.Secret:
		return s.ok("the issuer takes PKCE and the client's secret can be read; it must let people return to PAGE%s, PAGE being --page-url", l.Back)
	}
	return s.ok("the issuer takes PKCE; the client is a public one, and the issuer must let people return to PAGE%s, PAGE being --page-url", l.Back)
}
