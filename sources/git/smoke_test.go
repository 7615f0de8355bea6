package git

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	sh := func(args ...string) {
		t.Helper()
		c := exec.Command("git", args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	sh("init", "-q", "-b", "main")
	os.MkdirAll(filepath.Join(dir, "a/b"), 0o755)
	os.WriteFile(filepath.Join(dir, "a/b/c"), []byte("hello"), 0o644)
	sh("add", ".")
	sh("commit", "-q", "-m", "x")
	r, err := Open(Options{URL: dir, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := r.Fetch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := fs.ReadFile(got["main"].Tree, "a/b/c")
	if err != nil || string(raw) != "hello" {
		t.Fatal(string(raw), err)
	}
}
