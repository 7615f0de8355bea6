package sandbox_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

func TestBusesHaveRulesOfTheirOwn(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	bus, queues := eventbridge.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	url, arn := newQueue(t, queues, "orders", eventsMaySend("shop/r"))
	dead, deadARN := newQueue(t, queues, "dead", eventsMaySend("shop/r"))
	must(bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("shop")}))(t)
	rule := must(bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("r"), EventBusName: aws.String("shop"), EventPattern: aws.String(`{"source":["till"]}`)}))(t)
	if want := "arn:aws:events:eu-west-1:111111111111:rule/shop/r"; *rule.RuleArn != want {
		t.Errorf("%s, want %s", *rule.RuleArn, want)
	}
	must(bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("r"), EventBusName: aws.String("shop"), Targets: []types.Target{
		{Id: aws.String("q"), Arn: &arn, InputPath: aws.String("$.detail")},
		{Id: aws.String("gone"), Arn: aws.String(arn + "-gone"), Input: aws.String("{}"), DeadLetterConfig: &types.DeadLetterConfig{Arn: &deadARN}},
	}}))(t)
	for _, name := range []string{"default", "shop"} {
		must(bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
			EventBusName: &name, Source: aws.String("till"), DetailType: aws.String("sale"), Detail: aws.String(`{"on":"` + name + `"}`),
		}}}))(t)
	}
	if got := receive(t, queues, url); len(got) != 1 || *got[0].Body != `{"on":"shop"}` {
		t.Errorf("%d events", len(got))
	}
	if got := receive(t, queues, dead); len(got) != 1 {
		t.Errorf("%d events in the dead-letter queue", len(got))
	}
	if _, err := bus.DescribeRule(t.Context(), &eventbridge.DescribeRuleInput{Name: aws.String("r")}); codeOf(err) != "ResourceNotFoundException" {
		t.Errorf("the rule on the default bus: %v", err)
	}
	if _, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("s"), EventBusName: aws.String("shop"), ScheduleExpression: aws.String("rate(1 day)")}); codeOf(err) != "ValidationException" {
		t.Errorf("a schedule on another bus: %v", err)
	}
	if _, err := bus.DeleteEventBus(t.Context(), &eventbridge.DeleteEventBusInput{Name: aws.String("shop")}); codeOf(err) != "ValidationException" {
		t.Errorf("deleting a bus with rules: %v", err)
	}
}

func TestARuleStartsAStateMachine(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	bus, flows := eventbridge.NewFromConfig(cfg), sfn.NewFromConfig(cfg)
	machine := newFlow(t, flows, flowRole(t, cfg, `"sqs:SendMessage"`), "orders", passing(1))
	must(bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":["till"]}`)}))(t)
	must(bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("r"), Targets: []types.Target{{Id: aws.String("m"), Arn: &machine, InputPath: aws.String("$.detail")}}}))(t)
	must(bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		Source: aws.String("till"), DetailType: aws.String("sale"), Detail: aws.String(`{"n":7}`),
	}}}))(t)
	eventually(t, "an execution", func() bool {
		out := must(flows.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine}))(t)
		return len(out.Executions) == 1
	})
}
