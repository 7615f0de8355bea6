package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

// rawEntry is one entry of a tree as it stands in the object.
func rawEntry(mode, name, hash string) string {
	sum := plumbing.NewHash(hash)
	return mode + " " + name + "\x00" + string(sum[:])
}

// TestLesson07HostileTree commits what no work tree should ever hold.
func TestLesson07HostileTree(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	put := func(kind, content string) string {
		return g.Run([]byte(content), "hash-object", "-t", kind, "-w", "--literally", "--stdin")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	blob, link, loop := put("blob", "evil: true\n"), put("blob", secret), put("blob", "loop")
	below := put("tree", rawEntry("100644", "config", blob))
	huge := strings.Repeat("n", 10_000)
	entries := map[string]string{ // by name: the mode
		"link.yaml": "120000", "loop": "120000", "..": "40000", ".": "40000", ".git": "40000", ".GIT": "40000",
		"../up.yaml": "100644", "/etc/passwd": "100644", "a/b.yaml": "100644", `back\slash.yaml`: "100644",
		"sub": "160000", "con\x01trol": "100644", "\xff\xfe.yaml": "100644", "odd": "177777",
	}
	var raw strings.Builder
	for name, mode := range entries {
		hash := blob
		switch {
		case mode == "40000":
			hash = below
		case name == "link.yaml":
			hash = link
		case name == "loop":
			hash = loop
		case mode == "160000":
			hash = strings.Repeat("ab", 20)
		}
		raw.WriteString(rawEntry(mode, name, hash))
	}
	raw.WriteString(rawEntry("100644", "twin.yaml", blob) + rawEntry("100644", "twin.yaml", link))
	for _, plain := range []string{"Case.yaml", "case.yaml", huge} { // fine where there is no work tree
		raw.WriteString(rawEntry("100644", plain, blob))
	}
	raw.WriteString(rawEntry("100644", "empty.yaml", put("blob", "")))
	commit := fmt.Sprintf("tree %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nEvil\n", put("tree", raw.String()))
	g.Run(nil, "update-ref", "refs/heads/main", put("commit", commit))

	tree := fetch(t, follow(t, Options{URL: g.Dir}))["main"].Tree
	entries["twin.yaml"] = ""
	checkHostile(t, tree, entries)
	for _, name := range []string{".git/config", "../config", "link.yaml/x", "sub/x"} {
		if _, err := tree.Open(name); err == nil {
			t.Errorf("%q was opened", name)
		}
	}
	for _, name := range []string{"Case.yaml", "case.yaml", huge, "empty.yaml"} {
		if _, err := fs.ReadFile(tree, name); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// checkHostile sees each entry, and can open none. entries gives git's mode by name.
func checkHostile(t *testing.T, tree fs.FS, entries files) {
	t.Helper()
	seen := map[string]fs.FileMode{}
	err := fs.WalkDir(tree, ".", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() != "." || d.Type() != fs.ModeDir {
			seen[d.Name()] = d.Type()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range entries {
		want := fs.ModeIrregular
		if mode == "120000" {
			want = fs.ModeSymlink
		}
		if kind, there := seen[name]; !there || kind != want {
			t.Errorf("%q is seen as %v (%v), want %v", name, kind, there, want)
		}
		if name == "." {
			continue // which is the tree itself
		}
		if _, err := tree.Open(name); err == nil {
			t.Errorf("%q was opened", name)
		}
		if raw, err := fs.ReadFile(tree, name); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q was read: %q, %v", name, raw, err)
		}
	}
}

// TestLesson07LargeBlob knows a large file's size without reading it, and
// reads no more of it than it is asked for.
func TestLesson07LargeBlob(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	large := make([]byte, largeObject+1) // zeros: 16 MiB in a few KB
	blob := g.Run(large, "hash-object", "-w", "--stdin")
	tree := g.Run([]byte("100644 blob "+blob+"\tlarge.yaml\n"), "mktree")
	g.Run(nil, "update-ref", "refs/heads/main", g.Run(nil, "commit-tree", tree, "-m", "x"))
	r := follow(t, Options{URL: g.Dir})
	snapshot := fetch(t, r)["main"]
	info, err := fs.Stat(snapshot.Tree, "large.yaml")
	if err != nil || info.Size() != int64(len(large)) || info.Sys() != sources.ContentID(blob) {
		t.Fatalf("Stat: %v, %v", info, err)
	}
	file, err := snapshot.Tree.Open("large.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, file, 1<<20); n != 1<<20 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if _, err := file.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	small := follow(t, Options{URL: g.Dir, MaxObject: 1 << 20})
	if _, err := small.Fetch(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over MaxObject: %v", err)
	}
}

func TestSizesOfUnreadableFilesAreNegative(t *testing.T) {
	s := newMemory(memory.NewStorage())
	tree, err := s.write(plumbing.TreeObject, []byte(rawEntry("100644", "gone.yaml", strings.Repeat("12", 20))))
	if err != nil {
		t.Fatal(err)
	}
	broken := treeFS{store: s, root: tree}
	info, err := broken.Stat("gone.yaml")
	if err != nil || info.Size() != -1 {
		t.Errorf("Stat: %v, %v", info.Size(), err)
	}
	if _, err := broken.Open("gone.yaml"); !errors.Is(err, plumbing.ErrObjectNotFound) {
		t.Errorf("Open: %v", err)
	}
}

// TestTreesSurviveEncoding writes trees and compares with git's own names.
func TestTreesSurviveEncoding(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	for _, names := range []files{
		{"a.b": "1", "a/c": "2", "a0": "3", "a-b/x": "4"}, {"z": "1", "Z/y": "2", "é/x": "3"},
	} {
		g.Commit(sourcetest.Change{Branch: "main", Files: names, Root: true})
		r := follow(t, Options{URL: g.Dir})
		root := fetch(t, r)["main"].Tree.(treeFS).root
		entries, err := r.store.tree(root)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := slices.Clone(entries)
		rand.New(rand.NewSource(1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := plumbing.ComputeHash(plumbing.TreeObject, encodeTree(shuffled)); got != root {
			t.Errorf("%v: encoded as %s, git says %s", names, got, root)
		}
	}
}

func FuzzTreeWalk(f *testing.F) {
	blob := strings.Repeat("11", 20)
	f.Add([]byte(rawEntry("100644", "a.yaml", blob)))
	f.Add([]byte(rawEntry("40000", "..", blob) + rawEntry("120000", "l", blob) + rawEntry("160000", "s", blob)))
	f.Add([]byte(rawEntry("100644", "a", blob) + rawEntry("40000", "a", blob)))
	f.Add([]byte("100644 cut"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := newMemory(memory.NewStorage())
		content, err := s.write(plumbing.BlobObject, []byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		// Let the entries point at something, so that opening can succeed.
		raw = bytes.ReplaceAll(raw, bytes.Repeat([]byte{0x11}, 20), content[:])
		root, err := s.write(plumbing.TreeObject, raw)
		if err != nil {
			t.Fatal(err)
		}
		tree := treeFS{store: s, root: root}
		entries, err := tree.ReadDir(".")
		if err != nil {
			return // malformed: refused whole
		}
		if !slices.IsSortedFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }) {
			t.Error("not sorted")
		}
		for _, e := range entries {
			if e.Name() == "." {
				continue // opening it opens the tree itself
			}
			file, err := tree.Open(e.Name())
			if err != nil {
				continue
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
			if !fs.ValidPath(e.Name()) || strings.Contains(e.Name(), "/") || strings.EqualFold(e.Name(), ".git") || e.Type()&^fs.ModeDir != 0 {
				t.Errorf("opened %q, a %v", e.Name(), e.Type())
			}
		}
		if parsed, err := parseTree(raw); err == nil && len(parsed) != len(entries) {
			t.Errorf("%d entries parsed, %d shown", len(parsed), len(entries))
		}
	})
}

func FuzzBranchNames(f *testing.F) {
	for _, name := range []string{"main", "env/a", "../x", "a/./b", "a//b", "@{1}", "a.lock"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !validBranch(name) {
			return
		}
		clean := filepath.Join("/store/refs/heads", filepath.FromSlash(name))
		if clean != "/store/refs/heads/"+name || !filepath.IsLocal(name) {
			t.Errorf("%q is stored at %s", name, clean)
		}
	})
}
