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
	if live.Exists && w.foreign(f, live.Routing) {
		who := f.Alias.String() + " sends calls to " + describe(live.Routing) + ", which this rollout never asked for"
		if w.plan.Signal.Foreign == "" {
			w.plan.Signal.Foreign = who
		}
		w.wait(f.Alias, "hold", who)
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

// foreign is true when somebody else moved the alias: where it points is
// neither wanted nor anything this rollout can have asked for so far. A
// rollout that is overtaken goes back first, so nothing of it is left. On a
// first deployment there is nothing to protect, and going back asks nobody.
func (w *world) foreign(f rollout.Function, live providers.Routing) bool {
	s := w.in.Rollout
	stable := providers.Routing{Version: f.Stable}
	switch {
	case f.Stable == "" || live == stable || s.Phase == rollout.Back:
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
	s := w.in.Rollout
	if s.Phase != rollout.Shift {
		return providers.Percent(100)
	}
	high := s.Weight
	for i, stage := range s.Stages {
		if i <= s.Stage {
			high = max(high, stage.Weight)
		}
	}
	return providers.Percent(high)
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

// alias handles the alias's own fields, and its routing when no rollout moves
// it.
func (w *world) alias(l *look, items []record.DriftItem, work bool) {
	if _, moved := w.moving[l.res.Ref]; moved {
		w.movingAlias(l, items, work)
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
		w.update(l, items, work)
		return
	}
	w.misrouted(l, want)
	if len(l.diffs) > 0 && !w.proposed(l.res.Ref) {
		w.update(l, items, work)
	}
}

// movingAlias: the rollout owns the routing.
func (w *world) movingAlias(l *look, items []record.DriftItem, work bool) {
	f := *w.moving[l.res.Ref]
	want := w.standing(f, w.in.Rollout.Wanted(f))
	inPlace := want != (providers.Routing{}) && l.live.Routing == want
	if !inPlace && w.foreign(f, l.live.Routing) {
		w.reportRouting(l, want)
	}
	if len(l.diffs) > 0 {
		if !w.proposed(l.res.Ref) {
			w.update(l, items, work)
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
		if w.phase() == rollout.Idle && w.reverts(item) {
			ids = append(ids, item.ID)
		}
	}
	if w.phase() != rollout.Idle {
		w.wait(l.res.Ref, "phase", "drift is put back once the release is in force")
		return
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
	case p == rollout.Idle:
		if known && w.reverts(item) {
			w.createAlias(l, want, Drift, []string{item.ID})
		}
	case item.ID != "":
		w.wait(l.res.Ref, "phase", "drift is put back once the release is in force")
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
