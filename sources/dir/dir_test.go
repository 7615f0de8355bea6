package dir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Open(Options{Dir: dir, Branches: Fixed("main", "env/preview"), Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func snapshot(t *testing.T, f *Folder) sources.Snapshot {
	t.Helper()
	got, err := f.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got["main"]
}

func TestContract(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
		dir := filepath.Join(t.TempDir(), "folder")
		write(t, dir, map[string]string{"first.yaml": "x"})
		return sourcetest.Fixture{
			Source: open(t, dir), Single: true, Prompt: true,
			Commit: func(_ string, files map[string]string) string {
				write(t, dir, files)
				return ""
			},
			Break: func() func() {
				if err := os.Rename(dir, dir+".away"); err != nil {
					t.Fatal(err)
				}
				return func() {
					if err := os.Rename(dir+".away", dir); err != nil {
						t.Fatal(err)
					}
				}
			},
		}
	})
}

func TestHiddenFoldersAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": "1", ".git/config": "secret", "b/.cache/x": "1", ".hidden.yaml": "a file"})
	f := open(t, dir)
	before := snapshot(t, f)
	for _, name := range []string{".git", ".git/config", "b/.cache/x"} {
		if _, err := fs.Stat(before.Tree, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want it left out", name, err)
		}
	}
	if _, err := fs.ReadFile(before.Tree, ".hidden.yaml"); err != nil {
		t.Errorf("a hidden file: %v", err)
	}
	write(t, dir, map[string]string{".git/config": "other"})
	if after := snapshot(t, f); after.Commit.SHA != before.Commit.SHA {
		t.Error("a hidden folder changed the name of the content")
	}
}

func TestLinksAreSeenAndRefused(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": "1"})
	for name, target := range map[string]string{"link.yaml": outside, "loop": ".", "inside.yaml": "a.yaml"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		tree := snapshot(t, open(t, dir)).Tree
		info, err := fs.Stat(tree, name)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s: %v, %v, want a symbolic link", name, info, err)
		}
		if raw, err := fs.ReadFile(tree, name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: read %q, %v, want it refused", name, raw, err)
		}
	}
}

func TestLargeFilesAreListedNotRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": "1"})
	path := filepath.Join(dir, "app.zip")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", maxFile+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir)
	before := snapshot(t, f)
	info, err := fs.Stat(before.Tree, "app.zip")
	if err != nil || info.Size() != maxFile+1 {
		t.Errorf("Stat: %v, %v", info, err)
	}
	if _, err := before.Tree.Open("app.zip"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Open: %v, want it refused", err)
	}
	if err := os.Truncate(path, maxFile+2); err != nil {
		t.Fatal(err)
	}
	if after := snapshot(t, f); after.TreeID == before.TreeID {
		t.Error("a larger file by the same name")
	}
}

func TestOpenRemembersTheLastAndTheKept(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	var names []string
	for i := range history + 3 {
		write(t, dir, map[string]string{"a.yaml": strings.Repeat("x", i)})
		s := snapshot(t, f)
		names = append(names, s.Commit.SHA)
		if i == 0 {
			if err := f.Keep(t.Context(), "applied", s.Commit.SHA); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, want := range map[int]error{0: nil, 1: sources.ErrUnknownCommit, 3: nil, history + 2: nil} {
		if _, err := f.Open(t.Context(), names[i]); !errors.Is(err, want) {
			t.Errorf("Open snapshot %d: %v, want %v", i, err, want)
		}
	}
	if err := f.Keep(t.Context(), "applied", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(t.Context(), names[0]); !errors.Is(err, sources.ErrUnknownCommit) {
		t.Errorf("released: %v", err)
	}
}

func TestProposeIsRefused(t *testing.T) {
	if _, err := open(t, t.TempDir()).Propose(t.Context(), sources.Edit{Branch: "main"}); !errors.Is(err, sources.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

func TestTheNameFollowsContentAlone(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	write(t, one, map[string]string{"b.yaml": "2", "a/c.yaml": "1"})
	write(t, two, map[string]string{"a/c.yaml": "1", "b.yaml": "2"})
	first, second := snapshot(t, open(t, one)), snapshot(t, open(t, two))
	if first.Commit.SHA != second.Commit.SHA || !strings.HasPrefix(first.Commit.SHA, "dir:") {
		t.Errorf("equal folders: %s and %s", first.Commit.SHA, second.Commit.SHA)
	}
	write(t, two, map[string]string{"b.yaml": "1", "a/c.yaml": "2"})
	if third := snapshot(t, open(t, two)); third.Commit.SHA == first.Commit.SHA {
		t.Error("contents exchanged, same name")
	}
}

func TestOpenNeedsItsOptions(t *testing.T) {
	for _, o := range []Options{{}, {Dir: "x"}, {Branches: Fixed("main")}} {
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
