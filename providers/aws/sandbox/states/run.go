package states

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// failure is how a state or an execution fails, by the names of the language.
type failure struct{ Error, Cause string }

func runtimeFailure(err error) *failure { return &failure{"States.Runtime", err.Error()} }

// runner runs the states of one execution.
type runner struct {
	service *Service
	e       *execution
	role    string
	context map[string]any
}

// run goes from StartAt to an end.
func (r *runner) run(ctx context.Context, f *flow, input any) (any, *failure) {
	name := f.StartAt
	for {
		s := f.States[name]
		if s == nil {
			return nil, &failure{"States.Runtime", "there is no state " + name}
		}
		if s.QueryLanguage == "JSONata" || f.QueryLanguage == "JSONata" {
			return nil, &failure{"States.Runtime", "the sandbox does not speak JSONata"}
		}
		r.e.note(s.Type+"StateEntered", map[string]any{"name": name, "input": text(input)})
		output, next, failed := r.retried(ctx, s, input)
		if failed != nil {
			return nil, failed
		}
		r.e.note(s.Type+"StateExited", map[string]any{"name": name, "output": text(output)})
		if next == "" {
			return output, nil
		}
		name, input = next, output
	}
}

// retried runs one state until it succeeds, is caught, or fails for good.
func (r *runner) retried(ctx context.Context, s *state, input any) (any, string, *failure) {
	attempts := make([]int, len(s.Retry))
	for {
		output, next, failed := r.state(ctx, s, input)
		if failed == nil || ctx.Err() != nil {
			return output, next, failed
		}
		i := slices.IndexFunc(s.Retry, func(t retrier) bool { return matches(t.ErrorEquals, failed.Error) })
		if i < 0 || attempts[i] >= orElse(s.Retry[i].MaxAttempts, 3) {
			return r.caught(s, input, failed)
		}
		wait := orElse(s.Retry[i].IntervalSeconds, 1) * math.Pow(orElse(s.Retry[i].BackoffRate, 2), float64(attempts[i]))
		attempts[i]++
		if !sleep(ctx, wait) {
			return nil, "", failed
		}
	}
}

func orElse[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

func matches(names []string, failed string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return n == failed || n == "States.ALL" || n == "States.TaskFailed" && !strings.HasPrefix(failed, "States.")
	})
}

func (r *runner) caught(s *state, input any, failed *failure) (any, string, *failure) {
	for _, c := range s.Catch {
		if !matches(c.ErrorEquals, failed.Error) {
			continue
		}
		output, err := result(c.ResultPath, input, map[string]any{"Error": failed.Error, "Cause": failed.Cause})
		if err != nil {
			return nil, "", runtimeFailure(err)
		}
		return output, c.Next, nil
	}
	return nil, "", failed
}

// state runs one state once: input, work, output.
func (r *runner) state(ctx context.Context, s *state, raw any) (any, string, *failure) {
	input, err := through(s.InputPath, raw, r.context)
	if err != nil {
		return nil, "", runtimeFailure(err)
	}
	next := s.Next
	var output any
	switch s.Type {
	case "Succeed":
		output, err = through(s.OutputPath, input, r.context)
		if err != nil {
			return nil, "", runtimeFailure(err)
		}
		return output, "", nil
	case "Fail":
		return nil, "", &failure{r.named(s.Error, s.ErrorPath, input), r.named(s.Cause, s.CausePath, input)}
	case "Wait":
		if failed := r.wait(ctx, s, input); failed != nil {
			return nil, "", failed
		}
		output = input
	case "Choice":
		if next, err = r.choose(s, input); err != nil {
			return nil, "", runtimeFailure(err)
		}
		if next == "" {
			return nil, "", &failure{"States.NoChoiceMatched", "no choice matched"}
		}
		output = input
	default:
		worked, failed := r.work(ctx, s, input)
		if failed != nil {
			return nil, "", failed
		}
		if output, err = result(s.ResultPath, raw, worked); err != nil {
			return nil, "", runtimeFailure(err)
		}
	}
	if output, err = through(s.OutputPath, output, r.context); err != nil {
		return nil, "", runtimeFailure(err)
	}
	return output, next, nil
}

// work is what a Task, Pass, Parallel or Map makes of its input.
func (r *runner) work(ctx context.Context, s *state, input any) (any, *failure) {
	if s.Parameters != nil && s.Type != "Map" {
		var err error
		if input, err = fill(s.Parameters, input, r.context); err != nil {
			return nil, &failure{"States.ParameterPathFailure", err.Error()}
		}
	}
	var output any
	var failed *failure
	switch s.Type {
	case "Task":
		output, failed = r.task(ctx, s, input)
	case "Parallel":
		output, failed = together(ctx, len(s.Branches), func(ctx context.Context, i int) (any, *failure) {
			return r.run(ctx, s.Branches[i], input)
		})
	case "Map":
		output, failed = r.each(ctx, s, input)
	default: // Pass
		if output = input; s.Result != nil {
			output = s.Result
		}
	}
	if failed != nil || s.ResultSelector == nil {
		return output, failed
	}
	selected, err := fill(s.ResultSelector, output, r.context)
	if err != nil {
		return nil, &failure{"States.ParameterPathFailure", err.Error()}
	}
	return selected, nil
}

func (r *runner) each(ctx context.Context, s *state, input any) (any, *failure) {
	items := input
	if s.ItemsPath != "" {
		var err error
		if items, err = follow(s.ItemsPath, input, r.context); err != nil {
			return nil, runtimeFailure(err)
		}
	}
	list, ok := items.([]any)
	if !ok {
		return nil, &failure{"States.Runtime", "a Map needs a list"}
	}
	inner, template := s.ItemProcessor, s.ItemSelector
	if inner == nil {
		inner = s.Iterator
	}
	if template == nil {
		template = s.Parameters
	}
	return together(ctx, len(list), func(ctx context.Context, i int) (any, *failure) {
		item := list[i]
		if template != nil {
			context := map[string]any{"Map": map[string]any{"Item": map[string]any{"Index": float64(i), "Value": item}}}
			for key, value := range r.context {
				context[key] = value
			}
			var err error
			if item, err = fill(template, input, context); err != nil {
				return nil, &failure{"States.ParameterPathFailure", err.Error()}
			}
		}
		return r.run(ctx, inner, item)
	})
}

// together runs n flows side by side; the first failure stops the others.
func together(ctx context.Context, n int, run func(context.Context, int) (any, *failure)) (any, *failure) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := make([]any, n)
	var first *failure
	var once sync.Once
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			output, failed := run(ctx, i)
			if failed != nil {
				once.Do(func() { first = failed })
				stop()
			}
			out[i] = output
		})
	}
	group.Wait()
	return out, first
}

func (r *runner) choose(s *state, input any) (string, error) {
	for _, rule := range s.Choices {
		ok, err := holds(rule, input, r.context)
		if err != nil {
			return "", err
		}
		if ok {
			next, _ := rule["Next"].(string)
			return next, nil
		}
	}
	return s.Default, nil
}

func (r *runner) wait(ctx context.Context, s *state, input any) *failure {
	seconds := orElse(s.Seconds, 0)
	stamp := s.Timestamp
	var err error
	var value any
	if path := s.SecondsPath + s.TimestampPath; path != "" {
		if value, err = follow(path, input, r.context); err != nil {
			return runtimeFailure(err)
		}
		if n, ok := value.(float64); ok {
			seconds = n
		}
		if t, ok := value.(string); ok {
			stamp = t
		}
	}
	if stamp != "" {
		until, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			return runtimeFailure(err)
		}
		seconds = until.Sub(r.service.options.Now()).Seconds()
	}
	if !sleep(ctx, seconds) {
		return &failure{"States.Timeout", "the execution was stopped"}
	}
	return nil
}

func sleep(ctx context.Context, seconds float64) bool {
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (r *runner) named(literal, path string, input any) string {
	if path == "" {
		return literal
	}
	value, err := follow(path, input, r.context)
	if err != nil {
		return err.Error()
	}
	name, _ := value.(string)
	return name
}

// through is what a path of input or output lets pass: all, nothing, a part.
func through(o optional, doc, context any) (any, error) {
	switch {
	case o.null:
		return map[string]any{}, nil
	case !o.set || o.path == "$":
		return doc, nil
	}
	return follow(o.path, doc, context)
}

// result joins what a state made with what it was given.
func result(o optional, input, made any) (any, error) {
	switch {
	case o.null:
		return input, nil
	case !o.set || o.path == "$":
		return made, nil
	}
	return place(o.path, input, made)
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return "null" // what executions carry came out of JSON
	}
	return string(raw)
}
