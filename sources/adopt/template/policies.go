package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// rolePolicies is a role made of what SAM calls policies: documents, managed
// ones, and templates.
func (r *reader) rolePolicies(d *manifest.Draft, p map[string]any) map[string]any {
	role := map[string]any{}
	var statements, managed []any
	policies, isList := p["Policies"].([]any)
	if !isList && p["Policies"] != nil {
		policies = []any{p["Policies"]}
	}
	for i, x := range policies {
		at := fmt.Sprintf("Policies[%d]", i)
		switch v := r.value(d, at, x).(type) {
		case string:
			if !strings.HasPrefix(v, "arn:") {
				v = managedPolicy(v)
			}
			managed = append(managed, v)
		case map[string]any:
			if s, ok := v["Statement"]; ok {
				statements = append(statements, items(s)...)
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(v)) {
				parameters, _ := v[name].(map[string]any)
				made, why := r.policyTemplate(name, parameters)
				if why != "" {
					d.Leave("%s: SAM's policy template %s %s; write what it allows as statements of the role", at, name, why)
				}
				statements = append(statements, made...)
			}
		}
	}
	if len(statements) > 0 {
		role["statements"] = statements
	}
	if len(managed) > 0 {
		role["managedPolicyArns"] = managed
	}
	if trust, ok := r.value(d, "AssumeRolePolicyDocument", p["AssumeRolePolicyDocument"]).(map[string]any); ok {
		role["assumeRolePolicy"] = trust
	}
	if boundary := r.text(d, "PermissionsBoundary", p["PermissionsBoundary"]); boundary != "" {
		role["permissionsBoundary"] = boundary
	}
	return role
}

// policyTemplate is what one of SAM's templates allows, of the things its
// parameters name; why is set when some of it cannot be said.
func (r *reader) policyTemplate(name string, parameters map[string]any) (statements []any, why string) {
	lines, known := policyTemplates[name]
	if !known {
		return nil, "is not known"
	}
	for _, line := range lines {
		places, actions, _ := strings.Cut(line, " > ")
		statement := map[string]any{"Effect": "Allow", "Action": anyFields(actions)}
		var resources []any
		for _, place := range strings.Fields(places) {
			place, condition, conditional := strings.Cut(place, "|")
			resource, problem := r.place(place, parameters)
			if conditional && problem == "" {
				var holds any
				key, of, _ := strings.Cut(condition, "=")
				holds, problem = r.place(of, parameters)
				statement["Condition"] = map[string]any{"StringEquals": map[string]any{key: holds}}
			}
			if problem != "" {
				why = problem
				continue
			}
			resources = append(resources, resource)
		}
		if len(resources) > 0 {
			statement["Resource"] = resources
			statements = append(statements, statement)
		}
	}
	return statements, why
}

func anyFields(text string) []any {
	var out []any
	for _, word := range strings.Fields(text) {
		out = append(out, word)
	}
	return out
}

// place is a resource of a policy template: service:rest in the account and
// region, service:::rest in none, a whole ARN, or *.
func (r *reader) place(pattern string, parameters map[string]any) (resource any, why string) {
	if pattern == "*" {
		return "*", ""
	}
	service, rest, _ := strings.Cut(pattern, ":")
	out, located := "arn:aws:"+service+":", true
	switch global, ok := strings.CutPrefix(rest, "::"); {
	case rest == "":
		out, rest = "", pattern
	case ok:
		out, rest = out+"::", global
	default:
		located = r.o.Region != "" && r.o.Account != ""
		out += r.o.Region + ":" + r.o.Account + ":"
	}
	for before, after, open := strings.Cut(rest, "{"); open; before, after, open = strings.Cut(rest, "{") {
		name, tail, _ := strings.Cut(after, "}")
		value, isText := parameters[name].(string)
		if !isText {
			return nil, "is told no " + name + " that is known"
		}
		if d := r.namedBy(value); d != nil {
			if tail == "" && (before == "" || before == "table/") && r.whole(d) {
				return d.Addresses["arn"], ""
			}
			if value = r.resolver.literals[value]; value == "" {
				return nil, "names what is part of " + d.Ref().String() + ", whose name is not given"
			}
		}
		if isAddress(value) {
			return nil, "names what is not known before a deployment"
		}
		out, rest = out+before+value, tail
	}
	if !located {
		return nil, "names things of an account that is not known: give --account"
	}
	return out + rest, ""
}

// namedBy is the draft an address of the template stands for.
func (r *reader) namedBy(address string) *manifest.Draft {
	if !strings.HasPrefix(address, adoptPlaceholder) {
		return nil
	}
	return r.byAddress(address, manifest.KindFunction, manifest.KindQueue, manifest.KindTopic, manifest.KindTable, manifest.KindBucket,
		manifest.KindWorkflow, manifest.KindLogGroup)
}

// whole: a reference may stand for the thing in a policy document.
func (r *reader) whole(d *manifest.Draft) bool {
	return slices.Contains([]string{manifest.KindQueue, manifest.KindTopic, manifest.KindTable, manifest.KindBucket}, d.Kind)
}

// serviceRoles are AWS's policies that stand below service-role/.
var serviceRoles = []string{
	"AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSLambdaSQSQueueExecutionRole", "AWSLambdaDynamoDBExecutionRole",
	"AWSLambdaKinesisExecutionRole", "AWSLambdaMSKExecutionRole", "AWSLambdaENIManagementAccess", "AWSLambdaRole",
}

// managedPolicy is the ARN of a policy that SAM lets people name shortly.
func managedPolicy(name string) string {
	if slices.Contains(serviceRoles, name) {
		return "arn:aws:iam::aws:policy/service-role/" + name
	}
	return "arn:aws:iam::aws:policy/" + name
}
