package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// samEvents are the events of a function or a state machine of SAM; of a
// bucket, without events, its notifications.
type samEvents struct {
	id     string
	d      *manifest.Draft
	events map[string]any
}

// events reads what waited for all other resources.
func (r *reader) events() {
	for _, late := range r.late {
		late()
	}
	for _, w := range r.waiting {
		if w.d.Kind == manifest.KindBucket {
			r.notifications(w.d, r.resources[w.id].properties)
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(w.events)) {
			event, _ := w.events[key].(map[string]any)
			kind, _ := event["Type"].(string)
			properties := event["Properties"]
			if properties == nil {
				properties = map[string]any{}
			}
			body, ok := r.value(w.d, "Events."+key, properties).(map[string]any)
			carry := r.event
			if w.d.Kind == manifest.KindWorkflow {
				carry = r.machineEvent
			}
			if why := ""; !ok || !carry(&samEvent{w, key, kind, body}, &why) {
				w.d.Leave("Events.%s (%s): not carried over%s", key, kind, why)
			}
		}
	}
}

type samEvent struct {
	samEvents
	key, kind string
	body      map[string]any
}

// event makes a trigger of one of SAM's; false when there is none like it.
func (r *reader) event(e *samEvent, why *string) bool {
	switch e.kind {
	case "SQS":
		return r.trigger(e.d, e.key, "queue", e.body["Queue"], e.body)
	case "DynamoDB":
		return r.trigger(e.d, e.key, "table", e.body["Stream"], e.body)
	case "Kinesis":
		return r.trigger(e.d, e.key, "stream", e.body["Stream"], e.body)
	case "SNS":
		topic, ok := e.body["Topic"].(string)
		if e.body["SqsSubscription"] != nil {
			*why = ": SAM puts a queue in between (SqsSubscription): declare the queue, subscribe it, and let it trigger the function"
			return false
		}
		if ok {
			t := map[string]any{"topic": topic, "filterPolicy": e.body["FilterPolicy"], "filterPolicyScope": e.body["FilterPolicyScope"]}
			if redrive, ok := e.body["RedrivePolicy"].(map[string]any); ok {
				t["deadLetter"] = redrive["deadLetterTargetArn"]
			}
			r.triggers(e.d)[e.key] = pruned(t)
		}
		return ok
	case "S3":
		address, _ := e.body["Bucket"].(string)
		bucket := r.byAddress(address, manifest.KindBucket)
		if bucket == nil {
			*why = ": its bucket is not in the template"
			return false
		}
		r.bucketTrigger(e.d, e.key, bucket, e.body)
		return true
	case "HttpApi":
		return r.httpEvent(e, why)
	case "Api":
		*why = ": a REST API is not managed: an HTTP API (HttpApi) is"
		return false
	}
	return r.timed(e)
}

// timed makes a trigger of a schedule or a rule.
func (r *reader) timed(e *samEvent) bool {
	doc, form := r.timedDoc(e)
	if doc == nil {
		return false
	}
	r.triggers(e.d)[e.key] = map[string]any{form: doc}
	return true
}

// timedDoc is a rule or a schedule without its target; nil for other events.
func (r *reader) timedDoc(e *samEvent) (doc map[string]any, form string) {
	doc = r.delivery(e.d, e.body)
	doc["description"], doc["state"] = e.body["Description"], e.body["State"]
	if fmt.Sprint(e.body["Enabled"]) == "false" {
		doc["state"] = "DISABLED"
	}
	switch e.kind {
	case "Schedule":
		doc["scheduleExpression"], form = e.body["Schedule"], "rule"
	case "ScheduleV2":
		for _, key := range []string{"ScheduleExpression", "ScheduleExpressionTimezone", "GroupName", "StartDate", "EndDate", "KmsKeyArn", "RoleArn"} {
			doc[small(key)] = e.body[key]
		}
		delete(doc, "inputPath")
		r.window(doc, e.body["FlexibleTimeWindow"])
		form = "schedule"
	case "EventBridgeRule", "CloudWatchEvent":
		doc["eventPattern"], doc["eventBusName"], form = e.body["Pattern"], e.body["EventBusName"], "rule"
	default:
		return nil, ""
	}
	if pruned(doc); doc["scheduleExpression"] == nil && doc["eventPattern"] == nil {
		return nil, ""
	}
	return doc, form
}

// httpEvent is a route of an HTTP API.
func (r *reader) httpEvent(e *samEvent, why *string) bool {
	address, _ := e.body["ApiId"].(string)
	api := r.byAddress(address, manifest.KindAPI)
	switch {
	case api == nil && e.events[e.key].(map[string]any)["Properties"] != nil && apiNamed(e.events[e.key]):
		*why = ": its API is not in the template"
		return false
	case api == nil:
		if api = r.drafts[implicitAPI]; api == nil {
			api = r.start(implicitAPI, manifest.KindAPI, "")
			if r.globals["HttpApi"] != nil {
				r.samAPI(implicitAPI, map[string]any{})
				api = r.drafts[implicitAPI]
			}
		}
	}
	path, _ := e.body["Path"].(string)
	method := strings.ToUpper(orText(e.body["Method"], "ANY"))
	route := method + " " + path
	if path == "" || path == "$default" {
		route = "$default"
	}
	if method == "X-AMAZON-APIGATEWAY-ANY-METHOD" || method == "*" {
		route = "ANY " + path
	}
	t := map[string]any{"api": api.Addresses["arn"], "routes": []any{route}}
	if v := e.body["PayloadFormatVersion"]; v != nil {
		t["payloadFormatVersion"] = version(v)
	}
	if v := e.body["TimeoutInMillis"]; v != nil {
		t["timeoutInMillis"] = v
		whole(t, "timeoutInMillis")
	}
	if !r.authorize(e, api, t, why) {
		return false
	}
	r.triggers(e.d)[e.key] = t
	return true
}

func apiNamed(event any) bool {
	m, _ := event.(map[string]any)
	properties, _ := m["Properties"].(map[string]any)
	return properties["ApiId"] != nil
}

func orText(x any, otherwise string) string {
	if text, ok := x.(string); ok && text != "" {
		return text
	}
	return otherwise
}

// authorize says who may call a route: the event's authorizer, or the API's
// default. A route whose authorizer is not declared is left out.
func (r *reader) authorize(e *samEvent, api *manifest.Draft, t map[string]any, why *string) bool {
	auth, _ := e.body["Auth"].(map[string]any)
	name := orText(auth["Authorizer"], "")
	ofAPI, _ := r.with("HttpApi", r.resources[api.Name].properties)["Auth"].(map[string]any)
	if name == "" {
		fallback, _ := plain(r.resolver.eval(ofAPI["DefaultAuthorizer"], 0))
		name = fallback
	}
	switch name {
	case "", "NONE":
		return true
	case "AWS_IAM":
		t["authorizationType"] = name
		return true
	}
	declared, _ := api.Spec["authorizers"].(map[string]any)
	if declared[name] == nil {
		*why = ": its authorizer " + name + " is not declared, and without one anybody could call"
		return false
	}
	t["authorizer"] = name
	scopes := auth["AuthorizationScopes"]
	if scopes == nil {
		authorizers, _ := ofAPI["Authorizers"].(map[string]any)
		body, _ := authorizers[name].(map[string]any)
		scopes, _ = r.resolver.resolve(body["AuthorizationScopes"])
	}
	if list, ok := scopes.([]any); ok && len(list) > 0 {
		t["authorizationScopes"] = list
	}
	return true
}

// machineEvent makes a rule or a schedule that starts a state machine.
func (r *reader) machineEvent(e *samEvent, why *string) bool {
	if e.kind == "Api" || e.kind == "HttpApi" {
		*why = ": an API that starts a workflow is not managed"
		return false
	}
	doc, form := r.timedDoc(e)
	if doc == nil {
		return false
	}
	id := e.id + e.key
	target := map[string]any{"arn": e.d.Addresses["arn"]}
	for _, key := range []string{"input", "inputPath", "inputTransformer", "deadLetter", "retryPolicy", "roleArn"} {
		if v, there := doc[key]; there {
			target[key] = v
			delete(doc, key)
		}
	}
	if form == "schedule" {
		d := r.start(id, manifest.KindSchedule, orText(e.body["Name"], ""))
		d.Spec = doc
		d.Spec["target"] = target
		return true
	}
	role := r.start(id+"Role", manifest.KindRole, "")
	role.Spec["assumeRolePolicy"] = map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}}}
	role.Spec["statements"] = []any{map[string]any{"Effect": "Allow", "Action": "states:StartExecution", "Resource": map[string]any{"ref": e.d.Ref().String()}}}
	target["roleArn"] = role.Addresses["arn"]
	d := r.start(id, manifest.KindRule, orText(e.body["RuleName"], orText(e.body["Name"], "")))
	d.Spec = doc
	d.Spec["targets"] = map[string]any{e.key: target}
	return true
}

// settle lets triggers bring no statement along where the template has one.
func (r *reader) settle() {
	for _, id := range slices.Sorted(maps.Keys(r.drafts)) {
		d := r.drafts[id]
		if d.Kind != manifest.KindFunction {
			continue
		}
		permissions, _ := d.Spec["permissions"].(map[string]any)
		callers := map[string]bool{}
		for _, x := range permissions {
			permission, _ := x.(map[string]any)
			callers[fmt.Sprint(permission["principal"])] = true
		}
		triggers, _ := d.Spec["triggers"].(map[string]any)
		for _, x := range triggers {
			t, _ := x.(map[string]any)
			for form, service := range map[string]string{"topic": "sns.amazonaws.com", "bucket": "s3.amazonaws.com", "api": "apigateway.amazonaws.com"} {
				if t[form] != nil && callers[service] {
					t["permission"] = false
				}
			}
		}
	}
}
