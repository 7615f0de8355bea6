package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring.dev/sources"
)

// Error is an answer of a host that is no yes. It never holds a token.
type Error struct {
	Method, Path string
	Status       int
	Text         string // the host's words, cut
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// Unwrap makes the errors of the contract recognisable.
func (e *Error) Unwrap() error {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return sources.ErrUnauthorized
	case http.StatusNotFound:
		return sources.ErrNoHost
	}
	if e.Status >= 500 {
		return sources.ErrUnreachable
	}
	return nil
}

// statusOf is the host's status in an error; 0 when there is none.
func statusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// transport is the one way to a host: it adds the credentials, read anew at
// each request, keeps away while the host asks for it, and turns every refusal
// into an Error of one shape. It never tries again: who calls does, once.
type transport struct {
	next      http.RoundTripper
	token     func() (string, error)
	authorise func(h http.Header, token string)
	refused   func(token string) // told of one that is not taken; may be nil
	now       func() time.Time

	mu    sync.Mutex
	until time.Time // not to be asked before
}

// maxAnswer is the largest answer read, and maxWords what is kept of an error.
const (
	maxAnswer = 8 << 20
	maxWords  = 300
)

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.limited(); err != nil {
		return nil, err
	}
	token, err := t.token()
	if err != nil {
		return nil, fmt.Errorf("token of the host: %w", err)
	}
	r = r.Clone(r.Context())
	// Nothing but this decides who we are.
	r.Header.Del("Authorization")
	r.Header.Del("PRIVATE-TOKEN")
	t.authorise(r.Header, token)
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", sources.ErrUnreachable, clean(err.Error(), token))
	}
	if resp.StatusCode < 300 {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
		return resp, nil
	}
	words, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("%w: read the answer: %s", sources.ErrUnreachable, clean(err.Error(), token))
	}
	if until, limited := t.pause(resp, words); limited {
		t.mu.Lock()
		t.until = until
		t.mu.Unlock()
		return nil, &sources.LimitedError{Until: until}
	}
	if resp.StatusCode == http.StatusUnauthorized && t.refused != nil {
		t.refused(token)
	}
	return nil, &Error{Method: r.Method, Path: r.URL.Path, Status: resp.StatusCode, Text: clean(said(words), token)}
}

func (t *transport) limited() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.until) {
		return &sources.LimitedError{Until: t.until}
	}
	return nil
}

// A host's wish to be left alone is heeded within these bounds: a wrong date
// must not silence us for good.
const (
	leastPause = time.Second
	usualPause = time.Minute
	mostPause  = time.Hour
	spans      = 1e8 // a smaller reset time is no date since 1970 but seconds from now
)

// pause reads how long the host wants to be left alone: Retry-After in seconds
// or as a date, else the reset time that GitHub (X-RateLimit-Reset) and GitLab
// (RateLimit-Reset) tell, which by the draft standard are seconds from now, else
// a minute.
func (t *transport) pause(resp *http.Response, words []byte) (time.Time, bool) {
	h := resp.Header
	after := h.Get("Retry-After")
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
	case resp.StatusCode == http.StatusServiceUnavailable && after != "":
	case resp.StatusCode == http.StatusForbidden && (after != "" || h.Get("X-RateLimit-Remaining") == "0" || asksForPatience(words)):
	default:
		return time.Time{}, false
	}
	now := t.now()
	wait := usualPause
	if n, err := strconv.Atoi(after); err == nil {
		wait = time.Duration(min(max(n, 0), int(mostPause/time.Second))) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		wait = at.Sub(now)
	} else {
		for _, name := range []string{"X-RateLimit-Reset", "RateLimit-Reset"} {
			n, err := strconv.ParseInt(h.Get(name), 10, 64)
			switch {
			case err != nil:
			case n < spans:
				wait = time.Duration(n) * time.Second
			default:
				wait = time.Unix(n, 0).Sub(now)
			}
		}
	}
	return now.Add(min(max(wait, leastPause), mostPause)), true
}

// asksForPatience: GitHub's secondary limits, which older Enterprise Servers call
// otherwise, may be told in words alone.
func asksForPatience(words []byte) bool {
	return bytes.Contains(words, []byte("secondary rate limit")) || bytes.Contains(words, []byte("abuse detection mechanism"))
}

// said is what a host's error says, of the shapes there are: a message, a list
// of errors with messages, or an error that is text or has a message.
func said(words []byte) string {
	var body struct {
		Message any `json:"message"`
		Error   any `json:"error"`
		Errors  []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(words, &body) != nil {
		return ""
	}
	var parts []string
	for _, v := range []any{body.Message, body.Error} {
		switch v := v.(type) {
		case string:
			parts = append(parts, v)
		case map[string]any:
			if text, ok := v["message"].(string); ok {
				parts = append(parts, text)
			}
		case []any:
			for _, item := range v {
				parts = append(parts, fmt.Sprint(item))
			}
		}
	}
	for _, e := range body.Errors {
		if e.Message != "" {
			parts = append(parts, e.Message)
		}
	}
	return strings.Join(parts, "; ")
}

// clean takes a token out of words, and cuts them.
func clean(words, token string) string {
	if token != "" {
		words = strings.ReplaceAll(words, token, "(token)")
	}
	words = strings.Join(strings.Fields(words), " ")
	return cut(words, maxWords)
}

// cut shortens text to at most n bytes, between characters.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = text[:n-len("…")]
	return strings.ToValidUTF8(text, "") + "…"
}
