package reconciler

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run the simulation of this seed only, and tell what happens")
	nPairs  = flag.Int("pairs", sweepPairs, "how many pairs of failures the sweep draws")
	nSeeds  = flag.Uint64("seeds", simulationSeeds, "how many seeds the simulation runs")
)

// keptSeeds failed once. They are run forever.
var keptSeeds = []uint64{2, 6, 18, 25, 48, 58, 73, 85, 135, 156, 201, 206, 231, 244, 264, 282, 309, 338, 393, 1088, 1114, 1675, 2564, 3350}

// TestSimulation drives the daemon through what people, platforms and
// repositories do to it, a seed at a time, holding every pass against the
// invariants. Then the faults stop, and everything has to converge.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		s := runSeed(*oneSeed, mutant{}, t.Logf)
		report(t, *oneSeed, s)
		return
	}
	var passes, failures atomic.Int64
	var wg sync.WaitGroup
	seeds := make(chan uint64)
	for range 2 {
		wg.Go(func() {
			for seed := range seeds {
				s := runSeed(seed, mutant{}, nil)
				passes.Add(int64(100_000 - s.budget))
				if report(t, seed, s); !s.watch.ok() {
					failures.Add(1)
				}
			}
		})
	}
	start := time.Now()
	for _, seed := range keptSeeds {
		seeds <- seed
	}
	for seed := uint64(1); seed <= *nSeeds && failures.Load() < 5; seed++ {
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d seeds, %d passes, %v", *nSeeds, passes.Load(), time.Since(start).Round(time.Millisecond))
}

func report(t *testing.T, seed uint64, s *simulation) {
	if !s.watch.ok() {
		t.Errorf("seed %d: %s\nreproduce: go test ./reconciler -run TestSimulation -seed=%d", seed, cut(strings.Join(s.watch.broken[:min(3, len(s.watch.broken))], "\n")), seed)
	}
}

// cut keeps a message to what can be read.
func cut(s string) string { return s[:min(len(s), 1500)] }

// chaos is one run of the simulation.
type chaos struct {
	*simulation
	log     func(string, ...any)
	content map[string]content // newest, by environment
	next    int                // number of the next code
	faults  float64            // chance of a fault of each effect
	deaf    bool               // hints are lost
	zombie  *Daemon            // the daemon that was replaced
	denied  manifest.Ref       // a question about it fails
	mode    string
}

// runSeed makes one run: faults first, then none.
func runSeed(seed uint64, m mutant, log func(string, ...any)) *simulation {
	rng := rand.New(rand.NewPCG(seed, 2))
	o := memory.Options{}
	if rng.IntN(2) == 0 {
		o.Settle, o.Activate = time.Duration(rng.IntN(4))*time.Second, time.Duration(rng.IntN(4))*time.Second
	}
	if rng.IntN(4) == 0 {
		o.Stale = time.Duration(1+rng.IntN(1800)) * time.Millisecond
	}
	environments := [][]string{{"preview"}, {"production"}, {"preview", "production"}, {"preview", "staging", "production"}}[rng.IntN(4)]
	c := &chaos{simulation: newSimulation(seed, o, m, environments...), log: log, content: map[string]content{}, next: 10, mode: "allow"}
	if log == nil {
		c.log = func(string, ...any) {}
	}
	c.wire()
	for _, env := range environments {
		c.content[env] = firstContent()
		if rng.IntN(3) > 0 {
			c.repo.commit(branchOf(env), c.content[env].files())
		}
	}
	c.restart()
	c.faults = []float64{0, 0.01, 0.05, 0.15}[rng.IntN(4)]
	for range 60 + rng.IntN(80) {
		if !c.watch.ok() {
			return c.simulation
		}
		if c.rng.IntN(4) == 0 {
			c.happen()
		}
		c.turn(!c.deaf || c.rng.IntN(3) == 0)
		c.haunt()
		c.advance(30 * time.Second)
	}
	c.heal()
	return c.simulation
}

// wire lets faults happen wherever the daemon reaches out.
func (c *chaos) wire() {
	c.inject = func(op string, ref manifest.Ref) error {
		if op == "look" || op == "observe" {
			if ref == c.denied && ref != (manifest.Ref{}) {
				return providers.Errorf(providers.Denied, "not allowed to look")
			}
			if c.rng.Float64() < c.faults/4 {
				return errors.New("injected: no answer")
			}
			return nil
		}
		if c.rng.Float64() >= c.faults {
			return nil
		}
		c.log("%v   fault %s %s", c.real.Sub(birth), op, ref)
		return providers.Errorf([]providers.Kind{providers.Transient, providers.Transient, providers.Throttled, providers.Conflict}[c.rng.IntN(4)], "injected")
	}
	c.partial = func() bool { return c.rng.Float64() < c.faults }
	c.unheard = func() bool { return c.rng.Float64() < 4*c.faults }
	c.repo.fault = func(op string) error {
		if c.rng.Float64() >= c.faults/2 {
			return nil
		}
		c.log("%v   fault %s", c.real.Sub(birth), op)
		return fmt.Errorf("injected: %s", op)
	}
	c.store.Break(func(int, []journal.Record) journal.Fault {
		if c.rng.Float64() >= c.faults {
			return journal.NoFault
		}
		f := []journal.Fault{journal.FailBefore, journal.FailAfter}[c.rng.IntN(2)]
		c.log("%v   fault journal %v", c.real.Sub(birth), f)
		return f
	})
}

// haunt has the daemon that was replaced try to go on.
func (c *chaos) haunt() {
	if c.zombie == nil || c.rng.IntN(3) > 0 {
		return
	}
	env := c.names[c.rng.IntN(len(c.names))]
	if e := c.zombie.environment(env); e != nil {
		_, _ = e.once(context.Background()) // it must stop; the watcher sees what it writes
	}
}

// happen is one thing that people or the world do.
func (c *chaos) happen() {
	env := c.names[c.rng.IntN(len(c.names))]
	what := c.rng.IntN(100)
	switch {
	case what < 30:
		c.develop(env)
	case what < 60:
		c.edit(env)
	case what < 75:
		c.person(env)
	case what < 80:
		c.govern()
	case what < 86:
		c.zombie = c.d
		c.log("%v restart", c.real.Sub(birth))
		c.restart()
	case what < 89:
		d := time.Duration(1+c.rng.IntN(40)) * time.Minute
		c.log("%v down for %v", c.real.Sub(birth), d)
		c.real, c.down = c.real.Add(d), c.down+d
		if c.rng.IntN(2) == 0 {
			c.restart()
		}
		c.jumps++
	case what < 92:
		c.skew += time.Duration(c.rng.IntN(7200)-3600) * time.Second
		c.jumps++
		c.log("%v clock jumps to %v", c.real.Sub(birth), c.skew)
	case what < 94:
		c.deaf = !c.deaf
	case what < 96:
		c.denied = manifest.Ref{}
		if c.rng.IntN(2) == 0 {
			c.denied = []manifest.Ref{{Kind: "Function", Name: "checkout"}, {Kind: "Queue", Name: "orders"}, {Kind: "Alias", Name: "checkout.live"}}[c.rng.IntN(3)]
		}
	case what < 98:
		c.repo.collect()
	default:
		for _, fn := range []string{"checkout", "mailer"} {
			c.platform.SetTraffic(env+"-"+fn, memory.Traffic{PerSecond: 100, Unknown: c.rng.IntN(2) == 0})
		}
	}
}

// develop changes an environment's branch.
func (c *chaos) develop(env string) {
	k := c.content[env]
	branch := branchOf(env)
	what := c.rng.IntN(16)
	switch what {
	case 0, 1, 2:
		c.next++
		k.checkout = code(c.next)
	case 3, 4:
		c.next++
		k.checkout = badCode(c.next)
		c.platform.SetErrors(k.checkout, 0.5)
	case 5:
		c.next++
		k.mailer = code(c.next)
	case 6:
		k.memory += 64
	case 7:
		k.level = []string{"info", "debug", "warn"}[c.rng.IntN(3)]
	case 8:
		k.trigger = !k.trigger
	case 9:
		k.withMailer = !k.withMailer
	case 10:
		k.audit = !k.audit
	case 11:
		k.invalid = !k.invalid
	case 12:
		k.empty = !k.empty
	case 13:
		k.limit = []int{0, 20, 50}[c.rng.IntN(3)]
	case 14:
		c.log("%v %s is rewritten", c.real.Sub(birth), branch)
		c.next++
		k.checkout = code(c.next)
		c.repo.rewrite(branch, k.files())
	case 15:
		c.log("%v %s is deleted", c.real.Sub(birth), branch)
		delete(c.repo.branches, branch)
		return
	}
	c.content[env] = k
	if what != 14 {
		sha := c.repo.commit(branch, k.files())
		c.log("%v %s is at %.12s (%d): %+v", c.real.Sub(birth), branch, sha, what, k)
	}
}

// edit is something done by hand on the platform.
func (c *chaos) edit(env string) {
	hand := c.platform.Manual("alice")
	fn := env + "-" + []string{"checkout", "mailer"}[c.rng.IntN(2)]
	function := memory.Name{Kind: manifest.KindFunction, Physical: fn}
	alias := memory.Name{Kind: manifest.KindAlias, Physical: fn, Key: "live"}
	trigger := memory.Name{Kind: manifest.KindTrigger, Physical: fn, Key: "orders"}
	queue := memory.Name{Kind: manifest.KindQueue, Physical: env + "-orders"}
	var err error
	what := c.rng.IntN(19)
	switch what {
	case 0:
		err = hand.Set(function, "memorySize", fmt.Sprint(64+64*c.rng.IntN(8)))
	case 1:
		err = hand.Set(function, "timeout", fmt.Sprint(1+c.rng.IntN(30)))
	case 2, 3:
		err = hand.Set(function, "environment.LOG_LEVEL", `"trace"`)
	case 4:
		err = hand.Unset(function, "environment.LOG_LEVEL")
	case 5:
		err = hand.Set(function, "environment.EXTRA", `"1"`)
	case 6:
		versions := key(c.platform.Versions(fn))
		if len(versions) > 0 {
			err = hand.Point(fn, "live", providers.Routing{Version: versions[c.rng.IntN(len(versions))]})
		}
	case 7:
		versions := key(c.platform.Versions(fn))
		if len(versions) > 1 {
			err = hand.Point(fn, "live", providers.Routing{Version: versions[0], Canary: versions[1], Weight: 3000})
		}
	case 8:
		err = hand.Add(memory.Name{Kind: manifest.KindPermission, Physical: fn, Key: "open"}, map[string]string{"principal": `"*"`, "action": `"lambda:InvokeFunction"`})
	case 9:
		err = hand.Add(memory.Name{Kind: manifest.KindTrigger, Physical: fn, Key: "foreign"}, map[string]string{"enabled": "true"})
	case 10:
		err = hand.Remove(trigger)
	case 11:
		err = hand.Set(trigger, "enabled", "false")
	case 12:
		err = hand.Remove(memory.Name{Kind: manifest.KindPermission, Physical: fn, Key: "partner"})
	case 13:
		err = hand.Remove(alias)
	case 14:
		err = hand.Remove(function)
	case 15:
		err = hand.Remove(queue)
	case 16:
		err = hand.Set(queue, "visibilityTimeout", fmt.Sprint(c.rng.IntN(100)))
	case 17:
		err = hand.Set(memory.Name{Kind: manifest.KindConcurrency, Physical: fn}, "reservedConcurrentExecutions", "0")
	case 18:
		err = errors.Join(hand.Own(queue, providers.Owner{}), hand.Set(queue, "visibilityTimeout", "7"))
	}
	c.log("%v by hand on %s: %d: %v", c.real.Sub(birth), fn, what, err)
}

// person asks the daemon for something.
func (c *chaos) person(env string) {
	ref := manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}
	what := c.rng.IntN(8)
	var err error
	switch what {
	case 0:
		err = c.hold(env, web.HoldRequest{Environment: env, Reason: "incident", For: time.Duration(1+c.rng.IntN(20)) * time.Minute, By: access.Stated("bob"), Suspend: c.rng.IntN(3) == 0})
	case 1:
		err = c.hold(env, web.HoldRequest{Environment: env, Resource: ref.String(), Reason: "incident", For: 10 * time.Minute, By: access.Stated("bob")})
	case 2, 3, 4:
		err = c.resume(env)
	case 5:
		err = c.ask(env, func(ctx context.Context, d *Daemon) error {
			return d.Rollback(ctx, web.RollbackRequest{Environment: env, By: access.Stated("carol"), Reason: "it looks wrong"})
		})
	case 6:
		err = c.ask(env, func(ctx context.Context, d *Daemon) error { return d.Retry(ctx, env, access.Stated("carol")) })
	case 7:
		err = c.ask(env, func(ctx context.Context, d *Daemon) error { return d.Promote(ctx, env, access.Stated("carol")) })
	}
	c.log("%v somebody asks %s: %d: %v", c.real.Sub(birth), env, what, err)
}

// hold is asked for by a person, who relies on it from then on.
func (c *chaos) hold(env string, r web.HoldRequest) error {
	return c.ask(env, func(ctx context.Context, d *Daemon) error {
		h, err := d.Hold(ctx, r)
		if err == nil {
			h.Until = c.now().Add(r.For) // what was asked for
			c.watch.at(env).people[h.ID] = h
		}
		return err
	})
}

func (c *chaos) resume(env string) error {
	return c.ask(env, func(ctx context.Context, d *Daemon) error {
		err := d.Resume(ctx, web.ResumeRequest{Environment: env, By: access.Stated("bob")})
		clear(c.watch.at(env).people)
		return err
	})
}

// govern changes the policies.
func (c *chaos) govern() {
	c.mode = []string{"allow", "allow", "allow", "revert", "deny", "broken", "failing"}[c.rng.IntN(7)]
	c.repo.commit("main", controlFiles(c.mode, c.names...))
	c.log("%v policies: %s", c.real.Sub(birth), c.mode)
}

// heal ends every fault and lets people put right what waits for them; then
// everything has to converge.
func (c *chaos) heal() {
	c.faults, c.deaf, c.denied, c.skew = 0, false, manifest.Ref{}, 0
	c.jumps++
	c.log("%v faults end", c.real.Sub(birth))
	for _, env := range c.names {
		for _, fn := range []string{"checkout", "mailer"} {
			c.platform.SetTraffic(env+"-"+fn, memory.Traffic{PerSecond: 100})
		}
	}
	c.repo.commit("main", controlFiles("allow", c.names...))
	c.next++
	k := firstContent()
	k.checkout = code(c.next)
	for _, env := range c.names {
		c.repo.commit(branchOf(env), k.files())
	}
	for try := range 40 {
		if c.until(time.Minute, c.converged) || !c.watch.ok() {
			return
		}
		for _, env := range c.names {
			if try%3 == 2 && c.watch.environment(env).Rollout.Paused != "" {
				_ = c.ask(env, func(ctx context.Context, d *Daemon) error {
					return d.Rollback(ctx, web.RollbackRequest{Environment: env, By: access.Stated("bob"), Reason: "it is stuck"})
				})
				c.until(2*time.Minute, c.converged)
			}
			_ = c.resume(env)                                                                                             // there may be none
			_ = c.ask(env, func(ctx context.Context, d *Daemon) error { return d.Retry(ctx, env, access.Stated("bob")) }) // it may not be needed
		}
	}
	c.watch.fail(13, "%v", c.open())
	for _, env := range c.names {
		c.explain(env)
	}
}

// explain logs what an environment waits for.
func (c *chaos) explain(env string) {
	st := c.watch.environment(env)
	ro := st.Rollout
	c.log("%s rollout %q %s weight %d paused %q reason %q failed %v stable %.18s functions %+v next %v", env, ro.Phase, short(ro.Release.Digest), ro.Weight, ro.Paused, ro.Reason, ro.Failed, ro.Stable.Digest, ro.Functions, ro.Next != nil)
	for _, id := range slices.Sorted(maps.Keys(st.Holds)) {
		c.log("%s hold: %+v", env, st.Holds[id])
	}
	for _, id := range slices.Sorted(maps.Keys(st.Drift)) {
		i := st.Drift[id]
		c.log("%s drift %s %s %s: %s seen %d (%s) declared %.80s live %.80s decision %s", env, i.Ref, i.Path, i.Kind, i.Response, i.Seen, i.Reason, i.Declared, i.Live, i.Decision)
	}
	for ref, o := range st.Parked {
		c.log("%s parked: %s: %+v", env, ref, o)
	}
	for k, q := range st.Quarantine {
		c.log("%s quarantine %+v %s", env, k, q.Reason)
	}
	e := c.d.environment(env)
	if e == nil {
		c.log("%s is not known", env)
		return
	}
	c.log("%s judged %+v; pass: %v", env, st.Judged, e.published.Load().status.LastError)
	p := &pass{e: e, w: c.d.world.Load(), st: e.state(), now: c.now()}
	p.spec, _ = p.w.pipeline.Environment(env)
	if p.readHead(context.Background()) == nil && p.loadReleases(context.Background()) == nil {
		if in, err := p.input(p.target, p.st.Rollout); err == nil {
			pl := plan.Make(in)
			c.log("%s surveys %d steps %d waits %+v signal %+v stale %v", env, in.Surveys, len(pl.Steps), pl.Waits, pl.Signal, pl.Stale)
		}
	}
}

// TestSameSeedSameRun: a run is a function of its seed, or no failure could be
// reproduced; and the daemon works through the same state in the same order.
func TestSameSeedSameRun(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		a, b := runSeed(seed, mutant{}, nil), runSeed(seed, mutant{}, nil)
		calls, again := a.platform.Calls(), b.platform.Calls()
		for i := range min(len(calls), len(again)) {
			if !reflect.DeepEqual(calls[i], again[i]) {
				t.Fatalf("seed %d: call %d of %d was %+v, the second time %+v", seed, i, len(calls), calls[i], again[i])
			}
		}
		if len(calls) != len(again) || a.watch.state.Seq != b.watch.state.Seq {
			t.Fatalf("seed %d: %d calls and %d records, the second time %d and %d", seed, len(calls), a.watch.state.Seq, len(again), b.watch.state.Seq)
		}
	}
}
