package plan

import (
	"encoding/json"
	"strconv"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// routes brings the aliases of the rollout to where it wants them. In a
// rollback this comes before everything, and waits for nothing that is not
// needed for the guard.
func (w *world) routes() {
	if w.phase() == rollout.Idle {
		return
	}
	for _, f := range w.in.Rollout.Functions {
		if f.Alias == (manifest.Ref{}) {
			continue
		}
		w.routeOne(f)
	}
}

func (w *world) routeOne(f rollout.Function) {
	want := w.in.Rollout.Wanted(f)
	if want == (providers.Routing{}) {
		return // a first deployment whose turn has not come, or that failed
	}
	if why := w.unknown(f.Alias); why != "" {
		w.strayed = true
		w.wait(f.Alias, "unknown", why)
		return
	}
	if want = w.standing(f, want); want == (providers.Routing{}) {
		w.wait(f.Alias, "dependency", "its stable version is gone with the function it was of", f.Ref)
		return
	}
	live := w.in.Inventory.Live[f.Alias]
	if live.Exists && live.Routing == want {
		return
	}
	if _, ok := w.declared(f.Alias); !ok && !live.Exists {
		return // stable had none: it is a matter of removal
	}
	if w.unknown(f.Ref) == "" && !w.in.Inventory.Live[f.Ref].Exists {
		w.orphaned(f)
		return
	}
	w.strayed = true
	if live.Exists && w.foreign(f, live.Routing) && !w.putBack(f, live.Routing, want) {
		w.moved(f, live.Routing, want)
		return
	}
	if why := w.unroutable(f, want); why != "" {
		w.wait(f.Alias, "dependency", why, f.Ref)
		return
	}
	if res := w.aliasResource(f.Alias); res != nil {
		w.route(res, live, want, w.shiftCause(f, want))
	}
}

// standing is where traffic can go when somebody deleted the function, and the
// stable version with it: in a rollback to one made again of the same; once
// traffic moves, wholly to the new version, for nothing else is left; zero
// while there is neither.
func (w *world) standing(f rollout.Function, want providers.Routing) providers.Routing {
	fn := w.in.Inventory.Live[f.Ref]
	if _, ok := fn.Published[want.Version]; ok || want.Version != f.Stable || w.unknown(f.Ref) != "" || !fn.Exists {
		return want
	}
	v, ok := fn.Published[f.New]
	switch w.phase() {
	case rollout.Expand, rollout.Check:
		return providers.Routing{}
	case rollout.Back:
		v, ok = Carrier(fn, w.in.Specs[f.Ref])
	}
	if !ok || !v.Ready {
		return providers.Routing{}
	}
	return providers.Routing{Version: v.Number}
}

// orphaned is a function of the rollout that somebody deleted: there is
// nothing to route. Going on is impossible; going back is over for it, and its
// return is a matter of drift.
func (w *world) orphaned(f rollout.Function) {
	w.wait(f.Alias, "dependency", "its function is gone", f.Ref)
	if w.phase() == rollout.Back {
		return
	}
	w.strayed = true
	w.impossible(f.Ref, "somebody deleted it")
}

// shiftCause: towards stable is a rollback, whatever brought it about.
func (w *world) shiftCause(f rollout.Function, want providers.Routing) Cause {
	if w.goingBack() || f.Stable != "" && want == (providers.Routing{Version: f.Stable}) {
		return Rollback
	}
	return Commit
}

// aliasResource finds the alias's shape; a release that takes the alias away
// still has to be routed back.
func (w *world) aliasResource(ref manifest.Ref) *manifest.Resource {
	if res, ok := w.declared(ref); ok {
		return res
	}
	if res, ok := w.before(ref); ok {
		return res
	}
	w.wait(ref, "unknown", "nothing declares this alias any more")
	return nil
}

// foreign is true when somebody else moved an alias that is not where it is
// wanted: it was there before, or it points at nothing this rollout can have
// asked for so far. On a first deployment there is nothing to protect, and going
// back asks nobody.
func (w *world) foreign(f rollout.Function, live providers.Routing) bool {
	if f.Stable == "" || w.phase() == rollout.Back {
		return false
	}
	return w.in.Rollout.Stands() || w.neverAsked(f, live)
}

// moved pauses the rollout for what somebody else did. Where an alias points that
// it pointed at before, once may be a stale read.
func (w *world) moved(f rollout.Function, live, want providers.Routing) {
	who := f.Alias.String() + " sends calls to " + describe(live)
	if w.neverAsked(f, live) {
		who += ", which this rollout never asked for"
	} else if who += ", where this rollout does not want them any more"; !w.rerouted(f, live, want, record.DriftItem.Confirmed) {
		w.wait(f.Alias, "confirm", who+": once may be a stale read")
		return
	}
	if w.plan.Signal.Foreign == "" {
		w.plan.Signal.Foreign = who
	}
	w.wait(f.Alias, "hold", who)
}

// putBack: somebody, or policy, said that the rollout goes on over what was done
// to this alias.
func (w *world) putBack(f rollout.Function, live, want providers.Routing) bool {
	return w.rerouted(f, live, want, func(item record.DriftItem) bool {
		return item.Confirmed() && item.Response == record.Revert && !w.itemHeld(item.ID)
	})
}

// rerouted: where the alias points is known as differences from where it is
// wanted, and all of them are so.
func (w *world) rerouted(f rollout.Function, live, want providers.Routing, so func(record.DriftItem) bool) bool {
	for _, d := range routingDiffs(f.Alias.Kind, live, want) {
		item, known := w.in.Items[itemID(f.Alias, d.path, d.kind())]
		if !known || item.Live != d.l || item.Declared != d.d || !so(item) {
			return false
		}
	}
	return true
}

// neverAsked: where the alias points is nothing this rollout can have asked for
// so far. A rollout that is overtaken goes back first, so nothing of it is left.
func (w *world) neverAsked(f rollout.Function, live providers.Routing) bool {
	s := w.in.Rollout
	switch {
	case live == providers.Routing{Version: f.Stable}:
		return false
	case s.Phase == rollout.Expand || s.Phase == rollout.Check || f.New == "":
		return true
	case live == providers.Routing{Version: f.New}:
		return w.allowed() < providers.Percent(100)
	}
	return live.Version != f.Stable || live.Canary != f.New || live.Weight > w.allowed()
}

// allowed is the highest weight this rollout can have asked for so far.
func (w *world) allowed() providers.Weight {
	if w.phase() != rollout.Shift {
		return providers.Percent(100)
	}
	return w.in.Rollout.Highest()
}

// unroutable says why a routing cannot be asked for: a version is not
// published or not ready. Going back does not wait for a look at the
// function, but a version known to be gone cannot be routed to either.
func (w *world) unroutable(f rollout.Function, want providers.Routing) string {
	fn := w.in.Inventory.Live[f.Ref]
	if w.in.Inventory.Errors[f.Ref] != nil || !fn.Exists {
		if w.phase() == rollout.Back {
			return ""
		}
		return "its function could not be seen"
	}
	for _, number := range []string{want.Version, want.Canary} {
		if number == "" {
			continue
		}
		switch v, ok := fn.Published[number]; {
		case !ok:
			return "version " + number + " is not published"
		case !v.Ready && number != f.Stable:
			return "version " + number + " is not ready for traffic"
		}
	}
	return ""
}

// route proposes one move of one alias.
func (w *world) route(res *manifest.Resource, live providers.Live, want providers.Routing, cause Cause) *Step {
	l := &look{res: res, spec: w.in.Specs[res.Ref], live: live}
	s := w.step(l, Route, cause, routingDiffs(res.Ref.Kind, live.Routing, want))
	s.Routing = want
	s.Change.Fields, s.Change.Remove = nil, nil
	return w.propose(l, s)
}

// routingDiffs tells a move of an alias as fields, in the platform's words.
func routingDiffs(kind string, live, want providers.Routing) []diff {
	var diffs []diff
	add := func(path, l, d string) {
		if l != d {
			diffs = append(diffs, diff{path: path, d: d, l: l, inD: d != "", inL: l != "", class: connects})
		}
	}
	if kind == manifest.KindWorkflowAlias {
		add(pathShares, shares(live), shares(want))
		return diffs
	}
	add(pathVersion, quoted(live.Version), quoted(want.Version))
	add(pathRouting, weights(live), weights(want))
	return diffs
}

// shares is a state machine alias's routingConfiguration as canonical JSON; ""
// where it sends nothing anywhere.
func shares(r providers.Routing) string {
	type share struct {
		Version string  `json:"stateMachineVersion"`
		Weight  float64 `json:"weight"` // percent
	}
	if r.Version == "" {
		return ""
	}
	list := []share{{r.Version, float64(providers.Percent(100)-r.Weight) / 100}}
	if r.Canary != "" {
		list = append(list, share{r.Canary, float64(r.Weight) / 100})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "" // numbers and strings always marshal
	}
	return string(text)
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(s)
}

// weights is an alias's routingConfig as canonical JSON; "" without a canary.
func weights(r providers.Routing) string {
	if r.Canary == "" {
		return ""
	}
	text, err := json.Marshal(map[string]map[string]float64{
		"additionalVersionWeights": {r.Canary: float64(r.Weight) / 10000},
	})
	if err != nil {
		return "" // numbers and strings always marshal
	}
	return string(text)
}

// describe is a routing for people.
func describe(r providers.Routing) string {
	if r.Canary == "" {
		return "version " + r.Version
	}
	return "version " + r.Version + " and " + strconv.FormatFloat(float64(r.Weight)/100, 'f', -1, 64) + "% to version " + r.Canary
}
