package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
)

// TestTokensChangedAtOnceAreAllKept: of commands that run at once none loses
// what another wrote; a revoked token must not come back like that.
func TestTokensChangedAtOnceAreAllKept(t *testing.T) {
	state := t.TempDir()
	now := time.Now()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			err := changeTokens(state, func(ts access.Tokens) (access.Tokens, error) {
				ts, _, err := ts.Issue(access.Token{Name: fmt.Sprintf("robot-%d", i), Grants: []access.Grant{{Role: access.Viewer}}, Created: now, Expires: now.Add(time.Hour)},
					fmt.Appendf(nil, "%032d", i))
				return ts, err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	ts, err := readTokens(state)
	if err != nil || len(ts) != 8 {
		t.Errorf("%d tokens, %v", len(ts), err)
	}
	info, err := os.Stat(filepath.Join(state, tokensFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := changeTokens(state, func(ts access.Tokens) (access.Tokens, error) { return ts, fmt.Errorf("no") }); err == nil {
		t.Error("a refused change is told as done")
	}
	if left, err := filepath.Glob(filepath.Join(state, "*.new")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
