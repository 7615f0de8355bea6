package rego

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Policies are Rego for everybody: OPA's own program, given what is published,
// runs their tests and refuses what is refused here.
func TestPlainOPA(t *testing.T) {
	long(t)
	if testing.Short() {
		t.Skip("opa itself is built for this")
	}
	opa, published := buildOPA(t), publish(t)
	t.Run("runs the tests", func(t *testing.T) { plainTests(t, opa, published) })
	t.Run("refuses", func(t *testing.T) { plainRefusals(t, opa, published) })
}

// Every folder of policies here runs under plain `opa test` too, with the
// capabilities and schemas that are published and the library beside: the same
// tests, and all of them pass.
func plainTests(t *testing.T, opa string, published []string) {
	ran := 0
	for _, dir := range policyFolders(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			ours, err := Test(os.DirFS(dir), TestOptions{})
			if err != nil || ours.Failed > 0 {
				t.Fatalf("%+v, %v", ours, err)
			}
			beside := t.TempDir()
			config, err := Config(os.DirFS(dir), "policies")
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(beside, "config", "data.json"), config)
			for _, p := range Library() {
				write(t, filepath.Join(beside, "policy", "lib", p.File), p.Text)
			}
			args := append(slices.Clone(published), "--ignore", "data", beside, filepath.Join(dir, "policies"))
			said := run(t, opa, append([]string{"test"}, args...)...)
			if got := passes(said); got < ours.Passed { // it counts each case of a test
				t.Errorf("ours passes %d; opa test: %s", ours.Passed, said)
			}
			run(t, opa, append([]string{"check", "--strict"}, args...)...)
			ran += ours.Passed
		})
	}
	if ran < 60 {
		t.Errorf("only %d tests ran", ran)
	}
	said := run(t, opa, append(append([]string{"test"}, published...), "library")...)
	if passes(said) < 50 {
		t.Errorf("the library's own tests: %s", said)
	}
}

// passes is how many tests opa says passed, when all did.
func passes(said string) int {
	var passed, all int
	for line := range strings.Lines(said) {
		if n, _ := fmt.Sscanf(line, "PASS: %d/%d", &passed, &all); n == 2 && passed == all {
			return passed
		}
	}
	return 0
}

// What is published refuses there what it refuses here.
func plainRefusals(t *testing.T, opa string, published []string) {
	for name, text := range map[string]string{
		"the network":       "package policy.admission.a\n\ndeny contains \"x\" if http.send({\"url\": \"http://x\", \"method\": \"get\"}).status_code == 200\n",
		"the clock":         "package policy.admission.a\n\ndeny contains \"x\" if time.now_ns() > 3\n",
		"a misspelt field":  "# METADATA\n# schemas:\n#   - input: schema.admission\npackage policy.admission.a\n\ndeny contains \"x\" if input.chnages == []\n",
		"another's field":   "# METADATA\n# schemas:\n#   - input: schema.drift\npackage policy.drift.a\n\naction contains \"x\" if input.upstream == []\n",
		"a field deep down": "# METADATA\n# schemas:\n#   - input: schema.promotion\npackage policy.promotion.a\n\ndeny contains \"x\" if input.upstream[0].soak == 1\n",
	} {
		file := filepath.Join(t.TempDir(), "a.rego")
		write(t, file, []byte(text))
		if out, err := exec.CommandContext(t.Context(), opa, append(append([]string{"check"}, published...), file)...).CombinedOutput(); err == nil {
			t.Errorf("%s is taken: %s", name, out)
		}
	}
}

// buildOPA builds OPA's own program, from a module of its own: the product
// needs its engine only.
func buildOPA(t *testing.T) string {
	t.Helper()
	tools, err := filepath.Abs("../../testdata/tools")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "opa")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/open-policy-agent/opa")
	build.Dir = tools
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build opa: %v\n%s", err, out)
	}
	return binary
}

// publish writes what OPA's tools are given, and returns the flags.
func publish(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "capabilities.json"), Capabilities())
	for p, text := range Schemas() {
		write(t, filepath.Join(dir, "schemas", string(p)+".json"), text)
	}
	return []string{"--capabilities", filepath.Join(dir, "capabilities.json"), "--schema", filepath.Join(dir, "schemas")}
}

// policyFolders are the example repository and every folder of examples.
func policyFolders(t *testing.T) []string {
	t.Helper()
	out := []string{"../../testdata/shop/control"}
	err := filepath.WalkDir("../../testdata/policies", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return err
		case d.Name() == "before" || d.Name() == "upgraded": // what is to be changed for Mooring
			return fs.SkipDir
		case d.Name() == "policies" && path != "../../testdata/policies":
			out = append(out, filepath.Dir(path))
			return fs.SkipDir
		}
		return nil
	})
	if err != nil || len(out) < 7 {
		t.Fatalf("folders %v, %v", out, err)
	}
	return out
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}
