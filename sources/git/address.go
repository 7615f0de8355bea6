package git

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// address is where a repository is, without credentials.
type address struct {
	endpoint transport.Endpoint
	user     string
	password string // only ever from an http URL
}

// parseAddress takes apart what people write for a repository. Only https,
// ssh, files, and http to this machine are spoken.
func parseAddress(text string, insecure bool) (address, error) {
	if strings.HasPrefix(text, "-") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return address{}, errors.New("URL: control characters, or a leading hyphen")
	}
	if !strings.Contains(text, "://") {
		return parsePlain(text)
	}
	u, err := url.Parse(text)
	if err != nil {
		// The parser's error repeats the URL, password included.
		return address{}, errors.New("URL: not a valid URL")
	}
	at := address{user: u.User.Username(), endpoint: transport.Endpoint{
		Protocol: u.Scheme, Host: u.Hostname(), Path: u.Path,
	}}
	at.password, _ = u.User.Password()
	if u.RawQuery != "" || u.Fragment != "" {
		return address{}, errors.New("URL: a query or fragment has no meaning for a repository")
	}
	if port := u.Port(); port != "" {
		if at.endpoint.Port, err = strconv.Atoi(port); err != nil {
			return address{}, errors.New("URL: port is not a number")
		}
	}
	return at, at.allowed(insecure)
}

// parsePlain reads user@host:path, or a path.
func parsePlain(text string) (address, error) {
	before, after, colon := strings.Cut(text, ":")
	if colon && !strings.Contains(before, "/") && len(before) > 1 {
		if strings.HasPrefix(after, ":") {
			return address{}, errors.New("URL: no helper programs are run")
		}
		at := address{endpoint: transport.Endpoint{Protocol: "ssh", Host: before, Path: after}}
		if user, host, named := strings.Cut(before, "@"); named {
			at.user, at.endpoint.Host = user, host
		}
		return at, at.allowed(false)
	}
	path, err := filepath.Abs(text)
	if err != nil {
		return address{}, fmt.Errorf("URL: %w", err)
	}
	return address{endpoint: transport.Endpoint{Protocol: "file", Path: path}}, nil
}

func (a address) allowed(insecure bool) error {
	scheme, host := a.endpoint.Protocol, a.endpoint.Host
	switch scheme {
	case "file":
		if host != "" && host != "localhost" {
			return fmt.Errorf("URL: file: on host %q", host)
		}
		if !filepath.IsAbs(a.endpoint.Path) {
			return errors.New("URL: file: needs a whole path")
		}
		return nil
	case "http":
		if !insecure && !loopback(host) {
			return errors.New("URL: http sends credentials and content in the clear: use https, or allow it expressly")
		}
	case "https":
	case "ssh":
		if a.password != "" {
			return errors.New("URL: a password in an ssh URL: use a key")
		}
	default:
		return fmt.Errorf("URL: scheme %q: want https, ssh, file or a path", scheme)
	}
	if host == "" || strings.HasPrefix(host, "-") || a.endpoint.Path == "" {
		return errors.New("URL: host or path is missing")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bracketed is the host as it stands in a URL.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// connect decides how to speak to the upstream.
func (r *Repository) connect() error {
	at, err := parseAddress(r.options.URL, r.options.AllowInsecure)
	if err != nil {
		return err
	}
	switch at.endpoint.Protocol {
	case "file":
		r.local = &local{path: at.endpoint.Path, maxObject: r.options.MaxObject}
		r.upstream = r.local
		return nil
	case "ssh":
		dialer, err := newSSH(at, r.options)
		r.upstream = &remote{dialer: dialer, options: r.options}
		return err
	}
	dialer, err := newHTTP(at, r.options)
	r.upstream = &remote{dialer: dialer, options: r.options}
	return err
}
