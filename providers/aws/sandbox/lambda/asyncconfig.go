package lambda

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// asyncConfig is how asynchronous calls of one qualifier are retried, and where
// their results go.
type asyncConfig struct {
	retries, age *int
	destinations destinationConfig
	modified     time.Time
}

type destination struct {
	Destination string `json:",omitempty"`
}

type destinationConfig struct {
	OnSuccess destination
	OnFailure destination
}

type asyncInput struct {
	MaximumRetryAttempts, MaximumEventAgeInSeconds *int
	DestinationConfig                              *struct{ OnSuccess, OnFailure *destination }
}

type asyncOutput struct {
	LastModified                                   float64
	FunctionArn                                    string
	MaximumRetryAttempts, MaximumEventAgeInSeconds *int `json:",omitempty"`
	DestinationConfig                              destinationConfig
}

// asyncOwner is the function and qualifier that a call means; "" is $LATEST.
func (s *Service) asyncOwner(q *request) (*function, string, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return nil, "", err
	}
	if ref.qualifier == "" {
		ref.qualifier = latest
	}
	if _, err := s.version(f, ref.qualifier); err != nil {
		return nil, "", err
	}
	return f, ref.qualifier, nil
}

func (s *Service) showAsync(f *function, qualifier string, c *asyncConfig) asyncOutput {
	return asyncOutput{LastModified: epoch(c.modified), FunctionArn: s.qualifiedARN(f.name, qualifier), MaximumRetryAttempts: c.retries,
		MaximumEventAgeInSeconds: c.age, DestinationConfig: c.destinations}
}

func (s *Service) putAsyncConfig(q *request) (reply, error)    { return s.writeAsync(q, false) }
func (s *Service) updateAsyncConfig(q *request) (reply, error) { return s.writeAsync(q, true) }

// writeAsync replaces the configuration, or merges into what is there.
func (s *Service) writeAsync(q *request, merge bool) (reply, error) {
	var in asyncInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, qualifier, err := s.asyncOwner(q)
	if err != nil {
		return reply{}, err
	}
	if in.MaximumRetryAttempts == nil && in.MaximumEventAgeInSeconds == nil && in.DestinationConfig == nil {
		return reply{}, invalid("You must specify at least one of error handling or destination setting.")
	}
	next := &asyncConfig{}
	if merge {
		old := f.async[qualifier]
		if old == nil {
			return reply{}, notFound("The function %s doesn't have an EventInvokeConfig", s.qualifiedARN(f.name, qualifier))
		}
		*next = *old
	}
	if err := s.applyAsync(next, in, s.qualifiedARN(f.name, qualifier)); err != nil {
		return reply{}, err
	}
	next.modified = s.opts.Now()
	f.async[qualifier] = next
	return ok(s.showAsync(f, qualifier, next))
}

func (s *Service) applyAsync(to *asyncConfig, in asyncInput, self string) error {
	if n := in.MaximumRetryAttempts; n != nil {
		if *n < 0 || *n > 2 {
			return constraint(*n, "maximumRetryAttempts", "Member must have value between 0 and 2")
		}
		to.retries = n
	}
	if n := in.MaximumEventAgeInSeconds; n != nil {
		if *n < 60 || *n > 21600 {
			return constraint(*n, "maximumEventAgeInSeconds", "Member must have value between 60 and 21600")
		}
		to.age = n
	}
	if in.DestinationConfig == nil {
		return nil
	}
	replace(&to.destinations.OnSuccess, in.DestinationConfig.OnSuccess)
	replace(&to.destinations.OnFailure, in.DestinationConfig.OnFailure)
	for _, d := range []string{to.destinations.OnSuccess.Destination, to.destinations.OnFailure.Destination} {
		if d == "" {
			continue
		}
		if !strings.HasPrefix(d, "arn:") {
			return constraint(d, "destinationConfig", "Member must be an ARN")
		}
		if d == self {
			return invalid("You can't specify the function as a destination for itself.")
		}
	}
	return nil
}

func (s *Service) getAsyncConfig(q *request) (reply, error) {
	f, qualifier, err := s.asyncOwner(q)
	if err != nil {
		return reply{}, err
	}
	c := f.async[qualifier]
	if c == nil {
		return reply{}, notFound("The function %s doesn't have an EventInvokeConfig", s.qualifiedARN(f.name, qualifier))
	}
	return ok(s.showAsync(f, qualifier, c))
}

func (s *Service) deleteAsyncConfig(q *request) (reply, error) {
	f, qualifier, err := s.asyncOwner(q)
	if err != nil {
		return reply{}, err
	}
	if f.async[qualifier] == nil {
		return reply{}, notFound("The function %s doesn't have an EventInvokeConfig", s.qualifiedARN(f.name, qualifier))
	}
	delete(f.async, qualifier)
	return noContent()
}

func (s *Service) listAsyncConfigs(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	names, next, err := page(q, slices.Sorted(maps.Keys(f.async)), 50, func(n string) string { return n })
	if err != nil {
		return reply{}, err
	}
	list := make([]asyncOutput, 0, len(names))
	for _, name := range names {
		list = append(list, s.showAsync(f, name, f.async[name]))
	}
	return ok(listing("FunctionEventInvokeConfigs", list, next))
}
