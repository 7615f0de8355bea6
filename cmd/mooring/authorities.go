package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"mooring.dev/sources/reread"
)

// hostClient reaches the host of the repository: it trusts whom the repository's
// connections trust.
func (p *place) hostClient() *http.Client {
	t := &trusting{}
	if p.caFile != "" {
		t.pool = reread.Open(p.files, reread.Spec[*x509.CertPool]{What: "--ca-file", Path: p.caFile, Parse: reread.Authorities})
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: t}
}

// trusting is Go's usual way out, which trusts who is in a file as it is now,
// and says which flag names it.
type trusting struct {
	pool *reread.File[*x509.CertPool] // nil: who the machine trusts

	mu   sync.Mutex
	from *x509.CertPool
	way  *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *trusting) RoundTrip(r *http.Request) (*http.Response, error) {
	way := http.DefaultTransport
	if t.pool != nil {
		pool, err := t.pool.Get()
		if err != nil {
			return nil, err
		}
		way = t.through(pool)
	}
	resp, err := way.RoundTrip(r)
	if untrusted := (*tls.CertificateVerificationError)(nil); errors.As(err, &untrusted) {
		err = fmt.Errorf("%w; --ca-file names who is trusted besides this machine's authorities", err)
	}
	return resp, err
}

// through keeps connections for as long as the file says the same.
func (t *trusting) through(pool *x509.CertPool) *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.way == nil || t.from != pool {
		if t.way != nil {
			t.way.CloseIdleConnections()
		}
		t.from, t.way = pool, http.DefaultTransport.(*http.Transport).Clone()
		t.way.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return t.way
}

// CloseIdleConnections is what http.Client asks for.
func (t *trusting) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.way != nil {
		t.way.CloseIdleConnections()
	}
}
