package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
	"mooring.dev/sources/signature"
	"mooring.dev/sources/sourcetest"
)

// TestMergeCommitsAreSigned: what Mooring commits verifies with git itself and
// with the signers Mooring reads, trailers and tree untouched.
func TestMergeCommitsAreSigned(t *testing.T) {
	key, path := sshKey(t)
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir, SigningKeyFile: path})
	preview, staging := diverged(g)
	fetch(t, r)
	edit := edit1(preview, staging)
	edit.Message = sources.AppendTrailers("Promote", map[string]string{"Mooring-Content": "sha256:1", "Mooring-Evidence": "a\nb"})
	moved, err := r.Propose(t.Context(), edit)
	if err != nil || moved.FastForward {
		t.Fatalf("%+v, %v", moved, err)
	}
	line := `mooring namespaces="git" ` + string(ssh.MarshalAuthorizedKey(key.PublicKey()))
	allowed := filepath.Join(t.TempDir(), "allowed")
	if err := os.WriteFile(allowed, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Log("ssh-keygen is missing: git itself does not look")
	} else {
		g.Run(nil, "-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-commit", moved.SHA) // fails the test
	}
	if g.Run(nil, "rev-parse", moved.SHA+"^{tree}") != g.Run(nil, "rev-parse", preview+"^{tree}") {
		t.Error("the tree is another")
	}
	snap := fetch(t, r)["env/staging"]
	signers, err := signature.New(fstest.MapFS{"keys": {Data: []byte(line)}}, manifest.Signatures{AllowedSigners: "keys"})
	if err != nil {
		t.Fatal(err)
	}
	got := signers.Check(snap.Commit, time.Now())
	if want := (sources.Signature{Status: "valid", Kind: "ssh", KeyID: ssh.FingerprintSHA256(key.PublicKey()), Signer: "mooring"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if trailers := snap.Commit.Trailers; trailers["Mooring-Content"] != "sha256:1" || trailers["Mooring-Evidence"] != "a\nb" {
		t.Errorf("trailers %q", trailers)
	}
}

func TestWrongSigningKeyIsToldAtTheStart(t *testing.T) {
	dir := t.TempDir()
	garbled := filepath.Join(dir, "key")
	if err := os.WriteFile(garbled, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{garbled, filepath.Join(dir, "none")} {
		_, err := Open(Options{URL: dir, Dir: filepath.Join(dir, "store"), SigningKeyFile: path})
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSignatureHidesNothing: a signature that stands so that the commit reads as
// another without it is a signature of neither.
func TestSignatureHidesNothing(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	parent := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a": "1"}})
	tree := g.Run(nil, "rev-parse", "main^{tree}")
	const who = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n"
	const sig = "gpgsig -----BEGIN SSH SIGNATURE-----\n abc\n -----END SSH SIGNATURE-----\n"
	for name, test := range map[string]struct{ raw, payload string }{
		"plain":             {"tree " + tree + "\nparent " + parent + "\n" + who + sig + "\nText\n", "tree " + tree + "\nparent " + parent + "\n" + who + "\nText\n"},
		"before the parent": {"tree " + tree + "\n" + sig + "parent " + parent + "\n" + who + "\nText\n", ""},
		"before the author": {"tree " + tree + "\nparent " + parent + "\n" + sig + who + "\nText\n", ""},
	} {
		sha := g.Run([]byte(test.raw), "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
		g.Run(nil, "update-ref", "refs/heads/signed", sha)
		got := fetch(t, r)["signed"].Commit.Proof
		if got.Payload != test.payload || !strings.HasPrefix(got.Armored, "-----BEGIN SSH SIGNATURE-----\nabc\n") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
