package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// removal is one thing that is no longer declared and still lives.
type removal struct {
	ref    manifest.Ref
	live   providers.Live
	extra  *providers.Extra // how it goes when it is a child; nil: by Delete
	parent manifest.Ref
}

// removals takes away what releases before declared: children by detaching
// them from their parents, the others by deleting what carries our tags.
// Every condition of a deletion is checked here: removed by an admitted
// release, owned, two complete listings, the guard on their share.
func (w *world) removals() {
	left := w.leftovers()
	if len(left) == 0 {
		return
	}
	if upto, works := reach(w.phase()); !works || upto < narrows {
		for _, r := range left {
			w.wait(r.ref, "phase", "it is removed after the last stage has held")
		}
		return
	}
	if w.in.Surveys < 2 || !w.absence {
		w.unready = true
		for _, r := range left {
			w.wait(r.ref, "listing", "removal needs two complete listings in a row")
		}
		return
	}
	guarded, all := w.deletionGuard(left), w.leaving(left)
	for _, r := range left {
		w.remove(r, all, guarded)
	}
}

// leftovers lists what is no longer declared and known to live, sorted, and
// records what is gone.
func (w *world) leftovers() []removal {
	extras := map[manifest.Ref]*providers.Extra{}
	for i := range w.in.Inventory.Extras {
		extras[w.in.Inventory.Extras[i].Ref] = &w.in.Inventory.Extras[i]
	}
	var left []removal
	for _, ref := range w.undeclared() {
		if w.in.Inventory.Errors[ref] != nil {
			w.unready = true
			w.wait(ref, "unknown", "the question about it failed")
			continue
		}
		r := removal{ref: ref, parent: parentOf(ref)}
		live, listed := w.in.Inventory.Live[ref]
		orphan, orphaned := w.in.Inventory.Orphans[ref]
		switch e := extras[ref]; {
		case e != nil:
			r.extra, r.parent, r.live = e, e.Parent, providers.Live{Exists: true, Guard: e.Guard}
		case orphaned && orphan.Exists:
			r.live = orphan
		case listed && live.Exists:
			r.live = live
		default:
			w.gone(ref)
			continue
		}
		if r.extra == nil && !standsAlone(ref) {
			// It was asked for by name, so no survey calls it an extra.
			r.extra = &providers.Extra{Ref: ref, Parent: r.parent, Spec: r.live.Spec, Guard: r.live.Guard, SeenAt: r.live.SeenAt}
		}
		switch {
		case kept(r) && !w.wasBound(ref):
			if w.letGo(ref) {
				w.wait(ref, "retained", "it is not declared any more, and stays: it was never declared with deletionPolicy: Delete")
			}
		case foreignKind(ref.Kind) || w.wasBound(ref):
			w.letGo(ref) // where it is
		default:
			left = append(left, r)
		}
	}
	return left
}

// kept is true for what stays where it is when its manifest goes.
func kept(r removal) bool {
	return traitsOf(r.ref.Kind).kept && r.live.Spec.Fields[pathDeletion] != `"Delete"`
}

// wasBound is true for what was declared only to be checked.
func (w *world) wasBound(ref manifest.Ref) bool {
	res, ok := w.before(ref)
	return ok && res.Bound()
}

// undeclared are the refs that releases before declared or wrote and orphans
// with our tags, sorted, without those the target declares or renames.
func (w *world) undeclared() []manifest.Ref {
	renamed := map[manifest.Ref]bool{}
	for i := range w.in.Target.Resources {
		if res := &w.in.Target.Resources[i]; res.RenamedFrom != "" {
			renamed[manifest.Ref{Kind: res.Ref.Kind, Name: res.RenamedFrom}] = true
		}
	}
	found := map[manifest.Ref]bool{}
	add := func(ref manifest.Ref) {
		if _, ok := w.index[ref]; !ok && !renamed[ref] {
			found[ref] = true
		}
	}
	for ref, f := range w.in.Applied {
		if !f.Gone {
			add(ref)
		}
	}
	for ref := range w.in.Wrote {
		add(ref)
	}
	for ref, live := range w.in.Inventory.Orphans {
		if w.owns(live.Owner) && live.Owner.Resource == ref.String() {
			add(ref)
		}
	}
	refs := make([]manifest.Ref, 0, len(found))
	for ref := range found {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, manifest.Ref.Compare)
	return refs
}

// gone records that what a release removed was seen to be absent.
func (w *world) gone(ref manifest.Ref) {
	if w.absence || foreignKind(ref.Kind) || w.wasBound(ref) {
		w.letGo(ref)
	}
}

// letGo records that ref is no concern any more; false when it was none.
func (w *world) letGo(ref manifest.Ref) bool {
	_, wrote := w.in.Wrote[ref]
	if f, ok := w.in.Applied[ref]; !wrote && (!ok || f.Gone) {
		return false
	}
	w.plan.Facts = append(w.plan.Facts, record.Fact{Ref: ref, Gone: true, Release: w.in.Target.Digest, At: w.in.Now})
	return true
}

// remove proposes one removal, unless something that needs it still lives.
func (w *world) remove(r removal, left *leaving, guarded string) {
	cause := Prune
	if w.goingBack() {
		cause = Rollback
	}
	if parent, ok := w.parent(r, left); ok {
		if parent == nil {
			return // it goes with its parent
		}
		if _, stays := w.declared(r.parent); !stays && guarded != "" {
			// Its function stays until somebody approves, and works until then.
			w.wait(r.ref, "hold", guarded)
			w.unready = w.unready || w.phase() != rollout.Back
			return
		}
		w.unready = true
		if r.live.Settling {
			w.wait(r.ref, "settling", "a change is still taking hold")
			return
		}
		w.detach(parent, *r.extra, cause, nil)
		return
	}
	if guarded == "" || w.phase() != rollout.Back {
		w.unready = true
	}
	if after := left.needers(r); len(after) > 0 {
		w.wait(r.ref, "dependency", "what needs it goes first", after...)
		return
	}
	switch {
	case !w.owns(r.live.Owner) || r.live.Owner.Resource != r.ref.String():
		w.wait(r.ref, "hold", "its tags do not say that it is this environment's: it stays")
		return
	case r.live.Settling:
		w.wait(r.ref, "settling", "a change is still taking hold")
		return
	case guarded != "":
		w.wait(r.ref, "hold", guarded)
		return
	}
	w.deleteStep(r, cause)
}

func (w *world) deleteStep(r removal, cause Cause) {
	res := w.shape(r)
	s := &Step{
		Ref: r.ref, Operation: Delete, Cause: cause,
		Change: providers.Change{Resource: res, Guard: r.live.Guard, Release: w.in.Target.Digest},
	}
	if statefulKind(res) {
		s.Risk = append(s.Risk, "stateful")
	}
	if r.ref.Kind == manifest.KindRole {
		s.Risk = append(s.Risk, "iam")
	}
	w.propose(&look{res: &manifest.Resource{Ref: r.ref}, live: r.live}, s)
}

// parent gives the resource a child is detached from; ok is false for what
// stands alone; nil: the child goes with its parent by itself.
func (w *world) parent(r removal, left *leaving) (*manifest.Resource, bool) {
	if r.extra == nil {
		return nil, false
	}
	if res, ok := w.declared(r.parent); ok {
		return res, true
	}
	if !outlives(r.ref.Kind) {
		return nil, true
	}
	if p, ok := left.removal(r.parent); ok {
		res := w.shape(p) // it goes first
		return &res, true
	}
	return nil, true
}

// shape is what a removed resource looked like when it was declared; without
// the release before, the name it lives by is all that is known.
func (w *world) shape(r removal) manifest.Resource {
	if res, ok := w.before(r.ref); ok {
		return *res
	}
	return manifest.Resource{Ref: r.ref, Physical: r.live.Attributes["name"]}
}

// removalRank orders removals by kind: what refers before what is referred to.
func removalRank(kind string) int { return traitsOf(kind).rank }

// deletionGuard says why deletions hold for approval; "" when they may go.
func (w *world) deletionGuard(left []removal) string {
	var refs []manifest.Ref
	stateful := ""
	for _, r := range left {
		if r.extra != nil || !standsAlone(r.ref) {
			continue
		}
		if res := w.shape(r); statefulKind(res) && stateful == "" {
			stateful = r.ref.String() + " holds what cannot be made again"
		}
		if !w.isChild(r.ref) {
			refs = append(refs, r.ref)
		}
	}
	total, limit := w.manifests(refs), w.in.Environment.Deletions
	if limit <= 0 {
		limit = 1.0 / 3
	}
	why := stateful
	switch share := float64(len(refs)); {
	case len(w.in.Target.Resources) == 0:
		why = "the release declares nothing at all: an empty branch deletes nothing"
	case w.in.Approved || len(refs) == 0 && stateful == "":
		return ""
	case total >= 3 && share > limit*float64(total):
		why = fmt.Sprintf("the release removes %d of %d manifests", len(refs), total)
	}
	if why == "" {
		return ""
	}
	w.holdDeletions(refs, why)
	return "deletion needs approval: " + why
}

func (w *world) holdDeletions(refs []manifest.Ref, why string) {
	if len(refs) == 0 {
		return
	}
	names := make([]string, 0, 5)
	for _, ref := range refs[:min(len(refs), 5)] {
		names = append(names, ref.String())
	}
	if len(refs) > 5 {
		names = append(names, fmt.Sprintf("and %d more", len(refs)-5))
	}
	w.plan.Holds = append(w.plan.Holds, record.Hold{
		ID:    "deletion_guard-" + itemID(manifest.Ref{}, w.in.Target.Digest, "deletion_guard"),
		Scope: record.HoldScope{Ref: refs[0]}, Owner: "mooring", Kind: "deletion_guard", Since: w.in.Now,
		Reason: why + ": " + strings.Join(names, ", "), About: w.in.Target.Digest,
	})
}

// manifests counts what the environment consisted of before the removals.
func (w *world) manifests(removed []manifest.Ref) int {
	count := 0
	if w.in.Previous != nil {
		for i := range w.in.Previous.Resources {
			if !w.isChild(w.in.Previous.Resources[i].Ref) {
				count++
			}
		}
		return max(count, len(removed))
	}
	for i := range w.in.Target.Resources {
		if !w.isChild(w.in.Target.Resources[i].Ref) {
			count++
		}
	}
	return count + len(removed)
}

// isChild is true for what a Function or Workflow manifest expands into.
func (w *world) isChild(ref manifest.Ref) bool {
	if !standsAlone(ref) {
		return true
	}
	if res, ok := w.declared(ref); ok {
		return res.Parent != (manifest.Ref{})
	}
	if res, ok := w.before(ref); ok {
		return res.Parent != (manifest.Ref{})
	}
	if ref.Kind != manifest.KindRole {
		return false
	}
	name, _, _ := strings.Cut(ref.Name, ".") // of a schedule's role, the function's
	for _, kind := range []string{manifest.KindFunction, manifest.KindWorkflow} {
		if _, applied := w.in.Applied[manifest.Ref{Kind: kind, Name: name}]; applied {
			return true
		}
	}
	return false
}

// outlives is true for what is on a function and stays when that goes: an event
// source mapping, and what its bucket is told to tell it.
func outlives(kind string) bool {
	return kind == manifest.KindTrigger || kind == manifest.KindNotification
}

// standsAlone is false for kinds that live on a function.
func standsAlone(ref manifest.Ref) bool {
	return tagged(ref.Kind) || foreignKind(ref.Kind)
}

func statefulKind(res manifest.Resource) bool {
	return res.Stateful || res.Ref.Kind == manifest.KindQueue
}

// parentOf is what a child lives on: its name begins with the parent's.
func parentOf(ref manifest.Ref) manifest.Ref {
	if standsAlone(ref) {
		return manifest.Ref{}
	}
	name, _, _ := strings.Cut(ref.Name, ".")
	return manifest.Ref{Kind: cmp.Or(traitsOf(ref.Kind).parent, manifest.KindFunction), Name: name}
}
