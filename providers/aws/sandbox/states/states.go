// Package states is the sandbox's Step Functions: one account's state machines
// in one region, with revisions, versions, weighted aliases, tags, and
// executions that run: tasks call the sandbox's functions and queues. It
// refuses JSONata, activities, callbacks, distributed maps and every
// integration it does not have, by failing the execution that asks for one.
package states

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Neighbours are what executions reach. A nil one is not there.
type Neighbours struct {
	// Invoke calls a function and waits: failed is the function's own error.
	Invoke func(ctx context.Context, arn string, payload []byte) (answer []byte, failed string, err error)
	// Send sends to a queue by URL.
	Send func(ctx context.Context, url, body string) (messageID string, err error)
	// Assumable tells whether Step Functions may take a role; Allows, whether
	// the role may do something.
	Assumable func(role string) bool
	Allows    func(role, action string) bool
	// Put publishes a metric.
	Put func(namespace, metric string, dimensions map[string]string, at time.Time, value float64)
}

// Options are the service's place, time and neighbours.
type Options struct {
	Now        func() time.Time
	Account    string
	Region     string
	Period     time.Duration // what stands for CloudWatch's minute
	Neighbours Neighbours
	// Deleting is how long a deleted machine still shows; 0 is not at all.
	Deleting time.Duration
}

// Service is one account's state machines in one region.
type Service struct {
	*wire.Model
	options Options
	stop    context.CancelFunc
	alive   context.Context
	running sync.WaitGroup

	mu         sync.Mutex
	machines   map[string]*machine   // by name
	executions map[string]*execution // by ARN
	pick       uint32                // spreads weighted starts evenly
}

// New makes a service without state machines.
func New(o Options) *Service {
	s := &Service{options: o, machines: map[string]*machine{}, executions: map[string]*execution{}}
	s.alive, s.stop = context.WithCancel(context.Background())
	s.Model = &wire.Model{
		Signing: "states",
		Hidden:  []string{"definition", "input", "output"},
		Operations: map[string]wire.Operation{
			"CreateStateMachine":             wire.Op(s.create),
			"UpdateStateMachine":             wire.Op(s.update),
			"DescribeStateMachine":           wire.Op(s.describe),
			"DeleteStateMachine":             wire.Op(s.remove),
			"ListStateMachines":              wire.Op(s.list),
			"ValidateStateMachineDefinition": wire.Op(s.validate),
			"PublishStateMachineVersion":     wire.Op(s.publish),
			"ListStateMachineVersions":       wire.Op(s.listVersions),
			"DeleteStateMachineVersion":      wire.Op(s.removeVersion),
			"CreateStateMachineAlias":        wire.Op(s.createAlias),
			"UpdateStateMachineAlias":        wire.Op(s.updateAlias),
			"DescribeStateMachineAlias":      wire.Op(s.describeAlias),
			"ListStateMachineAliases":        wire.Op(s.listAliases),
			"DeleteStateMachineAlias":        wire.Op(s.removeAlias),
			"TagResource":                    wire.Op(s.tag),
			"UntagResource":                  wire.Op(s.untag),
			"ListTagsForResource":            wire.Op(s.listTags),
			"StartExecution":                 wire.Op(s.start),
			"StartSyncExecution":             wire.Op(s.startSync),
			"StopExecution":                  wire.Op(s.stopExecution),
			"DescribeExecution":              wire.Op(s.describeExecution),
			"ListExecutions":                 wire.Op(s.listExecutions),
			"GetExecutionHistory":            wire.Op(s.history),
		},
	}
	return s
}

// Close ends every execution.
func (s *Service) Close() error {
	s.stop()
	s.running.Wait()
	return nil
}

func fail(code, message string) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: message}
}

// Tag is a tag.
type Tag struct {
	Key   string `wire:"key"`
	Value string `wire:"value"`
}

func (s *Service) arn(name string) string {
	return "arn:aws:states:" + s.options.Region + ":" + s.options.Account + ":stateMachine:" + name
}

// split reads a state machine's ARN: its name, and the version or alias behind
// it.
func split(arn string) (name, qualifier string, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || len(parts) > 8 || parts[2] != "states" || parts[5] != "stateMachine" || parts[6] == "" {
		return "", "", false
	}
	if len(parts) == 8 {
		qualifier = parts[7]
	}
	return parts[6], qualifier, true
}

func invalidArn(arn string) *wire.Error { return fail("InvalidArn", "Invalid Arn: '"+arn+"'") }

func noMachine(arn string) *wire.Error {
	return fail("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+arn+"'")
}

// find is the machine of an ARN, and the qualifier; the caller holds the lock.
func (s *Service) find(arn string) (*machine, string, error) {
	name, qualifier, ok := split(arn)
	if !ok {
		return nil, "", invalidArn(arn)
	}
	m, ok := s.machines[name]
	if !ok || s.arn(name) != strings.TrimSuffix(arn, ":"+qualifier) || s.over(m) {
		return nil, "", noMachine(arn)
	}
	return m, qualifier, nil
}

// over: the machine's deletion is through.
func (s *Service) over(m *machine) bool {
	return !m.deleted.IsZero() && !s.options.Now().Before(m.deleted.Add(s.options.Deleting))
}

var machineName = regexp.MustCompile(`^[0-9A-Za-z_.+!@()='-]{1,80}$`)

type tagInput struct {
	ResourceArn string   `wire:"resourceArn"`
	Tags        []Tag    `wire:"tags"`
	TagKeys     []string `wire:"tagKeys"`
}

func (s *Service) tagged(arn string) (*machine, error) {
	m, qualifier, err := s.find(arn)
	if err != nil || qualifier != "" {
		return nil, fail("ResourceNotFound", "Resource not found: '"+arn+"'")
	}
	return m, nil
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.tagged(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	tags := maps.Clone(m.tags)
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	if len(tags) > 50 {
		return wire.None{}, fail("TooManyTags", "the resource has too many tags")
	}
	m.tags = tags
	return wire.None{}, nil
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.tagged(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	for _, key := range in.TagKeys {
		delete(m.tags, key)
	}
	return wire.None{}, nil
}

type tagsOutput struct {
	Tags []Tag `wire:"tags"`
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *tagInput) (tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.tagged(in.ResourceArn)
	if err != nil {
		return tagsOutput{}, err
	}
	out := tagsOutput{Tags: []Tag{}}
	for _, key := range slices.Sorted(maps.Keys(m.tags)) {
		out.Tags = append(out.Tags, Tag{key, m.tags[key]})
	}
	return out, nil
}

// Tagged is the tags of every state machine, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for name, m := range s.machines {
		if m.deleted.IsZero() {
			out[s.arn(name)] = maps.Clone(m.tags)
		}
	}
	return out
}
