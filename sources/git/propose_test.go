package git

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

// diverged is a preview ahead of base and a staging with a hotfix of its own.
func diverged(g *sourcetest.Git) (preview, staging string) {
	g.Commit(sourcetest.Change{Branch: "env/preview", Files: files{"a.yaml": "1"}})
	staging = g.Commit(sourcetest.Change{Branch: "env/staging", Files: files{"a.yaml": "hotfix"}})
	preview = g.Commit(sourcetest.Change{Branch: "env/preview", Files: files{"a.yaml": "2"}})
	return preview, staging
}

func edit1(preview, staging string) sources.Edit {
	return sources.Edit{Branch: "env/staging", Expect: staging, Source: preview, Message: "Promote\n"}
}

func isPush(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "git-receive-pack")
}

// TestPushLosesTheRace changes the branch after it was looked at, before the
// server says again where it is and after: it compares once more, and the loser
// is told, whatever was done to the branch.
func TestPushLosesTheRace(t *testing.T) {
	said := func(r *http.Request) bool { return r.URL.Query().Get("service") == "git-receive-pack" }
	commit := func(root bool) func(g *sourcetest.Git) {
		return func(g *sourcetest.Git) {
			g.Commit(sourcetest.Change{Branch: "env/staging", Files: files{"a.yaml": "theirs"}, Root: root})
		}
	}
	for name, c := range map[string]struct {
		when func(r *http.Request) bool
		deed func(g *sourcetest.Git)
	}{
		"merged":         {isPush, commit(false)},
		"forced":         {isPush, commit(true)},
		"deleted":        {isPush, func(g *sourcetest.Git) { g.Delete("env/staging") }},
		"merged before":  {said, commit(false)},
		"forced before":  {said, commit(true)},
		"deleted before": {said, func(g *sourcetest.Git) { g.Delete("env/staging") }},
	} {
		g := sourcetest.NewGit(t, true)
		server := sourcetest.Serve(t, g, false)
		r := follow(t, Options{URL: server.Repository})
		preview, staging := diverged(g)
		fetch(t, r)
		where := func() string { return g.Run(nil, "for-each-ref", "--format=%(objectname)", "refs/heads/env/staging") }
		theirs := staging
		server.Break(func(_ http.ResponseWriter, request *http.Request) bool {
			if c.when(request) {
				c.deed(g)
				theirs = where()
			}
			return false
		})
		if _, err := r.Propose(t.Context(), edit1(preview, staging)); !errors.Is(err, sources.ErrMoved) {
			t.Errorf("%s: got %v, want ErrMoved", name, err)
		}
		if got := where(); got != theirs || got == staging {
			t.Errorf("%s: the branch is at %q, they left it at %q", name, got, theirs)
		}
	}
}

// TestTwoDaemonsPushAtOnce has both look before either pushes: one wins, and
// what it brought stays.
func TestTwoDaemonsPushAtOnce(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	preview, staging := diverged(g)
	both := make(chan struct{})
	var here atomic.Int64
	server.Break(func(_ http.ResponseWriter, request *http.Request) bool {
		if isPush(request) {
			if here.Add(1) == 2 {
				close(both)
			}
			<-both
		}
		return false
	})
	results := make(chan error, 2)
	var made sync.Map
	for _, name := range []string{"one", "other"} {
		r := follow(t, Options{URL: server.Repository})
		fetch(t, r)
		e := edit1(preview, staging)
		e.Message = "Promote, by " + name + "\n"
		go func() {
			got, err := r.Propose(t.Context(), e)
			if err == nil {
				made.Store(got.SHA, true)
			}
			results <- err
		}()
	}
	won, lost := 0, 0
	for range 2 {
		switch err := <-results; {
		case err == nil:
			won++
		case errors.Is(err, sources.ErrMoved):
			lost++
		default:
			t.Error(err)
		}
	}
	if _, ours := made.Load(g.Head("env/staging")); won != 1 || lost != 1 || !ours {
		t.Errorf("%d won, %d lost; what the winner made stands: %v", won, lost, ours)
	}
}

// TestAnswerToPushIsLost: the server took the push, and the connection died.
func TestAnswerToPushIsLost(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	r := follow(t, Options{URL: server.Repository})
	preview, staging := diverged(g)
	fetch(t, r)
	server.Break(func(_ http.ResponseWriter, request *http.Request) bool {
		if isPush(request) {
			server.Git.ServeHTTP(httptest.NewRecorder(), request)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	got, err := r.Propose(t.Context(), edit1(preview, staging))
	if err != nil || got.SHA != g.Head("env/staging") {
		t.Errorf("got %+v, %v; the branch is at %s", got, err, g.Head("env/staging"))
	}
}

func TestPushIsRefused(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	r := follow(t, Options{URL: server.Repository})
	preview, staging := diverged(g)
	fetch(t, r)
	hook := filepath.Join(g.Dir, "hooks", "pre-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho branch is protected >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := r.Propose(t.Context(), edit1(preview, staging))
	if !errors.Is(err, sources.ErrRefused) || !strings.Contains(err.Error(), "branch is protected") {
		t.Errorf("by a hook: %v, want ErrRefused with its words", err)
	}
	if err := os.Remove(hook); err != nil {
		t.Fatal(err)
	}
	for code, want := range map[int]error{401: sources.ErrUnauthorized, 403: sources.ErrRefused, 500: sources.ErrUnreachable} {
		server.Break(func(w http.ResponseWriter, request *http.Request) bool {
			refuse := isPush(request) || request.URL.Query().Get("service") == "git-receive-pack"
			if refuse {
				w.WriteHeader(code)
			}
			return refuse
		})
		if _, err := r.Propose(t.Context(), edit1(preview, staging)); !errors.Is(err, want) {
			t.Errorf("HTTP %d: %v, want %v", code, err, want)
		}
	}
	if got := g.Head("env/staging"); got != staging {
		t.Errorf("the branch moved to %s", got)
	}
}

// TestPushBringsWhatTheServerForgot promotes a kept commit that upstream no
// longer has: a rollback after a rewrite.
func TestPushBringsWhatTheServerForgot(t *testing.T) {
	for _, far := range []bool{false, true} {
		g := sourcetest.NewGit(t, true)
		url := g.Dir
		if far {
			url = sourcetest.Serve(t, g, false).Repository
		}
		r := follow(t, Options{URL: url})
		g.Commit(sourcetest.Change{Branch: "main", Files: files{"deep/a.yaml": "before"}})
		old := g.Commit(sourcetest.Change{Branch: "main", Files: files{"deep/a.yaml": "good", "deep/er/b.yaml": "good"}})
		fetch(t, r)
		bad := g.Commit(sourcetest.Change{Branch: "main", Files: files{"x": "bad"}, Root: true})
		g.Forget()
		fetch(t, r)
		if _, err := r.Propose(t.Context(), sources.Edit{Branch: "main", Expect: bad, Source: old, Message: "Roll back"}); err != nil {
			t.Fatalf("far %v: %v", far, err)
		}
		g.Run(nil, "fsck", "--full", "--strict")
		if got := g.Run(nil, "show", "main:deep/er/b.yaml"); got != "good" {
			t.Errorf("far %v: git reads %q", far, got)
		}
	}
}

// TestMergeIsDeterministic: the same edit at the same time is the same commit.
func TestMergeIsDeterministic(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 999, time.FixedZone("x", 3600))
	var shas []string
	for range 2 {
		g := sourcetest.NewGit(t, true)
		r := follow(t, Options{URL: g.Dir, Now: func() time.Time { return at }, Author: sources.Identity{Name: "Bot <x>\n", Email: "bot@example.com"}})
		preview, staging := diverged(g)
		fetch(t, r)
		got, err := r.Propose(t.Context(), edit1(preview, staging))
		if err != nil {
			t.Fatal(err)
		}
		shas = append(shas, got.SHA)
		g.Run(nil, "fsck", "--full", "--strict")
		if who := g.Run(nil, "log", "-1", "--format=%an|%ae|%ad", "--date=iso-strict", "env/staging"); who != "Bot x|bot@example.com|2026-01-02T02:04:05+00:00" {
			t.Errorf("by %q", who)
		}
	}
	if shas[0] != shas[1] {
		t.Errorf("two names for one merge: %v", shas)
	}
}

// TestMovesExcludeEachOther lets many race for one branch: one wins.
func TestMovesExcludeEachOther(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	base := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a": "1"}})
	var targets []string
	for i := range 8 {
		targets = append(targets, g.Commit(sourcetest.Change{Branch: fmt.Sprintf("b%d", i), Files: files{"a": fmt.Sprint(i)}}))
	}
	var won, moved atomic.Int64
	var group sync.WaitGroup
	for _, target := range targets {
		group.Go(func() {
			err := moveRef(t.Context(), refMove{gitDir: g.Dir, name: "refs/heads/main", old: plumbing.NewHash(base), to: plumbing.NewHash(target)})
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, sources.ErrMoved):
				moved.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || moved.Load() != int64(len(targets)-1) {
		t.Errorf("%d won, %d were told that it moved", won.Load(), moved.Load())
	}
}

func TestMoveRespectsGitsLockAndNames(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	base := plumbing.NewHash(g.Commit(sourcetest.Change{Branch: "env/a", Files: files{"a": "1"}}))
	move := func(t *testing.T, name string, old plumbing.Hash) error {
		return moveRef(t.Context(), refMove{gitDir: g.Dir, name: name, old: old, to: base})
	}
	lock := filepath.Join(g.Dir, "refs", "heads", "env", "a.lock")
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := move(t, "refs/heads/env/a", base); !errors.Is(err, sources.ErrUnreachable) {
			t.Errorf("locked by somebody else: %v", err)
		}
	})
	if _, err := os.Stat(lock); err != nil {
		t.Errorf("somebody else's lock is gone: %v", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	for _, pack := range []bool{false, true} {
		if pack {
			g.Run(nil, "pack-refs", "--all", "--prune")
		}
		for _, name := range []string{"refs/heads/env", "refs/heads/env/a/b"} {
			if err := move(t, name, plumbing.ZeroHash); !errors.Is(err, sources.ErrRefused) {
				t.Errorf("packed %v: %s beside env/a: %v, want ErrRefused", pack, name, err)
			}
		}
	}
	if err := move(t, "refs/heads/env/a", plumbing.NewHash(strings.Repeat("1", 40))); !errors.Is(err, sources.ErrMoved) {
		t.Errorf("packed and elsewhere: %v", err)
	}
	if err := move(t, "refs/heads/env/a", base); err != nil {
		t.Errorf("packed and expected: %v", err)
	}
	g.Run(nil, "fsck", "--full")
}

// A branch that is offered for review takes the content over the target's
// head, is left alone while it says the same, and is replaced when it does not.
func TestContentIsOfferedOnABranchOfItsOwn(t *testing.T) {
	for name, remote := range map[string]bool{"on this disk": false, "over HTTP": true} {
		t.Run(name, func(t *testing.T) {
			g := sourcetest.NewGit(t, true)
			url := g.Dir
			if remote {
				url = sourcetest.Serve(t, g, false).Repository
			}
			r := follow(t, Options{URL: url})
			preview, staging := diverged(g)
			fetch(t, r)
			offer := func(expect, source, onto string) string {
				t.Helper()
				p, err := r.Propose(t.Context(), sources.Edit{Branch: "mooring/promote/staging", Expect: expect, Source: source, Onto: onto, Message: "Promote\n"})
				if err != nil {
					t.Fatal(err)
				}
				if at := g.Head("mooring/promote/staging"); at != p.SHA || g.Head("env/staging") != staging {
					t.Fatalf("it offers %s at %s, and env/staging is at %s", p.SHA, at, g.Head("env/staging"))
				}
				return p.SHA
			}
			first := offer("", preview, staging)
			if got := g.Run(nil, "rev-parse", first+"^{tree}", first+"^1", first+"^2"); got != g.Run(nil, "rev-parse", preview+"^{tree}", staging, preview) {
				t.Errorf("tree and parents: %s", got)
			}
			fetch(t, r)
			if again := offer(first, preview, staging); again != first {
				t.Error("the same content is offered anew")
			}
			newer := g.Commit(sourcetest.Change{Branch: "env/preview", Files: files{"a.yaml": "3"}})
			fetch(t, r)
			second := offer(first, newer, staging)
			if got := g.Run(nil, "rev-parse", second+"^1"); got != g.Run(nil, "rev-parse", staging) {
				t.Error("other content is offered on top of what was offered before")
			}
			// Of what the target is an ancestor, the commit itself is offered.
			g.Run(nil, "branch", "ahead", staging)
			ahead := g.Commit(sourcetest.Change{Branch: "ahead", Files: files{"a.yaml": "4"}})
			fetch(t, r)
			if got := offer(second, ahead, staging); got != ahead {
				t.Errorf("offered %s, want the commit itself", got)
			}
			if _, err := r.Propose(t.Context(), sources.Edit{Branch: "mooring/promote/staging", Expect: first, Source: preview, Onto: staging, Message: "x"}); !errors.Is(err, sources.ErrMoved) {
				t.Errorf("with another there: %v", err)
			}
		})
	}
}
