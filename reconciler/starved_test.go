package reconciler

import (
	"context"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// TestWhatStopsAStageIsPutBackInIt: a function that may not run, or is fed by
// nothing, gets no calls, and a stage without calls never ends. It is held as
// every mitigation is; once a person lets it be put back, that is done while
// traffic is divided, and other drift waits.
func TestWhatStopsAStageIsPutBackInIt(t *testing.T) {
	concurrency := memory.Name{Kind: manifest.KindConcurrency, Physical: "production-checkout"}
	trigger := memory.Name{Kind: manifest.KindTrigger, Physical: "production-checkout", Key: "orders"}
	queue := memory.Name{Kind: manifest.KindQueue, Physical: "production-orders"}
	for name, c := range map[string]struct {
		limit int // declared
		stop  func(h memory.Hand) error
		back  func(s *simulation) bool
	}{
		"concurrency lowered to 0": {50,
			func(h memory.Hand) error { return h.Set(concurrency, "reservedConcurrentExecutions", "0") },
			func(s *simulation) bool {
				fields, _ := s.platform.Fields(concurrency)
				return fields["reservedConcurrentExecutions"] == "50"
			}},
		"concurrency of 0 where none is declared": {0,
			func(h memory.Hand) error {
				return h.Add(concurrency, map[string]string{"reservedConcurrentExecutions": "0"})
			},
			func(s *simulation) bool {
				_, there := s.platform.Fields(concurrency)
				return !there
			}},
		"mapping switched off": {50,
			func(h memory.Hand) error { return h.Set(trigger, "enabled", "false") },
			func(s *simulation) bool {
				fields, _ := s.platform.Fields(trigger)
				return fields["enabled"] == "true"
			}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulation(1, memory.Options{}, mutant{}, "production")
			k := firstContent()
			k.limit = c.limit
			s.repo.commit("env/production", k.files())
			s.restart()
			settled(t, s)
			k.checkout = code(9)
			s.repo.commit("env/production", k.files())
			if !s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached }) {
				t.Fatal("no canary")
			}
			s.platform.SetTraffic("production-checkout", memory.Traffic{}) // no calls come through
			hand := s.platform.Manual("alice")
			must(c.stop(hand))
			must(hand.Set(queue, "visibilityTimeout", "7"))
			s.run(time.Minute)
			if holds := s.watch.environment("production").Holds; len(holds) != 1 || c.back(s) {
				t.Fatalf("held: %v, put back by itself: %t", holds, c.back(s))
			}
			must(s.ask("production", func(ctx context.Context, d *Daemon) error {
				return d.Resume(ctx, web.ResumeRequest{Environment: "production", By: access.Stated("bob")})
			}))
			if !s.until(time.Minute, func() bool { return c.back(s) }) || s.watch.environment("production").Rollout.Phase != rollout.Shift {
				t.Fatalf("a person said so, and it is not put back in the stage: %s, %v", s.watch.environment("production").Rollout.Phase, s.open())
			}
			if fields, _ := s.platform.Fields(queue); fields["visibilityTimeout"] != "7" {
				t.Error("other drift did not wait for the release")
			}
			s.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 100})
			settled(t, s)
			if s.live().Version != "2" {
				t.Errorf("in the end traffic is at %+v", s.live())
			}
			sound(t, s)
		})
	}
}
