package lambda

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// mapping is an event source mapping. Its state is read off the clock: passing
// until settledAt, then settled.
type mapping struct {
	uuid, source      string
	function          reference // as the caller named it: an alias stays an alias
	config            mappingConfig
	enabled           bool
	passing           string // Creating, Enabling, Disabling, Updating, Deleting
	settledAt         time.Time
	reason            string // who made the last change
	modified          time.Time
	startingPosition  string
	startingTimestamp json.RawMessage
	fixed             map[string]json.RawMessage // members that cannot change, shown as they came
	tags              map[string]string
	stop              context.CancelFunc // ends its poller; nil when none runs
	filter            []pattern
	lastResult        string
	read              *positions // of a stream's shards; updates leave it alone
}

// mappingConfig is what an update can change.
type mappingConfig struct {
	BatchSize                      *int            `json:",omitempty"`
	MaximumBatchingWindowInSeconds *int            `json:",omitempty"`
	ParallelizationFactor          *int            `json:",omitempty"`
	FilterCriteria                 *filterCriteria `json:",omitempty"`
	DestinationConfig              json.RawMessage `json:",omitempty"`
	MaximumRecordAgeInSeconds      *int            `json:",omitempty"`
	BisectBatchOnFunctionError     *bool           `json:",omitempty"`
	MaximumRetryAttempts           *int            `json:",omitempty"`
	TumblingWindowInSeconds        *int            `json:",omitempty"`
	FunctionResponseTypes          *[]string       `json:",omitempty"`
	ScalingConfig                  *scalingConfig  `json:",omitempty"`
	SourceAccessConfigurations     json.RawMessage `json:",omitempty"`
	DocumentDBEventSourceConfig    json.RawMessage `json:",omitempty"`
	KMSKeyArn                      string          `json:",omitempty"`
	MetricsConfig                  json.RawMessage `json:",omitempty"`
	LoggingConfig                  json.RawMessage `json:",omitempty"`
	ProvisionedPollerConfig        json.RawMessage `json:",omitempty"`
}

type filterCriteria struct {
	Filters []struct{ Pattern string } `json:",omitempty"`
}

type scalingConfig struct {
	MaximumConcurrency *int `json:",omitempty"`
}

type mappingInput struct {
	mappingConfig
	EventSourceArn            string
	FunctionName              string
	Enabled                   *bool
	StartingPosition          string
	StartingPositionTimestamp json.RawMessage
	Tags                      map[string]string
	Topics, Queues            json.RawMessage
	SelfManagedEventSource    json.RawMessage
	AmazonManagedKafka        json.RawMessage `json:"AmazonManagedKafkaEventSourceConfig"`
	SelfManagedKafka          json.RawMessage `json:"SelfManagedKafkaEventSourceConfig"`
}

func (s *Service) mappingARN(uuid string) string {
	return "arn:aws:lambda:" + s.opts.Region + ":" + s.opts.Account + ":event-source-mapping:" + uuid
}

// state is what a mapping is doing now; gone is true once its deletion is done.
func (s *Service) state(m *mapping) (state string, gone bool) {
	passing := s.opts.Now().Before(m.settledAt)
	switch {
	case passing:
		return m.passing, false
	case m.passing == "Deleting":
		return "", true
	case m.enabled:
		return "Enabled", false
	}
	return "Disabled", false
}

// showMapping renders a mapping in the state given.
func (s *Service) showMapping(m *mapping, state string) (map[string]any, error) {
	text, err := json.Marshal(m.config)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, err
	}
	for name, raw := range m.fixed {
		out[name] = raw
	}
	out["UUID"], out["EventSourceMappingArn"] = m.uuid, s.mappingARN(m.uuid)
	out["FunctionArn"] = s.qualifiedARN(m.function.name, m.function.qualifier)
	out["LastModified"], out["State"], out["StateTransitionReason"] = epoch(m.modified), state, m.reason
	if m.source != "" {
		out["EventSourceArn"] = m.source
	}
	if m.startingPosition != "" {
		out["StartingPosition"] = m.startingPosition
	}
	if m.startingTimestamp != nil {
		out["StartingPositionTimestamp"] = m.startingTimestamp
	}
	if m.lastResult != "" {
		out["LastProcessingResult"] = m.lastResult
	}
	return out, nil
}

func (s *Service) createMapping(q *request) (reply, error) {
	var in mappingInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	m := &mapping{uuid: newID(), source: in.EventSourceArn, enabled: in.Enabled == nil || *in.Enabled, reason: "USER_INITIATED",
		startingPosition: in.StartingPosition, startingTimestamp: in.StartingPositionTimestamp, tags: maps.Clone(in.Tags), fixed: map[string]json.RawMessage{}}
	if m.tags == nil {
		m.tags = map[string]string{}
	}
	for name, raw := range map[string]json.RawMessage{"Topics": in.Topics, "Queues": in.Queues, "SelfManagedEventSource": in.SelfManagedEventSource,
		"AmazonManagedKafkaEventSourceConfig": in.AmazonManagedKafka, "SelfManagedKafkaEventSourceConfig": in.SelfManagedKafka} {
		if raw != nil {
			m.fixed[name] = raw
		}
	}
	if err := s.configure(m, in); err != nil {
		return reply{}, err
	}
	if err := s.checkNew(m); err != nil {
		return reply{}, err
	}
	if err := checkTags(m.tags); err != nil {
		return reply{}, err
	}
	now := s.opts.Now()
	m.modified, m.passing, m.settledAt = now, "Creating", now.Add(s.opts.Updating)
	s.mappings[m.uuid] = m
	s.startPolling(m)
	out, err := s.showMapping(m, m.passing)
	if err != nil {
		return reply{}, err
	}
	return accepted(out)
}

// unique refuses a second mapping of one source to one function, where an alias
// counts as a function of its own.
func (s *Service) unique(m *mapping) error {
	for _, uuid := range slices.Sorted(maps.Keys(s.mappings)) {
		other := s.mappings[uuid]
		if _, gone := s.state(other); gone || other.uuid == m.uuid || other.source != m.source || m.source == "" || other.function != m.function {
			continue
		}
		name := m.function.name
		if m.function.qualifier != "" {
			name += ":" + m.function.qualifier
		}
		return conflict("The event source arn (\" %s \") and function (\" %s \") provided mapping already exists. Please update or delete the existing mapping with UUID %s",
			m.source, name, other.uuid)
	}
	return nil
}

func (s *Service) findMapping(q *request) (*mapping, string, error) {
	m := s.mappings[q.path["UUID"]]
	if m == nil {
		return nil, "", notFound("The resource you requested does not exist.")
	}
	state, gone := s.state(m)
	if gone {
		delete(s.mappings, m.uuid)
		return nil, "", notFound("The resource you requested does not exist.")
	}
	return m, state, nil
}

// changeableMapping is findMapping for writes: they need a mapping at rest.
func (s *Service) changeableMapping(q *request) (*mapping, error) {
	m, state, err := s.findMapping(q)
	if err != nil {
		return nil, err
	}
	if state != "Enabled" && state != "Disabled" {
		return nil, fault(http.StatusBadRequest, "ResourceInUseException", "Cannot update the event source mapping because it is in use.")
	}
	return m, nil
}

func (s *Service) getMapping(q *request) (reply, error) {
	m, state, err := s.findMapping(q)
	if err != nil {
		return reply{}, err
	}
	out, err := s.showMapping(m, state)
	if err != nil {
		return reply{}, err
	}
	return ok(out)
}

func (s *Service) updateMapping(q *request) (reply, error) {
	var in mappingInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	m, err := s.changeableMapping(q)
	if err != nil {
		return reply{}, err
	}
	next := *m
	if err := s.configure(&next, in); err != nil {
		return reply{}, err
	}
	if err := s.unique(&next); err != nil {
		return reply{}, err
	}
	next.passing = "Updating"
	if in.Enabled != nil && *in.Enabled != m.enabled {
		next.enabled, next.passing = *in.Enabled, "Disabling"
		if next.enabled {
			next.passing = "Enabling"
		}
	}
	now := s.opts.Now()
	next.modified, next.settledAt, next.reason = now, now.Add(s.opts.Updating), "USER_INITIATED"
	s.stopPolling(m)
	next.stop = nil
	*m = next
	s.startPolling(m)
	out, err := s.showMapping(m, m.passing)
	if err != nil {
		return reply{}, err
	}
	return accepted(out)
}

func (s *Service) deleteMapping(q *request) (reply, error) {
	m, err := s.changeableMapping(q)
	if err != nil {
		return reply{}, err
	}
	now := s.opts.Now()
	m.passing, m.settledAt, m.modified, m.reason = "Deleting", now.Add(s.opts.Updating), now, "USER_INITIATED"
	s.stopPolling(m)
	if s.opts.Updating <= 0 {
		delete(s.mappings, m.uuid)
	}
	out, err := s.showMapping(m, "Deleting")
	if err != nil {
		return reply{}, err
	}
	return accepted(out)
}

func (s *Service) listMappings(q *request) (reply, error) {
	var only *reference
	if text := q.query.Get("FunctionName"); text != "" {
		ref, err := s.parseReference(text, "")
		if err != nil {
			return reply{}, err
		}
		only = &ref
	}
	source := q.query.Get("EventSourceArn")
	var rows []*mapping
	for _, uuid := range slices.Sorted(maps.Keys(s.mappings)) {
		m := s.mappings[uuid]
		if _, gone := s.state(m); gone {
			delete(s.mappings, uuid)
			continue
		}
		if only != nil && m.function != *only || source != "" && m.source != source {
			continue
		}
		rows = append(rows, m)
	}
	rows, next, err := page(q, rows, 100, func(m *mapping) string { return m.uuid })
	if err != nil {
		return reply{}, err
	}
	list := make([]map[string]any, 0, len(rows))
	for _, m := range rows {
		state, _ := s.state(m)
		row, err := s.showMapping(m, state)
		if err != nil {
			return reply{}, err
		}
		list = append(list, row)
	}
	return ok(listing("EventSourceMappings", list, next))
}

// service is the source's service, as its ARN says.
func (m *mapping) service() string {
	parts := strings.SplitN(m.source, ":", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}

// MappedTo is the ARN of the function a mapping calls; "" when there is no such
// mapping.
func (s *Service) MappedTo(uuid string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mappings[uuid]
	if m == nil {
		return ""
	}
	return s.qualifiedARN(m.function.name, m.function.qualifier)
}
