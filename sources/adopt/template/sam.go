package template

import (
	"fmt"
	"maps"
	"slices"

	"mooring.dev/sources/manifest"
)

// samFunction is a function with everything SAM hangs on it.
func (r *reader) samFunction(id string, own map[string]any) {
	p := r.withGlobals(own)
	d := r.base(id, p)
	if alias := r.text(d, "AutoPublishAlias", p["AutoPublishAlias"]); alias != "" {
		d.Spec["alias"] = alias
	}
	if body, ok := r.value(d, "DeploymentPreference", p["DeploymentPreference"]).(map[string]any); ok {
		r.preference(d, body)
	}
	if body, ok := r.value(d, "EventInvokeConfig", p["EventInvokeConfig"]).(map[string]any); ok {
		r.asyncOf(d, body)
	}
	if body, ok := r.value(d, "FunctionUrlConfig", p["FunctionUrlConfig"]).(map[string]any); ok {
		r.urlOf(d, body)
	}
	events, _ := p["Events"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(events)) {
		event, _ := events[key].(map[string]any)
		kind, _ := event["Type"].(string)
		body, ok := r.value(d, "Events."+key, event["Properties"]).(map[string]any)
		if !ok || !r.event(d, key, kind, body) {
			d.Leave("Events.%s (%s): not carried over", key, kind)
		}
	}
}

// withGlobals merges what Globals say into a function: mappings by key,
// lists behind each other, anything else where the function says nothing.
func (r *reader) withGlobals(own map[string]any) map[string]any {
	globals, _ := r.globals["Function"].(map[string]any)
	merged, _ := merge(globals, own, 0).(map[string]any)
	return merged
}

func merge(global, own any, depth int) any {
	g, isMap := global.(map[string]any)
	o, both := own.(map[string]any)
	if isMap && both && depth < 3 && !intrinsicForm(g) && !intrinsicForm(o) {
		out := maps.Clone(g)
		for key, value := range o {
			if before, there := out[key]; there {
				value = merge(before, value, depth+1)
			}
			out[key] = value
		}
		return out
	}
	gl, isList := global.([]any)
	ol, bothLists := own.([]any)
	if isList && bothLists && depth > 0 {
		return append(slices.Clone(gl), ol...)
	}
	return own
}

func intrinsicForm(m map[string]any) bool {
	for key := range m {
		return len(m) == 1 && (key == "Ref" || len(key) > 4 && key[:4] == "Fn::")
	}
	return false
}

// preference is how traffic moves: CodeDeploy's names are known here too.
func (r *reader) preference(d *manifest.Draft, body map[string]any) {
	if strategy := first(body, "Type"); strategy != "" && fmt.Sprint(body["Enabled"]) != "false" {
		d.Spec["rollout"] = map[string]any{"strategy": strategy}
	}
	for _, key := range []string{"Alarms", "Hooks", "TriggerConfigurations"} {
		if body[key] != nil {
			d.Leave("DeploymentPreference.%s: not carried over; see rollout.analysis", key)
		}
	}
}

// event makes a trigger of one of SAM's; false when there is none like it.
func (r *reader) event(d *manifest.Draft, key, kind string, body map[string]any) bool {
	switch kind {
	case "SQS":
		return r.trigger(d, key, "queue", body["Queue"], body)
	case "DynamoDB":
		return r.trigger(d, key, "table", body["Stream"], body)
	case "Kinesis":
		return r.trigger(d, key, "stream", body["Stream"], body)
	case "SNS":
		if topic, ok := body["Topic"].(string); ok && body["SqsSubscription"] == nil {
			r.triggers(d)[key] = pruned(map[string]any{"topic": topic, "filterPolicy": body["FilterPolicy"], "filterPolicyScope": body["FilterPolicyScope"]})
			return true
		}
	case "Schedule":
		if when, ok := body["Schedule"].(string); ok {
			rule := map[string]any{"scheduleExpression": when, "description": body["Description"], "input": body["Input"]}
			if fmt.Sprint(body["Enabled"]) == "false" || body["State"] == "DISABLED" {
				rule["state"] = "DISABLED"
			}
			r.triggers(d)[key] = map[string]any{"rule": pruned(rule)}
			return true
		}
	case "ScheduleV2":
		if when, ok := body["ScheduleExpression"].(string); ok {
			r.triggers(d)[key] = map[string]any{"schedule": pruned(map[string]any{
				"scheduleExpression": when, "scheduleExpressionTimezone": body["ScheduleExpressionTimezone"], "description": body["Description"],
				"state": body["State"], "input": body["Input"], "groupName": body["GroupName"],
			})}
			return true
		}
	case "EventBridgeRule", "CloudWatchEvent":
		if pattern, ok := body["Pattern"].(map[string]any); ok {
			r.triggers(d)[key] = map[string]any{"rule": pruned(map[string]any{
				"eventPattern": pattern, "eventBusName": body["EventBusName"], "input": body["Input"], "inputPath": body["InputPath"], "state": body["State"],
			})}
			return true
		}
	}
	return false
}

// pruned leaves out what is not said.
func pruned(m map[string]any) map[string]any {
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

func (r *reader) triggers(d *manifest.Draft) map[string]any {
	all, ok := d.Spec["triggers"].(map[string]any)
	if !ok {
		all = map[string]any{}
		d.Spec["triggers"] = all
	}
	return all
}
