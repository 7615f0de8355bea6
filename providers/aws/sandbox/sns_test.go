package sandbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

func newTopic(t *testing.T, c *sns.Client, name string) string {
	t.Helper()
	return *must(c.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name}))(t).TopicArn
}

// letTopics is a queue policy that lets every topic send.
func letTopics(queue string) map[string]string {
	return map[string]string{"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},
		"Action":"sqs:SendMessage","Resource":"` + queue + `"}]}`}
}

func subscribe(t *testing.T, c *sns.Client, topic, protocol, endpoint string, attributes map[string]string) string {
	t.Helper()
	return *must(c.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: &topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: attributes, ReturnSubscriptionArn: true,
	}))(t).SubscriptionArn
}

func stringValue(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}

func TestATopicDeliversWhatFitsTheFilter(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c, queues := sns.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	topic := newTopic(t, c, "orders")
	open := letTopics("arn:aws:sqs:eu-west-1:111111111111:*")
	paid, paidARN := newQueue(t, queues, "paid", open)
	large, largeARN := newQueue(t, queues, "large", open)
	shut, shutARN := newQueue(t, queues, "shut", nil)
	dead, deadARN := newQueue(t, queues, "dead", open)
	subscribe(t, c, topic, "sqs", paidARN, map[string]string{"FilterPolicy": `{"kind":["paid",{"prefix":"re"}]}`, "RawMessageDelivery": "true"})
	subscribe(t, c, topic, "sqs", largeARN, map[string]string{"FilterPolicy": `{"order":{"total":[{"numeric":[">=",100]}]}}`, "FilterPolicyScope": "MessageBody"})
	subscribe(t, c, topic, "sqs", shutARN, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `"}`})
	publish := func(message string, attributes map[string]types.MessageAttributeValue) {
		must(c.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &message, Subject: aws.String("news"), MessageAttributes: attributes}))(t)
	}
	publish(`{"order":{"total":150}}`, map[string]types.MessageAttributeValue{"kind": stringValue("refund")})
	publish(`{"order":{"total":15}}`, map[string]types.MessageAttributeValue{"kind": stringValue("draft")})
	raw := receive(t, queues, paid)
	if len(raw) != 1 || *raw[0].Body != `{"order":{"total":150}}` || *raw[0].MessageAttributes["kind"].StringValue != "refund" {
		t.Errorf("raw: %d messages", len(raw))
	}
	got := receive(t, queues, large)
	if len(got) != 1 {
		t.Fatalf("by the body: %d messages", len(got))
	}
	var envelope struct {
		Type, Subject, Message, TopicArn string
		MessageAttributes                map[string]struct{ Type, Value string }
	}
	if err := json.Unmarshal([]byte(*got[0].Body), &envelope); err != nil || envelope.Type != "Notification" ||
		envelope.Subject != "news" || envelope.TopicArn != topic || envelope.MessageAttributes["kind"].Value != "refund" {
		t.Errorf("%s, %v", *got[0].Body, err)
	}
	if n := len(receive(t, queues, shut)); n != 0 {
		t.Errorf("a queue whose policy does not let the topic got %d messages", n)
	}
	if n := len(receive(t, queues, dead)); n != 2 {
		t.Errorf("the dead-letter queue has %d messages, want both", n)
	}
}

func TestATopicInvokesOnlyWithPermission(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	functions, c := newFunction(t, cfg, "f"), sns.NewFromConfig(cfg)
	topic := newTopic(t, c, "orders")
	subscribe(t, c, topic, "lambda", "arn:aws:lambda:eu-west-1:111111111111:function:f", nil)
	publish := func(message string) {
		must(c.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &message}))(t)
	}
	publish("unpermitted")
	must(functions.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String("f"), StatementId: aws.String("topic"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("sns.amazonaws.com"), SourceArn: &topic,
	}))(t)
	publish("welcome")
	lines := func() string { _, text := admin(t, s, "GET", "logs?function=f", ""); return text }
	eventually(t, "the permitted message", func() bool { return strings.Contains(lines(), `welcome`) })
	if strings.Contains(lines(), "unpermitted") {
		t.Error("invoked without permission")
	}
}

func TestTopicsAndSubscriptionsAreKeptAsOnAWS(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sns.NewFromConfig(as(s, "alice"))
	topic := newTopic(t, c, "orders")
	_, err := c.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("orders"), Attributes: map[string]string{"DisplayName": "Orders"}})
	if codeOf(err) != "InvalidParameter" || newTopic(t, c, "orders") != topic {
		t.Errorf("a topic made again, otherwise: %v", err)
	}
	if _, err := c.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("orders.fifo")}); codeOf(err) != "InvalidParameter" {
		t.Errorf("a standard topic named as FIFO: %v", err)
	}
	set := func(name, value string) error {
		_, err := c.SetTopicAttributes(t.Context(), &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: &name, AttributeValue: &value})
		return err
	}
	if err := set("FifoTopic", "true"); codeOf(err) != "InvalidParameter" {
		t.Errorf("a topic that becomes FIFO: %v", err)
	}
	if err := set("LambdaSuccessFeedbackSampleRate", "101"); codeOf(err) != "InvalidParameter" {
		t.Errorf("a rate over 100: %v", err)
	}
	web := subscribe(t, c, topic, "https", "https://example.com/hook", nil)
	if got := subscribe(t, c, topic, "https", "https://example.com/hook", nil); got != web {
		t.Errorf("subscribed again: %s, %s", web, got)
	}
	_, err = c.Unsubscribe(t.Context(), &sns.UnsubscribeInput{SubscriptionArn: &web})
	listed := must(c.ListSubscriptionsByTopic(t.Context(), &sns.ListSubscriptionsByTopicInput{TopicArn: &topic}))(t).Subscriptions
	if codeOf(err) != "InvalidParameter" || len(listed) != 1 || *listed[0].SubscriptionArn != "PendingConfirmation" {
		t.Errorf("a subscription that waits for its confirmation: %v, %d listed", err, len(listed))
	}
	must(c.ConfirmSubscription(t.Context(), &sns.ConfirmSubscriptionInput{TopicArn: &topic, Token: aws.String(web[strings.LastIndex(web, ":")+1:])}))(t)
	filter := func(policy string) string {
		_, err := c.SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{
			SubscriptionArn: &web, AttributeName: aws.String("FilterPolicy"), AttributeValue: &policy,
		})
		if err != nil {
			return codeOf(err)
		}
		return must(c.GetSubscriptionAttributes(t.Context(), &sns.GetSubscriptionAttributesInput{SubscriptionArn: &web}))(t).Attributes["FilterPolicy"]
	}
	if got := filter(`{"a":"b"}`); got != "InvalidParameter" {
		t.Errorf("a filter that is no list: %s", got)
	}
	if got := filter(`{"a":["b"]}`) + filter("{}"); got != `{"a":["b"]}` {
		t.Errorf("a filter set and taken away: %s", got)
	}
	must(c.DeleteTopic(t.Context(), &sns.DeleteTopicInput{TopicArn: &topic}))(t)
	if _, err := c.GetSubscriptionAttributes(t.Context(), &sns.GetSubscriptionAttributesInput{SubscriptionArn: &web}); codeOf(err) != "NotFound" {
		t.Errorf("a subscription of a deleted topic: %v", err)
	}
}

func TestAFIFOTopicKeepsOrderAndDropsDoubles(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c, queues := sns.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	topic := *must(c.CreateTopic(t.Context(), &sns.CreateTopicInput{
		Name: aws.String("orders.fifo"), Attributes: map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"},
	}))(t).TopicArn
	attributes := letTopics("*")
	attributes["FifoQueue"] = "true"
	url, arn := newQueue(t, queues, "orders.fifo", attributes)
	subscribe(t, c, topic, "sqs", arn, map[string]string{"RawMessageDelivery": "true"})
	out := must(c.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{
		{Id: aws.String("1"), Message: aws.String("first"), MessageGroupId: aws.String("g")},
		{Id: aws.String("2"), Message: aws.String("first"), MessageGroupId: aws.String("g")},
		{Id: aws.String("3"), Message: aws.String("second"), MessageGroupId: aws.String("g")},
		{Id: aws.String("4"), Message: aws.String("of no group")},
	}}))(t)
	if len(out.Successful) != 3 || len(out.Failed) != 1 {
		t.Errorf("%d taken, %d refused", len(out.Successful), len(out.Failed))
	}
	var bodies []string
	for _, m := range receive(t, queues, url) {
		bodies = append(bodies, *m.Body)
	}
	if strings.Join(bodies, " ") != "first second" {
		t.Errorf("%v", bodies)
	}
}
