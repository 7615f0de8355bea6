package events

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// bus is an event bus with its rules; the service's lock guards it.
type bus struct {
	rules map[string]*rule
	tags  map[string]string
}

// busName is the bare name of a bus, written as name or ARN; "" is the default
// one.
func busName(written string) string {
	if written == "" {
		return defaultBus
	}
	return written[strings.LastIndexByte(written, '/')+1:]
}

func (s *Service) busARN(name string) string {
	return "arn:aws:events:" + s.options.Region + ":" + s.options.Account + ":event-bus/" + name
}

// bus finds a bus; the caller holds the lock.
func (s *Service) bus(written string) (*bus, error) {
	b, ok := s.buses[busName(written)]
	if !ok {
		return nil, fail("ResourceNotFoundException", "Event bus "+written+" does not exist.")
	}
	return b, nil
}

// all are the rules of a bus, by name; the caller holds the lock.
func (b *bus) all() []*rule {
	out := make([]*rule, 0, len(b.rules))
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		out = append(out, b.rules[name])
	}
	return out
}

type busInput struct {
	Name string
	Tags []Tag
}

type busCreated struct{ EventBusArn string }

func (s *Service) createBus(_ context.Context, _ *wire.Call, in *busInput) (busCreated, error) {
	if in.Name == "" || strings.Contains(in.Name, "/") {
		return busCreated{}, fail("ValidationException", "Name "+in.Name+" is not valid.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buses[in.Name] != nil {
		return busCreated{}, fail("ResourceAlreadyExistsException", "Event bus "+in.Name+" already exists.")
	}
	made := &bus{rules: map[string]*rule{}, tags: map[string]string{}}
	for _, t := range in.Tags {
		made.tags[t.Key] = t.Value
	}
	s.buses[in.Name] = made
	return busCreated{EventBusArn: s.busARN(in.Name)}, nil
}

// deleteBus succeeds for what is absent.
func (s *Service) deleteBus(_ context.Context, _ *wire.Call, in *busInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buses[in.Name]
	switch {
	case in.Name == defaultBus:
		return wire.None{}, fail("ValidationException", "Cannot delete event bus default.")
	case b != nil && len(b.rules) > 0:
		return wire.None{}, fail("ValidationException", "Event bus "+in.Name+" can't be deleted since it has rules.")
	}
	delete(s.buses, in.Name)
	return wire.None{}, nil
}

type busOutput struct{ Name, Arn string }

func (s *Service) describeBus(_ context.Context, _ *wire.Call, in *busInput) (busOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.bus(in.Name)
	name := busName(in.Name)
	return busOutput{Name: name, Arn: s.busARN(name)}, err
}

type busesOutput struct{ EventBuses []busOutput }

func (s *Service) listBuses(context.Context, *wire.Call, *wire.None) (busesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := busesOutput{EventBuses: []busOutput{}}
	for _, name := range slices.Sorted(maps.Keys(s.buses)) {
		out.EventBuses = append(out.EventBuses, busOutput{Name: name, Arn: s.busARN(name)})
	}
	return out, nil
}
