// Package scheduler is the sandbox's EventBridge Scheduler: schedules of one
// account in one region, in their groups, that fire within a second of their
// time, as the role they name and only where it may. Of universal targets it
// leaves it to whoever delivers which calls are made, and whether the role may.
// It refuses retries: what cannot be delivered goes to the dead-letter queue at
// once.
package scheduler

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

// Roles answers for execution roles.
type Roles interface {
	AssumableBy(arn, service string) bool
	Allows(arn, action string) bool
}

// Delivery is a payload on its way to a schedule's target.
type Delivery struct {
	Schedule, Target, Role string // ARNs
	Payload                []byte
	Redriven               bool // on the way to the dead-letter queue
}

// Deliver hands a payload to its target; an error means it did not arrive.
type Deliver func(context.Context, Delivery) error

// Options are the service's place and time.
type Options struct {
	Now     func() time.Time
	Account string
	Region  string
	Roles   Roles
	Deliver Deliver
}

// Service is one account's schedules in one region.
type Service struct {
	*wire.Model
	options Options

	mu     sync.Mutex
	groups map[string]*group
}

// group is a group of schedules, by name; the service's lock guards it.
type group struct {
	Group
	tags      map[string]string
	schedules map[string]*schedule
}

// Group is a group as the Scheduler shows it.
type Group struct {
	Arn, Name, State                   string
	CreationDate, LastModificationDate time.Time
}

const defaultGroup = "default"

// New makes a service with the default group.
func New(o Options) *Service {
	s := &Service{options: o, groups: map[string]*group{}}
	s.groups[defaultGroup] = s.newGroup(defaultGroup)
	s.Model = &wire.Model{
		Signing: "scheduler",
		Hidden:  []string{"Input"},
		Operations: map[string]wire.Operation{
			"CreateSchedule":      wire.Op(s.create),
			"GetSchedule":         wire.Op(s.get),
			"UpdateSchedule":      wire.Op(s.update),
			"DeleteSchedule":      wire.Op(s.remove),
			"ListSchedules":       wire.Op(s.list),
			"CreateScheduleGroup": wire.Op(s.createGroup),
			"GetScheduleGroup":    wire.Op(s.getGroup),
			"DeleteScheduleGroup": wire.Op(s.deleteGroup),
			"ListScheduleGroups":  wire.Op(s.listGroups),
			"TagResource":         wire.Op(s.tag),
			"UntagResource":       wire.Op(s.untag),
			"ListTagsForResource": wire.Op(s.listTags),
		},
		Routes: []wire.Route{
			{Method: "POST", Pattern: "/schedules/{Name}", Operation: "CreateSchedule"},
			{Method: "GET", Pattern: "/schedules/{Name}", Operation: "GetSchedule"},
			{Method: "PUT", Pattern: "/schedules/{Name}", Operation: "UpdateSchedule"},
			{Method: "DELETE", Pattern: "/schedules/{Name}", Operation: "DeleteSchedule"},
			{Method: "GET", Pattern: "/schedules", Operation: "ListSchedules"},
			{Method: "POST", Pattern: "/schedule-groups/{Name}", Operation: "CreateScheduleGroup"},
			{Method: "GET", Pattern: "/schedule-groups/{Name}", Operation: "GetScheduleGroup"},
			{Method: "DELETE", Pattern: "/schedule-groups/{Name}", Operation: "DeleteScheduleGroup"},
			{Method: "GET", Pattern: "/schedule-groups", Operation: "ListScheduleGroups"},
			{Method: "POST", Pattern: "/tags/{ResourceArn+}", Operation: "TagResource"},
			{Method: "DELETE", Pattern: "/tags/{ResourceArn+}", Operation: "UntagResource", Lists: []string{"TagKeys"}},
			{Method: "GET", Pattern: "/tags/{ResourceArn+}", Operation: "ListTagsForResource"},
		},
	}
	return s
}

func fail(status int, code, message string) *wire.Error {
	return &wire.Error{Status: status, Code: code, Message: message}
}

func invalid(message string) *wire.Error { return fail(400, "ValidationException", message) }

func absent(what, name string) *wire.Error {
	return fail(404, "ResourceNotFoundException", what+" "+name+" does not exist.")
}

func taken(what, name string) *wire.Error {
	return fail(409, "ConflictException", what+" "+name+" already exists.")
}

func (s *Service) arn(kind, name string) string {
	return "arn:aws:scheduler:" + s.options.Region + ":" + s.options.Account + ":" + kind + "/" + name
}

var groupName = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,64}$`)

func (s *Service) newGroup(name string) *group {
	now := s.options.Now()
	return &group{
		Group: Group{Arn: s.arn("schedule-group", name), Name: name, State: "ACTIVE", CreationDate: now, LastModificationDate: now},
		tags:  map[string]string{}, schedules: map[string]*schedule{},
	}
}

// Tag is a tag.
type Tag struct{ Key, Value string }

type groupInput struct {
	Name, NamePrefix, NextToken string
	MaxResults                  *int
	Tags                        []Tag
}

type groupCreated struct{ ScheduleGroupArn string }

func (s *Service) createGroup(_ context.Context, _ *wire.Call, in *groupInput) (groupCreated, error) {
	if !groupName.MatchString(in.Name) || strings.HasPrefix(in.Name, "aws") {
		return groupCreated{}, invalid("Name " + in.Name + " is not valid.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[in.Name] != nil {
		return groupCreated{}, taken("Schedule group", in.Name)
	}
	g := s.newGroup(in.Name)
	for _, t := range in.Tags {
		g.tags[t.Key] = t.Value
	}
	s.groups[in.Name] = g
	return groupCreated{ScheduleGroupArn: g.Arn}, nil
}

// find is a group; the caller holds the lock. "" is the default one.
func (s *Service) find(name string) (*group, error) {
	if name == "" {
		name = defaultGroup
	}
	g, ok := s.groups[name]
	if !ok {
		return nil, absent("Schedule group", name)
	}
	return g, nil
}

func (s *Service) getGroup(_ context.Context, _ *wire.Call, in *groupInput) (Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.Name)
	if err != nil {
		return Group{}, err
	}
	return g.Group, nil
}

// deleteGroup takes the schedules of a group along.
func (s *Service) deleteGroup(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.Name); err != nil {
		return wire.None{}, err
	}
	if in.Name == defaultGroup {
		return wire.None{}, invalid("The default schedule group cannot be deleted.")
	}
	delete(s.groups, in.Name)
	return wire.None{}, nil
}

type groupsOutput struct {
	ScheduleGroups []Group
	NextToken      string
}

func (s *Service) listGroups(_ context.Context, _ *wire.Call, in *groupInput) (groupsOutput, error) {
	out := groupsOutput{ScheduleGroups: []Group{}}
	limit, err := limitOf(in.MaxResults)
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if name <= in.NextToken || !strings.HasPrefix(name, in.NamePrefix) {
			continue
		}
		if len(out.ScheduleGroups) == limit {
			out.NextToken = out.ScheduleGroups[limit-1].Name
			break
		}
		out.ScheduleGroups = append(out.ScheduleGroups, s.groups[name].Group)
	}
	return out, nil
}

func limitOf(asked *int) (int, error) {
	switch {
	case asked == nil:
		return 100, nil
	case *asked < 1 || *asked > 100:
		return 0, invalid("MaxResults must be between 1 and 100.")
	}
	return *asked, nil
}

type tagInput struct {
	ResourceArn string
	Tags        []Tag
	TagKeys     []string
}

type tagOutput struct{ Tags []Tag }

// tagged is the group of an ARN: schedules themselves have no tags. The caller
// holds the lock.
func (s *Service) tagged(arn string) (*group, error) {
	_, name, ok := strings.Cut(arn, ":schedule-group/")
	if !ok {
		return nil, invalid("Only schedule groups have tags.")
	}
	return s.find(name)
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	for _, t := range in.Tags {
		g.tags[t.Key] = t.Value
	}
	return wire.None{}, nil
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	for _, key := range in.TagKeys {
		delete(g.tags, key)
	}
	return wire.None{}, nil
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *tagInput) (tagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err != nil {
		return tagOutput{}, err
	}
	out := tagOutput{Tags: []Tag{}}
	for _, key := range slices.Sorted(maps.Keys(g.tags)) {
		out.Tags = append(out.Tags, Tag{Key: key, Value: g.tags[key]})
	}
	return out, nil
}

// Tagged is the tags of every group, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for _, g := range s.groups {
		out[g.Arn] = maps.Clone(g.tags)
	}
	return out
}
