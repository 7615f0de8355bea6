package kinesis

import (
	"context"
	"maps"
	"slices"

	"mooring.dev/providers/aws/sandbox/wire"
)

func (s *Service) addTags(_ context.Context, _ *wire.Call, in *input) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return wire.None{}, err
	}
	maps.Copy(d.tags, in.Tags)
	return wire.None{}, nil
}

func (s *Service) removeTags(_ context.Context, _ *wire.Call, in *input) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return wire.None{}, err
	}
	for _, key := range in.TagKeys {
		delete(d.tags, key)
	}
	return wire.None{}, nil
}

type tag struct{ Key, Value string }

type tagsOutput struct {
	Tags        []tag
	HasMoreTags bool
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *input) (tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return tagsOutput{}, err
	}
	out := tagsOutput{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(d.tags)) {
		out.Tags = append(out.Tags, tag{key, d.tags[key]})
	}
	return out, nil
}

// Tagged is the tags of every stream, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for _, d := range s.streams {
		out[d.arn] = maps.Clone(d.tags)
	}
	return out
}
