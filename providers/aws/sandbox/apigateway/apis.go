package apigateway

import (
	"context"
	"maps"
	"slices"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

type cors struct {
	AllowCredentials *bool    `wire:"allowCredentials"`
	AllowHeaders     []string `wire:"allowHeaders"`
	AllowMethods     []string `wire:"allowMethods"`
	AllowOrigins     []string `wire:"allowOrigins"`
	ExposeHeaders    []string `wire:"exposeHeaders"`
	MaxAge           *int     `wire:"maxAge"`
}

// apiView is an API as API Gateway shows it, and as it is asked for.
type apiView struct {
	ID           string            `wire:"apiId"`
	Name         string            `wire:"name"`
	Protocol     string            `wire:"protocolType"`
	Endpoint     string            `wire:"apiEndpoint"`
	Created      string            `wire:"createdDate"`
	Description  *string           `wire:"description"`
	Version      *string           `wire:"version"`
	Disabled     *bool             `wire:"disableExecuteApiEndpoint"`
	AddressType  string            `wire:"ipAddressType"`
	Selection    string            `wire:"routeSelectionExpression"`
	KeySelection string            `wire:"apiKeySelectionExpression"`
	Cors         *cors             `wire:"corsConfiguration"`
	Tags         map[string]string `wire:"tags"`
}

type apiInput struct {
	PathID string `wire:"ApiId"`
	apiMembers
}

// apiMembers are what a caller sets of an API.
type apiMembers struct {
	Name        *string           `wire:"name"`
	Protocol    string            `wire:"protocolType"`
	Description *string           `wire:"description"`
	Version     *string           `wire:"version"`
	Disabled    *bool             `wire:"disableExecuteApiEndpoint"`
	AddressType *string           `wire:"ipAddressType"`
	Cors        *cors             `wire:"corsConfiguration"`
	Tags        map[string]string `wire:"tags"`
	Target      string            `wire:"target"`
	RouteKey    string            `wire:"routeKey"`
	Credentials string            `wire:"credentialsArn"`
}

const selection = "$request.method $request.path"

// stamp is a time as API Gateway writes it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (s *Service) createAPI(_ context.Context, _ *wire.Call, in *apiInput) (apiView, error) {
	switch {
	case in.Name == nil || *in.Name == "" || len(*in.Name) > 128:
		return apiView{}, bad("Invalid API name specified")
	case in.Protocol != "HTTP":
		return apiView{}, bad("The sandbox has HTTP APIs only.")
	case in.Target != "" || in.RouteKey != "" || in.Credentials != "":
		return apiView{}, bad("The sandbox has no quick create.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	off := false
	id := newID(10)
	a := &api{
		apiView: apiView{
			ID: id, Protocol: "HTTP", Created: stamp(s.options.Now()), Disabled: &off, AddressType: "ipv4", Tags: copied(in.Tags),
			Selection: selection, KeySelection: "$request.header.x-api-key", Endpoint: s.options.PublicURL() + pathPrefix + id,
		},
		stages: map[string]*stageView{}, routes: map[string]*routeView{}, integrations: map[string]*integrationView{}, authorizers: map[string]*authorizerView{},
	}
	if err := a.set(in); err != nil {
		return apiView{}, err
	}
	s.apis[id] = a
	return a.shown(), nil
}

// set changes what is given.
func (a *api) set(in *apiInput) error {
	if c := in.Cors; c != nil {
		if c.AllowCredentials != nil && *c.AllowCredentials && (slices.Contains(c.AllowOrigins, "*") || slices.Contains(c.AllowHeaders, "*")) {
			return bad("allowCredentials is not supported with * in allowOrigins or allowHeaders")
		}
		a.Cors = c
	}
	given(&a.Description, in.Description)
	given(&a.Version, in.Version)
	if in.Name != nil {
		a.Name = *in.Name
	}
	if in.Disabled != nil {
		a.Disabled = in.Disabled
	}
	if in.AddressType != nil {
		a.AddressType = *in.AddressType
	}
	return nil
}

// given sets a text where one was sent; an empty one takes it away.
func given(to **string, text *string) {
	if text == nil {
		return
	}
	*to = text
	if *text == "" {
		*to = nil
	}
}

// shown is what may leave the service: maps are copies.
func (a *api) shown() apiView {
	out := a.apiView
	out.Tags = copied(a.Tags)
	return out
}

func (s *Service) getAPI(_ context.Context, _ *wire.Call, in *apiInput) (apiView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(in.PathID)
	if err != nil {
		return apiView{}, err
	}
	return a.shown(), nil
}

type listInput struct {
	ApiId, MaxResults, NextToken string
}

type apisOutput struct {
	Items     []apiView `wire:"items"`
	NextToken string    `wire:"nextToken"`
}

func (s *Service) getAPIs(_ context.Context, _ *wire.Call, in *listInput) (apisOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := apisOutput{Items: []apiView{}}
	var ids []string
	ids, out.NextToken = in.page(slices.Sorted(maps.Keys(s.apis)))
	for _, id := range ids {
		out.Items = append(out.Items, s.apis[id].shown())
	}
	return out, nil
}

func (s *Service) updateAPI(_ context.Context, _ *wire.Call, in *apiInput) (apiView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(in.PathID)
	if err != nil {
		return apiView{}, err
	}
	if err := a.set(in); err != nil {
		return apiView{}, err
	}
	return a.shown(), nil
}

func (s *Service) deleteAPI(_ context.Context, _ *wire.Call, in *apiInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.find(in.PathID)
	delete(s.apis, in.PathID)
	return wire.None{}, err
}

func (s *Service) deleteCors(_ context.Context, _ *wire.Call, in *apiInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(in.PathID)
	if err == nil {
		a.Cors = nil
	}
	return wire.None{}, err
}
