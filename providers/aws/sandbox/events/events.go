// Package events is the sandbox's EventBridge: the buses of one account in one
// region, their rules, and delivery to queues, topics and functions. What the
// audit trail records of changes is put on the default bus, as AWS does where a
// trail is on. Delivery is at once and in order, which AWS does not promise;
// what fails goes to the dead-letter queue at once. It refuses pipes, archives
// and policies of buses.
package events

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Delivery is a payload on its way from a rule to a target.
type Delivery struct {
	Rule, Target string // ARNs
	Payload      []byte
}

// Deliver hands a payload to its target; an error means it is lost.
type Deliver func(context.Context, Delivery) error

// Options are the service's place and time.
type Options struct {
	Now     func() time.Time
	Account string
	Region  string
	Deliver Deliver
}

// Service is one account's buses in one region.
type Service struct {
	*wire.Model
	options Options

	mu    sync.Mutex
	buses map[string]*bus
}

const defaultBus = "default"

// rule is one rule; the service's lock guards it.
type rule struct {
	Rule
	pattern  *Pattern
	schedule schedule
	due      time.Time // of the schedule; zero for never
	targets  []target
	tags     map[string]string
}

// Rule is a rule as EventBridge shows it.
type Rule struct {
	Name, Arn, EventPattern, ScheduleExpression, State, Description, RoleArn, EventBusName, ManagedBy, CreatedBy string
}

// target is a rule's target, every member as it was put.
type target map[string]any

func (t target) id() string  { s, _ := t["Id"].(string); return s }
func (t target) arn() string { s, _ := t["Arn"].(string); return s }

// New makes the default bus, without rules.
func New(o Options) *Service {
	s := &Service{options: o, buses: map[string]*bus{defaultBus: {rules: map[string]*rule{}}}}
	s.Model = &wire.Model{
		Signing: "events",
		Hidden:  []string{"Detail", "Input"},
		Operations: map[string]wire.Operation{
			"PutRule":               wire.Op(s.putRule),
			"DescribeRule":          wire.Op(s.describeRule),
			"ListRules":             wire.Op(s.listRules),
			"DeleteRule":            wire.Op(s.deleteRule),
			"EnableRule":            wire.Op(s.enableRule),
			"DisableRule":           wire.Op(s.disableRule),
			"PutTargets":            wire.Op(s.putTargets),
			"RemoveTargets":         wire.Op(s.removeTargets),
			"ListTargetsByRule":     wire.Op(s.listTargets),
			"ListRuleNamesByTarget": wire.Op(s.rulesOfTarget),
			"PutEvents":             wire.Op(s.putEvents),
			"TestEventPattern":      wire.Op(s.testPattern),
			"CreateEventBus":        wire.Op(s.createBus),
			"DeleteEventBus":        wire.Op(s.deleteBus),
			"DescribeEventBus":      wire.Op(s.describeBus),
			"ListEventBuses":        wire.Op(s.listBuses),
			"TagResource":           wire.Op(s.tag),
			"UntagResource":         wire.Op(s.untag),
			"ListTagsForResource":   wire.Op(s.listTags),
		},
	}
	return s
}

func fail(code, message string) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: message}
}

func (s *Service) arn(bus, name string) string {
	if bus != defaultBus {
		name = bus + "/" + name
	}
	return "arn:aws:events:" + s.options.Region + ":" + s.options.Account + ":rule/" + name
}

// find is a rule; the caller holds the lock.
func (s *Service) find(name, bus string) (*rule, error) {
	b, err := s.bus(bus)
	if err != nil {
		return nil, err
	}
	r, ok := b.rules[name]
	if !ok {
		return nil, fail("ResourceNotFoundException", "Rule "+name+" does not exist on EventBus "+busName(bus)+".")
	}
	return r, nil
}

// Tag is a tag.
type Tag struct{ Key, Value string }

type ruleInput struct {
	Rule
	Tags []Tag
}

type ruleOutput struct{ RuleArn string }

// putRule replaces the whole rule: what is left out is gone. Tags of an
// existing rule stay.
func (s *Service) putRule(_ context.Context, _ *wire.Call, in *ruleInput) (ruleOutput, error) {
	made, err := s.build(in)
	if err != nil {
		return ruleOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return ruleOutput{}, err
	}
	if old := b.rules[in.Name]; old != nil {
		made.targets, made.tags = old.targets, old.tags
		if old.ScheduleExpression == made.ScheduleExpression {
			made.due = old.due
		}
	}
	b.rules[in.Name] = made
	return ruleOutput{RuleArn: made.Arn}, nil
}

func (s *Service) build(in *ruleInput) (*rule, error) {
	r := &rule{Rule: in.Rule, tags: map[string]string{}}
	r.EventBusName, r.ManagedBy, r.CreatedBy = busName(in.EventBusName), "", s.options.Account
	r.Arn = s.arn(r.EventBusName, in.Name)
	for _, t := range in.Tags {
		r.tags[t.Key] = t.Value
	}
	if r.State == "" {
		r.State = "ENABLED"
	}
	switch {
	case in.Name == "" || len(in.Name) > 64:
		return nil, fail("ValidationException", "a rule's name has 1 to 64 characters")
	case in.EventPattern == "" && in.ScheduleExpression == "":
		return nil, fail("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case !slices.Contains([]string{"ENABLED", "DISABLED", allManagement}, r.State):
		return nil, fail("ValidationException", "State "+r.State+" is not one of ENABLED, DISABLED and "+allManagement)
	}
	if in.EventPattern != "" {
		p, err := ParsePattern(in.EventPattern)
		if err != nil {
			return nil, fail("InvalidEventPatternException", "Event pattern is not valid. Reason: "+err.Error())
		}
		r.pattern = &p
	}
	if in.ScheduleExpression != "" {
		if r.EventBusName != defaultBus {
			return nil, fail("ValidationException", "ScheduleExpression is supported only on the default event bus.")
		}
		var err error
		if r.schedule, err = parseSchedule(in.ScheduleExpression); err != nil {
			return nil, err
		}
		r.plan(s.options.Now())
	}
	return r, nil
}

type nameInput struct {
	Name, EventBusName string
	Force              bool
}

func (s *Service) describeRule(_ context.Context, _ *wire.Call, in *nameInput) (Rule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Name, in.EventBusName)
	if err != nil {
		return Rule{}, err
	}
	return r.Rule, nil
}

type listInput struct {
	NamePrefix, EventBusName, NextToken, TargetArn, Rule string
	Limit                                                *int
}

func (in *listInput) limit() (int, error) {
	if in.Limit == nil {
		return 100, nil
	}
	if *in.Limit < 1 || *in.Limit > 100 {
		return 0, fail("ValidationException", "Limit must be between 1 and 100")
	}
	return *in.Limit, nil
}

type rulesOutput struct {
	Rules     []Rule
	NextToken string
}

func (s *Service) listRules(_ context.Context, _ *wire.Call, in *listInput) (rulesOutput, error) {
	out := rulesOutput{Rules: []Rule{}}
	limit, err := in.limit()
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return out, err
	}
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		if name <= in.NextToken || !strings.HasPrefix(name, in.NamePrefix) {
			continue
		}
		if len(out.Rules) == limit {
			out.NextToken = out.Rules[limit-1].Name
			break
		}
		shown := b.rules[name].Rule
		shown.CreatedBy = "" // lists leave it out
		out.Rules = append(out.Rules, shown)
	}
	return out, nil
}

func (s *Service) deleteRule(_ context.Context, _ *wire.Call, in *nameInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(in.EventBusName)
	if err != nil || b.rules[in.Name] == nil { // deleting what is absent succeeds
		return wire.None{}, err
	}
	if len(b.rules[in.Name].targets) > 0 {
		return wire.None{}, fail("ValidationException", "Rule can't be deleted since it has targets.")
	}
	delete(b.rules, in.Name)
	return wire.None{}, nil
}

func (s *Service) enableRule(_ context.Context, _ *wire.Call, in *nameInput) (wire.None, error) {
	return s.setState(in, "ENABLED")
}

func (s *Service) disableRule(_ context.Context, _ *wire.Call, in *nameInput) (wire.None, error) {
	return s.setState(in, "DISABLED")
}

func (s *Service) setState(in *nameInput, state string) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Name, in.EventBusName)
	if err == nil {
		r.State = state
	}
	return wire.None{}, err
}

type tagInput struct {
	ResourceARN string
	Tags        []Tag
	TagKeys     []string
}

type tagOutput struct{ Tags []Tag }

// byARN is the rule of an ARN; the caller holds the lock.
func (s *Service) byARN(arn string) (*rule, error) {
	_, name, _ := strings.Cut(arn, ":rule/")
	bus, inBus, custom := strings.Cut(name, "/")
	if custom {
		return s.find(inBus, bus)
	}
	return s.find(name, "")
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.byARN(in.ResourceARN)
	if err != nil {
		return wire.None{}, err
	}
	for _, t := range in.Tags {
		r.tags[t.Key] = t.Value
	}
	return wire.None{}, nil
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.byARN(in.ResourceARN)
	if err != nil {
		return wire.None{}, err
	}
	for _, k := range in.TagKeys {
		delete(r.tags, k)
	}
	return wire.None{}, nil
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *tagInput) (tagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.byARN(in.ResourceARN)
	if err != nil {
		return tagOutput{}, err
	}
	out := tagOutput{Tags: []Tag{}}
	for _, k := range slices.Sorted(maps.Keys(r.tags)) {
		out.Tags = append(out.Tags, Tag{Key: k, Value: r.tags[k]})
	}
	return out, nil
}

// Tagged is the tags of every rule, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for name, b := range s.buses {
		if len(b.tags) > 0 {
			out[s.busARN(name)] = maps.Clone(b.tags)
		}
		for _, r := range b.rules {
			out[r.Arn] = maps.Clone(r.tags)
		}
	}
	return out
}
