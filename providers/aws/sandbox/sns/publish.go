package sns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Delivery is a message on its way from a topic to an endpoint.
type Delivery struct {
	Topic, Subscription string // ARNs
	Endpoint            string // ARN of a queue or function
	Body                string
	Attributes          map[string]Attribute // of a raw message
	Group, Dedup        string               // of a FIFO topic
	// Redriven is true on the way to a dead-letter queue.
	Redriven bool
}

// Deliver hands a message to its endpoint; an error means it did not arrive.
type Deliver func(context.Context, Delivery) error

// Attribute is a message attribute.
type Attribute struct {
	DataType, StringValue string
	BinaryValue           []byte
}

// largestMessage is 256 KiB, attributes included.
const largestMessage = 256 << 10

type message struct {
	Id                     string // of a batch entry
	Message, Subject       string
	MessageStructure       string
	MessageAttributes      map[string]Attribute
	MessageGroupId         string
	MessageDeduplicationId string
}

type publishInput struct {
	message
	TopicArn, TargetArn, PhoneNumber string
}

type publishOutput struct{ Id, MessageId, SequenceNumber string }

func (s *Service) publish(ctx context.Context, _ *wire.Call, in *publishInput) (publishOutput, error) {
	arn := in.TopicArn
	if arn == "" {
		arn = in.TargetArn
	}
	return s.send(ctx, arn, &in.message)
}

type batchInput struct {
	TopicArn                   string
	PublishBatchRequestEntries []message
}

type batchFailure struct {
	Id, Code, Message string
	SenderFault       bool
}

type batchOutput struct {
	Successful []publishOutput
	Failed     []batchFailure
}

func (s *Service) publishBatch(ctx context.Context, _ *wire.Call, in *batchInput) (batchOutput, error) {
	out := batchOutput{Successful: []publishOutput{}, Failed: []batchFailure{}}
	ids := map[string]bool{}
	for _, entry := range in.PublishBatchRequestEntries {
		ids[entry.Id] = true
	}
	switch n := len(in.PublishBatchRequestEntries); {
	case n == 0:
		return out, fail(400, "EmptyBatchRequest", "The batch request doesn't contain any entries.")
	case n > 10:
		return out, fail(400, "TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	case len(ids) != n:
		return out, fail(400, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
	}
	for i := range in.PublishBatchRequestEntries {
		entry := &in.PublishBatchRequestEntries[i]
		sent, err := s.send(ctx, in.TopicArn, entry)
		if err != nil {
			e := wire.AsError(err)
			out.Failed = append(out.Failed, batchFailure{Id: entry.Id, Code: e.Code, Message: e.Message, SenderFault: true})
			continue
		}
		sent.Id = entry.Id
		out.Successful = append(out.Successful, sent)
	}
	return out, nil
}

// send takes a message and delivers it to every subscription it fits. It
// answers whatever becomes of the deliveries, as SNS does.
func (s *Service) send(ctx context.Context, arn string, m *message) (publishOutput, error) {
	out := publishOutput{MessageId: wire.NewID()}
	s.mu.Lock()
	t, err := s.find(arn)
	if err == nil {
		err = m.check(t)
	}
	if err != nil {
		s.mu.Unlock()
		return publishOutput{}, err
	}
	now := s.options.Now()
	fresh := t.take(m, now)
	if t.fifo() {
		out.SequenceNumber = fmt.Sprintf("1%019d", t.sequence)
	}
	var deliveries []Delivery
	var dead []string // the dead-letter queue of each
	for _, subARN := range slices.Sorted(maps.Keys(s.subs)) {
		sub := s.subs[subARN]
		if !fresh || sub.topic != t.arn || sub.pending || !sub.wants(m) {
			continue
		}
		d := Delivery{Topic: t.arn, Subscription: sub.arn, Endpoint: sub.endpoint, Group: m.MessageGroupId, Dedup: m.MessageDeduplicationId}
		s.fill(&d, sub, m, out.MessageId, now)
		deliveries = append(deliveries, d)
		dead = append(dead, sub.deadLetter())
	}
	s.mu.Unlock()
	for i, d := range deliveries {
		if s.options.Deliver(ctx, d) == nil || dead[i] == "" {
			continue // what cannot be delivered is lost
		}
		d.Endpoint, d.Redriven = dead[i], true
		_ = s.options.Deliver(ctx, d) // and so is what its dead-letter queue does not take
	}
	return out, nil
}

// Send publishes one message, as an AWS service does.
func (s *Service) Send(ctx context.Context, topic, text string) error {
	_, err := s.send(ctx, topic, &message{Message: text})
	return err
}

func (m *message) check(t *topic) error {
	size := len(m.Message)
	for name, a := range m.MessageAttributes {
		size += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
		if a.DataType == "" || a.StringValue == "" && len(a.BinaryValue) == 0 {
			return fail(400, "ParameterValueInvalid", "The message attribute '"+name+"' must contain non-empty message attribute value.")
		}
	}
	switch {
	case m.Message == "":
		return invalid("Message", "Empty message")
	case size > largestMessage:
		return invalid("Message", "Message too long")
	case len(m.Subject) > 100:
		return invalid("Subject", "Subject too long")
	case t.fifo() && m.MessageGroupId == "":
		return invalid("MessageGroupId", "The MessageGroupId parameter is required for FIFO topics")
	case t.fifo() && m.MessageDeduplicationId == "" && t.attributes["ContentBasedDeduplication"] != "true":
		return invalid("MessageDeduplicationId", "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case !t.fifo() && m.MessageDeduplicationId != "":
		return invalid("MessageDeduplicationId", "The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	}
	if m.MessageStructure == "json" {
		var parts map[string]any
		if json.Unmarshal([]byte(m.Message), &parts) != nil || parts["default"] == nil {
			return invalid("Message Structure", "No default entry in JSON message body")
		}
	}
	return nil
}

// take numbers a message of a FIFO topic; false when it came within the last
// five minutes already.
func (t *topic) take(m *message, now time.Time) bool {
	if !t.fifo() {
		return true
	}
	if m.MessageDeduplicationId == "" {
		sum := sha256.Sum256([]byte(m.Message))
		m.MessageDeduplicationId = hex.EncodeToString(sum[:])
	}
	maps.DeleteFunc(t.seen, func(_ string, at time.Time) bool { return now.Sub(at) >= 5*time.Minute })
	if _, taken := t.seen[m.MessageDeduplicationId]; taken {
		return false
	}
	t.seen[m.MessageDeduplicationId] = now
	t.sequence++
	return true
}

// wants is true for a message that fits the subscription's filter policy.
func (sub *subscription) wants(m *message) bool {
	if sub.filter == nil {
		return true
	}
	if sub.attributes["FilterPolicyScope"] != "MessageBody" {
		return sub.filter.Matches(m.filterable())
	}
	var body map[string]any
	return json.Unmarshal([]byte(m.Message), &body) == nil && sub.filter.Matches(body)
}

// filterable is the message's attributes as a filter policy sees them.
func (m *message) filterable() map[string]any {
	out := map[string]any{}
	for name, a := range m.MessageAttributes {
		switch kind, _, _ := strings.Cut(a.DataType, "."); {
		case a.DataType == "String.Array":
			var list []any
			if json.Unmarshal([]byte(a.StringValue), &list) == nil {
				out[name] = list
			}
		case kind == "Number":
			if n, err := strconv.ParseFloat(a.StringValue, 64); err == nil {
				out[name] = n
			}
		case kind == "String":
			out[name] = a.StringValue
		}
	}
	return out
}

func (sub *subscription) deadLetter() string {
	var policy struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"`
	}
	if json.Unmarshal([]byte(sub.attributes["RedrivePolicy"]), &policy) != nil {
		return ""
	}
	return policy.DeadLetterTargetArn
}

// fill writes what an endpoint gets: the message itself when it is raw, an
// envelope for a queue, a record for a function.
func (s *Service) fill(d *Delivery, sub *subscription, m *message, id string, now time.Time) {
	text := m.Message
	if m.MessageStructure == "json" {
		var parts map[string]any
		_ = json.Unmarshal([]byte(m.Message), &parts) // it was read before
		if text, _ = parts[sub.protocol].(string); text == "" {
			text, _ = parts["default"].(string)
		}
	}
	if sub.attributes["RawMessageDelivery"] == "true" && sub.protocol == "sqs" {
		d.Body, d.Attributes = text, m.MessageAttributes
		return
	}
	envelope := map[string]any{
		"Type": "Notification", "MessageId": id, "TopicArn": sub.topic, "Message": text,
		"Timestamp": now.UTC().Format("2006-01-02T15:04:05.000Z"), "SignatureVersion": "1", "Signature": "EXAMPLE",
		"SigningCertURL": "https://sns." + s.options.Region + ".amazonaws.com/SimpleNotificationService-0000.pem",
		"UnsubscribeURL": "https://sns." + s.options.Region + ".amazonaws.com/?Action=Unsubscribe&SubscriptionArn=" + sub.arn,
	}
	if m.Subject != "" {
		envelope["Subject"] = m.Subject
	}
	attributes := map[string]any{}
	for name, a := range m.MessageAttributes {
		value := any(a.StringValue)
		if a.StringValue == "" {
			value = wire.Plain(a.BinaryValue)
		}
		attributes[name] = map[string]any{"Type": a.DataType, "Value": value}
	}
	if len(attributes) > 0 || sub.protocol == "lambda" {
		envelope["MessageAttributes"] = attributes
	}
	d.Body = encode(envelope)
	if sub.protocol == "lambda" {
		envelope["SigningCertUrl"], envelope["UnsubscribeUrl"] = envelope["SigningCertURL"], envelope["UnsubscribeURL"]
		delete(envelope, "SigningCertURL")
		delete(envelope, "UnsubscribeURL")
		if m.Subject == "" {
			envelope["Subject"] = nil
		}
		d.Body = encode(map[string]any{"Records": []any{map[string]any{
			"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": sub.arn, "Sns": envelope,
		}}})
	}
}

func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return "{}" // plain data can be written
	}
	return string(raw)
}
