package plan

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// drawLeaving is an environment of which a few things go: on each other,
// referring to each other in circles too, declared or not, listed or not.
func drawLeaving(t *rapid.T) *destruction {
	kinds := []string{manifest.KindFunction, manifest.KindQueue, manifest.KindRole, manifest.KindRule, manifest.KindTrigger, manifest.KindPermission, manifest.KindAlias, manifest.KindTopic}
	var refs []manifest.Ref
	for i := range rapid.IntRange(1, 9).Draw(t, "resources") {
		ref := manifest.Ref{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Name: fmt.Sprintf("r%d", i)}
		if !standsAlone(ref) {
			ref.Name = fmt.Sprintf("r%d.x%d", rapid.IntRange(0, 3).Draw(t, "on"), i)
		}
		refs = append(refs, ref)
	}
	d := &destruction{world: newWorld(Input{Previous: &manifest.Release{}}), going: map[manifest.Ref]bool{}}
	for _, ref := range refs {
		r := removal{ref: ref, parent: parentOf(ref)}
		if !standsAlone(ref) && rapid.Bool().Draw(t, "listed") {
			r.extra = &providers.Extra{Ref: ref, Parent: r.parent}
		}
		if rapid.Bool().Draw(t, "declared") {
			res := manifest.Resource{Ref: ref, Parent: r.parent, Refs: rapid.SliceOfN(rapid.SampledFrom(refs), 0, 3).Draw(t, "refs")}
			if standsAlone(ref) && rapid.Bool().Draw(t, "made for another") { // as a function's role is
				res.Parent = rapid.SampledFrom(refs).Draw(t, "which")
			}
			d.in.Previous.Resources = append(d.in.Previous.Resources, res)
		}
		d.left, d.going[ref] = append(d.left, r), standsAlone(ref)
	}
	return d
}

// allNeeders looks at each pair: what leaving answers from what it indexed.
func allNeeders(w *world, r removal, left []removal) []manifest.Ref {
	var refs []manifest.Ref
	for _, other := range left {
		res, known := w.before(other.ref)
		onIt := known && res.Parent == r.ref && !standsAlone(other.ref)
		switch {
		case other.ref == r.ref, other.parent == r.ref && !outlives(other.ref.Kind):
		case known && !onIt && !slices.Contains(res.Refs, r.ref):
		case !known && (removalRank(other.ref.Kind) >= removalRank(r.ref.Kind) || other.extra != nil && !outlives(other.ref.Kind)):
		default:
			refs = append(refs, other.ref)
		}
	}
	return refs
}

// TestLeavingFindsWhatAllPairsFind: nothing is lost by not looking at all pairs,
// and a wave holds nothing that something of a later one needs gone.
func TestLeavingFindsWhatAllPairsFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawLeaving(t)
		all := d.leaving(d.left)
		for _, r := range d.left {
			want := allNeeders(d.world, r, d.left)
			if got := all.needers(r); !slices.Equal(got, want) || all.needed(r) != (len(want) > 0) {
				t.Fatalf("%s waits for %v, %v; want %v", r.ref, got, all.needed(r), want)
			}
		}
		for i, r := range d.left {
			if !standsAlone(r.ref) { // which was seen to live
				d.left[i].extra = &providers.Extra{Ref: r.ref, Parent: r.parent}
			}
		}
		left := slices.Clone(d.left)
		for _, wave := range d.waves() {
			d.soundWave(t, wave, left)
			left = slices.DeleteFunc(left, func(r removal) bool {
				return slices.ContainsFunc(wave, func(o removal) bool { return o.ref == r.ref })
			})
		}
		if len(left) > 0 {
			t.Fatalf("%d are in no wave", len(left))
		}
	})
}

// soundWave: what goes now is what nothing that is left needs, one of a circle,
// or what is on it; and all of the kinds that go first.
func (d *destruction) soundWave(t *rapid.T, wave, left []removal) {
	free := func(r removal) bool {
		return d.with(r) == (manifest.Ref{}) && (invokes(r) || len(allNeeders(d.world, r, left)) == 0)
	}
	some := slices.ContainsFunc(left, free)
	first := slices.ContainsFunc(left, func(r removal) bool { return free(r) && invokes(r) })
	heads := 0
	for _, r := range left {
		now := slices.ContainsFunc(wave, func(o removal) bool { return o.ref == r.ref })
		alone := d.with(r) == (manifest.Ref{})
		switch {
		case alone && some && now != (free(r) && (!first || invokes(r))):
			t.Fatalf("%s goes %v of %d left", r.ref, now, len(left))
		case alone && now:
			heads++
		case !alone && now != slices.ContainsFunc(wave, func(o removal) bool { return o.ref == d.with(r) }) && heads > 0:
			t.Fatalf("%s goes %v without what it is on", r.ref, now)
		}
	}
	if !some && heads > 1 {
		t.Fatalf("%d of a circle go at once", heads)
	}
}

// TestUsersAreThoseThatNameIt: what waits for a resource is found by what it is on
// and by what it refers to.
func TestUsersAreThoseThatNameIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rel := drawLeaving(t).in.Previous
		users := usersOf(rel)
		for _, of := range append(slices.Clone(rel.Resources), manifest.Resource{Parent: manifest.Ref{Kind: manifest.KindFunction, Name: "r0"}}) {
			for _, ref := range append(slices.Clone(of.Refs), of.Ref, of.Parent) {
				var want []int
				for i, res := range rel.Resources {
					if ref != (manifest.Ref{}) && (res.Parent == ref || slices.Contains(res.Refs, ref)) {
						want = append(want, i)
					}
				}
				if got := slices.Compact(slices.Clone(users[ref])); !slices.Equal(got, want) {
					t.Fatalf("%s is named by %v, want %v", ref, got, want)
				}
			}
		}
	})
}
