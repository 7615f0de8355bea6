package plan

import (
	"slices"

	"mooring.dev/providers"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// Destruction is what it comes to that an environment shall not be any more.
// Its Plan has the steps that may be made now, the facts that were seen on the
// way, and why the rest of Going waits.
type Destruction struct {
	Plan
	Going []Doomed // still there, in the order in which it goes
	Kept  []Spared // stays for good, sorted
	// Unseen is what could not be looked at: it is not known whether it goes.
	Unseen []manifest.Ref
}

// Doomed is one resource that goes.
type Doomed struct {
	Ref  manifest.Ref
	Name string // physical; "" of what has none of its own
	With manifest.Ref
	// Stateful: it holds what cannot be made again.
	Stateful bool
}

// Spared is one resource that stays.
type Spared struct {
	Ref  manifest.Ref
	Name string // physical; "" of what has none of its own
	Why  string
	// Data: it goes when what holds data was asked for too.
	Data bool
}

// Destroy plans that nothing of an environment stays but what is not its own
// and what holds data: what invokes goes first, and what is used after what uses
// it. in.Previous is everything its releases declare; data says that queues, and
// what was declared with deletionPolicy: Delete, go too. Nothing goes without its
// ownership tags and two complete listings in a row.
func Destroy(in Input, data bool) Destruction {
	in.Target, in.Rollout = &manifest.Release{Digest: in.Previous.Digest}, rollout.State{}
	d := &destruction{world: newWorld(in), data: data, going: map[manifest.Ref]bool{}, hidden: map[manifest.Ref]bool{}, extra: map[manifest.Ref]*providers.Extra{}}
	for i := range in.Inventory.Extras {
		d.extra[in.Inventory.Extras[i].Ref] = &in.Inventory.Extras[i]
	}
	d.sort()
	d.unseen, d.calls = d.leaving(d.blank), slices.ContainsFunc(d.blank, invokes)
	waves := d.waves()
	for _, wave := range waves {
		for _, r := range wave {
			d.out.Going = append(d.out.Going, Doomed{Ref: r.ref, Name: d.shape(r).Physical, With: d.with(r), Stateful: statefulKind(d.shape(r))})
		}
	}
	for i, wave := range waves {
		for _, r := range wave {
			if i > 0 {
				d.wait(r.ref, "dependency", "what invokes or uses it goes first")
				continue
			}
			d.step(r)
		}
	}
	d.out.Plan = d.finish()
	slices.SortFunc(d.out.Kept, func(a, b Spared) int { return a.Ref.Compare(b.Ref) })
	return d.out
}

type destruction struct {
	*world
	data  bool
	left  []removal
	blank []removal             // what could not be looked at
	going map[manifest.Ref]bool // the refs of left that stand alone

	extra  map[manifest.Ref]*providers.Extra // as the survey listed them
	hidden map[manifest.Ref]bool             // the refs of Unseen
	unseen *leaving                          // blank by what it needs
	calls  bool                              // something of blank may invoke
	out    Destruction
}

// candidates are all refs that were declared, written or carry our tags, sorted.
func (d *destruction) candidates() []manifest.Ref {
	found := map[manifest.Ref]bool{}
	for _, ref := range d.undeclared() {
		found[ref] = true
	}
	for i := range d.in.Previous.Resources {
		found[d.in.Previous.Resources[i].Ref] = true
	}
	refs := make([]manifest.Ref, 0, len(found))
	for ref := range found {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, manifest.Ref.Compare)
	return refs
}

// sort tells what goes from what stays: first what stands alone, then what is
// on it.
func (d *destruction) sort() {
	var children []removal
	for _, ref := range d.candidates() {
		r, lives := d.found(ref)
		switch {
		case !lives:
		case !standsAlone(ref):
			children = append(children, r)
		default:
			d.alone(r)
		}
	}
	for _, r := range children {
		d.child(r)
	}
}

// found is a resource as it lives; false for what does not, or is not known to.
func (d *destruction) found(ref manifest.Ref) (removal, bool) {
	r := removal{ref: ref, parent: parentOf(ref), live: d.liveOf(ref)}
	if res, known := d.before(ref); known && !standsAlone(ref) && res.Parent != (manifest.Ref{}) {
		r.parent = res.Parent
	}
	if e := d.extra[ref]; e != nil {
		r.extra, r.parent, r.live = e, e.Parent, providers.Live{Exists: true, Spec: e.Spec, Guard: e.Guard}
	}
	switch {
	case d.unknown(ref) != "":
		if !foreignKind(ref.Kind) && !d.wasBound(ref) {
			d.hide(ref)
			d.blank = append(d.blank, r)
			d.wait(ref, "unknown", d.unknown(ref))
		}
		return r, false
	case !r.live.Exists:
		d.gone(ref)
		return r, false
	}
	if r.extra == nil && !standsAlone(ref) {
		r.extra = &providers.Extra{Ref: ref, Parent: r.parent, Spec: r.live.Spec, Guard: r.live.Guard, SeenAt: r.live.SeenAt}
	}
	return r, true
}

// liveOf is what lives of ref, declared or not.
func (d *destruction) liveOf(ref manifest.Ref) providers.Live {
	if orphan, ok := d.in.Inventory.Orphans[ref]; ok {
		return orphan
	}
	return d.in.Inventory.Live[ref]
}

// alone decides about what stands alone.
func (d *destruction) alone(r removal) {
	switch {
	case foreignKind(r.ref.Kind) || d.wasBound(r.ref):
		d.keep(r, "it was only checked, and never made", false)
	case !d.owns(r.live.Owner) || r.live.Owner.Resource != r.ref.String():
		d.keep(r, "its tags do not say that it is this environment's", false)
	case kept(r):
		d.keep(r, "it holds data, and was never declared with deletionPolicy: Delete", false)
	case statefulKind(d.shape(r)) && !d.data:
		d.keep(r, "it holds what cannot be made again", true)
	default:
		d.left, d.going[r.ref] = append(d.left, r), true
	}
}

// child decides about what is on something else. What is on something that stays
// is taken off it.
func (d *destruction) child(r removal) {
	parent := d.liveOf(r.parent)
	switch {
	case d.hidden[r.parent]:
		d.hide(r.ref)
		d.wait(r.ref, "unknown", r.parent.String()+" could not be looked at")
		return
	case d.going[r.parent]:
	case !parent.Exists && !outlives(r.ref.Kind):
		return // it went with it, whatever the last look says
	case !parent.Exists:
		d.keep(r, r.parent.String()+" is gone, so that it calls nothing: remove it by hand", false)
		return
	case !d.owns(parent.Owner):
		d.keep(r, "it is on "+r.parent.String()+", which is not this environment's: take it off by hand", false)
		return
	}
	d.left = append(d.left, r)
}

// hide notes that nothing is known about ref.
func (d *destruction) hide(ref manifest.Ref) {
	d.out.Unseen, d.hidden[ref] = append(d.out.Unseen, ref), true
}

func (d *destruction) keep(r removal, why string, data bool) {
	d.out.Kept = append(d.out.Kept, Spared{Ref: r.ref, Name: d.shape(r).Physical, Why: why, Data: data})
}

// with is the resource that a removal goes with by itself; zero: it is removed.
func (d *destruction) with(r removal) manifest.Ref {
	if r.extra != nil && d.going[r.parent] && !outlives(r.ref.Kind) {
		return r.parent
	}
	return manifest.Ref{}
}

// needed: what could not be looked at may invoke it, or use it.
func (d *destruction) needed(r removal) bool {
	return !invokes(r) && (d.calls || d.unseen.needed(r))
}

func invokes(r removal) bool { return removalRank(r.ref.Kind) == rankSource }

// step proposes one removal, if it may be made now.
func (d *destruction) step(r removal) {
	switch {
	case d.with(r) != (manifest.Ref{}):
	case d.in.Surveys < 2 || !d.absence:
		d.wait(r.ref, "listing", "removal needs two complete listings in a row")
	case d.needed(r):
		d.wait(r.ref, "unknown", "what may invoke or use it could not be looked at")
	case r.live.Settling:
		d.wait(r.ref, "settling", "a change is still taking hold")
	case r.extra != nil:
		parent := d.shape(removal{ref: r.parent, live: d.liveOf(r.parent)})
		d.detach(&parent, *r.extra, Destroyed, nil)
	default:
		d.deleteStep(r, Destroyed)
	}
}

// Over says whether nothing is left to do: all that goes is seen to be gone.
func (d Destruction) Over() bool { return len(d.Going) == 0 && len(d.Unseen) == 0 }
