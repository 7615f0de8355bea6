package aws

import (
	"context"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k subscriptionKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, err := declaredSubscription(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	owner, err := k.parentOwner(ctx, k.p.front, c.Resource, want)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayWrite(owner, c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.find(ctx, k.p.front, c.Resource.Ref, want)
	if err != nil {
		return providers.Receipt{}, err
	}
	forget(&k.p.memory, k.p.memory.wrote, c.Resource.Ref)
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return k.create(ctx, c.Resource.Ref, want)
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	return k.update(ctx, c, now, want)
}

func (k subscriptionKind) create(ctx context.Context, ref manifest.Ref, want topicSubscription) (providers.Receipt, error) {
	attributes := map[string]string{}
	for _, m := range subscriptionMembers {
		if name, value := want.attribute(m.path); value != "" && value != "false" {
			attributes[name] = value
		}
	}
	out, err := k.p.front.sns.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &want.topic, Protocol: &want.protocol, Endpoint: &want.endpoint, Attributes: attributes, ReturnSubscriptionArn: true,
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	remember(&k.p.memory, k.p.memory.subscriptions, ref, awssdk.ToString(out.SubscriptionArn))
	return receipt(out.ResultMetadata), nil
}

// update writes one attribute a call. Of another topic or endpoint it is
// another subscription: that one is made before the old one goes.
func (k subscriptionKind) update(ctx context.Context, c providers.Change, now *subscriptionLook, want topicSubscription) (providers.Receipt, error) {
	desired := liveSubscription(now.attributes)
	changed := merge(subscriptionMembers, &desired, &want, allowedBy(c.Fields))
	for _, path := range changed {
		switch path {
		case "topicArn", "protocol", "endpoint":
			total, err := k.create(ctx, c.Resource.Ref, desired)
			if err != nil {
				return total, err
			}
			gone, err := k.drop(ctx, now)
			total.RequestIDs = append(total.RequestIDs, gone.RequestIDs...)
			return total, err
		}
	}
	if now.partial && len(changed) > 0 {
		return providers.Receipt{}, providers.Errorf(providers.Transient, "it waits for its confirmation")
	}
	var total providers.Receipt
	for _, path := range ordered(changed, desired) {
		name, value := desired.attribute(path)
		if value == "" && (name == "FilterPolicy" || name == "RedrivePolicy" || name == "DeliveryPolicy") {
			value = "{}" // none
		}
		if name == "FilterPolicyScope" && value == "" {
			continue // goes with the filter
		}
		out, err := k.p.front.sns.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{
			SubscriptionArn: &now.arn, AttributeName: &name, AttributeValue: &value,
		})
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return total, nil
}

// ordered puts the scope where SNS takes it: a filter that looks into the
// message needs its scope first, any other takes its own.
func ordered(paths []string, s topicSubscription) []string {
	var out []string
	for _, path := range paths {
		if path == "filterPolicyScope" && s.scope == "MessageBody" {
			out = append([]string{path}, out...)
			continue
		}
		out = append(out, path)
	}
	return out
}

// attribute is the SNS attribute a path belongs to, and its value; both are ""
// for what says which subscription it is.
func (s *topicSubscription) attribute(path string) (name, value string) {
	switch path {
	case "deliveryPolicy":
		return "DeliveryPolicy", textOf(s.delivery)
	case "filterPolicy":
		return "FilterPolicy", textOf(s.filter)
	case "filterPolicyScope":
		return "FilterPolicyScope", s.scope
	case "rawMessageDelivery":
		return "RawMessageDelivery", strconv.FormatBool(s.raw)
	case "redrivePolicy.deadLetterTargetArn":
		if s.deadLetter == "" {
			return "RedrivePolicy", ""
		}
		return "RedrivePolicy", canonicalJSON(map[string]any{"deadLetterTargetArn": s.deadLetter})
	case "subscriptionRoleArn":
		return "SubscriptionRoleArn", s.role
	}
	return "", ""
}

// drop unsubscribes. What waits for its confirmation cannot be: SNS forgets it
// within days.
func (k subscriptionKind) drop(ctx context.Context, l *subscriptionLook) (providers.Receipt, error) {
	if l.pending() {
		return providers.Receipt{}, nil
	}
	out, err := k.p.front.sns.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &l.arn})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func (k subscriptionKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	var want topicSubscription // zero where its manifest is not known any more: then it is found by the ARN it was seen with
	if spec, ok := res.Spec.(*manifest.SubscriptionSpec); ok {
		want = k.identity(spec)
	} else if res.Spec != nil {
		return providers.Receipt{}, wrongSpec(res)
	}
	now, err := k.find(ctx, k.p.front, res.Ref, want)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	owner, err := k.parentOwner(ctx, k.p.front, res, liveSubscription(now.attributes))
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(owner); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.drop(ctx, now)
	if err == nil {
		remember(&k.p.memory, k.p.memory.wrote, res.Ref, written{at: k.p.o.Now(), gone: true})
		forget(&k.p.memory, k.p.memory.subscriptions, res.Ref)
	}
	return out, err
}
