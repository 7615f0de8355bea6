package authz

import (
	"slices"
	"strings"
	"testing"
)

// TestWhatACallAsksFor: actions and resources by the service authorization
// reference, with what a call hands on and reads as its caller.
func TestWhatACallAsksFor(t *testing.T) {
	type params = map[string]any
	const role, place = "arn:aws:iam::1:role/f", "eu-west-1:1:"
	for name, c := range map[string]struct {
		call Call
		want []string // "action resource"
	}{
		"create a function": {
			Call{Service: "lambda", Operation: "CreateFunction", Path: "/2015-03-31/functions", Params: params{
				"FunctionName": "f", "Role": role, "Tags": params{"a": "b"}, "Layers": []any{"arn:aws:lambda:eu-west-1:2:layer:l:3"},
				"Code": params{"S3Bucket": "b", "S3Key": "k/z.zip"},
			}},
			[]string{
				"lambda:CreateFunction arn:aws:lambda:" + place + "function:f", "iam:PassRole " + role, "lambda:TagResource arn:aws:lambda:" + place + "function:f",
				"s3:GetObject arn:aws:s3:::b/k/z.zip", "lambda:GetLayerVersion arn:aws:lambda:eu-west-1:2:layer:l:3",
			},
		},
		"invoke a version": {
			Call{Service: "lambda", Operation: "Invoke", Path: "/2015-03-31/functions/f/invocations", Params: params{"FunctionName": "f", "Qualifier": "3"}},
			[]string{"lambda:InvokeFunction arn:aws:lambda:" + place + "function:f:3"},
		},
		"list functions": {Call{Service: "lambda", Operation: "ListFunctions", Path: "/2015-03-31/functions"}, []string{"lambda:ListFunctions *"}},
		"a layer's version": {
			Call{Service: "lambda", Operation: "GetLayerVersion", Path: "/2018-10-31/layers/l/versions/3", Params: params{}},
			[]string{"lambda:GetLayerVersion arn:aws:lambda:" + place + "layer:l:3"},
		},
		"a mapping": {
			Call{Service: "lambda", Operation: "UpdateEventSourceMapping", Path: "/2015-03-31/event-source-mappings/u1", Params: params{}},
			[]string{"lambda:UpdateEventSourceMapping arn:aws:lambda:" + place + "event-source-mapping:u1"},
		},
		"messages in one call": {
			Call{Service: "sqs", Operation: "DeleteMessageBatch", Params: params{"QueueUrl": "https://sqs/1/q"}}, []string{"sqs:DeleteMessage arn:aws:sqs:" + place + "q"},
		},
		"a bucket's notifications": {
			Call{Service: "s3", Operation: "PutBucketNotificationConfiguration", Path: "/b"}, []string{"s3:PutBucketNotification arn:aws:s3:::b"},
		},
		"targets with a role": {
			Call{Service: "events", Operation: "PutTargets", Params: params{"Rule": "r", "EventBusName": "shop", "Targets": []any{params{"RoleArn": role}}}},
			[]string{"events:PutTargets arn:aws:events:" + place + "rule/shop/r", "iam:PassRole " + role},
		},
		"a schedule": {
			Call{Service: "scheduler", Operation: "CreateSchedule", Path: "/schedules/s", Params: params{"GroupName": "g", "Target": params{"RoleArn": role}}},
			[]string{"scheduler:CreateSchedule arn:aws:scheduler:" + place + "schedule/g/s", "iam:PassRole " + role},
		},
		"a trail, by its ARN": {
			Call{Service: "cloudtrail", Operation: "GetTrailStatus", Params: params{"Name": "arn:aws:cloudtrail:" + place + "trail/t"}},
			[]string{"cloudtrail:GetTrailStatus arn:aws:cloudtrail:" + place + "trail/t"},
		},
		"all trails": {Call{Service: "cloudtrail", Operation: "DescribeTrails"}, []string{"cloudtrail:DescribeTrails *"}},
		"an API's stage": {
			Call{Service: "apigateway", Operation: "CreateStage", Method: "POST", Path: "/v2/apis/x/stages", Params: params{"tags": params{"a": "b"}}},
			[]string{"apigateway:POST arn:aws:apigateway:eu-west-1::/apis/x/stages", "apigateway:TagResource arn:aws:apigateway:eu-west-1::/apis/x/stages"},
		},
		"take a role on with tags": {
			Call{Service: "sts", Operation: "AssumeRole", Params: params{"RoleArn": role, "Tags": []any{params{"Key": "a"}}}},
			[]string{"sts:AssumeRole " + role, "sts:TagSession " + role},
		},
		"who am I":          {Call{Service: "sts", Operation: "GetCallerIdentity"}, nil},
		"a service unknown": {Call{Service: "kinesis", Operation: "ListStreams"}, []string{"kinesis:ListStreams *"}},
		"a subscription":    {Call{Service: "sns", Operation: "Unsubscribe", Params: params{"SubscriptionArn": "arn:s"}}, []string{"sns:Unsubscribe *"}},
		"an alias of machines": {
			Call{Service: "states", Operation: "CreateStateMachineAlias", Params: params{"name": "live", "routingConfiguration": []any{params{"stateMachineVersionArn": "arn:m:3"}}}},
			[]string{"states:CreateStateMachineAlias arn:m"},
		},
	} {
		c.call.Region, c.call.Account = "eu-west-1", "1"
		c.call.Mapped = func(string) string { return "arn:f" }
		var got []string
		for _, ask := range Asks(c.call) {
			got = append(got, ask.Action+" "+ask.Resource)
			if strings.Contains(ask.Action, "Mapping") && ask.Known["lambda:functionarn"] != "arn:f" {
				t.Errorf("%s: the condition knows %v", name, ask.Known)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s asks for %v, want %v", name, got, c.want)
		}
	}
}

// TestRolesAreJudgedByTheirBoundary: the one a call sets, else the one the role
// has.
func TestRolesAreJudgedByTheirBoundary(t *testing.T) {
	roles := func(string) (string, string, bool) { return "arn:aws:iam::1:role/path/r", "has", true }
	for given, want := range map[string]string{"": "has", "sets": "sets"} {
		asks := Asks(Call{Service: "iam", Operation: "PutRolePermissionsBoundary", Role: roles, Params: map[string]any{"RoleName": "r", "PermissionsBoundary": given}})
		if len(asks) != 1 || asks[0].Known["iam:permissionsboundary"] != want || asks[0].Resource != "arn:aws:iam::1:role/path/r" {
			t.Errorf("%q: %+v", given, asks)
		}
	}
}
