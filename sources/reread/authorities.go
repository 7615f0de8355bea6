package reread

import (
	"crypto/x509"
	"errors"
)

// Authorities parses a PEM file of authorities (Spec.Parse): they and the machine's
// own are trusted.
func Authorities(pem []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no PEM certificate is in it")
	}
	return pool, nil
}
