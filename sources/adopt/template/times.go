package template

import (
	"encoding/json"
	"fmt"
	"strings"

	"mooring.dev/sources/manifest"
)

// rule is AWS::Events::Rule with its targets.
func (r *reader) rule(id string, p map[string]any) {
	d := r.begin(id, manifest.KindRule)
	r.members(d, p, map[string]func(map[string]any, string){
		"Description": nil, "EventBusName": nil, "EventPattern": nil, "ScheduleExpression": nil, "State": nil, "RoleArn": nil,
	}, "Name", "Targets", "Tags")
	r.pattern(d.Spec, "eventPattern")
	targets := map[string]any{}
	for i, x := range items(r.value(d, "Targets", p["Targets"])) {
		body, ok := x.(map[string]any)
		if !ok {
			continue
		}
		key, _ := body["Id"].(string)
		target := r.ruleTarget(d, body)
		if key == "" || target == nil {
			d.Leave("Targets[%d]: what it calls is not known", i)
			continue
		}
		targets[key] = target
	}
	d.Spec["targets"] = targets
}

// pattern reads a document that may be written as text.
func (r *reader) pattern(m map[string]any, key string) {
	if text, ok := m[key].(string); ok {
		var doc map[string]any
		if json.Unmarshal([]byte(text), &doc) == nil {
			m[key] = doc
		}
	}
}

// ruleTarget is a target as a manifest writes it; nil when its ARN is not
// known.
func (r *reader) ruleTarget(d *manifest.Draft, body map[string]any) map[string]any {
	address, _ := body["Arn"].(string)
	if address == "" {
		return nil
	}
	out := r.delivery(d, body)
	out["arn"], out["roleArn"] = r.called(address), body["RoleArn"]
	if sqs, ok := body["SqsParameters"].(map[string]any); ok {
		out["messageGroupId"] = sqs["MessageGroupId"]
	}
	for _, key := range []string{"EcsParameters", "HttpParameters", "KinesisParameters", "BatchParameters", "RunCommandParameters", "AppSyncParameters", "RedshiftDataParameters"} {
		if body[key] != nil {
			d.Leave("Targets: %s of %v: a manifest does not say them", key, body["Id"])
		}
	}
	return pruned(out)
}

// delivery is what a target is told, and what becomes of what cannot be
// delivered: rules, schedules and SAM's events write it alike.
func (r *reader) delivery(d *manifest.Draft, body map[string]any) map[string]any {
	out := map[string]any{"inputPath": body["InputPath"]}
	switch input := body["Input"].(type) {
	case nil:
	case string:
		if json.Valid([]byte(input)) {
			out["input"] = input
		} else {
			d.Leave("Input: is no JSON, which a target is told")
		}
	default:
		out["input"] = input
	}
	if t, ok := body["InputTransformer"].(map[string]any); ok {
		out["inputTransformer"] = pruned(map[string]any{"inputPathsMap": t["InputPathsMap"], "inputTemplate": t["InputTemplate"]})
	}
	if dead, ok := body["DeadLetterConfig"].(map[string]any); ok {
		out["deadLetter"] = dead["Arn"]
		if id, ok := dead["QueueLogicalId"].(string); ok && dead["Arn"] == nil && r.drafts[id] != nil {
			out["deadLetter"] = r.drafts[id].Addresses["arn"]
		} else if dead["Arn"] == nil {
			d.Leave("DeadLetterConfig: SAM makes a queue for it; declare one, and name it as deadLetter")
		}
	}
	if retry, ok := lowered(body["RetryPolicy"]).(map[string]any); ok {
		whole(retry, "maximumEventAgeInSeconds")
		whole(retry, "maximumRetryAttempts")
		out["retryPolicy"] = retry
	}
	return out
}

// called is an address as a target names it: an alias of the template by its
// function, whose alias is declared.
func (r *reader) called(address string) string {
	if fn := r.functionAt(address); fn != nil && !strings.HasPrefix(address, "arn:aws") {
		return fn.Addresses["arn"]
	}
	return address
}

func (r *reader) schedule(id string, p map[string]any) {
	d := r.begin(id, manifest.KindSchedule)
	r.members(d, p, map[string]func(map[string]any, string){
		"Description": nil, "GroupName": nil, "ScheduleExpression": nil, "ScheduleExpressionTimezone": nil, "State": nil, "KmsKeyArn": nil,
		"StartDate": nil, "EndDate": nil,
	}, "Name", "Target", "FlexibleTimeWindow")
	r.window(d.Spec, r.value(d, "FlexibleTimeWindow", p["FlexibleTimeWindow"]))
	body, _ := r.value(d, "Target", p["Target"]).(map[string]any)
	address, _ := body["Arn"].(string)
	target := r.delivery(d, body)
	delete(target, "inputPath")
	target["arn"], target["roleArn"] = r.called(address), body["RoleArn"]
	if sqs, ok := body["SqsParameters"].(map[string]any); ok {
		target["messageGroupId"] = sqs["MessageGroupId"]
	}
	if address == "" {
		delete(target, "arn")
	}
	d.Spec["target"] = pruned(target)
}

func (r *reader) window(spec map[string]any, x any) {
	w, _ := lowered(x).(map[string]any)
	if w == nil || fmt.Sprint(w["mode"]) == "OFF" {
		return
	}
	whole(w, "maximumWindowInMinutes")
	spec["flexibleTimeWindow"] = w
}
