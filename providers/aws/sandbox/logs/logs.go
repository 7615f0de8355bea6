// Package logs is the sandbox's CloudWatch Logs: log groups of one account in
// one region, with retention and tags, and the lines that functions of the
// sandbox wrote. It refuses to take log events from anybody else.
package logs

import (
	"context"
	"maps"
	"slices"
	"strconv"
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
}

// Service is one account's log groups in one region.
type Service struct {
	*wire.Model
	options Options

	mu     sync.Mutex
	groups map[string]*group
}

type group struct {
	created   time.Time
	retention *int
	class     string
	tags      map[string]string
}

// New makes a service without log groups.
func New(o Options) *Service {
	s := &Service{options: o, groups: map[string]*group{}}
	s.Model = &wire.Model{
		Signing: "logs",
		Operations: map[string]wire.Operation{
			"CreateLogGroup":        wire.Op(s.create),
			"DeleteLogGroup":        wire.Op(s.remove),
			"DescribeLogGroups":     wire.Op(s.describe),
			"PutRetentionPolicy":    wire.Op(s.putRetention),
			"DeleteRetentionPolicy": wire.Op(s.deleteRetention),
			"TagResource":           wire.Op(s.tag),
			"UntagResource":         wire.Op(s.untag),
			"ListTagsForResource":   wire.Op(s.listTags),
			"ListTagsLogGroup":      wire.Op(s.listTags),
			"FilterLogEvents":       wire.Op(s.filter),
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
	g, ok := s.groups[id]
	if !ok {
		return nil, fail("ResourceNotFoundException", "The specified log group does not exist.")
	}
	return g, nil
}

type groupInput struct {
	LogGroupName    string            `wire:"logGroupName"`
	LogGroupClass   string            `wire:"logGroupClass"`
	ResourceARN     string            `wire:"resourceArn"`
	RetentionInDays *int              `wire:"retentionInDays"`
	Tags            map[string]string `wire:"tags"`
	TagKeys         []string          `wire:"tagKeys"`
}

func (in *groupInput) id() string { return in.LogGroupName + in.ResourceARN }

func (s *Service) create(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	if in.LogGroupName == "" || len(in.LogGroupName) > 512 {
		return wire.None{}, fail("InvalidParameterException", "a log group's name has 1 to 512 characters")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.groups[in.LogGroupName]; taken {
		return wire.None{}, fail("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	g := &group{created: s.options.Now(), class: in.LogGroupClass, tags: maps.Clone(in.Tags)}
	if g.class == "" {
		g.class = "STANDARD"
	}
	if g.tags == nil {
		g.tags = map[string]string{}
	}
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
	return s.change(in.id(), func(*group) { delete(s.groups, in.LogGroupName) })
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
	out := describeOutput{Groups: []groupOutput{}}
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if name <= in.NextToken || !strings.HasPrefix(name, in.Prefix) || !strings.Contains(name, in.Pattern) {
			continue
		}
		if len(out.Groups) == limit {
			out.NextToken = out.Groups[limit-1].Name
			break
		}
		g := s.groups[name]
		out.Groups = append(out.Groups, groupOutput{
			Name: name, ARN: s.arn(name) + ":*", LogGroupARN: s.arn(name), Class: g.class,
			CreationTime: g.created.UnixMilli(), Retention: g.retention,
		})
	}
	return out, nil
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

type filterInput struct {
	LogGroupName       string `wire:"logGroupName"`
	LogGroupIdentifier string `wire:"logGroupIdentifier"`
	StartTime          *int64 `wire:"startTime"`
	EndTime            *int64 `wire:"endTime"`
	Pattern            string `wire:"filterPattern"`
	Limit              *int   `wire:"limit"`
	NextToken          string `wire:"nextToken"`
}

type eventOutput struct {
	ID        string `wire:"eventId"`
	Stream    string `wire:"logStreamName"`
	Timestamp int64  `wire:"timestamp"`
	Ingestion int64  `wire:"ingestionTime"`
	Message   string `wire:"message"`
}

type filterOutput struct {
	Events    []eventOutput `wire:"events"`
	NextToken string        `wire:"nextToken"`
}

const functionLogs = "/aws/lambda/"

// filter lists the lines of a function's log group; the pattern is taken as a
// plain text to contain.
func (s *Service) filter(_ context.Context, _ *wire.Call, in *filterInput) (filterOutput, error) {
	name := in.LogGroupName
	if _, tail, ok := strings.Cut(in.LogGroupIdentifier, ":log-group:"); ok {
		name = strings.TrimSuffix(tail, ":*")
	}
	function, isFunction := strings.CutPrefix(name, functionLogs)
	var lines []Line
	if isFunction && s.options.Lines != nil {
		lines = s.options.Lines(function)
	}
	s.mu.Lock()
	_, err := s.find(name)
	s.mu.Unlock()
	if err != nil && lines == nil {
		return filterOutput{}, err
	}
	limit, start := 10_000, 0
	if in.Limit != nil {
		limit = *in.Limit
	}
	if in.NextToken != "" {
		if start, err = strconv.Atoi(in.NextToken); err != nil {
			return filterOutput{}, fail("InvalidParameterException", "The nextToken is not valid.")
		}
	}
	out := filterOutput{Events: []eventOutput{}}
	for i, line := range lines {
		if i < start || !in.wants(line) {
			continue
		}
		if len(out.Events) == limit {
			out.NextToken = strconv.Itoa(i)
			break
		}
		at := line.At.UnixMilli()
		out.Events = append(out.Events, eventOutput{ID: strconv.Itoa(i), Stream: "sandbox", Timestamp: at, Ingestion: at, Message: line.Text})
	}
	return out, nil
}

func (in *filterInput) wants(line Line) bool {
	at := line.At.UnixMilli()
	return (in.StartTime == nil || at >= *in.StartTime) && (in.EndTime == nil || at <= *in.EndTime) &&
		strings.Contains(line.Text, strings.Trim(in.Pattern, `"`))
}
