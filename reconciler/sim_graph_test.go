package reconciler

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
)

// diamond makes the environments of a simulation one: two that come after the
// first, and the last after both.
func (s *simulation) diamond() {
	s.after = map[string]string{"west": "preview", "production": "east, west"}
	s.repo.commit("main", s.controlFiles())
}

// How content comes into an environment of a graph, other than by itself.
const (
	inTurn    = "promotion: auto\n      take: queue"
	whenAsked = "promotion: manual"
)

// diamondNames are the environments of one.
var diamondNames = []string{"preview", "east", "west", "production"}

// runGraph is a run over a diamond: contents enter by preview, and besides all
// that may happen happens. In the end one content has to come through it all.
func runGraph(seed uint64, log func(string, ...any)) *simulation {
	rng := rand.New(rand.NewPCG(seed, 4))
	c := &chaos{simulation: newSimulation(seed, memory.Options{}, mutant{}, diamondNames...), log: log, content: map[string]content{}, next: 10, mode: "allow", chance: rand.New(rand.NewPCG(seed, 3))}
	c.says = map[string]string{}
	if seed%3 == 1 {
		c.says["production"] = inTurn
	}
	if seed%2 == 0 {
		c.says["west"] = whenAsked
	}
	c.diamond()
	c.wire()
	for _, env := range c.names {
		c.content[env] = firstContent()
	}
	c.repo.commit(branchOf("preview"), firstContent().files())
	c.restart()
	c.faults = []float64{0, 0.01, 0.05}[rng.IntN(3)]
	for range 60 + rng.IntN(60) {
		switch {
		case !c.watch.ok():
			return c.simulation
		case rng.IntN(8) == 0:
			c.develop("preview")
		case rng.IntN(8) == 0:
			c.happen()
		case rng.IntN(16) == 0:
			c.bring()
		}
		c.turn(!c.deaf || c.rng.IntN(3) == 0)
		c.haunt()
		c.advance(30 * time.Second)
	}
	c.heal()
	c.comesThrough()
	return c.simulation
}

// bring has somebody ask for what waits for people; nothing may wait.
func (c *chaos) bring() {
	if c.says["west"] == whenAsked {
		_ = c.ask("west", func(ctx context.Context, d *Daemon) error { return d.Promote(ctx, "west", access.Stated("carol")) })
	}
}

// comesThrough: a new content in preview is in force everywhere in the end.
func (c *chaos) comesThrough() {
	if !c.watch.ok() {
		return
	}
	c.next++
	k := c.content["preview"]
	k.checkout = code(c.next)
	sha := c.repo.commit(branchOf("preview"), k.files())
	want := c.release("preview", sha).Content
	arrived := func() bool {
		return !slices.ContainsFunc(c.names, func(env string) bool { return c.watch.environment(env).Rollout.Release.Content != want }) && c.converged()
	}
	for range 20 {
		if c.until(2*time.Minute, arrived) || !c.watch.ok() {
			return
		}
		c.bring()
	}
	for _, env := range c.names {
		c.explain(env)
		c.watch.fail(13, "%s has not got the newest content: %+v", env, c.d.environment(env).published.Load().status)
	}
}

// TestSimulatedDiamond holds promotion over a graph against the invariants,
// with the faults, people and hands of TestSimulation.
func TestSimulatedDiamond(t *testing.T) {
	first, last := uint64(1), uint64(graphSeeds)
	log := func(string, ...any) {}
	if *oneSeed != 0 {
		first, last, log = *oneSeed, *oneSeed, t.Logf
	}
	for seed := first; seed <= last; seed++ {
		if s := runGraph(seed, log); !s.watch.ok() {
			t.Fatalf("seed %d: %s\nreproduce: go test ./reconciler -run TestSimulatedDiamond -seed=%d", seed, cut(strings.Join(s.watch.broken[:min(3, len(s.watch.broken))], "\n")), seed)
		}
	}
}

// TestADiamondSaysWhichSideIsBehind: what one side has and the other has not
// waits, whichever is named first; the status says which, nobody is alerted to
// that, and it comes in once the other has it too.
func TestADiamondSaysWhichSideIsBehind(t *testing.T) {
	for _, late := range []string{"east", "west"} {
		t.Run(late, func(t *testing.T) {
			s := newSimulation(1, memory.Options{}, mutant{}, diamondNames...)
			s.diamond()
			s.restart()
			s.repo.commit("env/preview", firstContent().files())
			s.run(30 * time.Minute)
			was := s.watch.environment("production").Rollout.Release.Content
			if was == "" || was != s.watch.environment("preview").Rollout.Release.Content {
				t.Fatalf("the first content did not come through: %+v", s.watch.environment("production").Promotions)
			}
			ask := func(request func(ctx context.Context, d *Daemon) error) {
				t.Helper()
				if err := s.ask(late, request); err != nil {
					t.Fatal(err)
				}
			}
			ask(func(ctx context.Context, d *Daemon) error {
				_, err := d.Hold(ctx, web.HoldRequest{Environment: late, Reason: "load test", For: 12 * time.Hour, By: access.Stated("bob")})
				return err
			})
			s.repo.commit("env/preview", secondContent(512).files())
			s.run(30 * time.Minute)
			got := s.d.environment("production").published.Load().status
			if got.PromotionCode != "waiting" || !strings.Contains(got.Promotion, "east") || !strings.Contains(got.Promotion, "west") || got.Content != was || got.State != "in_sync" {
				t.Errorf("production says %q (%s), state %s, content %s", got.Promotion, got.PromotionCode, got.State, short(got.Content))
			}
			if n := len(s.d.ledger.firing("production/")); n != 0 {
				t.Errorf("%d alerts about production", n)
			}
			ask(func(ctx context.Context, d *Daemon) error {
				return d.Resume(ctx, web.ResumeRequest{Environment: late, By: access.Stated("bob")})
			})
			s.run(30 * time.Minute)
			got = s.d.environment("production").published.Load().status
			if got.Content == was || got.Content != s.watch.environment("preview").Rollout.Release.Content || got.Promotion != "" || got.PromotionCode != "" {
				t.Errorf("both have it, and production is at %s: %q (%s)", short(got.Content), got.Promotion, got.PromotionCode)
			}
			sound(t, s)
		})
	}
}
