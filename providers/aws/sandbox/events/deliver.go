package events

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// allManagement is the state of rules that see reading calls too.
const allManagement = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

// Event is an event before it is on the bus.
type Event struct {
	Source, DetailType string
	Bus                string // name or ARN; "" is the default one
	Detail             any
	At                 time.Time
	Resources          []string
	ReadOnly           bool // of a recorded call
}

// Publish puts an event on the bus and delivers it to the targets of the rules
// it fits; it answers the event's identifier. What cannot be delivered is lost,
// as it is on AWS once the retries are over.
func (s *Service) Publish(ctx context.Context, e Event) (string, error) {
	if e.At.IsZero() {
		e.At = s.options.Now()
	}
	if e.Resources == nil {
		e.Resources = []string{}
	}
	id := wire.NewID()
	if !s.listening(e) {
		return id, nil
	}
	raw, err := json.Marshal(map[string]any{
		"version": "0", "id": id, "detail-type": e.DetailType, "source": e.Source, "account": s.options.Account,
		"time": e.At.UTC().Format(time.RFC3339), "region": s.options.Region, "resources": e.Resources, "detail": e.Detail,
	})
	if err != nil {
		return "", fmt.Errorf("write an event of %s: %w", e.Source, err)
	}
	var event map[string]any
	if err := json.Unmarshal(raw, &event); err != nil {
		return "", fmt.Errorf("read an event of %s: %w", e.Source, err)
	}
	for _, f := range s.fitting(e, event) {
		f.deliver(ctx, s.options.Deliver, raw, event)
	}
	return id, nil
}

// listening is true when some rule might fit an event: most calls go by
// unheard, and their events need not be written.
func (s *Service) listening(e Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(e.Bus)
	if err != nil {
		return false
	}
	for _, r := range b.rules {
		if r.hears(e.ReadOnly) {
			return true
		}
	}
	return false
}

// hears is true for a rule on events that is not asleep to the event's kind.
func (r *rule) hears(readOnly bool) bool {
	return r.pattern != nil && (r.State == allManagement || r.State == "ENABLED" && !readOnly)
}

// firing is a rule that was met, with its targets of that moment.
type firing struct {
	rule    string // ARN
	targets []target
}

func (f firing) deliver(ctx context.Context, to Deliver, raw []byte, event map[string]any) {
	for _, t := range f.targets {
		d := Delivery{Rule: f.rule, Target: t.arn(), Payload: t.payload(raw, event)}
		dead, _ := t["DeadLetterConfig"].(map[string]any)
		queue, _ := dead["Arn"].(string)
		if to(ctx, d) == nil || queue == "" {
			continue // what cannot be delivered is lost
		}
		d.Target = queue
		_ = to(ctx, d)
	}
}

// fitting are the rules an event fits, by name.
func (s *Service) fitting(e Event, event map[string]any) []firing {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(e.Bus)
	if err != nil { // it was deleted just now
		return nil
	}
	var out []firing
	for _, r := range b.all() {
		if r.hears(e.ReadOnly) && r.pattern.Matches(event) {
			out = append(out, firing{rule: r.Arn, targets: slices.Clone(r.targets)})
		}
	}
	return out
}

// payload is what a target gets: the event, its own Input, the part at its
// InputPath, or what its InputTransformer makes of the event.
func (t target) payload(raw []byte, event map[string]any) []byte {
	if input, ok := t["Input"].(string); ok && input != "" {
		return []byte(input)
	}
	if path, ok := t["InputPath"].(string); ok && path != "" {
		return encode(at(event, path))
	}
	if transformer, ok := t["InputTransformer"].(map[string]any); ok {
		return transform(transformer, event)
	}
	return raw
}

func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return []byte("null") // what came from JSON goes back to it
	}
	return raw
}

// at is the part of an event that a path like $.detail.state names.
func at(event any, path string) any {
	for _, name := range strings.Split(strings.TrimPrefix(path, "$"), ".") {
		if name == "" {
			continue
		}
		m, ok := event.(map[string]any)
		if !ok {
			return nil
		}
		event = m[name]
	}
	return event
}

// transform fills a template's <names> with the parts of the event they stand
// for: as text inside a JSON string, as JSON elsewhere.
func transform(transformer map[string]any, event map[string]any) []byte {
	template, _ := transformer["InputTemplate"].(string)
	paths, _ := transformer["InputPathsMap"].(map[string]any)
	var out bytes.Buffer
	quoted := false
	for i := 0; i < len(template); i++ {
		if template[i] == '"' && (i == 0 || template[i-1] != '\\') {
			quoted = !quoted
		}
		name, _, closed := strings.Cut(template[i+1:], ">")
		path, known := paths[name].(string)
		if template[i] != '<' || !closed || !known {
			out.WriteByte(template[i])
			continue
		}
		value := encode(at(event, path))
		if _, isText := at(event, path).(string); isText && quoted {
			value = value[1 : len(value)-1]
		}
		out.Write(value)
		i += len(name) + 1
	}
	return out.Bytes()
}

type entryInput struct {
	Source, DetailType, Detail, EventBusName string
	Resources                                []string
	Time                                     time.Time
}

type putEventsInput struct{ Entries []entryInput }

type entryOutput struct{ EventId, ErrorCode, ErrorMessage string }

type putEventsOutput struct {
	FailedEntryCount int
	Entries          []entryOutput
}

func (s *Service) putEvents(ctx context.Context, _ *wire.Call, in *putEventsInput) (putEventsOutput, error) {
	out := putEventsOutput{Entries: []entryOutput{}}
	if len(in.Entries) < 1 || len(in.Entries) > 10 {
		return out, fail("ValidationException", "Entries must have between 1 and 10 members")
	}
	for _, e := range in.Entries {
		result := s.putEvent(ctx, e)
		if result.ErrorCode != "" {
			out.FailedEntryCount++
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

func (s *Service) putEvent(ctx context.Context, e entryInput) entryOutput {
	var detail map[string]any
	switch {
	case e.Source == "" || e.DetailType == "":
		return entryOutput{ErrorCode: "InvalidArgument", ErrorMessage: "Source and DetailType are required."}
	case strings.HasPrefix(e.Source, "aws."):
		return entryOutput{ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source."}
	case json.Unmarshal([]byte(e.Detail), &detail) != nil:
		return entryOutput{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	case !s.hasBus(e.EventBusName):
		return entryOutput{ErrorCode: "ResourceNotFoundException", ErrorMessage: "Event bus does not exist."}
	}
	id, err := s.Publish(ctx, Event{Bus: e.EventBusName, Source: e.Source, DetailType: e.DetailType, Detail: detail, At: e.Time, Resources: e.Resources})
	if err != nil {
		return entryOutput{ErrorCode: "InternalFailure", ErrorMessage: err.Error()}
	}
	return entryOutput{EventId: id}
}

func (s *Service) hasBus(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.bus(name)
	return err == nil
}

type testInput struct{ EventPattern, Event string }

type testOutput struct{ Result bool }

func (s *Service) testPattern(_ context.Context, _ *wire.Call, in *testInput) (testOutput, error) {
	p, err := ParsePattern(in.EventPattern)
	if err != nil {
		return testOutput{}, fail("InvalidEventPatternException", "Event pattern is not valid. Reason: "+err.Error())
	}
	var event map[string]any
	if json.Unmarshal([]byte(in.Event), &event) != nil {
		return testOutput{}, fail("ValidationException", "Parameter Event is not valid.")
	}
	return testOutput{Result: p.Matches(event)}, nil
}

// plan sets when a rule fires next, if ever.
func (r *rule) plan(after time.Time) {
	r.due = time.Time{}
	if r.schedule == nil {
		return
	}
	if at, ok := r.schedule(after); ok {
		r.due = at
	}
}

// Tick delivers to the targets of the schedules that are due.
func (s *Service) Tick(ctx context.Context) {
	now := s.options.Now()
	var due []firing
	s.mu.Lock()
	for _, r := range s.buses[defaultBus].all() { // the one that has schedules
		if r.due.IsZero() || now.Before(r.due) {
			continue
		}
		r.plan(now) // what was missed does not fire late
		if r.State != "DISABLED" {
			due = append(due, firing{rule: r.Arn, targets: slices.Clone(r.targets)})
		}
	}
	s.mu.Unlock()
	for _, f := range due {
		event := map[string]any{
			"version": "0", "id": wire.NewID(), "detail-type": "Scheduled Event", "source": "aws.events",
			"account": s.options.Account, "time": now.UTC().Format(time.RFC3339), "region": s.options.Region,
			"resources": []any{f.rule}, "detail": map[string]any{},
		}
		f.deliver(ctx, s.options.Deliver, encode(event), event)
	}
}
