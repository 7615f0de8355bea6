package aws

import (
	"context"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k queueKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, err := declaredQueue(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	spec := c.Resource.Spec.(*manifest.QueueSpec)
	policy, err := policyText(spec, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookQueue(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return k.create(ctx, c, want, policy)
	}
	if err := k.p.mayWrite(ownerOf(now.tags), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	return k.update(ctx, c, now, want, policy)
}

func policyText(spec *manifest.QueueSpec, b *builder) (string, error) {
	if len(spec.Policy) == 0 {
		return "", nil
	}
	document, ok := resolveDocument(spec.Policy, b).(map[string]any)
	if !ok {
		return "", providers.Errorf(providers.Invalid, "its policy is not a document")
	}
	return canonicalJSON(document), nil
}

func (k queueKind) create(ctx context.Context, c providers.Change, want queue, policy string) (providers.Receipt, error) {
	attributes := map[string]string{}
	for _, m := range queueMembers {
		want.attribute(attributes, m.path, policy)
	}
	for name, value := range attributes {
		if value == "" {
			delete(attributes, name)
		}
	}
	if want.fifo {
		attributes["FifoQueue"] = "true"
	}
	spec := c.Resource.Spec.(*manifest.QueueSpec)
	out, err := k.p.front.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: &c.Resource.Physical, Attributes: attributes, Tags: k.p.allTags(spec.Tags, c.Resource.Ref, c.Release),
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	remember(&k.p.memory, k.p.memory.queueURLs, c.Resource.Physical, awssdk.ToString(out.QueueUrl))
	forget(&k.p.memory, k.p.memory.wrote, c.Resource.Ref)
	return receipt(out.ResultMetadata), nil
}

func (k queueKind) update(ctx context.Context, c providers.Change, now *queueLook, want queue, policy string) (providers.Receipt, error) {
	spec := c.Resource.Spec.(*manifest.QueueSpec)
	desired, _ := liveQueue(now.attributes)
	attributes := map[string]string{}
	for _, path := range merge(queueMembers, &desired, &want, allowedBy(c.Fields)) {
		if path == "fifoQueue" {
			return providers.Receipt{}, providers.Errorf(providers.Invalid, "a queue cannot become a FIFO queue or cease to be one: give it another name")
		}
		desired.attribute(attributes, path, policy)
	}
	var total providers.Receipt
	if plan := k.p.planTags(c, spec.Tags, now.tags, true); !plan.empty() {
		tagged, err := k.tag(ctx, now.url, plan)
		total.RequestIDs = append(total.RequestIDs, tagged.RequestIDs...)
		if err != nil {
			return total, err
		}
	}
	if len(attributes) == 0 {
		return total, nil
	}
	out, err := k.p.front.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &now.url, Attributes: attributes})
	if err != nil {
		return total, classify(err)
	}
	k.wrote(c, now, desired)
	total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	return total, nil
}

// wrote remembers the form that was written, so that the minute SQS takes to
// show it is not mistaken for drift.
func (k queueKind) wrote(c providers.Change, now *queueLook, desired queue) {
	b := k.p.builder(nil)
	each(b, queueMembers, &desired)
	spec := c.Resource.Spec.(*manifest.QueueSpec)
	setTags(b, spec.Tags, now.tags)
	setTags(b, spec.Tags, spec.Tags)
	remember(&k.p.memory, k.p.memory.wrote, c.Resource.Ref, written{at: k.p.o.Now(), digest: b.spec().Digest})
}

func (k queueKind) tag(ctx context.Context, url string, plan tagPlan) (providers.Receipt, error) {
	var total providers.Receipt
	if len(plan.add) > 0 {
		out, err := k.p.front.sqs.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &url, Tags: plan.add})
		if err != nil {
			return total, classify(err)
		}
		total = receipt(out.ResultMetadata)
	}
	if len(plan.remove) > 0 {
		out, err := k.p.front.sqs.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: &url, TagKeys: plan.remove})
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return total, nil
}

// attribute writes the SQS attribute a path belongs to. An empty text takes
// an attribute away.
func (q *queue) attribute(into map[string]string, path, policy string) {
	switch path {
	case "contentBasedDeduplication":
		if q.fifo {
			into["ContentBasedDeduplication"] = strconv.FormatBool(q.dedup)
		}
	case "deduplicationScope":
		into["DeduplicationScope"] = q.dedupScope
	case "delaySeconds":
		into["DelaySeconds"] = strconv.Itoa(q.delay)
	case "fifoThroughputLimit":
		into["FifoThroughputLimit"] = q.throughput
	case "kmsDataKeyReusePeriodSeconds":
		if q.kmsKey != "" {
			into["KmsDataKeyReusePeriodSeconds"] = strconv.Itoa(q.kmsReuse)
		}
	case "kmsMasterKeyId":
		into["KmsMasterKeyId"] = q.kmsKey
	case "maximumMessageSize":
		into["MaximumMessageSize"] = strconv.Itoa(q.size)
	case "messageRetentionPeriod":
		into["MessageRetentionPeriod"] = strconv.Itoa(q.retention)
	case "policy":
		into["Policy"] = policy
	case "receiveMessageWaitTimeSeconds":
		into["ReceiveMessageWaitTimeSeconds"] = strconv.Itoa(q.wait)
	case "redrivePolicy.deadLetterTargetArn", "redrivePolicy.maxReceiveCount":
		into["RedrivePolicy"] = ""
		if q.deadLetter != "" {
			into["RedrivePolicy"] = canonicalJSON(map[string]any{"deadLetterTargetArn": q.deadLetter, "maxReceiveCount": q.maxReceive})
		}
	case "sqsManagedSseEnabled":
		if q.kmsKey == "" {
			into["SqsManagedSseEnabled"] = strconv.FormatBool(q.managedSSE)
		}
	case "visibilityTimeout":
		into["VisibilityTimeout"] = strconv.Itoa(q.visibility)
	}
}

func (k queueKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.lookQueue(ctx, k.p.front, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(now.tags)); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &now.url})
	forget(&k.p.memory, k.p.memory.queueURLs, res.Physical)
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	remember(&k.p.memory, k.p.memory.wrote, res.Ref, written{at: k.p.o.Now(), gone: true})
	return receipt(out.ResultMetadata), nil
}
