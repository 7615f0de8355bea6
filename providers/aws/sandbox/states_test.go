package sandbox_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

const passes = `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"n":%d},"End":true}}}`

func passing(n int) *string {
	return aws.String(strings.Replace(passes, "%d", strconv.Itoa(n), 1))
}

// flowRole makes a role that Step Functions may take, and may do all this.
func flowRole(t *testing.T, cfg aws.Config, actions string) string {
	t.Helper()
	c := iam.NewFromConfig(cfg)
	role := must(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("flows"), AssumeRolePolicyDocument: aws.String(strings.Replace(lambdaTrust, "lambda.", "states.", 1))}))(t)
	must(c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("flows"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}]}`)}))(t)
	return *role.Role.Arn
}

func newFlow(t *testing.T, c *sfn.Client, role, name string, definition *string) string {
	t.Helper()
	return *must(c.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: &name, RoleArn: &role, Definition: definition}))(t).StateMachineArn
}

func TestStateMachineRevisionsAndVersions(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c, role := sfn.NewFromConfig(cfg), flowRole(t, cfg, `"sqs:SendMessage"`)
	arn := newFlow(t, c, role, "orders", passing(1))
	if again := newFlow(t, c, role, "orders", passing(1)); again != arn {
		t.Errorf("the same machine again is %s", again)
	}
	_, err := c.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("orders"), RoleArn: &role, Definition: passing(2)})
	if codeOf(err) != "StateMachineAlreadyExists" {
		t.Errorf("another machine of that name: %v", err)
	}
	publish := func(revision *string) (string, error) {
		out, err := c.PublishStateMachineVersion(t.Context(), &sfn.PublishStateMachineVersionInput{StateMachineArn: &arn, RevisionId: revision})
		if err != nil {
			return "", err
		}
		return strings.TrimPrefix(*out.StateMachineVersionArn, arn), nil
	}
	one := must(publish(aws.String("INITIAL")))(t)
	if again := must(publish(nil))(t); one != ":1" || again != one {
		t.Errorf("published %s, then %s: publishing a revision twice makes one version", one, again)
	}
	updated := must(c.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: passing(2)}))(t)
	if _, err := publish(aws.String("INITIAL")); codeOf(err) != "ConflictException" {
		t.Errorf("publishing a revision that is not current: %v", err)
	}
	two := must(publish(updated.RevisionId))(t)
	old := must(c.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: aws.String(arn + ":1")}))(t)
	if two != ":2" || *old.Definition != *passing(1) || *old.RoleArn != role {
		t.Errorf("version %s; version 1 runs %s", two, *old.Definition)
	}
	list := must(c.ListStateMachineVersions(t.Context(), &sfn.ListStateMachineVersionsInput{StateMachineArn: &arn}))(t).StateMachineVersions
	if len(list) != 2 || !strings.HasSuffix(*list[0].StateMachineVersionArn, ":2") {
		t.Errorf("versions %v: the newest comes first", list)
	}
	if _, err := c.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: aws.String(`{"StartAt":"B","States":{"A":{"Type":"Pass","End":true}}}`)}); codeOf(err) != "InvalidDefinition" {
		t.Errorf("a definition that starts nowhere: %v", err)
	}
	_, err = c.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("x"), RoleArn: aws.String(newRole(t, cfg, "other", "service-role/AWSLambdaBasicExecutionRole")), Definition: passing(1)})
	if codeOf(err) != "AccessDeniedException" {
		t.Errorf("a role Step Functions may not take: %v", err)
	}
}

func TestStateMachineAliasesSendByWeight(t *testing.T) {
	s := start(t, sandbox.Options{Period: time.Second})
	cfg := as(s, "alice")
	c := sfn.NewFromConfig(cfg)
	arn := newFlow(t, c, flowRole(t, cfg, `"sqs:SendMessage"`), "orders", passing(1))
	must(c.PublishStateMachineVersion(t.Context(), &sfn.PublishStateMachineVersionInput{StateMachineArn: &arn}))(t)
	must(c.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Publish: true, Definition: aws.String(
		`{"StartAt":"A","States":{"A":{"Type":"Fail","Error":"Broken","Cause":"by design"}}}`)}))(t)
	route := func(weights ...int32) []types.RoutingConfigurationListItem {
		var out []types.RoutingConfigurationListItem
		for i, w := range weights {
			out = append(out, types.RoutingConfigurationListItem{StateMachineVersionArn: aws.String(arn + ":" + strconv.Itoa(i+1)), Weight: w})
		}
		return out
	}
	alias := *must(c.CreateStateMachineAlias(t.Context(), &sfn.CreateStateMachineAliasInput{Name: aws.String("live"), RoutingConfiguration: route(100)}))(t).StateMachineAliasArn
	if _, err := c.UpdateStateMachineAlias(t.Context(), &sfn.UpdateStateMachineAliasInput{StateMachineAliasArn: &alias, RoutingConfiguration: route(80, 30)}); codeOf(err) != "ValidationException" {
		t.Errorf("weights that do not sum to a hundred: %v", err)
	}
	must(c.UpdateStateMachineAlias(t.Context(), &sfn.UpdateStateMachineAliasInput{StateMachineAliasArn: &alias, RoutingConfiguration: route(70, 30)}))(t)
	if _, err := c.DeleteStateMachineVersion(t.Context(), &sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: aws.String(arn + ":2")}); codeOf(err) != "ConflictException" {
		t.Errorf("deleting a version that an alias names: %v", err)
	}
	for range 100 {
		must(c.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &alias}))(t)
	}
	ended := func(status types.ExecutionStatus, of string) int {
		return len(must(c.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &of, StatusFilter: status}))(t).Executions)
	}
	eventually(t, "all ended", func() bool { return ended(types.ExecutionStatusRunning, alias) == 0 })
	if good, bad := ended(types.ExecutionStatusSucceeded, arn+":1"), ended(types.ExecutionStatusFailed, arn+":2"); good != 70 || bad != 30 {
		t.Errorf("%d executions of version 1, %d of version 2: want 70 and 30", good, bad)
	}
	now := time.Now()
	data := must(cloudwatch.NewFromConfig(cfg).GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-time.Minute)), EndTime: aws.Time(now.Add(time.Minute)),
		MetricDataQueries: []cwtypes.MetricDataQuery{{Id: aws.String("q"), MetricStat: &cwtypes.MetricStat{
			Period: aws.Int32(60), Stat: aws.String("Sum"), Metric: &cwtypes.Metric{
				Namespace: aws.String("AWS/States"), MetricName: aws.String("ExecutionsFailed"),
				Dimensions: []cwtypes.Dimension{{Name: aws.String("StateMachineArn"), Value: &arn}, {Name: aws.String("Version"), Value: aws.String("2")}},
			}}}},
	}))(t)
	sum := 0.0
	for _, v := range data.MetricDataResults[0].Values {
		sum += v
	}
	if sum != 30 {
		t.Errorf("ExecutionsFailed of version 2 sums to %v", sum)
	}
}

func TestExecutionsRunTheirStates(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	newFunction(t, cfg, "echo")
	must(lambda.NewFromConfig(cfg).PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("echo")}))(t)
	alias := must(lambda.NewFromConfig(cfg).CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("echo"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))(t)
	queues := sqs.NewFromConfig(cfg)
	url, _ := newQueue(t, queues, "parcels", nil)
	c := sfn.NewFromConfig(cfg)
	arn := newFlow(t, c, flowRole(t, cfg, `"lambda:InvokeFunction","sqs:SendMessage"`), "orders", aws.String(`{
	  "StartAt": "Pick",
	  "States": {
	    "Pick": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$.n", "NumericGreaterThan": 1}, {"Variable": "$.kind", "StringEquals": "parcel"}], "Next": "Pause"}], "Default": "Refuse"},
	    "Refuse": {"Type": "Fail", "Error": "Refused", "Cause": "too few"},
	    "Pause": {"Type": "Wait", "Seconds": 0, "Next": "Both"},
	    "Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Each", "Branches": [
	      {"StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": "`+*alias.AliasArn+`", "OutputPath": "$.body", "End": true}}},
	      {"StartAt": "Lost", "States": {"Lost": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "arn:aws:lambda:eu-west-1:111111111111:function:gone"},
	        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Known"}], "End": true}, "Known": {"Type": "Pass", "OutputPath": "$.lost.Error", "End": true}}}]},
	    "Each": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": "$.each", "ItemSelector": {"item.$": "$$.Map.Item.Value"},
	      "ItemProcessor": {"StartAt": "In", "States": {"In": {"Type": "Pass", "OutputPath": "$.item", "End": true}}}, "Next": "Tell"},
	    "Tell": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": "`+url+`", "MessageBody.$": "$.each"}, "ResultPath": null, "Next": "Done"},
	    "Done": {"Type": "Succeed"}
	  }}`))
	run := func(input string) *sfn.DescribeExecutionOutput {
		started := must(c.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &arn, Input: &input}))(t)
		var out *sfn.DescribeExecutionOutput
		eventually(t, "the execution ends", func() bool {
			out = must(c.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn}))(t)
			return out.Status != types.ExecutionStatusRunning
		})
		return out
	}
	if out := run(`{"n": 1, "kind": "parcel"}`); out.Status != types.ExecutionStatusFailed || aws.ToString(out.Error) != "Refused" {
		t.Errorf("%s %s", out.Status, aws.ToString(out.Error))
	}
	out := run(`{"n": 2, "kind": "parcel", "items": [1, "b"]}`)
	want := `{"both":["hello from the function","Lambda.ResourceNotFoundException"],"each":[1,"b"],"items":[1,"b"],"kind":"parcel","n":2}`
	if out.Status != types.ExecutionStatusSucceeded || aws.ToString(out.Output) != want {
		t.Errorf("%s %s: %s%s", out.Status, aws.ToString(out.Output), aws.ToString(out.Error), aws.ToString(out.Cause))
	}
	if got := receive(t, queues, url); len(got) != 1 || *got[0].Body != `[1,"b"]` {
		t.Errorf("the queue got %v", got)
	}
	history := must(c.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: out.ExecutionArn}))(t).Events
	if len(history) < 10 || history[0].Type != types.HistoryEventTypeExecutionStarted || history[1].StateEnteredEventDetails == nil || *history[1].StateEnteredEventDetails.Name != "Pick" {
		t.Errorf("the history has %d events and begins with %v", len(history), history[0].Type)
	}
}
