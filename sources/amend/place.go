package amend

import (
	"encoding/json"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// documentOf is the resource whose manifest declares what an item is about;
// zero when nothing declared does.
func documentOf(item Item, release *manifest.Release) manifest.Ref {
	parent := item.Parent
	if res, found := release.Resource(item.Ref); found {
		parent = res.Parent
	}
	if parent != (manifest.Ref{}) {
		return documentOf(Item{Ref: parent}, release)
	}
	if _, found := release.Resource(item.Ref); !found {
		return manifest.Ref{}
	}
	return item.Ref
}

// topLevel kinds have manifests of their own; most of them can be a function's
// as well.
func topLevel(kind string) bool {
	switch kind {
	case manifest.KindTrigger, manifest.KindPermission, manifest.KindURL, manifest.KindAsync, manifest.KindConcurrency, manifest.KindProvisioned,
		manifest.KindRuntimeManagement, manifest.KindAlias, manifest.KindWorkflowAlias, manifest.KindNotification, manifest.KindRoute, manifest.KindSubscription:
		return false
	}
	return true
}

// otherNames are the manifest's names of fields that the platform calls
// otherwise, by kind.
var otherNames = map[string]map[string][]string{
	manifest.KindQueue: {
		"redrivePolicy.deadLetterTargetArn": {"redrive.deadLetter"}, "redrivePolicy.maxReceiveCount": {"redrive.maxReceiveCount"},
	},
	manifest.KindFunction: {"deadLetterConfig.targetArn": {"deadLetterConfig"}},
	manifest.KindTrigger: {
		"filterCriteria.filters": {"filterPatterns"}, "scalingConfig.maximumConcurrency": {"maximumConcurrency"}, "metricsConfig.metrics": {"metricsConfig"},
		"eventSourceArn": {"queue", "table", "stream"}, "destinationConfig.onFailure.destination": {"onFailure"},
	},
	manifest.KindAsync: {
		"destinationConfig.onFailure.destination": {"onFailure"}, "destinationConfig.onSuccess.destination": {"onSuccess"},
	},
	manifest.KindRole:         {"assumeRolePolicyDocument": {"assumeRolePolicy"}},
	manifest.KindSubscription: {"redrivePolicy.deadLetterTargetArn": {"deadLetter"}},
	manifest.KindSchedule: {
		"target.deadLetterConfig.arn": {"target.deadLetter", "deadLetter"}, "target.sqsParameters.messageGroupId": {"target.messageGroupId"},
		"target.input": {"target.input", "input"}, "target.roleArn": {"target.roleArn", "roleArn"},
		"target.retryPolicy.maximumEventAgeInSeconds": {"target.retryPolicy.maximumEventAgeInSeconds", "retryPolicy.maximumEventAgeInSeconds"},
		"target.retryPolicy.maximumRetryAttempts":     {"target.retryPolicy.maximumRetryAttempts", "retryPolicy.maximumRetryAttempts"},
	},
}

// inTarget are the manifest's names of a rule's target's fields.
var inTarget = map[string]string{"deadLetterConfig": "deadLetter", "sqsParameters": "messageGroupId"}

// segments are the members of a field path; keys with dots are quoted in it.
func segments(field string) []string {
	var out []string
	for field != "" {
		if strings.HasPrefix(field, `["`) {
			var key string
			end := strings.Index(field, `"]`)
			if end < 0 || json.Unmarshal([]byte(field[1:end+1]), &key) != nil {
				return nil
			}
			out, field = append(out, key), strings.TrimPrefix(field[end+2:], ".")
			continue
		}
		end := strings.IndexAny(field, ".[")
		if end < 0 {
			return append(out, field)
		}
		out, field = append(out, field[:end]), strings.TrimPrefix(field[end:], ".")
	}
	return out
}

// places are where a manifest may declare a field of a resource, from its root;
// the likeliest first. own is false for the child of another's document.
func places(ref manifest.Ref, key, field string, own bool) [][]string {
	var fields [][]string
	for _, other := range otherNames[ref.Kind][field] {
		fields = append(fields, segments(other))
	}
	plain := segments(field)
	fields = append(fields, plain)
	if ref.Kind == manifest.KindRule && len(plain) > 2 && plain[0] == "targets" {
		fields = append(fields, ruleTarget(plain, own))
	}
	if field == "" {
		fields = [][]string{nil}
	}
	var out [][]string
	for _, above := range bases(ref.Kind, key, own) {
		for _, f := range fields {
			out = append(out, slices.Concat([]string{"spec"}, above, f))
		}
	}
	return out
}

// ruleTarget is where a target's field stands: by its id, or, of a function's
// own rule, beside the others.
func ruleTarget(field []string, own bool) []string {
	member := field[2:]
	if name := inTarget[member[0]]; name != "" {
		member = []string{name}
	}
	if own {
		return slices.Concat(field[:2], member)
	}
	return member
}

// bases are where the child of a document stands in its spec.
func bases(kind, key string, own bool) [][]string {
	if own {
		return [][]string{nil}
	}
	switch kind {
	case manifest.KindPermission:
		return [][]string{{"permissions", key}}
	case manifest.KindAsync:
		return [][]string{{"asyncInvoke"}}
	case manifest.KindConcurrency, manifest.KindProvisioned, manifest.KindFunction:
		return [][]string{nil}
	case manifest.KindRuntimeManagement:
		return [][]string{{"runtimeManagementConfig"}}
	case manifest.KindRole:
		return [][]string{{"role"}}
	case manifest.KindLogGroup:
		return [][]string{{"logGroup"}}
	case manifest.KindSubscription:
		return [][]string{{"subscriptions", key}, {"triggers", key}}
	case manifest.KindRule:
		return [][]string{{"triggers", key, "rule"}}
	case manifest.KindSchedule:
		return [][]string{{"triggers", key, "schedule"}}
	case manifest.KindURL:
		return [][]string{{"triggers", key, "url"}}
	}
	return [][]string{{"triggers", key}}
}

// extraOf is an extra resource as its parent's manifest would write it: its
// place, and the value there; ok is false for what has none.
func extraOf(item Item, live map[string]any) (at []string, value any, ok bool) {
	_, key, _ := strings.Cut(item.Ref.Name, ".")
	switch item.Ref.Kind {
	case manifest.KindConcurrency:
		n, has := live["reservedConcurrentExecutions"]
		return []string{"spec", "reservedConcurrentExecutions"}, n, has && len(live) == 1
	case manifest.KindPermission:
		return []string{"spec", "permissions", key}, said(live, "action", "lambda:InvokeFunction"), key != ""
	case manifest.KindURL:
		return []string{"spec", "triggers", "url", "url"}, unflat(said(live, "invokeMode", "BUFFERED")), true
	case manifest.KindAsync:
		named := map[string]any{}
		for field, v := range said(live, "", "") {
			if other := otherNames[manifest.KindAsync][field]; other != nil {
				field = other[0]
			}
			named[field] = v
		}
		return []string{"spec", "asyncInvoke"}, named, true
	case manifest.KindTrigger:
		return extraTrigger(key, live)
	}
	return nil, nil, false
}

// extraTrigger is a mapping of a queue; of others it is not known what they
// read.
func extraTrigger(key string, live map[string]any) ([]string, any, bool) {
	source, _ := live["eventSourceArn"].(string)
	if queue, named := live["queue"].(string); named {
		source = queue
	}
	if !strings.HasPrefix(source, "arn:") || !strings.Contains(source, ":sqs:") || key == "" {
		return nil, nil, false
	}
	named := map[string]any{"queue": source}
	for field, v := range said(live, "", "") {
		switch other := otherNames[manifest.KindTrigger][field]; {
		case field == "eventSourceArn", field == "functionArn", field == "enabled" && v == true:
		case other != nil:
			named[other[0]] = v
		default:
			named[field] = v
		}
	}
	return []string{"spec", "triggers", key}, named, true
}

// said leaves out what says nothing, and one field that has its default.
func said(live map[string]any, field, fallback string) map[string]any {
	out := map[string]any{}
	for name, v := range live {
		if !nothing(v) && (name != field || v != fallback) {
			out[name] = v
		}
	}
	return out
}

// nothing are the values that the platform shows for what is not set.
func nothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// unflat makes mappings of field paths.
func unflat(live map[string]any) map[string]any {
	out := map[string]any{}
	for field, v := range live {
		at := segments(field)
		m := out
		for _, key := range at[:len(at)-1] {
			inner, ok := m[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
				m[key] = inner
			}
			m = inner
		}
		m[at[len(at)-1]] = v
	}
	return out
}
