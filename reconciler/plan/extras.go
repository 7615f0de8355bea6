package plan

import (
	"encoding/json"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// extras handles things on owned parents that nobody declares. One that a
// release of ours made is a removal; the others are drift.
func (w *world) extras() {
	for i := range w.in.Inventory.Extras {
		e := &w.in.Inventory.Extras[i]
		if _, ok := w.declared(e.Ref); ok || w.once(e.Ref) {
			continue
		}
		parent, ok := w.declared(e.Parent)
		if !ok {
			continue // it goes with its parent
		}
		if w.in.Inventory.Errors[e.Ref] != nil || w.in.Inventory.Errors[e.Parent] != nil {
			continue
		}
		w.extra(parent, e)
	}
}

// once is true for what a release of ours declared and wrote.
func (w *world) once(ref manifest.Ref) bool {
	if f, ok := w.in.Applied[ref]; ok && !f.Gone {
		return true
	}
	return w.in.Wrote[ref] != ""
}

func (w *world) extra(parent *manifest.Resource, e *providers.Extra) {
	item := w.report(found{
		drifted: drifted{ref: e.Ref, diff: diff{inL: true, l: contents(e.Spec)}, whole: true, open: e.Open, parent: e.Parent},
		kind:    record.Extra, at: e.SeenAt,
	})
	if !w.putsBack(item) {
		return
	}
	w.detach(parent, *e, Drift, []string{item.ID})
}

// contents is an extra's fields as canonical JSON, secrets as tokens.
func contents(spec providers.Spec) string {
	if len(spec.Fields) == 0 {
		return ""
	}
	fields := make(map[string]json.RawMessage, len(spec.Fields))
	for path, value := range spec.Fields {
		fields[path] = json.RawMessage(value)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return "" // a provider's field that is no JSON is not shown
	}
	return string(text)
}

// detach proposes to take a thing off an owned parent.
func (w *world) detach(parent *manifest.Resource, e providers.Extra, cause Cause, items []string) {
	live := w.in.Inventory.Live[e.Parent]
	if orphan, ok := w.in.Inventory.Orphans[e.Parent]; ok {
		live = orphan
	}
	switch {
	case w.proposed(e.Ref):
		return
	case live.Settling:
		w.wait(e.Ref, "settling", "its parent is still changing")
		return
	case !live.Exists || tagged(e.Parent.Kind) && !w.watches(live.Owner):
		w.wait(e.Ref, "hold", "its parent is not owned by this environment")
		return
	case w.held(e.Parent) && cause != Rollback:
		return
	}
	s := &Step{
		Ref: e.Ref, Operation: Detach, Cause: cause, Extra: e, Items: items,
		Change: providers.Change{Resource: *parent, Bindings: w.bindings(parent), Guard: e.Guard, Release: w.in.Target.Digest},
	}
	s.Risk = risks(&look{res: &manifest.Resource{Ref: e.Ref}}, Detach, nil)
	l := &look{res: &manifest.Resource{Ref: e.Ref}, live: live}
	w.propose(l, s)
}
