package diagnose

import (
	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// switchDocs is where the role of dead man's switches is written down.
const switchDocs = "docs/security.md, \"The role of the dead man's switch\""

// OfSwitchRole judges the role that dead man's switches act as. A switch that
// cannot act is none.
func OfSwitchRole(e manifest.Environment, r *providers.SwitchRole) Check {
	s := subject{"deadman", e.Name}
	if r == nil {
		return s.skipped("the account was not reached")
	}
	switch {
	case r.Err != nil && providers.KindOf(r.Err) == providers.Denied:
		return s.warning("allow iam:GetRole on it; `mooring iam --environment "+e.Name+"`", "the role %s may not be looked at: %v", r.Declared, r.Err)
	case r.Err != nil:
		return s.warning("try again", "the role %s could not be looked at: %v", r.Declared, r.Err)
	case !r.Found:
		return s.fault("declare it, or make it ("+switchDocs+"), or correct rollout.deadman.role", "there is no role %s, and no traffic moves without it", r.Declared)
	case r.ARN == "":
		return s.skipped("%s is declared, and not made yet: a release makes it before its traffic moves", r.Declared)
	case !r.Trusted:
		return s.fault("name the service scheduler.amazonaws.com in its trust policy ("+switchDocs+")", "EventBridge Scheduler may not take on %s, and no traffic moves", r.ARN)
	}
	for _, right := range r.May {
		if !right.May {
			return s.fault("allow it in the role's policy ("+switchDocs+")", "%s may not call %s on %s: the switch would not act", r.ARN, right.Action, right.On)
		}
	}
	if r.Unasked != nil {
		return s.warning("allow iam:SimulatePrincipalPolicy; `mooring iam --environment "+e.Name+"`", "%s is there and trusted; what it may do could not be asked: %v", r.ARN, r.Unasked)
	}
	return s.ok("%s may take traffic back once nobody looks after a release for %s", r.ARN, e.Rollout.Deadman.Delay())
}
