package ssm

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// metadata is a parameter without its value.
type metadata struct {
	Name, ARN, Type, KeyId, Description, Tier, DataType, LastModifiedUser string
	Version                                                               int
	LastModifiedDate                                                      time.Time
	Policies                                                              []wire.None
}

// filter is one of DescribeParameters' filters; ParameterFilters have an
// Option, the older Filters none.
type filter struct {
	Key, Option string
	Values      []string
}

type describeInput struct {
	Filters, ParameterFilters []filter
	MaxResults                *int
	NextToken                 string
}

type describeOutput struct {
	Parameters []metadata
	NextToken  string
}

func (s *Service) describe(_ context.Context, _ *wire.Call, in *describeInput) (describeOutput, error) {
	limit := 50
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if limit < 1 || limit > 50 {
		return describeOutput{}, fail("ValidationException", "MaxResults must be between 1 and 50")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := describeOutput{Parameters: []metadata{}}
	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		p := s.parameters[name]
		if name <= in.NextToken || !p.matches(append(in.Filters, in.ParameterFilters...)) {
			continue
		}
		if len(out.Parameters) == limit {
			out.NextToken = out.Parameters[limit-1].Name
			break
		}
		last := p.versions[len(p.versions)-1]
		out.Parameters = append(out.Parameters, metadata{
			Name: p.name, ARN: s.arn(p.name), Type: p.kind, KeyId: p.key, Description: p.description, Tier: p.tier,
			DataType: p.dataType, LastModifiedUser: last.user, Version: len(p.versions), LastModifiedDate: last.modified,
			Policies: []wire.None{},
		})
	}
	return out, nil
}

func (p *parameter) matches(filters []filter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(f.Values, func(want string) bool { return p.hit(f, want) }) {
			return false
		}
	}
	return true
}

func (p *parameter) hit(f filter, want string) bool {
	have := map[string]string{"Name": p.name, "Type": p.kind, "KeyId": p.key, "Tier": p.tier, "DataType": p.dataType}[f.Key]
	if key, tagged := strings.CutPrefix(f.Key, "tag:"); tagged {
		have = p.tags[key]
	}
	switch {
	case f.Key == "Path":
		rest, below := strings.CutPrefix(p.name, strings.TrimSuffix(want, "/")+"/")
		return below && (f.Option == "Recursive" || !strings.Contains(rest, "/"))
	case f.Option == "BeginsWith":
		return strings.HasPrefix(have, want)
	case f.Option == "Contains":
		return strings.Contains(have, want)
	default:
		return have == want
	}
}

type tagInput struct {
	ResourceId, ResourceType string
	Tags                     []Tag
	TagKeys                  []string
}

type tagOutput struct{ TagList []Tag }

// tagged is the parameter a tag request is about; the caller holds the lock.
func (s *Service) tagged(in *tagInput) (*parameter, error) {
	p, err := s.find(in.ResourceId)
	if err != nil || in.ResourceType != "Parameter" {
		return nil, fail("InvalidResourceId", "The resource ID isn't valid.")
	}
	return p, nil
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in)
	if err != nil {
		return wire.None{}, err
	}
	for _, t := range in.Tags {
		p.tags[t.Key] = t.Value
	}
	return wire.None{}, nil
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in)
	if err != nil {
		return wire.None{}, err
	}
	for _, k := range in.TagKeys {
		delete(p.tags, k)
	}
	return wire.None{}, nil
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *tagInput) (tagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in)
	if err != nil {
		return tagOutput{}, err
	}
	out := tagOutput{TagList: []Tag{}}
	for _, k := range slices.Sorted(maps.Keys(p.tags)) {
		out.TagList = append(out.TagList, Tag{Key: k, Value: p.tags[k]})
	}
	return out, nil
}

// Tagged is the tags of every parameter, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for _, p := range s.parameters {
		out[s.arn(p.name)] = maps.Clone(p.tags)
	}
	return out
}
