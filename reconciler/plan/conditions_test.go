package plan

import (
	"maps"
	"reflect"
	"testing"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// The same look planned twice is one look: only another look confirms.
func TestTheSameLookCountsOnce(t *testing.T) {
	s := started(t)
	if err := s.platform.Manual("bob").Set(s.name(ref("Queue/orders")), "visibilityTimeout", "5"); err != nil {
		t.Fatal(err)
	}
	in := s.input()
	for range 3 {
		p := Make(in)
		if len(p.Items) != 1 || p.Items[0].Seen != 1 || p.Items[0].Confirmed() {
			t.Fatalf("seen at one time, counted %+v", p.Items)
		}
		in.Items = map[string]record.DriftItem{p.Items[0].ID: p.Items[0]}
	}
}

// removing is a world in the contract phase of a release without mailer.
func removing(t *testing.T) Input {
	t.Helper()
	s := started(t)
	files := base(t)
	delete(files, "mailer.yaml")
	s.target(render(t, files, "v2"))
	s.in.Rollout.Phase = rollout.Contract
	in := s.input()
	in.Surveys = 2
	return in
}

func removes(p Plan) bool {
	for _, s := range p.Steps {
		if s.Operation == Delete || s.Operation == Detach {
			return true
		}
	}
	return false
}

// A deletion needs every one of its conditions: two complete listings …
func TestListingsBeforeRemoval(t *testing.T) {
	in := removing(t)
	if !removes(Make(in)) {
		t.Fatalf("every condition holds:\n%s", show(Make(in)))
	}
	for surveys := range 2 {
		in.Surveys = surveys
		if p := Make(in); removes(p) || p.Signal.Ready {
			t.Errorf("after %d listings:\n%s", surveys, show(p))
		}
	}
}

// … and tags that say that this very resource is this environment's.
func TestTagsBeforeRemoval(t *testing.T) {
	in := removing(t)
	fn := ref("Function/mailer")
	owner := in.Inventory.Orphans[fn].Owner
	for _, other := range []providers.Owner{
		{}, {Pipeline: "else", Environment: owner.Environment, Resource: owner.Resource},
		{Pipeline: owner.Pipeline, Environment: "else", Resource: owner.Resource},
		{Pipeline: owner.Pipeline, Environment: owner.Environment, Resource: "Function/other"},
	} {
		changed := in
		changed.Inventory.Orphans = maps.Clone(in.Inventory.Orphans)
		live := changed.Inventory.Orphans[fn]
		live.Owner = other
		changed.Inventory.Orphans[fn] = live
		if p := Make(changed); removes(p) {
			t.Errorf("owned by %+v:\n%s", other, show(p))
		}
	}
}

// A function that a rollout moved and nobody saw at rest is spoken of by the
// rollout that overtakes it: otherwise its alias would be taken for repointed
// and sent back.
func TestAnOvertakenFunctionIsNotForgotten(t *testing.T) {
	s := started(t)
	s.target(variants(t)[1])
	for range 12 {
		if s.in.Rollout.Phase == rollout.Connect {
			break
		}
		if _, err := s.pass(); err != nil {
			t.Fatal(err)
		}
	}
	files := base(t)
	files["mailer.yaml"] = replaced(t, files["mailer.yaml"], "sha256:22", "sha256:33")
	files["queues.yaml"] = replaced(t, files["queues.yaml"], "visibilityTimeout: 60", "visibilityTimeout: 90")
	in := s.withTarget(render(t, files, "v3")) // mailer as in v2
	got := Changing(in)
	want := []rollout.Function{{Ref: ref("Function/mailer"), Alias: ref("Alias/mailer.live"), Stable: "2"}}
	if len(got) != 1 || !reflect.DeepEqual(got[0], want[0]) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Whatever could not be read is neither compared nor written, and a version is
// not made of what nobody saw.
func TestUnseenIsUnknown(t *testing.T) {
	s := started(t)
	s.target(variants(t)[1])
	in := s.input()
	fn := ref("Function/mailer")
	live := in.Inventory.Live[fn]
	live.Spec.Fields = maps.Clone(live.Spec.Fields)
	live.Spec.Digest, live.Spec.Snapshot = "", ""
	delete(live.Spec.Fields, "code")
	delete(live.Spec.Fields, "handler")
	live.Unseen = map[string]string{"code": "not permitted", "handler": "not permitted"}
	in.Inventory.Live = maps.Clone(in.Inventory.Live)
	in.Inventory.Live[fn] = live
	p := Make(in)
	for _, step := range p.Steps {
		if step.Ref == fn {
			t.Errorf("a step about what was not seen:\n%s", show(p))
		}
	}
	if p.Signal.Ready {
		t.Error("ready, though nobody saw it")
	}
}

// A secret that is scheduled for deletion lives and is of no use.
func TestASecretOnItsWayOut(t *testing.T) {
	s := started(t)
	if err := s.platform.Manual("eve").Fail(s.name(ref("Secret/shop/stripe")), "scheduled for deletion"); err != nil {
		t.Fatal(err)
	}
	s.target(variants(t)[2])
	p := Make(s.input())
	found := false
	for _, w := range p.Waits {
		found = found || w.Ref == ref("Secret/shop/stripe") && w.For == "dependency"
	}
	if !found || p.Signal.Ready || p.Signal.Impossible != "" {
		t.Errorf("%s", show(p))
	}
	for _, step := range p.Steps {
		if step.Ref == ref("Function/checkout") {
			t.Errorf("what needs the secret is written:\n%s", show(p))
		}
	}
}

// With nothing ever admitted there is nothing to say.
func TestNoTarget(t *testing.T) {
	p := Make(Input{Items: map[string]record.DriftItem{"x": {ID: "x", Ref: ref("Queue/q")}}})
	if len(p.Steps)+len(p.Facts)+len(p.Resolved) > 0 || p.Signal.Ready || p.Signal.Routed || len(p.Items) != 1 {
		t.Errorf("%s", show(p))
	}
}

// An empty release deletes nothing, approved or not.
func TestAnEmptyReleaseDeletesNothing(t *testing.T) {
	in := removing(t)
	in.Target = &manifest.Release{Digest: "sha256:empty"}
	for _, in.Approved = range []bool{false, true} {
		if p := Make(in); removes(p) {
			t.Errorf("%s", show(p))
		}
	}
}

// The share is of manifests, not of children, and a limit of the environment
// replaces the default.
func TestDeletionShare(t *testing.T) {
	in := removing(t) // one of five manifests
	in.Environment.Deletions = 0.1
	if p := Make(in); removes(p) || len(p.Holds) != 1 {
		t.Errorf("a fifth is more than a tenth:\n%s", show(p))
	}
	in.Environment.Deletions = 0.2
	if p := Make(in); !removes(p) || len(p.Holds) != 0 {
		t.Errorf("a fifth is not more than a fifth:\n%s", show(p))
	}
}

// Traffic waits for a version to be ready, however sure the rollout is.
func TestAnUnreadyVersionGetsNoTraffic(t *testing.T) {
	s := started(t)
	s.target(variants(t)[1])
	for range 12 {
		if s.in.Rollout.Phase == rollout.Shift {
			break
		}
		if _, err := s.pass(); err != nil {
			t.Fatal(err)
		}
	}
	in := s.input()
	if p := Make(in); len(p.Steps) != 1 || p.Steps[0].Operation != Route {
		t.Fatalf("want the canary to begin:\n%s", show(p))
	}
	fn := ref("Function/mailer")
	live := in.Inventory.Live[fn]
	for _, change := range []func(map[string]providers.Version){
		func(v map[string]providers.Version) {
			v["2"] = providers.Version{Number: "2", Snapshot: v["2"].Snapshot}
		},
		func(v map[string]providers.Version) { delete(v, "2") },
	} {
		live.Published = maps.Clone(s.input().Inventory.Live[fn].Published)
		change(live.Published)
		in.Inventory.Live[fn] = live
		for _, step := range Make(in).Steps {
			if step.Operation == Route {
				t.Errorf("routed: %+v", step)
			}
		}
	}
}
