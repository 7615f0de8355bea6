package aws

import (
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// switchRole looks at the role that dead man's switches act as.
func (p *Provider) switchRole(ctx context.Context, want []manifest.Resource) *providers.SwitchRole {
	declared := p.o.Deadman.Role
	out := &providers.SwitchRole{Declared: declared}
	name := nameOfARN(declared)
	if strings.HasPrefix(declared, manifest.KindRole+"/") {
		i := slices.IndexFunc(want, func(r manifest.Resource) bool { return r.Ref.String() == declared })
		if i < 0 {
			return out
		}
		out.Found, name = true, want[i].Physical
	}
	role, err := p.front.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isAbsent(err) {
		return out
	}
	if err != nil {
		out.Err = classify(err)
		return out
	}
	out.Found, out.ARN = true, awssdk.ToString(role.Role.Arn)
	out.Trusted = trusts(awssdk.ToString(role.Role.AssumeRolePolicyDocument), "scheduler.amazonaws.com")
	out.May, out.Unasked = p.mayTakeBack(ctx, out.ARN, want)
	return out
}

// trusts: a trust policy lets a service take a role on, as far as can be told
// without a request.
func trusts(document, service string) bool {
	policy, err := parsePolicy(document)
	if err != nil {
		return false
	}
	trusted := false
	for _, s := range statementsOf(policy["Statement"]) {
		principal, _ := s["Principal"].(map[string]any)
		if !slices.Contains(textsIn(principal["Service"]), service) || !slices.ContainsFunc(textsIn(s["Action"]), func(a string) bool {
			return a == "*" || strings.EqualFold(a, "sts:*") || strings.EqualFold(a, "sts:AssumeRole")
		}) {
			continue
		}
		if s["Effect"] == "Deny" {
			return false
		}
		trusted = true
	}
	return trusted
}

// textsIn is IAM's "one or many".
func textsIn(v any) []string {
	if one, ok := v.(string); ok {
		return []string{one}
	}
	var out []string
	list, _ := v.([]any)
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// mayTakeBack asks IAM itself whether the role may move the first alias of
// each kind there is.
func (p *Provider) mayTakeBack(ctx context.Context, role string, want []manifest.Resource) ([]providers.SwitchRight, error) {
	var out []providers.SwitchRight
	asked := map[string]int{} // the kinds, and where in out
	for _, res := range want {
		if !manifest.AliasKind(res.Ref.Kind) {
			continue
		}
		account, err := p.account(ctx, p.front)
		if err != nil {
			return nil, err
		}
		action, on := "lambda:UpdateAlias", p.functionIn(account, res.Physical)
		if res.Ref.Kind == manifest.KindWorkflowAlias {
			action, on = "states:UpdateStateMachineAlias", p.machineIn(account, res.Physical)+":"+res.Key
		}
		if i, ok := asked[res.Ref.Kind]; ok {
			out[i].Every = append(out[i].Every, on)
			continue
		}
		asked[res.Ref.Kind] = len(out)
		result, err := p.front.iam.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: &role, ActionNames: []string{action}, ResourceArns: []string{on},
		})
		if err != nil {
			return nil, classify(err)
		}
		may := len(result.EvaluationResults) > 0 && result.EvaluationResults[0].EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed
		out = append(out, providers.SwitchRight{Action: action, On: on, May: may, Every: []string{on}})
	}
	return out, nil
}

func (p *Provider) functionIn(account, physical string) string {
	return "arn:" + manifest.Partition(p.o.Config.Region) + ":lambda:" + p.o.Config.Region + ":" + account + ":function:" + physical
}
