package sourcetest

import (
	"testing"

	"mooring.dev/sources"
)

func propose(t *testing.T, f Fixture, e sources.Edit) (sources.Proposal, error) {
	t.Helper()
	if e.Message == "" {
		e.Message = "Promote\n\nMooring-From: env/preview\n"
	}
	return f.Source.(sources.Proposer).Propose(t.Context(), e)
}

func must(t *testing.T, f Fixture, e sources.Edit) sources.Proposal {
	t.Helper()
	got, err := propose(t, f, e)
	if err != nil {
		t.Fatalf("Propose %+v: %v", e, err)
	}
	return got
}

// testPropose walks through the ways content can reach a branch.
func testPropose(t *testing.T, f Fixture) {
	base := f.Commit(preview, files{"a.yaml": "1"})
	fetch(t, f)
	must(t, f, sources.Edit{Branch: staging, Source: base})
	ahead := f.Commit(preview, files{"a.yaml": "2"})
	fetch(t, f)

	forward := must(t, f, sources.Edit{Branch: staging, Expect: base, Source: ahead})
	same(t, "fast-forward", forward, sources.Proposal{SHA: ahead, FastForward: true})
	again := must(t, f, sources.Edit{Branch: staging, Expect: ahead, Source: ahead})
	same(t, "nothing to do", again, sources.Proposal{SHA: ahead, FastForward: true})

	hotfix := f.Commit(staging, files{"a.yaml": "hotfix", "fix.yaml": "x"})
	next := f.Commit(preview, files{"a.yaml": "3"})
	before := fetch(t, f)
	merged := must(t, f, sources.Edit{Branch: staging, Expect: hotfix, Source: next, Author: sources.Identity{Name: "Cid", Email: "cid@example.com"}})
	same(t, "merge is a fast-forward", merged.FastForward, false)
	now := fetch(t, f)[staging]
	same(t, "branch", now.Commit.SHA, merged.SHA)
	same(t, "tree", now.TreeID, before[preview].TreeID)
	if len(now.Commit.Parents) != 2 || now.Commit.Parents[0] != hotfix || now.Commit.Parents[1] != next {
		t.Errorf("parents: %v, want %s and %s", now.Commit.Parents, hotfix, next)
	}
	same(t, "trailer", now.Commit.Trailers["Mooring-From"], "env/preview")
	same(t, "author", now.Commit.Author.Name, "Cid")
	update, err := f.Source.Classify(t.Context(), hotfix, merged.SHA)
	if err != nil || update != sources.UpdateMerge {
		t.Errorf("Classify: %q, %v", update, err)
	}

	repeated := must(t, f, sources.Edit{Branch: staging, Expect: merged.SHA, Source: next})
	same(t, "proposed again", repeated, sources.Proposal{SHA: merged.SHA, FastForward: true})

	// Back to content the branch had before: a new commit, not a rewind.
	back := must(t, f, sources.Edit{Branch: staging, Expect: merged.SHA, Source: ahead})
	reverted := fetch(t, f)[staging]
	same(t, "content again", read(t, reverted, "a.yaml"), "2")
	if back.FastForward || len(reverted.Commit.Parents) != 1 || reverted.Commit.Parents[0] != merged.SHA {
		t.Errorf("going back: %+v, parents %v", back, reverted.Commit.Parents)
	}
}

func testProposeMoved(t *testing.T, f Fixture) {
	one := f.Commit(preview, files{"a.yaml": "1"})
	other := f.Commit(staging, files{"a.yaml": "other"})
	fetch(t, f)
	moved := f.Commit(staging, files{"a.yaml": "moved"}) // not fetched
	for name, e := range map[string]sources.Edit{
		"elsewhere": {Branch: staging, Expect: other, Source: one},
		"exists":    {Branch: staging, Source: one},
		"gone":      {Branch: "env/nowhere", Expect: other, Source: one},
	} {
		_, err := propose(t, f, e)
		isErr(t, name, err, sources.ErrMoved)
	}
	_, err := propose(t, f, sources.Edit{Branch: staging, Expect: moved, Source: "0123456789012345678901234567890123456789"})
	isErr(t, "unknown source", err, sources.ErrUnknownCommit)
	for _, branch := range []string{"", "..", "a..b", "../../x", "a b", "a.lock", "/a", "a/", "-x", "@{1}"} {
		if _, err := propose(t, f, sources.Edit{Branch: branch, Source: one}); err == nil {
			t.Errorf("branch %q was accepted", branch)
		}
	}
	same(t, "branch", fetch(t, f)[staging].Commit.SHA, moved)
}

func testProposeCreates(t *testing.T, f Fixture) {
	one := f.Commit(preview, files{"a.yaml": "1"})
	fetch(t, f)
	got := must(t, f, sources.Edit{Branch: "env/new/deep", Source: one})
	same(t, "created", got, sources.Proposal{SHA: one, FastForward: true})
	same(t, "branch", fetch(t, f)["env/new/deep"].Commit.SHA, one)
}

// testProposePath copies one folder and leaves the rest of the branch alone.
func testProposePath(t *testing.T, f Fixture) {
	source := f.Commit(preview, files{"shop/a.yaml": "new", "shop/deep/b.yaml": "b", "other/x.yaml": "preview's"})
	target := f.Commit(staging, files{"shop/a.yaml": "old", "shop/gone.yaml": "x", "other/x.yaml": "staging's", "z": "z"})
	fetch(t, f)
	must(t, f, sources.Edit{Branch: staging, Expect: target, Source: source, Path: "shop"})
	now := fetch(t, f)[staging]
	wanted := files{
		"shop/a.yaml": "new", "shop/deep/b.yaml": "b", "shop/gone.yaml": "absent",
		"other/x.yaml": "staging's", "z": "z",
	}
	for name, want := range wanted {
		same(t, name, read(t, now, name), want)
	}
	// Environments that share a branch have a folder each.
	must(t, f, sources.Edit{Branch: staging, Expect: now.Commit.SHA, Source: now.Commit.SHA, SourcePath: "shop/deep", Path: "copy/here"})
	now = fetch(t, f)[staging]
	same(t, "copied to another folder", read(t, now, "copy/here/b.yaml"), "b")
	same(t, "and left where it was", read(t, now, "shop/deep/b.yaml"), "b")
	same(t, "parents within one branch", len(now.Commit.Parents), 1)
	_, err := propose(t, f, sources.Edit{Branch: staging, Expect: now.Commit.SHA, Source: source, Path: "nowhere"})
	if err == nil {
		t.Error("copying a folder the source does not have was accepted")
	}
	for _, path := range []string{"../x", "/shop", "shop/"} {
		if _, err := propose(t, f, sources.Edit{Branch: staging, Expect: now.Commit.SHA, Source: source, Path: path}); err == nil {
			t.Errorf("path %q was accepted", path)
		}
	}
}

const adopting = "mooring/adopt/staging"

// testProposeFiles offers a branch with some files put onto it.
func testProposeFiles(t *testing.T, f Fixture) {
	base := f.Commit(staging, files{"shop/a.yaml": "old", "shop/keep.yaml": "kept", "z": "z"})
	fetch(t, f)
	put := func(expect, onto string, texts files) (sources.Proposal, error) {
		data := map[string][]byte{}
		for name, text := range texts {
			data[name] = []byte(text)
		}
		return propose(t, f, sources.Edit{Branch: adopting, Expect: expect, Onto: onto, Source: onto, Files: data, Message: "Adopt\n\nMooring-Adopts: x\n"})
	}
	first, err := put("", base, files{"shop/a.yaml": "new", "shop/deep/b.yaml": "b"})
	if err != nil {
		t.Fatal(err)
	}
	now := fetch(t, f)
	for name, want := range (files{"shop/a.yaml": "new", "shop/deep/b.yaml": "b", "shop/keep.yaml": "kept", "z": "z"}) {
		same(t, name, read(t, now[adopting], name), want)
	}
	same(t, "the branch it is for", now[staging].Commit.SHA, base)
	same(t, "parents", len(now[adopting].Commit.Parents), 1)
	same(t, "trailer", now[adopting].Commit.Trailers["Mooring-Adopts"], "x")
	again, err := put(first.SHA, base, files{"shop/a.yaml": "new", "shop/deep/b.yaml": "b"})
	if err != nil || again.SHA != first.SHA {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	moved := f.Commit(staging, files{"shop/a.yaml": "old", "more": "m"})
	fetch(t, f)
	if _, err := put(base, moved, files{"shop/a.yaml": "new"}); err == nil {
		t.Error("what is there was replaced unseen")
	}
	second, err := put(first.SHA, moved, files{"shop/a.yaml": "newer"})
	if err != nil {
		t.Fatal(err)
	}
	now = fetch(t, f)
	same(t, "onto what moved", read(t, now[adopting], "more"), "m")
	same(t, "newer", read(t, now[adopting], "shop/a.yaml"), "newer")
	same(t, "what was offered before", read(t, now[adopting], "shop/deep/b.yaml"), "absent")
	empty, err := put(second.SHA, moved, nil)
	if err != nil || empty.SHA != moved {
		t.Errorf("nothing to put: %+v, %v", empty, err)
	}
	for _, name := range []string{"../x", "/x", "", ".", "a//b", ".git/config", "more/x"} {
		if _, err := put(moved, moved, files{name: "x"}); err == nil {
			t.Errorf("file %q was put", name)
		}
	}
	same(t, "after what was refused", fetch(t, f)[adopting].Commit.SHA, moved)
}
