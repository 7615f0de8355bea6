package reconciler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// codeForeignOwner is the finding about what another environment owns.
const codeForeignOwner = "foreign_owner"

// trespass is what a release declares and another environment owns. Whoever may
// write one environment's branch does not reach another's resources by their
// names: such a release does not come in, whatever policy says. The planner
// would not write to them either, but by then the rest of it would have come.
func (p *pass) trespass(rel *manifest.Release) ([]policy.Finding, error) {
	in, err := p.input(rel, rollout.State{})
	if err != nil {
		return nil, err
	}
	var out []policy.Finding
	elsewhere := plan.Elsewhere(in)
	for _, ref := range slices.SortedFunc(maps.Keys(elsewhere), manifest.Ref.Compare) {
		out = append(out, policy.Finding{Code: codeForeignOwner, Level: "deny", Resource: ref.String(), Msg: fmt.Sprintf("%s is %s: give it another name, or take it out", ref, whose(elsewhere[ref]))})
	}
	return out, nil
}

func whose(o providers.Owner) string {
	return strings.Join(strings.Fields(o.Resource+" of "+o.Pipeline+"/"+o.Environment), " ")
}

// withTrespass is a decision with what another environment owns beside it.
func (p *pass) withTrespass(rel *manifest.Release, d policy.Decision) policy.Decision {
	found, err := p.trespass(rel)
	if err != nil || len(found) == 0 {
		return d // the road was told of such an error
	}
	return stricter(d, policy.Decision{ID: d.ID, Point: d.Point, Outcome: policy.Deny, Findings: found})
}
