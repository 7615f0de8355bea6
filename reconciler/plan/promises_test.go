package plan

import (
	"encoding/json"
	"strconv"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// checkPlan holds a plan against the promises of the package.
func checkPlan(rt judgeable, s *shop, p Plan) {
	in := s.input()
	in.Surveys = s.in.Surveys
	before := dump(rt, in)
	again := Make(in)
	if dump(rt, in) != before {
		rt.Fatalf("Make wrote to its input")
	}
	if dump(rt, p) != dump(rt, again) {
		rt.Fatalf("the same input gave two plans:\n%s\n%s", show(p), show(again))
	}
	steps := map[manifest.Ref]bool{}
	for _, step := range p.Steps {
		if steps[step.Ref] {
			rt.Fatalf("two steps about %s", step.Ref)
		}
		steps[step.Ref] = true
		checkStep(rt, in, step)
	}
	for _, f := range p.Facts {
		checkFact(rt, in, f)
	}
	if in.Rollout.Phase == rollout.Back {
		checkTrafficFirst(rt, in, p)
	}
}

func dump(rt judgeable, v any) string {
	if in, ok := v.(Input); ok {
		in.Inventory.Errors = nil // errors do not marshal
		v = struct {
			Live    map[manifest.Ref]providers.Live
			Applied map[manifest.Ref]record.Fact
			Items   map[string]record.DriftItem
			Wrote   map[manifest.Ref]string
			Rollout rollout.State
			Specs   map[manifest.Ref]providers.Spec
			Extras  []providers.Extra
			Target  []manifest.Resource
		}{in.Inventory.Live, in.Applied, in.Items, in.Wrote, in.Rollout, in.Specs, in.Inventory.Extras, in.Target.Resources}
	}
	text, err := json.Marshal(v)
	if err != nil {
		rt.Fatal(err)
	}
	return string(text)
}

func checkStep(rt judgeable, in Input, s Step) {
	live, exists := alive(in, s)
	back := s.Cause == Rollback
	fail := func(why string) { rt.Fatalf("%s: %+v in phase %q", why, s, in.Rollout.Phase) }
	if exists && s.Change.Guard != live.Guard {
		fail("a step without the guard of what lives")
	}
	if !exists && (s.Operation == Update || s.Operation == Publish || s.Operation == Delete) {
		fail("a step about what does not live")
	}
	if in.Inventory.Errors[s.Ref] != nil {
		fail("a write about a resource whose question failed")
	}
	if !in.Inventory.Complete && !exists {
		fail("absence believed of an incomplete listing")
	}
	if live.Settling {
		fail("a write while a change is settling")
	}
	if in.Observing && !back {
		fail("a write while suspended")
	}
	for _, h := range in.Holds {
		if h.Covers(s.Ref) && h.Active(in.Now) && !back {
			fail("a write under a hold")
		}
	}
	if s.Cause == Drift {
		checkRevert(rt, in, s)
	}
	switch s.Operation {
	case Route:
		checkRoute(rt, in, s)
	case Delete:
		checkDelete(rt, in, s, live)
	case Update:
		if in.Rollout.Phase == rollout.Expand && s.Cause != Drift {
			checkWidening(rt, s)
		}
		if tagged(s.Ref.Kind) && live.Owner != (providers.Owner{}) && live.Owner.Pipeline != in.Pipeline {
			fail("another pipeline's resource written")
		}
	}
}

// alive is what a step is about, as the inventory has it.
func alive(in Input, s Step) (providers.Live, bool) {
	if s.Operation == Detach {
		return providers.Live{Guard: s.Extra.Guard}, true
	}
	if o, ok := in.Inventory.Orphans[s.Ref]; ok {
		return o, true
	}
	l := in.Inventory.Live[s.Ref]
	return l, l.Exists
}

// A revert touches only what drifted and was decided to be put back.
func checkRevert(rt judgeable, in Input, s Step) {
	switch stops := s.Ref.Kind == manifest.KindConcurrency || s.Ref.Kind == manifest.KindTrigger; {
	case in.Rollout.Phase == rollout.Shift && !stops, in.Rollout.Phase == rollout.Back && s.Operation != Create:
		rt.Fatalf("a revert while traffic is divided, or on the way back: %+v", s)
	}
	allowed := map[string]bool{}
	for _, item := range in.Items {
		if item.Ref == s.Ref && item.Response == record.Revert {
			allowed[item.Path] = true
		}
	}
	if len(s.Items) == 0 && s.Operation != Publish { // a version by itself serves nobody
		rt.Fatalf("a revert that names no item: %+v", s)
	}
	for _, f := range s.Fields {
		if s.Operation == Update && !allowed[f.Path] {
			rt.Fatalf("a revert of %s, which nobody decided to put back: %+v", f.Path, s)
		}
	}
}

// No alias is ever routed to what is not published, nor forward before its
// time.
func checkRoute(rt judgeable, in Input, s Step) {
	for _, res := range in.Target.Resources {
		if res.Ref != s.Ref {
			continue
		}
		fn := in.Inventory.Live[res.Parent]
		for _, v := range []string{s.Routing.Version, s.Routing.Canary} {
			if _, ok := fn.Published[v]; v != "" && !ok && fn.Exists && in.Inventory.Errors[res.Parent] == nil {
				rt.Fatalf("routed to version %s, which is not published: %+v", v, s)
			}
		}
	}
	if in.Rollout.Phase == rollout.Expand || in.Rollout.Phase == rollout.Check {
		for _, f := range in.Rollout.Functions {
			if f.Alias == s.Ref && s.Routing != (providers.Routing{Version: f.Stable}) {
				rt.Fatalf("traffic moved before its time: %+v", s)
			}
		}
	}
}

// Deletions need every one of their conditions.
func checkDelete(rt judgeable, in Input, s Step, live providers.Live) {
	_, declared := in.Target.Resource(s.Ref)
	phase := in.Rollout.Phase
	switch {
	case declared:
		rt.Fatalf("deletes what is declared: %+v", s)
	case in.Surveys < 2 || !in.Inventory.Complete:
		rt.Fatalf("deletes without two complete listings: %+v", s)
	case live.Owner.Pipeline != in.Pipeline || live.Owner.Environment != in.Environment.Name || live.Owner.Resource != s.Ref.String():
		rt.Fatalf("deletes what it does not own: %+v", s)
	case phase != rollout.Contract && phase != rollout.Idle && phase != rollout.Back:
		rt.Fatalf("deletes in phase %q: %+v", phase, s)
	case s.Ref.Kind == manifest.KindQueue && !in.Approved:
		rt.Fatalf("deletes what holds state without approval: %+v", s)
	}
}

// Nothing is narrowed before traffic has moved.
func checkWidening(rt judgeable, s Step) {
	if s.Ref.Kind == manifest.KindFunction {
		return
	}
	if len(s.Change.Remove) > 0 {
		rt.Fatalf("takes something away in expand: %+v", s)
	}
	for _, f := range s.Fields {
		old, err1 := strconv.Atoi(f.Before)
		now, err2 := strconv.Atoi(f.After)
		if err1 == nil && err2 == nil && now < old {
			rt.Fatalf("lowers %s in expand: %+v", f.Path, s)
		}
	}
}

// A fact is what was seen: live equals declared in everything that was read.
func checkFact(rt judgeable, in Input, f record.Fact) {
	live := in.Inventory.Live[f.Ref]
	if in.Inventory.Errors[f.Ref] != nil {
		rt.Fatalf("a fact about %s, whose question failed", f.Ref)
	}
	if f.Gone {
		_, orphan := in.Inventory.Orphans[f.Ref]
		if live.Exists || orphan || !in.Inventory.Complete && !foreignKind(f.Ref.Kind) {
			rt.Fatalf("%s is said to be gone", f.Ref)
		}
		return
	}
	if !live.Exists || live.Settling || live.Failed != "" {
		rt.Fatalf("a fact about %s, which is not in place: %+v", f.Ref, live)
	}
	for path, v := range f.Fields {
		if live.Spec.Fields[path] != v {
			rt.Fatalf("a fact about %s, but %s is %s", f.Ref, path, live.Spec.Fields[path])
		}
	}
	if f.Ref.Kind == manifest.KindAlias && live.Routing != (providers.Routing{Version: f.Version}) {
		rt.Fatalf("a fact about %s at version %s, but it points at %+v", f.Ref, f.Version, live.Routing)
	}
	if f.Snapshot != "" {
		if v, ok := live.Published[f.Version]; !ok || v.Snapshot != f.Snapshot {
			rt.Fatalf("a fact about %s at version %q, which does not carry it", f.Ref, f.Version)
		}
	}
}

// In a rollback nothing is done beside traffic while traffic is not back.
func checkTrafficFirst(rt judgeable, in Input, p Plan) {
	away := false
	for _, f := range in.Rollout.Functions {
		live := in.Inventory.Live[f.Alias]
		_, declared := in.Target.Resource(f.Alias)
		_, stands := in.Inventory.Live[f.Ref].Published[f.Stable]
		there := (live.Exists || declared) && (stands || in.Inventory.Errors[f.Ref] != nil)
		away = away || f.Stable != "" && there && live.Routing != providers.Routing{Version: f.Stable}
	}
	for _, s := range p.Steps {
		if away && s.Operation != Route {
			rt.Fatalf("%s before traffic is back: %s", s.Operation, show(p))
		}
		if s.Cause != Rollback && !(s.Cause == Drift && s.Operation == Create) {
			rt.Fatalf("a step of another cause on the way back: %+v", s)
		}
	}
}
