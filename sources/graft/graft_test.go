package graft

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// fixed is a source with one control branch.
type fixed struct {
	sources.Source
	tree fs.FS
	id   string
}

func (f *fixed) Fetch(context.Context) (map[string]sources.Snapshot, error) {
	return map[string]sources.Snapshot{
		"main":     {Tree: f.tree, TreeID: f.id, Commit: sources.Commit{SHA: "c"}},
		"env/prod": {Tree: fstest.MapFS{"policies/x.rego": {Data: []byte("own")}}, TreeID: "e"},
	}, nil
}

func (f *fixed) Open(context.Context, string) (sources.Snapshot, error) {
	return sources.Snapshot{Tree: f.tree, TreeID: f.id}, nil
}

func control(policies string) fstest.MapFS {
	return fstest.MapFS{
		"mooring.yaml":            {Data: []byte("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments: [{name: prod, provider: {memory: {}}}]\n" + policies)},
		"policies/old.rego":       {Data: []byte("old")},
		"policies-too/other.rego": {Data: []byte("other")},
	}
}

func fetch(t *testing.T, s *Source) map[string]sources.Snapshot {
	t.Helper()
	out, err := s.Fetch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func text(t *testing.T, tree fs.FS, name string) string {
	t.Helper()
	data, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return string(data)
}

// trunk is a repository without main.
type trunk struct{ *fixed }

func (trunk) DefaultBranch() string { return "trunk" }

func (f trunk) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	out, err := f.fixed.Fetch(ctx)
	out["trunk"] = out["main"]
	delete(out, "main")
	return out, err
}

// Without a name for it the control branch is the repository's default one
// where there is no main.
func TestGraftOnTheDefaultBranch(t *testing.T) {
	under := trunk{&fixed{tree: control("  policies: {repo: https://git.example/p.git, ref: main}\n"), id: "t1"}}
	s := New(Options{Source: under, Resolve: func(context.Context, manifest.PolicySource, fs.FS) (Found, error) {
		return Found{ID: "found", Tree: Files(map[string][]byte{"admission/new.rego": []byte("new")})}, nil
	}})
	if got := text(t, fetch(t, s)["trunk"].Tree, "policies/admission/new.rego"); got != "new" || s.DefaultBranch() != "trunk" {
		t.Errorf("%q on %q", got, s.DefaultBranch())
	}
}

// What the control branch names stands in the place of its policies, and
// nothing else changes.
func TestGraft(t *testing.T) {
	asked := 0
	under := &fixed{tree: control("  policies: {repo: https://git.example/p.git, commit: " + strings.Repeat("a", 40) + "}\n"), id: "t1"}
	s := New(Options{Source: under, Control: "main", Resolve: func(_ context.Context, from manifest.PolicySource, tree fs.FS) (Found, error) {
		asked++
		if from.Repo == "" || text(t, tree, "policies/old.rego") != "old" {
			t.Errorf("%+v", from)
		}
		return Found{ID: "found", Tree: Files(map[string][]byte{"admission/new.rego": []byte("new")})}, nil
	}})
	first := fetch(t, s)
	tree := first["main"].Tree
	if got := text(t, tree, "policies/admission/new.rego"); got != "new" {
		t.Error(got)
	}
	if _, err := fs.Stat(tree, "policies/old.rego"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the branch's own policies show: %v", err)
	}
	if text(t, tree, "policies-too/other.rego") != "other" || !strings.Contains(text(t, tree, "mooring.yaml"), "shop") {
		t.Error("other files are not there")
	}
	if text(t, first["env/prod"].Tree, "policies/x.rego") != "own" || first["env/prod"].TreeID != "e" {
		t.Error("another branch was changed")
	}
	if first["main"].TreeID == "t1" {
		t.Error("another tree under the same name")
	}
	if second := fetch(t, s); asked != 1 || second["main"].TreeID != first["main"].TreeID {
		t.Errorf("asked %d times for what is pinned", asked)
	}
	if snap, err := s.Open(context.Background(), "c"); err != nil || text(t, snap.Tree, "policies/admission/new.rego") != "new" || snap.TreeID != "t1" {
		t.Errorf("opened: %v, %s", err, snap.TreeID)
	}
	if err := fstest.TestFS(sub(t, tree, "policies"), "admission/new.rego"); err != nil {
		t.Error(err)
	}
}

func sub(t *testing.T, tree fs.FS, dir string) fs.FS {
	t.Helper()
	out, err := fs.Sub(tree, dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A branch is looked at every time; when that fails, what it was goes on.
func TestFollowing(t *testing.T) {
	var fail error
	id, notices := "one", 0
	s := New(Options{
		Source: &fixed{tree: control("  policies: {repo: https://git.example/p.git, ref: main}\n"), id: "t1"}, Control: "main",
		Resolve: func(context.Context, manifest.PolicySource, fs.FS) (Found, error) {
			return Found{ID: id, Tree: Files(map[string][]byte{"x.rego": []byte(id)})}, fail
		},
		Notice: func(error) { notices++ },
	})
	first := fetch(t, s)["main"]
	id = "two"
	second := fetch(t, s)["main"]
	if text(t, second.Tree, "policies/x.rego") != "two" || first.TreeID == second.TreeID {
		t.Error("it is not followed")
	}
	fail = errors.New("down")
	if third := fetch(t, s)["main"]; third.TreeID != second.TreeID || text(t, third.Tree, "policies/x.rego") != "two" || notices != 1 {
		t.Errorf("%d notices", notices)
	}
}

// Policies that cannot be had are no empty folder: whoever reads it meets the
// reason.
func TestUnreadable(t *testing.T) {
	s := New(Options{
		Source: &fixed{tree: control("  policies: {bundle: p.tar.gz, digest: sha256:" + strings.Repeat("0", 64) + "}\n"), id: "t1"}, Control: "main",
		Resolve: func(context.Context, manifest.PolicySource, fs.FS) (Found, error) {
			return Found{}, errors.New("it is another one")
		},
	})
	tree := fetch(t, s)["main"].Tree
	files := 0
	err := fs.WalkDir(tree, "policies", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
			_, err = fs.ReadFile(tree, name)
			if err == nil || !strings.Contains(err.Error(), "it is another one") || !strings.Contains(err.Error(), "mooring.yaml") {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	if err != nil || files != 1 {
		t.Errorf("%d files, %v", files, err)
	}
}

// A branch whose mooring.yaml names nothing, or cannot be read, is left alone.
func TestNothingToGraft(t *testing.T) {
	for name, tree := range map[string]fs.FS{"nothing named": control(""), "broken": control("  policies: {repo: 1\n"), "no pipeline": fstest.MapFS{}} {
		s := New(Options{Source: &fixed{tree: tree, id: "t1"}, Control: "main", Resolve: func(context.Context, manifest.PolicySource, fs.FS) (Found, error) {
			t.Errorf("%s: asked", name)
			return Found{}, nil
		}})
		if got := fetch(t, s)["main"]; got.TreeID != "t1" {
			t.Errorf("%s: changed", name)
		}
	}
}

func TestFiles(t *testing.T) {
	tree := Files(map[string][]byte{"a/b/c.rego": []byte("c"), "a/d.json": []byte("{}"), "../x": nil, "/y": nil, "a/d.json/e": nil, "z": []byte("z")})
	if err := fstest.TestFS(tree, "a/b/c.rego", "a/d.json", "z"); err != nil {
		t.Error(err)
	}
	one, err := fs.Stat(tree, "z")
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := one.Sys().(sources.ContentID); !ok || id == "" {
		t.Errorf("%v names no content", one.Sys())
	}
}

// guest shows a commit of a fork, which names policies of its own.
type guest struct{ fixed }

func (g *guest) Visit(ctx context.Context, sha string) (sources.Snapshot, error) {
	return g.Open(ctx, sha)
}

// What a fork brings has nobody asked for the policies it names.
func TestForksNameNoPolicies(t *testing.T) {
	asked := 0
	resolve := func(context.Context, manifest.PolicySource, fs.FS) (Found, error) {
		asked++
		return Found{}, nil
	}
	g := &guest{fixed{tree: control("  policies: {path: elsewhere}\n"), id: "t"}}
	snap, err := New(Options{Source: g, Control: "main", Resolve: resolve}).Visit(t.Context(), "c")
	if err != nil || asked != 0 || text(t, snap.Tree, "policies/old.rego") != "old" {
		t.Errorf("%v; the resolver was asked %d times", err, asked)
	}
	if _, err := New(Options{Source: &g.fixed, Control: "main", Resolve: resolve}).Visit(t.Context(), "c"); !errors.Is(err, sources.ErrUnknownCommit) {
		t.Errorf("of a source that shows branches alone: %v", err)
	}
}
