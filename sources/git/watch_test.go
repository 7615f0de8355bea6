package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/sources/sourcetest"
)

// watching runs Watch until the test ends.
func watching(t *testing.T, r *Repository) chan time.Time {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	wakes, done := make(chan time.Time, 1000), make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Watch(ctx, func() { wakes <- time.Now() }); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return wakes
}

// settled waits until Watch is known to see changes, and has gone quiet.
func settled(t *testing.T, wakes chan time.Time, change func()) {
	t.Helper()
	for woken := false; !woken; {
		change()
		woken = wokenWithin(wakes, 200*time.Millisecond)
	}
	for wokenWithin(wakes, 150*time.Millisecond) {
	}
}

func wokenWithin(wakes chan time.Time, limit time.Duration) bool {
	select {
	case <-wakes:
		return true
	case <-time.After(limit):
		return false
	}
}

// TestWatchSees goes through the ways in which git changes a branch.
func TestWatchSees(t *testing.T) {
	for _, bare := range []bool{true, false} {
		g := sourcetest.NewGit(t, bare)
		r := follow(t, Options{URL: g.Dir, Debounce: 20 * time.Millisecond})
		head := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a": "1"}})
		wakes := watching(t, r)
		n := 0
		settled(t, wakes, func() {
			n++
			g.Commit(sourcetest.Change{Branch: "main", Files: files{"n": time.Duration(n).String()}})
		})
		for _, step := range []struct {
			name string
			do   func()
		}{
			{"a branch in a new folder", func() { g.Run(nil, "update-ref", "refs/heads/env/new/deep", head) }},
			{"the branch in the new folder once more", func() { g.Run(nil, "update-ref", "refs/heads/env/new/deep", g.Head("main")) }},
			{"packing", func() { g.Run(nil, "pack-refs", "--all", "--prune") }},
			{"a branch after its folder was removed", func() { g.Run(nil, "update-ref", "refs/heads/env/new/other", head) }},
			{"a packed branch deleted", func() { g.Run(nil, "update-ref", "-d", "refs/heads/env/new/deep") }},
			{"HEAD", func() { g.Run(nil, "symbolic-ref", "HEAD", "refs/heads/env/new/other") }},
		} {
			start := time.Now()
			step.do()
			if !wokenWithin(wakes, 5*time.Second) {
				t.Errorf("bare %v: no wake for %s", bare, step.name)
			}
			t.Logf("bare %v: %s: woken after %v, git included", bare, step.name, time.Since(start))
			for wokenWithin(wakes, 100*time.Millisecond) {
			}
		}
		// Noise: locks, objects, the index, fetch heads.
		gitDir := r.local.path
		if !bare {
			gitDir = filepath.Join(gitDir, ".git")
		}
		for _, name := range []string{"refs/heads/x.lock", "HEAD.lock", "index", "FETCH_HEAD", "packed-refs.lock", "config"} {
			if err := os.WriteFile(filepath.Join(gitDir, name), []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		g.Run([]byte("noise"), "hash-object", "-w", "--stdin")
		if wokenWithin(wakes, 200*time.Millisecond) {
			t.Errorf("bare %v: woken by noise", bare)
		}
	}
}

// TestWatchGathers: many changes at once are few wakes.
func TestWatchGathers(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir, Debounce: 100 * time.Millisecond})
	head := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a": "1"}})
	wakes := watching(t, r)
	n := 0
	settled(t, wakes, func() { n++; g.Run(nil, "update-ref", "refs/heads/b"+time.Duration(n).String(), head) })
	var input string
	for i := range 100 {
		input += "create refs/heads/many/" + time.Duration(i).String() + " " + head + "\n"
	}
	g.Run([]byte(input), "update-ref", "--stdin")
	count := 0
	for wokenWithin(wakes, 300*time.Millisecond) {
		count++
	}
	if count < 1 || count > 3 {
		t.Errorf("%d wakes for 100 branches at once", count)
	}
}

// TestWatchPolls: what is far away is polled, and jitter keeps to its bounds.
func TestWatchPolls(t *testing.T) {
	r := follow(t, Options{URL: "https://git.example.com/x", Poll: time.Minute, Jitter: 20 * time.Second})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var wakes []time.Time
		done := make(chan error)
		go func() { done <- r.Watch(ctx, func() { wakes = append(wakes, time.Now()) }) }()
		before := time.Now()
		time.Sleep(time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		distinct := map[time.Duration]bool{}
		for _, at := range wakes {
			gap := at.Sub(before)
			if gap < time.Minute || gap > 80*time.Second {
				t.Errorf("polled after %v", gap)
			}
			distinct[gap], before = true, at
		}
		if len(wakes) < 45 || len(wakes) > 60 || len(distinct) < 10 {
			t.Errorf("%d polls in an hour with %d different pauses", len(wakes), len(distinct))
		}
	})
}

// TestWatchFindsARepositoryThatComesLater: what is not there yet is told
// once, and seen after the next poll.
func TestWatchFindsARepositoryThatComesLater(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	away := g.Dir + ".away"
	if err := os.Rename(g.Dir, away); err != nil {
		t.Fatal(err)
	}
	var told atomic.Int64
	r := follow(t, Options{URL: g.Dir, Poll: 20 * time.Millisecond, Jitter: time.Millisecond, Notice: func(err error) {
		if err == nil {
			t.Error("a notice of nothing")
		}
		told.Add(1)
	}})
	wakes := watching(t, r)
	for range 5 {
		<-wakes
	}
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	if err := errors.Join(os.Rename(away, g.Dir)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-wakes
	}
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a": "1"}})
	if !wokenWithin(wakes, 5*time.Second) {
		t.Error("no wake")
	}
}
