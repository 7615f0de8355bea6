package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mooring.dev/reconciler/diagnose"
)

// locate finds the daemon that the flags are those of, and what commands have
// to be told to be about the same.
func (d *doctoring) locate(flags *pflag.FlagSet) {
	d.asked = flags.Changed("server")
	if own := d.ownServer(); !d.asked && flags.Changed("listen") && own != "" {
		d.server = own
	}
	if d.runFlags.tokenFile != "" && os.Getenv("MOORING_TOKEN") == "" {
		d.found(d.runFlags.tokenFile)
	}
	d.at = diagnose.Place{
		Repository: given(flags, "repo", "path", "control", "git-token-file", "git-github-app", "git-github-app-key", "git-user", "git-ssh-key", "git-known-hosts", "ca-file"),
		Daemon:     given(flags, "server", "server-ca", "state"),
	}
}

// given are the flags of these that were given, as a command takes them. A
// password in an address is not repeated.
func given(flags *pflag.FlagSet, names ...string) string {
	var out []string
	for _, name := range names {
		if f := flags.Lookup(name); f != nil && f.Changed && f.Value.String() != "" {
			out = append(out, "--"+name+" "+diagnose.Quoted(shownAddress(f.Value.String())))
		}
	}
	return strings.Join(out, " ")
}

// ownServer is where a daemon with these flags is reached from this machine.
func (d *doctoring) ownServer() string {
	host, port, err := net.SplitHostPort(d.listen)
	if err != nil || port == "0" {
		return ""
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return d.tls.scheme() + "://" + net.JoinHostPort(host, port)
}

// ofCertificate looks at the daemon's certificate: in its files, or as the
// daemon shows it.
func (d *doctoring) ofCertificate(ctx context.Context) []diagnose.Check {
	c := diagnose.Certificate{From: d.tls.cert, Now: time.Now()}
	server, err := url.Parse(d.server)
	switch {
	case d.tls != tlsFlags{}:
		if page, err := url.Parse(d.pageURL); err == nil && page.Scheme == "https" {
			c.Page = page.Hostname()
		}
		if c.Err = d.tls.whole(); c.Err == nil {
			c.Leaf, c.Err = d.tls.leaf()
		}
	case err == nil && server.Scheme == "https":
		if c.From, c.Leaf = server.Host, shownLeaf(ctx, server); c.Leaf == nil {
			return nil // that nobody answers is told of the daemon
		}
	default:
		return nil
	}
	return []diagnose.Check{diagnose.OfCertificate(c)}
}

// shownLeaf is the certificate that a server shows, whoever signed it; nil
// where none does.
func shownLeaf(ctx context.Context, at *url.URL) *x509.Certificate {
	port := at.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	conn, err := (&tls.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(at.Hostname(), port))
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) && len(refused.UnverifiedCertificates) > 0 {
		return refused.UnverifiedCertificates[0]
	}
	if err != nil {
		return nil
	}
	defer conn.Close()
	if secured, ok := conn.(*tls.Conn); ok && len(secured.ConnectionState().PeerCertificates) > 0 {
		return secured.ConnectionState().PeerCertificates[0]
	}
	return nil
}
