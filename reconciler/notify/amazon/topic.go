package amazon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"mooring.dev/reconciler/notify"
)

// subjectLength is SNS's bound on a subject, in ASCII characters.
const subjectLength = 100

// Topic publishes each event to a topic of SNS: as text to people (e-mail,
// SMS), as JSON to everything else. Subscribers filter by the attributes kind,
// severity, status and environment. On a FIFO topic events of one alert stay
// in order and the same event twice is one.
type Topic struct {
	client *sns.Client
	arn    string
}

// NewTopic publishes to the topic of an ARN.
func NewTopic(client *sns.Client, arn string) *Topic { return &Topic{client: client, arn: arn} }

// Notify implements notify.Notifier.
func (t *Topic) Notify(ctx context.Context, e notify.Event) error {
	detail, err := json.Marshal(e)
	if err != nil {
		return notify.Permanent(fmt.Errorf("notify %s: %w", t.arn, err))
	}
	words := e.Title + "\n\n" + e.Text
	message, err := json.Marshal(map[string]string{"default": string(detail), "email": words, "sms": e.Title})
	if err != nil {
		return notify.Permanent(fmt.Errorf("notify %s: %w", t.arn, err))
	}
	in := &sns.PublishInput{
		TopicArn: &t.arn, Message: aws.String(string(message)), MessageStructure: aws.String("json"),
		MessageAttributes: attributes(e), Subject: subject(e),
	}
	if strings.HasSuffix(t.arn, ".fifo") {
		sum := sha256.Sum256([]byte(e.Fingerprint))
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(hex.EncodeToString(sum[:])), aws.String(e.ID)
	}
	_, err = t.client.Publish(ctx, in)
	return classify(t.arn, err)
}

func attributes(e notify.Event) map[string]types.MessageAttributeValue {
	out := map[string]types.MessageAttributeValue{}
	for name, value := range map[string]string{"kind": e.Kind, "severity": e.Severity, "status": e.Status, "environment": e.Environment} {
		if value != "" { // SNS takes no empty one
			out[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
	}
	return out
}

// subject keeps what SNS takes of a title: printable ASCII that begins with a
// letter, a digit or punctuation. It is nil when nothing is left.
func subject(e notify.Event) *string {
	text := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, e.Status+": "+e.Title))
	text = text[:min(len(text), subjectLength)]
	if text == "" {
		return nil
	}
	return &text
}
