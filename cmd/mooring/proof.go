package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
)

// errUnproved: what listens there did not prove that it is the daemon.
var errUnproved = errors.New("what listens there is not known to be the daemon")

// trust is how far a client knows whom it speaks to, before that has proved
// anything: who named the server, and gave the token, answers for both.
type trust struct {
	named bool // the server, by somebody
	given bool // the token, by somebody; else it was found in a state folder
}

// proven has a server prove that it is the daemon, where nobody named it, or the
// token was only found: a stranger that listens in its place never sees a token.
// A certificate proves as much, and what an issuer signed the daemon cannot know.
func (c *client) proven(ctx context.Context) error {
	at, err := url.Parse(c.server)
	of, provable := access.Named(c.token)
	if err != nil || c.token == "" || at.Scheme != "http" || c.trust.named && c.trust.given || !provable {
		return nil
	}
	nonce := rand.Text() + rand.Text()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.server, "/")+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("ask the daemon at %s: %w", c.server, err)
	}
	req.Header.Set(web.ChallengeHeader, of+" "+nonce)
	speaker, err := speaks(c.authority, proofWithin)
	if err != nil {
		return err
	}
	speaker.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := speaker.Do(req)
	if err != nil {
		return unreached(c.server, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusBadRequest { // it may have a certificate, and says so
		return answer(resp, nil)
	}
	port, proof, _ := strings.Cut(resp.Header.Get(web.ProofHeader), " ")
	switch {
	case !access.Proved(proof, c.token, nonce, port):
	case c.trust.named, port == portOf(at):
		return nil
	}
	return fmt.Errorf("%s: %w: it did not prove that it knows the token, which was not sent. Where it is one all the same (an older one, or at another port behind a tunnel), name it with --server and give the token as MOORING_TOKEN", c.server, errUnproved)
}

// proofWithin bounds the asking for a proof.
const proofWithin = 10 * time.Second

// portOf is the port of an http address.
func portOf(at *url.URL) string {
	if port := at.Port(); port != "" {
		return port
	}
	return "80"
}
