package git

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

// sshServer runs git's own programs for whoever has the key.
type sshServer struct {
	address string
	host    ssh.Signer
	config  *ssh.ServerConfig
	running sync.WaitGroup

	mu       sync.Mutex
	commands []string
}

// sshKey is a new key, and the file it is stored in.
func sshKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "test")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, path
}

func serveSSH(t *testing.T, accepts ssh.PublicKey, hosts ...ssh.Signer) *sshServer {
	t.Helper()
	s := &sshServer{config: &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if string(key.Marshal()) != string(accepts.Marshal()) {
				return nil, errors.New("another key")
			}
			return nil, nil
		},
	}}
	s.host, _ = sshKey(t)
	for _, host := range append(hosts, s.host) {
		s.config.AddHostKey(host)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		s.running.Wait()
	})
	return s
}

func (s *sshServer) serve(conn net.Conn) {
	defer conn.Close()
	secure, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	defer secure.Close()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, asked, err := offered.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() {
			for request := range asked {
				if request.Type == "exec" {
					_ = request.Reply(true, nil)
					s.exec(channel, string(request.Payload[4:]))
				}
			}
		})
	}
}

// exec runs the command the way sshd does: through a shell.
func (s *sshServer) exec(channel ssh.Channel, command string) {
	s.mu.Lock()
	s.commands = append(s.commands, command)
	s.mu.Unlock()
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, channel, channel.Stderr()
	in, err := cmd.StdinPipe()
	status := uint32(1)
	if err == nil && cmd.Start() == nil {
		go func() {
			_, _ = io.Copy(in, channel)
			_ = in.Close()
		}()
		if cmd.Wait() == nil {
			status = 0
		}
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	_ = channel.Close()
}

// knownAs writes a known hosts file.
func knownAs(t *testing.T, address string, key ssh.PublicKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	line := knownhosts.Line([]string{knownhosts.Normalize(address)}, key) + "\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContractSSH(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
		g := sourcetest.NewGit(t, true)
		signer, key := sshKey(t)
		server := serveSSH(t, signer.PublicKey())
		return fixture(follow(t, Options{
			URL: "ssh://git@" + server.address + g.Dir, SSHKeyFile: key,
			KnownHostsFile: knownAs(t, server.address, server.host.PublicKey()),
		}), g)
	})
}

// TestLesson06HostKey: a host that is not known, or has another key, gets
// nothing, and is not remembered.
func TestLesson06HostKey(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	signer, key := sshKey(t)
	server := serveSSH(t, signer.PublicKey())
	other, otherFile := sshKey(t)
	right := knownAs(t, server.address, server.host.PublicKey())
	for name, o := range map[string]Options{
		"another key":      {SSHKeyFile: key, KnownHostsFile: knownAs(t, server.address, other.PublicKey())},
		"unknown host":     {SSHKeyFile: key, KnownHostsFile: knownAs(t, "example.com:22", server.host.PublicKey())},
		"our key is wrong": {SSHKeyFile: otherFile, KnownHostsFile: right},
		"no such repo":     {SSHKeyFile: key, KnownHostsFile: right, URL: "ssh://" + server.address + "/nonexistent"},
	} {
		if o.URL == "" {
			o.URL = "ssh://" + server.address + g.Dir
		}
		before, err := os.ReadFile(o.KnownHostsFile)
		if err != nil {
			t.Fatal(err)
		}
		_, err = follow(t, o).Fetch(t.Context())
		if !errors.Is(err, sources.ErrUnauthorized) || errors.Is(err, ErrStranger) != (name == "unknown host") {
			t.Errorf("%s: %v, want ErrUnauthorized", name, err)
		}
		if after, err := os.ReadFile(o.KnownHostsFile); err != nil || string(after) != string(before) {
			t.Errorf("%s: the known hosts file was changed, %v", name, err)
		}
	}
	for _, command := range server.commands {
		if !strings.Contains(command, "nonexistent") {
			t.Errorf("a command reached a host it should not have: %s", command)
		}
	}
}

// TestHostWithSeveralKeys: the server is asked for the key that is known,
// not for the one it would rather show.
func TestHostWithSeveralKeys(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	signer, key := sshKey(t)
	var more []ssh.Signer
	for _, make := range []func() (crypto.Signer, error){
		func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
	} {
		private, err := make()
		if err != nil {
			t.Fatal(err)
		}
		host, err := ssh.NewSignerFromSigner(private)
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, host)
	}
	server := serveSSH(t, signer.PublicKey(), more...)
	more = append(more, server.host)
	for _, host := range more {
		fetch(t, follow(t, Options{
			URL: "ssh://" + server.address + g.Dir, SSHKeyFile: key,
			KnownHostsFile: knownAs(t, server.address, host.PublicKey()),
		}))
	}
}

// TestSSHThatHangs: a server that accepts and says nothing costs the timeout
// and no goroutine.
func TestSSHThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, key := sshKey(t)
	known, _ := sshKey(t)
	address := listener.Addr().String()
	r := follow(t, Options{
		URL: "ssh://" + address + "/x", SSHKeyFile: key, Timeout: 200 * time.Millisecond,
		KnownHostsFile: knownAs(t, address, known.PublicKey()),
	})
	if _, err := r.Fetch(t.Context()); !errors.Is(err, sources.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestQuote(t *testing.T) {
	for _, path := range []string{"/a b", "/it's", "/$(id)", "/a;b", "/`x`", "/!x", "/a\"b", "/a\\b"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(path)).Output()
		if err != nil || string(out) != path {
			t.Errorf("%q arrives as %q, %v", path, out, err)
		}
	}
}
