package plan

import (
	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// ours checks ownership of what lives before anything is written to it.
// Another pipeline's resource is never touched; an untagged one is taken over
// when the manifest or an approval says so.
func (w *world) ours(l *look) bool {
	if !tagged(l.res.Ref.Kind) || foreign(l.res) {
		return true // nothing is written to it, or its parent's owner counts
	}
	owner := l.live.Owner
	switch {
	case owner == (providers.Owner{}):
		if w.adopts(l) {
			return true
		}
		w.holdAdoption(l.res.Ref)
		return false
	case !w.owns(owner):
		why := "it belongs to " + owner.Pipeline + "/" + owner.Environment
		w.wait(l.res.Ref, "hold", why+": another pipeline's resource is never touched")
		w.impossible(l.res.Ref, why)
		return false
	}
	return true
}

// Elsewhere are resources of in.Target that live as another environment's, with
// whose they are. Another environment may be one of this pipeline.
func Elsewhere(in Input) map[manifest.Ref]providers.Owner {
	if in.Target == nil {
		return nil
	}
	w, out := &world{in: in}, map[manifest.Ref]providers.Owner{}
	for i := range in.Target.Resources {
		res := &in.Target.Resources[i]
		owner := in.Inventory.Live[res.Ref].Owner
		if tagged(res.Ref.Kind) && !foreign(res) && owner != (providers.Owner{}) && !w.owns(owner) {
			out[res.Ref] = owner
		}
	}
	return out
}

func (w *world) owns(o providers.Owner) bool {
	return o.Pipeline == w.in.Pipeline && o.Environment == w.in.Environment.Name
}

// watches: extras on what is owned so are told.
func (w *world) watches(o providers.Owner) bool {
	return w.owns(o) || w.in.Unowned && o == (providers.Owner{})
}

// adopts is true for an untagged resource that may be taken over.
func (w *world) adopts(l *look) bool {
	return tagged(l.res.Ref.Kind) && !foreign(l.res) && l.live.Exists && l.live.Owner == (providers.Owner{}) && (l.res.Adopt || w.in.Approved)
}

func (w *world) holdAdoption(ref manifest.Ref) {
	w.wait(ref, "hold", "it lives already and nobody owns it: approve taking it over, or say adopt: true")
	w.plan.Holds = append(w.plan.Holds, record.Hold{
		ID: "adoption-" + itemID(ref, w.in.Target.Digest, "adoption"), Scope: record.HoldScope{Ref: ref},
		Owner: "mooring", Kind: "adoption", Since: w.in.Now, About: w.in.Target.Digest,
		Reason: ref.String() + " lives already without an owner: taking it over needs approval, or adopt: true",
	})
}

// adopt tags what is as declared but not ours yet.
func (w *world) adopt(l *look) bool {
	if !w.adopts(l) {
		return false
	}
	if w.propose(l, w.step(l, Update, w.cause(byCommit), nil)) != nil {
		w.plan.Adopt = append(w.plan.Adopt, l.res.Ref)
	}
	return true
}

// before finds a resource of the release before.
func (w *world) before(ref manifest.Ref) (*manifest.Resource, bool) {
	if w.in.Previous == nil {
		return nil, false
	}
	if w.previous == nil {
		w.previous = make(map[manifest.Ref]int, len(w.in.Previous.Resources))
		for i := range w.in.Previous.Resources {
			w.previous[w.in.Previous.Resources[i].Ref] = i
		}
	}
	i, ok := w.previous[ref]
	if !ok {
		return nil, false
	}
	return &w.in.Previous.Resources[i], true
}
