package template

import (
	"fmt"
	"maps"
	"slices"

	"mooring.dev/sources/manifest"
)

// samFunction is a function with everything SAM hangs on it.
func (r *reader) samFunction(id string, own map[string]any) {
	p := r.with("Function", own)
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
	if events, ok := p["Events"].(map[string]any); ok {
		r.waiting = append(r.waiting, samEvents{id, d, events})
	}
}

// with merges what Globals say of a kind into a resource: mappings by key,
// lists behind each other, anything else where the resource says nothing.
func (r *reader) with(section string, own map[string]any) map[string]any {
	globals, _ := r.globals[section].(map[string]any)
	if globals == nil {
		return own
	}
	if own == nil {
		return globals
	}
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
