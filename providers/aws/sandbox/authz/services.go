package authz

import (
	"strings"

	"mooring.dev/providers/aws/sandbox/iam"
)

// lambdaActions are Lambda's operations whose action has another name.
var lambdaActions = map[string]string{"Invoke": "InvokeFunction"}

// wholeAccount are operations that no resource can be named for.
var wholeAccount = map[string]bool{
	"ListFunctions": true, "ListLayers": true, "ListLayerVersions": true, "ListEventSourceMappings": true, "GetAccountSettings": true,
	"ListCodeSigningConfigs": true,
}

func lambdaAsks(c Call) []iam.Ask {
	action := "lambda:" + orElse(lambdaActions[c.Operation], c.Operation)
	function := c.function()
	switch {
	case wholeAccount[c.Operation]:
		return c.on(action, everything)
	case strings.Contains(c.Path, "/tags/"):
		return c.on(action, c.Path[strings.Index(c.Path, "/tags/")+len("/tags/"):])
	case strings.Contains(c.Path, "/layers/"):
		return append(c.on(action, c.layer()), c.code("Content")...)
	case c.Operation == "ListFunctionsByCodeSigningConfig":
		_, rest, _ := strings.Cut(c.Path, "/code-signing-configs/")
		return c.on(action, strings.TrimSuffix(rest, "/functions"))
	case strings.Contains(c.Path, "/event-source-mappings"):
		return c.mapping(action, function)
	case function == "":
		return c.on(action, everything)
	}
	out := c.on(action, function)
	out = append(out, c.passing("lambda.amazonaws.com", c.text("Role"))...)
	if c.Operation == "CreateFunction" {
		out = append(out, c.tagged("lambda:TagResource", function, "Tags")...)
		out = append(out, c.code("Code")...)
	}
	if c.Operation == "UpdateFunctionCode" {
		out = append(out, c.code("")...)
	}
	if c.Operation == "PutFunctionCodeSigningConfig" {
		out = append(out, c.on(action, c.text("CodeSigningConfigArn"))...)
	}
	return append(out, c.on("lambda:GetLayerVersion", c.texts("Layers")...)...)
}

// function is the ARN of the function a call names, with its qualifier.
func (c Call) function() string {
	name := c.text("FunctionName")
	if name == "" {
		return ""
	}
	if !strings.HasPrefix(name, "arn:") {
		name = c.arn("lambda", "function:"+name)
	}
	if q := c.text("Qualifier"); q != "" && strings.Count(name, ":") == 6 {
		name += ":" + q
	}
	return name
}

// code is what reading code from S3 needs: Lambda does it as the caller.
func (c Call) code(member string) []iam.Ask {
	from := c.Params
	if member != "" {
		from, _ = c.Params[member].(map[string]any)
	}
	bucket, _ := from["S3Bucket"].(string)
	key, _ := from["S3Key"].(string)
	if bucket == "" {
		return nil
	}
	return c.on("s3:GetObject", "arn:aws:s3:::"+bucket+"/"+key)
}

// layer is the ARN of the layer, or of its version, in a call's path.
func (c Call) layer() string {
	_, rest, _ := strings.Cut(c.Path, "/layers/")
	parts := strings.Split(strings.Trim(rest, "/"), "/") // NAME/versions/3/policy
	if len(parts) > 2 {
		return c.arn("lambda", "layer:"+parts[0]+":"+parts[2])
	}
	return c.arn("lambda", "layer:"+parts[0])
}

func (c Call) mapping(action, function string) []iam.Ask {
	_, uuid, _ := strings.Cut(c.Path, "/event-source-mappings/")
	uuid = strings.Trim(uuid, "/")
	if uuid == "" {
		known := map[string]string{"lambda:functionarn": function}
		out := []iam.Ask{{Action: action, Resource: everything, Known: known}}
		return append(out, c.tagged("lambda:TagResource", c.arn("lambda", "event-source-mapping:new"), "Tags")...)
	}
	if function == "" {
		function = c.Mapped(uuid)
	}
	return []iam.Ask{{Action: action, Resource: c.arn("lambda", "event-source-mapping:"+uuid), Known: map[string]string{"lambda:functionarn": function}}}
}

func queueAsks(c Call) []iam.Ask {
	name := orElse(c.text("QueueName"), last(c.text("QueueUrl"), "/"))
	if name == "" {
		return c.on("sqs:"+c.Operation, everything)
	}
	queue := c.arn("sqs", name)
	out := c.on("sqs:"+strings.TrimSuffix(c.Operation, "Batch"), queue)
	if c.Operation == "CreateQueue" {
		out = append(out, c.tagged("sqs:TagQueue", queue, "tags")...)
	}
	return out
}

func alarmAsks(c Call) []iam.Ask {
	action := "cloudwatch:" + c.Operation
	switch c.Operation {
	case "DescribeAlarms":
		return c.on(action, c.arn("cloudwatch", "alarm:*"))
	case "DeleteAlarms":
		var out []iam.Ask
		for _, name := range c.texts("AlarmNames") {
			out = append(out, c.on(action, c.arn("cloudwatch", "alarm:"+name))...)
		}
		return out
	case "PutMetricAlarm":
		alarm := c.arn("cloudwatch", "alarm:"+c.text("AlarmName"))
		return append(c.on(action, alarm), c.tagged("cloudwatch:TagResource", alarm, "Tags")...)
	}
	return c.on(action, orElse(c.text("ResourceARN"), everything))
}

func groupAsks(c Call) []iam.Ask {
	action := "logs:" + c.Operation
	name := c.text("logGroupName", "logGroupIdentifier")
	switch {
	case c.Operation == "DescribeLogGroups", c.Operation == "DescribeMetricFilters" && name == "":
		return c.on(action, c.arn("logs", "log-group::log-stream:"))
	case name != "" && !strings.HasPrefix(name, "arn:"):
		group := c.arn("logs", "log-group:"+name)
		out := append(c.on(action, group+":log-stream:"), c.passing("logs.amazonaws.com", c.text("roleArn"))...)
		if c.Operation == "CreateLogGroup" {
			out = append(out, c.tagged("logs:TagResource", group, "tags")...)
		}
		return out
	}
	return c.on(action, orElse(c.text("resourceArn", "logGroupIdentifier"), everything))
}

func ruleAsks(c Call) []iam.Ask {
	action := "events:" + c.Operation
	name := c.text("Name", "Rule")
	if name == "" || c.Operation == "ListRules" {
		return c.on(action, orElse(c.text("ResourceARN"), everything))
	}
	if bus := last(c.text("EventBusName"), "/"); bus != "" && bus != "default" {
		name = bus + "/" + name
	}
	rule := c.arn("events", "rule/"+name)
	out := append(c.on(action, rule), c.passing("events.amazonaws.com", c.text("RoleArn"))...)
	if targets, ok := c.Params["Targets"].([]any); ok {
		for _, t := range targets {
			if target, ok := t.(map[string]any); ok {
				role, _ := target["RoleArn"].(string)
				out = append(out, c.passing("events.amazonaws.com", role)...)
			}
		}
	}
	if c.Operation == "PutRule" {
		out = append(out, c.tagged("events:TagResource", rule, "Tags")...)
	}
	return out
}

func scheduleAsks(c Call) []iam.Ask {
	action := "scheduler:" + c.Operation
	_, name, one := strings.Cut(c.Path, "/schedules/")
	if !one {
		return c.on(action, everything)
	}
	out := c.on(action, c.arn("scheduler", "schedule/"+orElse(c.text("GroupName", "groupName"), "default")+"/"+strings.Trim(name, "/")))
	if target, ok := c.Params["Target"].(map[string]any); ok {
		role, _ := target["RoleArn"].(string)
		out = append(out, c.passing("scheduler.amazonaws.com", role)...)
	}
	return out
}

// trailAsks: a trail is named by its name or its ARN; what is about no trail
// is about the account.
func trailAsks(c Call) []iam.Ask {
	action, name := "cloudtrail:"+c.Operation, c.text("Name", "TrailName")
	if name == "" {
		return c.on(action, everything)
	}
	return c.on(action, c.arn("cloudtrail", "trail/"+name[strings.LastIndexByte(name, '/')+1:]))
}

func topicAsks(c Call) []iam.Ask {
	action := "sns:" + c.Operation
	topic := c.text("TopicArn", "ResourceArn")
	if name := c.text("Name"); topic == "" && name != "" {
		topic = c.arn("sns", name)
	}
	switch c.Operation {
	case "GetSubscriptionAttributes", "SetSubscriptionAttributes", "Unsubscribe":
		topic = everything
	}
	out := c.on(action, orElse(topic, everything))
	if c.Operation == "CreateTopic" {
		out = append(out, c.tagged("sns:TagResource", topic, "Tags")...)
	}
	return out
}

func machineAsks(c Call) []iam.Ask {
	action := "states:" + c.Operation
	machine := c.text("stateMachineArn", "stateMachineAliasArn", "stateMachineVersionArn", "executionArn", "resourceArn")
	if name := c.text("name"); c.Operation == "CreateStateMachine" && name != "" {
		machine = c.arn("states", "stateMachine:"+name)
	}
	if routes, ok := c.Params["routingConfiguration"].([]any); ok && machine == "" && len(routes) > 0 { // a new alias, of the machine of its versions
		if route, ok := routes[0].(map[string]any); ok {
			version, _ := route["stateMachineVersionArn"].(string)
			machine = version[:max(0, strings.LastIndexByte(version, ':'))]
		}
	}
	out := append(c.on(action, orElse(machine, everything)), c.passing("states.amazonaws.com", c.text("roleArn"))...)
	if c.Operation == "CreateStateMachine" {
		out = append(out, c.tagged("states:TagResource", machine, "tags")...)
	}
	return out
}

func tableAsks(c Call) []iam.Ask {
	table := c.text("TableName", "ResourceArn")
	if table == "" {
		return c.on("dynamodb:"+c.Operation, everything)
	}
	if !strings.HasPrefix(table, "arn:") {
		table = c.arn("dynamodb", "table/"+table)
	}
	out := c.on("dynamodb:"+c.Operation, table)
	if c.Operation == "CreateTable" {
		out = append(out, c.tagged("dynamodb:TagResource", table, "Tags")...)
	}
	return out
}
