package plan

import (
	"slices"
	"strconv"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// What looks like ours and is not: a resource that somebody deleted and made
// again under its name, and a version that somebody published.

// pathIdentity is the path of a difference in who it is.
const pathIdentity = "id"

// madeAgain tells of a resource that is another than the one last seen in
// place, though everything declared of it may be the same.
func (w *world) madeAgain(l *look) {
	id := l.live.Attributes[pathIdentity]
	if !traitsOf(l.res.Ref.Kind).identified || !l.applied || l.fact.Identity == "" || id == "" || id == l.fact.Identity {
		return
	}
	d := diff{path: pathIdentity, d: strconv.Quote(l.fact.Identity), l: strconv.Quote(id), inD: true, inL: true}
	w.report(found{drifted: w.drifted(l, d), kind: d.kind(), at: l.live.SeenAt, res: l.res})
}

// identity is what a fact remembers of who it is: another one is remembered
// once its coming was decided about, for the former cannot be put back, or was
// ours.
func (w *world) identity(l *look) string {
	if !traitsOf(l.res.Ref.Kind).identified {
		return ""
	}
	id := l.live.Attributes[pathIdentity]
	if !l.applied || l.fact.Identity == "" {
		return id
	}
	if item, told := w.in.Items[itemID(l.res.Ref, pathIdentity, record.Changed)]; told && (item.Response == record.Ignore || item.Response == record.Revert) && item.Live == strconv.Quote(id) {
		return id
	}
	return l.fact.Identity
}

// newest is what a fact remembers of the versions there are. While nothing of
// ours moves, a version can only be ours that serves what is declared.
func (w *world) newest(l *look, serving string) string {
	if !manifest.Versioned(l.res.Ref.Kind) || !w.versioned(l.res.Ref) {
		return ""
	}
	_, stands := l.live.Published[l.fact.Newest]
	if w.phase() != rollout.Idle || !l.applied || !stands {
		return last(l.live)
	}
	if newer(serving, l.fact.Newest) {
		return serving
	}
	return l.fact.Newest
}

func last(live providers.Live) string {
	number := ""
	for n := range live.Published {
		if newer(n, number) {
			number = n
		}
	}
	return number
}

// published tells of versions that no release made.
func (w *world) published(l *look) {
	if !l.applied || l.fact.Newest == "" || w.phase() != rollout.Idle {
		return
	}
	var numbers []string
	for n := range l.live.Published {
		if newer(n, l.fact.Newest) && n != w.serving(l) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		d := diff{path: pathVersions + n, l: `"published"`, inL: true}
		w.report(found{drifted: w.drifted(l, d), kind: record.Extra, at: l.live.SeenAt, res: l.res})
	}
}

// pathVersions begins the paths of what is a version's.
const pathVersions = "versions."
