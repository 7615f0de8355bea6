package cloudtrail

import (
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Event is one event of the trail.
type Event struct {
	ID, Name, Source, User, AccessKey string
	Service                           string // the signing name
	At                                time.Time
	ReadOnly                          bool
	Resources                         []Resource
	// Record is the whole event as the trail delivers it.
	Record map[string]any

	serial int64 // its place among all events
}

// Resource is something an event is about.
type Resource struct{ ResourceType, ResourceName string }

// data are the operations that are not management events, by service.
var data = map[string][]string{
	"sqs":        {"SendMessage*", "ReceiveMessage", "DeleteMessage*", "ChangeMessageVisibility*"},
	"lambda":     {"Invoke*"},
	"monitoring": {"PutMetricData", "GetMetric*", "ListMetrics"},
	"events":     {"PutEvents"},
	"sns":        {"Publish*"},
	"dynamodb":   {"*Item", "Query", "Scan", "GetRecords", "GetShardIterator"},
	"kinesis":    {"PutRecord*", "GetRecords", "GetShardIterator"},
	"logs":       {"PutLogEvents", "GetLogEvents", "FilterLogEvents"},
}

// management tells management events from data events.
func management(service, operation string) bool {
	if service == "s3" {
		return (strings.Contains(operation, "Bucket") || ofBuckets[operation] != "") && operation != "HeadBucket"
	}
	for _, pattern := range data[service] {
		if wire.Glob(pattern, operation) {
			return false
		}
	}
	return true
}

// dated are the names of Lambda's operations that carry the date of their API.
var dated = map[string]string{
	"CreateFunction": "20150331", "DeleteFunction": "20150331", "PublishVersion": "20150331",
	"UpdateFunctionCode": "20150331v2", "UpdateFunctionConfiguration": "20150331v2",
	"GetFunction": "20150331v2", "GetFunctionConfiguration": "20150331v2", "ListFunctions": "20150331",
	"GetPolicy": "20150331v2", "ListVersionsByFunction": "20150331", "ListAliases": "20150331", "GetAlias": "20150331",
	"CreateAlias": "20150331", "UpdateAlias": "20150331", "DeleteAlias": "20150331",
	"CreateEventSourceMapping": "20150331", "UpdateEventSourceMapping": "20150331", "DeleteEventSourceMapping": "20150331",
	"GetEventSourceMapping": "20150331", "ListEventSourceMappings": "20150331",
	"AddPermission": "20150331v2", "RemovePermission": "20150331v2",
	"PutFunctionConcurrency": "20171031", "DeleteFunctionConcurrency": "20171031",
	"TagResource": "20170331v2", "UntagResource": "20170331v2", "ListTags": "20170331",
	"PublishLayerVersion": "20181031", "DeleteLayerVersion": "20181031",
}

// ofBuckets are the names of S3's operations that its events call otherwise.
var ofBuckets = map[string]string{
	"PutBucketNotificationConfiguration": "PutBucketNotification", "GetBucketNotificationConfiguration": "GetBucketNotification",
	"PutPublicAccessBlock": "PutBucketPublicAccessBlock", "GetPublicAccessBlock": "GetBucketPublicAccessBlock", "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
}

func eventName(c wire.Call) string {
	if name := ofBuckets[c.Operation]; name != "" && c.Service == "s3" {
		return name
	}
	if c.Service == "lambda" {
		return c.Operation + dated[c.Operation]
	}
	return c.Operation
}

func eventOf(c wire.Call) Event {
	e := Event{
		ID: wire.NewID(), Name: eventName(c), Source: c.Service + ".amazonaws.com", Service: c.Service,
		User: userName(c.Actor), AccessKey: c.Actor.AccessKey, At: c.At, ReadOnly: c.ReadOnly, Resources: resources(c),
	}
	e.Record = map[string]any{
		"eventVersion": "1.11", "eventSource": e.Source, "eventName": e.Name,
		"eventTime": c.At.UTC().Format(time.RFC3339), "awsRegion": c.Region,
		"sourceIPAddress": "127.0.0.1", "userAgent": c.UserAgent,
		"requestID": c.ID, "eventID": e.ID, "readOnly": c.ReadOnly,
		"eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
		"recipientAccountId": c.Account, "userIdentity": identity(c),
		"requestParameters": members(redact(c.Params)), "responseElements": nil,
	}
	if !c.ReadOnly && c.ErrorCode == "" {
		e.Record["responseElements"] = members(redact(c.Response))
	}
	if c.ErrorCode != "" {
		e.Record["errorCode"] = c.ErrorCode
	}
	return e
}

// members is nil rather than an empty structure.
func members(m map[string]any) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

// redact takes out what AWS's trail does not show, and spells what it spells
// its own way.
func redact(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		switch k {
		case "zipFile":
			continue
		case "environment":
			v = map[string]any{}
		case "filterCriteria":
			v = wire.HiddenValue
		case "uuid":
			k = "uUID"
		}
		if inner, ok := v.(map[string]any); ok {
			v = redact(inner)
		}
		out[k] = v
	}
	return out
}

func userName(a wire.Actor) string { return a.Name[strings.LastIndexByte(a.Name, '/')+1:] }

func identity(c wire.Call) map[string]any {
	a := c.Actor
	switch a.Type {
	case "AssumedRole":
		role, session, _ := strings.Cut(strings.TrimPrefix(a.Name, "assumed-role/"), "/")
		id := "AROA" + strings.ToUpper(strings.ReplaceAll(role, "-", ""))
		return map[string]any{
			"type": a.Type, "principalId": id + ":" + session, "arn": a.ARN, "accountId": c.Account, "accessKeyId": a.AccessKey,
			"sessionContext": map[string]any{
				"sessionIssuer": map[string]any{
					"type": "Role", "principalId": id, "arn": "arn:aws:iam::" + c.Account + ":role/" + role,
					"accountId": c.Account, "userName": role,
				},
				"attributes": map[string]any{"mfaAuthenticated": "false"},
			},
		}
	case "AWSService":
		return map[string]any{"type": a.Type, "invokedBy": userName(a)}
	default:
		return map[string]any{
			"type": a.Type, "principalId": "AIDA" + strings.ToUpper(userName(a)), "arn": a.ARN,
			"accountId": c.Account, "accessKeyId": a.AccessKey, "userName": userName(a),
		}
	}
}

// naming says which member names a resource of which type.
var naming = []struct{ service, member, kind string }{
	{"lambda", "functionName", "AWS::Lambda::Function"},
	{"lambda", "layerName", "AWS::Lambda::LayerVersion"},
	{"lambda", "functionArn", "AWS::Lambda::Function"},
	{"lambda", "resource", "AWS::Lambda::Function"},
	{"lambda", "uuid", "AWS::Lambda::EventSourceMapping"},
	{"lambda", "role", "AWS::IAM::Role"},
	{"iam", "roleName", "AWS::IAM::Role"},
	{"iam", "policyArn", "AWS::IAM::Policy"},
	{"sqs", "queueUrl", "AWS::SQS::Queue"},
	{"sqs", "queueName", "AWS::SQS::Queue"},
	{"s3", "bucketName", "AWS::S3::Bucket"},
	{"secretsmanager", "secretId", "AWS::SecretsManager::Secret"},
	{"secretsmanager", "name", "AWS::SecretsManager::Secret"},
	{"secretsmanager", "aRN", "AWS::SecretsManager::Secret"},
	{"dynamodb", "tableName", "AWS::DynamoDB::Table"},
	{"dynamodb", "resourceArn", "AWS::DynamoDB::Table"},
	{"kinesis", "streamName", "AWS::Kinesis::Stream"},
	{"kinesis", "streamARN", "AWS::Kinesis::Stream"},
	{"ssm", "name", "AWS::SSM::Parameter"},
	{"events", "name", "AWS::Events::Rule"},
	{"events", "rule", "AWS::Events::Rule"},
	{"sns", "topicArn", "AWS::SNS::Topic"},
	{"sns", "resourceArn", "AWS::SNS::Topic"},
	{"sns", "subscriptionArn", "AWS::SNS::Subscription"},
	{"scheduler", "name", "AWS::Scheduler::Schedule"},
	{"scheduler", "scheduleArn", "AWS::Scheduler::Schedule"},
	{"states", "stateMachineArn", "AWS::StepFunctions::StateMachine"},
	{"states", "stateMachineAliasArn", "AWS::StepFunctions::StateMachineAlias"},
	{"states", "stateMachineVersionArn", "AWS::StepFunctions::StateMachineVersion"},
	{"states", "resourceArn", "AWS::StepFunctions::StateMachine"},
	{"apigateway", "apiId", "AWS::ApiGatewayV2::Api"},
	{"monitoring", "alarmName", "AWS::CloudWatch::Alarm"},
	{"monitoring", "alarmNames", "AWS::CloudWatch::Alarm"},
	{"logs", "logGroupName", "AWS::Logs::LogGroup"},
}

// resources are what a call is about; ARNs and URLs are listed by the name in
// them too.
func resources(c wire.Call) []Resource {
	var out []Resource
	seen := map[Resource]bool{}
	add := func(kind, name string) {
		if r := (Resource{ResourceType: kind, ResourceName: name}); name != "" && !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	for _, n := range naming {
		if n.service != c.Service {
			continue
		}
		for _, members := range []map[string]any{c.Params, c.Response} {
			for _, name := range texts(members[n.member]) {
				add(n.kind, name)
				add(n.kind, shortName(n.kind, name))
			}
		}
	}
	return out
}

// texts is a member that is one text or a list of them.
func texts(member any) []string {
	switch m := member.(type) {
	case string:
		return []string{m}
	case []any:
		var out []string
		for _, item := range m {
			if text, ok := item.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// shortName is the bare name in an ARN, a partial ARN or a URL.
func shortName(kind, name string) string {
	if kind == "AWS::Lambda::Function" {
		if _, tail, ok := strings.Cut(name, "function:"); ok {
			name = tail
		}
		name, _, _ = strings.Cut(name, ":")
		return name
	}
	return name[strings.LastIndexAny(name, "/:")+1:]
}
