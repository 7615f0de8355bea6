package git

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

// A fork's commit is seen under the name the host gives it, and nothing of it
// stays: it is on no branch, cannot be opened, and the store is as it was.
func TestACommitIsVisitedAndNotKept(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	r := follow(t, Options{URL: server.Repository})
	base := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1", "d/b.yaml": "2"}})
	fetch(t, r)
	g.Run(nil, "update-ref", "refs/heads/theirs", base)
	theirs := g.Commit(sourcetest.Change{Branch: "theirs", Files: files{"a.yaml": "theirs", "d/b.yaml": "2"}})
	g.Run(nil, "update-ref", "refs/pull/7/head", theirs)
	g.Delete("theirs")
	snap, err := r.Visit(t.Context(), theirs)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.yaml": "theirs", "d/b.yaml": "2"} {
		if text, err := fs.ReadFile(snap.Tree, name); err != nil || string(text) != want {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
	if snap.Commit.SHA != theirs || len(snap.Commit.Parents) != 1 || snap.Commit.Parents[0] != base {
		t.Errorf("visited %+v", snap.Commit)
	}
	if _, err := r.Open(t.Context(), theirs); !errors.Is(err, sources.ErrUnknownCommit) {
		t.Errorf("a visited commit can be opened: %v", err)
	}
	if err := r.Keep(t.Context(), "it", theirs); !errors.Is(err, sources.ErrUnknownCommit) {
		t.Errorf("a visited commit can be kept: %v", err)
	}
	if all := fetch(t, r); len(all) != 1 || r.store.has(plumbing.NewHash(theirs)) {
		t.Errorf("branches after the visit: %v", all)
	}
	if _, err := r.Visit(t.Context(), strings.Repeat("a", 40)); !errors.Is(err, sources.ErrUnknownCommit) {
		t.Errorf("what nobody offers: %v", err)
	}
	nearby := follow(t, Options{URL: g.Dir})
	if _, err := nearby.Visit(t.Context(), theirs); !errors.Is(err, sources.ErrUnknownCommit) {
		t.Errorf("in a folder: %v", err)
	}
}

// What strangers bring is bounded, and a failure says what it is and no secret.
func TestAVisitIsBounded(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	server.Protect(canary)
	t.Setenv("VISIT_TOKEN", canary)
	r := follow(t, Options{URL: server.Repository, TokenEnv: "VISIT_TOKEN"})
	large := g.Commit(sourcetest.Change{Branch: "large", Files: files{"a.yaml": strings.Repeat("x", visitObject+1)}})
	if _, err := r.Visit(t.Context(), large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	small := g.Commit(sourcetest.Change{Branch: "small", Files: files{"a.yaml": "x"}})
	server.Break(onPost(func(w http.ResponseWriter, r *http.Request) bool {
		_, password, _ := r.BasicAuth()
		http.Error(w, password, http.StatusServiceUnavailable)
		return true
	}))
	if _, err := r.Visit(t.Context(), small); !errors.Is(err, sources.ErrUnreachable) || strings.Contains(err.Error(), canary) {
		t.Errorf("a server that fails: %v", err)
	}
	server.Break(onPost(truncated(server, 60)))
	if _, err := r.Visit(t.Context(), small); !errors.Is(err, sources.ErrUnreachable) {
		t.Errorf("a pack that is cut: %v", err)
	}
	server.Break(nil)
	if _, err := r.Visit(t.Context(), small); err != nil {
		t.Error(err)
	}
}
