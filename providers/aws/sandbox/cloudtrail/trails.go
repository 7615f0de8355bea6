package cloudtrail

import (
	"context"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// firstTrail is the trail every account and region begins with, as one of an
// organisation does. Without one that logs changes, no event reaches the bus.
const firstTrail = "management-events"

// trail is one trail: who is told of events, not the events themselves.
type trail struct {
	Name, S3BucketName, TrailARN, HomeRegion string
	IsMultiRegionTrail                       bool
	IncludeGlobalServiceEvents               bool
	IsOrganizationTrail                      bool

	logging          bool
	started, stopped time.Time
	selectors        []selector
}

// selector says which events a trail takes.
type selector struct {
	ReadWriteType                 string
	IncludeManagementEvents       *bool
	DataResources                 []any
	ExcludeManagementEventSources []string
}

func (s selector) changes() bool {
	return (s.IncludeManagementEvents == nil || *s.IncludeManagementEvents) && (s.ReadWriteType == "All" || s.ReadWriteType == "WriteOnly" || s.ReadWriteType == "")
}

func everything() []selector {
	yes := true
	return []selector{{ReadWriteType: "All", IncludeManagementEvents: &yes, DataResources: []any{}, ExcludeManagementEventSources: []string{}}}
}

func (s *Service) trailOperations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"CreateTrail": wire.Op(s.createTrail), "DeleteTrail": wire.Op(s.deleteTrail), "DescribeTrails": wire.Op(s.describeTrails),
		"GetTrailStatus": wire.Op(s.trailStatus), "StartLogging": wire.Op(s.startLogging), "StopLogging": wire.Op(s.stopLogging),
		"GetEventSelectors": wire.Op(s.getSelectors), "PutEventSelectors": wire.Op(s.putSelectors),
	}
}

func (s *Service) arn(name string) string {
	return "arn:aws:cloudtrail:" + s.options.Region + ":" + s.options.Account + ":trail/" + name
}

func (s *Service) newTrail(name, bucket string) *trail {
	return &trail{Name: name, S3BucketName: bucket, TrailARN: s.arn(name), HomeRegion: s.options.Region, IncludeGlobalServiceEvents: true, selectors: everything()}
}

// Logs is true while some trail takes changes from a service, by its signing
// name: then the bus is told of them.
func (s *Service) Logs(service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.trails, func(t *trail) bool {
		return t.logging && slices.ContainsFunc(t.selectors, func(sel selector) bool {
			return sel.changes() && !slices.Contains(sel.ExcludeManagementEventSources, service+".amazonaws.com")
		})
	})
}

type trailName struct{ Name, TrailName string }

// find is a trail by name or ARN. The lock is held.
func (s *Service) find(name string) (*trail, error) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	for _, t := range s.trails {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, fail("TrailNotFoundException", "Unknown trail: "+s.arn(name)+" for the user: "+s.options.Account)
}

// change runs f on a trail.
func (s *Service) change(in *trailName, f func(*trail)) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.Name + in.TrailName)
	if err == nil {
		f(t)
	}
	return wire.None{}, err
}

type createTrailInput struct {
	Name, S3BucketName         string
	IsMultiRegionTrail         bool
	IncludeGlobalServiceEvents *bool
}

func (s *Service) createTrail(_ context.Context, _ *wire.Call, in *createTrailInput) (trail, error) {
	switch {
	case len(in.Name) < 3 || len(in.Name) > 128:
		return trail{}, fail("InvalidTrailNameException", "Trail name length must be between 3 and 128.")
	case in.S3BucketName == "":
		return trail{}, fail("InvalidS3BucketNameException", "A bucket is required.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, err := s.find(in.Name); err == nil {
		return trail{}, fail("TrailAlreadyExistsException", "Trail "+t.Name+" already exists for customer: "+s.options.Account)
	}
	t := s.newTrail(in.Name, in.S3BucketName)
	t.IsMultiRegionTrail = in.IsMultiRegionTrail
	if in.IncludeGlobalServiceEvents != nil {
		t.IncludeGlobalServiceEvents = *in.IncludeGlobalServiceEvents
	}
	s.trails = append(s.trails, t)
	return *t, nil
}

func (s *Service) deleteTrail(_ context.Context, _ *wire.Call, in *trailName) (wire.None, error) {
	return s.change(in, func(gone *trail) {
		s.trails = slices.DeleteFunc(s.trails, func(t *trail) bool { return t == gone })
	})
}

func (s *Service) startLogging(_ context.Context, _ *wire.Call, in *trailName) (wire.None, error) {
	return s.change(in, func(t *trail) { t.logging, t.started = true, s.options.Now() })
}

func (s *Service) stopLogging(_ context.Context, _ *wire.Call, in *trailName) (wire.None, error) {
	return s.change(in, func(t *trail) { t.logging, t.stopped = false, s.options.Now() })
}

type describeTrailsInput struct{ TrailNameList []string }

type describeTrailsOutput struct {
	Trails []trail `wire:"trailList"`
}

func (s *Service) describeTrails(_ context.Context, _ *wire.Call, in *describeTrailsInput) (describeTrailsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := describeTrailsOutput{Trails: []trail{}}
	for _, t := range s.trails {
		if len(in.TrailNameList) == 0 || slices.Contains(in.TrailNameList, t.Name) || slices.Contains(in.TrailNameList, t.TrailARN) {
			out.Trails = append(out.Trails, *t)
		}
	}
	return out, nil
}

type statusOutput struct {
	IsLogging        bool
	StartLoggingTime *time.Time
	StopLoggingTime  *time.Time
}

func (s *Service) trailStatus(_ context.Context, _ *wire.Call, in *trailName) (out statusOutput, err error) {
	_, err = s.change(in, func(t *trail) {
		out.IsLogging = t.logging
		if !t.started.IsZero() {
			out.StartLoggingTime = &t.started
		}
		if !t.stopped.IsZero() {
			out.StopLoggingTime = &t.stopped
		}
	})
	return out, err
}

type selectorsInput struct {
	TrailName      string
	EventSelectors []selector
}

type selectorsOutput struct {
	TrailARN       string
	EventSelectors []selector
}

func (s *Service) getSelectors(_ context.Context, _ *wire.Call, in *trailName) (out selectorsOutput, err error) {
	_, err = s.change(in, func(t *trail) { out = selectorsOutput{TrailARN: t.TrailARN, EventSelectors: t.selectors} })
	return out, err
}

func (s *Service) putSelectors(_ context.Context, _ *wire.Call, in *selectorsInput) (selectorsOutput, error) {
	for i, sel := range in.EventSelectors {
		if !slices.Contains([]string{"", "All", "ReadOnly", "WriteOnly"}, sel.ReadWriteType) {
			return selectorsOutput{}, fail("InvalidEventSelectorsException", "The value for ReadWriteType must be All, ReadOnly or WriteOnly.")
		}
		if sel.ReadWriteType == "" {
			in.EventSelectors[i].ReadWriteType = "All"
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TrailName)
	if err != nil {
		return selectorsOutput{}, err
	}
	t.selectors = in.EventSelectors
	return selectorsOutput{TrailARN: t.TrailARN, EventSelectors: t.selectors}, nil
}
