package policy

import (
	"encoding/json"
	"math"
)

// PeopleNeeded tells how many people's approval a finding asks for (at least one),
// and whether it leaves the counting to whoever asked policy: a requirement of
// kind approval without `have`, or at a point where policy is not told of
// approvals.
func (f Finding) PeopleNeeded(counts bool) (need int, ours bool) {
	details, ok := f.Details.(map[string]any)
	if f.Level != "require" || !ok || details["kind"] != "approval" {
		return 0, false
	}
	if _, told := details["have"]; told && counts {
		return 0, false
	}
	return max(1, whole(details["need"])), true
}

// whole reads a number as it comes out of an engine or out of JSON.
func whole(v any) int {
	switch n := v.(type) {
	case json.Number:
		i, err := n.Int64()
		if err != nil {
			return math.MaxInt // more than anybody can bring together
		}
		return int(min(i, math.MaxInt32))
	case float64:
		return int(min(n, math.MaxInt32))
	case int:
		return n
	case int64:
		return int(min(n, math.MaxInt32))
	}
	return 0
}

// Settle takes the requirements that people have met out of a decision. Only a
// hold can become an allow by it, and only one that policy allowed otherwise:
// approval is a condition and no permission.
func (d Decision) Settle(met func(Finding) bool) Decision {
	kept := make([]Finding, 0, len(d.Findings))
	open := false
	for _, f := range d.Findings {
		if f.Level == "require" && met(f) {
			continue
		}
		open = open || f.Level == "require" || f.Level == "deny" || f.Level == "error"
		kept = append(kept, f)
	}
	if len(kept) == len(d.Findings) {
		return d
	}
	d.Findings = kept
	if d.Outcome == Hold && !open && d.Allowed {
		d.Outcome = Allow
	}
	return d
}
