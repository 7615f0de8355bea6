package identity

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// errPaced: the address was not asked.
var errPaced = errors.New("was asked a moment ago")

// paced asks each address no more often than every fetchPause.
type paced struct {
	now     func() time.Time
	through http.RoundTripper

	mu    sync.Mutex
	asked map[string]time.Time
}

// RoundTrip implements http.RoundTripper.
func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	address, now := r.URL.String(), p.now()
	p.mu.Lock()
	last, before := p.asked[address]
	wait := before && now.Sub(last) < fetchPause && !now.Before(last)
	if !wait {
		p.asked[address] = now
	}
	p.mu.Unlock()
	if wait {
		return nil, fmt.Errorf("%s %w", address, errPaced)
	}
	return p.through.RoundTrip(r)
}

// bounded reads no answer without end.
type bounded struct{ through http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.through.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}
