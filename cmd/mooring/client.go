package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client speaks to the daemon.
type client struct {
	server    string
	authority string // PEM file, "" : the system's
	token     string
	inClear   bool // the token may go over the network as it is
	trust     trust
}

func (c *client) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.server, "server", defaultServer, "address of the daemon")
	cmd.Flags().StringVar(&c.authority, "server-ca", "", "PEM file with the authority of the daemon's certificate, where this machine does not know it")
	cmd.Flags().BoolVar(&c.inClear, "insecure-server", false, "send the token to a daemon of another machine over http, where everybody on the way can read it")
	if cmd.Flags().Lookup("state") == nil {
		cmd.Flags().String("state", defaultState(), "state folder of a daemon on this machine, for its token")
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return c.identify(cmd) }
}

// identify takes the token of who asks.
func (c *client) identify(cmd *cobra.Command) error {
	state, err := cmd.Flags().GetString("state")
	if err != nil {
		return err
	}
	c.as(state, cmd.Flags().Changed("server"))
	return nil
}

// as takes the token of whoever asks, or of a daemon on this machine; none where
// there is none. named: somebody said which server.
func (c *client) as(state string, named bool) {
	c.trust = trust{named: named, given: true}
	if c.token = os.Getenv("MOORING_TOKEN"); c.token == "" {
		c.found(filepath.Join(state, "token"))
	}
}

// found takes the token of a daemon's file, where it can be read.
func (c *client) found(path string) {
	if token, err := os.ReadFile(path); err == nil {
		c.token, c.trust.given = strings.TrimSpace(string(token)), false
	}
}

// defaultServer is where a daemon on this machine is.
const defaultServer = "http://127.0.0.1:8420"

func (c *client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

func (c *client) post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, http.MethodPost, path, body, into)
}

func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader
	if raw, ok := body.([]byte); ok {
		payload = bytes.NewReader(raw)
	} else if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("ask the daemon: %w", err)
		}
		payload = bytes.NewReader(text)
	}
	req, err := c.request(ctx, method, path, payload)
	if err != nil {
		return err
	}
	resp, err := c.send(req, 2*time.Minute)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return answer(resp, into)
}

// request to the daemon, as whoever asks.
func (c *client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	if !strings.HasPrefix(c.server, "http://") && !strings.HasPrefix(c.server, "https://") {
		return nil, fmt.Errorf("--server %q: want an address like %s", c.server, defaultServer)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.server, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon at %s: %w", c.server, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Mooring-User", userName())
	if c.token == "" {
		return req, nil
	}
	if req.URL.Scheme == "http" && !c.inClear && !loopback(req.URL.Hostname()) {
		return nil, fmt.Errorf("--server %s: the token would go over the network in clear; name a daemon with a certificate (https://…), or reach it by a tunnel to 127.0.0.1; --insecure-server sends it all the same", c.server)
	}
	if err := c.proven(ctx); err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	return req, nil
}

// loopback is a host that is this machine, whoever answers for its name.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// stays keeps a request that went out over https from being led to where
// everybody can read its token.
func stays(req *http.Request, via []*http.Request) error {
	switch {
	case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("it leads to %s://%s, in clear", req.URL.Scheme, req.URL.Host)
	case len(via) >= 10:
		return errors.New("it leads from one address to the next")
	}
	return nil
}

// send asks the daemon, for at most so long; 0: without an end.
func (c *client) send(req *http.Request, most time.Duration) (*http.Response, error) {
	speaker, err := speaks(c.authority, most)
	if err != nil {
		return nil, err
	}
	resp, err := speaker.Do(req)
	if err != nil {
		return nil, unreached(c.server, err)
	}
	return resp, nil
}

// refusal is what a daemon that answers says against a request.
type refusal struct {
	code int // HTTP status
	text string
}

func (r *refusal) Error() string { return r.text }

// answer reads a response; what the daemon refuses is an error with its words.
func answer(resp *http.Response, into any) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		var said struct {
			Error string `json:"error"`
			Hint  string `json:"hint"`
		}
		if bytes.Contains(data, []byte("HTTP request to an HTTPS server")) {
			return &refusal{resp.StatusCode, "the daemon has a certificate; name it with --server https://…"}
		}
		switch {
		case json.Unmarshal(data, &said) == nil && said.Error != "":
		case resp.StatusCode == http.StatusNotFound:
			return &refusal{resp.StatusCode, strangeServer(resp)}
		default:
			return &refusal{resp.StatusCode, "the daemon answers " + resp.Status}
		}
		if said.Hint != "" {
			said.Error += "; " + said.Hint
		}
		return &refusal{resp.StatusCode, said.Error}
	}
	if into == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("read the daemon's answer: %w", err)
	} else if err != nil {
		return errors.New(strangeServer(resp))
	}
	return nil
}

// strangeServer is what to think of a server that does not know what every
// daemon of this version does.
func strangeServer(resp *http.Response) string {
	at := resp.Request.URL
	return fmt.Sprintf("%s://%s answers %s with %s: it is no mooring, an older one, or one behind another path; look at --server and MOORING_SERVER", at.Scheme, at.Host, at.Path, resp.Status)
}

// userName is who types; it is a claim, and recorded as unverified.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return cmp.Or(os.Getenv("USER"), "unknown")
}
