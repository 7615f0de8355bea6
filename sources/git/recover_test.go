package git

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mooring.dev/sources/sourcetest"
)

// TestStoreSurvivesLossOfPower damages what a store held that was never
// closed, as a disk does whose writes did not all arrive.
func TestStoreSurvivesLossOfPower(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1", "b/c.yaml": "2"}})
	for name, damage := range map[string]func(path string) error{
		"empty":  func(path string) error { return os.Truncate(path, 0) },
		"cut":    func(path string) error { return os.Truncate(path, 15) },
		"zeroed": func(path string) error { return os.WriteFile(path, make([]byte, 100), 0o600) },
	} {
		for _, url := range []string{g.Dir, server.Repository} {
			dir := filepath.Join(t.TempDir(), "store")
			dead, err := Open(Options{URL: url, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			tree := fetch(t, dead)["main"].Tree.(treeFS)
			if err := dead.store.close(); err != nil { // the files, not the marker
				t.Fatal(err)
			}
			entries, err := dead.store.tree(tree.root)
			if err != nil {
				t.Fatal(err)
			}
			blob, _ := lookup(entries, "a.yaml")
			folder, _ := lookup(entries, "b")
			for _, e := range []entry{blob, folder} {
				hex := e.hash.String()
				path := filepath.Join(dir, "objects", hex[:2], hex[2:])
				if err := os.Chmod(path, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := damage(path); err != nil {
					t.Fatal(err)
				}
			}
			r := follow(t, Options{URL: url, Dir: dir})
			snapshot := fetch(t, r)["main"]
			wanted := files{"a.yaml": "1", "b/c.yaml": "2"}
			for file, want := range wanted {
				if got, err := fs.ReadFile(snapshot.Tree, file); err != nil || string(got) != want {
					t.Errorf("%s, %s: %s reads %q, %v", name, url, file, got, err)
				}
			}
			if err := dead.store.close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestDamagedPackIsFetchedAgain(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	dir := filepath.Join(t.TempDir(), "store")
	dead, err := Open(Options{URL: g.Dir, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	fetch(t, dead)
	if err := dead.store.packLoose(t.Context()); err != nil {
		t.Fatal(err)
	}
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("%v, %v", packs, err)
	}
	if err := os.Truncate(packs[0], 40); err != nil {
		t.Fatal(err)
	}
	if err := dead.store.close(); err != nil {
		t.Fatal(err)
	}
	var told int
	r := follow(t, Options{URL: g.Dir, Dir: dir, Notice: func(error) { told++ }})
	if got := text(t, fetch(t, r)["main"], "a.yaml"); got != "1" || told != 1 {
		t.Errorf("reads %q, told %d times", got, told)
	}
}

// TestClosedStoreIsNotLookedThrough: the marker is gone after Close.
func TestClosedStoreIsNotLookedThrough(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	dir := filepath.Join(t.TempDir(), "store")
	r, err := Open(Options{URL: g.Dir, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, openMarker)); err != nil {
		t.Errorf("open: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, openMarker)); err == nil {
		t.Error("the marker is still there")
	}
}
