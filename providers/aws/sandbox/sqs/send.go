package sqs

import (
	"context"
	"crypto/md5" //nolint:gosec // the protocol's own checksum
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

type sendInput struct {
	QueueUrl               string
	Id                     string // of a batch entry
	MessageBody            string
	DelaySeconds           *int
	MessageAttributes      map[string]Attribute
	MessageDeduplicationId string
	MessageGroupId         string
}

type sendOutput struct {
	Id                     string
	MessageId              string
	MD5OfMessageBody       string
	MD5OfMessageAttributes string
	SequenceNumber         string
}

func (s *Service) sendMessage(_ context.Context, c *wire.Call, in *sendInput) (sendOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return sendOutput{}, err
	}
	return s.put(q, in, c.Actor.ARN)
}

// put adds one message; the caller holds the lock.
func (s *Service) put(q *queue, in *sendInput, sender string) (sendOutput, error) {
	if err := q.checkSend(in); err != nil {
		return sendOutput{}, err
	}
	now := s.options.Now()
	delay := seconds(q.attributes["DelaySeconds"])
	if in.DelaySeconds != nil && !q.fifo() {
		delay = time.Duration(*in.DelaySeconds) * time.Second
	}
	m := &message{
		id: wire.NewID(), body: in.MessageBody, attributes: in.MessageAttributes, group: in.MessageGroupId,
		dedup: in.MessageDeduplicationId, sender: sender, sent: now, visible: now.Add(delay),
	}
	out := sendOutput{Id: in.Id, MessageId: m.id, MD5OfMessageBody: md5Hex([]byte(m.body)), MD5OfMessageAttributes: attributesMD5(m.attributes)}
	if q.fifo() {
		q.sequence++
		m.sequence = q.sequence
		out.SequenceNumber = sequenceNumber(m.sequence)
	}
	if q.duplicate(m, now) {
		return out, nil
	}
	q.messages = append(q.messages, m)
	q.wake()
	s.measured("NumberOfMessagesSent", q, 1)
	return out, nil
}

func (q *queue) checkSend(in *sendInput) error {
	limit, err := strconv.Atoi(q.attributes["MaximumMessageSize"])
	switch {
	case in.MessageBody == "":
		return fail("MissingParameter", "The request must contain the parameter MessageBody.")
	case err == nil && len(in.MessageBody) > limit:
		return fail("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than "+strconv.Itoa(limit)+" bytes.")
	case in.DelaySeconds != nil && (*in.DelaySeconds < 0 || *in.DelaySeconds > 900):
		return fail("InvalidParameterValue", "Value for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")
	case q.fifo() && in.MessageGroupId == "":
		return fail("MissingParameter", "The request must contain the parameter MessageGroupId.")
	case q.fifo() && in.MessageDeduplicationId == "" && q.attributes["ContentBasedDeduplication"] != "true":
		return fail("InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	return nil
}

func sequenceNumber(n int64) string {
	digits := strconv.FormatInt(n, 10)
	return strings.Repeat("0", max(0, 20-len(digits))) + digits
}

func md5Hex(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec // the protocol's own checksum
	return hex.EncodeToString(sum[:])
}

// attributesMD5 is the checksum SDKs compare: name, type, transport type and
// value, each with its length, by name.
func attributesMD5(attributes map[string]Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var raw []byte
	add := func(part string) {
		raw = append(binary.BigEndian.AppendUint32(raw, uint32(len(part))), part...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		add(name)
		add(a.DataType)
		if strings.HasPrefix(a.DataType, "Binary") {
			raw = append(raw, 2)
			add(string(a.BinaryValue))
			continue
		}
		raw = append(raw, 1)
		add(a.StringValue)
	}
	return md5Hex(raw)
}

// batch is the shape of all batch requests.
type batch[T any] struct {
	QueueUrl string
	Entries  []T
}

type failedEntry struct {
	Id, Code, Message string
	SenderFault       bool
}

type batchOutput struct {
	Successful []sendOutput
	Failed     []failedEntry
}

func failed(id string, err error) failedEntry {
	e := wire.AsError(err)
	return failedEntry{Id: id, Code: e.Code, Message: e.Message, SenderFault: true}
}

func checkBatch(ids []string) error {
	slices.Sort(ids)
	switch {
	case len(ids) == 0:
		return fail("EmptyBatchRequest", "There should be at least one entry in the request.")
	case len(ids) > 10:
		return fail("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")
	case len(slices.Compact(ids)) != len(ids):
		return fail("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
	}
	return nil
}

func (s *Service) sendBatch(_ context.Context, c *wire.Call, in *batch[sendInput]) (batchOutput, error) {
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
		sent, err := s.put(q, &in.Entries[i], c.Actor.ARN)
		if err != nil {
			out.Failed = append(out.Failed, failed(in.Entries[i].Id, err))
			continue
		}
		out.Successful = append(out.Successful, sent)
	}
	return out, nil
}
