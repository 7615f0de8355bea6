package notify

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// postOffice is aiosmtpd, a mail server of others, that wants STARTTLS and a
// password, and says on its output what it was given.
const postOffice = `
import json, ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
class Box:
    async def handle_DATA(self, server, session, envelope):
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None, "data": envelope.content.decode()}), flush=True)
        return "250 taken"
def sign_in(server, session, envelope, mechanism, auth):
    return AuthResult(success=auth.login == b"mooring" and auth.password == b"hunter2", handled=False)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[2], sys.argv[3])
c = Controller(Box(), hostname="127.0.0.1", port=int(sys.argv[1]), tls_context=tls, require_starttls=True, authenticator=sign_in, auth_required=True)
c.start()
print("{}", flush=True)
sys.stdin.read()
c.stop()
`

// A real mail server takes what we send: by STARTTLS, signed in, whole, and
// from nobody who has the wrong password.
func TestRealMailServer(t *testing.T) {
	cert, trust := certificate(t)
	address, lines := startPostOffice(t, cert.Certificate[0], cert.PrivateKey)
	send := func(password string) error {
		return NewEmail(EmailOptions{Server: address, From: "mooring@example.com", To: []string{"ann@example.com", "bob@example.com"},
			Username: "mooring", Password: fixed(password), Trust: trust}).Notify(t.Context(), told)
	}
	if err := send("wrong"); err == nil || IsPermanent(err) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with another's password: %v", err)
	}
	if err := send("hunter2"); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() {
		t.Fatal("the server was given nothing")
	}
	var got struct {
		From string
		To   []string
		TLS  bool
		Data string
	}
	if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.From != "mooring@example.com" || len(got.To) != 2 || !got.TLS {
		t.Errorf("the server was given %+v", got)
	}
	m, err := mail.ReadMessage(strings.NewReader(got.Data))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Header.Date(); err != nil || m.Header.Get("Message-Id") == "" || !strings.Contains(m.Header.Get("Subject"), "HIGH") {
		t.Errorf("headers %v: %v", m.Header, err)
	}
	plain := NewEmail(EmailOptions{Server: address, TLS: NoTLS, From: "mooring@example.com", To: []string{"ann@example.com"}})
	if err := plain.Notify(t.Context(), told); err == nil {
		t.Error("in the open it was taken by a server that wants TLS")
	}
}

// startPostOffice runs the server with the interpreter that has it, and returns
// its address and what it says.
func startPostOffice(t *testing.T, der []byte, key any) (string, *bufio.Scanner) {
	t.Helper()
	program, err := exec.LookPath("aiosmtpd")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no aiosmtpd on this machine, and this is CI")
		}
		t.Skip("no aiosmtpd on this machine (Debian: apt install python3-aiosmtpd); its protocol is tested against a postbox above")
	}
	script, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	interpreter, _, _ := strings.Cut(strings.TrimPrefix(string(script), "#!"), "\n")
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // the server takes it over
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(strings.TrimSpace(interpreter), "-c", postOffice, port, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	var faults strings.Builder
	cmd.Stderr = &faults
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with it
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		_ = cmd.Wait()
		t.Fatalf("the mail server ended: %s", faults.String())
	}
	return address, lines
}
