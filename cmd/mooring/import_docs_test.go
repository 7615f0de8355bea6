package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestImportDocs plays docs/import.md as written, in an account made by hand:
// every sh block in one shell, and every yaml block is either a file that the
// commands read, or what they wrote.
func TestImportDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "import.md"))
	check(t, err)
	a := newAccount(t)
	a.handmade()
	dir := t.TempDir()
	written := map[string]string{}
	blocks := regexp.MustCompile("(?s)```(sh|yaml)\n(.*?)```")
	script := "set -e\n"
	for _, m := range blocks.FindAllStringSubmatch(string(text), -1) {
		if m[1] == "sh" {
			script += m[2]
			continue
		}
		name, content, ok := strings.Cut(strings.TrimPrefix(m[2], "# "), "\n")
		if !ok || !strings.HasPrefix(m[2], "# ") {
			t.Fatalf("a yaml block does not say which file it is: %s", m[2])
		}
		if strings.Contains(name, "/") {
			written[name] = content
			continue
		}
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	if len(written) == 0 || strings.Count(script, "mooring import") < 4 {
		t.Fatalf("the document has lost its blocks: %s", script)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir, cmd.Env = dir, a.environment
	out, err := cmd.CombinedOutput()
	a.quiet("docs/import.md", string(out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "in_sync") + strings.Count(string(out), "nothing to do") + strings.Count(string(out), "in sync"); n < 2 {
		t.Errorf("the plans are not empty:\n%s", out)
	}
	for name, want := range written {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		check(t, err)
		if !strings.Contains(string(got), want) {
			t.Errorf("%s does not say\n%s\nbut\n%s", name, want, got)
		}
	}
}
