package host

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring.dev/sources"
)

// AppOptions are of a GitHub App that is installed where a repository is. ID,
// Installation, Key and Now are needed.
type AppOptions struct {
	ID           int
	Installation int
	// Key reads the App's private key, as PEM, each time it signs.
	Key func() (string, error)
	// Endpoint is the server's address where that is not github.com, without
	// the path of its API.
	Endpoint string
	// Repository, OWNER/NAME, is what tokens are good for; "" for all that the
	// installation may see.
	Repository string
	// Client's transport and timeout are used; nil: one with a timeout of 30 s.
	Client *http.Client
	Now    func() time.Time
}

// App gets tokens of a GitHub App's installation. They live for an hour: one is
// kept, and renewed before it ends. Its methods may be called at the same time.
type App struct {
	o   AppOptions
	url string

	mu      sync.Mutex
	token   string
	rights  map[string]string
	renew   time.Time     // when it is due for another
	ends    time.Time     // by our clock
	skew    time.Duration // how far the host's clock is ahead of ours
	refused error         // why there was none at the last try
	again   time.Time     // when the next is made
}

// What is asked of the host's clock and patience.
const (
	appAhead   = 5 * time.Minute // a token is renewed so long before it ends
	appBacked  = time.Minute     // how far back an assertion is dated, for clocks that differ
	appLives   = 8 * time.Minute // an assertion; GitHub takes at most ten minutes
	appPause   = 10 * time.Second
	appTimeout = 15 * time.Second
	appSkewed  = 30 * time.Second // clocks that differ by more are reckoned with
	publicREST = "https://api.github.com"
)

// NewApp makes one. Nothing is asked of the host yet.
func NewApp(o AppOptions) (*App, error) {
	if o.ID <= 0 || o.Installation <= 0 || o.Key == nil || o.Now == nil {
		return nil, errors.New("GitHub App: ID, Installation, Key and Now are needed")
	}
	base := publicREST
	if o.Endpoint != "" {
		base = strings.TrimRight(o.Endpoint, "/") + "/api/v3"
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 30 * time.Second}
	}
	return &App{o: o, url: fmt.Sprintf("%s/app/installations/%d/access_tokens", base, o.Installation)}, nil
}

// Token is one that is good for some minutes at least, where the host gives
// one. A host that gives none is asked again after some seconds; until a token
// ends it serves.
func (a *App) Token() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.o.Now()
	if a.token != "" && now.Before(a.renew) {
		return a.token, nil
	}
	if !now.Before(a.again) {
		a.refused, a.again = a.fetch(), time.Time{}
		if a.refused != nil {
			a.again = now.Add(appPause)
			var limited *sources.LimitedError
			if errors.As(a.refused, &limited) && limited.Until.After(a.again) {
				a.again = limited.Until
			}
		}
	}
	if a.refused != nil && (a.token == "" || !now.Before(a.ends)) {
		return "", fmt.Errorf("GitHub App %d, installation %d: %w", a.o.ID, a.o.Installation, a.refused)
	}
	return a.token, nil
}

// Refused: the host does not take a token any more. The next is another.
func (a *App) Refused(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == token {
		a.token, a.renew = "", time.Time{}
	}
}

// Lacks are the rights that Mooring wants and the installation has not got, as
// far as the last token told.
func (a *App) Lacks() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, right := range []string{"contents", "statuses", "pull_requests"} {
		if a.token != "" && a.rights[right] != "write" {
			out = append(out, right+": write")
		}
	}
	slices.Sort(out)
	return out
}

// fetch asks for a token. The caller holds mu. An assertion that the host does
// not take by its clock is made once more by the host's.
func (a *App) fetch() error {
	err := a.ask()
	if before := a.skew; errors.Is(err, sources.ErrUnauthorized) && statusOf(err) == http.StatusUnauthorized && a.skew.Abs() > appSkewed {
		if err = a.ask(); err != nil && statusOf(err) == http.StatusUnauthorized {
			return fmt.Errorf("%w (the host's clock is %s ahead of this machine's)", err, before.Round(time.Second))
		}
	}
	switch statusOf(err) {
	case http.StatusUnauthorized:
		return fmt.Errorf("the host does not take the key: is it of this App, and the newest? %w", err)
	case http.StatusNotFound:
		return fmt.Errorf("%w: the host knows no such installation: it was removed, or is another App's; install the App and name the new id (%w)", sources.ErrUnauthorized, err)
	case http.StatusForbidden:
		return fmt.Errorf("the host gives the installation no token: it is suspended, or the App lacks rights: %w", err)
	case http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: the installation does not reach %s: give it this repository (%w)", sources.ErrUnauthorized, cmp.Or(a.o.Repository, "any repository"), err)
	}
	return err
}

// ask is one request, signed by what is known of the host's clock.
func (a *App) ask() error {
	signed, err := a.assertion()
	if err != nil {
		return err
	}
	var want struct {
		Repositories []string `json:"repositories,omitempty"`
	}
	if _, name, ok := cutLast(a.o.Repository); ok {
		want.Repositories = []string{name}
	}
	body, err := json.Marshal(want)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), appTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("Content-Type", "application/json")
	resp, err := a.client(signed).Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // all was read that is wanted
	var made struct {
		Token       string            `json:"token"`
		Ends        time.Time         `json:"expires_at"`
		Permissions map[string]string `json:"permissions"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Token == "" || made.Ends.IsZero() {
		return fmt.Errorf("%w: the host's answer holds no token", sources.ErrUnreachable)
	}
	now := a.o.Now()
	a.token, a.rights, a.ends = made.Token, made.Permissions, made.Ends.Add(-a.skew)
	a.renew = a.ends.Add(-min(appAhead, a.ends.Sub(now)/2))
	return nil
}

// client goes the way of every request to a host, and reads its clock.
func (a *App) client(signed string) *http.Client {
	c := *a.o.Client
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.Transport = &transport{
		next: clocked{next, a}, now: a.o.Now, token: func() (string, error) { return signed, nil },
		authorise: func(h http.Header, token string) { h.Set("Authorization", "Bearer "+token) },
	}
	return &c
}

// clocked notes how far the host's clock is ahead.
type clocked struct {
	next http.RoundTripper
	a    *App
}

func (c clocked) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err == nil {
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			if c.a.skew = at.Sub(c.a.o.Now()); c.a.skew.Abs() <= appSkewed {
				c.a.skew = 0
			}
		}
	}
	return resp, err
}

// assertion is a JWT by which the App says who it is.
func (a *App) assertion() (string, error) {
	text, err := a.o.Key()
	if err != nil {
		return "", fmt.Errorf("private key: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return "", err
	}
	now := a.o.Now().Add(a.skew)
	claims, err := json.Marshal(map[string]any{
		"iss": strconv.Itoa(a.o.ID), "iat": now.Add(-appBacked).Unix(), "exp": now.Add(appLives).Unix(),
	})
	if err != nil {
		return "", err
	}
	raw := base64.RawURLEncoding
	head := raw.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + raw.EncodeToString(claims)
	sum := sha256.Sum256([]byte(head))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", errors.New("private key: it does not sign")
	}
	return head + "." + raw.EncodeToString(signature), nil
}

// parseKey reads an RSA key as GitHub gives it (PKCS #1), or as PKCS #8. What
// the text holds is in no error.
func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("private key: it is no PEM text, as GitHub gives it for download")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("private key: it is no RSA key without a passphrase")
	}
	return key, nil
}
