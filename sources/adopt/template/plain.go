package template

import (
	"fmt"
	"maps"
	"slices"

	"mooring.dev/sources/manifest"
)

// queueMembers are the properties of a queue that a manifest has under the
// same name, with what they are made into.
var queueMembers = map[string]func(map[string]any, string){
	"VisibilityTimeout": whole, "MessageRetentionPeriod": whole, "DelaySeconds": whole, "MaximumMessageSize": whole,
	"ReceiveMessageWaitTimeSeconds": whole, "KmsDataKeyReusePeriodSeconds": whole, "FifoQueue": truth, "ContentBasedDeduplication": truth,
	"SqsManagedSseEnabled": truth, "DeduplicationScope": nil, "FifoThroughputLimit": nil, "KmsMasterKeyId": nil,
}

func (r *reader) role(id string, p map[string]any) {
	d := r.begin(id, manifest.KindRole)
	r.members(d, p, map[string]func(map[string]any, string){
		"Description": nil, "Path": nil, "MaxSessionDuration": whole, "PermissionsBoundary": nil, "ManagedPolicyArns": nil,
	}, "RoleName", "AssumeRolePolicyDocument", "Policies", "Tags")
	if trust, ok := r.value(d, "AssumeRolePolicyDocument", p["AssumeRolePolicyDocument"]).(map[string]any); ok {
		d.Spec["assumeRolePolicy"] = trust
	}
	policies := map[string]any{}
	for i, x := range items(p["Policies"]) {
		if x == nil {
			continue
		}
		policy, _ := r.value(d, fmt.Sprintf("Policies[%d]", i), x).(map[string]any)
		name, _ := policy["PolicyName"].(string)
		document, ok := policy["PolicyDocument"].(map[string]any)
		if name == "" || !ok {
			d.Leave("Policies[%d]: its name or its document is not known", i)
			continue
		}
		policies[name] = document
	}
	if len(policies) > 0 {
		d.Spec["inlinePolicies"] = policies
	}
}

// inlinePolicy is AWS::IAM::Policy: a policy of the roles it names.
func (r *reader) inlinePolicy(id string, p map[string]any) {
	addresses, _ := r.resolver.resolve(p["Roles"])
	taken := false
	for _, x := range items(addresses) {
		address, _ := x.(string)
		d := r.byAddress(address, manifest.KindRole)
		if d == nil {
			continue
		}
		name := r.text(d, id+".PolicyName", p["PolicyName"])
		if document, ok := r.value(d, id+".PolicyDocument", p["PolicyDocument"]).(map[string]any); ok && name != "" {
			r.part(d, "inlinePolicies")[name], taken = document, true
		}
	}
	if !taken {
		r.skip(id, "AWS::IAM::Policy", "the role it is of is not in the template")
	}
}

// members carries properties over, and the tags; others are noted.
func (r *reader) members(d *manifest.Draft, p map[string]any, carried map[string]func(map[string]any, string), otherwise ...string) {
	for _, key := range slices.Sorted(maps.Keys(p)) {
		form, known := carried[key]
		switch {
		case known:
			if v := r.value(d, key, p[key]); v != nil {
				d.Spec[small(key)] = v
				if form != nil {
					form(d.Spec, small(key))
				}
			}
		case !slices.Contains(otherwise, key):
			d.Leave("%s: not carried over", key)
		}
	}
	if tags := r.tags(d, p["Tags"]); len(tags) > 0 {
		d.Spec["tags"] = tags
	}
}
