package plan

import (
	"slices"

	"mooring.dev/sources/manifest"
)

// leaving is what goes, indexed once by what it needs: who asks of each removal
// what has to go before it looks at none of the others.
type leaving struct {
	all []removal
	at  map[manifest.Ref]int // into all
	// named are the places of those that are on a ref, or refer to it, as they
	// were declared.
	named map[manifest.Ref][]int
	// loose are the places of those that nobody declared, by rank: all that is
	// known of them is that their kind refers to kinds of a higher one.
	loose [rankLast + 1][]int
}

func (w *world) leaving(all []removal) *leaving {
	l := &leaving{all: all, at: make(map[manifest.Ref]int, len(all)), named: map[manifest.Ref][]int{}}
	for i, r := range all {
		l.at[r.ref] = i
		res, known := w.before(r.ref)
		if !known {
			if r.extra == nil || outlives(r.ref.Kind) { // another goes with what it is on
				rank := removalRank(r.ref.Kind)
				l.loose[rank] = append(l.loose[rank], i)
			}
			continue
		}
		if res.Parent != (manifest.Ref{}) && !standsAlone(r.ref) {
			l.name(res.Parent, i)
		}
		for _, ref := range res.Refs {
			l.name(ref, i)
		}
	}
	return l
}

// name notes that the removal at i needs ref, unless it goes with it.
func (l *leaving) name(ref manifest.Ref, i int) {
	r, named := l.all[i], l.named[ref]
	if ref == r.ref || r.parent == ref && !outlives(r.ref.Kind) || len(named) > 0 && named[len(named)-1] == i {
		return
	}
	l.named[ref] = append(named, i)
}

// removal is that of ref, if it goes.
func (l *leaving) removal(ref manifest.Ref) (removal, bool) {
	i, ok := l.at[ref]
	if !ok {
		return removal{}, false
	}
	return l.all[i], true
}

// needers are removals that have to be over before r can go, in their order.
func (l *leaving) needers(r removal) []manifest.Ref {
	places := slices.Clone(l.named[r.ref])
	for _, loose := range l.loose[:removalRank(r.ref.Kind)] {
		for _, i := range loose {
			if l.holds(i, r) {
				places = append(places, i)
			}
		}
	}
	slices.Sort(places)
	var refs []manifest.Ref
	for _, i := range places {
		refs = append(refs, l.all[i].ref)
	}
	return refs
}

// needed: something has to be over before r can go.
func (l *leaving) needed(r removal) bool {
	if len(l.named[r.ref]) > 0 {
		return true
	}
	for _, loose := range l.loose[:removalRank(r.ref.Kind)] {
		if slices.ContainsFunc(loose, func(i int) bool { return l.holds(i, r) }) {
			return true // the first does, but for those on r itself
		}
	}
	return false
}

// holds: what nobody declared is not on r, which it would go with.
func (l *leaving) holds(i int, r removal) bool {
	return l.all[i].parent != r.ref || outlives(l.all[i].ref.Kind)
}
