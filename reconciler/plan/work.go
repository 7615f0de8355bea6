package plan

import (
	"maps"
	"slices"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// missing handles a declared resource that is known to be absent.
func (w *world) missing(l *look) {
	ref := l.res.Ref
	whole := diff{inD: true, inA: l.applied}
	drift := l.applied && !w.leftBehind(l, whole) || w.phase() == rollout.Idle
	var item record.DriftItem
	if drift {
		item = w.report(w.wholly(l, whole))
	}
	if drift && !w.rewritten(l) {
		w.lost[ref] = true
	} else if drift {
		// The release changes what somebody deleted: it is told, not asked.
		drift, item = false, record.DriftItem{}
	}
	switch {
	case foreign(l.res):
		w.unready = true
		w.wait(ref, "dependency", "it must be there; Mooring never makes one")
	case manifest.AliasKind(ref.Kind):
		w.missingAlias(l, item)
	case drift && w.mayReturn():
		if w.reverts(item) {
			s := w.step(l, Create, Drift, nil)
			s.Items = []string{item.ID}
			w.propose(l, s)
		}
	case drift:
		w.wait(ref, "phase", "drift is put back once the release is in force")
	default:
		w.create(l)
	}
}

// rewritten is true when the release under way has to write a resource that
// somebody deleted: it declares it otherwise than it was, or has to make a
// version of it.
func (w *world) rewritten(l *look) bool {
	if w.phase() == rollout.Idle || w.phase() == rollout.Back || manifest.AliasKind(l.res.Ref.Kind) {
		return false
	}
	return w.phase() == rollout.Expand && w.changing(l.res.Ref) || !sameFields(l.spec.Fields, l.fact.Fields)
}

// mayReturn says whether something deleted by hand may be made again in this
// phase, if that was decided. On the way back what else there is to do may need
// it.
func (w *world) mayReturn() bool { return w.phase() != rollout.Shift }

// reached: making this resource is work of this phase, or of one before.
func (w *world) reached(res *manifest.Resource) bool {
	upto, works := reach(w.phase())
	return works && w.classOfNew(res) <= upto
}

// create makes what the release adds, when its phase has come.
func (w *world) create(l *look) {
	w.unfinishedUpTo(l.res.Ref, w.classOfNew(l.res))
	if !w.due(l, w.classOfNew(l.res)) {
		return
	}
	w.propose(l, w.step(l, Create, w.cause(byCommit), nil))
}

// due says whether work of a class belongs to this phase; if not, it waits.
func (w *world) due(l *look, c class) bool {
	upto, works := reach(w.phase())
	if works && c <= upto {
		return true
	}
	w.wait(l.res.Ref, "phase", w.later("it", c))
	return false
}

// later says when work that is not due will be.
func (w *world) later(what string, c class) string {
	if _, works := reach(w.phase()); !works {
		return what + " waits until traffic has moved"
	}
	return what + " waits for " + c.String()
}

// unfinishedUpTo marks work that this phase must see done.
func (w *world) unfinishedUpTo(ref manifest.Ref, c class) {
	if upto, works := reach(w.phase()); !works || c <= upto {
		w.open[ref] = true
	}
	if c == widens {
		w.pending[ref] = true
	}
}

// present handles a declared resource that lives and may be written.
func (w *world) present(l *look) {
	w.compare(l)
	w.observed(l)
	var items []record.DriftItem
	work := false
	for _, d := range l.diffs {
		switch d.origin {
		case byHand, underHand:
			items = append(items, w.reportField(l, d))
		}
		if d.origin != byHand {
			work = true
			w.unfinishedUpTo(l.res.Ref, d.class)
		}
	}
	if len(l.diffs) == 0 && w.adopt(l) {
		w.unready = true
	}
	switch {
	case foreign(l.res):
		w.checked(l)
	case l.failed() != "":
		w.failed(l)
	case manifest.Versioned(l.res.Ref.Kind):
		w.function(l, items, work)
	case manifest.AliasKind(l.res.Ref.Kind):
		w.alias(l, items)
	default:
		w.unversioned(l, items)
	}
}

// failed is why what is declared did not take hold, though it is as declared.
// What failed of a part that is to go keeps nothing.
func (l *look) failed() string {
	if l.live.Faults == nil {
		if len(l.diffs) == 0 {
			return l.live.Failed
		}
		return ""
	}
	for _, path := range slices.Sorted(maps.Keys(l.live.Faults)) {
		_, declared := l.spec.Fields[path]
		if declared && !slices.ContainsFunc(l.diffs, func(d diff) bool { return d.path == path }) {
			return l.live.Faults[path]
		}
	}
	return ""
}

func (w *world) failed(l *look) {
	why := l.failed()
	w.unfinished(l.res.Ref)
	w.wait(l.res.Ref, "parked", "its last change did not take hold: "+why)
	if w.in.Wrote[l.res.Ref] == w.in.Target.Digest || l.live.Owner.Release == w.in.Target.Digest {
		w.impossible(l.res.Ref, why) // what failed was this release's change
	}
}

// observed tells of differences that are somebody else's to write, and leaves
// them out of everything that is planned.
func (w *world) observed(l *look) {
	if len(l.spec.Observed) == 0 {
		return
	}
	l.diffs = slices.DeleteFunc(l.diffs, func(d diff) bool {
		if !slices.Contains(l.spec.Observed, d.path) {
			return false
		}
		d.origin = byHand
		w.reportField(l, d)
		last := &w.plan.Items[len(w.plan.Items)-1]
		last.Default, last.Reason = w.cap(record.Alert), "it is unmanaged: never written, only told"
		return true
	})
}

// checked handles what exists beside Mooring: it is there, or something is
// wrong with it.
func (w *world) checked(l *look) {
	if l.live.Failed != "" {
		w.unready = true
		w.wait(l.res.Ref, "dependency", l.live.Failed)
		return
	}
	for _, d := range l.diffs {
		if d.origin != byHand {
			w.unready = true
			w.wait(l.res.Ref, "dependency", d.path+" is not as the release needs it, and Mooring does not change it")
			return
		}
	}
	w.settled(l, "")
}

// unversioned handles everything that keeps no versions and is no alias.
func (w *world) unversioned(l *look, items []record.DriftItem) {
	if len(l.diffs) == 0 {
		w.settled(l, "")
		return
	}
	w.update(l, items)
}

// update writes what is due: of the release, the fields whose class has come;
// of drift, the fields that are to be put back now.
func (w *world) update(l *look, items []record.DriftItem) {
	upto, works := reach(w.phase())
	var fields []diff
	var ids []string
	cause := Cause("")
	for _, d := range l.diffs {
		switch {
		case d.origin == byHand:
		case works && d.class <= upto:
			fields = append(fields, d)
			cause = w.cause(d.origin)
		default:
			w.wait(l.res.Ref, "phase", w.later(d.path, d.class))
		}
	}
	if len(fields) == 0 { // what the release has to write here comes first
		for _, item := range items {
			d := l.diffs[slices.IndexFunc(l.diffs, func(d diff) bool { return d.path == item.Path })]
			if d.origin == byHand && w.putsBack(item) {
				fields = append(fields, d)
				ids = append(ids, item.ID)
				cause = Drift
			}
		}
	}
	if len(fields) == 0 {
		return
	}
	s := w.step(l, Update, cause, fields)
	s.Items = ids
	w.propose(l, s)
}

// cause names why a release's own difference is written.
func (w *world) cause(o origin) Cause {
	switch {
	case w.goingBack():
		return Rollback
	case o == byBinding:
		return Binding
	}
	return Commit
}

// goingBack is true for a rollback, by failure or by a person: holds let it
// pass.
func (w *world) goingBack() bool {
	return w.phase() == rollout.Back || w.phase() != rollout.Idle && w.in.Rollout.Cause == "rollback"
}

// wholly is the finding that a whole resource is missing.
func (w *world) wholly(l *look, d diff) found {
	return found{
		drifted: drifted{ref: l.res.Ref, diff: d, whole: true, streamed: streamed(l.res)},
		kind:    record.Missing, at: l.live.SeenAt, res: l.res,
	}
}

func streamed(res *manifest.Resource) bool {
	trigger, ok := res.Spec.(*manifest.TriggerSpec)
	return ok && trigger.OfStream()
}

// reportField reports one field's drift.
func (w *world) reportField(l *look, d diff) record.DriftItem {
	item := w.report(found{
		drifted: w.drifted(l, d),
		kind:    d.kind(), at: l.live.SeenAt, res: l.res,
	})
	if d.origin == underHand {
		// The release writes the field anyway: it is told, not asked.
		last := &w.plan.Items[len(w.plan.Items)-1]
		last.Default, last.Reason = record.Alert, "the release under way overwrites it"
		return *last
	}
	return item
}

// drifted is a field's difference as it is judged.
func (w *world) drifted(l *look, d diff) drifted {
	return drifted{
		ref: l.res.Ref, diff: d, note: l.live.Note, sensitive: l.sensitive(d.path),
		unversioned: l.res.Ref.Kind == manifest.KindFunction && !w.versioned(l.res.Ref),
	}
}

func (l *look) sensitive(path string) bool {
	return slices.Contains(l.spec.Sensitive, path) || slices.Contains(l.live.Spec.Sensitive, path)
}
