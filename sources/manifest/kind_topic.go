package manifest

import (
	"maps"
	"slices"
	"strings"
)

// topicSpec is a Topic as written. It expands into a TopicSpec and its
// subscriptions.
type topicSpec struct {
	DisplayName               string                     `json:"displayName" is:"maxlen=100" doc:"The name people see as the sender."`
	FifoTopic                 bool                       `json:"fifoTopic" doc:"Whether order is kept. It cannot be changed later."`
	ContentBasedDeduplication bool                       `json:"contentBasedDeduplication" doc:"Deduplicate by the digest of the message; FIFO only."`
	FifoThroughputScope       string                     `json:"fifoThroughputScope" is:"enum=Topic|MessageGroup" doc:"What the throughput quota is for; FIFO only."`
	ArchivePolicy             map[string]any             `json:"archivePolicy" is:"opaque" doc:"How long messages are kept for replay, as {MessageRetentionPeriod: \"30\"}; FIFO only."`
	KmsMasterKeyID            string                     `json:"kmsMasterKeyId" is:"maxlen=2048" doc:"The KMS key messages are encrypted with."`
	SignatureVersion          int                        `json:"signatureVersion" is:"default=1,min=1,max=2" doc:"How messages are signed: 1 is SHA1, 2 is SHA256."`
	TracingConfig             string                     `json:"tracingConfig" is:"default=PassThrough,enum=PassThrough|Active" doc:"Active samples messages itself, for X-Ray."`
	DeliveryPolicy            map[string]any             `json:"deliveryPolicy" is:"opaque" doc:"How deliveries to HTTP endpoints are tried again, in the spelling of SNS."`
	DeliveryStatusLogging     map[string]StatusLogging   `json:"deliveryStatusLogging" is:"keys=protocol" doc:"How deliveries are logged, by protocol: application, firehose, http, lambda, sqs."`
	Policy                    map[string]any             `json:"policy" is:"opaque" doc:"The topic policy, in the spelling of IAM. Without one the account may use the topic."`
	Subscriptions             map[string]subscriptionDoc `json:"subscriptions" is:"keys=name" doc:"What gets the messages, by a name of your choice. A function is better declared as a trigger of the function."`
	Tags                      map[string]string          `json:"tags" is:"maxitems=46" doc:"Tags of the topic."`
}

// filtering is which messages a subscription lets by.
type filtering struct {
	policy map[string]any
	scope  string
}

type subscriptionDoc struct {
	Queue               *Value         `json:"queue" is:"target,kinds=Queue" doc:"A queue, as Queue/orders, or an ARN. Its policy must let the topic send."`
	Function            *Value         `json:"function" is:"target,kinds=Function|Alias" doc:"A function, as Alias/checkout.live, or an ARN. It needs a permission for the topic."`
	Protocol            string         `json:"protocol" is:"enum=http|https|email|email-json|sms|application|firehose" doc:"What else the endpoint is. All but firehose and application wait for their confirmation."`
	Endpoint            string         `json:"endpoint" is:"maxlen=2048" doc:"The URL, address, number or ARN, with protocol."`
	FilterPolicy        map[string]any `json:"filterPolicy" is:"opaque" doc:"Which messages are delivered, in the spelling of SNS."`
	FilterPolicyScope   string         `json:"filterPolicyScope" is:"enum=MessageAttributes|MessageBody" doc:"What the filter looks at. Default MessageAttributes."`
	RawMessageDelivery  bool           `json:"rawMessageDelivery" doc:"Whether the message comes without its envelope; queues, HTTP and Firehose only."`
	DeadLetter          *Value         `json:"deadLetter" is:"target,kinds=Queue" doc:"The queue for what cannot be delivered, as Queue/orders-dlq, or an ARN."`
	DeliveryPolicy      map[string]any `json:"deliveryPolicy" is:"opaque" doc:"How deliveries to an HTTP endpoint are tried again, in the spelling of SNS."`
	SubscriptionRoleArn string         `json:"subscriptionRoleArn" is:"match=roleArn" doc:"The role that writes to Firehose."`
}

func topicKind() *kind {
	return newKind[topicSpec](kind{
		name:       KindTopic,
		summary:    "An SNS topic, standard or FIFO, with its subscriptions.",
		nameRule:   rule{required: true, maxLen: 256, match: patterns["queueName"]},
		limit:      256,
		suffix:     topicSuffix,
		attributes: []string{"arn", "name"},
		noSpec:     true,
		expand:     expandTopic,
		example: `apiVersion: mooring.dev/v1
kind: Topic
metadata: {name: orders}
spec:
  subscriptions:
    audit:
      queue: Queue/audit
      rawMessageDelivery: true
      filterPolicy: {kind: [paid, refunded]}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: audit}
spec:
  policy:
    Statement:
      - Effect: Allow
        Principal: {Service: sns.amazonaws.com}
        Action: sqs:SendMessage
        Resource: "*"
        Condition: {ArnLike: {"aws:SourceArn": {ref: Topic/orders}}}
`,
	})
}

func topicSuffix(written any) string {
	if written.(*topicSpec).FifoTopic {
		return ".fifo"
	}
	return ""
}

func (t *topicSpec) check(d *decoder, n *node) {
	if !t.FifoTopic {
		for _, name := range []string{"contentBasedDeduplication", "fifoThroughputScope", "archivePolicy"} {
			if field := n.get(name); field != nil && field.text != "false" {
				d.fault(field.pos(), name+" is for FIFO topics only", "set fifoTopic: true")
			}
		}
	}
	checkTags(d, n.get("tags"), t.Tags)
	checkDocument(d, n.get("policy"), t.Policy)
}

func (s *subscriptionDoc) check(d *decoder, n *node) {
	ways := 0
	for _, name := range []string{"queue", "function", "protocol"} {
		if n.get(name) != nil {
			ways++
		}
	}
	if ways != 1 {
		d.need(n.pos(), "needs one of queue, function, protocol", "a subscription has one endpoint")
	}
	if (s.Protocol == "") != (s.Endpoint == "") {
		d.need(n.pos(), "protocol and endpoint go together", "")
	}
	if s.RawMessageDelivery && (s.Function != nil || s.Protocol == "email" || s.Protocol == "sms") {
		d.fault(n.get("rawMessageDelivery").pos(), "rawMessageDelivery is for queues, HTTP and Firehose only", "")
	}
	if s.DeliveryPolicy != nil && !strings.HasPrefix(s.Protocol, "http") {
		d.fault(n.get("deliveryPolicy").pos(), "deliveryPolicy is for HTTP endpoints only", "")
	}
	filtering{s.FilterPolicy, s.FilterPolicyScope}.check(d, n)
}

// check holds a filter policy against what SNS takes.
func (f filtering) check(d *decoder, n *node) {
	if f.scope != "" && len(f.policy) == 0 {
		d.fault(n.get("filterPolicyScope").pos(), "filterPolicyScope needs filterPolicy", "")
	}
	policy := n.get("filterPolicy")
	if policy == nil || f.scope == "MessageBody" {
		return
	}
	for _, e := range policy.entries {
		if e.value.kind != listNode {
			d.fault(e.pos(), "filterPolicy: "+quote(e.key)+" is no list of values", "write "+shorten(e.key)+": [value], or filterPolicyScope: MessageBody")
		}
	}
}

// effective is the scope with its default.
func (f filtering) effective() string {
	if f.scope == "" && len(f.policy) > 0 {
		return "MessageAttributes"
	}
	return f.scope
}

func expandTopic(x *expansion) {
	t := x.written.(*topicSpec)
	if strings.HasSuffix(x.meta.Name, ".fifo") && !t.FifoTopic {
		x.fault("name", "a topic named .fifo is a FIFO topic", "set fifoTopic: true")
	}
	spec := &TopicSpec{
		DisplayName: t.DisplayName, FifoTopic: t.FifoTopic, ContentBasedDeduplication: t.ContentBasedDeduplication,
		FifoThroughputScope: t.FifoThroughputScope, ArchivePolicy: t.ArchivePolicy, KmsMasterKeyID: t.KmsMasterKeyID,
		SignatureVersion: t.SignatureVersion, TracingConfig: t.TracingConfig, DeliveryPolicy: t.DeliveryPolicy,
		DeliveryStatusLogging: t.DeliveryStatusLogging, Policy: t.Policy, Tags: t.Tags,
	}
	x.top(spec, documentRefs(nil, t.Policy))
	topic := Ref{KindTopic, x.meta.Name}
	for _, key := range slices.Sorted(maps.Keys(t.Subscriptions)) {
		s := t.Subscriptions[key]
		sub := s.normal(topic)
		refs := documentRefs(targets(topic, &sub.Endpoint, &sub.DeadLetter), s.FilterPolicy)
		x.child(Ref{KindSubscription, x.meta.Name + "." + key}, key, sub, refs)
	}
}

func (s *subscriptionDoc) normal(topic Ref) *SubscriptionSpec {
	out := &SubscriptionSpec{
		Topic: Value{Ref: topic}, Protocol: s.Protocol, Endpoint: Value{Literal: s.Endpoint},
		FilterPolicy: s.FilterPolicy, FilterPolicyScope: filtering{s.FilterPolicy, s.FilterPolicyScope}.effective(),
		RawMessageDelivery: s.RawMessageDelivery, DeliveryPolicy: s.DeliveryPolicy, SubscriptionRoleArn: s.SubscriptionRoleArn,
	}
	switch {
	case s.Queue != nil:
		out.Protocol, out.Endpoint = "sqs", *s.Queue
	case s.Function != nil:
		out.Protocol, out.Endpoint = "lambda", *s.Function
	}
	if s.DeadLetter != nil {
		out.DeadLetter = *s.DeadLetter
	}
	return out
}

// fitSubscription holds a subscription against its topic and its queue.
func (w *whole) fitSubscription(res *Resource, spec *SubscriptionSpec) {
	fault := func(field, message, hint string) {
		path := "spec.subscriptions." + res.Key + "." + field
		if res.Parent.Kind == KindFunction {
			path = "spec.triggers." + res.Key + ".topic"
		}
		w.fault(w.place(res.Parent, path, res.Origin), path, message, hint)
	}
	fifo := false
	if i, found := w.byRef[spec.Topic.Ref]; found {
		if topic, ok := w.resources[i].Spec.(*TopicSpec); ok {
			fifo = topic.FifoTopic
		}
	} else if spec.Topic.Ref != (Ref{}) {
		return // told already
	} else {
		fifo = strings.HasSuffix(spec.Topic.Literal, ".fifo")
	}
	queue, isQueue := w.queue(spec.Endpoint.Ref)
	switch {
	case fifo && spec.Protocol != "sqs":
		fault("protocol", "a FIFO topic delivers to queues only", "let a queue of the topic trigger the function")
	case isQueue && queue.FifoQueue && !fifo:
		fault("queue", spec.Endpoint.Ref.String()+" is a FIFO queue, the topic is none", "AWS refuses that")
	}
}
