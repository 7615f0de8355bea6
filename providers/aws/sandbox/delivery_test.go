package sandbox_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

// eventsMaySend is a queue's policy that lets a rule send, named as in its ARN
// ("bus/rule" of a bus that is not the default one).
func eventsMaySend(rule string) map[string]string {
	return map[string]string{"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*","Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:events:eu-west-1:111111111111:rule/` + rule + `"}}}]}`}
}

func TestARuleReachesOnlyQueuesThatLetIt(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	bus, queues := eventbridge.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	open, openARN := newQueue(t, queues, "open", eventsMaySend("r"))
	shut, shutARN := newQueue(t, queues, "shut", nil)
	others, othersARN := newQueue(t, queues, "others", eventsMaySend("another"))
	dead, deadARN := newQueue(t, queues, "dead", eventsMaySend("r"))
	must(bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":["till"]}`)}))(t)
	must(bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("r"), Targets: []types.Target{
		{Id: aws.String("open"), Arn: &openARN},
		{Id: aws.String("shut"), Arn: &shutARN, DeadLetterConfig: &types.DeadLetterConfig{Arn: &deadARN}},
		{Id: aws.String("others"), Arn: &othersARN, DeadLetterConfig: &types.DeadLetterConfig{Arn: &shutARN}},
	}}))(t)
	must(bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		Source: aws.String("till"), DetailType: aws.String("sale"), Detail: aws.String(`{}`),
	}}}))(t)
	for name, at := range map[string]struct {
		url  string
		want int
	}{"open": {open, 1}, "shut": {shut, 0}, "others": {others, 0}, "dead": {dead, 1}} {
		if got := len(receive(t, queues, at.url)); got != at.want {
			t.Errorf("%s: %d messages, want %d", name, got, at.want)
		}
	}
}
