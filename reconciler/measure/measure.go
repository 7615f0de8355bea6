// Package measure asks other systems over HTTP: a URL whose answer is held
// against assertions, a Prometheus whose query has one value. It refuses to
// judge, to try again, to follow a redirect to another host, and to put an
// address, a header or what was answered into an error.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"mooring.dev/reconciler/egress"
)

const (
	maxAnswer    = 1 << 20
	maxRedirects = 3
	// Timeout is how long is waited where the caller's context does not say.
	Timeout = 10 * time.Second
)

// ErrNoData: it was answered, and the answer holds no value. No data is
// neither good nor bad.
var ErrNoData = errors.New("no data")

// Client asks. Its zero value is not usable: take NewClient.
type Client struct{ http *http.Client }

// NewClient makes a client. With base nil connections go out over TCP, and
// link-local addresses, where clouds keep the credentials of their machines,
// are refused whatever a name resolves to.
func NewClient(base http.RoundTripper) *Client {
	if base == nil {
		base = egress.Transport(Timeout)
	}
	return &Client{&http.Client{Transport: base, CheckRedirect: sameHost}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// sameHost lets a server send us on within itself only: headers with secrets
// go nowhere the configuration does not name.
func sameHost(r *http.Request, via []*http.Request) error {
	switch first := via[0].URL; {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case r.URL.Host != first.Host || r.URL.Scheme != first.Scheme:
		return errors.New("redirected to another host")
	}
	return nil
}

// Request is one question.
type Request struct {
	URL    string
	Method string // "" is GET
	Header http.Header
	Body   []byte
}

// Answer is what came back, its body cut off at 1 MiB.
type Answer struct {
	Status int
	Body   []byte
}

// Ask puts one question. An error means that there was no whole answer.
func (c *Client) Ask(ctx context.Context, q Request) (Answer, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil || r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return Answer{}, errors.New("the URL is no http or https address")
	}
	for name, values := range q.Header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", "mooring")
	response, err := c.http.Do(r)
	if err != nil {
		return Answer{}, bare(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end, or its end is not wanted
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("read the answer: %w", bare(err))
	case len(body) > maxAnswer:
		return Answer{}, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return Answer{Status: response.StatusCode, Body: body}, nil
}

// bare takes the address off an error of net/http.
func bare(err error) error {
	var with *url.Error
	var op *net.OpError
	switch {
	case errors.As(err, &with) && with.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	case errors.As(err, &with):
		return with.Err
	}
	return err
}
