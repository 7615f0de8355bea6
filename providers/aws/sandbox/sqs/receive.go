package sqs

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Message is a received message.
type Message struct {
	MessageId              string
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string
	MessageAttributes      map[string]Attribute
	MD5OfMessageAttributes string
}

type receiveInput struct {
	QueueUrl                    string
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
}

type receiveOutput struct{ Messages []Message }

func (s *Service) receiveMessage(ctx context.Context, _ *wire.Call, in *receiveInput) (receiveOutput, error) {
	r := Request{Max: 1, Visibility: -1, Wait: -1}
	if in.MaxNumberOfMessages != nil {
		r.Max = *in.MaxNumberOfMessages
	}
	if in.VisibilityTimeout != nil {
		r.Visibility = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	if in.WaitTimeSeconds != nil {
		r.Wait = time.Duration(*in.WaitTimeSeconds) * time.Second
	}
	if r.Max < 1 || r.Max > 10 {
		return receiveOutput{}, fail("InvalidParameterValue", "Value for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")
	}
	if r.Wait > 20*time.Second {
		return receiveOutput{}, fail("InvalidParameterValue", "Value for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.")
	}
	messages, err := s.Receive(ctx, in.QueueUrl, r)
	for i := range messages {
		messages[i].narrow(append(in.AttributeNames, in.MessageSystemAttributeNames...), in.MessageAttributeNames)
	}
	return receiveOutput{Messages: messages}, err
}

// narrow keeps the attributes that were asked for.
func (m *Message) narrow(system, own []string) {
	for name := range m.Attributes {
		if !slices.Contains(system, "All") && !slices.Contains(system, name) {
			delete(m.Attributes, name)
		}
	}
	kept := map[string]Attribute{}
	for name, a := range m.MessageAttributes {
		if slices.ContainsFunc(own, func(want string) bool {
			return want == "All" || want == name || strings.HasSuffix(want, ".*") && strings.HasPrefix(name, want[:len(want)-1])
		}) {
			kept[name] = a
		}
	}
	m.MessageAttributes, m.MD5OfMessageAttributes = nil, attributesMD5(kept)
	if len(kept) > 0 {
		m.MessageAttributes = kept
	}
}

// Request is how much to receive, and how; a negative duration is the
// queue's own.
type Request struct {
	Max              int
	Visibility, Wait time.Duration
}

// Receive takes messages off a queue (its name, URL or ARN), waiting for the
// first one if asked to.
func (s *Service) Receive(ctx context.Context, queueURL string, r Request) ([]Message, error) {
	started := time.Now()
	for {
		got, err := s.tryReceive(queueURL, r)
		left := got.wait - time.Since(started)
		if err != nil || len(got.messages) > 0 || left <= 0 {
			return got.messages, err
		}
		timer := time.NewTimer(min(left, got.next))
		select {
		case <-timer.C:
		case <-got.changed:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil // an empty answer, for a caller who is not there any more
		}
		timer.Stop()
	}
}

// attempt is one look at a queue.
type attempt struct {
	messages []Message
	wait     time.Duration // as long as the whole poll may take
	next     time.Duration // until a look is worth it again
	changed  <-chan struct{}
}

func (s *Service) tryReceive(queueURL string, r Request) (attempt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(queueURL)
	if err != nil {
		return attempt{}, err
	}
	if r.Visibility < 0 {
		r.Visibility = seconds(q.attributes["VisibilityTimeout"])
	}
	if r.Wait < 0 {
		r.Wait = seconds(q.attributes["ReceiveMessageWaitTimeSeconds"])
	}
	s.sweep(q)
	out := attempt{wait: r.Wait, changed: q.changed}
	for _, m := range q.take(r.Max, r.Visibility, s.options.Now()) {
		out.messages = append(out.messages, m.show())
	}
	if len(out.messages) == 0 && r.Wait > 0 {
		out.next = s.soon(q, r.Wait)
	}
	return out, nil
}

func (m *message) show() Message {
	out := Message{
		MessageId: m.id, ReceiptHandle: m.receipt, Body: m.body, MD5OfBody: md5Hex([]byte(m.body)),
		MessageAttributes: m.attributes,
		Attributes: map[string]string{
			"ApproximateReceiveCount":          strconv.Itoa(m.received),
			"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
			"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
			"SenderId":                         m.sender,
		},
	}
	if m.group != "" {
		out.Attributes["MessageGroupId"] = m.group
	}
	if m.sequence > 0 {
		out.Attributes["MessageDeduplicationId"] = m.dedup
		out.Attributes["SequenceNumber"] = sequenceNumber(m.sequence)
	}
	return out
}

type receiptInput struct {
	QueueUrl, Id, ReceiptHandle string
	VisibilityTimeout           *int
}

func (s *Service) deleteMessage(_ context.Context, _ *wire.Call, in *receiptInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return wire.None{}, err
	}
	return wire.None{}, s.remove(q, in)
}

// remove deletes the message last received with the receipt. An older receipt
// of a message succeeds and deletes nothing, as on AWS.
func (s *Service) remove(q *queue, in *receiptInput) error {
	if !strings.Contains(in.ReceiptHandle, "/") {
		return fail("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle.")
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.receipt == in.ReceiptHandle })
	q.wake() // the next message of its group may go
	return nil
}

func (s *Service) changeVisibility(_ context.Context, _ *wire.Call, in *receiptInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return wire.None{}, err
	}
	return wire.None{}, s.hide(q, in)
}

func (s *Service) hide(q *queue, in *receiptInput) error {
	if in.VisibilityTimeout == nil || *in.VisibilityTimeout < 0 || *in.VisibilityTimeout > 43200 {
		return fail("InvalidParameterValue", "Value for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.")
	}
	now := s.options.Now()
	for _, m := range q.messages {
		if m.receipt != in.ReceiptHandle {
			continue
		}
		if !m.visible.After(now) {
			return fail("MessageNotInflight", "The specified message isn't in flight.")
		}
		m.visible = now.Add(time.Duration(*in.VisibilityTimeout) * time.Second)
		q.wake()
		return nil
	}
	return fail("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle.")
}

func (s *Service) deleteBatch(_ context.Context, _ *wire.Call, in *batch[receiptInput]) (batchOutput, error) {
	return s.eachReceipt(in, s.remove)
}

func (s *Service) changeVisibilityBatch(_ context.Context, _ *wire.Call, in *batch[receiptInput]) (batchOutput, error) {
	return s.eachReceipt(in, s.hide)
}

func (s *Service) eachReceipt(in *batch[receiptInput], do func(*queue, *receiptInput) error) (batchOutput, error) {
	out := batchOutput{Successful: []sendOutput{}, Failed: []failedEntry{}}
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, e.Id)
	}
	if err := checkBatch(ids); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return out, err
	}
	for i := range in.Entries {
		if err := do(q, &in.Entries[i]); err != nil {
			out.Failed = append(out.Failed, failed(in.Entries[i].Id, err))
			continue
		}
		out.Successful = append(out.Successful, sendOutput{Id: in.Entries[i].Id})
	}
	return out, nil
}

func (s *Service) purgeQueue(_ context.Context, _ *wire.Call, in *target) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return wire.None{}, err
	}
	now := s.options.Now()
	if !q.purged.IsZero() && now.Before(q.purged.Add(s.options.Quiet)) {
		e := fail("PurgeQueueInProgress", "Only one PurgeQueue operation on "+q.name+" is allowed every 60 seconds.")
		e.QueryCode = "AWS.SimpleQueueService.PurgeQueueInProgress"
		return wire.None{}, e
	}
	q.purged, q.messages = now, nil
	return wire.None{}, nil
}

// Exists tells whether there is a queue of that name, URL or ARN.
func (s *Service) Exists(queue string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.find(queue)
	return err == nil
}

// VisibilityTimeout is a queue's own; ok is false when there is no such queue.
func (s *Service) VisibilityTimeout(queue string) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(queue)
	if err != nil {
		return 0, false
	}
	return seconds(q.attributes["VisibilityTimeout"]), true
}

// Delete removes received messages by their receipts.
func (s *Service) Delete(queue string, receipts []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(queue)
	if err != nil {
		return err
	}
	for _, receipt := range receipts {
		if err := s.remove(q, &receiptInput{ReceiptHandle: receipt}); err != nil {
			return err
		}
	}
	return nil
}

// Send puts one message into a queue, as an AWS service does. group and
// deduplication are made up for a FIFO queue.
func (s *Service) Send(queue, body string) error {
	return s.Post(queue, Parcel{Body: body})
}

// Parcel is a message from another service.
type Parcel struct {
	Body         string
	Attributes   map[string]Attribute
	Group, Dedup string // of a FIFO queue; made up where they are ""
}

// Post is Send for a whole message.
func (s *Service) Post(queue string, p Parcel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(queue)
	if err != nil {
		return err
	}
	in := &sendInput{MessageBody: p.Body, MessageAttributes: p.Attributes}
	if q.fifo() {
		in.MessageGroupId, in.MessageDeduplicationId = cmp.Or(p.Group, "sandbox"), cmp.Or(p.Dedup, wire.NewID())
	}
	_, err = s.put(q, in, "AIDAISMY7JYY5F7RTT6AO")
	return err
}

// Policy is a queue's policy; "" when it has none, or is not there.
func (s *Service) Policy(queue string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(queue)
	if err != nil {
		return ""
	}
	return q.attributes["Policy"]
}
