package plan

import (
	"testing"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// changed is one field's drift: declared, and live. "" is absent.
func changed(kind, path, declared, live string) drifted {
	return drifted{ref: manifest.Ref{Kind: kind, Name: "x"}, diff: diff{path: path, d: declared, l: live, inD: declared != "", inL: live != ""}}
}

func lost(kind string) drifted {
	return drifted{ref: manifest.Ref{Kind: kind, Name: "x"}, whole: true, diff: diff{inD: true}}
}

func added(kind string, open bool, parent string) drifted {
	return drifted{ref: manifest.Ref{Kind: kind, Name: "x.y"}, whole: true, diff: diff{inL: true}, open: open, parent: manifest.Ref{Kind: parent, Name: "x"}}
}

// The catalogue, row by row: what operators do in incidents is held, what is
// safe is reverted, what needs a person is not touched.
func TestCatalogue(t *testing.T) {
	disabled := changed(manifest.KindTrigger, "enabled", "true", "false")
	byService := disabled
	byService.note = "LambdaESMDisabled"
	ofStream := lost(manifest.KindTrigger)
	ofStream.streamed = true
	rows := []struct {
		what     string
		d        drifted
		response record.Response
		severity string
	}{
		{"code edited", changed("Function", "code", `"a"`, `"b"`), record.Revert, "high"},
		{"handler", changed("Function", "handler", `"a"`, `"b"`), record.Revert, "high"},
		{"memory raised", changed("Function", "memorySize", "128", "256"), record.HoldIt, "high"},
		{"memory lowered", changed("Function", "memorySize", "256", "128"), record.Revert, "medium"},
		{"timeout raised", changed("Function", "timeout", "3", "900"), record.HoldIt, "high"},
		{"logging", changed("Function", "loggingConfig.applicationLogLevel", `"INFO"`, `"DEBUG"`), record.HoldIt, "high"},
		{"variable changed", changed("Function", "environment.A", `"a"`, `"b"`), record.Revert, "medium"},
		{"variable added", changed("Function", `environment["a.b"]`, "", `"b"`), record.Revert, "medium"},
		{"variable removed", changed("Function", "environment.A", `"a"`, ""), record.Revert, "medium"},
		{"layer added", changed("Function", "layers", `["a"]`, `["a","b"]`), record.Alert, "medium"},
		{"layer removed", changed("Function", "layers", `["a","b"]`, `["a"]`), record.Revert, "medium"},
		{"role swapped", changed("Function", "role", `"a"`, `"b"`), record.Revert, "high"},
		{"network", changed("Function", "vpcConfig.subnetIds", `["a"]`, `["b"]`), record.HoldIt, "medium"},
		{"key", changed("Function", "kmsKeyArn", `"a"`, `"b"`), record.HoldIt, "medium"},
		{"dead letters", changed("Function", "deadLetterConfig.targetArn", `"a"`, `"b"`), record.Revert, "medium"},
		{"tracing", changed("Function", "tracingConfig.mode", `"Active"`, `"PassThrough"`), record.Revert, "low"},
		{"description", changed("Function", "description", `"a"`, `"b"`), record.Revert, "low"},
		{"concurrency 0", changed("Concurrency", "reservedConcurrentExecutions", "50", "0"), record.HoldIt, "critical"},
		{"concurrency changed", changed("Concurrency", "reservedConcurrentExecutions", "50", "10"), record.Revert, "medium"},
		{"concurrency removed", lost("Concurrency"), record.Revert, "medium"},
		{"concurrency on a function without", added("Concurrency", false, "Function"), record.HoldIt, "critical"},
		{"provisioned concurrency changed", changed("ProvisionedConcurrency", "versions.1", "5", "9"), record.HoldIt, "medium"},
		{"provisioned concurrency on another version", changed("ProvisionedConcurrency", "aliases.live", "", "9"), record.HoldIt, "medium"},
		{"provisioned concurrency removed", lost("ProvisionedConcurrency"), record.Revert, "medium"},
		{"provisioned concurrency nobody declared", added("ProvisionedConcurrency", false, "Function"), record.HoldIt, "medium"},
		{"runtime management", changed("RuntimeManagement", "versions.1", `{"updateRuntimeOn":"FunctionUpdate"}`, ""), record.Revert, "medium"},
		{"runtime management nobody declared", added("RuntimeManagement", false, "Function"), record.Revert, "medium"},
		{"recursion allowed", changed("Function", "recursiveLoop", `"Terminate"`, `"Allow"`), record.Revert, "high"},
		{"layer's version deleted", changed("Layer", "code", `"a"`, `"b"`), record.Revert, "medium"},
		{"layer deleted", lost("Layer"), record.Revert, "medium"},
		{"layer for everybody", changed("Layer", "permissions.all", "", `{"action":"lambda:GetLayerVersion","principal":"*"}`), record.Revert, "critical"},
		{"layer for an organization", changed("Layer", "permissions.all", "", `{"action":"lambda:GetLayerVersion","principal":"*","organizationId":"o-abcdefghij"}`), record.HoldIt, "medium"},
		{"layer's user removed", changed("Layer", "permissions.a", `{}`, ""), record.Revert, "high"},
		{"alias repointed", changed("Alias", "functionVersion", `"2"`, `"1"`), record.HoldIt, "high"},
		{"alias weights", changed("Alias", "routingConfig", "", `{"additionalVersionWeights":{"2":0.5}}`), record.HoldIt, "high"},
		{"alias description", changed("Alias", "description", `"a"`, `"b"`), record.Revert, "low"},
		{"alias deleted", lost("Alias"), record.Revert, "high"},
		{"alias added", added("Alias", false, "Function"), record.Alert, "medium"},
		{"definition edited", changed("Workflow", "definition.States.Pay", `{"Type":"Task"}`, `{"Type":"Pass"}`), record.Revert, "high"},
		{"state added", changed("Workflow", `definition.States["By hand"]`, "", `{"Type":"Pass"}`), record.Revert, "high"},
		{"role of a workflow swapped", changed("Workflow", "roleArn", `"a"`, `"b"`), record.Revert, "high"},
		{"logging of a workflow raised", changed("Workflow", "loggingConfiguration.level", `"ERROR"`, `"ALL"`), record.HoldIt, "high"},
		{"destination of a log added", changed("Workflow", "loggingConfiguration.destinations", `""`, `"arn:x"`), record.HoldIt, "high"},
		{"destination of a log changed", changed("Workflow", "loggingConfiguration.destinations", `"arn:x"`, `"arn:y"`), record.Revert, "medium"},
		{"logging of a workflow lowered", changed("Workflow", "loggingConfiguration.level", `"ERROR"`, `"OFF"`), record.Revert, "medium"},
		{"execution data logged", changed("Workflow", "loggingConfiguration.includeExecutionData", "false", "true"), record.Revert, "medium"},
		{"tracing of a workflow", changed("Workflow", "tracingConfiguration.enabled", "true", "false"), record.Revert, "low"},
		{"key of a workflow", changed("Workflow", "encryptionConfiguration.kmsKeyId", `"a"`, `"b"`), record.HoldIt, "medium"},
		{"workflow deleted", lost("Workflow"), record.HoldIt, "critical"},
		{"workflow alias moved", changed("WorkflowAlias", "routingConfiguration", `[{"stateMachineVersion":"2","weight":100}]`, `[{"stateMachineVersion":"1","weight":100}]`), record.HoldIt, "high"},
		{"workflow alias deleted", lost("WorkflowAlias"), record.Revert, "high"},
		{"workflow alias added", added("WorkflowAlias", false, "Workflow"), record.Alert, "medium"},
		{"mapping disabled", disabled, record.HoldIt, "high"},
		{"mapping disabled by the service", byService, record.Alert, "high"},
		{"mapping enabled", changed("Trigger", "enabled", "false", "true"), record.Revert, "medium"},
		{"mapping batch size", changed("Trigger", "batchSize", "10", "1"), record.Revert, "medium"},
		{"mapping deleted", lost("Trigger"), record.Revert, "high"},
		{"mapping of a stream deleted", ofStream, record.HoldIt, "high"},
		{"mapping added", added("Trigger", false, "Function"), record.Alert, "medium"},
		{"permission changed", changed("Permission", "principal", `"a"`, `"b"`), record.Revert, "high"},
		{"permission removed", lost("Permission"), record.Revert, "high"},
		{"permission for everybody", added("Permission", true, "Function"), record.Revert, "critical"},
		{"permission for somebody", added("Permission", false, "Function"), record.HoldIt, "medium"},
		{"url opened", changed("Url", "authType", `"AWS_IAM"`, `"NONE"`), record.Revert, "critical"},
		{"url closed", changed("Url", "authType", `"NONE"`, `"AWS_IAM"`), record.Revert, "medium"},
		{"url made for who signs", added("Url", false, "Function"), record.HoldIt, "medium"},
		{"url made, open", added("Url", true, "Function"), record.Revert, "critical"},
		{"async", changed("Async", "maximumRetryAttempts", "1", "2"), record.Revert, "medium"},
		{"async made", added("Async", false, "Function"), record.Revert, "medium"},
		{"async deleted", lost("Async"), record.Revert, "medium"},
		{"right added", changed("Role", `statement["a"]`, "", `{}`), record.Revert, "high"},
		{"right removed", changed("Role", `statement["a"]`, `{}`, ""), record.Revert, "high"},
		{"rights as one list, one added", changed("Role", "statements", `[{"a":1}]`, `[{"a":1},{"b":1}]`), record.Revert, "high"},
		{"inline policy by another hand", added("Policy", true, "Role"), record.Revert, "high"},
		{"queue visibility", changed("Queue", "visibilityTimeout", "60", "5"), record.Revert, "medium"},
		{"queue retention raised", changed("Queue", "messageRetentionPeriod", "60", "600"), record.HoldIt, "medium"},
		{"queue retention lowered", changed("Queue", "messageRetentionPeriod", "600", "60"), record.Revert, "medium"},
		{"queue policy", changed("Queue", "policy", `{}`, `{"a":1}`), record.Revert, "high"},
		{"queue deleted", lost("Queue"), record.HoldIt, "critical"},
		{"function deleted", lost("Function"), record.HoldIt, "critical"},
		{"role deleted", lost("Role"), record.HoldIt, "critical"},
		{"secret deleted", lost("Secret"), record.HoldIt, "critical"},
		{"parameter deleted", lost("Parameter"), record.HoldIt, "critical"},
		{"rule disabled", changed("Rule", "state", `"ENABLED"`, `"DISABLED"`), record.HoldIt, "high"},
		{"rule enabled", changed("Rule", "state", `"DISABLED"`, `"ENABLED"`), record.Revert, "medium"},
		{"rule's pattern", changed("Rule", "eventPattern", `{"source":["a"]}`, `{"source":["b"]}`), record.Revert, "medium"},
		{"rule's target sent elsewhere", changed("Rule", "targets.a.arn", `"a"`, `"b"`), record.Revert, "high"},
		{"rule's target taken away", changed("Rule", `targets["a.b"].arn`, `"a"`, ""), record.Revert, "high"},
		{"rule's target added", changed("Rule", "targets.b.arn", "", `"b"`), record.Revert, "high"},
		{"rule's input", changed("Rule", "targets.a.input", `{"a":1}`, `{"a":2}`), record.Revert, "medium"},
		{"rule deleted", lost("Rule"), record.Revert, "high"},
		{"schedule disabled", changed("Schedule", "state", `"ENABLED"`, `"DISABLED"`), record.HoldIt, "high"},
		{"schedule's time", changed("Schedule", "scheduleExpression", `"rate(1 hour)"`, `"rate(2 hours)"`), record.Revert, "medium"},
		{"schedule's role", changed("Schedule", "target.roleArn", `"a"`, `"b"`), record.Revert, "high"},
		{"schedule deleted", lost("Schedule"), record.Revert, "high"},
		{"subscription's filter", changed("Subscription", "filterPolicy", `{"a":["b"]}`, `""`), record.Revert, "high"},
		{"subscription's raw delivery", changed("Subscription", "rawMessageDelivery", "true", "false"), record.Revert, "medium"},
		{"unsubscribed", lost("Subscription"), record.Revert, "high"},
		{"subscription added", added("Subscription", false, "Topic"), record.Alert, "medium"},
		{"subscription out of the account added", added("Subscription", true, "Topic"), record.Alert, "high"},
		{"topic's policy", changed("Topic", "policy", `""`, `{"Statement":[]}`), record.Revert, "high"},
		{"topic's key", changed("Topic", "kmsMasterKeyId", `"a"`, `""`), record.HoldIt, "medium"},
		{"topic's name", changed("Topic", "displayName", `"a"`, `"b"`), record.Revert, "low"},
		{"topic deleted", lost("Topic"), record.HoldIt, "critical"},
		{"alarm silenced", changed("Alarm", "actionsEnabled", "true", "false"), record.Revert, "high"},
		{"api closed", changed("Api", "disableExecuteApiEndpoint", "false", "true"), record.HoldIt, "high"},
		{"api opened", changed("Api", "disableExecuteApiEndpoint", "true", "false"), record.Revert, "critical"},
		{"api throttled", changed("Api", "stage.defaultRouteSettings.throttlingRateLimit", "50", "1"), record.HoldIt, "high"},
		{"route throttled", changed("Api", `stage.routeSettings["GET /a"]`, "", "{}"), record.HoldIt, "high"},
		{"api's authorizer", changed("Api", "authorizers.people", `{}`, `{"a":1}`), record.Revert, "high"},
		{"authorizer added", changed("Api", "authorizers.other", "", `{}`), record.Alert, "medium"},
		{"api's cors", changed("Api", "corsConfiguration.allowOrigins", `["a"]`, `["*"]`), record.Revert, "medium"},
		{"api renamed", changed("Api", "name", `"a"`, `"b"`), record.Revert, "low"},
		{"api deleted", lost("Api"), record.HoldIt, "critical"},
		{"route asks nobody", changed("Route", `routes["GET /a"]`, `{"authorization":"people"}`, `{"authorization":"NONE"}`), record.Revert, "critical"},
		{"route to the function added, open", changed("Route", `routes["GET /b"]`, "", `{"authorization":"NONE"}`), record.Revert, "critical"},
		{"route to the function added", changed("Route", `routes["GET /b"]`, "", `{"authorization":"AWS_IAM"}`), record.Alert, "medium"},
		{"route removed", changed("Route", `routes["GET /a"]`, `{"authorization":"NONE"}`, ""), record.Revert, "high"},
		{"integration's timeout raised", changed("Route", "timeoutInMillis", "1000", "30000"), record.HoldIt, "high"},
		{"integration repointed", changed("Route", "integrationUri", `"a"`, `"b"`), record.Revert, "high"},
		{"integration deleted", lost("Route"), record.Revert, "high"},
		{"route added, open", added("Route", true, "Api"), record.Revert, "critical"},
		{"stage added", added("Stage", false, "Api"), record.Alert, "medium"},
		{"alarm given its voice back", changed("Alarm", "actionsEnabled", "false", "true"), record.Revert, "medium"},
		{"alarm's threshold", changed("Alarm", "threshold", "1", "100"), record.Revert, "medium"},
		{"alarm's actions", changed("Alarm", "alarmActions", `["a"]`, `[]`), record.Revert, "medium"},
		{"alarm's description", changed("Alarm", "alarmDescription", `"a"`, `"b"`), record.Revert, "low"},
		{"alarm deleted", lost("Alarm"), record.Revert, "high"},
		{"log retention lowered", changed("LogGroup", "retentionInDays", "30", "1"), record.Revert, "low"},
		{"log retention set", changed("LogGroup", "retentionInDays", "0", "30"), record.Revert, "low"},
		{"log retention raised", changed("LogGroup", "retentionInDays", "30", "90"), record.HoldIt, "medium"},
		{"log retention taken away", changed("LogGroup", "retentionInDays", "30", "0"), record.HoldIt, "medium"},
		{"log group deleted", lost("LogGroup"), record.Revert, "medium"},
		{"log group's key", changed("LogGroup", "kmsKeyId", `"a"`, `"b"`), record.HoldIt, "medium"},
		{"table's stream off", changed("Table", "streamSpecification.streamEnabled", "true", "false"), record.HoldIt, "high"},
		{"table's expiry on", changed("Table", "timeToLive.enabled", "false", "true"), record.HoldIt, "high"},
		{"table's expiry off", changed("Table", "timeToLive.enabled", "true", "false"), record.HoldIt, "high"},
		{"table's recovery off", changed("Table", "pointInTimeRecovery.enabled", "true", "false"), record.Revert, "high"},
		{"table unprotected", changed("Table", "deletionProtectionEnabled", "true", "false"), record.Revert, "high"},
		{"table protected more", changed("Table", "deletionProtectionEnabled", "false", "true"), record.Alert, "low"},
		{"table's throughput", changed("Table", "provisionedThroughput.readCapacityUnits", "5", "50"), record.Alert, "medium"},
		{"table's index dropped", changed("Table", "globalSecondaryIndexes.by", "{}", ""), record.HoldIt, "medium"},
		{"table to be deleted", changed("Table", "deletionPolicy", `"Retain"`, `"Delete"`), record.Revert, "high"},
		{"table deleted", lost("Table"), record.HoldIt, "critical"},
		{"bucket opened", changed("Bucket", "publicAccessBlock.blockPublicPolicy", "true", "false"), record.Revert, "critical"},
		{"bucket keeps no versions", changed("Bucket", "versioning", `"Enabled"`, `"Suspended"`), record.Revert, "high"},
		{"bucket to be deleted", changed("Bucket", "deletionPolicy", `"Retain"`, `"Delete"`), record.Revert, "high"},
		{"bucket deleted", lost("Bucket"), record.HoldIt, "critical"},
		{"notification deleted", lost("Notification"), record.Revert, "high"},
		{"notification added", added("Notification", false, "Function"), record.Alert, "medium"},
		{"log group unprotected", changed("LogGroup", "deletionProtectionEnabled", "true", "false"), record.Revert, "high"},
		{"log group to be deleted", changed("LogGroup", "deletionPolicy", `"Retain"`, `"Delete"`), record.Revert, "high"},
		{"subscription filter changed", changed("LogGroup", "subscriptionFilters.a", `{}`, `{"a":1}`), record.Revert, "medium"},
		{"subscription filter added", changed("LogGroup", "subscriptionFilters.a", "", `{}`), record.Alert, "high"},
	}
	for _, r := range rows {
		if got := judge(r.d); got.response != r.response || got.severity != r.severity {
			t.Errorf("%s: %s, %s; want %s, %s", r.what, got.response, got.severity, r.response, r.severity)
		}
	}
}

// Rights granted and doors opened are told as such.
func TestCatalogueTellsWhatIsOpen(t *testing.T) {
	for _, d := range []drifted{
		added("Permission", true, "Function"), added("Policy", true, "Role"), changed("Url", "authType", `"AWS_IAM"`, `"NONE"`),
		changed("Role", "statements", `[{"a":1}]`, `[{"a":1},{"b":1}]`), changed("Role", `statement["a"]`, "", `{}`),
	} {
		if !judge(d).open {
			t.Errorf("%+v is not open", d)
		}
	}
	if judge(changed("Role", "statements", `[{"a":1},{"b":1}]`, `[{"a":1}]`)).open {
		t.Error("a right taken away is no open door")
	}
}

// Before traffic moves things only get wider; what cannot be told waits until
// the new version serves.
func TestWhenChangesAreMade(t *testing.T) {
	rows := []struct {
		d    drifted // declared, live
		want class
	}{
		{changed("Function", "memorySize", "1", "2"), widens},
		{changed("Role", `statement["a"]`, `{}`, ""), widens},
		{changed("Role", `statement["a"]`, "", `{}`), narrows},
		{changed("Role", `statement["a"]`, `{"x":1}`, `{}`), connects},
		{changed("Role", "statements", `[1,2]`, `[1]`), widens},
		{changed("Role", "statements", `[1]`, `[1,2]`), narrows},
		{changed("Role", "statements", `[1]`, `[2]`), connects},
		{changed("Role", "managedPolicyArns", `["a","b"]`, `["a"]`), widens},
		{changed("Role", "assumeRolePolicy", `{}`, `{"a":1}`), connects},
		{changed("Role", "tags.a", `"1"`, `"2"`), widens},
		{changed("Concurrency", "reservedConcurrentExecutions", "20", "10"), widens},
		{changed("Concurrency", "reservedConcurrentExecutions", "10", "20"), narrows},
		{changed("Queue", "visibilityTimeout", "20", "10"), widens},
		{changed("Queue", "visibilityTimeout", "10", "20"), narrows},
		{changed("Queue", "messageRetentionPeriod", "10", "20"), narrows},
		{changed("Queue", "delaySeconds", "10", "20"), connects},
		{changed("Queue", "policy", `{}`, `{"a":1}`), connects},
		{changed("LogGroup", "retentionInDays", "30", "7"), widens},
		{changed("LogGroup", "retentionInDays", "0", "7"), widens},
		{changed("LogGroup", "retentionInDays", "7", "0"), narrows},
		{changed("LogGroup", "subscriptionFilters.a", `{}`, ""), connects},
		{changed("Trigger", "batchSize", "1", "2"), connects},
		{changed("Permission", "principal", `"a"`, `"b"`), connects},
		{changed("Url", "authType", `"a"`, `"b"`), connects},
		{changed("Async", "maximumRetryAttempts", "1", "2"), connects},
		{changed("Alias", "description", `"a"`, `"b"`), connects},
	}
	for _, r := range rows {
		if got := classOf(r.d.ref.Kind, r.d.diff); got != r.want {
			t.Errorf("%s %s, %s -> %s: %v, want %v", r.d.ref.Kind, r.d.diff.path, r.d.diff.l, r.d.diff.d, got, r.want)
		}
	}
}

// What a repository says about drift as a whole caps what is done.
func TestTheEnvironmentCapsResponses(t *testing.T) {
	for policy, want := range map[string][3]record.Response{
		"":       {record.Revert, record.HoldIt, record.Alert},
		"revert": {record.Revert, record.HoldIt, record.Alert},
		"alert":  {record.Alert, record.HoldIt, record.Alert},
		"off":    {record.Ignore, record.Ignore, record.Ignore},
	} {
		w := newWorld(Input{Environment: manifest.Environment{Drift: manifest.DriftPolicy{Response: policy}}})
		for i, r := range []record.Response{record.Revert, record.HoldIt, record.Alert} {
			if got := w.cap(r); got != want[i] {
				t.Errorf("%q: %s becomes %s, want %s", policy, r, got, want[i])
			}
		}
	}
}
