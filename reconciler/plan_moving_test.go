package reconciler

import (
	"context"
	"slices"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
)

// planned is what `mooring plan` tells of production.
func (s *simulation) planned(t *testing.T) web.Plan {
	t.Helper()
	var out web.Plan
	if err := s.ask("production", func(ctx context.Context, d *Daemon) (err error) {
		out, err = d.Plan(ctx, "production")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// operations are what a plan does to a resource, in order.
func operations(p web.Plan, resource string) (out []string) {
	for _, s := range p.Steps {
		if s.Resource == resource {
			out = append(out, s.Operation)
		}
	}
	return out
}

// TestPlanWhileAReleaseMoves: what is left of the way is told, and of another
// commit all of it; nothing is left once all of the traffic is on what is
// declared. Looking changes nothing.
func TestPlanWhileAReleaseMoves(t *testing.T) {
	s := canary(t)
	before, calls := s.live(), s.mutations()
	p := s.planned(t)
	if p.Outcome != "changes" || !slices.Equal(operations(p, "Alias/checkout.live"), []string{"route", "route"}) || len(p.Steps) != 2 {
		t.Errorf("at 10%% of 10, 50, 100 the plan is %s: %+v", p.Outcome, p.Steps)
	}
	head := s.repo.branches["env/production"]
	k := firstContent()
	k.checkout = code(10)
	s.repo.commit("env/production", k.files())
	s.refresh()
	p = s.planned(t)
	if p.Outcome != "changes" || len(operations(p, "Alias/checkout.live")) != 3 || !slices.Contains(operations(p, "Function/checkout"), "publish") {
		t.Errorf("of a newer commit the plan is %s: %+v", p.Outcome, p.Steps)
	}
	s.repo.branches["env/production"] = head
	s.refresh()
	if s.live() != before || s.mutations() != calls {
		t.Errorf("looking made %d calls", s.mutations()-calls)
	}
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Fatalf("traffic is at %+v", s.live())
	}
	if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Shift {
		t.Fatalf("%s", ro.Phase)
	}
	s.run(time.Second)
	if p = s.planned(t); p.Outcome != "in_sync" || len(p.Steps) != 0 {
		t.Errorf("all of the traffic is on what is declared, and the plan is %s: %+v", p.Outcome, p.Steps)
	}
	settled(t, s)
	sound(t, s)
}
