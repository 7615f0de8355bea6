package web

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// driftPerPage is how many differences a page of them shows, each with the
// forms that answer it.
const driftPerPage = 20

// DriftPage is some differences of an environment, the worst first.
type DriftPage struct {
	Items             []DriftItem
	Total, Page, Last int // pages count from 1
}

// differences are an environment's, and what is made of all of them.
type differences struct {
	Drift
	troubles []Trouble
	worst    []int // the places of items, the worst first
}

func differencesOf(d Drift) *differences {
	out := &differences{Drift: d, troubles: driftTroubles(d), worst: make([]int, len(d.Items))}
	for i := range out.worst {
		out.worst[i] = i
	}
	rank := map[string]int{"critical": 0, "high": 1, "medium": 2, "low": 3}
	slices.SortFunc(out.worst, func(i, j int) int {
		a, b := &d.Items[i], &d.Items[j]
		return cmp.Or(rank[a.Severity]-rank[b.Severity], a.Since.Compare(b.Since), i-j)
	})
	return out
}

// page is the page numbered drift=, or the one with item=.
func (d *differences) page(number, item string) DriftPage {
	p := DriftPage{Total: len(d.Items), Page: 1, Last: max(1, (len(d.Items)+driftPerPage-1)/driftPerPage)}
	if at := slices.IndexFunc(d.worst, func(i int) bool { return d.Items[i].ID == item }); item != "" && at >= 0 {
		p.Page = at/driftPerPage + 1
	} else if _, err := fmt.Sscanf(number, "%d", &p.Page); err != nil || p.Page < 1 {
		p.Page = 1
	}
	p.Page = min(p.Page, p.Last)
	for _, i := range d.worst[(p.Page-1)*driftPerPage : min(len(d.Items), p.Page*driftPerPage)] {
		p.Items = append(p.Items, d.Items[i])
	}
	return p
}

// drifts keeps the differences of each environment until there are others: many
// may look at the same ones.
type drifts struct {
	mu sync.Mutex
	of map[string]*differences
}

func (k *drifts) differences(environment string, d Drift) *differences {
	k.mu.Lock()
	defer k.mu.Unlock()
	if is := k.of[environment]; is != nil && len(d.Items) > 0 && len(is.Items) == len(d.Items) && &is.Items[0] == &d.Items[0] {
		return &differences{Drift: d, troubles: is.troubles, worst: is.worst}
	}
	if k.of == nil {
		k.of = map[string]*differences{}
	}
	k.of[environment] = differencesOf(d)
	return k.of[environment]
}

// Blind is why things cannot be seen, and which.
type Blind struct {
	Why   string
	Count int
	First []string
}

// blind are the things that cannot be seen, those with one reason together.
func blind(all []Unobservable) []Blind {
	var out []Blind
	at := map[string]int{}
	for _, u := range all {
		i, known := at[u.Why]
		if !known {
			i = len(out)
			at[u.Why], out = i, append(out, Blind{Why: u.Why})
		}
		if out[i].Count++; len(out[i].First) < 3 {
			out[i].First = append(out[i].First, u.Path)
		}
	}
	slices.SortStableFunc(out, func(a, b Blind) int { return b.Count - a.Count })
	return out
}
