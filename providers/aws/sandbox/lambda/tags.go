package lambda

import (
	"maps"
	"strings"
)

func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return invalid("Number of tags exceeds resource tag limit.")
	}
	for k, v := range tags {
		if k == "" || len(k) > 128 || len(v) > 256 || strings.HasPrefix(strings.ToLower(k), "aws:") {
			return invalid("The tag key %q or its value is not valid: keys have 1 to 128 characters and do not start with aws:, values have up to 256.", k)
		}
	}
	return nil
}

// tagged finds what an ARN names: a function's tags, a mapping's, or a code
// signing configuration's.
func (s *Service) tagged(q *request) (map[string]string, *function, error) {
	arn := q.path["Resource"]
	if prefix := s.mappingARN(""); strings.HasPrefix(arn, prefix) {
		if m := s.mappings[strings.TrimPrefix(arn, prefix)]; m != nil {
			return m.tags, nil, nil
		}
		return nil, nil, notFound("The resource you requested does not exist.")
	}
	if strings.HasPrefix(arn, s.signingARN("")) {
		c, err := s.signingByARN(arn)
		if err != nil {
			return nil, nil, notFound("The resource you requested does not exist.")
		}
		return c.tags, nil, nil
	}
	if !strings.HasPrefix(arn, "arn:") {
		return nil, nil, constraint(arn, "resource", "Member must be the ARN of a function, an event source mapping, a code signing configuration or a capacity provider")
	}
	ref, err := s.parseReference(arn, "")
	if err != nil {
		return nil, nil, err
	}
	if ref.qualifier != "" {
		return nil, nil, invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	f := s.functions[ref.name]
	if f == nil {
		return nil, nil, notFound("Function not found: %s", arn)
	}
	return f.tags, f, nil
}

func (s *Service) tagResource(q *request) (reply, error) {
	var in struct{ Tags map[string]string }
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	tags, f, err := s.tagged(q)
	if err != nil {
		return reply{}, err
	}
	joined := maps.Clone(tags)
	maps.Copy(joined, in.Tags)
	if err := checkTags(joined); err != nil {
		return reply{}, err
	}
	if err := s.retag(f); err != nil {
		return reply{}, err
	}
	maps.Copy(tags, in.Tags)
	return noContent()
}

func (s *Service) untagResource(q *request) (reply, error) {
	tags, f, err := s.tagged(q)
	if err != nil {
		return reply{}, err
	}
	if err := s.retag(f); err != nil {
		return reply{}, err
	}
	for _, key := range q.query["tagKeys"] {
		delete(tags, key)
	}
	return noContent()
}

// retag is what a change of tags does to a function: it needs a function at
// rest, and gives it a new RevisionId.
func (s *Service) retag(f *function) error {
	if f == nil {
		return nil
	}
	if err := s.changeable(f); err != nil {
		return err
	}
	s.renew(f.latest)
	return nil
}

func (s *Service) listTags(q *request) (reply, error) {
	tags, _, err := s.tagged(q)
	if err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"Tags": tags})
}

// Tagged are the tags of every function and mapping, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]map[string]string, len(s.functions)+len(s.mappings))
	for name, f := range s.functions {
		if len(f.tags) > 0 {
			out[s.qualifiedARN(name, "")] = maps.Clone(f.tags)
		}
	}
	for id, m := range s.mappings {
		if _, gone := s.state(m); !gone && len(m.tags) > 0 {
			out[s.mappingARN(id)] = maps.Clone(m.tags)
		}
	}
	for id, c := range s.signing {
		if len(c.tags) > 0 {
			out[s.signingARN(id)] = maps.Clone(c.tags)
		}
	}
	return out
}
