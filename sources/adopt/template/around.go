package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// mapped are members of an event source mapping that triggers have too.
var mapped = []string{
	"BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "Enabled", "KmsKeyArn", "StartingPosition",
	"ParallelizationFactor", "BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "TumblingWindowInSeconds",
}

// trigger makes a trigger of a mapping's members.
func (r *reader) trigger(d *manifest.Draft, key, form string, source any, body map[string]any) bool {
	address, ok := source.(string)
	if !ok {
		return false
	}
	t := map[string]any{form: address}
	for _, name := range mapped {
		if v, there := body[name]; there {
			t[small(name)] = v
			whole(t, small(name))
			truth(t, small(name))
		}
	}
	if scaling, ok := body["ScalingConfig"].(map[string]any); ok {
		t["maximumConcurrency"] = scaling["MaximumConcurrency"]
		whole(t, "maximumConcurrency")
	}
	if criteria, ok := body["FilterCriteria"].(map[string]any); ok {
		var patterns []any
		for _, x := range items(criteria["Filters"]) {
			filter, _ := x.(map[string]any)
			switch p := filter["Pattern"].(type) {
			case string:
				patterns = append(patterns, p)
			case map[string]any:
				text, _ := json.Marshal(p) // plain data
				patterns = append(patterns, string(text))
			}
		}
		t["filterPatterns"] = patterns
	}
	if destination, ok := body["DestinationConfig"].(map[string]any); ok {
		if failure, ok := destination["OnFailure"].(map[string]any); ok && form != "queue" {
			t["onFailure"] = failure["Destination"]
		}
	}
	r.triggers(d)[key] = pruned(t)
	return true
}

// target finds the function a resource stands on, by any of its addresses, and
// tells whether it goes through the alias that is declared.
func (r *reader) target(id string, p map[string]any, keys ...string) *manifest.Draft {
	var name string
	for _, key := range keys {
		if text, why := plainAddress(r.resolver.eval(p[key], 0)); why == nil && text != "" {
			name = text
			break
		}
	}
	for _, other := range slices.Sorted(maps.Keys(r.drafts)) {
		d := r.drafts[other]
		if d.Kind != manifest.KindFunction {
			continue
		}
		bare := strings.TrimSuffix(name, ":"+fmt.Sprint(d.Spec["alias"]))
		if d.Physical != "" && bare == d.Physical || bare == d.Addresses["arn"] || bare == d.Addresses["name"] || r.aliases(other, name) {
			return d
		}
	}
	r.skip(id, r.resources[id].kind, "the function it stands on is not in the template")
	return nil
}

// aliases: the address is that of an alias of the function.
func (r *reader) aliases(function, address string) bool {
	id, ok := strings.CutPrefix(address, aliasAddress)
	return ok && r.aliasOf(id) == function
}

// aliasAddress stands for aliases of the template, which have no manifest.
const aliasAddress = "alias of the template: "

func (r *reader) aliasOf(id string) string {
	at, _ := plainAddress(r.resolver.eval(r.resources[id].properties["FunctionName"], 0))
	for other, d := range r.drafts {
		if d.Kind == manifest.KindFunction && (at == d.Addresses["arn"] || at == d.Addresses["name"] || d.Physical != "" && at == d.Physical) {
			return other
		}
	}
	return ""
}

// plainAddress is a text, addresses included.
func plainAddress(x any) (string, any) {
	if text, ok := x.(string); ok {
		return text, nil
	}
	return plain(x)
}

func (r *reader) alias(id string, p map[string]any) {
	function := r.aliasOf(id)
	d := r.drafts[function]
	if d == nil {
		r.skip(id, "AWS::Lambda::Alias", "its function is not in the template")
		return
	}
	name := r.text(d, id+".Name", p["Name"])
	switch {
	case name == "":
		r.skip(id, "AWS::Lambda::Alias", "its name is not known")
	case d.Spec["alias"] != "none":
		d.Leave("alias %s (%s): a function is declared with one alias", name, id)
	default:
		d.Spec["alias"] = name
		if description := r.text(d, id+".Description", p["Description"]); description != "" {
			d.Spec["aliasDescription"] = description
		}
	}
}

func (r *reader) mapping(id string, p map[string]any) {
	d := r.target(id, p, "FunctionName")
	if d == nil {
		return
	}
	body, _ := r.value(d, id, p).(map[string]any)
	source := fmt.Sprint(body["EventSourceArn"])
	form := ""
	switch {
	case strings.HasPrefix(source, adoptPlaceholder+"table:"):
		form = "table"
	case strings.Contains(source, ":sqs:"), strings.HasPrefix(source, addressOf(manifest.KindQueue, "", "arn")):
		form = "queue"
	case strings.Contains(source, ":dynamodb:"):
		form = "table"
	case strings.Contains(source, ":kinesis:"):
		form = "stream"
	}
	if form == "" || !r.trigger(d, id, form, body["EventSourceArn"], body) {
		d.Leave("%s: a mapping of a source that is not declared here", id)
	}
}

func (r *reader) permission(id string, p map[string]any) {
	d := r.target(id, p, "FunctionName")
	if d == nil {
		return
	}
	body, _ := r.value(d, id, p).(map[string]any)
	for _, bound := range []string{"SourceArn", "SourceAccount", "PrincipalOrgID"} {
		if p[bound] != nil && body[bound] == nil {
			d.Leave("permission %s: %s is not known before a deployment, and without it anybody's could call; a trigger brings its own", id, bound)
			return
		}
	}
	out := map[string]any{}
	for from, to := range map[string]string{
		"Action": "action", "Principal": "principal", "SourceArn": "sourceArn", "SourceAccount": "sourceAccount",
		"PrincipalOrgID": "principalOrgID", "FunctionUrlAuthType": "functionUrlAuthType",
	} {
		if v := body[from]; v != nil {
			out[to] = fmt.Sprint(v)
		}
	}
	if body["EventSourceToken"] != nil {
		d.Leave("%s: an event source token is not written down", id)
		return
	}
	permissions, ok := d.Spec["permissions"].(map[string]any)
	if !ok {
		permissions = map[string]any{}
		d.Spec["permissions"] = permissions
	}
	permissions[id] = out
	d.Leave("permission %s: CloudFormation made its statement id up; the first plan adds a statement of this name, and drift tells of the old one", id)
}

func (r *reader) url(id string, p map[string]any) {
	if d := r.target(id, p, "TargetFunctionArn"); d != nil {
		body, _ := r.value(d, id, p).(map[string]any)
		r.urlOf(d, body)
	}
}

func (r *reader) urlOf(d *manifest.Draft, body map[string]any) {
	url := map[string]any{"authType": body["AuthType"], "invokeMode": body["InvokeMode"]}
	if cors, ok := lowered(body["Cors"]).(map[string]any); ok {
		whole(cors, "maxAge")
		truth(cors, "allowCredentials")
		url["cors"] = cors
	}
	r.triggers(d)["url"] = map[string]any{"url": pruned(url)}
}

func (r *reader) async(id string, p map[string]any) {
	if d := r.target(id, p, "FunctionName"); d != nil {
		body, _ := r.value(d, id, p).(map[string]any)
		r.asyncOf(d, body)
	}
}

func (r *reader) asyncOf(d *manifest.Draft, body map[string]any) {
	out := map[string]any{"maximumRetryAttempts": body["MaximumRetryAttempts"], "maximumEventAgeInSeconds": body["MaximumEventAgeInSeconds"]}
	whole(out, "maximumRetryAttempts")
	whole(out, "maximumEventAgeInSeconds")
	if destinations, ok := body["DestinationConfig"].(map[string]any); ok {
		for _, key := range []string{"OnSuccess", "OnFailure"} {
			if to, ok := destinations[key].(map[string]any); ok && to["Destination"] != nil {
				out[small(key)] = to["Destination"]
			}
		}
	}
	if pruned(out); len(out) > 0 {
		d.Spec["asyncInvoke"] = out
	}
}
