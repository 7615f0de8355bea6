// Package sns is the sandbox's Simple Notification Service: one account's
// topics in one region, in memory, with subscriptions that filter and really
// deliver to queues and functions. Subscriptions of other protocols wait for
// their confirmation as on AWS, and what is published to them goes nowhere:
// nothing leaves this machine. It refuses mobile push, text messages and data
// protection.
package sns

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's place and time.
type Options struct {
	Now     func() time.Time
	Account string
	Region  string
	Deliver Deliver
}

// Service is one account's topics in one region.
type Service struct {
	*wire.Model
	options Options

	mu     sync.Mutex
	topics map[string]*topic // by ARN
	subs   map[string]*subscription
}

// topic is one topic; the service's lock guards it.
type topic struct {
	arn, name  string
	attributes map[string]string // as they were set
	tags       map[string]string
	deleted    int // subscriptions
	seen       map[string]time.Time
	sequence   int64
}

func (t *topic) fifo() bool { return t.attributes["FifoTopic"] == "true" }

// New makes a service without topics.
func New(o Options) *Service {
	s := &Service{options: o, topics: map[string]*topic{}, subs: map[string]*subscription{}}
	s.Model = &wire.Model{
		Signing:   "sns",
		Namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
		Hidden:    []string{"Message", "StringValue", "BinaryValue"},
		Operations: map[string]wire.Operation{
			"CreateTopic":               wire.Op(s.createTopic),
			"DeleteTopic":               wire.Op(s.deleteTopic),
			"GetTopicAttributes":        wire.Op(s.getTopic),
			"SetTopicAttributes":        wire.Op(s.setTopic),
			"ListTopics":                wire.Op(s.listTopics),
			"AddPermission":             wire.Op(s.addPermission),
			"RemovePermission":          wire.Op(s.removePermission),
			"TagResource":               wire.Op(s.tag),
			"UntagResource":             wire.Op(s.untag),
			"ListTagsForResource":       wire.Op(s.listTags),
			"Subscribe":                 wire.Op(s.subscribe),
			"ConfirmSubscription":       wire.Op(s.confirm),
			"Unsubscribe":               wire.Op(s.unsubscribe),
			"GetSubscriptionAttributes": wire.Op(s.getSubscription),
			"SetSubscriptionAttributes": wire.Op(s.setSubscription),
			"ListSubscriptions":         wire.Op(s.listSubscriptions),
			"ListSubscriptionsByTopic":  wire.Op(s.listByTopic),
			"Publish":                   wire.Op(s.publish),
			"PublishBatch":              wire.Op(s.publishBatch),
		},
	}
	return s
}

func fail(status int, code, message string) *wire.Error {
	return &wire.Error{Status: status, Code: code, Message: message}
}

func invalid(member, reason string) *wire.Error {
	return fail(400, "InvalidParameter", "Invalid parameter: "+member+" Reason: "+reason)
}

// find is a topic by ARN; the caller holds the lock.
func (s *Service) find(arn string) (*topic, error) {
	if strings.Count(arn, ":") != 5 {
		return nil, invalid("TopicArn", "An ARN must have at least 6 elements, not "+arn)
	}
	t, ok := s.topics[arn]
	if !ok {
		return nil, fail(404, "NotFound", "Topic does not exist")
	}
	return t, nil
}

// Tag is a tag.
type Tag struct{ Key, Value string }

type tagInput struct {
	ResourceArn string
	Tags        []Tag
	TagKeys     []string
}

type tagOutput struct{ Tags []Tag }

// tagged is a topic to be tagged; the caller holds the lock.
func (s *Service) tagged(arn string) (*topic, error) {
	t, ok := s.topics[arn]
	if !ok {
		return nil, fail(404, "ResourceNotFound", "Resource does not exist")
	}
	return t, nil
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	after := maps.Clone(t.tags)
	for _, one := range in.Tags {
		after[one.Key] = one.Value
	}
	if len(after) > 50 {
		return wire.None{}, fail(400, "TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
	}
	t.tags = after
	return wire.None{}, nil
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	for _, key := range in.TagKeys {
		delete(t.tags, key)
	}
	return wire.None{}, nil
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *tagInput) (tagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return tagOutput{}, err
	}
	out := tagOutput{Tags: []Tag{}}
	for _, key := range slices.Sorted(maps.Keys(t.tags)) {
		out.Tags = append(out.Tags, Tag{Key: key, Value: t.tags[key]})
	}
	return out, nil
}

// Tagged is the tags of every topic, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for arn, t := range s.topics {
		out[arn] = maps.Clone(t.tags)
	}
	return out
}

// pageSize is what SNS lists at a time.
const pageSize = 100

// page cuts sorted names to what follows a token; next is "" at the end.
func page(names []string, token string) (out []string, next string) {
	from, found := slices.BinarySearch(names, token)
	if found {
		from++
	}
	names = names[from:]
	if len(names) <= pageSize {
		return names, ""
	}
	return names[:pageSize], names[pageSize-1]
}
