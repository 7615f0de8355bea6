// Package tagging is the sandbox's Resource Groups Tagging API: one listing of
// the tagged resources of all services of an account in a region. It refuses
// to tag: that is done at each service.
package tagging

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Source tells the tags of one service's resources, by ARN.
type Source func() map[string]map[string]string

// Service lists what its sources tell.
type Service struct {
	*wire.Model
	sources []Source
}

// New makes a service over sources.
func New(sources ...Source) *Service {
	s := &Service{sources: sources}
	s.Model = &wire.Model{Signing: "tagging", Operations: map[string]wire.Operation{
		"GetResources": wire.Op(s.resources),
		"GetTagKeys":   wire.Op(s.keys),
		"GetTagValues": wire.Op(s.values),
	}}
	return s
}

type tagFilter struct {
	Key    string
	Values []string
}

type resourcesInput struct {
	ResourceARNList, ResourceTypeFilters []string
	TagFilters                           []tagFilter
	ResourcesPerPage                     *int
	PaginationToken                      string
}

type tag struct{ Key, Value string }

type mapping struct {
	ResourceARN string
	Tags        []tag
}

type resourcesOutput struct {
	ResourceTagMappingList []mapping
	// PaginationToken is "" at the end, and said so.
	PaginationToken *string
}

func fail(message string) *wire.Error {
	return &wire.Error{Status: 400, Code: "InvalidParameterException", Message: message}
}

// all are the resources that have tags.
func (s *Service) all() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, source := range s.sources {
		maps.Copy(out, source())
	}
	maps.DeleteFunc(out, func(_ string, tags map[string]string) bool { return len(tags) == 0 })
	return out
}

func (s *Service) resources(_ context.Context, _ *wire.Call, in *resourcesInput) (resourcesOutput, error) {
	limit := 100
	if in.ResourcesPerPage != nil {
		limit = *in.ResourcesPerPage
	}
	switch {
	case limit < 1 || limit > 100:
		return resourcesOutput{}, fail("ResourcesPerPage must be between 1 and 100.")
	case len(in.ResourceARNList) > 0 && (len(in.TagFilters) > 0 || len(in.ResourceTypeFilters) > 0):
		return resourcesOutput{}, fail("ResourceARNList cannot be combined with filters.")
	case len(in.TagFilters) > 50:
		return resourcesOutput{}, fail("at most 50 TagFilters")
	}
	all := s.all()
	end := ""
	out := resourcesOutput{ResourceTagMappingList: []mapping{}, PaginationToken: &end}
	for _, arn := range slices.Sorted(maps.Keys(all)) {
		if arn <= in.PaginationToken || !in.wants(arn, all[arn]) {
			continue
		}
		if len(out.ResourceTagMappingList) == limit {
			out.PaginationToken = &out.ResourceTagMappingList[limit-1].ResourceARN
			break
		}
		m := mapping{ResourceARN: arn, Tags: []tag{}}
		for _, k := range slices.Sorted(maps.Keys(all[arn])) {
			m.Tags = append(m.Tags, tag{Key: k, Value: all[arn][k]})
		}
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, m)
	}
	return out, nil
}

func (in *resourcesInput) wants(arn string, tags map[string]string) bool {
	if len(in.ResourceARNList) > 0 && !slices.Contains(in.ResourceARNList, arn) {
		return false
	}
	if len(in.ResourceTypeFilters) > 0 && !slices.ContainsFunc(in.ResourceTypeFilters, func(kind string) bool { return isKind(arn, kind) }) {
		return false
	}
	for _, f := range in.TagFilters {
		value, ok := tags[f.Key]
		if !ok || len(f.Values) > 0 && !slices.Contains(f.Values, value) {
			return false
		}
	}
	return true
}

// isKind matches an ARN with a type: lambda, or lambda:function.
func isKind(arn, kind string) bool {
	service, noun, narrowed := strings.Cut(kind, ":")
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[2] != service {
		return false
	}
	have, bare := map[string]string{"sqs": "queue", "sns": "topic"}[service] // services whose ARNs name no type
	if !bare {
		have = parts[5][:strings.IndexAny(parts[5]+":", ":/")]
	}
	return !narrowed || have == noun
}

type keysInput struct{ Key string }

type keysOutput struct {
	TagKeys, TagValues []string
	PaginationToken    *string
}

func (s *Service) keys(_ context.Context, _ *wire.Call, _ *keysInput) (keysOutput, error) {
	found := map[string]bool{}
	for _, tags := range s.all() {
		for k := range tags {
			found[k] = true
		}
	}
	end := ""
	return keysOutput{TagKeys: slices.Sorted(maps.Keys(found)), PaginationToken: &end}, nil
}

func (s *Service) values(_ context.Context, _ *wire.Call, in *keysInput) (keysOutput, error) {
	found := map[string]bool{}
	for _, tags := range s.all() {
		if v, ok := tags[in.Key]; ok {
			found[v] = true
		}
	}
	end := ""
	return keysOutput{TagValues: slices.Sorted(maps.Keys(found)), PaginationToken: &end}, nil
}
