package aws

import (
	"context"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k topicKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, policy, err := declaredTopic(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	arn, err := k.p.topicARN(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookTopic(ctx, k.p.front, arn)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return k.create(ctx, c, want, policy)
	}
	if err := k.p.mayWrite(now.owner(), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	return k.update(ctx, c, now, want, policy)
}

func (k topicKind) create(ctx context.Context, c providers.Change, want topic, policy map[string]any) (providers.Receipt, error) {
	attributes := map[string]string{}
	for _, m := range topicMembers {
		name, value := want.attribute(m.path)
		if name != "" && value != "" {
			attributes[name] = value
		}
	}
	if policy != nil {
		attributes["Policy"] = canonicalJSON(policy)
	}
	if want.fifo {
		attributes["FifoTopic"] = "true"
	}
	spec := c.Resource.Spec.(*manifest.TopicSpec)
	out, err := k.p.front.sns.CreateTopic(ctx, &sns.CreateTopicInput{
		Name: &c.Resource.Physical, Attributes: attributes, Tags: snsTags(k.p.allTags(spec.Tags, c.Resource.Ref, c.Release)),
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func snsTags(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, key := range sortedKeys(tags) {
		out = append(out, types.Tag{Key: awssdk.String(key), Value: awssdk.String(tags[key])})
	}
	return out
}

// update writes one attribute a call: SNS takes no more.
func (k topicKind) update(ctx context.Context, c providers.Change, now *topicLook, want topic, policy map[string]any) (providers.Receipt, error) {
	spec := c.Resource.Spec.(*manifest.TopicSpec)
	desired, _ := liveTopic(now.attributes)
	changed := merge(topicMembers, &desired, &want, allowedBy(c.Fields))
	var total providers.Receipt
	for _, path := range changed {
		if path == "fifoTopic" {
			return total, providers.Errorf(providers.Invalid, "a topic cannot become a FIFO topic or cease to be one: give it another name")
		}
	}
	if err := k.tag(ctx, now.arn, k.p.planTags(c, spec.Tags, now.tags, true), &total); err != nil {
		return total, err
	}
	for _, path := range changed {
		name, value := desired.attribute(path)
		if path == "policy" {
			if policy == nil {
				policy = defaultTopicPolicy(now.arn)
			}
			name, value = "Policy", canonicalJSON(policy)
		}
		if name == "" {
			continue
		}
		out, err := k.p.front.sns.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: &now.arn, AttributeName: &name, AttributeValue: &value})
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return total, nil
}

func (k topicKind) tag(ctx context.Context, arn string, plan tagPlan, total *providers.Receipt) error {
	if len(plan.add) > 0 {
		out, err := k.p.front.sns.TagResource(ctx, &sns.TagResourceInput{ResourceArn: &arn, Tags: snsTags(plan.add)})
		if err != nil {
			return classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	if len(plan.remove) > 0 {
		out, err := k.p.front.sns.UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: &arn, TagKeys: plan.remove})
		if err != nil {
			return classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return nil
}

// attribute is the SNS attribute a path belongs to, and its value; the name is
// "" for what is no attribute here. An empty value takes an attribute away.
func (t *topic) attribute(path string) (name, value string) {
	switch path {
	case "archivePolicy":
		if t.fifo {
			return "ArchivePolicy", orElse(textOf(t.archive), "{}")
		}
	case "contentBasedDeduplication":
		if t.fifo {
			return "ContentBasedDeduplication", strconv.FormatBool(t.dedup)
		}
	case "deliveryPolicy":
		return "DeliveryPolicy", textOf(t.delivery)
	case "displayName":
		return "DisplayName", t.display
	case "fifoThroughputScope":
		if t.fifo {
			return "FifoThroughputScope", t.scope
		}
	case "kmsMasterKeyId":
		return "KmsMasterKeyId", t.kms
	case "signatureVersion":
		return "SignatureVersion", strconv.Itoa(t.signature)
	case "tracingConfig":
		return "TracingConfig", t.tracing
	}
	return t.loggingAttribute(path)
}

func (t *topic) loggingAttribute(path string) (name, value string) {
	for i, p := range statusProtocols {
		field, ok := strings.CutPrefix(path, "deliveryStatusLogging."+p.written+".")
		if !ok {
			continue
		}
		switch field {
		case "successFeedbackRoleArn":
			return p.attribute + "SuccessFeedbackRoleArn", t.logging[i].SuccessFeedbackRoleArn
		case "successFeedbackSampleRate":
			if t.logging[i] == (manifest.StatusLogging{}) {
				return p.attribute + "SuccessFeedbackSampleRate", ""
			}
			return p.attribute + "SuccessFeedbackSampleRate", strconv.Itoa(t.logging[i].SuccessFeedbackSampleRate)
		case "failureFeedbackRoleArn":
			return p.attribute + "FailureFeedbackRoleArn", t.logging[i].FailureFeedbackRoleArn
		}
	}
	return "", ""
}

func (k topicKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	arn, err := k.p.topicARN(ctx, k.p.front, res.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookTopic(ctx, k.p.front, arn)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(now.owner()); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.sns.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &arn})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
