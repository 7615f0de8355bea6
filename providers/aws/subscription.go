package aws

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// subscriptionKind is one subscription of a topic: a queue's, a function's, or
// that of an address outside. It has no tags: its owner is its parent's.
type subscriptionKind struct{ p *Provider }

func (k subscriptionKind) rights() []rights.Row {
	spec := func(res manifest.Resource) *manifest.SubscriptionSpec {
		if spec, ok := res.Spec.(*manifest.SubscriptionSpec); ok {
			return spec
		}
		return &manifest.SubscriptionSpec{}
	}
	topic := func(res manifest.Resource) []manifest.Value { return []manifest.Value{spec(res).Topic} }
	look := toObserve(topicARN, "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource")
	subscribe := toManage(topicARN, "sns:Subscribe")
	look.Of, subscribe.Of = topic, topic
	return []rights.Row{
		look, subscribe,
		toObserve(functionOfARN, "lambda:GetFunction"),
		toObserve(everything, "sns:GetSubscriptionAttributes"),
		toManage(everything, "sns:SetSubscriptionAttributes", "sns:Unsubscribe"),
		passRole("sns.amazonaws.com", func(res manifest.Resource) []manifest.Value {
			return []manifest.Value{{Literal: spec(res).SubscriptionRoleArn}}
		}),
		toDetach(everything, "sns:Unsubscribe"),
		toDelete(everything, "sns:Unsubscribe"),
	}
}

type topicSubscription struct {
	topic, protocol, endpoint string // which it is
	filter                    json.RawMessage
	scope                     string
	raw                       bool
	deadLetter                string
	delivery                  json.RawMessage
	role                      string
}

var subscriptionMembers = []member[topicSubscription]{
	{"deliveryPolicy", func(s *topicSubscription) any { return s.delivery }, func(d, s *topicSubscription) { d.delivery = s.delivery }},
	{"endpoint", func(s *topicSubscription) any { return s.endpoint }, func(d, s *topicSubscription) { d.endpoint = s.endpoint }},
	{"filterPolicy", func(s *topicSubscription) any { return s.filter }, func(d, s *topicSubscription) { d.filter = s.filter }},
	{"filterPolicyScope", func(s *topicSubscription) any { return s.scope }, func(d, s *topicSubscription) { d.scope = s.scope }},
	{"protocol", func(s *topicSubscription) any { return s.protocol }, func(d, s *topicSubscription) { d.protocol = s.protocol }},
	{"rawMessageDelivery", func(s *topicSubscription) any { return s.raw }, func(d, s *topicSubscription) { d.raw = s.raw }},
	{"redrivePolicy.deadLetterTargetArn", func(s *topicSubscription) any { return s.deadLetter }, func(d, s *topicSubscription) { d.deadLetter = s.deadLetter }},
	{"subscriptionRoleArn", func(s *topicSubscription) any { return s.role }, func(d, s *topicSubscription) { d.role = s.role }},
	{"topicArn", func(s *topicSubscription) any { return s.topic }, func(d, s *topicSubscription) { d.topic = s.topic }},
}

func declaredSubscription(res manifest.Resource, b *builder) (topicSubscription, error) {
	spec, ok := res.Spec.(*manifest.SubscriptionSpec)
	if !ok {
		return topicSubscription{}, wrongSpec(res)
	}
	s := topicSubscription{
		topic: b.value(spec.Topic), protocol: spec.Protocol, endpoint: b.value(spec.Endpoint), scope: spec.FilterPolicyScope,
		raw: spec.RawMessageDelivery, delivery: documentForm(spec.DeliveryPolicy), role: spec.SubscriptionRoleArn,
		filter: json.RawMessage(`""`),
	}
	if spec.DeadLetter != (manifest.Value{}) {
		s.deadLetter = b.value(spec.DeadLetter)
	}
	if len(spec.FilterPolicy) > 0 {
		s.filter = documentForm(resolveDocument(spec.FilterPolicy, b))
	}
	return s, nil
}

func liveSubscription(attributes map[string]string) topicSubscription {
	s := topicSubscription{
		topic: attributes["TopicArn"], protocol: attributes["Protocol"], endpoint: attributes["Endpoint"],
		filter: documentText(attributes["FilterPolicy"]), raw: attributes["RawMessageDelivery"] == "true",
		delivery: documentText(attributes["DeliveryPolicy"]), role: attributes["SubscriptionRoleArn"],
	}
	if textOf(s.filter) != "" {
		s.scope = orElse(attributes["FilterPolicyScope"], "MessageAttributes")
	}
	var redrive struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"`
	}
	if text := attributes["RedrivePolicy"]; text != "" && json.Unmarshal([]byte(text), &redrive) == nil {
		s.deadLetter = redrive.DeadLetterTargetArn
	}
	return s
}

func (k subscriptionKind) canonical(res manifest.Resource, b *builder) error {
	s, err := declaredSubscription(res, b)
	if err != nil {
		return err
	}
	each(b, subscriptionMembers, &s)
	return nil
}

// subscriptionLook is a subscription as one look shows it. One that waits for
// its confirmation shows no ARN and no attributes but to whoever knows its ARN.
type subscriptionLook struct {
	at         time.Time
	arn        string // "" while it waits for its confirmation
	attributes map[string]string
	partial    bool // only what a listing shows
}

const pendingARN = "PendingConfirmation"

func (l *subscriptionLook) pending() bool {
	return l.partial || l.attributes["PendingConfirmation"] == "true"
}

// getSubscription asks by ARN; nil when there is none.
func (p *Provider) getSubscription(ctx context.Context, cl *clients, arn string) (*subscriptionLook, error) {
	at := p.o.Now()
	out, err := cl.sns.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return &subscriptionLook{at: at, arn: arn, attributes: out.Attributes}, nil
}

// subscriptionNames are what the trail may file a subscription under: its ARN,
// the one it had before, or its topic.
func (p *Provider) subscriptionNames(res manifest.Resource) []string {
	var names []string
	for _, known := range []map[manifest.Ref]string{p.memory.subscriptions, p.memory.former} {
		if arn, ok := recall(&p.memory, known, res.Ref); ok {
			names = append(names, arn)
		}
	}
	if len(names) == 0 {
		return []string{res.Physical}
	}
	return names
}

// subscriptionsOf lists a topic's subscriptions; none when the topic is not
// there.
func (p *Provider) subscriptionsOf(ctx context.Context, cl *clients, topic string) ([]types.Subscription, error) {
	var all []types.Subscription
	pages := sns.NewListSubscriptionsByTopicPaginator(cl.sns, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isAbsent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, classify(err)
		}
		all = append(all, page.Subscriptions...)
	}
	return all, nil
}

// find looks for the subscription that is this one: the one remembered, else
// the one of its topic and endpoint. nil when there is none.
func (k subscriptionKind) find(ctx context.Context, cl *clients, ref manifest.Ref, want topicSubscription) (*subscriptionLook, error) {
	if arn, ok := recall(&k.p.memory, k.p.memory.subscriptions, ref); ok {
		l, err := k.p.getSubscription(ctx, cl, arn)
		if err != nil || l != nil {
			return l, err
		}
		forget(&k.p.memory, k.p.memory.subscriptions, ref)
		remember(&k.p.memory, k.p.memory.former, ref, arn)
	}
	if want.topic == "" || want.endpoint == "" {
		return nil, nil // what it needs does not live, so neither does it
	}
	at := k.p.o.Now()
	all, err := k.p.subscriptionsOf(ctx, cl, want.topic)
	if err != nil {
		return nil, err
	}
	for i := range all {
		one := &all[i]
		if awssdk.ToString(one.Protocol) != want.protocol || awssdk.ToString(one.Endpoint) != want.endpoint {
			continue
		}
		arn := awssdk.ToString(one.SubscriptionArn)
		if !strings.HasPrefix(arn, "arn:") {
			return &subscriptionLook{at: at, partial: true, attributes: map[string]string{
				"TopicArn": want.topic, "Protocol": want.protocol, "Endpoint": want.endpoint,
			}}, nil
		}
		remember(&k.p.memory, k.p.memory.subscriptions, ref, arn)
		return k.p.getSubscription(ctx, cl, arn)
	}
	return nil, nil
}

// identity is what is known of which subscription a resource means, of what
// was seen to live; parts that were never seen are "".
func (k subscriptionKind) identity(spec *manifest.SubscriptionSpec) topicSubscription {
	resolved := func(v manifest.Value) string {
		ref, attribute, isRef := v.Target()
		if !isRef {
			return v.Literal
		}
		known, _ := recall(&k.p.memory, k.p.memory.known, ref)
		return known[attribute]
	}
	return topicSubscription{topic: resolved(spec.Topic), protocol: spec.Protocol, endpoint: resolved(spec.Endpoint)}
}

func (k subscriptionKind) live(ref manifest.Ref, l *subscriptionLook, parent providers.Owner) providers.Live {
	b := k.p.builder(nil)
	s := liveSubscription(l.attributes)
	each(b, subscriptionMembers, &s)
	if l.partial {
		for _, m := range subscriptionMembers {
			if m.path != "topicArn" && m.path != "protocol" && m.path != "endpoint" {
				delete(b.fields, m.path)
				b.unseen[m.path] = "it waits for its confirmation"
			}
		}
	}
	live := b.live()
	live.Guard, live.Owner, live.SeenAt = l.guard(), childOwner(parent, ref), l.at
	live.Attributes = map[string]string{"arn": l.arn, "id": l.arn, "name": nameOfARN(l.arn)}
	if l.pending() {
		live.Note = "it waits for its confirmation"
	}
	return live
}

// guard holds while the subscription looks the same; SNS gives it no revision.
func (l *subscriptionLook) guard() providers.Guard {
	s := liveSubscription(l.attributes)
	b := &builder{fields: map[string]string{}}
	each(b, subscriptionMembers, &s)
	return seen([]any{l.arn, b.fields})
}

func (k subscriptionKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	spec, ok := res.Spec.(*manifest.SubscriptionSpec)
	if !ok {
		return providers.Live{}, wrongSpec(res)
	}
	l, err := k.find(ctx, cl, res.Ref, k.identity(spec))
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	if w, ok := recall(&k.p.memory, k.p.memory.wrote, res.Ref); ok && w.gone && l.pending() {
		return providers.Live{}, nil // given up: SNS forgets it by itself, and cannot be told to
	}
	owner, err := k.parentOwner(ctx, cl, res, liveSubscription(l.attributes))
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(res.Ref, l, owner), nil
}

// parentOwner is who owns what a subscription is a child of. A subscription of
// a function that is gone is the declared one's still.
func (k subscriptionKind) parentOwner(ctx context.Context, cl *clients, res manifest.Resource, s topicSubscription) (providers.Owner, error) {
	if res.Parent.Kind == manifest.KindFunction {
		parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
		if err != nil {
			return providers.Owner{}, err
		}
		if name, _ := functionOf(s.endpoint); parent.absent && name == res.Physical {
			return ownerOf(k.p.ownership(res.Parent, "")), nil
		}
		return parent.owner(), nil
	}
	if l, ok := recall(&k.p.memory, k.p.memory.plain, plainKey{manifest.KindTopic, res.Physical}); ok && k.p.sweeping(cl) && l.live.Exists {
		return l.live.Owner, nil
	}
	l, err := k.p.lookTopic(ctx, cl, s.topic)
	return l.owner(), err
}
