package plan

import (
	"cmp"
	"slices"

	"mooring.dev/sources/manifest"
)

// waves puts what goes in order: all of one wave may go at once. What invokes
// goes before anything else, though it be named by what it invokes, and nothing
// else before what needs it.
func (d *destruction) waves() [][]removal {
	o := d.ordering()
	var waves [][]removal
	for len(o.open) > 0 {
		ready := o.ready()
		if slices.ContainsFunc(ready, o.source) {
			ready = slices.DeleteFunc(ready, func(i int) bool { return !o.source(i) })
		}
		slices.SortStableFunc(ready, func(i, j int) int {
			a, b := o.left.all[i].ref, o.left.all[j].ref
			return cmp.Or(removalRank(a.Kind)-removalRank(b.Kind), a.Compare(b))
		})
		waves = append(waves, o.take(ready))
	}
	return waves
}

// ordering is what is in no wave yet, and what keeps it from the next. Places
// are those in left.all.
type ordering struct {
	left  *leaving
	open  []int                  // in no wave yet
	goes  []bool                 // by place: with something else, by itself
	on    map[manifest.Ref][]int // what goes with a ref
	needs [][]int                // by place: the places of what it needs
	after []int                  // by place: how many of open need it
	loose [rankLast + 1]int      // how many of open nobody declared, by rank
}

func (d *destruction) ordering() *ordering {
	n := len(d.left)
	o := &ordering{left: d.leaving(d.left), goes: make([]bool, n), on: map[manifest.Ref][]int{}, needs: make([][]int, n), after: make([]int, n)}
	for i, r := range d.left {
		o.open = append(o.open, i)
		if with := d.with(r); with != (manifest.Ref{}) {
			o.goes[i], o.on[with] = true, append(o.on[with], i)
		}
		for _, needer := range o.left.named[r.ref] {
			o.needs[needer] = append(o.needs[needer], i)
			o.after[i]++
		}
	}
	for rank, places := range o.left.loose {
		o.loose[rank] = len(places)
	}
	return o
}

func (o *ordering) source(i int) bool { return invokes(o.left.all[i]) }

// ready is what nothing of the rest keeps. Of what needs each other one has to
// be first.
func (o *ordering) ready() []int {
	var ready, standing []int
	for _, i := range o.open {
		if o.goes[i] {
			continue
		}
		standing = append(standing, i)
		if o.source(i) || o.after[i] == 0 && !o.kept(i) {
			ready = append(ready, i)
		}
	}
	if len(ready) == 0 {
		ready = standing[:min(1, len(standing))]
	}
	return ready
}

// kept: something that nobody declared is of a kind that goes before.
func (o *ordering) kept(i int) bool {
	return slices.ContainsFunc(o.loose[:removalRank(o.left.all[i].ref.Kind)], func(n int) bool { return n > 0 })
}

// take makes a wave of these and of what goes with them; of all that is left,
// where there is nothing but what goes with something.
func (o *ordering) take(ready []int) []removal {
	var places []int
	for _, i := range ready {
		places = append(append(places, i), o.on[o.left.all[i].ref]...)
	}
	if len(ready) == 0 {
		places = slices.Clone(o.open)
	}
	wave, taken := make([]removal, 0, len(places)), map[int]bool{}
	for _, i := range places {
		wave, taken[i] = append(wave, o.left.all[i]), true
		for _, needed := range o.needs[i] {
			o.after[needed]--
		}
	}
	for rank, places := range o.left.loose {
		for _, i := range places {
			if taken[i] {
				o.loose[rank]--
			}
		}
	}
	o.open = slices.DeleteFunc(o.open, func(i int) bool { return taken[i] })
	return wave
}
