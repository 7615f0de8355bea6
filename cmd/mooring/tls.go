package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"mooring.dev/sources/reread"
)

// tlsFlags name the daemon's certificate. Without it the daemon speaks plain
// http, for loopback or behind a proxy.
type tlsFlags struct{ cert, key string }

func (f *tlsFlags) flags(flags *pflag.FlagSet) {
	flags.StringVar(&f.cert, "tls-cert", "", "PEM file with the certificate of the page and the API, and those between it and its authority; read anew when it changes")
	flags.StringVar(&f.key, "tls-key", "", "PEM file with the certificate's private key")
}

// whole: both files are named, or none is.
func (f tlsFlags) whole() error {
	switch {
	case f.cert == "" && f.key != "":
		return errors.New("--tls-key without a certificate: name it with --tls-cert")
	case f.cert != "" && f.key == "":
		return errors.New("--tls-cert without its private key: name it with --tls-key")
	}
	return nil
}

// pair reads the two files.
func (f tlsFlags) pair() (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return pair, fmt.Errorf("read --tls-cert %s and --tls-key %s: %w", f.cert, f.key, err)
	}
	return pair, nil
}

// leaf is the daemon's own certificate among those of the file.
func (f tlsFlags) leaf() (*x509.Certificate, error) {
	pair, err := f.pair()
	return pair.Leaf, err
}

// config is what the daemon serves with; nil without a certificate.
func (f tlsFlags) config(log *zap.Logger, files *reread.Set) (*tls.Config, error) {
	if err := f.whole(); err != nil || f == (tlsFlags{}) {
		return nil, err
	}
	c := &certificate{files: f, log: log, now: time.Now}
	if err := c.read(); err != nil {
		return nil, err
	}
	c.told = c.pair
	files.Add(c)
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// scheme of the addresses that people are told.
func (f tlsFlags) scheme() string {
	if f.cert != "" {
		return "https"
	}
	return "http"
}

// certificate is the daemon's, read anew when one of its files was replaced,
// also behind a symbolic link. A pair that cannot be used, or is half written,
// leaves the one before in use.
type certificate struct {
	files tlsFlags
	log   *zap.Logger
	now   func() time.Time

	mu    sync.Mutex
	pair  *tls.Certificate
	stamp stamp // of the files when they were read last
	told  *tls.Certificate
	fault error // why the files as they are now cannot be used
}

// Name implements reread.Renewer.
func (c *certificate) Name() string { return "certificate " + c.files.cert }

// Renew implements reread.Renewer.
func (c *certificate) Renew(context.Context) (changed bool, err error) {
	now, err := c.get(nil)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = now != c.told
	c.told = now
	return changed, c.fault
}

// endsSoon is when a certificate's end is warned of.
const endsSoon = 14 * 24 * time.Hour

// get looks at the files at each handshake: two stats beside a signature.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.files.stamp().same(c.stamp) {
		if c.fault = c.read(); c.fault != nil {
			c.log.Error("the new certificate cannot be used; the one before stays", zap.Error(c.fault))
		} else {
			c.log.Info("certificate read anew", zap.Time("ends", c.pair.Leaf.NotAfter))
		}
	}
	return c.pair, nil
}

// read takes the files as they are now. The stamp is taken before, so that
// what is written meanwhile is read the next time.
func (c *certificate) read() error {
	c.stamp = c.files.stamp()
	pair, err := c.files.pair()
	if err != nil {
		return err
	}
	if left := pair.Leaf.NotAfter.Sub(c.now()); left < endsSoon {
		c.log.Warn("the certificate ends soon, or has ended", zap.String("file", c.files.cert), zap.Time("ends", pair.Leaf.NotAfter))
	}
	c.pair = &pair
	return nil
}

// stamp is what tells one state of the files from another, also behind a link;
// a file that is not there is nil.
type stamp [2]os.FileInfo

func (f tlsFlags) stamp() (s stamp) {
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			s[i] = info
		}
	}
	return s
}

// same: no file was replaced or written to. A clock that is too coarse for two
// files in a row leaves their identity.
func (s stamp) same(other stamp) bool {
	for i, a := range s {
		b := other[i]
		if (a == nil) != (b == nil) || a != nil && (!os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime())) {
			return false
		}
	}
	return true
}

// listened is a server's address as people may open it.
func (f tlsFlags) listened(addr net.Addr) string { return f.scheme() + "://" + addr.String() }

// speaks is how a client reaches a daemon with a certificate of an authority
// of its own.
func speaks(authority string, timeout time.Duration) (*http.Client, error) {
	if authority == "" {
		return &http.Client{Timeout: timeout, CheckRedirect: stays}, nil
	}
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, fmt.Errorf("--server-ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without authorities of its own
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--server-ca %s: there is no PEM certificate in it", authority)
	}
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("--server-ca: the process has another transport than Go's") // nobody replaces it here
	}
	transport := base.Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	return &http.Client{Timeout: timeout, Transport: transport, CheckRedirect: stays}, nil
}

// unreached says what to do about a daemon that does not answer.
func unreached(server string, err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // the address is said already
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("the daemon at %s is not trusted: %w; name its authority with --server-ca or MOORING_SERVER_CA", server, err)
	case errors.As(err, &name):
		return fmt.Errorf("the daemon at %s is not trusted: %w; name it with --server as its certificate does", server, err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("the daemon at %s speaks http without a certificate; name it with http://, or give the daemon --tls-cert", server)
	}
	return fmt.Errorf("no daemon answers at %s: %w; start one with `mooring run`, or name it with --server or MOORING_SERVER", server, err)
}
