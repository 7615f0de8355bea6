package aws

import (
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// retrigger is a copy of a trigger with its specification changed.
func retrigger(res manifest.Resource, change func(*manifest.TriggerSpec)) manifest.Resource {
	spec := *res.Spec.(*manifest.TriggerSpec)
	change(&spec)
	res.Spec = &spec
	return res
}

func TestTriggerChangesInPlaceAndIsFoundAgain(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	trigger := find(t, all, "Trigger/checkout.orders")
	before := b.one(trigger)
	changed := retrigger(trigger, func(s *manifest.TriggerSpec) {
		s.Enabled, s.BatchSize, s.MaximumConcurrency, s.FilterPatterns, s.FunctionResponseTypes = false, 3, 0, nil, nil
	})
	got := b.made(true, func() {
		if _, err := b.Put(b.ctx, providers.Change{Resource: changed, Bindings: bindings, Guard: before.Guard, Release: testRelease}); err != nil {
			t.Fatal(err)
		}
	})
	if diff := cmp.Diff([]string{"UpdateEventSourceMapping"}, got); diff != "" {
		t.Errorf("calls: %s", diff)
	}
	b.advance(time.Minute)
	after := b.one(changed)
	want, err := b.Canonical(changed, bindings)
	if err != nil {
		t.Fatal(err)
	}
	if paths := b.differs(changed, want, after); len(paths) > 0 || after.Attributes["id"] != before.Attributes["id"] {
		t.Errorf("changed in place? %v, %s to %s", paths, before.Attributes["id"], after.Attributes["id"])
	}

	// By hand onto the function itself: it is still this trigger, also for a
	// provider that remembers nothing.
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.UpdateEventSourceMapping(b.ctx, &lambda.UpdateEventSourceMappingInput{
		UUID: awssdk.String(before.Attributes["id"]), FunctionName: &trigger.Physical,
	}); err != nil {
		t.Fatal(err)
	}
	b.advance(time.Minute)
	fresh := newWorld(t, testOptions(t, b.box.URL()))
	for how, live := range map[string]providers.Live{"observed": fresh.one(changed), "surveyed": fresh.survey(all).Live[trigger.Ref]} {
		if live.Attributes["id"] != before.Attributes["id"] || live.Spec.Fields["functionArn"] == want.Fields["functionArn"] {
			t.Errorf("%s after it was moved by hand: %+v", how, live)
		}
	}
}

func TestTriggerOfAnotherQueueIsMadeAnew(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	trigger := find(t, all, "Trigger/checkout.orders")
	before := b.one(trigger)
	moved := retrigger(trigger, func(s *manifest.TriggerSpec) {
		s.Queue = manifest.Value{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "orders-dlq"}}
	})
	var calls []string
	for range 2 {
		live := b.one(moved)
		calls = append(calls, b.made(true, func() {
			if _, err := b.Put(b.ctx, providers.Change{Resource: moved, Bindings: bindings, Guard: live.Guard, Release: testRelease}); err != nil {
				t.Fatal(err)
			}
		})...)
		b.advance(time.Minute)
	}
	if diff := cmp.Diff([]string{"DeleteEventSourceMapping", "CreateEventSourceMapping"}, calls); diff != "" {
		t.Errorf("calls: %s", diff)
	}
	after := b.one(moved)
	if !after.Exists || after.Attributes["id"] == before.Attributes["id"] || after.Owner.Resource != trigger.Ref.String() {
		t.Errorf("made anew: %+v", after)
	}
}

func TestMappingStates(t *testing.T) {
	k := triggerKind{offline(t).Provider}
	live := func(state, reason string) providers.Live {
		return k.live(manifest.Ref{}, &types.EventSourceMappingConfiguration{
			UUID: awssdk.String("u"), State: &state, StateTransitionReason: &reason, EventSourceArn: awssdk.String("q"), FunctionArn: awssdk.String("f"),
		}, providers.Owner{})
	}
	for state, want := range map[string]struct {
		enabled  string
		settling bool
	}{
		"Enabled": {"true", false}, "Enabling": {"true", true}, "Disabled": {"false", false}, "Disabling": {"false", true},
		"Creating": {"", true}, "Updating": {"", true},
	} {
		l := live(state, "USER_INITIATED")
		if l.Spec.Fields["enabled"] != want.enabled || l.Settling != want.settling || l.Note != "" {
			t.Errorf("%s: enabled %q, settling %v, note %q", state, l.Spec.Fields["enabled"], l.Settling, l.Note)
		}
		if _, unseen := l.Unseen["enabled"]; unseen != (want.enabled == "") {
			t.Errorf("%s: unseen %v", state, l.Unseen)
		}
	}
	if l := live("Disabled", "Lambda disabled the mapping: queue does not exist"); l.Note == "" {
		t.Error("Lambda's own reason is not told")
	}
}

func TestEncryptedFiltersAreUnknown(t *testing.T) {
	k := triggerKind{offline(t).Provider}
	l := k.live(manifest.Ref{}, &types.EventSourceMappingConfiguration{
		UUID: awssdk.String("u"), State: awssdk.String("Enabled"), KMSKeyArn: awssdk.String("arn:aws:kms:::key/1"),
	}, providers.Owner{})
	if _, told := l.Spec.Fields["filterCriteria.filters"]; told || l.Unseen["filterCriteria.filters"] == "" {
		t.Errorf("encrypted filters read as %q, unseen %v", l.Spec.Fields["filterCriteria.filters"], l.Unseen)
	}
}

func TestFunctionStates(t *testing.T) {
	for _, c := range []struct {
		state    types.State
		update   types.LastUpdateStatus
		settling bool
		failed   bool
	}{
		{types.StateActive, types.LastUpdateStatusSuccessful, false, false},
		{types.StatePending, types.LastUpdateStatusSuccessful, true, false},
		{types.StateActive, types.LastUpdateStatusInProgress, true, false},
		{types.StateActive, "", true, false},
		{types.StateInactive, types.LastUpdateStatusSuccessful, false, false},
		{types.StateFailed, types.LastUpdateStatusSuccessful, false, true},
		{types.StateActive, types.LastUpdateStatusFailed, false, true},
		{"", "", false, false}, // a listing shows neither
	} {
		settling, failed := functionState(&types.FunctionConfiguration{State: c.state, LastUpdateStatus: c.update})
		if settling != c.settling || (failed != "") != c.failed {
			t.Errorf("%q %q: settling %v, failed %q", c.state, c.update, settling, failed)
		}
	}
}

// TestUnreadableEnvironmentIsUnknown: no key, no values; not "all removed".
func TestUnreadableEnvironmentIsUnknown(t *testing.T) {
	w := offline(t)
	fn := w.shop("preview")[3]
	look := &functionLook{config: types.FunctionConfiguration{
		FunctionName: &fn.Physical,
		Environment:  &types.EnvironmentResponse{Error: &types.EnvironmentError{ErrorCode: awssdk.String("KMSAccessDeniedException")}},
	}}
	l, err := w.functionLive(fn, look)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"environment", "environment.LOG_LEVEL", "environment.STRIPE_KEY"} {
		if _, told := l.Spec.Fields[path]; told || l.Unseen[path] == "" {
			t.Errorf("%s: told %v, unseen %q", path, told, l.Unseen[path])
		}
	}
	if l.Spec.Snapshot != "" {
		t.Error("what cannot be read has a snapshot")
	}
}

// A trigger that is no longer declared still goes by the name it was declared
// by, which is not the mapping's: it has to be found all the same.
func TestTriggerOnceDeclaredIsDetached(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	trigger, fn := find(t, all, "Trigger/checkout.orders"), find(t, all, "Function/checkout")
	live := b.one(trigger)
	extra := providers.Extra{Ref: trigger.Ref, Parent: fn.Ref, Spec: live.Spec, Guard: live.Guard}
	fresh := newWorld(t, testOptions(t, b.box.URL())) // remembers nothing
	stale := extra
	stale.Guard = "another"
	if _, err := fresh.Detach(b.ctx, fn, stale); providers.KindOf(err) != providers.Conflict {
		t.Errorf("detached although it changed: %v", err)
	}
	if _, err := fresh.Detach(b.ctx, fn, extra); err != nil {
		t.Fatal(err)
	}
	b.advance(time.Minute)
	if live := b.one(trigger); live.Exists {
		t.Errorf("detached, it is still there: %+v", live)
	}
	if _, err := fresh.Detach(b.ctx, fn, extra); err != nil {
		t.Errorf("detached again: %v", err)
	}
}
