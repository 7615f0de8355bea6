package states

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// execution is one run. mu guards what the run itself writes.
type execution struct {
	arn, name, machine        string
	versionARN, aliasARN      string
	started                   time.Time
	input                     string
	cancel                    context.CancelFunc
	done                      chan struct{}
	now                       func() time.Time
	mu                        sync.Mutex
	status                    string
	stopped                   time.Time
	output, failedBy, because string
	events                    []event
}

type event struct {
	at      time.Time
	kind    string
	details map[string]any
}

// mostEvents is how much of an execution AWS remembers.
const mostEvents = 25_000

func (e *execution) note(kind string, details map[string]any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.events) < mostEvents {
		e.events = append(e.events, event{e.now(), kind, details})
	}
}

type startInput struct {
	StateMachineArn string `wire:"stateMachineArn"`
	ExecutionArn    string `wire:"executionArn"`
	Name            string `wire:"name"`
	Input           string `wire:"input"`
	Error           string `wire:"error"`
	Cause           string `wire:"cause"`
	NextToken       string `wire:"nextToken"`
	MaxResults      int    `wire:"maxResults"`
	ReverseOrder    bool   `wire:"reverseOrder"`
}

type executionOutput struct {
	ExecutionArn           string    `wire:"executionArn"`
	StateMachineArn        string    `wire:"stateMachineArn"`
	StateMachineVersionArn string    `wire:"stateMachineVersionArn"`
	StateMachineAliasArn   string    `wire:"stateMachineAliasArn"`
	Name                   string    `wire:"name"`
	Status                 string    `wire:"status"`
	StartDate              time.Time `wire:"startDate"`
	StopDate               time.Time `wire:"stopDate"`
	Input                  string    `wire:"input"`
	Output                 string    `wire:"output"`
	Error                  string    `wire:"error"`
	Cause                  string    `wire:"cause"`
}

func (s *Service) start(_ context.Context, _ *wire.Call, in *startInput) (executionOutput, error) {
	e, err := s.begin(in, "")
	if err != nil {
		return executionOutput{}, err
	}
	return executionOutput{ExecutionArn: e.arn, StartDate: e.started}, nil
}

// Start starts an execution, as an AWS service does.
func (s *Service) Start(_ context.Context, machine, input string) error {
	_, err := s.begin(&startInput{StateMachineArn: machine, Input: input}, "")
	return err
}

func (s *Service) startSync(ctx context.Context, _ *wire.Call, in *startInput) (executionOutput, error) {
	e, err := s.begin(in, "EXPRESS")
	if err != nil {
		return executionOutput{}, err
	}
	select {
	case <-ctx.Done():
		e.cancel()
		return executionOutput{}, ctx.Err()
	case <-e.done:
		return e.shown(s), nil
	}
}

// begin starts an execution of a machine, a version, or what an alias says.
func (s *Service) begin(in *startInput, kind string) (*execution, error) {
	if in.Input == "" {
		in.Input = "{}"
	}
	var input any
	if json.Unmarshal([]byte(in.Input), &input) != nil {
		return nil, fail("InvalidExecutionInput", "Invalid State Machine Execution Input: it is not JSON")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, qualifier, err := s.find(in.StateMachineArn)
	switch {
	case err != nil:
		return nil, err
	case !m.deleted.IsZero():
		return nil, fail("StateMachineDeleting", "State Machine is being deleted: '"+in.StateMachineArn+"'")
	case kind != "" && m.kind != kind:
		return nil, fail("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
	}
	if in.Name == "" {
		in.Name = wire.NewID()
	}
	word := "execution"
	if m.kind == "EXPRESS" {
		word = "express"
	}
	e := &execution{
		name: in.Name, machine: m.name, input: in.Input, started: s.options.Now(), status: "RUNNING",
		done: make(chan struct{}), now: s.options.Now,
		arn: strings.Replace(s.arn(m.name), ":stateMachine:", ":"+word+":", 1) + ":" + in.Name,
	}
	if have, taken := s.executions[e.arn]; taken {
		if have.input == in.Input && have.shown(s).Status == "RUNNING" {
			return have, nil
		}
		return nil, fail("ExecutionAlreadyExists", "Execution Already Exists: '"+e.arn+"'")
	}
	settings := m.settings
	if qualifier != "" {
		v, err := s.qualified(m, qualifier, e, in.StateMachineArn)
		if err != nil {
			return nil, err
		}
		settings = v.settings
	}
	f, err := parse(settings.Definition)
	if err != nil {
		return nil, err
	}
	s.executions[e.arn] = e
	s.launch(e, f, settings.RoleArn, input)
	return e, nil
}

// qualified finds the version a qualified ARN starts: its own, or one of the
// alias's by weight. Starts are spread evenly rather than by chance.
func (s *Service) qualified(m *machine, qualifier string, e *execution, arn string) (*version, error) {
	number := qualifier
	if a := m.aliases[qualifier]; a != nil {
		e.aliasARN = arn
		s.pick++
		roll, sum := int(s.pick*61%100), 0
		for _, r := range a.routing {
			if sum += r.Weight; roll < sum {
				number = r.StateMachineVersionArn[strings.LastIndexByte(r.StateMachineVersionArn, ':')+1:]
				break
			}
		}
	}
	v := m.version(number)
	if v == nil {
		return nil, noMachine(arn)
	}
	e.versionARN = s.versionArn(m, v)
	return v, nil
}

// launch runs an execution; the caller holds the lock.
func (s *Service) launch(e *execution, f *flow, role string, input any) {
	ctx, cancel := context.WithCancel(s.alive)
	e.cancel = cancel
	s.measure(e, "ExecutionsStarted")
	e.note("ExecutionStarted", map[string]any{"input": e.input, "roleArn": role})
	r := &runner{service: s, e: e, role: role, context: map[string]any{
		"Execution":    map[string]any{"Id": e.arn, "Name": e.name, "Input": input, "RoleArn": role, "StartTime": e.started.Format(time.RFC3339)},
		"StateMachine": map[string]any{"Id": s.arn(e.machine), "Name": e.machine},
	}}
	s.running.Go(func() {
		defer close(e.done)
		defer cancel()
		output, failed := r.run(ctx, f, input)
		e.end(ctx, output, failed)
		s.measure(e, map[string]string{
			"SUCCEEDED": "ExecutionsSucceeded", "FAILED": "ExecutionsFailed", "TIMED_OUT": "ExecutionsTimedOut", "ABORTED": "ExecutionsAborted",
		}[e.shown(s).Status])
	})
}

func (e *execution) end(ctx context.Context, output any, failed *failure) {
	kind := "ExecutionSucceeded"
	details := map[string]any{"output": text(output)}
	e.mu.Lock()
	e.stopped = e.now()
	switch {
	case ctx.Err() != nil:
		e.status, kind, details = "ABORTED", "ExecutionAborted", nil
	case failed != nil:
		e.status, e.failedBy, e.because, kind = "FAILED", failed.Error, failed.Cause, "ExecutionFailed"
		details = map[string]any{"error": failed.Error, "cause": failed.Cause}
	default:
		e.status, e.output = "SUCCEEDED", text(output)
	}
	e.mu.Unlock()
	e.note(kind, details)
}

// measure publishes a metric of an execution: of its machine, and of the
// version and the alias it was started by.
func (s *Service) measure(e *execution, metric string) {
	put := s.options.Neighbours.Put
	if put == nil {
		return
	}
	at := s.options.Now()
	if s.options.Period > 0 {
		at = at.Truncate(s.options.Period)
	}
	machine := s.arn(e.machine)
	views := []map[string]string{{"StateMachineArn": machine}}
	if e.versionARN != "" {
		views = append(views, map[string]string{"StateMachineArn": machine, "Version": e.versionARN[strings.LastIndexByte(e.versionARN, ':')+1:]})
	}
	if e.aliasARN != "" {
		views = append(views, map[string]string{"StateMachineArn": machine, "Alias": e.aliasARN[strings.LastIndexByte(e.aliasARN, ':')+1:]})
	}
	for _, dimensions := range views {
		put("AWS/States", metric, dimensions, at, 1)
	}
}

func (e *execution) shown(s *Service) executionOutput {
	e.mu.Lock()
	defer e.mu.Unlock()
	return executionOutput{
		ExecutionArn: e.arn, StateMachineArn: s.arn(e.machine), StateMachineVersionArn: e.versionARN, StateMachineAliasArn: e.aliasARN,
		Name: e.name, Status: e.status, StartDate: e.started, StopDate: e.stopped, Input: e.input, Output: e.output,
		Error: e.failedBy, Cause: e.because,
	}
}

// execution finds one that is remembered: express ones are not.
func (s *Service) execution(arn string) (*execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.executions[arn]
	if !ok || strings.Contains(arn, ":express:") {
		return nil, fail("ExecutionDoesNotExist", "Execution Does Not Exist: '"+arn+"'")
	}
	return e, nil
}

func (s *Service) describeExecution(_ context.Context, _ *wire.Call, in *startInput) (executionOutput, error) {
	e, err := s.execution(in.ExecutionArn)
	if err != nil {
		return executionOutput{}, err
	}
	return e.shown(s), nil
}

func (s *Service) stopExecution(_ context.Context, _ *wire.Call, in *startInput) (executionOutput, error) {
	e, err := s.execution(in.ExecutionArn)
	if err != nil {
		return executionOutput{}, err
	}
	e.cancel()
	<-e.done
	return executionOutput{StopDate: e.shown(s).StopDate}, nil
}

type executionsOutput struct {
	Executions []executionOutput `wire:"executions"`
	NextToken  string            `wire:"nextToken"`
}

// listExecutions lists the newest first: of a machine, a version or an alias.
func (s *Service) listExecutions(_ context.Context, _ *wire.Call, in *pageInput) (executionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, qualifier, err := s.find(in.StateMachineArn)
	if err != nil {
		return executionsOutput{}, err
	}
	if m.kind == "EXPRESS" {
		return executionsOutput{}, fail("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
	}
	var all []executionOutput
	for _, e := range s.executions {
		x := e.shown(s)
		x.Input, x.Output, x.Error, x.Cause = "", "", "", ""
		if e.machine == m.name && (in.StatusFilter == "" || x.Status == in.StatusFilter) &&
			(qualifier == "" || e.versionARN == in.StateMachineArn || e.aliasARN == in.StateMachineArn) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b executionOutput) int { return b.StartDate.Compare(a.StartDate) })
	from, to, next, err := in.window(len(all))
	return executionsOutput{Executions: all[from:to:to], NextToken: next}, err
}

type historyOutput struct {
	Events    []map[string]any `wire:"events"`
	NextToken string           `wire:"nextToken"`
}

func (s *Service) history(_ context.Context, _ *wire.Call, in *startInput) (historyOutput, error) {
	e, err := s.execution(in.ExecutionArn)
	if err != nil {
		return historyOutput{}, err
	}
	e.mu.Lock()
	events := slices.Clone(e.events)
	e.mu.Unlock()
	page := pageInput{NextToken: in.NextToken, MaxResults: in.MaxResults}
	from, to, next, err := page.window(len(events))
	out := historyOutput{Events: []map[string]any{}, NextToken: next}
	for i := from; i < to; i++ {
		n := i
		if in.ReverseOrder {
			n = len(events) - 1 - i
		}
		x := map[string]any{"id": int64(n + 1), "previousEventId": int64(n), "timestamp": events[n].at, "type": events[n].kind}
		if details := events[n].details; details != nil {
			x[detailsOf(events[n].kind)] = details
		}
		out.Events = append(out.Events, x)
	}
	return out, err
}

// detailsOf is the member that carries an event's details.
func detailsOf(kind string) string {
	switch {
	case strings.HasSuffix(kind, "StateEntered"):
		return "stateEnteredEventDetails"
	case strings.HasSuffix(kind, "StateExited"):
		return "stateExitedEventDetails"
	}
	return wire.LowerFirst(kind) + "EventDetails"
}
