// Package sqs is the sandbox's Simple Queue Service: one account's queues in
// one region, in memory, with delays, visibility, long polling, dead letters
// and the basics of FIFO. It refuses encryption and policies no less than it
// refuses to honour them: they are kept as attributes and read back, and
// nobody is kept out.
package sqs

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's place and time.
type Options struct {
	Now       func() time.Time
	Account   string
	Region    string
	PublicURL func() string
	// Quiet is how long a deleted queue's name stays taken and a purge stays
	// in progress; AWS takes 60 seconds. 0 is none.
	Quiet time.Duration
	// Metrics takes a datapoint of a queue's. nil: nobody does.
	Metrics func(metric, queue string, value float64)
}

// Service is one account's queues in one region.
type Service struct {
	*wire.Model
	options Options

	mu      sync.Mutex
	queues  map[string]*queue
	deleted map[string]time.Time
}

func (s *Service) measured(metric string, q *queue, value float64) {
	if s.options.Metrics != nil {
		s.options.Metrics(metric, q.name, value)
	}
}

// Tick measures how old each queue's oldest message is.
func (s *Service) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		age := time.Duration(0)
		for _, m := range q.messages {
			age = max(age, s.options.Now().Sub(m.sent))
		}
		if len(q.messages) > 0 {
			s.measured("ApproximateAgeOfOldestMessage", q, age.Seconds())
		}
	}
}

// New makes a service without queues.
func New(o Options) *Service {
	s := &Service{options: o, queues: map[string]*queue{}, deleted: map[string]time.Time{}}
	s.Model = &wire.Model{
		Signing:   "sqs",
		Namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
		Hidden:    []string{"MessageBody", "Body", "StringValue", "BinaryValue"},
		Operations: map[string]wire.Operation{
			"CreateQueue":                  wire.Op(s.createQueue),
			"DeleteQueue":                  wire.Op(s.deleteQueue),
			"GetQueueUrl":                  wire.Op(s.getQueueURL),
			"ListQueues":                   wire.Op(s.listQueues),
			"ListDeadLetterSourceQueues":   wire.Op(s.listSources),
			"GetQueueAttributes":           wire.Op(s.getAttributes),
			"SetQueueAttributes":           wire.Op(s.setAttributes),
			"TagQueue":                     wire.Op(s.tagQueue),
			"UntagQueue":                   wire.Op(s.untagQueue),
			"ListQueueTags":                wire.Op(s.listTags),
			"PurgeQueue":                   wire.Op(s.purgeQueue),
			"SendMessage":                  wire.Op(s.sendMessage),
			"SendMessageBatch":             wire.Op(s.sendBatch),
			"ReceiveMessage":               wire.Op(s.receiveMessage),
			"DeleteMessage":                wire.Op(s.deleteMessage),
			"DeleteMessageBatch":           wire.Op(s.deleteBatch),
			"ChangeMessageVisibility":      wire.Op(s.changeVisibility),
			"ChangeMessageVisibilityBatch": wire.Op(s.changeVisibilityBatch),
		},
	}
	return s
}

func fail(code, message string) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: message}
}

func noQueue() *wire.Error {
	e := fail("QueueDoesNotExist", "The specified queue does not exist.")
	e.QueryCode = "AWS.SimpleQueueService.NonExistentQueue"
	return e
}

func (s *Service) url(name string) string {
	return s.options.PublicURL() + "/" + s.options.Account + "/" + name
}

func (s *Service) arn(name string) string {
	return "arn:aws:sqs:" + s.options.Region + ":" + s.options.Account + ":" + name
}

// find is the queue of a URL (or name, or ARN); the caller holds the lock.
func (s *Service) find(url string) (*queue, error) {
	if url == "" {
		return nil, fail("MissingParameter", "The request must contain the parameter QueueUrl.")
	}
	name := url[strings.LastIndexAny(url, "/:")+1:]
	q, ok := s.queues[name]
	if !ok {
		return nil, noQueue()
	}
	return q, nil
}

// target names a queue.
type target struct{ QueueUrl string }

type createInput struct {
	QueueName  string
	Attributes map[string]string
	// The model spells this member small on CreateQueue.
	Tags map[string]string `wire:"tags"`
}

func (s *Service) createQueue(_ context.Context, _ *wire.Call, in *createInput) (target, error) {
	if err := checkName(in.QueueName, in.Attributes["FifoQueue"] == "true"); err != nil {
		return target{}, err
	}
	if err := s.checkAttributes(in.Attributes); err != nil {
		return target{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now()
	if gone, ok := s.deleted[in.QueueName]; ok && now.Before(gone.Add(s.options.Quiet)) {
		e := fail("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
		e.QueryCode = "AWS.SimpleQueueService.QueueDeletedRecently"
		return target{}, e
	}
	if q, ok := s.queues[in.QueueName]; ok {
		if different := q.differs(in.Attributes); different != "" {
			e := fail("QueueNameExists", "A queue already exists with the same name and a different value for attribute "+different)
			e.QueryCode = "QueueAlreadyExists"
			return target{}, e
		}
		return target{QueueUrl: s.url(in.QueueName)}, nil
	}
	s.queues[in.QueueName] = newQueue(in.QueueName, in.Attributes, in.Tags, now)
	return target{QueueUrl: s.url(in.QueueName)}, nil
}

func checkName(name string, fifo bool) error {
	bare := strings.TrimSuffix(name, ".fifo")
	ok := bare != "" && len(name) <= 80 && !strings.ContainsFunc(bare, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	if !ok || (bare != name) != fifo {
		return fail("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length; FIFO queues end in .fifo")
	}
	return nil
}

func (s *Service) deleteQueue(_ context.Context, _ *wire.Call, in *target) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return wire.None{}, err
	}
	delete(s.queues, q.name)
	q.wake() // polls end with its absence
	s.deleted[q.name] = s.options.Now()
	return wire.None{}, nil
}

func (s *Service) getQueueURL(_ context.Context, _ *wire.Call, in *createInput) (target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueName)
	if err != nil {
		return target{}, err
	}
	return target{QueueUrl: s.url(q.name)}, nil
}

type listInput struct {
	QueueNamePrefix, QueueUrl, NextToken string
	MaxResults                           *int
}

type listOutput struct {
	QueueUrls []string
	NextToken string
}

func (s *Service) listQueues(_ context.Context, _ *wire.Call, in *listInput) (listOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page(in, func(q *queue) bool { return strings.HasPrefix(q.name, in.QueueNamePrefix) })
}

type sourcesOutput struct {
	QueueUrls []string `wire:"queueUrls"`
	NextToken string
}

func (s *Service) listSources(_ context.Context, _ *wire.Call, in *listInput) (sourcesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dead, err := s.find(in.QueueUrl)
	if err != nil {
		return sourcesOutput{}, err
	}
	out, err := s.page(in, func(q *queue) bool {
		return q.dead.Target == s.arn(dead.name)
	})
	return sourcesOutput(out), err
}

// page lists queues by name, up to MaxResults after the token.
func (s *Service) page(in *listInput, keep func(*queue) bool) (listOutput, error) {
	limit := 1000
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if limit < 1 || limit > 1000 {
		return listOutput{}, fail("InvalidParameterValue", "MaxResults must be between 1 and 1000.")
	}
	names := []string{}
	for name, q := range s.queues {
		if name > in.NextToken && keep(q) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := listOutput{QueueUrls: []string{}}
	for i, name := range names {
		if i == limit {
			if in.MaxResults != nil { // without it AWS cuts the list short silently
				out.NextToken = names[i-1]
			}
			break
		}
		out.QueueUrls = append(out.QueueUrls, s.url(name))
	}
	return out, nil
}

type tagInput struct {
	QueueUrl string
	Tags     map[string]string
	TagKeys  []string
}

func (s *Service) tagQueue(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return wire.None{}, err
	}
	for k, v := range in.Tags {
		q.tags[k] = v
	}
	return wire.None{}, nil
}

func (s *Service) untagQueue(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return wire.None{}, err
	}
	for _, k := range in.TagKeys {
		delete(q.tags, k)
	}
	return wire.None{}, nil
}

type tagsOutput struct{ Tags map[string]string }

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *target) (tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return tagsOutput{}, err
	}
	out := map[string]string{}
	for k, v := range q.tags {
		out[k] = v
	}
	return tagsOutput{Tags: out}, nil
}

// Tagged is the tags of every queue, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for name, q := range s.queues {
		tags := map[string]string{}
		for k, v := range q.tags {
			tags[k] = v
		}
		out[s.arn(name)] = tags
	}
	return out
}

func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil { // attributes are checked when they are set
		return 0
	}
	return time.Duration(n) * time.Second
}
