package apigateway

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"mooring.dev/providers/aws/sandbox/wire"
)

// mostStages is AWS's quota for an API.
const mostStages = 10

type routeSettings struct {
	Burst    *int     `wire:"throttlingBurstLimit"`
	Rate     *float64 `wire:"throttlingRateLimit"`
	Detailed *bool    `wire:"detailedMetricsEnabled"`
}

type accessLog struct {
	Destination string `wire:"destinationArn"`
	Format      string `wire:"format"`
}

// stageView is a stage as API Gateway shows it.
type stageView struct {
	Name        string                   `wire:"stageName"`
	AutoDeploy  *bool                    `wire:"autoDeploy"`
	Description *string                  `wire:"description"`
	Defaults    *routeSettings           `wire:"defaultRouteSettings"`
	Settings    map[string]routeSettings `wire:"routeSettings"`
	AccessLog   *accessLog               `wire:"accessLogSettings"`
	Variables   map[string]string        `wire:"stageVariables"`
	Tags        map[string]string        `wire:"tags"`
	Deployment  string                   `wire:"deploymentId"`
	Created     string                   `wire:"createdDate"`
	Updated     string                   `wire:"lastUpdatedDate"`
}

type stageInput struct {
	ApiId, StageName, RouteKey string
	stageView
}

var stageName = regexp.MustCompile(`^(\$default|[A-Za-z0-9_-]{1,128})$`)

func (s *Service) createStage(_ context.Context, _ *wire.Call, in *stageInput) (stageView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(in.ApiId)
	switch {
	case err != nil:
		return stageView{}, err
	case !stageName.MatchString(in.Name):
		return stageView{}, bad("Invalid stage name")
	case a.stages[in.Name] != nil:
		return stageView{}, conflict("Stage already exists")
	case len(a.stages) >= mostStages:
		return stageView{}, bad("Maximum number of stages for this API has been reached")
	}
	now := stamp(s.options.Now())
	off := false
	st := &stageView{
		Name: in.Name, AutoDeploy: &off, Defaults: &routeSettings{Detailed: &off}, Settings: map[string]routeSettings{},
		Variables: map[string]string{}, Tags: copied(in.Tags), Created: now, Updated: now,
	}
	if err := a.setStage(st, in); err != nil {
		return stageView{}, err
	}
	a.stages[in.Name] = st
	return st.shown(), nil
}

// setStage changes what is given. An empty text takes a variable away.
func (a *api) setStage(st *stageView, in *stageInput) error {
	for key := range in.Settings {
		if a.routeOf(key) == nil {
			return notFound("route", key)
		}
	}
	if in.AccessLog != nil && (in.AccessLog.Destination == "" || in.AccessLog.Format == "") {
		return bad("Access log settings need destinationArn and format")
	}
	if in.AutoDeploy != nil {
		st.AutoDeploy = in.AutoDeploy
	}
	if *st.AutoDeploy {
		st.Deployment = newID(6)
	}
	given(&st.Description, in.Description)
	if d := in.Defaults; d != nil {
		st.Defaults = d.whole()
	}
	for key, set := range in.Settings {
		st.Settings[key] = *set.whole()
	}
	if in.AccessLog != nil {
		st.AccessLog = in.AccessLog
	}
	for name, value := range in.Variables {
		st.Variables[name] = value
		if value == "" {
			delete(st.Variables, name)
		}
	}
	return nil
}

// whole are settings as they are kept: they replace those of before.
func (r *routeSettings) whole() *routeSettings {
	out := *r
	if out.Detailed == nil {
		off := false
		out.Detailed = &off
	}
	return &out
}

func (st *stageView) shown() stageView {
	out := *st
	out.Settings, out.Variables, out.Tags = maps.Clone(st.Settings), copied(st.Variables), copied(st.Tags)
	return out
}

// stage finds a stage; the caller holds the lock.
func (s *Service) stage(in *stageInput) (*api, *stageView, error) {
	a, err := s.find(in.ApiId)
	if err != nil {
		return nil, nil, err
	}
	st, ok := a.stages[in.StageName]
	if !ok {
		return nil, nil, notFound("stage", in.StageName)
	}
	return a, st, nil
}

func (s *Service) getStage(_ context.Context, _ *wire.Call, in *stageInput) (stageView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, st, err := s.stage(in)
	if err != nil {
		return stageView{}, err
	}
	return st.shown(), nil
}

type stagesOutput struct {
	Items     []stageView `wire:"items"`
	NextToken string      `wire:"nextToken"`
}

func (s *Service) getStages(_ context.Context, _ *wire.Call, in *listInput) (stagesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := stagesOutput{Items: []stageView{}}
	a, err := s.find(in.ApiId)
	if err != nil {
		return out, err
	}
	var names []string
	names, out.NextToken = in.page(slices.Sorted(maps.Keys(a.stages)))
	for _, name := range names {
		out.Items = append(out.Items, a.stages[name].shown())
	}
	return out, nil
}

// page cuts a listing; AWS's own page is longer than anything here, unless a
// caller asks for less.
func (in *listInput) page(ids []string) (page []string, next string) {
	limit, err := strconv.Atoi(in.MaxResults)
	if err != nil || limit < 1 {
		limit = 500
	}
	for _, id := range ids {
		if id <= in.NextToken {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1]
		}
		page = append(page, id)
	}
	return page, ""
}

func (s *Service) updateStage(_ context.Context, _ *wire.Call, in *stageInput) (stageView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, st, err := s.stage(in)
	if err != nil {
		return stageView{}, err
	}
	if err := a.setStage(st, in); err != nil {
		return stageView{}, err
	}
	st.Updated = stamp(s.options.Now())
	return st.shown(), nil
}

func (s *Service) deleteStage(_ context.Context, _ *wire.Call, in *stageInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, _, err := s.stage(in)
	if err == nil {
		delete(a.stages, in.StageName)
	}
	return wire.None{}, err
}

func (s *Service) deleteAccessLog(_ context.Context, _ *wire.Call, in *stageInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, st, err := s.stage(in)
	if err == nil {
		st.AccessLog = nil
	}
	return wire.None{}, err
}

func (s *Service) deleteRouteSettings(_ context.Context, _ *wire.Call, in *stageInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, st, err := s.stage(in)
	if err != nil {
		return wire.None{}, err
	}
	if _, ok := st.Settings[in.RouteKey]; !ok {
		return wire.None{}, notFound("route settings", in.RouteKey)
	}
	delete(st.Settings, in.RouteKey)
	return wire.None{}, nil
}
