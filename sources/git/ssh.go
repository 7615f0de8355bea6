package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"mooring.dev/sources"
	"mooring.dev/sources/reread"
)

// overSSH speaks to git over SSH. It is our own and not go-git's, because
// that one reads the user's ssh configuration, asks an agent, and cannot be
// interrupted while it connects.
type overSSH struct {
	at      address
	options Options
	key     *reread.File[ssh.Signer]
	hosts   *reread.File[ssh.HostKeyCallback]
}

func newSSH(at address, options Options) (*overSSH, error) {
	s := &overSSH{
		at: at, options: options,
		key: reread.Open(options.Files, reread.Spec[ssh.Signer]{What: "SSH key", Path: options.SSHKeyFile, Parse: privateKey}),
		hosts: reread.Open(options.Files, reread.Spec[ssh.HostKeyCallback]{
			What: "KnownHostsFile", Path: options.KnownHostsFile, Parse: func([]byte) (ssh.HostKeyCallback, error) { return knownhosts.New(options.KnownHostsFile) },
		}),
	}
	var faults []error
	if options.KnownHostsFile == "" {
		faults = append(faults, errors.New("ssh needs known hosts (--git-known-hosts FILE; `ssh-keyscan HOST` prints them, to be compared): an unknown host is never trusted"))
	} else if _, err := s.hosts.Get(); err != nil {
		faults = append(faults, fmt.Errorf("--git-known-hosts: %w", err))
	}
	if options.SSHKeyFile == "" {
		faults = append(faults, errors.New("ssh needs a private key (--git-ssh-key FILE)"))
	}
	return s, errors.Join(faults...)
}

// privateKey reads a private key. The parser's text may quote it.
func privateKey(text []byte) (ssh.Signer, error) {
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, as(sources.ErrUnauthorized, "it holds no private key without passphrase")
	}
	return key, nil
}

func (s *overSSH) dial() (link, error) {
	signer, err := s.key.Get()
	if err != nil {
		return link{}, err
	}
	trusted, err := s.hosts.Get()
	if err != nil {
		return link{}, err
	}
	port := cmp.Or(s.at.endpoint.Port, 22)
	host := net.JoinHostPort(s.at.endpoint.Host, strconv.Itoa(port))
	shell := &sshTransport{host: host, path: s.at.endpoint.Path, config: ssh.ClientConfig{
		User:              cmp.Or(s.at.user, s.options.User, "git"),
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   trusted,
		HostKeyAlgorithms: algorithms(trusted, host),
	}}
	return link{transport: shell, endpoint: &transport.Endpoint{}}, nil
}

// algorithms are those of the keys known for the host: a server that has
// several keys is asked for one that can be checked.
func algorithms(trusted ssh.HostKeyCallback, host string) []string {
	var wanted *knownhosts.KeyError
	if err := trusted(host, &net.TCPAddr{}, nobody{}); !errors.As(err, &wanted) {
		return nil
	}
	var names []string
	for _, known := range wanted.Want {
		if known.Key.Type() == ssh.KeyAlgoRSA {
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		names = append(names, known.Key.Type())
	}
	return names
}

// nobody is a key that no host has.
type nobody struct{}

func (nobody) Type() string                        { return "none" }
func (nobody) Marshal() []byte                     { return []byte("none") }
func (nobody) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// sshTransport makes sessions for one operation.
type sshTransport struct {
	host   string
	path   string
	config ssh.ClientConfig
}

// NewUploadPackSession prepares a fetch; nothing is connected yet.
func (t *sshTransport) NewUploadPackSession(*transport.Endpoint, transport.AuthMethod) (transport.UploadPackSession, error) {
	return &sshSession{transport: t, service: transport.UploadPackServiceName}, nil
}

// NewReceivePackSession prepares a push; nothing is connected yet.
func (t *sshTransport) NewReceivePackSession(*transport.Endpoint, transport.AuthMethod) (transport.ReceivePackSession, error) {
	return &sshSession{transport: t, service: transport.ReceivePackServiceName}, nil
}

// sshSession is one command on the server. The connection lives until Close,
// or until the context of the first call ends.
type sshSession struct {
	transport *sshTransport
	service   string

	client *ssh.Client
	run    *ssh.Session
	stop   func() bool
	in     io.WriteCloser
	out    io.Reader
	said   limited // the server's standard error
	refs   *packp.AdvRefs
	done   bool // the exchange is over, or broken
}

// open connects and starts the command. Whatever hangs, the end of ctx ends.
func (s *sshSession) open(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, "tcp", s.transport.host)
	if err != nil {
		return as(sources.ErrUnreachable, "%v", err)
	}
	s.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	config := s.transport.config
	secure, channels, requests, err := ssh.NewClientConn(conn, s.transport.host, &config)
	if err != nil {
		s.stop()
		return errors.Join(handshakeError(err), ctx.Err(), ignoreClosed(conn.Close()))
	}
	s.client = ssh.NewClient(secure, channels, requests)
	if s.run, err = s.client.NewSession(); err != nil {
		return err
	}
	s.run.Stderr = &s.said
	if s.in, err = s.run.StdinPipe(); err != nil {
		return err
	}
	if s.out, err = s.run.StdoutPipe(); err != nil {
		return err
	}
	return s.run.Start(s.service + " " + quote(s.transport.path))
}

// handshakeError says whether the host or our key was not accepted.
func handshakeError(err error) error {
	var host *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case errors.As(err, &host) && len(host.Want) == 0:
		return ErrStranger
	case errors.As(err, &host), errors.As(err, &revoked):
		return as(sources.ErrUnauthorized, "the host's key is not the known one: somebody may be in between")
	case strings.Contains(err.Error(), "unable to authenticate"):
		return as(sources.ErrUnauthorized, "%v", err)
	}
	return as(sources.ErrUnreachable, "%v", err)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// quote makes a path one word for the server's shell.
func quote(path string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
}

// AdvertisedReferences lists without a limit of time; it is not used.
func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext connects and reads what the server has.
func (s *sshSession) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	if s.refs != nil {
		return s.refs, nil
	}
	if err := s.open(ctx); err != nil {
		s.done = true
		return nil, err
	}
	found := packp.NewAdvRefs()
	err := found.Decode(&listReader{from: s.out, left: maxAdvertised})
	if err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		s.done = true
		return nil, s.broken(err)
	}
	transport.FilterUnsupportedCapabilities(found.Capabilities)
	s.refs = found
	if found.IsEmpty() && s.service == transport.UploadPackServiceName {
		return nil, transport.ErrEmptyRemoteRepository
	}
	return found, nil
}

// listReader reads a list of references, which says itself where it ends: an
// end of the stream before that is an error, and so is its limit.
type listReader struct {
	from    io.Reader
	left    int64
	started bool
}

func (l *listReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, as(ErrTooLarge, "list of references")
	}
	n, err := l.from.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	l.started = l.started || n > 0
	if errors.Is(err, io.EOF) && l.started {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// broken adds what the server said before it hung up. A server that ends the
// command at once does so because it does not know, or will not show, the
// repository.
func (s *sshSession) broken(err error) error {
	if !errors.Is(err, packp.ErrEmptyInput) {
		return err
	}
	ended := s.run.Wait() // what was said is complete now
	return as(sources.ErrUnauthorized, "the server ended %s: %s (%v)", s.service, s.said.String(), ended)
}

// UploadPack asks for commits. The response must be closed.
func (s *sshSession) UploadPack(ctx context.Context, request *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if _, err := s.AdvertisedReferencesContext(ctx); err != nil {
		return nil, err
	}
	s.done = true
	var out bytes.Buffer
	if err := request.UploadRequest.Encode(&out); err != nil {
		return nil, err
	}
	if err := request.UploadHaves.Encode(&out, false); err != nil {
		return nil, err
	}
	if err := pktline.NewEncoder(&out).EncodeString("done\n"); err != nil {
		return nil, err
	}
	if _, err := s.in.Write(out.Bytes()); err != nil {
		return nil, err
	}
	response := packp.NewUploadPackResponse(request)
	return response, response.Decode(io.NopCloser(s.out))
}

// ReceivePack sends commands and a pack, and reads the report.
func (s *sshSession) ReceivePack(ctx context.Context, request *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error) {
	if _, err := s.AdvertisedReferencesContext(ctx); err != nil {
		return nil, err
	}
	s.done = true
	if err := request.Encode(s.in); err != nil {
		return nil, err
	}
	if err := s.in.Close(); err != nil {
		return nil, err
	}
	if !request.Capabilities.Supports(capability.ReportStatus) {
		return nil, s.run.Wait()
	}
	report := packp.NewReportStatus()
	return report, report.Decode(demultiplexed(request.Capabilities, s.out, request.Progress))
}

// Close ends the command politely if it waits for us, and the connection.
func (s *sshSession) Close() error {
	if s.client == nil {
		return nil
	}
	if !s.done && s.in != nil {
		_, _ = s.in.Write(pktline.FlushPkt) // "nothing more": the connection ends either way
	}
	s.stop()
	err := s.client.Close()
	s.client = nil
	return ignoreClosed(err)
}
