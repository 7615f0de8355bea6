package reconciler

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// relay is a world in which each release is overtaken by the next one, and the
// daemon is killed on the way. Its moments are the effects, the calls to a new
// version and the beginnings of passes since a release came, counted from 1.
type relay struct {
	*simulation
	rng    *rand.Rand
	k      content
	moment int
	in     rollout.Phase // in which the next release comes
	ahead  int           // how many moments of that phase are left until then; 0: it came
	kill   effect        // the moment at which the daemon dies
	dead   bool          // nothing that it does takes hold any more
	silent int           // how many pre-traffic checks get no answer
	newest string        // commit
	came   time.Time
	// releases are rendered once for all daemons: a cache, by commit.
	releases map[string]*manifest.Release
	number   int // of the newest code
	died     int
	where    map[rollout.Phase]int // the phases in which releases were overtaken
}

// relayRollout takes few passes: with so many calls a second is enough to judge.
const relayRollout = "rollout: {strategy: canary, stages: [{weight: 10, hold: 1s}, {weight: 100, hold: 1s}], " +
	"analysis: {preTraffic: {name: ping, invoke: {function: checkout, payload: {ping: true}, expect: {\"$.ok\": true}}}, tolerance: 0.2, minSamples: 50}}"

// newRelay is one with a first content on its branch.
func newRelay(seed uint64) *relay {
	r := &relay{simulation: newSimulation(seed, memory.Options{}, mutant{}, "production"), rng: rand.New(rand.NewPCG(seed, 5)), k: firstContent(),
		releases: map[string]*manifest.Release{}, where: map[rollout.Phase]int{}}
	r.pace = relayRollout
	r.repo.commit("main", r.controlFiles())
	r.inject = func(op string, _ manifest.Ref) error {
		if op == "invoke" && r.silent > 0 {
			r.silent--
			return errors.New("no answer")
		}
		if r.falls(op) {
			return providers.Errorf(providers.Transient, "the daemon died")
		}
		return nil
	}
	r.repo.fault = func(op string) error {
		if r.falls(op) {
			return errors.New("the daemon died")
		}
		return nil
	}
	r.store.Break(func(int, []journal.Record) journal.Fault {
		switch {
		case r.falls("append:before"):
			return journal.FailBefore
		case r.falls("append:after"):
			return journal.FailAfter
		}
		return journal.NoFault
	})
	r.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 2000})
	r.k.withMailer, r.k.audit = false, false
	r.repo.commit(branchOf("production"), r.k.files())
	r.restart()
	return r
}

// falls says whether the daemon is dead now, or dies, in something that it does.
func (r *relay) falls(op string) bool {
	switch {
	case r.dead:
	case op == "invoke" || strings.HasSuffix(op, ":before"):
		r.passes()
		r.dead = r.kill == effect{r.moment, false}
	case strings.HasSuffix(op, ":after"):
		r.dead = r.kill == effect{r.moment, true}
	}
	return r.dead
}

// passes a moment, at which the next release may come.
func (r *relay) passes() {
	r.moment++
	if r.ahead > 0 && r.phase() == r.in {
		if r.ahead--; r.ahead == 0 {
			r.overtake()
		}
	}
}

func (r *relay) phase() rollout.Phase { return r.watch.environment("production").Rollout.Phase }

// overtake puts newer code onto the branch: with a trigger and a permission over
// what is at rest, so that there is something to connect, and else without them.
func (r *relay) overtake() {
	r.where[r.phase()]++
	r.number++
	r.k.checkout = code(100 + r.number)
	r.k.trigger = r.in == rollout.Idle
	r.k.partner = r.k.trigger
	r.newest, r.came, r.ahead = r.repo.commit(branchOf("production"), r.k.files()), r.real, 0
	r.d.nudgeFetch()
}

// interleave lets a newer release come while the one before is in a phase, at
// the latest once it is in force, and the daemon die on the way.
func (r *relay) interleave(in rollout.Phase) {
	r.in, r.ahead, r.moment, r.silent = in, 1+r.rng.IntN(5), 0, r.rng.IntN(3)
	r.kill = effect{1 + r.rng.IntN(24), r.rng.IntN(2) == 0}
	for r.ahead > 0 && r.watch.ok() {
		if r.step(); r.ahead > 0 && r.converged() {
			r.overtake()
		}
	}
}

// step is a turn, and then time. A second after it came, the newest release
// moves or waits for traffic to be back. A dead daemon is replaced.
func (r *relay) step() {
	r.passes()
	r.turn(true)
	if r.dead {
		r.dead, r.died = false, r.died+1
		r.restart()
		r.jumps-- // it takes no time
		r.refresh()
		r.d.environment("production").releases = r.releases
		return
	}
	ro := r.watch.environment("production").Rollout
	taken := ro.Release.Commit == r.newest || ro.Next != nil && ro.Next.Release.Commit == r.newest
	if r.newest != "" && !taken && r.real.Sub(r.came) >= time.Second {
		r.watch.fail(16, "%.12s came %v ago, and the rollout is %q of %.12s", r.newest, r.real.Sub(r.came), ro.Phase, ro.Release.Commit)
	}
	r.advance(30 * time.Second)
}

// arrives: the newest release is in force before long.
func (r *relay) arrives() {
	r.ahead, r.kill = 0, effect{}
	for range 100 {
		if !r.watch.ok() || r.converged() {
			must(r.store.Compact(r.watch.state)) // a restart reads a snapshot, and what came after it
			return
		}
		r.step()
	}
	r.watch.fail(13, "%v", r.open())
}

// run overtakes so many releases, and lets each tenth come through.
func (r *relay) run(interleavings int) {
	phases := []rollout.Phase{rollout.Idle, rollout.Connect, rollout.Contract, rollout.Expand, rollout.Check, rollout.Shift, rollout.Back, rollout.Expand, rollout.Check, rollout.Shift}
	r.arrives()
	for i := range interleavings {
		if r.interleave(phases[i%len(phases)]); i%len(phases) == len(phases)-1 {
			r.arrives()
		}
		if !r.watch.ok() {
			return
		}
	}
}

// A newer release pre-empts the one that moves within a second, in whatever
// phase that is, and nothing hangs, also where the daemon is killed before or
// after it was seen to come.
func TestLesson48TenThousandInterleavings(t *testing.T) {
	const each = 20
	var mu sync.Mutex
	var wg sync.WaitGroup
	where, died, passes := map[rollout.Phase]int{}, 0, 0
	seeds := make(chan uint64)
	for range 2 {
		wg.Go(func() {
			for seed := range seeds {
				r := newRelay(seed)
				r.run(each)
				mu.Lock()
				for phase, n := range r.where {
					where[phase] += n
				}
				died, passes = died+r.died, passes+100_000-r.budget
				mu.Unlock()
				if !r.watch.ok() {
					t.Errorf("seed %d, release %d in %q, killed at %+v: %s", seed, r.number, r.in, r.kill, cut(r.watch.broken[0]))
				}
			}
		})
	}
	for seed := uint64(1); seed <= relayInterleavings/each; seed++ {
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d interleavings, %d kills, %d passes; releases were overtaken in %v", relayInterleavings, died, passes, where)
	for _, phase := range []rollout.Phase{rollout.Idle, rollout.Expand, rollout.Check, rollout.Shift, rollout.Connect, rollout.Contract, rollout.Back} {
		if where[phase] < relayInterleavings/50 {
			t.Errorf("%d were overtaken in phase %q", where[phase], phase)
		}
	}
}
