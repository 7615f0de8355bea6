package signature

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/sources/manifest"
	"mooring.dev/sources/sourcetest"
)

// gpg runs the real program with a home of its own.
func gpg(t *testing.T, home string, args ...string) string {
	t.Helper()
	cmd := exec.Command("gpg", append([]string{"--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GNUPGHOME=" + home, "HOME=" + home}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gpg %v: %v: %s", args, err, said.String())
	}
	return string(out)
}

// TestCommitsThatGitSignedWithGPG reads what git and gpg wrote.
func TestCommitsThatGitSignedWithGPG(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is missing: OpenPGP signatures of the real program are not read")
	}
	home, err := os.MkdirTemp("", "gpg") // short: a socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop := exec.Command("gpgconf", "--kill", "gpg-agent")
		stop.Env = []string{"PATH=" + os.Getenv("PATH"), "GNUPGHOME=" + home}
		if err := stop.Run(); err != nil {
			t.Log(err)
		}
		_ = os.RemoveAll(home) // the agent may still be at it
	})
	gpg(t, home, "--quick-gen-key", "Anna <anna@example.com>", "ed25519", "sign", "2d")
	gpg(t, home, "--quick-gen-key", "Eve <eve@example.com>", "ed25519", "sign", "never")
	wrapper := filepath.Join(home, "gpg.sh")
	if err := os.WriteFile(wrapper, []byte("#!/bin/sh\nexport GNUPGHOME="+home+"\nexec gpg --batch --pinentry-mode loopback --passphrase '' \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	g := sourcetest.NewGit(t, false)
	g.Run(nil, "-c", "gpg.program="+wrapper, "-c", "user.signingkey=anna@example.com", "commit", "-q", "-S", "--allow-empty", "-m", "Signed")
	c, now := head(t, g), time.Now()
	anna, eve := gpg(t, home, "--armor", "--export", "anna@example.com"), gpg(t, home, "--armor", "--export", "eve@example.com")
	both := reading(t, "", eve+anna) // a file of two blocks
	got := both.Check(c, now)
	if got.Status != "valid" || got.Kind != "pgp" || got.Signer != "Anna <anna@example.com>" || !strings.Contains(gpg(t, home, "--fingerprint", "--with-colons", "anna@example.com"), got.KeyID) {
		t.Errorf("%+v", got)
	}
	if got := reading(t, "", eve).Check(c, now); got.Status != "unknown_key" || got.KeyID == "" {
		t.Errorf("among strangers it is %+v", got)
	}
	if got := both.Check(c, now.Add(72*time.Hour)); got.Status != "invalid" {
		t.Errorf("after its key ran out it is %+v", got)
	}
	forged := c
	forged.Proof.Payload = strings.Replace(c.Proof.Payload, "Signed", "Forged", 1)
	if got := both.Check(forged, now); got.Status != "invalid" {
		t.Errorf("forged it is %+v", got)
	}
	if got := reading(t, "", pgpPublic).Check(c, now); got.Status != "unknown_key" {
		t.Errorf("with another ring it is %+v", got)
	}
	secret := gpg(t, home, "--armor", "--export-secret-keys", "anna@example.com")
	for _, ring := range []string{secret, anna + secret, "", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"} {
		_, err := New(fstest.MapFS{"ring.asc": {Data: []byte(ring)}}, manifest.Signatures{Keyring: "ring.asc"})
		if err == nil || !strings.Contains(err.Error(), "ring.asc") {
			t.Errorf("a ring of %d bytes: %v", len(ring), err)
		}
	}
}

// pgpPublic is a public key whose other half is gone.
const pgpPublic = `-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawuZMhYJKwYBBAHaRw8BAQdAZEtWl2Zd9pOJW9CbI81Om2b57BcbxdjwoWnp
mzkomr60H1NvbWVib2R5IDxzb21lYm9keUBleGFtcGxlLmNvbT6IkAQTFggAOBYh
BOedwuvEThFtAwySKxM3aRE+6vs7BQJrC5kyAhsDBQsJCAcCBhUKCQgLAgQWAgMB
Ah4BAheAAAoJEBM3aRE+6vs71TkBAKi2/0jN8S9Ls6DA1ZX3A8OebJ6SqazGbqQX
QI5Yl4UVAP9Gf+J/o84Slh/RRKdjDTq1b1U68srvLvNSQ9x/R+cLDA==
=qlIZ
-----END PGP PUBLIC KEY BLOCK-----
`
