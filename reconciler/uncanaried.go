package reconciler

import (
	"fmt"

	"mooring.dev/policy"
	"mooring.dev/reconciler/plan"
	"mooring.dev/sources/manifest"
)

// codeNotCanaried is the finding about a release that was to move in stages, and
// cannot.
const codeNotCanaried = "not_canaried"

// movesAtOnce is why all that changes in a release moves at once although it is
// to move in stages; "" where it does not, or is not to.
func (p *pass) movesAtOnce(rel *manifest.Release) (why string, err error) {
	in, err := p.input(rel, p.st.Rollout)
	if err != nil {
		return "", err
	}
	if why = plan.Blind(in); why == "" || len(p.ladder(rel, plan.Changing(in)).Stages) < 2 {
		return "", nil
	}
	return why, nil
}

// seenToMove is a decision about a release that moves at once against what it
// says: where the environment is protected, somebody has to have seen that.
func (p *pass) seenToMove(d policy.Decision) policy.Decision {
	if p.atOnce == "" || !p.spec.Protected || d.Outcome != policy.Allow && d.Outcome != policy.Hold {
		return d
	}
	d.Allowed = d.Allowed || d.Outcome == policy.Allow
	d.Outcome = policy.Hold
	d.Findings = append(d.Findings[:len(d.Findings):len(d.Findings)], policy.Finding{
		Code: codeNotCanaried, Level: "require", Msg: fmt.Sprintf("not canaried: %s: what changes gets all its calls at once, and somebody has to approve that", p.atOnce),
		Details: map[string]any{"kind": "approval", "need": 1},
	})
	return d
}
