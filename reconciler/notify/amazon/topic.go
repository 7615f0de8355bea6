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

// subjectLength is SNS's bound on a subject, in ASCII characters: fewer than
// 100. messageSize is the bound on a message with its attributes, in bytes,
// which is 256 KB; smsLength is what one text to a telephone may have.
const (
	subjectLength = 99
	messageSize   = 250 << 10
	smsLength     = 1400
)

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
	message, err := t.message(e)
	if err != nil {
		return err
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

// Look asks whether the topic is there, and sends nothing.
func (t *Topic) Look(ctx context.Context) error {
	_, err := t.client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &t.arn})
	return classify(t.arn, err)
}

// message is what each kind of subscriber gets of an event: all of it together
// is bounded, and each part is escaped once more in the whole.
func (t *Topic) message(e notify.Event) ([]byte, error) {
	for most := messageSize; ; most /= 2 {
		e = notify.Fit(e, most)
		detail, err := json.Marshal(e)
		if err != nil {
			return nil, notify.Permanent(fmt.Errorf("notify %s: %w", t.arn, err))
		}
		words := notify.Fit(e, min(most, smsLength))
		message, err := json.Marshal(map[string]string{"default": string(detail), "email": notify.Words(e), "sms": short(words)})
		if err != nil || len(message) <= messageSize || most < smsLength {
			return message, err
		}
	}
}

// short is an event for a telephone: one line, and where to look where that
// still fits.
func short(e notify.Event) string {
	line := notify.Headline(e)
	if link := "\n" + e.Link; e.Link != "" && len(line)+len(link) <= smsLength {
		line += link
	}
	return line
}

func attributes(e notify.Event) map[string]types.MessageAttributeValue {
	out := map[string]types.MessageAttributeValue{}
	for name, value := range map[string]string{"kind": e.Kind, "severity": e.Severity, "status": e.Status, "environment": e.Environment} {
		if value != "" { // SNS takes no empty one
			out[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value[:min(len(value), 256)])}
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
	if text == "" {
		return nil
	}
	if len(text) > subjectLength {
		text = text[:subjectLength-3] + "..."
	}
	return &text
}
