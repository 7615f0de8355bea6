package diagnose

import (
	"strings"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// switchDocs is where the role of dead man's switches is written down.
const switchDocs = "docs/security.md, \"The role of the dead man's switch\""

// inlineMost is what all inline policies of a role may have together.
const inlineMost = 10_240

// OfSwitchRole judges the role that dead man's switches act as. A switch that
// cannot act is none.
func OfSwitchRole(at Place, e manifest.Environment, r *providers.SwitchRole) Check {
	s := subject{"deadman", e.Name}
	if r == nil {
		return s.skipped("the account was not reached")
	}
	switch {
	case r.Err != nil && providers.KindOf(r.Err) == providers.Denied:
		return s.warning("allow iam:GetRole on it; the command prints the policy", "the role %s may not be looked at: %v", r.Declared, r.Err).by(at.mooring("iam --environment " + e.Name))
	case r.Err != nil:
		return s.warning("try again", "the role %s could not be looked at: %v", r.Declared, r.Err)
	case !r.Found && strings.HasPrefix(r.Declared, manifest.KindRole+"/"):
		return s.fault("declare it ("+switchDocs+"), or correct rollout.deadman.role", "there is no role %s, and no traffic moves without it", r.Declared)
	case !r.Found:
		return s.fault("correct rollout.deadman.role, or make the role ("+switchDocs+")", "there is no role %s, and no traffic moves without it", r.Declared).
			by(aws("", "iam", "create-role", "--role-name", roleName(r.Declared), "--assume-role-policy-document", switchTrust))
	case r.ARN == "":
		return s.skipped("%s is declared, and not made yet: a release makes it before its traffic moves", r.Declared)
	case !r.Trusted:
		return s.fault("let the service scheduler.amazonaws.com take it on ("+switchDocs+"); the command lets nobody else", "EventBridge Scheduler may not take on %s, and no traffic moves", r.ARN).
			by(aws("", "iam", "update-assume-role-policy", "--role-name", roleName(r.ARN), "--policy-document", switchTrust))
	}
	for _, right := range r.May {
		if !right.May {
			c := s.fault("allow it in the role's policy ("+switchDocs+")", "%s may not call %s on %s: the switch would not act", r.ARN, right.Action, right.On)
			allow := switchPolicy(r.May)
			if len(allow) > inlineMost {
				return c
			}
			return c.by(aws("", "iam", "put-role-policy", "--role-name", roleName(r.ARN), "--policy-name", "mooring-deadman", "--policy-document", allow))
		}
	}
	if r.Unasked != nil {
		return s.warning("allow iam:SimulatePrincipalPolicy; the command prints the policy", "%s is there and trusted; what it may do could not be asked: %v", r.ARN, r.Unasked).
			by(at.mooring("iam --environment " + e.Name))
	}
	return s.ok("%s may take traffic back once nobody looks after a release for %s", r.ARN, e.Rollout.Deadman.Delay())
}

const switchTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// switchPolicy lets a role move every alias that a switch may have to.
func switchPolicy(rights []providers.SwitchRight) string {
	var all []any
	for _, r := range rights {
		all = append(all, map[string]any{"Effect": "Allow", "Action": r.Action, "Resource": r.Every})
	}
	return document(all...)
}

func roleName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
