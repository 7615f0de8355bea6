package sns

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/events"
	"mooring.dev/providers/aws/sandbox/wire"
)

// subscription is one subscription; the service's lock guards it.
type subscription struct {
	arn, topic, protocol, endpoint string
	attributes                     map[string]string // as they were set
	pending                        bool
	by                             string // ARN of who subscribed
	filter                         *events.Pattern
}

const waiting = "PendingConfirmation"

var protocols = []string{"application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", "sqs"}

var subscriptionAttributes = []string{
	"DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "ReplayPolicy", "SubscriptionRoleArn",
}

type subscribeInput struct {
	TopicArn, Protocol, Endpoint string
	Attributes                   map[string]string
	ReturnSubscriptionArn        *bool
	Token                        string
	SubscriptionArn              string
	AttributeName                string
	AttributeValue               string
	NextToken                    string
}

func (in *subscribeInput) whole() bool {
	return in.ReturnSubscriptionArn != nil && *in.ReturnSubscriptionArn
}

type subscribeOutput struct{ SubscriptionArn string }

// subscribe answers with the subscription of the endpoint that is there
// already, if it is as asked for. Queues and functions need no confirmation.
func (s *Service) subscribe(_ context.Context, c *wire.Call, in *subscribeInput) (subscribeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return subscribeOutput{}, err
	}
	if err := checkSubscription(t, in); err != nil {
		return subscribeOutput{}, err
	}
	made := &subscription{
		arn: t.arn + ":" + wire.NewID(), topic: t.arn, protocol: in.Protocol, endpoint: in.Endpoint, by: c.Actor.ARN,
		attributes: map[string]string{}, pending: in.Protocol != "sqs" && in.Protocol != "lambda" && in.Protocol != "firehose",
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		if err := made.set(name, in.Attributes[name]); err != nil {
			return subscribeOutput{}, err
		}
	}
	for _, old := range s.subs {
		if old.topic != made.topic || old.protocol != made.protocol || old.endpoint != made.endpoint {
			continue
		}
		if len(in.Attributes) > 0 && !maps.Equal(old.attributes, made.attributes) {
			return subscribeOutput{}, invalid("Attributes", "Subscription already exists with different attributes")
		}
		return subscribeOutput{SubscriptionArn: old.shown(in.whole())}, nil
	}
	s.subs[made.arn] = made
	return subscribeOutput{SubscriptionArn: made.shown(in.whole())}, nil
}

func checkSubscription(t *topic, in *subscribeInput) error {
	fifoQueue := in.Protocol == "sqs" && strings.HasSuffix(in.Endpoint, ".fifo")
	switch {
	case !slices.Contains(protocols, in.Protocol):
		return invalid("Protocol", "Amazon SNS does not support this protocol string: "+in.Protocol)
	case in.Endpoint == "":
		return invalid("Endpoint", "it is empty")
	case in.Protocol == "sqs" && !strings.HasPrefix(in.Endpoint, "arn:aws:sqs:"):
		return invalid("SQS endpoint ARN", "it is no ARN of a queue")
	case in.Protocol == "lambda" && !strings.HasPrefix(in.Endpoint, "arn:aws:lambda:"):
		return invalid("Lambda endpoint ARN", "it is no ARN of a function")
	case strings.HasPrefix(in.Protocol, "http") && !strings.HasPrefix(in.Endpoint, in.Protocol+"://"):
		return invalid("Endpoint", "must match the specified protocol")
	case t.fifo() && in.Protocol != "sqs":
		return invalid("Endpoint", "FIFO topics deliver to queues only")
	case fifoQueue && !t.fifo():
		return invalid("Endpoint", "FIFO SQS Queues can not be subscribed to standard SNS topics")
	}
	return nil
}

// shown is the ARN as Subscribe and lists show it.
func (sub *subscription) shown(whole bool) string {
	if sub.pending && !whole {
		return waiting
	}
	return sub.arn
}

// set writes an attribute; "", and {} for a policy, take it away.
func (sub *subscription) set(name, value string) error {
	if !slices.Contains(subscriptionAttributes, name) {
		return invalid("AttributeName", "AttributeName "+name+" is not supported")
	}
	var document map[string]any
	isDocument := strings.HasSuffix(name, "Policy")
	if isDocument && value != "" && json.Unmarshal([]byte(value), &document) != nil {
		return invalid(name, "failed to parse JSON.")
	}
	switch {
	case name == "RawMessageDelivery" && value != "true" && value != "false":
		return invalid("Attributes", "RawMessageDelivery: Invalid value. Must be true or false.")
	case name == "FilterPolicyScope" && value != "" && value != "MessageAttributes" && value != "MessageBody":
		return invalid("Attributes", "FilterPolicyScope: Invalid value ["+value+"].")
	case name == "FilterPolicy":
		if err := sub.setFilter(value, document); err != nil {
			return err
		}
	case name == "RedrivePolicy" && len(document) > 0:
		if target, _ := document["deadLetterTargetArn"].(string); !strings.HasPrefix(target, "arn:aws:sqs:") {
			return invalid("RedrivePolicy", "deadLetterTargetArn is an invalid arn")
		}
	}
	if value == "" || isDocument && len(document) == 0 {
		delete(sub.attributes, name)
		return nil
	}
	sub.attributes[name] = value
	return nil
}

func (sub *subscription) setFilter(value string, document map[string]any) error {
	sub.filter = nil
	if len(document) == 0 {
		return nil
	}
	p, err := events.ParsePattern(value)
	if err != nil {
		return invalid("FilterPolicy", err.Error())
	}
	sub.filter = &p
	return nil
}

// confirm takes the last part of the subscription's ARN for its token: here
// nobody sends one.
func (s *Service) confirm(_ context.Context, _ *wire.Call, in *subscribeInput) (subscribeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[in.TopicArn+":"+in.Token]
	if sub == nil {
		return subscribeOutput{}, invalid("Token", "Invalid token")
	}
	sub.pending = false
	return subscribeOutput{SubscriptionArn: sub.arn}, nil
}

// unsubscribe succeeds for what is absent, and refuses what waits for its
// confirmation.
func (s *Service) unsubscribe(_ context.Context, _ *wire.Call, in *subscribeInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[in.SubscriptionArn]
	switch {
	case in.SubscriptionArn == waiting || sub != nil && sub.pending:
		return wire.None{}, invalid("SubscriptionArn", "This subscription is pending confirmation")
	case sub == nil:
		return wire.None{}, nil
	}
	delete(s.subs, sub.arn)
	if t := s.topics[sub.topic]; t != nil {
		t.deleted++
	}
	return wire.None{}, nil
}

func (s *Service) sub(arn string) (*subscription, error) {
	sub, ok := s.subs[arn]
	if !ok {
		return nil, fail(404, "NotFound", "Subscription does not exist")
	}
	return sub, nil
}

func (s *Service) getSubscription(_ context.Context, _ *wire.Call, in *subscribeInput) (attributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(in.SubscriptionArn)
	if err != nil {
		return attributesOutput{}, err
	}
	shown := maps.Clone(sub.attributes)
	shown["SubscriptionArn"], shown["TopicArn"], shown["Owner"] = sub.arn, sub.topic, s.options.Account
	shown["Protocol"], shown["Endpoint"], shown["SubscriptionPrincipal"] = sub.protocol, sub.endpoint, sub.by
	shown["ConfirmationWasAuthenticated"], shown["PendingConfirmation"] = boolText(!sub.pending), boolText(sub.pending)
	if shown["RawMessageDelivery"] == "" {
		shown["RawMessageDelivery"] = "false"
	}
	if shown["FilterPolicy"] != "" && shown["FilterPolicyScope"] == "" {
		shown["FilterPolicyScope"] = "MessageAttributes"
	}
	return attributesOutput{Attributes: shown}, nil
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (s *Service) setSubscription(_ context.Context, _ *wire.Call, in *subscribeInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(in.SubscriptionArn)
	if err != nil {
		return wire.None{}, err
	}
	return wire.None{}, sub.set(in.AttributeName, in.AttributeValue)
}

type listed struct{ SubscriptionArn, Owner, Protocol, Endpoint, TopicArn string }

type subscriptionsOutput struct {
	Subscriptions []listed
	NextToken     string
}

func (s *Service) listSubscriptions(_ context.Context, _ *wire.Call, in *subscribeInput) (subscriptionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list(in.NextToken, func(*subscription) bool { return true }), nil
}

func (s *Service) listByTopic(_ context.Context, _ *wire.Call, in *subscribeInput) (subscriptionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.TopicArn); err != nil {
		return subscriptionsOutput{}, err
	}
	return s.list(in.NextToken, func(sub *subscription) bool { return sub.topic == in.TopicArn }), nil
}

// list is a page of subscriptions; the caller holds the lock.
func (s *Service) list(token string, wanted func(*subscription) bool) subscriptionsOutput {
	var arns []string
	for arn, sub := range s.subs {
		if wanted(sub) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	out := subscriptionsOutput{Subscriptions: []listed{}}
	arns, out.NextToken = page(arns, token)
	for _, arn := range arns {
		sub := s.subs[arn]
		out.Subscriptions = append(out.Subscriptions, listed{
			SubscriptionArn: sub.shown(false), Owner: s.options.Account, Protocol: sub.protocol, Endpoint: sub.endpoint, TopicArn: sub.topic,
		})
	}
	return out
}
