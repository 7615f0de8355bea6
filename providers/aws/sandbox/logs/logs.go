// Package logs is the sandbox's CloudWatch Logs: log groups of one account in
// one region, with retention, key, filters and tags, and the lines that
// functions of the sandbox wrote. It refuses to take log events from anybody
// else; filters are kept, and send and count nothing.
package logs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Line is one line of a log.
type Line struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Options are the service's place and time.
type Options struct {
	Now     func() time.Time
	Account string
	Region  string
	// Lines are the lines of a function, oldest first; nil when it has none.
	Lines func(function string) []Line
	// MayInvoke tells whether a function exists and its policy lets Logs invoke
	// it for a group's ARN; nil: always.
	MayInvoke func(source, function string) bool
}

// Service is one account's log groups in one region.
type Service struct {
	*wire.Model
	options Options

	mu      sync.Mutex
	groups  map[string]*group
	deleted map[string]time.Time // by name
}

type group struct {
	created       time.Time
	retention     *int
	class, key    string
	protected     bool
	tags          map[string]string
	subscriptions map[string]subscription
	metrics       map[string]metricFilter
}

// New makes a service without log groups.
func New(o Options) *Service {
	s := &Service{options: o, groups: map[string]*group{}, deleted: map[string]time.Time{}}
	s.Model = &wire.Model{
		Signing: "logs",
		Operations: map[string]wire.Operation{
			"CreateLogGroup":        wire.Op(s.create),
			"DeleteLogGroup":        wire.Op(s.remove),
			"DescribeLogGroups":     wire.Op(s.describe),
			"PutRetentionPolicy":    wire.Op(s.putRetention),
			"DeleteRetentionPolicy": wire.Op(s.deleteRetention),
			"TagResource":           wire.Op(s.tag),
			"TagLogGroup":           wire.Op(s.tag),
			"UntagResource":         wire.Op(s.untag),

			"AssociateKmsKey":               wire.Op(s.associate),
			"DisassociateKmsKey":            wire.Op(s.disassociate),
			"PutLogGroupDeletionProtection": wire.Op(s.protect),
			"PutSubscriptionFilter":         wire.Op(s.putSubscription),
			"DescribeSubscriptionFilters":   wire.Op(s.describeSubscriptions),
			"DeleteSubscriptionFilter":      wire.Op(s.deleteSubscription),
			"PutMetricFilter":               wire.Op(s.putMetricFilter),
			"DescribeMetricFilters":         wire.Op(s.describeMetricFilters),
			"DeleteMetricFilter":            wire.Op(s.deleteMetricFilter),

			"ListTagsForResource": wire.Op(s.listTags),
			"ListTagsLogGroup":    wire.Op(s.listTags),
			"FilterLogEvents":     wire.Op(s.filter),
		},
	}
	return s
}

func fail(code, message string) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: message}
}

func (s *Service) arn(name string) string {
	return "arn:aws:logs:" + s.options.Region + ":" + s.options.Account + ":log-group:" + name
}

// find is a group by name or ARN; the caller holds the lock.
func (s *Service) find(id string) (*group, error) {
	if _, tail, ok := strings.Cut(id, ":log-group:"); ok {
		id = strings.TrimSuffix(tail, ":*")
	}
	s.appear(id)
	g, ok := s.groups[id]
	if !ok {
		return nil, fail("ResourceNotFoundException", "The specified log group does not exist.")
	}
	return g, nil
}

// appear makes the group of a function that wrote a line: Lambda makes it by
// itself. The caller holds the lock.
func (s *Service) appear(name string) {
	function, ofLambda := strings.CutPrefix(name, functionLogs)
	if _, known := s.groups[name]; known || !ofLambda || s.options.Lines == nil {
		return
	}
	lines := s.options.Lines(function)
	if len(lines) > 0 && lines[len(lines)-1].At.After(s.deleted[name]) {
		s.groups[name] = s.newGroup("STANDARD", nil)
	}
}

func (s *Service) newGroup(class string, tags map[string]string) *group {
	g := &group{
		created: s.options.Now(), class: class, tags: map[string]string{},
		subscriptions: map[string]subscription{}, metrics: map[string]metricFilter{},
	}
	maps.Copy(g.tags, tags)
	return g
}

type groupInput struct {
	LogGroupName    string            `wire:"logGroupName"`
	LogGroupClass   string            `wire:"logGroupClass"`
	Identifier      string            `wire:"logGroupIdentifier"`
	KmsKeyID        string            `wire:"kmsKeyId"`
	Protected       *bool             `wire:"deletionProtectionEnabled"`
	ResourceARN     string            `wire:"resourceArn"`
	RetentionInDays *int              `wire:"retentionInDays"`
	Tags            map[string]string `wire:"tags"`
	TagKeys         []string          `wire:"tagKeys"`
}

func (in *groupInput) id() string { return in.LogGroupName + in.ResourceARN + in.Identifier }

func (s *Service) create(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	if in.LogGroupName == "" || len(in.LogGroupName) > 512 {
		return wire.None{}, fail("InvalidParameterException", "a log group's name has 1 to 512 characters")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appear(in.LogGroupName)
	if _, taken := s.groups[in.LogGroupName]; taken {
		return wire.None{}, fail("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	class := in.LogGroupClass
	if class == "" {
		class = "STANDARD"
	}
	g := s.newGroup(class, in.Tags)
	g.key, g.protected = in.KmsKeyID, in.Protected != nil && *in.Protected
	s.groups[in.LogGroupName] = g
	return wire.None{}, nil
}

// change runs f on a group under the lock.
func (s *Service) change(id string, f func(*group)) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(id)
	if err == nil {
		f(g)
	}
	return wire.None{}, err
}

func (s *Service) remove(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.id())
	switch {
	case err != nil:
		return wire.None{}, err
	case g.protected:
		return wire.None{}, fail("ValidationException", "The log group has deletion protection enabled.")
	}
	delete(s.groups, in.LogGroupName)
	s.deleted[in.LogGroupName] = s.options.Now()
	return wire.None{}, nil
}

// retentions are the days AWS takes.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (s *Service) putRetention(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	if in.RetentionInDays == nil || !slices.Contains(retentions, *in.RetentionInDays) {
		return wire.None{}, fail("InvalidParameterException", "retentionInDays is not one of the values allowed")
	}
	return s.change(in.id(), func(g *group) { g.retention = in.RetentionInDays })
}

func (s *Service) deleteRetention(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	return s.change(in.id(), func(g *group) { g.retention = nil })
}

type describeInput struct {
	Prefix    string `wire:"logGroupNamePrefix"`
	Pattern   string `wire:"logGroupNamePattern"`
	Limit     *int   `wire:"limit"`
	NextToken string `wire:"nextToken"`
	// Identifiers are names or ARNs.
	Identifiers []string `wire:"logGroupIdentifiers"`
}

type groupOutput struct {
	Name         string `wire:"logGroupName"`
	ARN          string `wire:"arn"`
	LogGroupARN  string `wire:"logGroupArn"`
	Class        string `wire:"logGroupClass"`
	CreationTime int64  `wire:"creationTime"`
	Retention    *int   `wire:"retentionInDays"`
	StoredBytes  int    `wire:"storedBytes"`
	Filters      int    `wire:"metricFilterCount"`
	KmsKeyID     string `wire:"kmsKeyId"`
	Protected    *bool  `wire:"deletionProtectionEnabled"`
}

type describeOutput struct {
	Groups    []groupOutput `wire:"logGroups"`
	NextToken string        `wire:"nextToken"`
}

func (s *Service) describe(_ context.Context, _ *wire.Call, in *describeInput) (describeOutput, error) {
	limit := 50
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 50 {
		return describeOutput{}, fail("InvalidParameterException", "limit must be between 1 and 50")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appear(in.Prefix)
	out := describeOutput{Groups: []groupOutput{}}
	only, err := s.identified(in)
	if err != nil {
		return out, err
	}
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if name <= in.NextToken || only != nil && !only[name] || !strings.HasPrefix(name, in.Prefix) || !strings.Contains(name, in.Pattern) {
			continue
		}
		if len(out.Groups) == limit {
			out.NextToken = out.Groups[limit-1].Name
			break
		}
		g := s.groups[name]
		out.Groups = append(out.Groups, groupOutput{
			Name: name, ARN: s.arn(name) + ":*", LogGroupARN: s.arn(name), Class: g.class,
			CreationTime: g.created.UnixMilli(), Retention: g.retention, Filters: len(g.metrics), KmsKeyID: g.key, Protected: &g.protected,
		})
	}
	return out, nil
}

// identified are the groups asked for by name, nil when none are; one that is
// not there spoils the answer. The caller holds the lock.
func (s *Service) identified(in *describeInput) (map[string]bool, error) {
	if len(in.Identifiers) == 0 {
		return nil, nil
	}
	if len(in.Identifiers) > 50 || in.Prefix != "" || in.Pattern != "" {
		return nil, fail("InvalidParameterException", "logGroupIdentifiers takes at most 50, and no other filter beside it")
	}
	only := map[string]bool{}
	for _, id := range in.Identifiers {
		if _, err := s.find(id); err != nil {
			return nil, err
		}
		if _, tail, ok := strings.Cut(id, ":log-group:"); ok {
			id = strings.TrimSuffix(tail, ":*")
		}
		only[id] = true
	}
	return only, nil
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	return s.change(in.id(), func(g *group) { maps.Copy(g.tags, in.Tags) })
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	return s.change(in.id(), func(g *group) {
		for _, k := range in.TagKeys {
			delete(g.tags, k)
		}
	})
}

type tagsOutput struct {
	Tags map[string]string `wire:"tags"`
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *groupInput) (tagsOutput, error) {
	var out tagsOutput
	_, err := s.change(in.id(), func(g *group) { out.Tags = maps.Clone(g.tags) })
	return out, err
}

// Tagged is the tags of every log group, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for name, g := range s.groups {
		out[s.arn(name)] = maps.Clone(g.tags)
	}
	return out
}
