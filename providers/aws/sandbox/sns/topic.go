package sns

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// topicAttributes are the attributes that may be set. Those of delivery status
// logging are written <protocol>SuccessFeedbackRoleArn and so on.
var topicAttributes = []string{
	"ArchivePolicy", "ContentBasedDeduplication", "DeliveryPolicy", "DisplayName", "FifoThroughputScope", "KmsMasterKeyId",
	"Policy", "SignatureVersion", "TracingConfig",
}

var feedback = regexp.MustCompile(`^(HTTP|Firehose|Lambda|Application|SQS)(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate|FailureFeedbackRoleArn)$`)

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

type createInput struct {
	Name       string
	Attributes map[string]string
	Tags       []Tag
}

type topicOutput struct{ TopicArn string }

// createTopic answers with a topic of that name that is there already, if it
// is as asked for.
func (s *Service) createTopic(_ context.Context, _ *wire.Call, in *createInput) (topicOutput, error) {
	fifo := in.Attributes["FifoTopic"] == "true"
	bare, dotted := strings.CutSuffix(in.Name, ".fifo")
	if !topicName.MatchString(bare) || len(in.Name) > 256 || dotted != fifo {
		return topicOutput{}, invalid("Topic Name", "a FIFO topic's name ends in .fifo, and no other's does")
	}
	for name, value := range in.Attributes {
		if name == "FifoTopic" {
			continue
		}
		if err := checkTopicAttribute(name, value, fifo); err != nil {
			return topicOutput{}, err
		}
	}
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := "arn:aws:sns:" + s.options.Region + ":" + s.options.Account + ":" + in.Name
	if t := s.topics[arn]; t != nil {
		return topicOutput{TopicArn: arn}, t.same(in.Attributes, tags)
	}
	t := &topic{arn: arn, name: in.Name, attributes: map[string]string{}, tags: tags, seen: map[string]time.Time{}}
	if fifo {
		t.attributes["FifoTopic"], t.attributes["ContentBasedDeduplication"] = "true", "false"
	}
	for name, value := range in.Attributes {
		t.set(name, value)
	}
	s.topics[arn] = t
	return topicOutput{TopicArn: arn}, nil
}

// same refuses to make a topic again that is not as it was.
func (t *topic) same(attributes, tags map[string]string) error {
	for name, value := range attributes {
		if t.attributes[name] != value {
			return invalid("Attributes", "Topic already exists with different attributes")
		}
	}
	if len(tags) > 0 && !maps.Equal(tags, t.tags) {
		return invalid("Tags", "Topic already exists with different tags")
	}
	return nil
}

func checkTopicAttribute(name, value string, fifo bool) error {
	if !slices.Contains(topicAttributes, name) && !feedback.MatchString(name) {
		return invalid("AttributeName", "AttributeName "+name+" is not supported")
	}
	bad := func() error { return invalid(name, "value is not valid") }
	switch {
	case name == "ContentBasedDeduplication" || name == "FifoThroughputScope" || name == "ArchivePolicy":
		if !fifo {
			return invalid("AttributeName", name+" is for FIFO topics only")
		}
	case name == "SignatureVersion" && value != "1" && value != "2", name == "TracingConfig" && value != "PassThrough" && value != "Active":
		return bad()
	case name == "DisplayName" && len(value) > 100:
		return bad()
	case strings.HasSuffix(name, "SampleRate"):
		if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 100 {
			return bad()
		}
	case (name == "Policy" || name == "DeliveryPolicy") && value != "":
		var document map[string]any
		if json.Unmarshal([]byte(value), &document) != nil {
			return bad()
		}
	}
	return nil
}

// set writes an attribute; an empty value takes it away.
func (t *topic) set(name, value string) {
	if value == "" {
		delete(t.attributes, name)
		return
	}
	t.attributes[name] = value
}

type topicInput struct{ TopicArn, AttributeName, AttributeValue, NextToken string }

// deleteTopic takes the subscriptions along. Deleting what is absent succeeds.
func (s *Service) deleteTopic(_ context.Context, _ *wire.Call, in *topicInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.topics, in.TopicArn)
	maps.DeleteFunc(s.subs, func(_ string, sub *subscription) bool { return sub.topic == in.TopicArn })
	return wire.None{}, nil
}

type attributesOutput struct{ Attributes map[string]string }

func (s *Service) getTopic(_ context.Context, _ *wire.Call, in *topicInput) (attributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return attributesOutput{}, err
	}
	shown := maps.Clone(t.attributes)
	confirmed, pending := 0, 0
	for _, sub := range s.subs {
		switch {
		case sub.topic != t.arn:
		case sub.pending:
			pending++
		default:
			confirmed++
		}
	}
	shown["TopicArn"], shown["Owner"] = t.arn, s.options.Account
	shown["SubscriptionsConfirmed"], shown["SubscriptionsPending"] = strconv.Itoa(confirmed), strconv.Itoa(pending)
	shown["SubscriptionsDeleted"] = strconv.Itoa(t.deleted)
	shown["EffectiveDeliveryPolicy"] = effectivePolicy(t.attributes["DeliveryPolicy"])
	if _, ok := shown["DisplayName"]; !ok {
		shown["DisplayName"] = ""
	}
	if _, ok := shown["Policy"]; !ok {
		shown["Policy"] = s.defaultPolicy(t)
	}
	return attributesOutput{Attributes: shown}, nil
}

const defaultDelivery = `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false}}`

func effectivePolicy(own string) string {
	if own == "" {
		return defaultDelivery
	}
	return own
}

// defaultPolicy is what a topic without a policy of its own shows: its account
// may do everything.
func (s *Service) defaultPolicy(t *topic) string {
	raw, err := json.Marshal(map[string]any{
		"Version": "2008-10-17", "Id": "__default_policy_ID",
		"Statement": []any{map[string]any{
			"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"},
			"Action": []string{"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
				"SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish"},
			"Resource":  t.arn,
			"Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceOwner": s.options.Account}},
		}},
	})
	if err != nil {
		return "" // plain data can be written
	}
	return string(raw)
}

func (s *Service) setTopic(_ context.Context, _ *wire.Call, in *topicInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return wire.None{}, err
	}
	if err := checkTopicAttribute(in.AttributeName, in.AttributeValue, t.fifo()); err != nil {
		return wire.None{}, err
	}
	t.set(in.AttributeName, in.AttributeValue)
	return wire.None{}, nil
}

type topicsOutput struct {
	Topics    []topicOutput
	NextToken string
}

func (s *Service) listTopics(_ context.Context, _ *wire.Call, in *topicInput) (topicsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := topicsOutput{Topics: []topicOutput{}}
	var arns []string
	arns, out.NextToken = page(slices.Sorted(maps.Keys(s.topics)), in.NextToken)
	for _, arn := range arns {
		out.Topics = append(out.Topics, topicOutput{TopicArn: arn})
	}
	return out, nil
}

type permissionInput struct {
	TopicArn, Label          string
	AWSAccountId, ActionName []string
}

// policy is the topic's own policy, as a document that can be changed; the
// caller holds the lock.
func (s *Service) policy(t *topic) map[string]any {
	text := t.attributes["Policy"]
	if text == "" {
		text = s.defaultPolicy(t)
	}
	var document map[string]any
	if json.Unmarshal([]byte(text), &document) != nil {
		document = map[string]any{"Version": "2008-10-17"}
	}
	return document
}

func (s *Service) change(arn string, change func(statements []any) ([]any, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(arn)
	if err != nil {
		return err
	}
	document := s.policy(t)
	statements, _ := document["Statement"].([]any)
	if document["Statement"], err = change(statements); err != nil {
		return err
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return err
	}
	t.attributes["Policy"] = string(raw)
	return nil
}

func (s *Service) addPermission(_ context.Context, _ *wire.Call, in *permissionInput) (wire.None, error) {
	return wire.None{}, s.change(in.TopicArn, func(statements []any) ([]any, error) {
		if slices.ContainsFunc(statements, labelled(in.Label)) {
			return nil, invalid("Label", "Statement already exists")
		}
		var who, actions []string
		for _, account := range in.AWSAccountId {
			who = append(who, "arn:aws:iam::"+account+":root")
		}
		for _, action := range in.ActionName {
			actions = append(actions, "SNS:"+action)
		}
		return append(statements, map[string]any{
			"Sid": in.Label, "Effect": "Allow", "Principal": map[string]any{"AWS": who}, "Action": actions, "Resource": in.TopicArn,
		}), nil
	})
}

func (s *Service) removePermission(_ context.Context, _ *wire.Call, in *permissionInput) (wire.None, error) {
	return wire.None{}, s.change(in.TopicArn, func(statements []any) ([]any, error) {
		return slices.DeleteFunc(statements, labelled(in.Label)), nil
	})
}

func labelled(sid string) func(any) bool {
	return func(statement any) bool {
		m, ok := statement.(map[string]any)
		return ok && m["Sid"] == sid
	}
}
