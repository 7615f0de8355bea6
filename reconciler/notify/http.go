package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mooring.dev/reconciler/egress"
)

// Secret gives a value that stays out of the configuration; it is asked at
// every use, so that a rotated one is taken up. Its errors must not hold the
// value.
type Secret func() (string, error)

const (
	requestTimeout = 10 * time.Second
	longestAsked   = time.Hour // what a receiver may ask us to wait
)

// client follows no redirect: a receiver's body and signature go only where
// the configuration says, and never to where a machine's credentials are.
func client(base http.RoundTripper) *http.Client {
	if base == nil {
		t := egress.Transport(requestTimeout)
		t.DisableKeepAlives = true // messages are rare, and receivers come and go
		base = t
	}
	return &http.Client{Transport: base, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// request is one POST, of JSON where the header does not say otherwise.
type request struct {
	url    string
	body   []byte
	header http.Header
}

// post sends and classifies. Errors name the receiver's host at most: a URL is
// often a secret, and what a server answers is not ours to repeat.
func post(ctx context.Context, c *http.Client, r request) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return Permanent(errors.New("notify: the receiver's URL is not an http or https address"))
	}
	req.Header = r.header
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "mooring")
	response, err := c.Do(req)
	if errors.Is(err, egress.ErrRefused) {
		return Permanent(fmt.Errorf("notify %s: %w", req.URL.Host, egress.ErrRefused))
	}
	if err != nil {
		return fmt.Errorf("notify %s: %w", req.URL.Host, bare(err))
	}
	defer func() { _ = response.Body.Close() }() // nothing is lost with it
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return classify(req.URL.Host, response)
}

// bare takes the URL off an error of net/http.
func bare(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		if with.Timeout() {
			return errors.New("no answer in time")
		}
		return bare(with.Err)
	}
	return err
}

func classify(host string, response *http.Response) error {
	code := response.StatusCode
	err := fmt.Errorf("notify %s: answered %d %s", host, code, http.StatusText(code))
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		if wait := retryAfter(response.Header.Get("Retry-After")); wait > 0 {
			return Later(err, min(longestAsked, wait))
		}
		return err
	default:
		return Permanent(err)
	}
}

// retryAfter is how long a receiver asks us to wait: in seconds, or until a
// date. 0 where it does not say.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(seconds, int(longestAsked/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return time.Until(at)
	}
	return 0
}

// read asks for a secret and says which one could not be read. It may be
// there at the next try.
func read(what string, secret Secret) (string, error) {
	value, err := secret()
	if err != nil {
		return "", fmt.Errorf("notify: read the %s: %w", what, err)
	}
	return value, nil
}
