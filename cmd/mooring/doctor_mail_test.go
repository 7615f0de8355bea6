package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/reconciler/diagnose"
	"mooring.dev/sources/manifest"
)

// mailServer lets in who has the password, offers no STARTTLS, and notes what it
// is asked.
func mailServer(t *testing.T, password string) (address string, asked func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var mu sync.Mutex
	var said []string
	var all sync.WaitGroup
	answer := func(line string) string {
		mu.Lock()
		defer mu.Unlock()
		verb, rest, _ := strings.Cut(line, " ")
		said = append(said, verb)
		good := base64.StdEncoding.EncodeToString([]byte("\x00mooring\x00" + password))
		switch {
		case verb == "EHLO":
			return "250-mail\r\n250 AUTH PLAIN"
		case verb == "AUTH" && rest != "PLAIN "+good:
			return "535 no"
		case verb == "AUTH":
			return "235 welcome"
		}
		return "250 ok"
	}
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				_, _ = fmt.Fprint(conn, "220 mail\r\n")
				for in := bufio.NewScanner(conn); in.Scan(); {
					_, _ = fmt.Fprint(conn, answer(in.Text())+"\r\n")
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String(), func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(said) }
}

// TestDoctorIsLetInByMail: each remedy of a mail server that takes no mail is
// followed until the doctor is content; no mail is begun, and no password is told.
func TestDoctorIsLetInByMail(t *testing.T) {
	address, asked := mailServer(t, "s3cret-right")
	r := manifest.Receiver{Email: &manifest.Email{Server: address, From: "mooring@example.com", To: []string{"ann@example.com"},
		Username: "mooring", Password: &manifest.Secret{FromEnv: "WARD_MAIL"}}}
	look := func() diagnose.Check {
		t.Helper()
		checks := diagnose.OfReceiver((&doctoring{}).receiver(t.Context(), &platforms{secrets: secrets{}}, "mail", r))
		for _, c := range checks {
			if strings.Contains(c.Found+c.Remedy, "s3cret") {
				t.Errorf("it tells a password: %+v", c)
			}
		}
		return checks[len(checks)-1]
	}
	t.Setenv("WARD_MAIL", "")
	if c := look(); c.Result != diagnose.Skipped || len(asked()) > 0 {
		t.Errorf("without a password: %+v, asked %v", c, asked())
	}
	t.Setenv("WARD_MAIL", "s3cret-wrong")
	if c := look(); c.Result != diagnose.Fault || !strings.Contains(c.Remedy, "tls: none") || slices.Contains(asked(), "AUTH") {
		t.Errorf("in the open: %+v, asked %v", c, asked())
	}
	r.Email.TLS = "none"
	if c := look(); c.Result != diagnose.Fault || !strings.Contains(c.Remedy, "email.password") {
		t.Errorf("with a wrong password: %+v", c)
	}
	t.Setenv("WARD_MAIL", "s3cret-right")
	if c := look(); c.Result != diagnose.OK || !strings.Contains(c.Found, "lets mooring in") {
		t.Errorf("with all of it: %+v", c)
	}
	r.Email.TLS = "implicit"
	if c := look(); c.Result != diagnose.Fault {
		t.Errorf("implicit, where it speaks no TLS: %+v", c)
	}
	r.Email.Server = "127.0.0.1:1"
	if c := look(); c.Result != diagnose.Fault || !strings.Contains(c.Found, "does not answer") {
		t.Errorf("nobody listens: %+v", c)
	}
	for _, verb := range asked() {
		if verb == "MAIL" || verb == "RCPT" || verb == "DATA" {
			t.Errorf("a mail was begun: %v", asked())
		}
	}
}

// TestDoctorReadsEverySecret: wherever a secret is declared, one that cannot be
// read is told by its path, and the command that is told writes it.
func TestDoctorReadsEverySecret(t *testing.T) {
	t.Setenv("WARD_KEY", "")
	file := filepath.Join(t.TempDir(), "a folder", "token")
	p := &manifest.Pipeline{
		Environments: []manifest.Environment{{Name: "production", Checks: []manifest.Check{{Name: "smoke", HTTP: &manifest.HTTPCheck{
			URL: manifest.Secret{Inline: "https://shop.example.com"}, Headers: map[string]manifest.Secret{"X-Key": {FromFile: file}},
		}}}}},
		Identity:  manifest.Identity{Issuers: []manifest.Issuer{{Login: &manifest.IssuerLogin{Name: "google", Secret: &manifest.Secret{FromEnv: "WARD_KEY"}}}}},
		Receivers: map[string]manifest.Receiver{"oncall": {Slack: &manifest.Slack{URL: manifest.Secret{FromEnv: "WARD_NONE"}}}}, // told of the receiver
	}
	look := func() diagnose.Check { return diagnose.OfSecrets(otherSecrets(p)) }
	c := look()
	if c.Result != diagnose.Fault || !strings.Contains(c.Found, "production.checks.smoke.http.headers.X-Key: ") || !strings.Contains(c.Found, "secret: ") || strings.Contains(c.Found, "WARD_NONE") {
		t.Fatalf("%+v", c)
	}
	write := exec.Command("sh", "-c", c.Command)
	write.Stdin = strings.NewReader("s3cret\n")
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", c.Command, err, out)
	}
	if c = look(); c.Result != diagnose.Fault || c.Command != "" || !strings.Contains(c.Found, "WARD_KEY") {
		t.Errorf("with the file: %+v", c)
	}
	t.Setenv("WARD_KEY", "s3cret")
	if c = look(); c.Result != diagnose.OK || !strings.Contains(c.Found, "2 secrets") {
		t.Errorf("with all: %+v", c)
	}
}

// TestDoctorCountsAFleet: environments of one account and region are one fleet.
func TestDoctorCountsAFleet(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	all := fleets{}
	of := func(name, region string, n int) {
		release := &manifest.Release{}
		for i := range n {
			release.Resources = append(release.Resources, manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindFunction, Name: fmt.Sprint("f", i)}})
		}
		e := manifest.Environment{Name: name, Provider: manifest.ProviderTarget{AWS: &manifest.AWSTarget{Account: "111111111111", Region: region}}}
		e.Drift.Interval = manifest.Duration(time.Minute)
		all.note(e, release, 0)
	}
	of("preview", "eu-west-1", 300)
	of("production", "eu-west-1", 300)
	of("other", "eu-central-1", 300)
	all.note(manifest.Environment{Name: "memory"}, &manifest.Release{}, 0)
	checks := all.checks()
	if len(checks) != 2 || checks[0].Result != diagnose.OK || checks[1].Result != diagnose.Warning || checks[1].Scope != "111111111111/eu-west-1" || !strings.Contains(checks[1].Remedy, "--sweep-share") {
		t.Errorf("%+v", checks)
	}
}
