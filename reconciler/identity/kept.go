package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// kept remembers what issuers said last, and says it again for keysLast while
// they cannot be asked (stale-if-error of RFC 5861). What it never heard it has to
// ask for.
type kept struct {
	now    func() time.Time
	client *http.Client

	mu   sync.Mutex
	said map[string]word // by address
}

// word of an issuer's.
type word struct {
	body  []byte
	heard time.Time
	fault error // of a later try; nil: there was none
}

// RoundTrip implements http.RoundTripper.
func (k *kept) RoundTrip(r *http.Request) (*http.Response, error) {
	address := r.URL.String()
	last, known := k.last(address)
	if known { // nobody waits long for what is known
		ctx, cancel := context.WithTimeout(r.Context(), againTime)
		defer cancel()
		r = r.WithContext(ctx)
	}
	resp, body, err := k.ask(r)
	if err == nil && !of(resp, body) { // whose text is repeated to nobody
		err = fmt.Errorf("it answers %s, and says nothing of an issuer", resp.Status)
	}
	switch {
	case err == nil:
		k.keep(address, word{body: body, heard: k.now()})
	case !known:
		return nil, err
	default:
		if !errors.Is(err, errPaced) {
			last.fault = err
			k.keep(address, last)
		}
		resp, body = &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}, last.body
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// ask an issuer, and read its answer whole.
func (k *kept) ask(r *http.Request) (*http.Response, []byte, error) {
	again := r.Clone(r.Context())
	again.RequestURI = ""
	resp, err := k.client.Do(again)
	var failed *url.Error
	switch {
	case errors.As(err, &failed): // whose address who asked says too
		return nil, nil, failed.Err
	case err != nil:
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	return resp, body, nil
}

// of: the answer is what an issuer says of itself, or its keys, were it none.
// Whatever else it is, as a page that says that it is being mended, takes nothing
// back.
func of(resp *http.Response, body []byte) bool {
	var said struct {
		Issuer string             `json:"issuer"`
		Keys   *[]json.RawMessage `json:"keys"`
	}
	return resp.StatusCode == http.StatusOK && json.Unmarshal(body, &said) == nil && (said.Issuer != "" || said.Keys != nil)
}

// last word from an address, if it still counts.
func (k *kept) last(address string) (word, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w, known := k.said[address]
	return w, known && k.now().Sub(w.heard) < keysLast
}

func (k *kept) keep(address string, w word) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.said[address] = w
}

// fault of the last try at an address whose word of before is still given; nil
// where there was none.
func (k *kept) fault(address string) error {
	w, _ := k.last(address)
	if w.fault == nil {
		return nil
	}
	return fmt.Errorf("its keys are those of %s, since then: %w", w.heard.UTC().Format(time.RFC3339), w.fault)
}
