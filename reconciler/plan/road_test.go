package plan

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// started is a shop with v1 in force.
func started(t *testing.T) *shop {
	t.Helper()
	s := newShop(memory.Options{})
	if err := s.platform.Manual("setup").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil); err != nil {
		t.Fatal(err)
	}
	s.target(render(t, base(t), "v1"))
	s.converge(t)
	return s
}

// The road is the steps that are then made, in the same order.
func TestRoadIsWhatHappens(t *testing.T) {
	releases := variants(t)
	for _, next := range releases[1:] {
		s := started(t)
		s.in.Approved = true
		ahead := s.withTarget(next)
		var foreseen []string
		for _, step := range Road(ahead) {
			foreseen = append(foreseen, string(step.Operation)+" "+step.Ref.String())
		}
		s.acted = nil
		s.target(next)
		s.in.Rollout.Stages = stagesOf(ahead)
		s.converge(t)
		var made []string
		for _, step := range s.acted {
			made = append(made, string(step.Operation)+" "+step.Ref.String())
		}
		slices.Sort(foreseen)
		slices.Sort(made)
		if !slices.Equal(foreseen, made) {
			t.Errorf("%s: foreseen %v\nmade %v", next.Commit, foreseen, made)
		}
	}
}

// What one look leaves for later, as the settings are that cost a call each,
// keeps no version from being foreseen: before it is made, all was looked at.
func TestRoadPastWhatWasNotLookedAtYet(t *testing.T) {
	s := started(t)
	fn := ref("Function/mailer")
	var operations [2][]string
	for i := range operations {
		in := s.withTarget(variants(t)[1])
		live := in.Inventory.Live[fn]
		if i == 1 {
			live.Spec.Fields = maps.Clone(live.Spec.Fields)
			live.Spec.Digest, live.Unseen = "", map[string]string{"timeout": "not looked at yet"}
			delete(live.Spec.Fields, "timeout")
			in.Inventory.Live = maps.Clone(in.Inventory.Live)
			in.Inventory.Live[fn] = live
		}
		for _, step := range Road(in) {
			operations[i] = append(operations[i], string(step.Operation)+" "+step.Ref.String())
		}
	}
	if !slices.Contains(operations[0], "publish Function/mailer") || !slices.Equal(operations[0], operations[1]) {
		t.Errorf("all looked at: %v\none field left: %v", operations[0], operations[1])
	}
}

func stagesOf(in Input) []manifest.Stage { return begin(in).Rollout.Stages }

// withTarget is the input in which another release would be planned.
func (s *shop) withTarget(rel *manifest.Release) Input {
	kept := s.in
	s.in.Previous, s.in.Target = s.in.Target, rel
	in := s.input()
	s.in = kept
	return in
}

// On an empty account the road makes everything, needs before what needs it.
func TestRoadOfAFirstDeployment(t *testing.T) {
	s := newShop(memory.Options{})
	if err := s.platform.Manual("setup").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil); err != nil {
		t.Fatal(err)
	}
	s.in.Target = render(t, base(t), "v1")
	in := s.input()
	steps := Road(in)
	at := map[manifest.Ref]int{}
	for i, step := range steps {
		if _, ok := at[step.Ref]; !ok {
			at[step.Ref] = i
		}
	}
	for _, res := range s.in.Target.Resources {
		first, ok := at[res.Ref]
		if !ok && !foreignKind(res.Ref.Kind) {
			t.Errorf("%s is never made", res.Ref)
		}
		for _, need := range res.Refs {
			if n, made := at[need]; made && n > first {
				t.Errorf("%s is made before %s", res.Ref, need)
			}
		}
	}
	if len(in.Applied) != 0 || len(s.input().Inventory.Live[ref("Queue/orders")].Spec.Fields) != 0 {
		t.Error("looking ahead changed something")
	}
}

// Where nothing is to be done the road is empty; what cannot arrive ends.
func TestRoadEnds(t *testing.T) {
	s := started(t)
	if steps := Road(s.input()); len(steps) != 0 {
		t.Errorf("in force, yet %v", steps)
	}
	s.failing[ref("Queue/orders")] = true
	in := s.withTarget(variants(t)[2])
	f := Foresee(in)
	if len(f.Waits) == 0 {
		t.Error("nothing is said to be in the way")
	}
	for _, step := range f.Steps {
		if step.Ref == ref("Queue/orders") {
			t.Error("a step about what could not be seen")
		}
	}
}

func TestApplyLeavesItsInputAlone(t *testing.T) {
	s := started(t)
	in := s.input()
	step := Step{Ref: ref("Queue/orders"), Operation: Delete}
	out := Apply(in, step)
	if !in.Inventory.Live[step.Ref].Exists || out.Inventory.Live[step.Ref].Exists {
		t.Error("applied to the wrong one")
	}
}

// A change of role cannot be weighted, and the plan says so.
func TestRoleChangesAreBlind(t *testing.T) {
	s := started(t)
	files := base(t)
	files["mailer.yaml"] = replaced(t, files["mailer.yaml"], "role/mailer", "role/other")
	in := s.withTarget(render(t, files, "v2"))
	if why := Blind(in); why != "role changes of Function/mailer" {
		t.Errorf("blind: %q", why)
	}
	if why := Blind(s.withTarget(variants(t)[1])); why != "" {
		t.Errorf("a code change is blind: %q", why)
	}
	in.Applied = nil // nobody remembers: as it lives
	if why := Blind(in); why != "role changes of Function/mailer" {
		t.Errorf("without a journal it is blind: %q", why)
	}
	live := in.Inventory.Live[ref("Function/mailer")]
	live.Spec.Fields, live.Unseen = maps.Clone(live.Spec.Fields), map[string]string{"role": "not looked at yet"}
	delete(live.Spec.Fields, "role")
	in.Inventory.Live = maps.Clone(in.Inventory.Live)
	in.Inventory.Live[ref("Function/mailer")] = live
	if why := Blind(in); why != "" {
		t.Errorf("what is not seen is blind: %q", why)
	}
	in = s.withTarget(variants(t)[1])
	if in.Applied = nil; Blind(in) != "" {
		t.Errorf("without a journal a code change is blind: %q", Blind(in))
	}
}

// An alias somebody repointed is drift, and no reason to roll out.
func TestChanging(t *testing.T) {
	s := started(t)
	if got := Changing(s.input()); len(got) != 0 {
		t.Errorf("nothing changed: %v", got)
	}
	got := Changing(s.withTarget(variants(t)[1]))
	want := rollout.Function{Ref: ref("Function/mailer"), Alias: ref("Alias/mailer.live"), Stable: "1"}
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// How long a call may run is the most that either version's configuration lets it, as far
// as either is known; nothing where all is told in time.
func TestChangingKnowsHowLongCallsRun(t *testing.T) {
	s, fn := started(t), ref("Function/mailer")
	for _, c := range []struct {
		name, declared, applied, live string
		before, want                  time.Duration
	}{
		{"short", "30", "3", "30", 0, 0},
		{"the new one", "300", "3", "3", 0, 5 * time.Minute},
		{"the one in force", "3", "900", "3", 0, 15 * time.Minute},
		{"as it stands", "3", "", "60", 0, time.Minute},
		{"of the rollout that is overtaken", "3", "3", "3", 2 * time.Minute, 2 * time.Minute},
	} {
		in := s.withTarget(variants(t)[1])
		in.Specs, in.Applied, in.Inventory.Live = maps.Clone(in.Specs), maps.Clone(in.Applied), maps.Clone(in.Inventory.Live)
		spec, fact, live := in.Specs[fn], in.Applied[fn], in.Inventory.Live[fn]
		for _, f := range []struct {
			fields *map[string]string
			value  string
		}{{&spec.Fields, c.declared}, {&fact.Fields, c.applied}, {&live.Spec.Fields, c.live}} {
			*f.fields = maps.Clone(*f.fields)
			(*f.fields)["timeout"] = f.value
		}
		in.Specs[fn], in.Applied[fn], in.Inventory.Live[fn] = spec, fact, live
		if c.before > 0 {
			in.Rollout = rollout.State{Phase: rollout.Shift, Functions: []rollout.Function{{Ref: fn, Longest: c.before}}}
		}
		got := Changing(in)
		if i := slices.IndexFunc(got, func(f rollout.Function) bool { return f.Ref == fn }); i < 0 || got[i].Longest != c.want {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
	}
}

// Parked steps are told apart by what they would write, not by when.
func TestInputOfAStep(t *testing.T) {
	s := started(t)
	s.target(variants(t)[1])
	step := Make(s.input()).Steps[0]
	again := step
	again.Change.Guard = "another"
	if step.Input() != again.Input() {
		t.Error("the guard is part of what failed for good")
	}
	again.Fields = append([]Field{}, step.Fields...)
	again.Fields[0].After = `"sha256:else"`
	if step.Input() == again.Input() {
		t.Error("another value is the same input")
	}
}

// What an abandoned release wrote and nobody saw in place is taken back, not
// taken for somebody's drift.
func TestLeftBehindIsNotDrift(t *testing.T) {
	s := started(t)
	name := s.name(ref("Queue/orders"))
	if err := s.platform.Manual("us").Set(name, "visibilityTimeout", "90"); err != nil {
		t.Fatal(err)
	}
	files := base(t)
	files["mailer.yaml"] = replaced(t, files["mailer.yaml"], "sha256:22", "sha256:33")
	s.target(render(t, files, "v3"))
	p := Make(s.input())
	if len(p.Items) != 1 {
		t.Fatalf("without an intent of ours it is drift:\n%s", show(p))
	}
	s.in.Wrote[ref("Queue/orders")] = "sha256:an-abandoned-release"
	s.in.Rollout.Phase = rollout.Contract
	p = Make(s.input())
	if len(p.Items) != 0 || !slices.ContainsFunc(p.Steps, func(st Step) bool { return st.Ref == ref("Queue/orders") && st.Cause == Commit }) {
		t.Errorf("what we wrote ourselves is told as drift:\n%s", show(p))
	}
	s.in.Applied[ref("Queue/orders")] = record.Fact{Ref: ref("Queue/orders"), Release: "sha256:an-abandoned-release", Fields: s.in.Applied[ref("Queue/orders")].Fields}
	if p = Make(s.input()); len(p.Items) != 1 {
		t.Errorf("a fact followed, so nothing was left behind:\n%s", show(p))
	}
}

// Whoever judges a release sees the deletions that will need approval, and
// that they will; what is held now hides nothing.
func TestRoadShowsWhatNeedsApproval(t *testing.T) {
	s := started(t)
	files := base(t)
	delete(files, "checkout.yaml")
	delete(files, "queues.yaml")
	in := s.withTarget(render(t, files, "v2"))
	in.Inventory.Orphans = orphans(s, in.Target)
	in.Holds = []record.Hold{{Owner: "ann", Reason: "freeze"}}
	f := Foresee(in)
	deleted := 0
	for _, step := range f.Steps {
		if step.Operation == Delete {
			deleted++
		}
	}
	if deleted != 4 { // the function, its role and two queues
		t.Errorf("foreseen %d deletions: %+v", deleted, f.Steps)
	}
	if len(f.Holds) != 1 || f.Holds[0].Kind != "deletion_guard" {
		t.Errorf("predicted holds: %+v", f.Holds)
	}
}

// orphans is what a survey for another release finds beside it.
func orphans(s *shop, rel *manifest.Release) map[manifest.Ref]providers.Live {
	inv, err := s.provider.Survey(context.Background(), rel.Resources)
	if err != nil {
		return nil
	}
	return inv.Orphans
}

// A child that was still asked for by name is detached like any other,
// wherever the look put it.
func TestChildrenAskedForByNameAreDetached(t *testing.T) {
	child := ref("Permission/checkout.partner")
	for _, place := range []string{"live", "orphans"} {
		s := started(t)
		old := s.input().Inventory.Live[child]
		s.target(variants(t)[0])
		files := base(t)
		files["checkout.yaml"] = replaced(t, files["checkout.yaml"], `  permissions:
    partner: {principal: "222222222222", action: "lambda:InvokeFunction"}
`, "")
		s.target(render(t, files, "v2"))
		s.in.Rollout.Phase = rollout.Contract
		in := s.input()
		in.Surveys, in.Inventory.Extras = 2, nil
		if place == "live" {
			in.Inventory.Live[child] = old
		} else {
			in.Inventory.Orphans = map[manifest.Ref]providers.Live{child: old}
		}
		p := Make(in)
		if len(p.Steps) != 1 || p.Steps[0].Operation != Detach || p.Steps[0].Ref != child || p.Steps[0].Extra.Guard != old.Guard {
			t.Errorf("%s:\n%s", place, show(p))
		}
	}
}
