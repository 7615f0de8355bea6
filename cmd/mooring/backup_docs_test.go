package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mooring.dev/reconciler/journal/bolt"
)

// TestBackupOfTheDocs runs the commands on the journal of docs/operations.md,
// in their order, as they stand there.
func TestBackupOfTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	store, err := bolt.Open(filepath.Join(dir, "mooring", "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Acquire(t.Context(), "docs"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^mooring journal .*$`).FindAllString(string(text), -1)
	for _, name := range []string{"backup", "check", "restore", "export", "import"} {
		if !strings.Contains(strings.Join(lines, "\n"), "mooring journal "+name) {
			t.Errorf("docs/operations.md does not show `mooring journal %s`", name)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.Join(lines, "\n"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+dir, "MOORING_SERVER=http://127.0.0.1:1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"mooring/journal.db.replaced-1", "elsewhere/journal.db"} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
}
