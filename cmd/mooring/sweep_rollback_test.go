package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
)

// TestRollbackWithMetricsDown: in the middle of a rollout a person wants
// traffic back, while metrics answer only after a long time: they are not asked
// before every alias is back, and each takes one call.
func TestRollbackWithMetricsDown(t *testing.T) {
	sweepCredentials(t)
	files := newSweepFiles(t)
	r := newRig(t, files, &evaluators{made: map[string]policy.Evaluator{}})
	newHand(r.cloud).furnish(t)
	control := sweepControl(map[string]string{sweepEnvironment: r.cloud.door.URL}, sweepEnvironment)
	control["policies/rollout/go.rego"] = "package policy.rollout.go\n\npause contains {\"code\": \"wait\", \"msg\": \"look\"} if input.rollout.weight == 50\n"
	r.push("main", control)
	first := r.push(sweepBranch, files.release(sweepFirst))
	r.start()
	r.wait("first deployment", r.atRest(first, "in_sync"))
	r.push(sweepBranch, files.release(sweepSecond))
	r.wait("half of the traffic is moved", func() string {
		if s := r.status(); s.Rollout.Weight != 50 || s.Rollout.Paused == "" {
			return fmt.Sprintf("%+v", s.Rollout)
		}
		return ""
	})
	_, err := r.cloud.Faults.Add(sandbox.Rule{Service: "monitoring", Actor: sweepActor, Effect: sandbox.Effect{Latency: 2 * time.Second}})
	check(t, err)
	check(t, r.daemon.Rollback(context.Background(), web.RollbackRequest{Environment: sweepEnvironment, By: access.Stated("carol"), Reason: "it looks wrong"}))
	// The pass that was under way when she asked may still have been waiting.
	asked := r.requested(t)
	r.wait("traffic is back", r.atRest(first, "held"))
	routed := 0
	for _, c := range r.cloud.Calls(asked) {
		switch {
		case c.Actor.Name != sweepActor:
		case c.Operation == "UpdateAlias":
			routed++
		case c.Service == "monitoring" && routed < 2:
			t.Errorf("%s was asked %v after the rollback, with %d of 2 aliases back", c.Operation, c.At.Sub(asked), routed)
		}
	}
	if routed != 2 {
		t.Errorf("%d calls to point 2 aliases", routed)
	}
}

// requested is when the journal took the newest rollback in.
func (r *rig) requested(t *testing.T) (at time.Time) {
	t.Helper()
	for rec, err := range r.store.Records(context.Background(), 0) {
		check(t, err)
		if rec.Request != nil && rec.Request.Kind == "rollback" && !rec.Request.Done {
			at = rec.At
		}
	}
	if at.IsZero() {
		t.Fatal(errors.New("nobody asked for a rollback"))
	}
	return at
}
