package signature

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"mooring.dev/sources"
	"mooring.dev/sources/git"
	"mooring.dev/sources/manifest"
	"mooring.dev/sources/sourcetest"
)

var made = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// reading opens signers over one file.
func reading(t testing.TB, allowed, keyring string) sources.Signers {
	t.Helper()
	var spec manifest.Signatures
	tree := fstest.MapFS{}
	if allowed != "" {
		spec.AllowedSigners, tree["keys/allowed"] = "keys/allowed", &fstest.MapFile{Data: []byte(allowed)}
	}
	if keyring != "" {
		spec.Keyring, tree["keys/ring.asc"] = "keys/ring.asc", &fstest.MapFile{Data: []byte(keyring)}
	}
	s, err := New(tree, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sshKey is a private key, and its public line.
func sshKey(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// signed is a commit of one payload, signed for a namespace.
func signed(t testing.TB, key ssh.Signer, payload, space string) sources.Commit {
	t.Helper()
	sig, err := sshsig.Sign(strings.NewReader(payload), key, sshsig.HashSHA512, space)
	if err != nil {
		t.Fatal(err)
	}
	return sources.Commit{
		SHA: "1", Time: made, Signature: sources.Signature{Status: "unchecked", Kind: "ssh"},
		Proof: sources.Proof{Armored: string(sshsig.Armor(sig)), Payload: payload},
	}
}

// TestCommitsThatGitSignedWithSSH reads what git and ssh-keygen wrote.
func TestCommitsThatGitSignedWithSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is missing")
	}
	for kind, bits := range map[string]string{"ed25519": "", "ecdsa": "384", "rsa": "2048"} {
		g := sourcetest.NewGit(t, false)
		key := filepath.Join(t.TempDir(), "key")
		args := []string{"-q", "-t", kind, "-N", "", "-C", "anna", "-f", key}
		if bits != "" {
			args = append(args, "-b", bits)
		}
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		g.Run(nil, "-c", "gpg.format=ssh", "-c", "user.signingkey="+key, "commit", "-q", "-S", "--allow-empty", "-m", "Signed\n\nWith a body.\n\nTicket: 1")
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		print, err := exec.Command("ssh-keygen", "-lf", key+".pub").Output()
		if err != nil {
			t.Fatal(err)
		}
		c := head(t, g)
		s := reading(t, "# people\n\nanna@example.com,*@example.org namespaces=\"git\" "+string(public), "")
		want := sources.Signature{Status: "valid", Kind: "ssh", KeyID: strings.Fields(string(print))[1], Signer: "anna@example.com,*@example.org"}
		if got := s.Check(c, time.Now()); got != want {
			t.Errorf("%s: %+v, want %+v", kind, got, want)
		}
		_, other := sshKey(t)
		if got := reading(t, "eve "+other, "").Check(c, time.Now()); got.Status != "unknown_key" || got.KeyID != want.KeyID || got.Signer != "" {
			t.Errorf("%s: among strangers it is %+v", kind, got)
		}
		c.Proof.Payload = strings.Replace(c.Proof.Payload, "Signed", "Forged", 1)
		if got := s.Check(c, time.Now()); got.Status != "invalid" || got.Why == "" {
			t.Errorf("%s: forged it is %+v", kind, got)
		}
	}
}

func head(t *testing.T, g *sourcetest.Git) sources.Commit {
	t.Helper()
	r, err := git.Open(git.Options{URL: g.Dir, Dir: filepath.Join(t.TempDir(), "store")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // only read
	snaps, err := r.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snaps["main"].Commit
}

// TestSSH: what each of the ways to bring a signature that is none comes to.
func TestSSH(t *testing.T) {
	key, public := sshKey(t)
	_, other := sshKey(t)
	good := signed(t, key, "tree 1\n\nText\n", "git")
	change := func(f func(*sources.Commit)) sources.Commit {
		c := good
		f(&c)
		return c
	}
	late := made.Add(365 * 24 * time.Hour)
	tests := map[string]struct {
		allowed string
		commit  sources.Commit
		now     time.Time
		status  string
	}{
		"good":                 {"anna " + public, good, made, "valid"},
		"in time":              {`anna valid-after="20260301",valid-before="20260302Z" ` + public, good, made.Add(time.Hour), "valid"},
		"made too early":       {`anna valid-after="202603011300Z" ` + public, good, late, "invalid"},
		"made too late":        {`anna valid-before="20260301115959" ` + public, good, made, "invalid"},
		"the key has run out":  {`anna valid-before="20260401" ` + public, good, late, "invalid"},
		"a later line is good": {`anna valid-before="20250101" ` + public + "\nanna " + public, good, late, "valid"},
		"the key twice":        {"anna " + public + "\nanna " + public, good, late, "valid"},
		"other namespaces":     {`anna namespaces="file,g*,!git" ` + public, good, made, "invalid"},
		"a pattern":            {`anna namespaces="file,g?t" ` + public, good, made, "valid"},
		"another key":          {"eve " + other, good, made, "unknown_key"},
		"signed as a file":     {"anna " + public, signed(t, key, "tree 1\n\nText\n", "file"), made, "invalid"},
		"of another commit":    {"anna " + public, change(func(c *sources.Commit) { c.Proof.Payload = "tree 2\n\nText\n" }), made, "invalid"},
		"no payload":           {"anna " + public, change(func(c *sources.Commit) { c.Proof.Payload = "" }), made, "invalid"},
		"garbled":              {"anna " + public, change(func(c *sources.Commit) { c.Proof.Armored = strings.Replace(c.Proof.Armored, "U1NI", "XXXX", 1) }), made, "invalid"},
		"cut off":              {"anna " + public, change(func(c *sources.Commit) { c.Proof.Armored = c.Proof.Armored[:90] }), made, "invalid"},
		"two":                  {"anna " + public, change(func(c *sources.Commit) { c.Proof.Armored += c.Proof.Armored }), made, "invalid"},
		"huge":                 {"anna " + public, change(func(c *sources.Commit) { c.Proof.Armored += strings.Repeat("\n", 9) + strings.Repeat("A", 1<<20) }), made, "invalid"},
		"unsigned":             {"anna " + public, sources.Commit{}, made, ""},
		"of a kind not known":  {"anna " + public, change(func(c *sources.Commit) { c.Signature.Kind = "" }), made, "invalid"},
		"of OpenPGP, no ring":  {"anna " + public, change(func(c *sources.Commit) { c.Signature.Kind = "pgp" }), made, "unchecked"},
	}
	for name, test := range tests {
		got := reading(t, test.allowed, "").Check(test.commit, test.now)
		if got.Status != test.status || (got.Why == "") != (test.status == "valid" || test.status == "" || test.status == "unchecked") {
			t.Errorf("%s: %+v, want %q", name, got, test.status)
		}
	}
}

func TestFaultsOfAllowedSigners(t *testing.T) {
	_, public := sshKey(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short, err := ssh.NewPublicKey(&weak.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"":                                "no signer",
		public:                            "", // its type reads as a principal
		"anna":                            "principals",
		`"anna ` + public:                 "quotation",
		"anna cert-authority " + public:   "cert-authority",
		"anna valid-after=2026 " + public: "2026",
		"anna no-pty " + public:           "no-pty",
		"anna ssh-ed25519 AAAA":           "public key",
		"anna " + string(ssh.MarshalAuthorizedKey(short)): "1024",
	} {
		_, err := New(fstest.MapFS{"keys": {Data: []byte("# who signs\n" + line)}}, manifest.Signatures{AllowedSigners: "keys"})
		if err == nil || !strings.Contains(err.Error(), want) || line != "" && !strings.Contains(err.Error(), "keys:2: ") {
			t.Errorf("%q: %v", line, err)
		}
	}
	if _, err := New(fstest.MapFS{}, manifest.Signatures{AllowedSigners: "keys/none", Keyring: "keys/ring"}); err == nil || !strings.Contains(err.Error(), "keys/none") || !strings.Contains(err.Error(), "keys/ring") {
		t.Errorf("missing files: %v", err)
	}
	if s, err := New(fstest.MapFS{}, manifest.Signatures{}); s != nil || err != nil {
		t.Errorf("nothing configured: %v, %v", s, err)
	}
}

// TestID: other keys, another name.
func TestID(t *testing.T) {
	_, a := sshKey(t)
	_, b := sshKey(t)
	first, again, other := reading(t, "anna "+a, ""), reading(t, "anna "+a, ""), reading(t, "anna "+b, "")
	if first.ID() != again.ID() || first.ID() == other.ID() {
		t.Error("the names do not tell the sets apart")
	}
}

// FuzzCheck: nothing that a commit carries is taken for a signature it is not.
func FuzzCheck(f *testing.F) {
	key, public := sshKey(f)
	s := reading(f, "anna "+public, pgpPublic)
	good := signed(f, key, "tree 1\n\nText\n", "git")
	block, _ := pem.Decode([]byte(good.Proof.Armored))
	f.Add(good.Proof.Armored, "tree 2\n", true)
	f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: block.Bytes[:60]})), "tree 1\n", true)
	f.Add("-----BEGIN PGP SIGNATURE-----\n\niQ==\n=AAAA\n-----END PGP SIGNATURE-----", "tree 1\n", false)
	f.Add("-----BEGIN PGP MESSAGE-----\n\n-----END PGP MESSAGE-----", "", false)
	f.Fuzz(func(t *testing.T, armored, payload string, overSSH bool) {
		c := sources.Commit{Time: made, Proof: sources.Proof{Armored: armored, Payload: payload}, Signature: sources.Signature{Status: "unchecked", Kind: "pgp"}}
		if overSSH {
			c.Signature.Kind = "ssh"
		}
		got := s.Check(c, made)
		if got.Status == "valid" && payload != good.Proof.Payload {
			t.Errorf("%q is taken for a signature of %q", armored, payload)
		}
		if got.Status != "valid" && got.Status != "" && got.Why == "" {
			t.Errorf("%+v does not say why", got)
		}
	})
}
