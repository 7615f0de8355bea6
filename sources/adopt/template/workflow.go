package template

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// stateMachine is AWS::StepFunctions::StateMachine.
func (r *reader) stateMachine(id string, p map[string]any) { r.machine(id, p) }

// samStateMachine is the same with a role made of policies, and events.
func (r *reader) samStateMachine(id string, own map[string]any) {
	p := r.with("StateMachine", own)
	body := maps.Clone(p)
	for from, to := range map[string]string{"Type": "StateMachineType", "Name": "StateMachineName", "Role": "RoleArn", "Logging": "LoggingConfiguration", "Tracing": "TracingConfiguration"} {
		if v, there := body[from]; there {
			body[to] = v
			delete(body, from)
		}
	}
	if r.machine(id, body) == nil {
		return
	}
	d := r.drafts[id]
	if p["Role"] == nil {
		d.Spec["role"] = r.rolePolicies(d, p)
	}
	if alias := r.text(d, "AutoPublishAlias", p["AutoPublishAlias"]); alias != "" {
		d.Spec["alias"] = alias
	}
	if preference, ok := r.value(d, "DeploymentPreference", p["DeploymentPreference"]).(map[string]any); ok {
		d.Leave("DeploymentPreference (%v): not carried over; see rollout", preference["Type"])
	}
	if events, ok := p["Events"].(map[string]any); ok {
		r.waiting = append(r.waiting, samEvents{id, d, events})
	}
}

// machine drafts a state machine; nil, and listed, when its definition is not
// known.
func (r *reader) machine(id string, p map[string]any) *manifest.Draft {
	d := r.begin(id, manifest.KindWorkflow)
	definition, why := r.definition(d, p)
	if why != "" {
		delete(r.drafts, id)
		r.skip(id, r.resources[id].kind, why)
		return nil
	}
	d.Spec["definition"], d.Spec["alias"], d.Beside = definition, "none", "asl.json"
	if kind := r.text(d, "StateMachineType", p["StateMachineType"]); kind != "" {
		d.Spec["type"] = kind
	}
	if arn, ok := r.value(d, "RoleArn", p["RoleArn"]).(string); ok {
		d.Spec["role"] = map[string]any{"arn": arn}
	}
	for _, key := range []string{"LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration"} {
		if v, ok := lowered(r.value(d, key, p[key])).(map[string]any); ok {
			truth(v, "enabled")
			truth(v, "includeExecutionData")
			whole(v, "kmsDataKeyReusePeriodSeconds")
			d.Spec[small(key)] = v
		}
	}
	if tags := r.tags(d, p["Tags"]); len(tags) > 0 {
		d.Spec["tags"] = tags
	}
	for _, key := range slices.Sorted(maps.Keys(p)) {
		if !slices.Contains(machineKeys, key) {
			d.Leave("%s: not carried over", key)
		}
	}
	return d
}

// machineKeys are the properties of state machines that are read.
var machineKeys = []string{
	"StateMachineName", "StateMachineType", "RoleArn", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration", "Tags",
	"Definition", "DefinitionString", "DefinitionUri", "DefinitionSubstitutions", "Events", "Policies", "AutoPublishAlias",
	"DeploymentPreference", "PermissionsBoundary",
}

// definition is the state machine, its substitutions filled in; why is set when
// it is not known whole.
func (r *reader) definition(d *manifest.Draft, p map[string]any) (map[string]any, string) {
	var raw any
	switch uri := r.resolver.eval(p["DefinitionUri"], 0).(type) {
	case string:
		doc, err := r.file(uri)
		if err != nil {
			return nil, "its definition cannot be read: " + err.Error()
		}
		raw = doc
	case map[string]any:
		return nil, "its definition is in a bucket"
	default:
		raw = p["Definition"]
	}
	substitutions, _ := p["DefinitionSubstitutions"].(map[string]any)
	values := map[string]any{}
	for name, x := range substitutions {
		values[name] = r.resolver.eval(x, 0)
	}
	if p["DefinitionString"] != nil {
		text, why := plain(r.resolver.eval(p["DefinitionString"], 0))
		if why != nil {
			return nil, "its definition (DefinitionString) " + why.(unknown).why
		}
		doc, err := parse(d.Name+".DefinitionString", []byte(text))
		if err != nil {
			return nil, "its definition is no JSON"
		}
		raw = doc
	} else if p["Definition"] != nil && p["DefinitionUri"] == nil {
		raw = r.resolver.eval(raw, 0)
	}
	var problems []problem
	out, _ := clean(r.substituted(raw, values), "", &problems).(map[string]any)
	if len(problems) > 0 {
		return nil, "its definition is not known whole: " + strings.TrimPrefix(problems[0].path, ".") + " " + problems[0].why
	}
	if out == nil {
		return nil, "it has no definition"
	}
	return out, ""
}

// substituted fills ${names} in. What is not among values stays: it may be the
// state machine's own.
func (r *reader) substituted(x any, values map[string]any) any {
	switch x := x.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for key, value := range x {
			out[key] = r.substituted(value, values)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = r.substituted(x[i], values)
		}
		return out
	case nil:
		return null{}
	case string:
		if m := placeholder.FindStringSubmatch(x); m != nil && m[0] == x {
			if v, ok := values[m[2]]; ok {
				return v
			}
			return x
		}
		var missing any
		text := placeholder.ReplaceAllStringFunc(x, func(at string) string {
			v, ok := values[placeholder.FindStringSubmatch(at)[2]]
			if !ok {
				return at
			}
			part, why := r.resolver.part(v)
			if why != nil {
				missing = why
			}
			return part
		})
		if missing != nil {
			return missing
		}
		return text
	}
	return x
}

// file reads a document beside the template.
func (r *reader) file(name string) (map[string]any, error) {
	name = path.Clean(strings.TrimPrefix(name, "./"))
	if r.o.Tree == nil || !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s is not beside the template", name)
	}
	file, err := r.o.Tree.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: there is no such file beside the template", name)
	}
	defer func() { _ = file.Close() }() // it is only read
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parse(name, data)
}

func (r *reader) machineAlias(id string, p map[string]any) {
	routing, _ := r.resolver.resolve(p["RoutingConfiguration"])
	version := ""
	for _, x := range items(routing) {
		if item, ok := x.(map[string]any); ok {
			version, _ = item["StateMachineVersionArn"].(string)
		}
	}
	if preference, ok := p["DeploymentPreference"].(map[string]any); ok && version == "" {
		v, _ := r.resolver.resolve(preference["StateMachineVersionArn"])
		version, _ = v.(string)
	}
	of := r.resources[strings.TrimPrefix(version, innerAddress)].properties["StateMachineArn"]
	address, _ := plainAddress(r.resolver.eval(of, 0))
	d := r.byAddress(address, manifest.KindWorkflow)
	if d == nil {
		r.skip(id, "AWS::StepFunctions::StateMachineAlias", "its state machine is not in the template")
		return
	}
	d.Spec["alias"] = "live"
	if name := r.text(d, id+".Name", p["Name"]); name != "" {
		d.Spec["alias"] = name
	}
	if description := r.text(d, id+".Description", p["Description"]); description != "" {
		d.Spec["aliasDescription"] = description
	}
}
