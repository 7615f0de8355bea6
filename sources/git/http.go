package git

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"mooring.dev/sources/reread"
)

// overHTTP speaks smart HTTP.
type overHTTP struct {
	at      address
	options Options
	base    *http.Transport
	trusted *reread.File[*x509.CertPool] // nil: the machine's own
	secret  *reread.File[string]         // nil: of the environment, or the address
}

func newHTTP(at address, options Options) (*overHTTP, error) {
	base := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  min(options.Timeout, 2*time.Minute),
		MaxResponseHeaderBytes: 64 << 10,
		// Kept connections save little at one list a minute.
		DisableKeepAlives: true,
	}
	h := &overHTTP{at: at, options: options, base: base}
	if options.TokenFile != "" {
		h.secret = reread.Open(options.Files, reread.Spec[string]{What: "Git token", Path: options.TokenFile, Parse: reread.Text})
	}
	if options.CAFile != "" {
		h.trusted = reread.Open(options.Files, reread.Spec[*x509.CertPool]{What: "CAFile", Path: options.CAFile, Parse: reread.Authorities})
		if _, err := h.trusted.Get(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// transport trusts whom it is to trust now. Connections are not kept, so that
// nothing is left of the one before.
func (h *overHTTP) transport() (*http.Transport, error) {
	if h.trusted == nil {
		return h.base, nil
	}
	pool, err := h.trusted.Get()
	if err != nil {
		return nil, err
	}
	now := h.base.Clone()
	now.TLSClientConfig.RootCAs = pool
	return now, nil
}

func (h *overHTTP) dial() (link, error) {
	token, err := h.token()
	if err != nil {
		return link{}, err
	}
	base, err := h.transport()
	if err != nil {
		return link{}, err
	}
	status := 0
	client := &http.Client{
		Transport:     &guard{base: base, status: &status, refused: func() { h.refused(token) }},
		CheckRedirect: sameHost,
	}
	endpoint := h.at.endpoint
	endpoint.Host = bracketed(endpoint.Host)
	made := link{transport: githttp.NewClient(client), endpoint: &endpoint, status: &status}
	if token != "" {
		user := cmp.Or(h.options.User, h.at.user, "git")
		made.auth = &githttp.BasicAuth{Username: user, Password: token}
		made.secrets = []string{token}
	}
	return made, nil
}

// refused lets who gave a token know that it is not taken.
func (h *overHTTP) refused(token string) {
	if h.options.Refused != nil && token != "" {
		h.options.Refused(token)
	}
}

// token reads the credential where it stands now; "" is none.
func (h *overHTTP) token() (string, error) {
	if h.options.Token != nil {
		return h.options.Token()
	}
	if h.secret != nil {
		return h.secret.Get()
	}
	if h.options.TokenEnv != "" {
		if token := strings.TrimSpace(os.Getenv(h.options.TokenEnv)); token != "" {
			return token, nil
		}
	}
	return h.at.password, nil
}

// sameHost refuses to be sent to another host or port, but for the step from
// http to https on the same host.
func sameHost(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	upgrade := first.Scheme == "http" && next.URL.Scheme == "https"
	if next.URL.Hostname() != first.Hostname() || next.URL.Port() != first.Port() && !upgrade {
		return fmt.Errorf("redirected from %s to %s: not followed", first.Host, next.URL.Host)
	}
	return nil
}

// maxAdvertised bounds a list of references, in bytes.
const maxAdvertised = 64 << 20

// guard stands between go-git and the network: a refusal ends at its status,
// so that nothing a server writes into an error page is read, and a list of
// references has a length.
type guard struct {
	base    http.RoundTripper
	status  *int
	refused func() // the server does not take the credential
}

func (g *guard) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := g.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusBadRequest {
		if *g.status = response.StatusCode; *g.status == http.StatusUnauthorized {
			g.refused()
		}
		err := fmt.Errorf("HTTP %d %s", response.StatusCode, http.StatusText(response.StatusCode))
		return nil, errors.Join(err, response.Body.Close())
	}
	if request.Method == http.MethodGet && response.StatusCode < http.StatusMultipleChoices {
		return wholeList(response)
	}
	return response, nil
}

// wholeList reads a list of references to its end before anything believes
// it. A list that was cut short, or a page that is no list, would look like a
// repository whose branches are gone.
func wholeList(response *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAdvertised+1))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if len(body) > maxAdvertised {
		return nil, as(ErrTooLarge, "list of references")
	}
	kind := response.Header.Get("Content-Type")
	service, ok := strings.CutSuffix(strings.TrimPrefix(kind, "application/x-"), "-advertisement")
	head := fmt.Sprintf("%04x# service=%s\n0000", len(service)+15, service)
	rest, found := strings.CutPrefix(string(body), head)
	if !ok || !found || !strings.HasSuffix(rest, "0000") {
		return nil, errors.New("the answer is no complete list of references of a git server")
	}
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	return response, nil
}

var _ transport.AuthMethod = (*githttp.BasicAuth)(nil)
