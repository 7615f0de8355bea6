package reconciler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// effect is one thing done to the world: a write to the platform, an append
// to the journal, a pin. fails says which ones fail, by their number from 1.
type effect struct {
	number int
	after  bool // it took hold, and nobody heard
}

// sweep is the scenario, a fresh daemon in every pass: two functions with a
// queue, a mapping and a permission are deployed for the first time; new code
// goes through a canary; a person edits the configuration and moves an alias;
// bad code is released and taken back.
type sweep struct {
	*simulation
	fails   []effect
	effects int
	// releases are rendered once for all daemons: a cache, by commit.
	releases map[string]*manifest.Release
}

func newSweep(m mutant, fails ...effect) *sweep {
	w := &sweep{simulation: newSimulation(7, memory.Options{}, m, "production"), fails: fails, releases: map[string]*manifest.Release{}}
	w.inject = func(op string, _ manifest.Ref) error {
		switch {
		case len(op) > 7 && op[len(op)-7:] == ":before":
			if w.effects++; w.broken(false) {
				return providers.Errorf(providers.Transient, "injected")
			}
		case len(op) > 6 && op[len(op)-6:] == ":after":
			if w.broken(true) {
				return providers.Errorf(providers.Transient, "injected")
			}
		}
		return nil
	}
	w.repo.fault = func(op string) error {
		switch op {
		case "keep:before":
			if w.effects++; w.broken(false) {
				return fmt.Errorf("injected")
			}
		case "keep:after":
			if w.broken(true) {
				return fmt.Errorf("injected")
			}
		}
		return nil
	}
	w.store.Break(func(int, []journal.Record) journal.Fault {
		w.effects++
		switch {
		case w.broken(false):
			return journal.FailBefore
		case w.broken(true):
			return journal.FailAfter
		}
		return journal.NoFault
	})
	return w
}

func (w *sweep) broken(after bool) bool {
	for _, f := range w.fails {
		if f.number == w.effects && f.after == after {
			return true
		}
	}
	return false
}

// act lets the scenario's next part happen and everything converge, each pass
// by a fresh daemon.
func (w *sweep) until(ok func() bool) bool {
	for range 600 {
		if !w.watch.ok() {
			return false
		}
		if ok() {
			return true
		}
		if w.generation%8 == 0 {
			must(w.store.Compact(w.watch.state)) // a restart reads a snapshot, and what came after it
		}
		w.restart()
		w.jumps-- // a restart without downtime adds no time
		w.refresh()
		if e := w.d.environment("production"); e != nil {
			e.releases = w.releases
		}
		w.pass("production")
		w.deliver()
		w.real = w.real.Add(w.pause())
	}
	w.watch.fail(13, "%v", w.open())
	return false
}

// pause is how long until the next pass: as told, a daemon that finds nothing
// to do looks again soon because it is fresh.
func (w *sweep) pause() time.Duration {
	return min(4*time.Second, max(200*time.Millisecond, w.due["production"].Sub(w.real)))
}

// play is the whole scenario.
func (w *sweep) play() {
	k := firstContent()
	k.audit = false
	w.repo.commit(branchOf("production"), k.files())
	w.restart()
	if !w.until(w.converged) {
		return
	}
	k.checkout = code(20)
	w.repo.commit(branchOf("production"), k.files())
	if !w.until(func() bool { return w.released(k.checkout) }) {
		return
	}
	hand := w.platform.Manual("alice")
	must(hand.Set(memory.Name{Kind: manifest.KindFunction, Physical: "production-checkout"}, "environment.LOG_LEVEL", `"trace"`))
	if !w.until(w.converged) {
		return
	}
	must(hand.Point("production-checkout", "live", providers.Routing{Version: "1"}))
	if !w.until(func() bool { return len(w.watch.environment("production").Holds) > 0 }) {
		return
	}
	if !w.until(func() bool {
		if w.d == nil {
			return false
		}
		_ = w.ask("production", func(ctx context.Context, d *Daemon) error {
			return d.Resume(ctx, web.ResumeRequest{Environment: "production", By: access.Stated("bob")})
		}) // it may fail, or be done
		return len(w.watch.environment("production").Holds) == 0
	}) || !w.until(w.converged) {
		return
	}
	bad := badCode(21)
	w.platform.SetErrors(bad, 0.5)
	k.checkout = bad
	sha := w.repo.commit(branchOf("production"), k.files())
	w.until(func() bool { return w.takenBack(sha) && len(w.watch.state.Outbox) == 0 })
}

// released: the code serves, and everything is as declared.
func (w *sweep) released(digest string) bool {
	versions := w.platform.Versions("production-checkout")
	return versions[w.platform.Routing("production-checkout", "live").Version] == `"`+digest+`"` && w.converged()
}

// takenBack: the release of a commit failed, and what was before serves.
func (w *sweep) takenBack(sha string) bool {
	st := w.watch.environment("production")
	if st.Admitted == nil || st.Admitted.Release.Commit != sha || st.Rollout.Phase != "" || len(st.Quarantine) == 0 {
		return false
	}
	r := w.platform.Routing("production-checkout", "live")
	return r == providers.Routing{Version: "2"} && st.Applied[manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}].Version == "2"
}

// TestFailureSweep fails every effect of the scenario in turn, before and
// after it took hold, and then pairs of them. Each run must end as if nothing
// had happened, under the same invariants.
func TestFailureSweep(t *testing.T) {
	w := newSweep(mutant{})
	w.play()
	if !w.watch.ok() {
		t.Fatalf("without faults: %v", w.watch.broken)
	}
	n := w.effects
	var runs [][]effect
	for i := 1; i <= n; i += sweepEvery {
		runs = append(runs, []effect{{i, false}}, []effect{{i, true}})
	}
	singles := len(runs)
	pairs, all := *nPairs, 4*n*(n-1)/2
	rng := rand.New(rand.NewPCG(1, 2))
	for range pairs {
		i, j := 1+rng.IntN(n), 1+rng.IntN(n)
		if i != j {
			runs = append(runs, []effect{{i, rng.IntN(2) == 0}, {j, rng.IntN(2) == 0}})
		}
	}
	start := time.Now()
	var failed atomic.Int64
	var wg sync.WaitGroup
	next := make(chan []effect)
	for range 2 {
		wg.Go(func() {
			for fails := range next {
				w := newSweep(mutant{}, fails...)
				if w.play(); !w.watch.ok() && failed.Add(1) <= 5 {
					t.Errorf("effects %+v of %d fail: %s", fails, n, cut(w.watch.broken[0]))
				}
			}
		})
	}
	for _, r := range runs {
		if failed.Load() > 5 {
			break
		}
		next <- r
	}
	close(next)
	wg.Wait()
	t.Logf("%d effects; %d of their single failures and %d of %d pairs (drawn by chance) in %v", n, singles, len(runs)-singles, all, time.Since(start).Round(time.Millisecond))
}
