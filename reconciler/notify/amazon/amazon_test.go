package amazon_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/notify/amazon"
)

var alert = notify.Event{ID: "a1", Fingerprint: "production/drift/1", Status: notify.Firing, Kind: "drift", Severity: "high",
	Title: "Bücher\nfield changed", Text: "512 became 256", Environment: "production", At: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}

func config(url string) aws.Config {
	return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: &url,
		Retryer: func() aws.Retryer { return aws.NopRetryer{} }}
}

// small is the address of a small AWS, and its account.
func small(t *testing.T) (address, account string) {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	return server.URL, "111111111111"
}

// listening has a queue there, and its ARN and URL.
func listening(t *testing.T, address, account string) (cfg aws.Config, url, arn string) {
	t.Helper()
	cfg = config(address)
	out, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("heard"), Attributes: map[string]string{
		"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}]}`}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, *out.QueueUrl, "arn:aws:sqs:eu-west-1:" + account + ":heard"
}

func heard(t *testing.T, cfg aws.Config, url string) sqstypes.Message {
	t.Helper()
	out, err := sqs.NewFromConfig(cfg).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 10, MessageAttributeNames: []string{"All"}})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	return out.Messages[0]
}

func TestTopic(t *testing.T) {
	address, account := small(t)
	tellTopic(t, address, account)
}

func tellTopic(t *testing.T, address, account string) {
	cfg, url, queue := listening(t, address, account)
	client := sns.NewFromConfig(cfg)
	topic, err := client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("alerts")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &queue,
		Attributes: map[string]string{"FilterPolicy": `{"severity":["high"],"environment":["production"]}`}}); err != nil {
		t.Fatal(err)
	}
	if err := amazon.NewTopic(client, *topic.TopicArn).Notify(t.Context(), alert); err != nil {
		t.Fatal(err)
	}
	var envelope struct{ Message, Subject string }
	if err := json.Unmarshal([]byte(*heard(t, cfg, url).Body), &envelope); err != nil {
		t.Fatal(err)
	}
	var got notify.Event
	if err := json.Unmarshal([]byte(envelope.Message), &got); err != nil || got.ID != "a1" || got.Title != alert.Title {
		t.Errorf("%s: %v", envelope.Message, err)
	}
	if strings.ContainsFunc(envelope.Subject, func(r rune) bool { return r < ' ' || r > '~' }) || !strings.HasPrefix(envelope.Subject, "firing: B") {
		t.Errorf("subject %q", envelope.Subject)
	}
	if err := amazon.NewTopic(client, *topic.TopicArn+"-gone").Notify(t.Context(), alert); !notify.IsPermanent(err) {
		t.Errorf("no such topic: %v", err)
	}
}

func TestBus(t *testing.T) {
	address, account := small(t)
	tellBus(t, address, account)
}

func tellBus(t *testing.T, address, account string) {
	cfg, url, queue := listening(t, address, account)
	client := eventbridge.NewFromConfig(cfg)
	if _, err := client.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("all"), EventPattern: aws.String(`{"source":["mooring"],"detail":{"severity":["high"]}}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("all"), Targets: []ebtypes.Target{{Id: aws.String("q"), Arn: &queue}}}); err != nil {
		t.Fatal(err)
	}
	many := make([]notify.Event, 23)
	many[22] = alert
	for i := range many {
		many[i].At = alert.At
	}
	if err := amazon.NewBus(client, "default").NotifyAll(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	var got struct {
		DetailType string `json:"detail-type"`
		Detail     notify.Event
	}
	if err := json.Unmarshal([]byte(*heard(t, cfg, url).Body), &got); err != nil || got.DetailType != amazon.DetailType || got.Detail.Fingerprint != alert.Fingerprint {
		t.Errorf("%+v, %v", got, err)
	}
}

// What the account refuses for now is tried again; what is wrong is not; and
// no word of AWS's is repeated.
func TestRefusals(t *testing.T) {
	for body, permanent := range map[string]bool{
		`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"hunter2"}]}`:    false,
		`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"hunter2"}]}`:        true,
		`{"FailedEntryCount":2,"Entries":[{"ErrorCode":"MalformedDetail"},{"ErrorCode":"InternalFailure"}]}`: false,
		`{"__type":"AccessDeniedException","message":"hunter2"}`:                                             false,
		`{"__type":"ResourceNotFoundException","message":"hunter2"}`:                                         true,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			if strings.Contains(body, "__type") {
				w.WriteHeader(400)
			}
			_, _ = w.Write([]byte(body))
		}))
		err := amazon.NewBus(eventbridge.NewFromConfig(config(server.URL)), "default").Notify(t.Context(), alert)
		server.Close()
		if err == nil || notify.IsPermanent(err) != permanent || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, permanent %v", body, err, notify.IsPermanent(err))
		}
	}
}
