// Package cloudtrail is the sandbox's audit trail: what was called in one
// account and region, by whom, without secrets. It keeps management events
// only, as AWS does by default, and knows of trails as much as decides whether
// events are delivered: which there are, and what they log.
package cloudtrail

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's time and place.
type Options struct {
	Now             func() time.Time
	Account, Region string
	// Lag is how late LookupEvents shows an event.
	Lag time.Duration
}

// Service is one account's events in one region.
type Service struct {
	*wire.Model
	options Options

	mu     sync.Mutex
	writes []Event // oldest first; bounded
	reads  []Event
	serial int64 // of the newest event
	trails []*trail
}

// How many events are kept.
const (
	keptWrites = 20_000
	keptReads  = 5_000
)

// New makes a service without events, and one trail that logs.
func New(o Options) *Service {
	s := &Service{options: o}
	operations := map[string]wire.Operation{"LookupEvents": wire.Op(s.lookup)}
	maps.Copy(operations, s.trailOperations())
	s.Model = &wire.Model{Signing: "cloudtrail", Operations: operations}
	first := s.newTrail(firstTrail, "aws-cloudtrail-logs-"+o.Account)
	first.logging, first.started = true, o.Now()
	s.trails = []*trail{first}
	return s
}

// Record keeps a call, if it is a management event, and answers the event.
func (s *Service) Record(c wire.Call) (Event, bool) {
	if !management(c.Service, c.Operation) {
		return Event{}, false
	}
	e := eventOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	e.serial = s.serial
	if c.ReadOnly {
		s.reads = keep(s.reads, e, keptReads)
	} else {
		s.writes = keep(s.writes, e, keptWrites)
	}
	return e, true
}

// keep appends, and drops the oldest tenth when there are too many.
func keep(events []Event, e Event, most int) []Event {
	if len(events) >= most {
		events = slices.Clone(events[most/10:])
	}
	return append(events, e)
}

type attribute struct{ AttributeKey, AttributeValue string }

type lookupInput struct {
	LookupAttributes   []attribute
	StartTime, EndTime time.Time
	MaxResults         *int
	NextToken          string
	EventCategory      string
}

type lookupEvent struct {
	EventId, EventName, ReadOnly, AccessKeyId, EventSource, Username, CloudTrailEvent string
	EventTime                                                                         time.Time
	Resources                                                                         []Resource
}

type lookupOutput struct {
	Events    []lookupEvent
	NextToken string
}

func fail(code, message string) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: message}
}

// page is how many events LookupEvents gives at most.
const page = 50

func (s *Service) lookup(_ context.Context, _ *wire.Call, in *lookupInput) (lookupOutput, error) {
	limit := page
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	switch {
	case limit < 1 || limit > page:
		return lookupOutput{}, fail("InvalidMaxResultsException", "A value between 1 and 50 is required.")
	case len(in.LookupAttributes) > 1:
		return lookupOutput{}, fail("InvalidLookupAttributesException", "You can use only one lookup attribute per request.")
	case !in.EndTime.IsZero() && in.EndTime.Before(in.StartTime):
		return lookupOutput{}, fail("InvalidTimeRangeException", "The start time is after the end time.")
	}
	after, err := parseMark(in.NextToken)
	if err != nil {
		return lookupOutput{}, err
	}
	out := lookupOutput{Events: []lookupEvent{}}
	var last Event
	for _, e := range s.matching(in) {
		if after != nil && newestFirst(e, *after) <= 0 {
			continue
		}
		if len(out.Events) == limit {
			out.NextToken = last.mark()
			break
		}
		out.Events = append(out.Events, e.show())
		last = e
	}
	return out, nil
}

// matching are the events asked for that are due to be seen, newest first.
func (s *Service) matching(in *lookupInput) []Event {
	s.mu.Lock()
	all := slices.Concat(s.writes, s.reads)
	s.mu.Unlock()
	seen := s.options.Now().Add(-s.options.Lag)
	all = slices.DeleteFunc(all, func(e Event) bool {
		switch {
		case e.At.After(seen), e.At.Before(in.StartTime), !in.EndTime.IsZero() && e.At.After(in.EndTime):
			return true
		case len(in.LookupAttributes) == 0:
			return false
		default:
			return !e.has(in.LookupAttributes[0])
		}
	})
	slices.SortFunc(all, newestFirst)
	return all
}

// newestFirst orders events; of one moment the one that came last is newer.
func newestFirst(a, b Event) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.serial, a.serial))
}

// mark is the event's place in the trail, which stays when newer ones come.
func (e Event) mark() string {
	return strconv.FormatInt(e.At.UnixNano(), 10) + "." + strconv.FormatInt(e.serial, 10)
}

// parseMark reads a mark; nil for none.
func parseMark(text string) (*Event, error) {
	if text == "" {
		return nil, nil
	}
	at, serial, _ := strings.Cut(text, ".")
	nanos, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return nil, fail("InvalidNextTokenException", "The token is not valid.")
	}
	e := &Event{At: time.Unix(0, nanos)}
	if e.serial, err = strconv.ParseInt(serial, 10, 64); err != nil {
		return nil, fail("InvalidNextTokenException", "The token is not valid.")
	}
	return e, nil
}

func (e Event) has(a attribute) bool {
	switch a.AttributeKey {
	case "EventId":
		return a.AttributeValue == e.ID
	case "EventName":
		return a.AttributeValue == e.Name
	case "ReadOnly":
		return a.AttributeValue == strconv.FormatBool(e.ReadOnly)
	case "Username":
		return a.AttributeValue == e.User
	case "EventSource":
		return a.AttributeValue == e.Source
	case "AccessKeyId":
		return a.AttributeValue == e.AccessKey
	case "ResourceName":
		return slices.ContainsFunc(e.Resources, func(r Resource) bool { return r.ResourceName == a.AttributeValue })
	case "ResourceType":
		return slices.ContainsFunc(e.Resources, func(r Resource) bool { return r.ResourceType == a.AttributeValue })
	default:
		return false
	}
}

func (e Event) show() lookupEvent {
	record, err := json.Marshal(e.Record)
	if err != nil {
		record = []byte("{}") // a record holds nothing that JSON cannot write
	}
	return lookupEvent{
		EventId: e.ID, EventName: e.Name, ReadOnly: strconv.FormatBool(e.ReadOnly), AccessKeyId: e.AccessKey,
		EventSource: e.Source, Username: e.User, CloudTrailEvent: string(record), EventTime: e.At.Truncate(time.Second),
		Resources: e.Resources,
	}
}
