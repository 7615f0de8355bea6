// Package sourcetest is the contract suite every source of environment state
// runs, and what such tests need: repositories kept by the real git program,
// and a server for them. It refuses to know any source.
package sourcetest

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/sources"
)

// Fixture is a source, and the means to change what it follows. What a
// source cannot do is nil, and the tests of it are left out.
type Fixture struct {
	Source sources.Source
	// Commit writes files on a branch ("" removes one) and returns the new
	// commit's id, or "" where only a Fetch can tell.
	Commit func(branch string, files map[string]string) string
	// Rewrite gives the branch an unrelated history.
	Rewrite func(branch string, files map[string]string) string
	// Merge merges other into branch.
	Merge func(branch, other string) string
	// Delete removes a branch.
	Delete func(branch string)
	// Forget makes the upstream drop what no branch reaches.
	Forget func()
	// Break makes the upstream unreachable until heal is called.
	Break func() (heal func())
	// Single says that every branch always has the same content.
	Single bool
	// Prompt says that Watch notices changes itself and does not only poll.
	Prompt bool
}

// Run holds a source against the contract. make is called for each test, and
// returns a source that follows an upstream without branches.
func Run(t *testing.T, make func(t *testing.T) Fixture) {
	tests := []struct {
		name string
		need func(Fixture) bool
		run  func(*testing.T, Fixture)
	}{
		{"EmptyHasNoBranches", several, testEmpty},
		{"EveryBranch", always, testEveryBranch},
		{"SnapshotsAreImmutable", always, testImmutable},
		{"TreeIsAFileSystem", always, testFileSystem},
		{"EqualTreesHaveEqualNames", several, testNames},
		{"ContentIDs", always, testContentIDs},
		{"Classify", several, testClassify},
		{"DeletedBranchIsAbsent", several, testDeleted},
		{"KeptCommitOutlivesRewrite", several, testKeep},
		{"UnknownCommits", always, testUnknown},
		{"FailureChangesNothing", breakable, testFailure},
		{"WatchWakesAndEnds", always, testWatch},
		{"ConcurrentUse", always, testConcurrent},
		{"Propose", proposes, testPropose},
		{"ProposeMoved", proposes, testProposeMoved},
		{"ProposeCreates", proposes, testProposeCreates},
		{"ProposePath", proposes, testProposePath},
		{"ProposeFiles", proposes, testProposeFiles},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fixture := make(t)
			if test.need(fixture) {
				test.run(t, fixture)
			}
		})
	}
}

func always(Fixture) bool      { return true }
func several(f Fixture) bool   { return !f.Single }
func breakable(f Fixture) bool { return f.Break != nil }
func proposes(f Fixture) bool {
	_, ok := f.Source.(sources.Proposer)
	return ok && !f.Single
}

const (
	main    = "main"
	preview = "env/preview"
	staging = "env/staging"
)

type files = map[string]string

func fetch(t *testing.T, f Fixture) map[string]sources.Snapshot {
	t.Helper()
	got, err := f.Source.Fetch(t.Context())
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	return got
}

// read is a file's content, or the word "absent".
func read(t *testing.T, s sources.Snapshot, name string) string {
	t.Helper()
	raw, err := fs.ReadFile(s.Tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return string(raw)
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func isErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want one that is %q", what, err, want)
	}
}

func testEmpty(t *testing.T, f Fixture) {
	same(t, "branches", len(fetch(t, f)), 0)
}

func testEveryBranch(t *testing.T, f Fixture) {
	sha := f.Commit(main, files{"a.yaml": "one", "deep/er/b.yaml": "two"})
	f.Commit(preview, files{"a.yaml": "one", "deep/er/b.yaml": "two", "c.yaml": "three"})
	got := fetch(t, f)
	for _, branch := range []string{main, preview} {
		same(t, branch, read(t, got[branch], "deep/er/b.yaml"), "two")
	}
	if sha != "" {
		same(t, "commit of main", got[main].Commit.SHA, sha)
	}
	if got[main].Commit.SHA == "" || got[main].TreeID == "" {
		t.Errorf("a snapshot without names: %+v", got[main])
	}
	same(t, "again", fetch(t, f)[main].Commit.SHA, got[main].Commit.SHA)
}

func testImmutable(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "one"})
	before := fetch(t, f)[main]
	f.Commit(main, files{"a.yaml": "two", "b.yaml": "new"})
	after := fetch(t, f)[main]
	same(t, "before", read(t, before, "a.yaml"), "one")
	same(t, "before", read(t, before, "b.yaml"), "absent")
	same(t, "after", read(t, after, "a.yaml"), "two")
	if before.TreeID == after.TreeID || before.Commit.SHA == after.Commit.SHA {
		t.Error("different content by the same name")
	}
}

func testFileSystem(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "one", "b/c/d.yaml": "two", "b/c-d.yaml": "three", "b/e": "four"})
	tree := fetch(t, f)[main].Tree
	if err := fstest.TestFS(tree, "a.yaml", "b/c/d.yaml", "b/c-d.yaml", "b/e"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"../a.yaml", "/a.yaml", "b/../a.yaml", ""} {
		if _, err := tree.Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Open(%q): %v, want fs.ErrInvalid", name, err)
		}
	}
}

func testNames(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "one", "b.yaml": "two"})
	f.Commit(preview, files{"b.yaml": "two"})
	f.Commit(preview, files{"a.yaml": "one"})
	got := fetch(t, f)
	same(t, "tree reached by other commits", got[preview].TreeID, got[main].TreeID)
	if got[preview].Commit.SHA == got[main].Commit.SHA {
		t.Error("two commits by one name")
	}
}

func testContentIDs(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "one", "same.yaml": "one", "b.yaml": "two"})
	first := ids(t, fetch(t, f)[main])
	f.Commit(main, files{"b.yaml": "changed"})
	second := ids(t, fetch(t, f)[main])
	same(t, "equal content", first["same.yaml"], first["a.yaml"])
	same(t, "untouched", second["a.yaml"], first["a.yaml"])
	if first["b.yaml"] == second["b.yaml"] || first["b.yaml"] == first["a.yaml"] {
		t.Error("different content by the same id")
	}
}

func ids(t *testing.T, s sources.Snapshot) map[string]sources.ContentID {
	t.Helper()
	found := map[string]sources.ContentID{}
	err := fs.WalkDir(s.Tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		found[name], _ = info.Sys().(sources.ContentID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func testClassify(t *testing.T, f Fixture) {
	one := f.Commit(main, files{"a.yaml": "1"})
	two := f.Commit(main, files{"a.yaml": "2"})
	f.Commit(preview, files{"b.yaml": "1"})
	fetch(t, f)
	merged := f.Merge(main, preview)
	fetch(t, f)
	forced := f.Rewrite(main, files{"a.yaml": "3"})
	fetch(t, f)
	for _, test := range []struct {
		from, to string
		want     sources.Update
	}{
		{one, one, sources.UpdateNone}, {"", "", sources.UpdateNone},
		{"", one, sources.UpdateCreated}, {one, "", sources.UpdateDeleted},
		{one, two, sources.UpdateFastForward}, {two, merged, sources.UpdateMerge},
		{two, one, sources.UpdateForced}, {merged, forced, sources.UpdateForced},
	} {
		got, err := f.Source.Classify(t.Context(), test.from, test.to)
		if err != nil || got != test.want {
			t.Errorf("Classify(%.7s, %.7s): got %q, %v, want %q", test.from, test.to, got, err, test.want)
		}
	}
	_, err := f.Source.Classify(t.Context(), "0123456789012345678901234567890123456789", one)
	isErr(t, "from an unknown commit", err, sources.ErrUnknownCommit)
}

func testDeleted(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "1"})
	f.Commit(preview, files{"a.yaml": "1"})
	f.Commit(staging, files{"a.yaml": "1"})
	fetch(t, f)
	f.Delete(preview)
	moved := f.Commit(staging, files{"a.yaml": "2"})
	got := fetch(t, f)
	if _, there := got[preview]; there {
		t.Error("the deleted branch is still there")
	}
	same(t, "the other branch", got[staging].Commit.SHA, moved)
	back := f.Commit(preview, files{"a.yaml": "3"})
	same(t, "created again", fetch(t, f)[preview].Commit.SHA, back)
}

func testKeep(t *testing.T, f Fixture) {
	old := f.Commit(main, files{"a.yaml": "old", "big/b.yaml": "old too"})
	fetch(t, f)
	if err := f.Source.Keep(t.Context(), "production", old); err != nil {
		t.Fatal(err)
	}
	f.Rewrite(main, files{"a.yaml": "new"})
	f.Forget()
	fetch(t, f)
	snapshot, err := f.Source.Open(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "kept", read(t, snapshot, "big/b.yaml"), "old too")
	if err := f.Source.Keep(t.Context(), "production", ""); err != nil {
		t.Error(err)
	}
	if err := f.Source.Keep(t.Context(), "never/kept", ""); err != nil {
		t.Errorf("releasing what was not kept: %v", err)
	}
}

func testUnknown(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "1"})
	fetch(t, f)
	for _, sha := range []string{"0123456789012345678901234567890123456789", "main", "refs/heads/main", "..", ""} {
		_, err := f.Source.Open(t.Context(), sha)
		isErr(t, "Open "+sha, err, sources.ErrUnknownCommit)
		if sha != "" {
			isErr(t, "Keep "+sha, f.Source.Keep(t.Context(), "name", sha), sources.ErrUnknownCommit)
		}
	}
}

func testFailure(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "1"})
	before := fetch(t, f)[main]
	heal := f.Break()
	_, err := f.Source.Fetch(t.Context())
	isErr(t, "Fetch while broken", err, sources.ErrUnreachable)
	same(t, "old snapshot while broken", read(t, before, "a.yaml"), "1")
	if _, err := f.Source.Open(t.Context(), before.Commit.SHA); err != nil {
		t.Errorf("Open while broken: %v", err)
	}
	heal()
	same(t, "after", fetch(t, f)[main].Commit.SHA, before.Commit.SHA)
}

// patience is how long a wake may take before the test calls it lost. What
// is promised is 100 ms and the debounce; a loaded machine needs more.
const patience = 10 * time.Second

func testWatch(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "1"})
	fetch(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	wakes := make(chan struct{}, 1000)
	done := make(chan error, 1)
	go func() { done <- f.Source.Watch(ctx, func() { wakes <- struct{}{} }) }()
	if f.Prompt {
		// Watch may not be ready at the first change; it is by the time
		// it has woken once.
		for ready := false; !ready; {
			f.Commit(main, files{"a.yaml": time.Now().String()})
			select {
			case <-wakes:
				ready = true
			case <-time.After(200 * time.Millisecond):
			}
		}
		for i, branch := range []string{main, preview, "env/deeper/still", "env/deeper/still"} {
			quiet(wakes)
			f.Commit(branch, files{"new/b.yaml": strings.Repeat("x", i+1)})
			select {
			case <-wakes:
			case <-time.After(patience):
				t.Errorf("no wake after a change of %s", branch)
			}
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Watch: %v", err)
		}
	case <-time.After(patience):
		t.Error("Watch did not end")
	}
}

// quiet takes wakes until none comes for a while.
func quiet(wakes chan struct{}) {
	for {
		select {
		case <-wakes:
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func testConcurrent(t *testing.T, f Fixture) {
	f.Commit(main, files{"a.yaml": "1", "b/c.yaml": "2"})
	snapshot := fetch(t, f)[main]
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := f.Source.Fetch(t.Context()); err != nil {
				t.Errorf("Fetch: %v", err)
			}
			for range 20 {
				if raw, err := fs.ReadFile(snapshot.Tree, "b/c.yaml"); string(raw) != "2" {
					t.Errorf("read: %q, %v", raw, err)
				}
			}
			if err := f.Source.Keep(t.Context(), "x", snapshot.Commit.SHA); err != nil {
				t.Errorf("Keep: %v", err)
			}
		})
	}
	group.Wait()
}
