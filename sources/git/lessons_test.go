package git

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

type files = map[string]string

func fetch(t testing.TB, r *Repository) map[string]sources.Snapshot {
	t.Helper()
	got, err := r.Fetch(t.Context())
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	return got
}

func text(t testing.TB, s sources.Snapshot, name string) string {
	t.Helper()
	raw, err := fs.ReadFile(s.Tree, name)
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return string(raw)
}

func TestLesson01ForcePushToUnrelatedHistory(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	good := g.Commit(sourcetest.Change{Branch: "env/production", Files: files{"a.yaml": "good"}})
	fetch(t, r)
	bad := g.Commit(sourcetest.Change{Branch: "env/production", Files: files{"a.yaml": "bad"}, Root: true})
	if got := fetch(t, r)["env/production"].Commit.SHA; got != bad {
		t.Errorf("one fetch later the branch is at %s, want %s", got, bad)
	}
	update, err := r.Classify(t.Context(), good, bad)
	if err != nil || update != sources.UpdateForced {
		t.Errorf("Classify: %q, %v, want forced", update, err)
	}
	old, err := r.Open(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, old, "a.yaml"); got != "good" {
		t.Errorf("the admitted commit reads %q", got)
	}
}

func TestLesson02OneBranchDeletedAnotherAdvances(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	for _, url := range []string{g.Dir, server.Repository} {
		r := follow(t, Options{URL: url})
		g.Commit(sourcetest.Change{Branch: "env/staging", Files: files{"a.yaml": "1"}})
		g.Commit(sourcetest.Change{Branch: "env/production", Files: files{"a.yaml": "1"}})
		fetch(t, r)
		g.Delete("env/staging")
		want := g.Commit(sourcetest.Change{Branch: "env/production", Files: files{"a.yaml": url}})
		got := fetch(t, r)
		if _, there := got["env/staging"]; there || got["env/production"].Commit.SHA != want {
			t.Errorf("%s: in one fetch: staging there %v, production at %s, want %s", url, there, got["env/production"].Commit.SHA, want)
		}
		held, err := r.store.refs(trackPrefix)
		if err != nil || len(held) != 1 || held["env/production"].String() != want {
			t.Errorf("%s: the store holds %v, %v", url, held, err)
		}
	}
}

func TestLesson15DatesDoNotMatter(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	var shas []string
	// 2099, then 1970, then the year 2200 after the end of 32 bits.
	for i, date := range []int64{4_070_908_800, 0, 7_258_118_400, 1} {
		shas = append(shas, g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": strings.Repeat("x", i+1)}, Date: &date}))
		if got := fetch(t, r)["main"].Commit.SHA; got != shas[i] {
			t.Errorf("commit %d: fetched %s, want %s", i, got, shas[i])
		}
	}
	for i := 1; i < len(shas); i++ {
		if update, err := r.Classify(t.Context(), shas[0], shas[i]); err != nil || update != sources.UpdateFastForward {
			t.Errorf("from 0 to %d: %q, %v", i, update, err)
		}
		if update, err := r.Classify(t.Context(), shas[i], shas[0]); err != nil || update != sources.UpdateForced {
			t.Errorf("from %d to 0: %q, %v", i, update, err)
		}
	}
}

func TestLesson16Empty(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	local, far := follow(t, Options{URL: g.Dir}), follow(t, Options{URL: server.Repository})
	for _, r := range []*Repository{local, far} {
		if got := fetch(t, r); len(got) != 0 {
			t.Errorf("an empty repository has %d branches", len(got))
		}
	}
	g.Commit(sourcetest.Change{Branch: "main", Message: "nothing in it"})
	for _, r := range []*Repository{local, far} {
		entries, err := fs.ReadDir(fetch(t, r)["main"].Tree, ".")
		if err != nil || len(entries) != 0 {
			t.Errorf("an empty tree: %v, %v", entries, err)
		}
	}
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	fetch(t, local)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": ""}})
	entries, err := fs.ReadDir(fetch(t, local)["main"].Tree, ".")
	if err != nil || len(entries) != 0 {
		t.Errorf("all files removed: %v, %v", entries, err)
	}
	g.Delete("main")
	if got := fetch(t, local); len(got) != 0 {
		t.Errorf("all branches removed: %v", got)
	}
}

// TestSurvivesOutsideGC runs git gc where a repository is held open: on the
// upstream, and on the store itself.
func TestSurvivesOutsideGC(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	kept := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "first", "b/c.yaml": "deep"}})
	snapshot := fetch(t, r)["main"]
	if err := r.Keep(t.Context(), "main/applied", kept); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		g.Forget()
		cmd := exec.Command("git", "gc", "--quiet", "--prune=now")
		cmd.Dir = r.store.gitDir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git gc: %v: %s", err, out)
		}
		r.store.mu.Lock()
		clear(r.store.trees) // nothing may come from memory
		clear(r.store.sizes)
		r.store.mu.Unlock()
		if got := text(t, snapshot, "b/c.yaml"); got != "deep" {
			t.Errorf("round %d: read %q", round, got)
		}
		want := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": strings.Repeat("x", round)}, Root: true})
		if got := fetch(t, r)["main"].Commit.SHA; got != want {
			t.Errorf("round %d: fetched %s, want %s", round, got, want)
		}
	}
}

// TestNeedsNoGitProgram follows and promotes on a local repository where no
// program can be found.
func TestNeedsNoGitProgram(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	sha := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	t.Setenv("PATH", t.TempDir())
	r := follow(t, Options{URL: "file://" + g.Dir})
	if got := text(t, fetch(t, r)["main"], "a.yaml"); got != "1" {
		t.Errorf("read %q", got)
	}
	if _, err := r.Propose(t.Context(), sources.Edit{Branch: "env/preview", Source: sha}); err != nil {
		t.Error(err)
	}
}

func TestCommitsSayWhatTheyAre(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	first := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a": "1"}, Message: "Subject\n\nBody.\n\nTicket: ABC-1\nSigned-off-by: A <a@b>\nSigned-off-by: B <b@c>\n"})
	got := fetch(t, r)["main"].Commit
	if got.SHA != first || got.Author != (sources.Identity{Name: "Ann", Email: "ann@example.com"}) || got.Committer.Name != "Ben" {
		t.Errorf("commit %+v", got)
	}
	if got.Trailers["Ticket"] != "ABC-1" || got.Trailers["Signed-off-by"] != "A <a@b>\nB <b@c>" || got.Time.Unix() == 0 {
		t.Errorf("trailers %q, time %v", got.Trailers, got.Time)
	}
	if got.Signature != (sources.Signature{}) || r.DefaultBranch() != "main" {
		t.Errorf("signature %+v, default branch %q", got.Signature, r.DefaultBranch())
	}
	tree := g.Run(nil, "rev-parse", "main^{tree}")
	for header, want := range map[string]sources.Signature{
		"-----BEGIN SSH SIGNATURE-----": {Status: "unchecked", Kind: "ssh"},
		"-----BEGIN PGP SIGNATURE-----": {Status: "unchecked", Kind: "pgp"},
		"-----BEGIN SIGNED MESSAGE----": {Status: "unchecked"},
	} {
		raw := "tree " + tree + "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\ngpgsig " + header + "\n abc\n -----END-----\n\nSigned\n"
		sha := g.Run([]byte(raw), "hash-object", "-t", "commit", "-w", "--stdin")
		g.Run(nil, "update-ref", "refs/heads/signed", sha)
		if got := fetch(t, r)["signed"].Commit.Signature; got != want {
			t.Errorf("%s: %+v, want %+v", header, got, want)
		}
	}
}

func TestStoreStaysTidy(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1", "b/c.yaml": "2"}})
	snapshot := fetch(t, r)["main"]
	if err := r.store.packLoose(t.Context()); err != nil {
		t.Fatal(err)
	}
	loose, err := filepath.Glob(filepath.Join(r.store.gitDir, "objects", "??", "*"))
	if err != nil || len(loose) != 0 {
		t.Errorf("%d loose objects left, %v", len(loose), err)
	}
	for _, s := range []*store{r.store, newStore(r.store.gitDir)} {
		tree := treeFS{store: s, root: snapshot.Tree.(treeFS).root}
		if got, err := fs.ReadFile(tree, "b/c.yaml"); err != nil || string(got) != "2" {
			t.Errorf("read %q, %v", got, err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestManyObjectsBecomeOnePack(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	many := files{}
	for i := range maxLoose + 10 {
		many["f/"+strings.Repeat("n", i%7)+string(rune('a'+i%26))+time.Duration(i).String()] = time.Duration(i).String()
	}
	g.Commit(sourcetest.Change{Branch: "main", Files: many})
	for _, url := range []string{g.Dir, server.Repository} {
		r := follow(t, Options{URL: url})
		tree := fetch(t, r)["main"].Tree
		for name, want := range many {
			if got, err := fs.ReadFile(tree, name); err != nil || string(got) != want {
				t.Fatalf("%s: %s reads %q, %v", url, name, got, err)
			}
		}
		packs, err := filepath.Glob(filepath.Join(r.store.gitDir, "objects", "pack", "*"))
		if err != nil || len(packs) != 2 { // the pack and its index, and nothing left over
			t.Errorf("%s: %v, %v", url, packs, err)
		}
	}
}

func TestLinkedWorkTreeAndAlternates(t *testing.T) {
	g := sourcetest.NewGit(t, false)
	sha := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	linked, shared := filepath.Join(t.TempDir(), "linked"), filepath.Join(t.TempDir(), "shared")
	g.Run(nil, "worktree", "add", "--quiet", "-b", "env/preview", linked, "main")
	g.Run(nil, "clone", "--quiet", "--shared", "--bare", g.Dir, shared)
	for _, path := range []string{linked, shared, filepath.Join(g.Dir, ".git")} {
		r := follow(t, Options{URL: path})
		if got := text(t, fetch(t, r)["main"], "a.yaml"); got != "1" {
			t.Errorf("%s: read %q", path, got)
		}
	}
	r := follow(t, Options{URL: g.Dir})
	fetch(t, r)
	next := g.Commit(sourcetest.Change{Branch: "other", Files: files{"a.yaml": "2"}})
	fetch(t, r)
	for _, branch := range []string{"main", "env/preview"} { // somebody stands on each
		_, err := r.Propose(t.Context(), sources.Edit{Branch: branch, Expect: sha, Source: next})
		if !errors.Is(err, sources.ErrRefused) {
			t.Errorf("moving checked-out %s: %v, want ErrRefused", branch, err)
		}
	}
}

func TestOtherKindsOfRepositoryAreNamed(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Run(nil, "config", "core.repositoryformatversion", "1")
	g.Run(nil, "config", "extensions.objectformat", "sha256")
	if _, err := follow(t, Options{URL: g.Dir}).Fetch(t.Context()); err == nil || errors.Is(err, sources.ErrUnreachable) {
		t.Errorf("a SHA-256 repository: %v", err)
	}
}

func TestWhatIsNoCommitIsLeftOut(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	blob := g.Run([]byte("x"), "hash-object", "-w", "--stdin")
	if err := os.WriteFile(filepath.Join(g.Dir, "refs", "heads", "blob"), []byte(blob+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range fetch(t, follow(t, Options{URL: g.Dir})) {
		names = append(names, name)
	}
	if !slices.Equal(names, []string{"main"}) {
		t.Errorf("branches %v", names)
	}
}
