package plan

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// class is the part of a release in which a change of something unversioned
// is made: what widens comes before traffic moves, what narrows after it has
// moved, and what cannot be told in between, when the new version serves.
type class int

const (
	widens   class = iota // expand
	connects              // connect
	narrows               // contract
)

func (c class) String() string {
	return [...]string{"expand", "connect", "contract"}[c]
}

// reach is the last class of work a phase does. Work left over from an
// earlier phase is still done. A release in force or going back does all.
func reach(p rollout.Phase) (class, bool) {
	switch p {
	case rollout.Expand:
		return widens, true
	case rollout.Connect:
		return connects, true
	case rollout.Contract, rollout.Idle, rollout.Back:
		return narrows, true
	}
	return 0, false
}

// classOf says when a changed field is written.
func classOf(kind string, d diff) class {
	if top := member(d.path); top == "tags" || top == pathDeletion || top == "description" && !manifest.AliasKind(kind) {
		return widens
	}
	t := traitsOf(kind)
	if t.written != nil {
		return t.written(d)
	}
	if slices.Contains(t.wider, d.path) {
		return compareNumbers(d)
	}
	return connects
}

// roleWritten: what grants comes early, what takes away late.
func roleWritten(d diff) class {
	switch member(d.path) {
	case "statement", "statements", "managedPolicyArns", "inlinePolicies":
		return granted(d)
	case "maxSessionDuration":
		return compareNumbers(d)
	}
	return connects
}

// versionWritten: a version is made ready before traffic reaches it, and let
// go when no traffic does.
func versionWritten(d diff) class {
	if d.inD {
		return widens
	}
	return narrows
}

// layerWritten: a new version serves nobody until a function names it; who may
// use it is widened early and narrowed late.
func layerWritten(d diff) class {
	if member(d.path) != pathPermissions || !d.inL {
		return widens
	}
	if !d.inD {
		return narrows
	}
	return connects
}

// unpublished state serves nobody.
func unpublished(diff) class { return widens }

// granted tells a right that is added from one that is taken away. A set is
// compared as a set; what is both wider and narrower cannot be told.
func granted(d diff) class {
	switch {
	case !d.inL:
		return widens
	case !d.inD:
		return narrows
	}
	live, ok1 := set(d.l)
	want, ok2 := set(d.d)
	if !ok1 || !ok2 {
		return connects
	}
	switch {
	case subset(live, want):
		return widens
	case subset(want, live):
		return narrows
	}
	return connects
}

func set(text string) ([]string, bool) {
	var list []json.RawMessage
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil, false
	}
	items := make([]string, len(list))
	for i, raw := range list {
		items[i] = string(raw)
	}
	return items, true
}

func subset(a, b []string) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}

func compareNumbers(d diff) class {
	live, ok1 := number(d.l, d.inL)
	want, ok2 := number(d.d, d.inD)
	switch {
	case !ok1 || !ok2:
		return connects
	case want > live:
		return widens
	}
	return narrows
}

func number(text string, present bool) (float64, bool) {
	if !present {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.Trim(text, `"`), 64)
	return n, err == nil
}

// classOfNew says when a missing resource is made.
func (w *world) classOfNew(res *manifest.Resource) class {
	if made := traitsOf(res.Ref.Kind).made; made != nil {
		return made(w, res)
	}
	return connects
}

// early: nobody relies on it before it is there.
func early(*world, *manifest.Resource) class { return widens }

// permissionMade: on an alias that already serves, being allowed harms nobody;
// on one that does not exist yet it cannot be made. Nor can it where what may
// call comes later: the phase would wait for what waits for the next.
func permissionMade(w *world, res *manifest.Resource) class {
	if !w.aliasLives(res) {
		return connects
	}
	return w.comes(res)
}

// comes is when the last of what a resource refers to, and does not live yet,
// is made.
func (w *world) comes(res *manifest.Resource) class {
	last := widens
	for _, ref := range res.Refs {
		if other, ok := w.declared(ref); ok && !w.lives(ref) && !manifest.AliasKind(ref.Kind) {
			last = max(last, w.classOfNew(other))
		}
	}
	return last
}

// concurrencyMade: on a function nobody calls yet it is part of making it.
// Later it both guarantees and limits: that cannot be told.
func concurrencyMade(w *world, res *manifest.Resource) class {
	if !w.aliasLives(res) {
		return widens
	}
	return connects
}

// aliasLives is true when the traffic alias of a child's function exists.
func (w *world) aliasLives(res *manifest.Resource) bool {
	alias := w.in.Target.Functions[res.Parent].Alias
	return alias != (manifest.Ref{}) && w.lives(alias)
}

// foreignKind: it exists beside Mooring, and is checked, never written.
func foreignKind(kind string) bool { return traitsOf(kind).foreign }

// foreign is foreignKind, or a resource that says so of itself.
func foreign(res *manifest.Resource) bool { return foreignKind(res.Ref.Kind) || res.Bound() }

// tagged kinds carry ownership tags of their own.
func tagged(kind string) bool { return traitsOf(kind).tagged }
