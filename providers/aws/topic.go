package aws

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// topicKind is an SNS topic.
type topicKind struct{ p *Provider }

func (k topicKind) rights() []rights.Row {
	roles := func(res manifest.Resource) []manifest.Value {
		var out []manifest.Value
		if spec, ok := res.Spec.(*manifest.TopicSpec); ok {
			for _, l := range spec.DeliveryStatusLogging {
				out = append(out, manifest.Value{Literal: l.SuccessFeedbackRoleArn}, manifest.Value{Literal: l.FailureFeedbackRoleArn})
			}
		}
		return out
	}
	return []rights.Row{
		toObserve(topicARN, "sns:GetTopicAttributes", "sns:ListTagsForResource", "sts:GetCallerIdentity"),
		toManage(topicARN, "sns:CreateTopic", "sns:SetTopicAttributes", "sns:TagResource", "sns:UntagResource"),
		passRole("sns.amazonaws.com", roles),
		toDelete(topicARN, "sns:DeleteTopic"),
	}
}

type topic struct {
	display, scope, kms, tracing string
	fifo, dedup                  bool
	signature                    int
	archive, delivery, policy    json.RawMessage
	logging                      [len(statusProtocols)]manifest.StatusLogging
}

// statusProtocols are the protocols whose deliveries can be logged: as a
// manifest writes them, and as the attributes of SNS begin.
var statusProtocols = [...]struct{ written, attribute string }{
	{"application", "Application"}, {"firehose", "Firehose"}, {"http", "HTTP"}, {"lambda", "Lambda"}, {"sqs", "SQS"},
}

var topicMembers = append([]member[topic]{
	{"archivePolicy", func(t *topic) any { return t.archive }, func(d, s *topic) { d.archive = s.archive }},
	{"contentBasedDeduplication", func(t *topic) any { return t.dedup }, func(d, s *topic) { d.dedup = s.dedup }},
	{"deliveryPolicy", func(t *topic) any { return t.delivery }, func(d, s *topic) { d.delivery = s.delivery }},
	{"displayName", func(t *topic) any { return t.display }, func(d, s *topic) { d.display = s.display }},
	{"fifoThroughputScope", func(t *topic) any { return t.scope }, func(d, s *topic) { d.scope = s.scope }},
	{"fifoTopic", func(t *topic) any { return t.fifo }, func(d, s *topic) { d.fifo = s.fifo }},
	{"kmsMasterKeyId", func(t *topic) any { return t.kms }, func(d, s *topic) { d.kms = s.kms }},
	{"policy", func(t *topic) any { return t.policy }, func(d, s *topic) { d.policy = s.policy }},
	{"signatureVersion", func(t *topic) any { return t.signature }, func(d, s *topic) { d.signature = s.signature }},
	{"tracingConfig", func(t *topic) any { return t.tracing }, func(d, s *topic) { d.tracing = s.tracing }},
}, loggingMembers()...)

func loggingMembers() []member[topic] {
	var out []member[topic]
	for i, p := range statusProtocols {
		prefix := "deliveryStatusLogging." + p.written + "."
		out = append(out,
			member[topic]{prefix + "successFeedbackRoleArn", func(t *topic) any { return t.logging[i].SuccessFeedbackRoleArn },
				func(d, s *topic) { d.logging[i].SuccessFeedbackRoleArn = s.logging[i].SuccessFeedbackRoleArn }},
			member[topic]{prefix + "successFeedbackSampleRate", func(t *topic) any { return t.logging[i].SuccessFeedbackSampleRate },
				func(d, s *topic) { d.logging[i].SuccessFeedbackSampleRate = s.logging[i].SuccessFeedbackSampleRate }},
			member[topic]{prefix + "failureFeedbackRoleArn", func(t *topic) any { return t.logging[i].FailureFeedbackRoleArn },
				func(d, s *topic) { d.logging[i].FailureFeedbackRoleArn = s.logging[i].FailureFeedbackRoleArn }},
		)
	}
	return out
}

// documentForm is a document in canonical form; one that is not there is "".
func documentForm(v any) json.RawMessage {
	if m, ok := v.(map[string]any); v == nil || ok && len(m) == 0 {
		return json.RawMessage(`""`)
	}
	return json.RawMessage(canonicalJSON(v))
}

// documentText is the form of a document that AWS shows as text.
func documentText(text string) json.RawMessage {
	var v any
	if text == "" || json.Unmarshal([]byte(text), &v) != nil {
		return json.RawMessage(canonicalJSON(text))
	}
	return documentForm(v)
}

// textOf is a document as it is sent; "" for none.
func textOf(form json.RawMessage) string {
	if string(form) == `""` {
		return ""
	}
	return string(form)
}

func declaredTopic(res manifest.Resource, b *builder) (topic, map[string]any, error) {
	spec, ok := res.Spec.(*manifest.TopicSpec)
	if !ok {
		return topic{}, nil, wrongSpec(res)
	}
	t := topic{
		display: spec.DisplayName, scope: spec.FifoThroughputScope, kms: spec.KmsMasterKeyID, tracing: spec.TracingConfig,
		fifo: spec.FifoTopic, dedup: spec.ContentBasedDeduplication, signature: spec.SignatureVersion,
		archive: documentForm(spec.ArchivePolicy), delivery: documentForm(spec.DeliveryPolicy), policy: canonicalPolicy(nil),
	}
	for i, p := range statusProtocols {
		t.logging[i] = spec.DeliveryStatusLogging[p.written]
	}
	var policy map[string]any
	if len(spec.Policy) > 0 {
		policy, _ = resolveDocument(spec.Policy, b).(map[string]any)
		t.policy = canonicalPolicy(policy)
	}
	t.defaults()
	return t, policy, nil
}

func (t *topic) defaults() {
	t.tracing, t.signature = orElse(t.tracing, "PassThrough"), orElse(t.signature, 1)
	if t.fifo {
		t.scope = orElse(t.scope, "Topic")
	}
}

// liveTopic reads attributes; ok is false for a policy that cannot be read.
func liveTopic(attributes map[string]string) (t topic, ok bool) {
	number := func(name string) int {
		n, err := strconv.Atoi(attributes[name])
		if err != nil {
			return 0
		}
		return n
	}
	t = topic{
		display: attributes["DisplayName"], scope: attributes["FifoThroughputScope"], kms: attributes["KmsMasterKeyId"],
		tracing: attributes["TracingConfig"], fifo: attributes["FifoTopic"] == "true", dedup: attributes["ContentBasedDeduplication"] == "true",
		signature: number("SignatureVersion"), archive: documentText(attributes["ArchivePolicy"]), delivery: documentText(attributes["DeliveryPolicy"]),
		policy: canonicalPolicy(nil),
	}
	for i, p := range statusProtocols {
		t.logging[i] = manifest.StatusLogging{
			SuccessFeedbackRoleArn:    attributes[p.attribute+"SuccessFeedbackRoleArn"],
			SuccessFeedbackSampleRate: number(p.attribute + "SuccessFeedbackSampleRate"),
			FailureFeedbackRoleArn:    attributes[p.attribute+"FailureFeedbackRoleArn"],
		}
	}
	ok = true
	if text := attributes["Policy"]; text != "" {
		document, err := parsePolicy(text)
		ok = err == nil
		if !isDefaultTopicPolicy(document, attributes["TopicArn"]) {
			t.policy = canonicalPolicy(document)
		}
	}
	t.defaults()
	return t, ok
}

// defaultTopicActions are what the policy of a topic without one of its own
// allows its account.
var defaultTopicActions = []string{
	"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission", "SNS:DeleteTopic",
	"SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish",
}

// defaultTopicPolicy is what SNS gives a topic that is made without a policy.
func defaultTopicPolicy(arn string) map[string]any {
	actions := make([]any, 0, len(defaultTopicActions))
	for _, a := range defaultTopicActions {
		actions = append(actions, a)
	}
	return map[string]any{
		"Version": "2008-10-17", "Id": "__default_policy_ID",
		"Statement": []any{map[string]any{
			"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"}, "Action": actions, "Resource": arn,
			"Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceOwner": accountInARN(arn)}},
		}},
	}
}

// isDefaultTopicPolicy: SNS has added actions to it over the years, so it may
// allow its account more.
func isDefaultTopicPolicy(document map[string]any, arn string) bool {
	statements := statementsOf(document["Statement"])
	if len(statements) != 1 {
		return false
	}
	have, want := canonicalStatement(statements[0]), canonicalStatement(statementsOf(defaultTopicPolicy(arn)["Statement"])[0])
	actions, _ := have["Action"].([]string)
	for _, a := range want["Action"].([]string) {
		if !slices.Contains(actions, a) {
			return false
		}
	}
	have["Action"] = want["Action"]
	return canonicalJSON(have) == canonicalJSON(want)
}

func (k topicKind) canonical(res manifest.Resource, b *builder) error {
	t, _, err := declaredTopic(res, b)
	if err != nil {
		return err
	}
	each(b, topicMembers, &t)
	tags := res.Spec.(*manifest.TopicSpec).Tags
	setTags(b, tags, tags)
	return nil
}

// topicARN is the ARN of this environment's topic of a name: SNS knows topics
// by nothing else.
func (p *Provider) topicARN(ctx context.Context, cl *clients, name string) (string, error) {
	account, err := p.account(ctx, cl)
	if err != nil {
		return "", err
	}
	return "arn:" + manifest.Partition(p.o.Config.Region) + ":sns:" + p.o.Config.Region + ":" + account + ":" + name, nil
}

// topicLook is a topic as one look shows it.
type topicLook struct {
	at         time.Time
	arn        string
	attributes map[string]string
	tags       map[string]string
}

// lookTopic asks for a topic by ARN; nil when there is none.
func (p *Provider) lookTopic(ctx context.Context, cl *clients, arn string) (*topicLook, error) {
	l := &topicLook{at: p.o.Now(), arn: arn}
	out, err := cl.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	l.attributes = out.Attributes
	l.tags, err = p.tags(cl, arn, func() (map[string]string, error) {
		out, err := cl.sns.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: &arn})
		if err != nil {
			return nil, err
		}
		return pairs(out.Tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value }), nil
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return l, nil
}

func (l *topicLook) owner() providers.Owner {
	if l == nil {
		return providers.Owner{}
	}
	return ownerOf(l.tags)
}

// guard holds while every attribute that people set is the same.
func (l *topicLook) guard() providers.Guard {
	t, _ := liveTopic(l.attributes)
	b := &builder{fields: map[string]string{}}
	each(b, topicMembers, &t)
	return seen([]any{l.arn, b.fields, l.tags})
}

func (k topicKind) live(res manifest.Resource, l *topicLook) providers.Live {
	b := k.p.builder(nil)
	t, readable := liveTopic(l.attributes)
	each(b, topicMembers, &t)
	if !readable {
		delete(b.fields, "policy")
		b.unseen["policy"] = "not a policy document"
	}
	if spec, ok := res.Spec.(*manifest.TopicSpec); ok {
		setTags(b, spec.Tags, l.tags)
	}
	live := b.live()
	live.Guard, live.Owner, live.SeenAt = l.guard(), l.owner(), l.at
	live.Attributes = map[string]string{"arn": l.arn, "name": res.Physical, "id": l.arn}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

func (k topicKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	arn, err := k.p.topicARN(ctx, cl, res.Physical)
	if err != nil {
		return providers.Live{}, err
	}
	l, err := k.p.lookTopic(ctx, cl, arn)
	if err != nil {
		return providers.Live{}, err
	}
	if l == nil {
		forget(&k.p.memory, k.p.memory.known, res.Ref)
		return providers.Live{}, nil
	}
	return k.live(res, l), nil
}

func (k topicKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{kind: manifest.KindTopic, layer: layerTopics, service: "SNS", operation: "GetTopicAttributes", cost: 1})
}
func (k topicKind) resourceType() string { return "sns" }

// physicalIn: the ARN of a subscription is its topic's, and more.
func (k topicKind) physicalIn(arn string) (string, bool) {
	name, ok := lastIn(arn, "sns", "")
	return name, ok && !strings.Contains(name, ":")
}
