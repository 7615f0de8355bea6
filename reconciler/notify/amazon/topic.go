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

// NotifyAll implements notify.Grouper: one message for what a filter of a
// subscriber cannot tell apart, so that every filter still holds. On a FIFO
// topic, which people cannot subscribe to, each goes by itself and in order.
// What was published before a message was refused is told as taken.
func (t *Topic) NotifyAll(ctx context.Context, events []notify.Event) error {
	fifo := strings.HasSuffix(t.arn, ".fifo")
	var taken []string
	for _, alike := range alike(events) {
		for len(alike) > 0 {
			n, err := t.some(ctx, alike, fifo)
			if err != nil {
				return notify.Partly(taken, err)
			}
			for _, e := range alike[:n] {
				taken = append(taken, e.ID)
			}
			alike = alike[n:]
		}
	}
	return nil
}

// some publishes the first of alike events, as many as fit into one message.
func (t *Topic) some(ctx context.Context, events []notify.Event, fifo bool) (n int, err error) {
	n, detail := t.packed(events)
	if fifo || n == 1 {
		return 1, t.Notify(ctx, events[0])
	}
	return n, t.together(ctx, events[:n], detail)
}

// alike are events in order of the first of each kind, severity, status and
// environment; none stands before an earlier one of its own alert.
func alike(events []notify.Event) (out [][]notify.Event) {
	at, told := map[[4]string]int{}, map[string]bool{}
	for _, e := range events {
		if told[e.Fingerprint] {
			clear(at)
			clear(told)
		}
		told[e.Fingerprint] = true
		key := [4]string{e.Kind, e.Severity, e.Status, e.Environment}
		i, known := at[key]
		if !known {
			i, at[key] = len(out), len(out)
			out = append(out, nil)
		}
		out[i] = append(out[i], e)
	}
	return out
}

// together publishes alike events as one message: people get a summary,
// everything else detail, which is "events" with each of them.
func (t *Topic) together(ctx context.Context, events []notify.Event, detail []byte) error {
	all := notify.Summary(events)
	all.Status, all.Kind = events[0].Status, events[0].Kind
	message, err := json.Marshal(map[string]string{"default": string(detail), "email": notify.Words(all), "sms": short(notify.Fit(all, smsLength))})
	if err != nil {
		return notify.Permanent(fmt.Errorf("notify %s: %w", t.arn, err))
	}
	_, err = t.client.Publish(ctx, &sns.PublishInput{TopicArn: &t.arn, Message: aws.String(string(message)), MessageStructure: aws.String("json"),
		MessageAttributes: attributes(events[0]), Subject: subject(all)})
	return classify(t.arn, err)
}

// packedSize is how many bytes of events go into one message: they are escaped
// once more in it, beside what people get.
const packedSize = 100 << 10

// packed is how many of events fit into one message, one at least, and its JSON.
func (t *Topic) packed(events []notify.Event) (n int, detail []byte) {
	var parts []string
	size := 0
	for _, e := range events {
		part, err := json.Marshal(notify.Fit(e, packedSize/8))
		if size += len(part); err != nil || size > packedSize && len(parts) > 0 {
			break
		}
		parts = append(parts, string(part))
	}
	return max(1, len(parts)), []byte(`{"version":1,"events":[` + strings.Join(parts, ",") + `]}`)
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
