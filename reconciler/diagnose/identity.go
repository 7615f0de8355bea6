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
