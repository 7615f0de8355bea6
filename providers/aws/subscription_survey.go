package aws

import (
	"context"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// topicListing is the last listing of a topic's subscriptions.
type topicListing struct {
	at      time.Time
	all     []types.Subscription
	touched int
}

// survey looks at the declared subscriptions in rotation, and lists those of
// each topic of ours for what nobody declared.
func (k subscriptionKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{kind: manifest.KindSubscription, layer: layerSubscriptions, service: "SNS", operation: "GetSubscriptionAttributes", cost: 1})
	for _, res := range s.ofKind(manifest.KindSubscription) {
		for _, ref := range res.Refs { // it is found by them: what was not seen is not absent
			if err := s.inv.Errors[ref]; err != nil && !s.inv.Live[res.Ref].Exists {
				s.fail(res.Ref, about("observe", res.Ref, err))
				break
			}
		}
	}
	var topics []manifest.Resource
	for _, res := range s.ofKind(manifest.KindTopic) {
		if live := s.inv.Live[res.Ref]; live.Exists && s.p.owns(live.Owner) {
			topics = append(topics, res)
		}
	}
	due := s.due(rotation{names: physicalNames(topics), service: "SNS", operation: "ListSubscriptionsByTopic", cost: 1, lookedAt: func(name string) time.Time {
		l, _ := recall(&s.p.memory, s.p.memory.listings, name)
		return l.at
	}})
	declared := k.declaredIn(s)
	parallel(s.p.o.Parallel, topics, func(res manifest.Resource) {
		arn := s.inv.Live[res.Ref].Attributes["arn"]
		l, known := recall(&s.p.memory, s.p.memory.listings, res.Physical)
		if touches := s.p.memory.touches(lockName(res)); due[res.Physical] || !known || l.touched != touches {
			all, err := s.p.subscriptionsOf(ctx, s.cl, arn)
			if err != nil {
				s.fail(manifest.Ref{}, about("list the subscriptions of", res.Ref, err))
				return
			}
			l = topicListing{at: s.at, all: all, touched: touches}
			remember(&s.p.memory, s.p.memory.listings, res.Physical, l)
		}
		s.layer(layerSubscriptions, l.at)
		for i := range l.all {
			if !declared[endpointOf(arn, &l.all[i])] {
				s.extra(k.stray(res.Ref, arn, &l.all[i], l.at))
			}
		}
	})
}

func endpointOf(topic string, one *types.Subscription) string {
	return strings.Join([]string{topic, awssdk.ToString(one.Protocol), awssdk.ToString(one.Endpoint)}, " ")
}

// declaredIn are the identities of what is wanted, and of what was wanted and
// still lives under another.
func (k subscriptionKind) declaredIn(s *sweep) map[string]bool {
	out := map[string]bool{}
	for _, res := range s.ofKind(manifest.KindSubscription) {
		if spec, ok := res.Spec.(*manifest.SubscriptionSpec); ok {
			id := k.identity(spec)
			out[strings.Join([]string{id.topic, id.protocol, id.endpoint}, " ")] = true
		}
		var text [3]string
		for i, path := range [...]string{"topicArn", "protocol", "endpoint"} {
			text[i] = trimQuotes(s.inv.Live[res.Ref].Spec.Fields[path])
		}
		out[strings.Join(text[:], " ")] = true
	}
	return out
}

// stray is a subscription nobody declared, as a listing shows it. It is open
// when it sends messages out of the account.
func (k subscriptionKind) stray(parent manifest.Ref, topic string, one *types.Subscription, at time.Time) providers.Extra {
	b := k.p.builder(nil)
	b.set("topicArn", topic)
	b.set("protocol", awssdk.ToString(one.Protocol))
	b.set("endpoint", awssdk.ToString(one.Endpoint))
	name := nameOfARN(awssdk.ToString(one.SubscriptionArn))
	if name == pendingARN {
		name = "pending-" + digestOf(endpointOf(topic, one))[len("sha256:"):][:8]
	}
	return providers.Extra{
		Ref: manifest.Ref{Kind: manifest.KindSubscription, Name: parent.Name + "." + name}, Parent: parent, Spec: b.spec(),
		Guard: strayGuard(topic, one), Open: accountInARN(awssdk.ToString(one.Endpoint)) != accountInARN(topic), SeenAt: at,
	}
}

func strayGuard(topic string, one *types.Subscription) providers.Guard {
	return seen([]string{endpointOf(topic, one), awssdk.ToString(one.SubscriptionArn)})
}

// detach unsubscribes what nobody declared, if it is as it was seen.
func (k subscriptionKind) detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	if extra.Parent.Kind != manifest.KindTopic || extra.Guard == "" {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "a subscription is detached from its topic, by what was seen of it")
	}
	arn, err := k.p.topicARN(ctx, k.p.front, parent.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	topic, err := k.p.lookTopic(ctx, k.p.front, arn)
	if err != nil || topic == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(topic.owner()); err != nil {
		return providers.Receipt{}, err
	}
	all, err := k.p.subscriptionsOf(ctx, k.p.front, arn)
	if err != nil {
		return providers.Receipt{}, err
	}
	name := strings.TrimPrefix(extra.Ref.Name, parent.Ref.Name+".")
	for i := range all {
		one := awssdk.ToString(all[i].SubscriptionArn)
		if nameOfARN(one) != name {
			continue
		}
		if err := holds(extra.Guard, strayGuard(arn, &all[i])); err != nil {
			return providers.Receipt{}, err
		}
		return k.drop(ctx, &subscriptionLook{arn: one})
	}
	if strings.HasPrefix(name, "pending-") {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "it waits for its confirmation: SNS forgets it by itself")
	}
	return providers.Receipt{}, nil
}
