package states

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"mooring.dev/providers/aws/sandbox/wire"
)

// flow is one level of states: a machine, a branch, or what a Map runs.
type flow struct {
	StartAt       string
	QueryLanguage string
	States        map[string]*state
}

// state is one state of any type.
type state struct {
	Type, Next, Resource, Default      string
	End                                bool
	InputPath, OutputPath, ResultPath  optional
	Parameters, ResultSelector, Result any
	Retry                              []retrier
	Catch                              []catcher
	Choices                            []map[string]any
	Branches                           []*flow
	ItemProcessor, Iterator            *flow
	ItemsPath                          string
	ItemSelector                       any
	Seconds                            *float64
	SecondsPath, Timestamp             string
	TimestampPath                      string
	Error, Cause, ErrorPath, CausePath string
	TimeoutSeconds                     float64
	QueryLanguage                      string
}

// optional is a path that may be left out, or be null: nothing at all.
type optional struct {
	set, null bool
	path      string
}

// UnmarshalJSON tells null from absence.
func (o *optional) UnmarshalJSON(text []byte) error {
	o.set = true
	if string(text) == "null" {
		o.null = true
		return nil
	}
	return json.Unmarshal(text, &o.path)
}

type retrier struct {
	ErrorEquals     []string
	IntervalSeconds *float64
	MaxAttempts     *int
	BackoffRate     *float64
}

type catcher struct {
	ErrorEquals []string
	Next        string
	ResultPath  optional
}

// diagnostic is a fault of a definition.
type diagnostic struct {
	Severity string `wire:"severity"`
	Code     string `wire:"code"`
	Message  string `wire:"message"`
	Location string `wire:"location"`
}

func parse(definition string) (*flow, error) {
	var f flow
	if err := json.Unmarshal([]byte(definition), &f); err != nil {
		return nil, fmt.Errorf("the definition is not what a state machine is: %w", err)
	}
	return &f, nil
}

// faultsOf are the faults of a definition, as far as the sandbox looks.
func faultsOf(definition string) []diagnostic {
	f, err := parse(definition)
	if err != nil {
		return []diagnostic{{"ERROR", "INVALID_JSON_DESCRIPTION", err.Error(), "/"}}
	}
	return f.faults("")
}

func (f *flow) faults(at string) []diagnostic {
	var out []diagnostic
	add := func(where, format string, args ...any) {
		out = append(out, diagnostic{"ERROR", "SCHEMA_VALIDATION_FAILED", fmt.Sprintf(format, args...), at + where})
	}
	if len(f.States) == 0 {
		add("/States", "States is required")
		return out
	}
	known := func(where, name string) {
		if f.States[name] == nil {
			out = append(out, diagnostic{"ERROR", "MISSING_TRANSITION_TARGET", "Missing 'Next' target: " + name, at + where})
		}
	}
	known("/StartAt", f.StartAt)
	for _, name := range slices.Sorted(maps.Keys(f.States)) {
		s, where := f.States[name], "/States/"+name
		if s == nil {
			add(where, "a state must be an object")
			continue
		}
		inner := s.ItemProcessor
		if inner == nil {
			inner = s.Iterator
		}
		ends := s.Type == "Choice" || s.Type == "Succeed" || s.Type == "Fail"
		switch {
		case !slices.Contains([]string{"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}, s.Type):
			add(where+"/Type", "Type %q is not supported", s.Type)
		case !ends && s.Next == "" && !s.End:
			add(where, "Next or End is required")
		case s.Next != "":
			known(where+"/Next", s.Next)
		}
		switch {
		case s.Type == "Task" && s.Resource == "":
			add(where+"/Resource", "Resource is required")
		case s.Type == "Choice" && len(s.Choices) == 0:
			add(where+"/Choices", "Choices is required")
		case s.Type == "Parallel" && len(s.Branches) == 0:
			add(where+"/Branches", "Branches is required")
		case s.Type == "Map" && inner == nil:
			add(where+"/ItemProcessor", "ItemProcessor is required")
		}
		for _, c := range s.Choices {
			next, _ := c["Next"].(string)
			known(where+"/Choices", next)
		}
		if s.Default != "" {
			known(where+"/Default", s.Default)
		}
		for _, c := range s.Catch {
			known(where+"/Catch", c.Next)
		}
		for _, b := range s.Branches {
			out = append(out, b.faults(where+"/Branches")...)
		}
		if inner != nil {
			out = append(out, inner.faults(where+"/ItemProcessor")...)
		}
	}
	return out
}

type validateInput struct {
	Definition string `wire:"definition"`
}

type validateOutput struct {
	Result      string       `wire:"result"`
	Diagnostics []diagnostic `wire:"diagnostics"`
	Truncated   bool         `wire:"truncated"`
}

func (s *Service) validate(_ context.Context, _ *wire.Call, in *validateInput) (validateOutput, error) {
	out := validateOutput{Result: "OK", Diagnostics: []diagnostic{}}
	if faults := faultsOf(in.Definition); len(faults) > 0 {
		out.Result, out.Diagnostics = "FAIL", faults
	}
	return out, nil
}
