package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/policy/rego"
	"mooring.dev/sources/evidence"
	"mooring.dev/sources/git"
	"mooring.dev/sources/manifest"
	"mooring.dev/sources/signature"
)

// docs/evidence.md: its pipeline loads, its policy is accepted, and what its
// commands sign is verified.
func TestEvidenceGuide(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("the guide needs openssl")
	}
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string) string { return blockOf(t, text, kind) }
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", block("sh"))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	tree := fstest.MapFS{manifest.PipelineFile: {Data: []byte(block("yaml"))}, "keys/ci.pub": {Data: read("ci.pub")}}
	p, err := manifest.LoadPipeline(tree)
	if err != nil {
		t.Fatal(err)
	}
	v, err := evidence.NewVerifier(tree, p.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	said := v.Read(t.Context(), "unit.intoto.jsonl", read("unit.intoto.jsonl"))
	if len(said) != 1 || !said[0].Verified || said[0].Signer != "ci" || said[0].Name != "unit" || !said[0].Passed || !strings.HasPrefix(said[0].Subjects[0], "sha256:9f86d0") {
		t.Errorf("%+v", said)
	}
	if _, err := rego.Load(fstest.MapFS{"policies/promotion/tests.rego": {Data: []byte(block("rego"))}}, rego.LoadOptions{}); err != nil {
		t.Error(err)
	}
}

// blockOf is the first block of a kind that a page shows.
func blockOf(t *testing.T, page []byte, kind string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + kind + "\n(.*?)```").FindSubmatch(page)
	if m == nil {
		t.Fatalf("the guide shows no %s", kind)
	}
	return string(m[1])
}

// docs/signatures.md: its pipeline loads, its policy is accepted, and what its
// commands sign is verified.
func TestSignaturesGuide(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ssh-keygen is missing")
		}
		t.Skip("the guide needs ssh-keygen")
	}
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "signatures.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", blockOf(t, text, "sh"))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	allowed, err := os.ReadFile(filepath.Join(dir, "allowed_signers"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := manifest.LoadPipeline(fstest.MapFS{manifest.PipelineFile: {Data: []byte(blockOf(t, text, "yaml"))}})
	if err != nil {
		t.Fatal(err)
	}
	p.Signatures.Keyring = "" // the page makes none
	signers, err := signature.New(fstest.MapFS{p.Signatures.AllowedSigners: {Data: allowed}}, p.Signatures)
	if err != nil {
		t.Fatal(err)
	}
	repo, err := git.Open(git.Options{URL: filepath.Join(dir, "shop"), Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = repo.Close() }() // only read
	branches, err := repo.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, snap := range branches {
		if got := signers.Check(snap.Commit, time.Now()); got.Status != "valid" || got.Signer != "anna@example.com" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if len(branches) != 1 {
		t.Errorf("%d branches", len(branches))
	}
	if _, err := rego.Load(fstest.MapFS{"policies/admission/signed.rego": {Data: []byte(blockOf(t, text, "rego"))}}, rego.LoadOptions{}); err != nil {
		t.Error(err)
	}
}
