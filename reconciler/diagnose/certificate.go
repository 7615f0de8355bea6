package diagnose

import (
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

// Certificate is what the daemon speaks https with, as its files hold it, or
// as the daemon showed it.
type Certificate struct {
	From string // the file, or the address
	Leaf *x509.Certificate
	Err  error  // it cannot be used
	Page string // the host that people reach the page by; ""
	Now  time.Time
}

// endsSoon is when a certificate's end is worth telling, as the daemon's log does.
const endsSoon = 14 * 24 * time.Hour

// OfCertificate judges a certificate of the daemon's.
func OfCertificate(c Certificate) Check {
	s := subject{name: "certificate"}
	const renew = "have it renewed by whoever signed it, and put the new one in its place: the daemon takes it by itself"
	switch {
	case c.Err != nil:
		return s.fault("correct --tls-cert and --tls-key: PEM files, of one another, that the daemon's user may read", "%v", c.Err)
	case c.Now.After(c.Leaf.NotAfter):
		return s.fault(renew, "the certificate of %s ended on %s: browsers and clients refuse it", c.From, c.Leaf.NotAfter.Format(time.DateOnly))
	case c.Now.Before(c.Leaf.NotBefore):
		return s.fault("set the clock, or use a certificate that holds already", "the certificate of %s begins on %s only", c.From, c.Leaf.NotBefore.Format(time.DateTime))
	case c.Leaf.NotAfter.Sub(c.Now) < endsSoon:
		return s.warning(renew, "the certificate of %s ends on %s", c.From, c.Leaf.NotAfter.Format(time.DateOnly))
	}
	if name := stranger(c); name != "" {
		return s.warning("use a certificate of that name, or correct --page-url", "people are sent to %s, and the certificate of %s is of %s", name, c.From, orNothing(some(c.Leaf.DNSNames, ", ")))
	}
	return s.ok("the certificate of %s is good until %s", c.From, c.Leaf.NotAfter.Format(time.DateOnly))
}

// stranger is the page's name where the certificate is of another.
func stranger(c Certificate) string {
	var other x509.HostnameError
	if c.Page == "" || !errors.As(c.Leaf.VerifyHostname(strings.Trim(c.Page, "[]")), &other) {
		return ""
	}
	return c.Page
}
