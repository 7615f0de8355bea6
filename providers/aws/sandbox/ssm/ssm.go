// Package ssm is the sandbox's Parameter Store: one account's parameters in one
// region, with versions. Values stay in memory and are never recorded; a
// SecureString is answered as a made-up ciphertext unless decryption is asked
// for. It refuses the rest of Systems Manager.
package ssm

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's place and time.
type Options struct {
	Now     func() time.Time
	Account string
	Region  string
}

// Service is one account's parameters in one region.
type Service struct {
	*wire.Model
	options Options

	mu         sync.Mutex
	parameters map[string]*parameter
}

// parameter is one parameter; the service's lock guards it.
type parameter struct {
	name, kind, description, dataType, tier, key string
	versions                                     []version // version 1 first
	tags                                         map[string]string
}

type version struct {
	value    string
	modified time.Time
	user     string
}

// New makes a service without parameters.
func New(o Options) *Service {
	s := &Service{options: o, parameters: map[string]*parameter{}}
	s.Model = &wire.Model{
		Signing: "ssm",
		Hidden:  []string{"Value"},
		Operations: map[string]wire.Operation{
			"PutParameter":           wire.Op(s.put),
			"GetParameter":           wire.Op(s.get),
			"GetParameters":          wire.Op(s.getMany),
			"GetParametersByPath":    wire.Op(s.getByPath),
			"DescribeParameters":     wire.Op(s.describe),
			"DeleteParameter":        wire.Op(s.remove),
			"DeleteParameters":       wire.Op(s.removeMany),
			"AddTagsToResource":      wire.Op(s.tag),
			"RemoveTagsFromResource": wire.Op(s.untag),
			"ListTagsForResource":    wire.Op(s.listTags),
		},
	}
	return s
}

func fail(code, message string) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: message}
}

func (s *Service) arn(name string) string {
	return "arn:aws:ssm:" + s.options.Region + ":" + s.options.Account + ":parameter/" + strings.TrimPrefix(name, "/")
}

// find is a parameter by name or ARN; the caller holds the lock.
func (s *Service) find(id string) (*parameter, error) {
	if _, tail, ok := strings.Cut(id, ":parameter"); ok && strings.HasPrefix(id, "arn:") {
		id = tail
		if _, rooted := s.parameters[id]; !rooted {
			id = strings.TrimPrefix(id, "/")
		}
	}
	p, ok := s.parameters[id]
	if !ok {
		return nil, fail("ParameterNotFound", "Parameter "+id+" not found.")
	}
	return p, nil
}

// Tag is a tag.
type Tag struct{ Key, Value string }

type putInput struct {
	Name, Description, Value, Type, KeyId, Tier, DataType string
	Overwrite                                             bool
	Tags                                                  []Tag
}

type putOutput struct {
	Version int
	Tier    string
}

func (s *Service) put(_ context.Context, c *wire.Call, in *putInput) (putOutput, error) {
	if in.Name == "" || in.Value == "" {
		return putOutput{}, fail("ValidationException", "a parameter needs a Name and a Value")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parameters[in.Name]
	switch {
	case p != nil && !in.Overwrite:
		return putOutput{}, fail("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case p == nil:
		if !slices.Contains([]string{"String", "StringList", "SecureString"}, in.Type) {
			return putOutput{}, fail("ValidationException", "A parameter type is required when you create a parameter.")
		}
		p = &parameter{name: in.Name, kind: in.Type, dataType: "text", tier: "Standard", tags: map[string]string{}}
		s.parameters[in.Name] = p
	}
	p.settings(in)
	p.versions = append(p.versions, version{value: in.Value, modified: s.options.Now(), user: c.Actor.ARN})
	return putOutput{Version: len(p.versions), Tier: p.tier}, nil
}

func (p *parameter) settings(in *putInput) {
	for _, field := range []struct {
		given string
		into  *string
	}{{in.Type, &p.kind}, {in.DataType, &p.dataType}, {in.Tier, &p.tier}, {in.KeyId, &p.key}, {in.Description, &p.description}} {
		if field.given != "" {
			*field.into = field.given
		}
	}
	if p.kind == "SecureString" && p.key == "" {
		p.key = "alias/aws/ssm"
	}
	for _, t := range in.Tags {
		p.tags[t.Key] = t.Value
	}
}

// Parameter is a parameter as it is read.
type Parameter struct {
	Name, Type, Value, ARN, DataType, Selector string
	Version                                    int
	LastModifiedDate                           time.Time
}

type getInput struct {
	Name           string
	Names          []string
	WithDecryption bool
}

type getOutput struct{ Parameter Parameter }

// read is a parameter, or the version of it that NAME:VERSION asks for; the
// caller holds the lock.
func (s *Service) read(id string, decrypt bool) (Parameter, error) {
	selector := ""
	p, err := s.find(id)
	if i := strings.LastIndexByte(id, ':'); err != nil && i > 0 {
		selector = id[i:]
		p, err = s.find(id[:i])
	}
	if err != nil {
		return Parameter{}, err
	}
	n := len(p.versions)
	if selector != "" {
		if n, err = strconv.Atoi(selector[1:]); err != nil || n < 1 || n > len(p.versions) {
			return Parameter{}, fail("ParameterVersionNotFound", "Systems Manager could not find version "+selector[1:]+" of "+p.name)
		}
	}
	v := p.versions[n-1]
	value := v.value
	if p.kind == "SecureString" && !decrypt {
		value = base64.StdEncoding.EncodeToString([]byte("sandbox:" + wire.NewID()))
	}
	return Parameter{
		Name: p.name, Type: p.kind, Value: value, ARN: s.arn(p.name), DataType: p.dataType,
		Selector: selector, Version: n, LastModifiedDate: v.modified,
	}, nil
}

func (s *Service) get(_ context.Context, _ *wire.Call, in *getInput) (getOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.read(in.Name, in.WithDecryption)
	return getOutput{Parameter: p}, err
}

type getManyOutput struct {
	Parameters        []Parameter
	InvalidParameters []string
	NextToken         string
}

func (s *Service) getMany(_ context.Context, _ *wire.Call, in *getInput) (getManyOutput, error) {
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return getManyOutput{}, fail("ValidationException", "Names must have between 1 and 10 members")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := getManyOutput{Parameters: []Parameter{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		p, err := s.read(name, in.WithDecryption)
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		out.Parameters = append(out.Parameters, p)
	}
	return out, nil
}

type pathInput struct {
	Path, NextToken           string
	Recursive, WithDecryption bool
	MaxResults                *int
}

func (s *Service) getByPath(_ context.Context, _ *wire.Call, in *pathInput) (getManyOutput, error) {
	limit := 10
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if limit < 1 || limit > 10 {
		return getManyOutput{}, fail("ValidationException", "MaxResults must be between 1 and 10")
	}
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	s.mu.Lock()
	defer s.mu.Unlock()
	out := getManyOutput{Parameters: []Parameter{}}
	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		rest, below := strings.CutPrefix(name, prefix)
		if !below || name <= in.NextToken || !in.Recursive && strings.Contains(rest, "/") {
			continue
		}
		if len(out.Parameters) == limit {
			out.NextToken = out.Parameters[limit-1].Name
			break
		}
		p, err := s.read(name, in.WithDecryption)
		if err != nil {
			return out, err
		}
		out.Parameters = append(out.Parameters, p)
	}
	return out, nil
}

func (s *Service) remove(_ context.Context, _ *wire.Call, in *getInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.Name)
	if err != nil {
		return wire.None{}, err
	}
	delete(s.parameters, p.name)
	return wire.None{}, nil
}

type removedOutput struct{ DeletedParameters, InvalidParameters []string }

func (s *Service) removeMany(_ context.Context, _ *wire.Call, in *getInput) (removedOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := removedOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		if _, ok := s.parameters[name]; !ok {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		delete(s.parameters, name)
		out.DeletedParameters = append(out.DeletedParameters, name)
	}
	return out, nil
}
