package sandbox_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/providers/aws/sandbox"
)

func newQueue(t *testing.T, c *sqs.Client, name string, attributes map[string]string) (url, arn string) {
	t.Helper()
	url = *must(c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}))(t).QueueUrl
	out := must(c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"QueueArn"}}))(t)
	return url, out.Attributes["QueueArn"]
}

func receive(t *testing.T, c *sqs.Client, url string) []types.Message {
	t.Helper()
	return must(c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"},
	}))(t).Messages
}

func TestCreatingAQueueTwiceIsOnlyAnErrorWhenItDiffers(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	first, arn := newQueue(t, c, "orders", map[string]string{"VisibilityTimeout": "60"})
	again, _ := newQueue(t, c, "orders", map[string]string{"VisibilityTimeout": "60"})
	if first != again || arn != "arn:aws:sqs:eu-west-1:111111111111:orders" {
		t.Errorf("%s, %s, %s", first, again, arn)
	}
	_, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders"), Attributes: map[string]string{"VisibilityTimeout": "61"}})
	var exists *types.QueueNameExists
	if !errors.As(err, &exists) {
		t.Errorf("a queue with another attribute: %v", err)
	}
}

func TestQueueAttributesAreCheckedAndCleared(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	url, _ := newQueue(t, c, "orders", nil)
	_, deadARN := newQueue(t, c, "dead", nil)
	set := func(k, v string) error {
		_, err := c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{k: v}})
		return err
	}
	if err := set("VisibilityTimeout", "43201"); codeOf(err) != "InvalidAttributeValue" {
		t.Errorf("VisibilityTimeout over its bound: %v", err)
	}
	if err := set("Colour", "red"); codeOf(err) != "InvalidAttributeName" {
		t.Errorf("an unknown attribute: %v", err)
	}
	if err := set("RedrivePolicy", `{"deadLetterTargetArn": "`+deadARN+`", "maxReceiveCount": 3}`); err != nil {
		t.Fatal(err)
	}
	get := func() map[string]string {
		return must(c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}}))(t).Attributes
	}
	if got, want := get()["RedrivePolicy"], `{"deadLetterTargetArn":"`+deadARN+`","maxReceiveCount":3}`; got != want {
		t.Errorf("RedrivePolicy is %s, want it without spaces", got)
	}
	sources := must(c.ListDeadLetterSourceQueues(t.Context(), &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: aws.String(s.URL() + "/111111111111/dead")}))(t)
	if !slices.Equal(sources.QueueUrls, []string{url}) {
		t.Errorf("sources: %v", sources.QueueUrls)
	}
	if err := set("RedrivePolicy", ""); err != nil {
		t.Fatal(err)
	}
	if _, there := get()["RedrivePolicy"]; there {
		t.Error("an empty RedrivePolicy did not take it away")
	}
}

func TestAbsentQueuesAreTold(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	_, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("nobody")})
	var absent *types.QueueDoesNotExist
	if !errors.As(err, &absent) {
		t.Errorf("%v", err)
	}
}

func TestMessagesHideComeBackAndGoToTheDeadLetters(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	dead, deadARN := newQueue(t, c, "dead", nil)
	url, _ := newQueue(t, c, "orders", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"2"}`})
	must(c.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: aws.String("hello"),
		MessageAttributes: map[string]types.MessageAttributeValue{"colour": {DataType: aws.String("String"), StringValue: aws.String("red")}},
	}))(t)
	for range 2 {
		got := receive(t, c, url)
		if len(got) != 1 || *got[0].Body != "hello" || *got[0].MessageAttributes["colour"].StringValue != "red" {
			t.Fatalf("received %v", got)
		}
		if more := receive(t, c, url); len(more) != 0 {
			t.Fatal("a message in flight was received again")
		}
		s.Advance(31 * time.Second)
	}
	if got := receive(t, c, url); len(got) != 0 {
		t.Error("a message received twice of two times was received again")
	}
	got := receive(t, c, dead)
	if len(got) != 1 {
		t.Fatalf("dead letters: %v", got)
	}
	must(c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &dead, ReceiptHandle: got[0].ReceiptHandle}))(t)
	s.Advance(time.Hour)
	if got := receive(t, c, dead); len(got) != 0 {
		t.Error("a deleted message came back")
	}
}

func TestALongPollWakesForAMessage(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	url, _ := newQueue(t, c, "orders", nil)
	got := make(chan int, 1)
	go func() {
		out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
		if err != nil {
			got <- -1
			return
		}
		got <- len(out.Messages)
	}()
	must(c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("hello")}))(t)
	select {
	case n := <-got:
		if n != 1 {
			t.Errorf("the poll ended with %d", n)
		}
	case <-time.After(10 * time.Second):
		t.Error("the poll did not wake")
	}
}

func TestFIFOKeepsOrderAndDropsDuplicates(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	url, _ := newQueue(t, c, "orders.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	send := func(group, body string) {
		must(c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageGroupId: &group}))(t)
	}
	send("a", "1")
	send("a", "2")
	send("a", "1") // a duplicate
	send("b", "3")
	one := must(c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 1}))(t).Messages
	if len(one) != 1 || *one[0].Body != "1" {
		t.Fatalf("first: %v", one)
	}
	var rest []string
	for _, m := range receive(t, c, url) {
		rest = append(rest, *m.Body)
	}
	if strings.Join(rest, " ") != "3" {
		t.Errorf("while group a is out, received %v", rest)
	}
}

func TestQueuesOfAccountsAndRegionsAreApart(t *testing.T) {
	s := start(t, sandbox.Options{})
	alice, other := sqs.NewFromConfig(as(s, "alice")), sqs.NewFromConfig(as(s, "222222222222"))
	newQueue(t, alice, "orders", nil)
	elsewhere := as(s, "alice")
	elsewhere.Region = "us-east-1"
	for who, c := range map[string]*sqs.Client{"another account": other, "another region": sqs.NewFromConfig(elsewhere)} {
		if out := must(c.ListQueues(t.Context(), nil))(t); len(out.QueueUrls) != 0 {
			t.Errorf("%s sees %v", who, out.QueueUrls)
		}
	}
}

func TestListQueuesPages(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	for _, name := range []string{"a-1", "a-2", "a-3", "b-1"} {
		newQueue(t, c, name, nil)
	}
	pages := sqs.NewListQueuesPaginator(c, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("a-"), MaxResults: aws.Int32(2)})
	var sizes []int
	for pages.HasMorePages() {
		sizes = append(sizes, len(must(pages.NextPage(t.Context()))(t).QueueUrls))
	}
	if !slices.Equal(sizes, []int{2, 1}) {
		t.Errorf("pages of %v", sizes)
	}
}

// TestALongPollWakesForAMessageThatComesBack is for dead letters, delays and
// visibility: nobody sends, and the clock moves.
func TestALongPollWakesForAMessageThatComesBack(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }})
	c := sqs.NewFromConfig(as(s, "alice"))
	dead, deadARN := newQueue(t, c, "dead", nil)
	url, _ := newQueue(t, c, "orders", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":1}`})
	must(c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("poison")}))(t)
	if n := len(receive(t, c, url)); n != 1 {
		t.Fatalf("received %d", n)
	}
	got := make(chan int, 1)
	go func() {
		out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &dead, WaitTimeSeconds: 20})
		if err != nil {
			got <- -1
			return
		}
		got <- len(out.Messages)
	}()
	// However early or late the poll begins, the clock has moved by then, or
	// moves while it waits.
	s.Advance(31 * time.Second)
	select {
	case n := <-got:
		if n != 1 {
			t.Errorf("the poll ended with %d", n)
		}
	case <-time.After(10 * time.Second):
		t.Error("the poll did not wake")
	}
}

func TestBatchesAnswerEntryByEntry(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	url, _ := newQueue(t, c, "orders", nil)
	out := must(c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("good"), MessageBody: aws.String("x")}, {Id: aws.String("late"), MessageBody: aws.String("y"), DelaySeconds: 901},
	}}))(t)
	if len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "late" {
		t.Errorf("sent %v, failed %v", out.Successful, out.Failed)
	}
	got := receive(t, c, url)
	deleted := must(c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: got[0].ReceiptHandle}, {Id: aws.String("b"), ReceiptHandle: aws.String("nonsense")},
	}}))(t)
	if len(deleted.Successful) != 1 || len(deleted.Failed) != 1 {
		t.Errorf("deleted %v, failed %v", deleted.Successful, deleted.Failed)
	}
	twice := types.SendMessageBatchRequestEntry{Id: aws.String("same"), MessageBody: aws.String("x")}
	if _, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{twice, twice}}); codeOf(err) != "BatchEntryIdsNotDistinct" {
		t.Errorf("one id twice: %v", err)
	}
}

func TestVisibilityAndDelay(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }})
	c := sqs.NewFromConfig(as(s, "alice"))
	url, _ := newQueue(t, c, "orders", map[string]string{"DelaySeconds": "10"})
	must(c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("x")}))(t)
	if n := len(receive(t, c, url)); n != 0 {
		t.Errorf("%d messages before their delay", n)
	}
	s.Advance(10 * time.Second)
	got := receive(t, c, url)
	if len(got) != 1 {
		t.Fatalf("%d messages after their delay", len(got))
	}
	change := func(receipt *string) error {
		_, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: receipt, VisibilityTimeout: 0})
		return err
	}
	if err := change(got[0].ReceiptHandle); err != nil {
		t.Fatal(err)
	}
	again := receive(t, c, url)
	if len(again) != 1 || again[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("given back: %v", again)
	}
	if err := change(got[0].ReceiptHandle); codeOf(err) != "ReceiptHandleIsInvalid" {
		t.Errorf("an old receipt: %v", err)
	}
}

func TestDeletedNamesAreTakenForAMinuteWhereChangesTakeTime(t *testing.T) {
	for updating, want := range map[time.Duration]string{0: "", time.Second: "QueueDeletedRecently"} {
		s := start(t, sandbox.Options{Now: func() time.Time { return noon }, Updating: updating})
		c := sqs.NewFromConfig(as(s, "alice"))
		url, _ := newQueue(t, c, "orders", nil)
		must(c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &url}))(t)
		_, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders")})
		if got := codeOf(err); want != "" && !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("updating %v: %v", updating, err)
		}
		s.Advance(time.Minute)
		newQueue(t, c, "orders", nil)
	}
}
