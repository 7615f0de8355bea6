package plan

import (
	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// alias handles the alias's own fields, and its routing when no rollout moves
// it.
func (w *world) alias(l *look, items []record.DriftItem) {
	if _, moved := w.moving[l.res.Ref]; moved {
		w.movingAlias(l, items)
		return
	}
	want, known := w.resting(l)
	if !known || l.live.Routing == want {
		if len(l.diffs) == 0 {
			if known {
				w.settled(l, want.Version)
			}
			return
		}
		w.update(l, items)
		return
	}
	w.misrouted(l, want)
	if len(l.diffs) > 0 && !w.proposed(l.res.Ref) {
		w.update(l, items)
	}
}

// movingAlias: the rollout owns the routing.
func (w *world) movingAlias(l *look, items []record.DriftItem) {
	f := *w.moving[l.res.Ref]
	want := w.standing(f, w.in.Rollout.Wanted(f))
	inPlace := want != (providers.Routing{}) && l.live.Routing == want
	if !inPlace && w.foreign(f, l.live.Routing) {
		w.reportRouting(l, want)
	}
	if len(l.diffs) > 0 {
		if !w.proposed(l.res.Ref) {
			w.update(l, items)
		}
		return
	}
	switch w.phase() {
	case rollout.Connect, rollout.Contract, rollout.Back:
		if inPlace {
			w.settled(l, want.Version)
		}
	}
}

// resting is where an alias belongs that no rollout moves: where the last
// rollout left it, or was last seen in place, or, new, the version that
// carries what is declared.
func (w *world) resting(l *look) (providers.Routing, bool) {
	fn := w.in.Inventory.Live[l.res.Parent]
	unseen := w.unknown(l.res.Parent) != ""
	stands := func(r providers.Routing) bool {
		_, ok := fn.Published[r.Version]
		return r.Version != "" && (unseen || ok)
	}
	if f := w.last[l.res.Ref]; f != nil && w.phase() == rollout.Idle {
		if want := w.in.Rollout.Wanted(*f); stands(want) {
			return want, true
		}
	}
	if want := (providers.Routing{Version: l.fact.Version}); l.applied && stands(want) {
		return want, true
	}
	// It is new, or the version it had is gone with the function it was of.
	v, ok := Carrier(fn, w.in.Specs[l.res.Parent])
	if unseen || !ok || !v.Ready {
		return providers.Routing{}, false
	}
	return providers.Routing{Version: v.Number}, true
}

// misrouted is an alias nobody of ours moved.
func (w *world) misrouted(l *look, want providers.Routing) {
	if !l.applied && w.phase() != rollout.Idle {
		// An alias this release adds, that lives already and points elsewhere.
		w.unready = true
		w.createAlias(l, want, w.cause(byCommit), nil)
		return
	}
	var ids []string
	for _, item := range w.reportRouting(l, want) {
		if w.putsBack(item) {
			ids = append(ids, item.ID)
		}
	}
	if len(ids) > 0 {
		w.createAlias(l, want, Drift, ids)
	}
}

// reportRouting reports who moved an alias, member by member.
func (w *world) reportRouting(l *look, want providers.Routing) []record.DriftItem {
	var items []record.DriftItem
	for _, d := range routingDiffs(l.res.Ref.Kind, l.live.Routing, want) {
		items = append(items, w.report(found{
			drifted: drifted{ref: l.res.Ref, diff: d, note: l.live.Note}, kind: d.kind(), at: l.live.SeenAt, res: l.res,
		}))
	}
	return items
}

// missingAlias makes an alias that no rollout moves: one that was deleted by
// hand, or one that the release adds to a function it does not change.
func (w *world) missingAlias(l *look, item record.DriftItem) {
	if _, moved := w.moving[l.res.Ref]; moved {
		return // routes() makes it with the version it is to point at
	}
	want, known := w.resting(l)
	switch p := w.phase(); {
	case item.ID != "":
		if known && w.putsBack(item) {
			w.createAlias(l, want, Drift, []string{item.ID})
		}
	case p == rollout.Expand || p == rollout.Check:
		w.wait(l.res.Ref, "phase", "it is made when traffic moves")
	case !known:
		w.unready = true
		w.wait(l.res.Ref, "dependency", "no version is ready to point it at", l.res.Parent)
	default:
		w.unready = true
		w.createAlias(l, want, w.cause(byCommit), nil)
	}
}

// createAlias routes an alias that no rollout moves.
func (w *world) createAlias(l *look, want providers.Routing, cause Cause, items []string) {
	if w.proposed(l.res.Ref) {
		return
	}
	f := rollout.Function{Ref: l.res.Parent, Alias: l.res.Ref}
	if why := w.unroutable(f, want); why != "" {
		w.wait(l.res.Ref, "dependency", why, l.res.Parent)
		return
	}
	if s := w.route(l.res, l.live, want, cause); s != nil {
		s.Items = items
	}
}
