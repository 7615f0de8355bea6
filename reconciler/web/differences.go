package web

import (
	"cmp"
	"fmt"
	"slices"
)

// driftPerPage is how many differences a page of them shows, each with the
// forms that answer it.
const driftPerPage = 20

// DriftPage is some differences of an environment, the worst first.
type DriftPage struct {
	Items             []DriftItem
	Total, Page, Last int // pages count from 1
}

// driftPage is the page numbered drift=, or the one with item=.
func driftPage(items []DriftItem, number, item string) DriftPage {
	rank := map[string]int{"critical": 0, "high": 1, "medium": 2, "low": 3}
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b DriftItem) int { return cmp.Or(rank[a.Severity]-rank[b.Severity], a.Since.Compare(b.Since)) })
	p := DriftPage{Total: len(items), Page: 1, Last: max(1, (len(items)+driftPerPage-1)/driftPerPage)}
	if at := slices.IndexFunc(items, func(it DriftItem) bool { return it.ID == item }); at >= 0 {
		p.Page = at/driftPerPage + 1
	} else if _, err := fmt.Sscanf(number, "%d", &p.Page); err != nil || p.Page < 1 {
		p.Page = 1
	}
	p.Page = min(p.Page, p.Last)
	p.Items = items[(p.Page-1)*driftPerPage : min(len(items), p.Page*driftPerPage)]
	return p
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
