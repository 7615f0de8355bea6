package plan

import (
	"cmp"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// function brings the unpublished state to the declared one and then makes a
// version of it. Nobody is served by either: traffic is routes().
func (w *world) function(l *look, items []record.DriftItem, work bool) {
	version, published := w.version(l)
	needs := w.versioned(l.res.Ref) && !published
	switch {
	case w.phase() == rollout.Idle && !work:
		w.functionInForce(l, items, needs)
	case needs && !publishes(w.phase()) && w.phase() != rollout.Idle && len(l.live.Published) == 0 && len(l.diffs) > 0:
		// No version stands, and the one to be made is made of the whole: what
		// somebody changed of it meanwhile would keep traffic from coming back.
		w.unready = true
		w.propose(l, w.step(l, Update, w.cause(firstOrigin(l.diffs)), l.diffs))
	case w.phase() == rollout.Idle || !publishes(w.phase()) && len(l.diffs) > 0:
		w.update(l, items)
	case !publishes(w.phase()):
		// Nothing is published once traffic has moved, nor on the way back: a
		// binding that moved meanwhile waits until the release is in force.
		// But where no version stands at all, one has to be made.
		switch {
		case !needs:
			w.settled(l, w.serving(l))
		case len(l.live.Published) == 0:
			w.unready = true
			w.publish(l, w.cause(byCommit))
		}
	case needs || work:
		w.prepare(l, needs)
	case len(l.diffs) == 0:
		w.settled(l, w.serving(l))
	default:
		w.update(l, items)
	}
	if published && version.Ready && w.changing(l.res.Ref) {
		w.plan.Signal.Versions[l.res.Ref] = version.Number
	}
	w.versionState(l, version, published)
}

// publishes is true until traffic moves.
func publishes(p rollout.Phase) bool { return p == rollout.Expand || p == rollout.Check }

// versionState waits for a version that is not ready, and gives up on one
// that never will be.
func (w *world) versionState(l *look, v providers.Version, published bool) {
	switch {
	case !w.versioned(l.res.Ref) || !w.changing(l.res.Ref) || w.phase() == rollout.Idle:
	case published && !v.Ready:
		w.unfinished(l.res.Ref)
		w.wait(l.res.Ref, "settling", "version "+v.Number+" is not ready for traffic yet")
	case !published && v.Failed != "":
		w.impossible(l.res.Ref, "version "+v.Number+" cannot take traffic: "+v.Failed)
	}
}

// prepare is the expand part of a function: update, then publish.
func (w *world) prepare(l *look, needs bool) {
	w.unfinishedUpTo(l.res.Ref, widens)
	if !w.due(l, widens) {
		return
	}
	if len(l.diffs) > 0 {
		// Everything that differs, drift under it included: a version is
		// made of the whole.
		w.propose(l, w.step(l, Update, w.cause(firstOrigin(l.diffs)), l.diffs))
		return
	}
	if needs && w.phase() == rollout.Expand {
		w.publish(l, w.cause(byCommit))
	}
}

func firstOrigin(diffs []diff) origin {
	for _, d := range diffs {
		if d.origin == byCommit {
			return byCommit
		}
	}
	return diffs[0].origin
}

// functionInForce handles a function whose release is in force: drift, and a
// version for a binding that moved.
func (w *world) functionInForce(l *look, items []record.DriftItem, needs bool) {
	switch {
	case len(l.diffs) > 0:
		w.update(l, items)
	case needs && l.fact.Snapshot != l.spec.Snapshot:
		w.publish(l, Binding)
	case needs:
		// The version is gone with a function that was made again. A version
		// serves nobody by itself; its alias is a difference of its own.
		w.publish(l, Drift)
	default:
		w.settled(l, w.serving(l))
	}
	w.published(l)
	w.staleness(l)
}

// staleness tells that the version which is to serve does not carry what is
// declared. Where somebody pointed the alias is another matter.
func (w *world) staleness(l *look) {
	alias, ok := w.declared(w.in.Target.Functions[l.res.Ref].Alias)
	if !ok || l.spec.Snapshot == "" || len(l.spec.Unbound) > 0 {
		return
	}
	fact, applied := w.fact(alias)
	want, known := w.resting(&look{res: alias, fact: fact, applied: applied})
	v, published := l.live.Published[want.Version]
	if known && published && v.Snapshot != l.spec.Snapshot {
		w.plan.Stale = append(w.plan.Stale, l.res.Ref)
	}
}

// publish makes the version, when the unpublished state is known to be wholly
// the declared one.
func (w *world) publish(l *look, cause Cause) {
	if l.live.Spec.Snapshot != l.spec.Snapshot && len(l.spec.Observed) > 0 {
		w.wait(l.res.Ref, "unmanaged", "what lives is not the declared code, and it is not Mooring's to write: bring that code, or declare this one's digest")
		return
	}
	if l.live.Spec.Snapshot != l.spec.Snapshot {
		w.wait(l.res.Ref, "unknown", "a part of what a version keeps could not be read")
		return
	}
	w.propose(l, w.step(l, Publish, cause, nil))
}

// versioned functions take traffic through an alias.
func (w *world) versioned(ref manifest.Ref) bool {
	return w.in.Target.Functions[ref].Alias != (manifest.Ref{})
}

// changing functions are part of the rollout.
func (w *world) changing(ref manifest.Ref) bool { return w.rolled[ref] }

// version finds the published version that carries what is declared. Without
// one, Failed of the result says why, when there is one that never will.
func (w *world) version(l *look) (providers.Version, bool) {
	return Carrier(l.live, l.spec)
}

// Carrier is the newest published version that has the snapshot of spec, a
// ready one before others. A version that failed for good does not count;
// it is returned with false when there is no other.
func Carrier(live providers.Live, spec providers.Spec) (providers.Version, bool) {
	var best, failed providers.Version
	if spec.Snapshot == "" || len(spec.Unbound) > 0 {
		return best, false
	}
	for _, v := range live.Published {
		switch {
		case v.Snapshot != spec.Snapshot:
		case v.Failed != "":
			if newer(v.Number, failed.Number) {
				failed = v
			}
		case best.Number == "", v.Ready && !best.Ready, v.Ready == best.Ready && newer(v.Number, best.Number):
			best = v
		}
	}
	if best.Number == "" {
		return failed, false
	}
	return best, true
}

// serving is the version to remember with a function in force.
func (w *world) serving(l *look) string {
	v, ok := w.version(l)
	if !ok {
		return ""
	}
	alias := w.in.Target.Functions[l.res.Ref].Alias
	main := w.in.Inventory.Live[alias].Routing.Version
	if l.live.Published[main].Snapshot == l.spec.Snapshot && main != "" {
		return main
	}
	return v.Number
}

// newer compares version numbers, which are decimal without leading zeros.
func newer(a, b string) bool {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) > 0
}
