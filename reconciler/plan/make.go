package plan

import (
	"slices"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// Make compares and decides. It is a function of its input alone.
func Make(in Input) Plan {
	w := newWorld(in)
	if in.Target != nil {
		w.routes()
		if !w.trafficFirst() {
			w.resources()
			w.extras()
			w.removals()
		}
	}
	w.carry()
	return w.finish()
}

// world is one Make: the input, indexed once, and the plan as it grows.
type world struct {
	in       Input
	plan     Plan
	index    map[manifest.Ref]int               // into Target.Resources
	previous map[manifest.Ref]int               // into Previous.Resources, once asked for
	moving   map[manifest.Ref]*rollout.Function // by alias, while a rollout is under way
	last     map[manifest.Ref]*rollout.Function // by alias, of the last rollout
	rolled   map[manifest.Ref]bool              // the functions of the last rollout
	seen     map[string]bool                    // ids of items found in this look
	// blind are refs whose question failed or that are settling: what was
	// known about them stays as it was.
	blind map[manifest.Ref]bool
	// pending are refs with work of the expand kind not in place yet; what
	// needs them waits.
	pending map[manifest.Ref]bool
	// open are refs with work that this phase must see done; unready is what
	// keeps it from being ready besides.
	open map[manifest.Ref]bool
	// lost are refs somebody deleted, and that the release does not write.
	lost    map[manifest.Ref]bool
	order   map[manifest.Ref]int // of steps
	current look
	expects expectations
	unready bool
	strayed bool // an alias of the rollout is not where it is wanted
	absence bool // absence from the inventory means absent
}

func newWorld(in Input) *world {
	w := &world{
		in:      in,
		seen:    map[string]bool{},
		blind:   map[manifest.Ref]bool{},
		pending: map[manifest.Ref]bool{},
		moving:  map[manifest.Ref]*rollout.Function{},
		last:    map[manifest.Ref]*rollout.Function{},
		rolled:  map[manifest.Ref]bool{},
		order:   map[manifest.Ref]int{},
		open:    map[manifest.Ref]bool{},
		lost:    map[manifest.Ref]bool{},
		absence: in.Inventory.Complete && in.Inventory.Errors[manifest.Ref{}] == nil,
	}
	w.plan.Signal.Versions = map[manifest.Ref]string{}
	for i := range in.Rollout.Functions {
		f := &in.Rollout.Functions[i]
		w.last[f.Alias], w.rolled[f.Ref] = f, true
		if in.Rollout.Phase != rollout.Idle {
			w.moving[f.Alias] = f
		}
	}
	if in.Target == nil {
		return w
	}
	w.index = make(map[manifest.Ref]int, len(in.Target.Resources))
	for i := range in.Target.Resources {
		w.index[in.Target.Resources[i].Ref] = i
	}
	w.expects = expectationsOf(in.Target)
	return w
}

func (w *world) phase() rollout.Phase { return w.in.Rollout.Phase }

// trafficFirst is true while a rollback has traffic to move: nothing else is
// looked at before that.
func (w *world) trafficFirst() bool { return w.phase() == rollout.Back && w.strayed }

func (w *world) resources() {
	for i := range w.in.Target.Resources {
		if res := &w.in.Target.Resources[i]; !w.in.atRest[res.Ref] {
			w.resource(res)
		}
	}
}

// resource handles one declared resource.
func (w *world) resource(res *manifest.Resource) {
	l, ok := w.look(res)
	if !ok {
		return
	}
	switch {
	case !l.live.Exists:
		w.missing(l)
	case l.live.Settling:
		w.blind[res.Ref] = true
		w.unfinished(res.Ref)
		w.wait(res.Ref, "settling", "a change is still taking hold")
	default:
		w.madeAgain(l)
		if !w.ours(l) {
			w.unfinished(res.Ref)
			return
		}
		w.present(l)
	}
}

// look is one declared resource beside what lives and what was applied.
type look struct {
	res     *manifest.Resource
	spec    providers.Spec
	live    providers.Live
	fact    record.Fact
	applied bool // fact is one
	diffs   []diff
}

// look puts the three together; ok is false when a question about the
// resource failed: then nothing is known and nothing may be written.
func (w *world) look(res *manifest.Resource) (*look, bool) {
	if why := w.unknown(res.Ref); why != "" {
		w.blind[res.Ref] = true
		w.unfinished(res.Ref)
		w.wait(res.Ref, "unknown", why)
		return nil, false
	}
	spec, ok := w.in.Specs[res.Ref]
	if !ok {
		w.blind[res.Ref] = true
		w.unfinished(res.Ref)
		w.wait(res.Ref, "unknown", "it has no canonical form in this pass")
		return nil, false
	}
	// One look at a time is all there is, so that a quiet pass over thousands
	// of resources leaves nothing to collect.
	l := &w.current
	*l = look{res: res, spec: spec, live: w.in.Inventory.Live[res.Ref]}
	if traitsOf(res.Ref.Kind).published {
		l.live = carrying(l.live, spec)
	}
	l.fact, l.applied = w.fact(res)
	return l, true
}

// fact is what was applied of a resource, under its former name too.
func (w *world) fact(res *manifest.Resource) (record.Fact, bool) {
	f, ok := w.in.Applied[res.Ref]
	if !ok && res.RenamedFrom != "" {
		f, ok = w.in.Applied[manifest.Ref{Kind: res.Ref.Kind, Name: res.RenamedFrom}]
	}
	if f.Gone {
		return record.Fact{}, false
	}
	return f, ok
}

// unknown says why nothing is known about ref; "" when something is.
// Unknown is not absent: what an incomplete listing lacks is unknown.
func (w *world) unknown(ref manifest.Ref) string {
	if err := w.in.Inventory.Errors[ref]; err != nil {
		return "the question about it failed: " + err.Error()
	}
	if !w.absence && !w.in.Inventory.Live[ref].Exists {
		return "a listing is incomplete, so it may be there"
	}
	return ""
}

// lives is true when ref is known to be there.
func (w *world) lives(ref manifest.Ref) bool {
	return w.in.Inventory.Errors[ref] == nil && w.in.Inventory.Live[ref].Exists
}

func (w *world) wait(ref manifest.Ref, what, why string, refs ...manifest.Ref) {
	w.plan.Waits = append(w.plan.Waits, Wait{Ref: ref, For: what, Why: why, Refs: refs})
}

// unfinished marks ref as not in place: the phase is not ready, and what
// needs ref waits.
func (w *world) unfinished(ref manifest.Ref) {
	w.unready = true
	w.pending[ref] = true
}

// impossible tells the rollout that its release cannot get there. In a
// release in force or going back there is nothing to give up.
func (w *world) impossible(ref manifest.Ref, why string) {
	if w.phase() == rollout.Idle || w.phase() == rollout.Back || w.plan.Signal.Impossible != "" {
		return
	}
	w.plan.Signal.Impossible = ref.String() + ": " + why
}

// finish sorts everything and fills the signal.
func (w *world) finish() Plan {
	p := &w.plan
	p.Signal.Routed = !w.strayed && w.in.Target != nil
	p.Signal.Ready = w.readiness()
	slices.SortFunc(p.Facts, func(a, b record.Fact) int { return a.Ref.Compare(b.Ref) })
	slices.SortFunc(p.Items, func(a, b record.DriftItem) int {
		if c := a.Ref.Compare(b.Ref); c != 0 {
			return c
		}
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	slices.Sort(p.Resolved)
	slices.SortFunc(p.Waits, func(a, b Wait) int {
		if c := a.Ref.Compare(b.Ref); c != 0 {
			return c
		}
		if c := strings.Compare(a.For, b.For); c != 0 {
			return c
		}
		return strings.Compare(a.Why, b.Why)
	})
	slices.SortFunc(p.Steps, w.byOrder)
	slices.SortFunc(p.Holds, func(a, b record.Hold) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(p.Adopt, manifest.Ref.Compare)
	slices.SortFunc(p.Stale, manifest.Ref.Compare)
	return *p
}

// byOrder puts steps in the order of work: what is needed before what needs
// it, in a rollback the other way round, and removals last.
func (w *world) byOrder(a, b Step) int {
	if c := w.order[a.Ref] - w.order[b.Ref]; c != 0 {
		if w.phase() == rollout.Back {
			return -c
		}
		return c
	}
	return a.Ref.Compare(b.Ref)
}

func (w *world) readiness() bool {
	if w.in.Target == nil || w.unready || len(w.open) > 0 {
		return false
	}
	switch w.phase() {
	case rollout.Expand:
		for _, f := range w.in.Rollout.Functions {
			if w.plan.Signal.Versions[f.Ref] == "" {
				return false
			}
		}
		return !w.strayed
	case rollout.Check, rollout.Shift, rollout.Connect, rollout.Contract, rollout.Back:
		return !w.strayed
	}
	return true
}
