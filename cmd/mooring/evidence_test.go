package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"mooring.dev/policy/rego"
	"mooring.dev/sources/evidence"
	"mooring.dev/sources/manifest"
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
	block := func(kind string) string {
		m := regexp.MustCompile("(?s)```" + kind + "\n(.*?)```").FindSubmatch(text)
		if m == nil {
			t.Fatalf("the guide shows no %s", kind)
		}
		return string(m[1])
	}
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
