package aws

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// queueKind is an SQS queue with its redrive policy.
type queueKind struct{ p *Provider }

func (k queueKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(queueARN, "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"),
		because(toObserve(everything, "sqs:ListQueues"), "which of many are there; without it each is asked for"),
		toManage(queueARN, "sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"),
		toDelete(queueARN, "sqs:DeleteQueue"),
	}
}

// sqsDelay is how long SQS may take to show a change of attributes, and how
// long a deleted queue may still answer.
const sqsDelay = 60 * time.Second

type queue struct {
	visibility, retention, delay, size, wait int
	fifo, dedup                              bool
	dedupScope, throughput                   string
	kmsKey                                   string
	kmsReuse                                 int
	managedSSE                               bool
	deadLetter                               string
	maxReceive                               int
	policy                                   json.RawMessage
}

var queueMembers = []member[queue]{
	{"contentBasedDeduplication", func(q *queue) any { return q.dedup }, func(d, s *queue) { d.dedup = s.dedup }},
	{"deduplicationScope", func(q *queue) any { return q.dedupScope }, func(d, s *queue) { d.dedupScope = s.dedupScope }},
	{"delaySeconds", func(q *queue) any { return q.delay }, func(d, s *queue) { d.delay = s.delay }},
	{"fifoQueue", func(q *queue) any { return q.fifo }, func(d, s *queue) { d.fifo = s.fifo }},
	{"fifoThroughputLimit", func(q *queue) any { return q.throughput }, func(d, s *queue) { d.throughput = s.throughput }},
	{"kmsDataKeyReusePeriodSeconds", func(q *queue) any { return q.kmsReuse }, func(d, s *queue) { d.kmsReuse = s.kmsReuse }},
	{"kmsMasterKeyId", func(q *queue) any { return q.kmsKey }, func(d, s *queue) { d.kmsKey = s.kmsKey }},
	{"maximumMessageSize", func(q *queue) any { return q.size }, func(d, s *queue) { d.size = s.size }},
	{"messageRetentionPeriod", func(q *queue) any { return q.retention }, func(d, s *queue) { d.retention = s.retention }},
	{"policy", func(q *queue) any { return q.policy }, func(d, s *queue) { d.policy = s.policy }},
	{"receiveMessageWaitTimeSeconds", func(q *queue) any { return q.wait }, func(d, s *queue) { d.wait = s.wait }},
	{"redrivePolicy.deadLetterTargetArn", func(q *queue) any { return q.deadLetter }, func(d, s *queue) { d.deadLetter = s.deadLetter }},
	{"redrivePolicy.maxReceiveCount", func(q *queue) any { return q.maxReceive }, func(d, s *queue) { d.maxReceive = s.maxReceive }},
	{"sqsManagedSseEnabled", func(q *queue) any { return q.managedSSE }, func(d, s *queue) { d.managedSSE = s.managedSSE }},
	{"visibilityTimeout", func(q *queue) any { return q.visibility }, func(d, s *queue) { d.visibility = s.visibility }},
}

func declaredQueue(res manifest.Resource, b *builder) (queue, error) {
	spec, ok := res.Spec.(*manifest.QueueSpec)
	if !ok {
		return queue{}, wrongSpec(res)
	}
	q := queue{
		visibility: spec.VisibilityTimeout, retention: orElse(spec.MessageRetentionPeriod, 345600), delay: spec.DelaySeconds,
		size: orElse(spec.MaximumMessageSize, 262144), wait: spec.ReceiveMessageWaitTimeSeconds, fifo: spec.FifoQueue,
		dedup: spec.ContentBasedDeduplication, dedupScope: spec.DeduplicationScope, throughput: spec.FifoThroughputLimit,
		kmsKey: spec.KmsMasterKeyID, kmsReuse: spec.KmsDataKeyReusePeriodSeconds, managedSSE: spec.KmsMasterKeyID == "",
		policy: canonicalPolicy(nil),
	}
	if spec.SqsManagedSseEnabled != nil {
		q.managedSSE = *spec.SqsManagedSseEnabled
	}
	if spec.Redrive != nil {
		q.deadLetter, q.maxReceive = b.value(spec.Redrive.DeadLetter), spec.Redrive.MaxReceiveCount
	}
	if len(spec.Policy) > 0 {
		document, _ := resolveDocument(spec.Policy, b).(map[string]any)
		q.policy = canonicalPolicy(document)
	}
	q.defaults()
	return q, nil
}

// liveQueue reads attributes; ok is false for a policy that cannot be read.
func liveQueue(attributes map[string]string) (q queue, ok bool) {
	number := func(name string, other int) int {
		n, err := strconv.Atoi(attributes[name])
		if err != nil {
			return other
		}
		return n
	}
	q = queue{
		visibility: number("VisibilityTimeout", 30), retention: number("MessageRetentionPeriod", 345600),
		delay: number("DelaySeconds", 0), size: number("MaximumMessageSize", 262144), wait: number("ReceiveMessageWaitTimeSeconds", 0),
		fifo: attributes["FifoQueue"] == "true", dedup: attributes["ContentBasedDeduplication"] == "true",
		dedupScope: attributes["DeduplicationScope"], throughput: attributes["FifoThroughputLimit"],
		kmsKey: attributes["KmsMasterKeyId"], kmsReuse: number("KmsDataKeyReusePeriodSeconds", 0),
		managedSSE: attributes["SqsManagedSseEnabled"] == "true", policy: canonicalPolicy(nil),
	}
	var redrive struct {
		DeadLetterTargetArn string          `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.RawMessage `json:"maxReceiveCount"`
	}
	if text := attributes["RedrivePolicy"]; text != "" && json.Unmarshal([]byte(text), &redrive) == nil {
		q.deadLetter = redrive.DeadLetterTargetArn
		q.maxReceive, _ = strconv.Atoi(trimQuotes(string(redrive.MaxReceiveCount)))
	}
	ok = true
	if text := attributes["Policy"]; text != "" {
		document, err := parsePolicy(text)
		ok = err == nil
		q.policy = canonicalPolicy(document)
	}
	q.defaults()
	return q, ok
}

// trimQuotes: the count is a number or, from some writers, a string.
func trimQuotes(s string) string {
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		return s[1 : n-1]
	}
	return s
}

func (q *queue) defaults() {
	q.kmsReuse = orElse(q.kmsReuse, 300)
	if q.fifo {
		q.dedupScope, q.throughput = orElse(q.dedupScope, "queue"), orElse(q.throughput, "perQueue")
	}
}

func (k queueKind) canonical(res manifest.Resource, b *builder) error {
	q, err := declaredQueue(res, b)
	if err != nil {
		return err
	}
	each(b, queueMembers, &q)
	tags := res.Spec.(*manifest.QueueSpec).Tags
	setTags(b, tags, tags)
	return nil
}

// queueLook is a queue as one look shows it.
type queueLook struct {
	at         time.Time
	url        string
	attributes map[string]string
	tags       map[string]string
	touched    int
}

// lookQueue asks for a queue by name; nil when there is none.
func (p *Provider) lookQueue(ctx context.Context, cl *clients, name string) (*queueLook, error) {
	l := &queueLook{at: p.o.Now()}
	url, known := recall(&p.memory, p.memory.queueURLs, name)
	if !known {
		out, err := cl.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
		if isAbsent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, classify(err)
		}
		url = awssdk.ToString(out.QueueUrl)
		remember(&p.memory, p.memory.queueURLs, name, url)
	}
	l.url = url
	out, err := cl.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if isAbsent(err) {
		forget(&p.memory, p.memory.queueURLs, name)
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	l.attributes = out.Attributes
	l.tags, err = p.tags(cl, l.attributes["QueueArn"], func() (map[string]string, error) {
		out, err := cl.sqs.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &url})
		if err != nil {
			return nil, err
		}
		return out.Tags, nil
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return l, nil
}

func (k queueKind) live(res manifest.Resource, l *queueLook) providers.Live {
	b := k.p.builder(nil)
	q, readable := liveQueue(l.attributes)
	each(b, queueMembers, &q)
	if !readable {
		delete(b.fields, "policy")
		b.unseen["policy"] = "not a policy document"
	}
	if spec, ok := res.Spec.(*manifest.QueueSpec); ok {
		setTags(b, spec.Tags, l.tags)
	}
	live := b.live()
	live.Guard = l.guard()
	live.Owner = ownerOf(l.tags)
	live.SeenAt = l.at
	live.Attributes = map[string]string{"arn": l.attributes["QueueArn"], "url": l.url, "name": res.Physical, "id": l.url}
	if w, ok := recall(&k.p.memory, k.p.memory.wrote, res.Ref); ok && k.p.o.Now().Sub(w.at) < sqsDelay {
		live.Settling = w.gone || w.digest != live.Spec.Digest
	}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

// guard holds while every attribute that people set is the same.
func (l *queueLook) guard() providers.Guard {
	q, _ := liveQueue(l.attributes)
	b := &builder{fields: map[string]string{}}
	each(b, queueMembers, &q)
	return seen([]any{l.url, b.fields, l.attributes["CreatedTimestamp"], l.tags})
}

func (k queueKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookQueue(ctx, cl, res.Physical)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(res, l), nil
}
