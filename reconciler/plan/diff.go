package plan

import (
	"slices"
	"strings"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// origin is whose a difference is.
type origin int

const (
	byCommit  origin = iota // the release changes it
	byBinding               // the manifest stayed, what it refers to moved
	byHand                  // drift
	underHand               // the release changes what drifted
)

// diff is one field of a resource that is not as declared. A path absent on a
// side has in* false.
type diff struct {
	path          string
	d, l, a       string
	inD, inL, inA bool
	origin        origin
	class         class
}

func (d diff) kind() record.DriftKind {
	switch {
	case !d.inL:
		return record.Missing
	case !d.inD:
		return record.Extra
	}
	return record.Changed
}

// paths of an alias that are the rollout's to declare, not the manifest's: the
// first two of a function's, the third of a workflow's.
const (
	pathVersion = "functionVersion"
	pathRouting = "routingConfig"
	pathShares  = "routingConfiguration"
)

// RoutingPath: the path is of where an alias sends calls.
func RoutingPath(path string) bool {
	return path == pathVersion || path == pathRouting || path == pathShares
}

// compare lists the fields that differ, sorted by path. What could not be
// read is not compared.
func (w *world) compare(l *look) {
	same := l.spec.Digest != "" && l.spec.Digest == l.live.Spec.Digest
	if same {
		return
	}
	var diffs []diff
	for path, d := range l.spec.Fields {
		v, ok := l.live.Spec.Fields[path]
		if ok && v == d || routed(l.res, path) || l.unseen(path) {
			continue
		}
		diffs = append(diffs, diff{path: path, d: d, inD: true, l: v, inL: ok})
	}
	for path, v := range l.live.Spec.Fields {
		if _, ok := l.spec.Fields[path]; ok || routed(l.res, path) || l.unseen(path) || l.versionUnknown() || l.oldVersion(path) {
			continue
		}
		diffs = append(diffs, diff{path: path, l: v, inL: true})
	}
	slices.SortFunc(diffs, func(a, b diff) int { return strings.Compare(a.path, b.path) })
	for i := range diffs {
		w.attribute(l, &diffs[i])
	}
	l.diffs = diffs
}

func routed(res *manifest.Resource, path string) bool {
	return manifest.AliasKind(res.Ref.Kind) && RoutingPath(path)
}

// versionUnknown: while no version carries the release, nobody can say which
// version's part is one too many.
func (l *look) versionUnknown() bool {
	return len(l.spec.Unbound) > 0 && traitsOf(l.res.Ref.Kind).perVersion
}

// oldVersion is true for what a version that no longer carries the release has
// kept; path is not declared.
func (l *look) oldVersion(path string) bool {
	return traitsOf(l.res.Ref.Kind).lasting && strings.HasPrefix(path, pathVersions)
}

// unseen is true for a path that could not be read, or lies below one.
func (l *look) unseen(path string) bool {
	if len(l.live.Unseen) == 0 {
		return false
	}
	if _, ok := l.live.Unseen[path]; ok {
		return true
	}
	for p := range l.live.Unseen {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// attribute says whose the difference is: the three-way table of the package
// comment.
func (w *world) attribute(l *look, d *diff) {
	d.a, d.inA = l.fact.Fields[d.path]
	d.class = classOf(l.res.Ref.Kind, *d)
	asDeclared := d.inA == d.inD && d.a == d.d
	asLive := d.inA == d.inL && d.a == d.l
	idle := w.phase() == rollout.Idle
	switch {
	case idle && l.applied && !d.inA && d.inD && traitsOf(l.res.Ref.Kind).perVersion:
		d.origin = byBinding // the version is a new one
	case idle && (!l.applied || !d.inA):
		// In force and never seen in place: nobody's release explains it.
		d.origin = byHand
	case !l.applied:
		d.origin = byCommit
	case asDeclared && !w.leftBehind(l, *d):
		d.origin = byHand
	case asDeclared:
		d.origin = byCommit
	case idle || w.sameManifest(l.res):
		d.origin = byBinding
	case !asLive && l.live.Owner.Release == l.fact.Release && l.fact.Release != "":
		// Nobody of ours wrote since it was last seen in place.
		d.origin = underHand
	default:
		d.origin = byCommit
	}
}

// sameManifest is true when the release before declared the resource in the
// same words: only what it refers to can have moved.
func (w *world) sameManifest(res *manifest.Resource) bool {
	prev, ok := w.before(res.Ref)
	return ok && res.Digest != "" && prev.Digest == res.Digest
}

// leftBehind is true when a value that looks like drift was written by a
// release of ours that was taken back or overtaken before it was seen in
// place. That needs proof (Wrote). Going back it is presumed, but never of what
// operators do in incidents. What was known as drift before stays drift.
func (w *world) leftBehind(l *look, d diff) bool {
	if w.phase() == rollout.Idle {
		return false
	}
	item, open := w.in.Items[itemID(l.res.Ref, d.path, d.kind())]
	if open && item.Live == d.l {
		return false
	}
	if w.strange(l, w.in.Wrote[l.res.Ref]) {
		return true
	}
	if w.phase() != rollout.Back {
		return false
	}
	return judge(w.drifted(l, d)).response != record.HoldIt
}

// strange releases are neither the target, nor stable, nor what was last seen.
func (w *world) strange(l *look, release string) bool {
	return release != "" && release != w.in.Target.Digest &&
		release != l.fact.Release && release != w.in.Rollout.Stable.Digest
}
