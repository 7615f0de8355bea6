package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/sources/manifest"
)

func (k topicKind) namedIn(arn string) (string, bool) { return k.physicalIn(arn) }

func (k topicKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := sns.NewListTopicsPaginator(a.cl.sns, &sns.ListTopicsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, err
		}
		for _, t := range page.Topics {
			names = append(names, nameOfARN(awssdk.ToString(t.TopicArn)))
		}
	}
	return names, nil
}

func (k topicKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	arn, err := k.p.topicARN(ctx, a.cl, name)
	if err != nil {
		return nil, err
	}
	l, err := k.p.lookTopic(ctx, a.cl, arn)
	if err != nil || l == nil || !a.passes(manifest.KindTopic, name, l.tags) {
		return nil, err
	}
	t, readable := liveTopic(l.attributes)
	if !readable {
		a.leave(manifest.KindTopic, name, "its policy is no policy document")
		return nil, nil
	}
	d := started(name, arn, l.tags)
	spec := &manifest.TopicSpec{
		DisplayName: t.display, FifoTopic: t.fifo, ContentBasedDeduplication: t.dedup, KmsMasterKeyID: t.kms,
		SignatureVersion: t.signature, TracingConfig: t.tracing, ArchivePolicy: documentOf(t.archive), DeliveryPolicy: documentOf(t.delivery),
		Tags: ownTags(d, l.tags),
	}
	if t.fifo {
		spec.FifoThroughputScope = t.scope
	}
	if text := l.attributes["Policy"]; string(t.policy) != string(canonicalPolicy(nil)) {
		if spec.Policy, err = parsePolicy(text); err != nil {
			return nil, err
		}
	}
	for i, p := range statusProtocols {
		if t.logging[i] != (manifest.StatusLogging{}) {
			if spec.DeliveryStatusLogging == nil {
				spec.DeliveryStatusLogging = map[string]manifest.StatusLogging{}
			}
			spec.DeliveryStatusLogging[p.written] = t.logging[i]
		}
	}
	if d.Spec, err = manifest.SpecOf(spec); err != nil {
		return nil, err
	}
	return d, k.subscriptions(ctx, a, d)
}

// documentOf is a document as a manifest writes it; nil for none.
func documentOf(form json.RawMessage) map[string]any {
	var out map[string]any
	if json.Unmarshal(form, &out) != nil {
		return nil
	}
	return out
}

// subscriptions drafts what is subscribed to a topic: of functions that are
// drafted, as their triggers.
func (k topicKind) subscriptions(ctx context.Context, a *adoption, d *manifest.Draft) error {
	all, err := k.p.subscriptionsOf(ctx, a.cl, d.Addresses["arn"])
	if err != nil {
		return err
	}
	written := map[string]any{}
	for i := range all {
		if err := k.subscription(ctx, a, d, &all[i], written); err != nil {
			return err
		}
	}
	if len(written) > 0 {
		d.Spec["subscriptions"] = written
	}
	return nil
}

func (k topicKind) subscription(ctx context.Context, a *adoption, d *manifest.Draft, one *types.Subscription, written map[string]any) error {
	arn, protocol, endpoint := awssdk.ToString(one.SubscriptionArn), awssdk.ToString(one.Protocol), awssdk.ToString(one.Endpoint)
	if !strings.HasPrefix(arn, "arn:") {
		d.Leave("a subscription by %s waits for its confirmation: it is declared once it is confirmed", protocol)
		return nil
	}
	l, err := k.p.getSubscription(ctx, a.cl, arn)
	if err != nil || l == nil {
		return err
	}
	s := liveSubscription(l.attributes)
	out := map[string]any{}
	for key, document := range map[string]map[string]any{"filterPolicy": documentOf(s.filter), "deliveryPolicy": documentOf(s.delivery)} {
		if len(document) > 0 {
			out[key] = document
		}
	}
	if len(documentOf(s.filter)) > 0 {
		out["filterPolicyScope"] = s.scope
	}
	for key, text := range map[string]string{"deadLetter": s.deadLetter, "subscriptionRoleArn": s.role} {
		if text != "" {
			out[key] = text
		}
	}
	a.need(s.deadLetter)
	if fn := a.fronted(endpoint); fn != nil && protocol == "lambda" && !s.raw && len(documentOf(s.delivery)) == 0 && s.role == "" {
		out["topic"] = d.Addresses["arn"]
		a.stands(fn, standing{key: keyName(d.Name), spec: out, doc: out, principal: "sns.amazonaws.com", source: d.Addresses["arn"]})
		return nil
	}
	switch protocol {
	case "sqs":
		out["queue"] = endpoint
	case "lambda":
		out["function"] = endpoint
	default:
		out["protocol"], out["endpoint"] = protocol, endpoint
	}
	if s.raw {
		out["rawMessageDelivery"] = true
	}
	key := keyName(nameOfARN(endpoint))
	if protocol != "sqs" && protocol != "lambda" {
		key = protocol // an address may be a person's
	}
	written[freeKey(written, key)] = out
	return nil
}

func (k queueKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := sqs.NewListQueuesPaginator(a.cl.sqs, &sqs.ListQueuesInput{MaxResults: awssdk.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, fmt.Errorf("list queues: %w", err)
		}
		for _, url := range page.QueueUrls {
			names = append(names, nameOfARN(url))
		}
	}
	return names, nil
}
