package apigateway

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// routeView is a route as API Gateway shows it.
type routeView struct {
	ID         string   `wire:"routeId"`
	Key        string   `wire:"routeKey"`
	Target     *string  `wire:"target"`
	Auth       string   `wire:"authorizationType"`
	Authorizer *string  `wire:"authorizerId"`
	Scopes     []string `wire:"authorizationScopes"`
	KeyNeeded  bool     `wire:"apiKeyRequired"`
	Operation  *string  `wire:"operationName"`
}

type routeInput struct {
	ApiId, RouteId string
	routeView
}

// integrationView is an integration as API Gateway shows it.
type integrationView struct {
	ID             string                       `wire:"integrationId"`
	Type           string                       `wire:"integrationType"`
	URI            string                       `wire:"integrationUri"`
	Method         string                       `wire:"integrationMethod"`
	Subtype        string                       `wire:"integrationSubtype"`
	ConnectionType string                       `wire:"connectionType"`
	Payload        string                       `wire:"payloadFormatVersion"`
	Timeout        *int                         `wire:"timeoutInMillis"`
	Description    *string                      `wire:"description"`
	Credentials    *string                      `wire:"credentialsArn"`
	Request        map[string]string            `wire:"requestParameters"`
	Response       map[string]map[string]string `wire:"responseParameters"`
}

type integrationInput struct {
	ApiId, IntegrationId string
	integrationView
}

type jwt struct {
	Audience []string `wire:"audience"`
	Issuer   string   `wire:"issuer"`
}

// authorizerView is an authorizer as API Gateway shows it.
type authorizerView struct {
	ID          string   `wire:"authorizerId"`
	Name        string   `wire:"name"`
	Type        string   `wire:"authorizerType"`
	Identity    []string `wire:"identitySource"`
	JWT         *jwt     `wire:"jwtConfiguration"`
	URI         *string  `wire:"authorizerUri"`
	Payload     *string  `wire:"authorizerPayloadFormatVersion"`
	TTL         *int     `wire:"authorizerResultTtlInSeconds"`
	Simple      *bool    `wire:"enableSimpleResponses"`
	Credentials *string  `wire:"authorizerCredentialsArn"`
}

type authorizerInput struct {
	ApiId, AuthorizerId string
	authorizerView
}

type items[T any] struct {
	Items     []T    `wire:"items"`
	NextToken string `wire:"nextToken"`
}

// parts lists one sort of the parts of an API.
func parts[T any](s *Service, in *listInput, of func(*api) map[string]*T) (items[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := items[T]{Items: []T{}}
	a, err := s.find(in.ApiId)
	if err != nil {
		return out, err
	}
	all := of(a)
	var ids []string
	ids, out.NextToken = in.page(slices.Sorted(maps.Keys(all)))
	for _, id := range ids {
		out.Items = append(out.Items, *all[id])
	}
	return out, nil
}

// part does something with one part of an API, under the lock, and shows it.
func part[T any](s *Service, api, id, what string, of func(*api) map[string]*T, do func(*apiParts[T]) error) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var none T
	a, err := s.find(api)
	if err != nil {
		return none, err
	}
	p := &apiParts[T]{api: a, all: of(a), id: id}
	if id != "" {
		if p.one = p.all[id]; p.one == nil {
			return none, notFound(what, id)
		}
	}
	if err := do(p); err != nil {
		return none, err
	}
	return *p.one, nil
}

// apiParts is one part among its like.
type apiParts[T any] struct {
	api *api
	all map[string]*T
	id  string
	one *T
}

func look[T any](*apiParts[T]) error { return nil }

func drop[T any](p *apiParts[T]) error {
	delete(p.all, p.id)
	return nil
}

func routesOf(a *api) map[string]*routeView             { return a.routes }
func integrationsOf(a *api) map[string]*integrationView { return a.integrations }
func authorizersOf(a *api) map[string]*authorizerView   { return a.authorizers }

func (s *Service) getRoutes(_ context.Context, _ *wire.Call, in *listInput) (items[routeView], error) {
	return parts(s, in, routesOf)
}

func (s *Service) getRoute(_ context.Context, _ *wire.Call, in *routeInput) (routeView, error) {
	return part(s, in.ApiId, in.RouteId, "route", routesOf, look)
}

func (s *Service) deleteRoute(_ context.Context, _ *wire.Call, in *routeInput) (wire.None, error) {
	_, err := part(s, in.ApiId, in.RouteId, "route", routesOf, drop)
	return wire.None{}, err
}

func (s *Service) createRoute(_ context.Context, _ *wire.Call, in *routeInput) (routeView, error) {
	return part(s, in.ApiId, "", "route", routesOf, func(p *apiParts[routeView]) error {
		p.one = &routeView{ID: newID(7), Auth: "NONE"}
		if err := p.api.setRoute(p.one, in); err != nil {
			return err
		}
		p.all[p.one.ID] = p.one
		return nil
	})
}

func (s *Service) updateRoute(_ context.Context, _ *wire.Call, in *routeInput) (routeView, error) {
	return part(s, in.ApiId, in.RouteId, "route", routesOf, func(p *apiParts[routeView]) error {
		changed := *p.one
		if err := p.api.setRoute(&changed, in); err != nil {
			return err
		}
		*p.one = changed
		return nil
	})
}

// routeOf is the route with a key.
func (a *api) routeOf(key string) *routeView {
	for _, r := range a.routes {
		if r.Key == key {
			return r
		}
	}
	return nil
}

func (a *api) setRoute(r *routeView, in *routeInput) error {
	if in.Key != "" {
		if !validKey(in.Key) {
			return bad("The provided route key is not formatted properly for HTTP protocol.")
		}
		if other := a.routeOf(in.Key); other != nil && other.ID != r.ID {
			return conflict("Route with key " + in.Key + " already exists for this API")
		}
		r.Key = in.Key
	}
	if in.Target != nil {
		id, ok := strings.CutPrefix(*in.Target, "integrations/")
		if !ok || a.integrations[id] == nil {
			return bad("Invalid target: " + *in.Target)
		}
		r.Target = in.Target
	}
	if in.Scopes != nil {
		r.Scopes = in.Scopes
	}
	given(&r.Operation, in.Operation)
	if in.Auth != "" {
		r.Auth, r.Authorizer = in.Auth, in.Authorizer
	} else if in.Authorizer != nil {
		r.Authorizer = in.Authorizer
	}
	return a.checkAuth(r)
}

// checkAuth: a type of authorization goes with an authorizer of that type.
func (a *api) checkAuth(r *routeView) error {
	switch r.Auth {
	case "NONE", "AWS_IAM":
		r.Authorizer = nil
		if r.Auth == "NONE" {
			r.Scopes = nil
		}
		return nil
	case "JWT", "CUSTOM":
	default:
		return bad("Invalid authorizationType " + r.Auth)
	}
	if r.Authorizer == nil || a.authorizers[*r.Authorizer] == nil {
		return bad("Invalid authorizer ID specified.")
	}
	if want := map[string]string{"JWT": "JWT", "CUSTOM": "REQUEST"}[r.Auth]; a.authorizers[*r.Authorizer].Type != want {
		return bad("The authorizer is not of type " + want)
	}
	if r.Auth == "CUSTOM" && len(r.Scopes) > 0 {
		return bad("Authorization scopes are for JWT authorizers.")
	}
	return nil
}

func (s *Service) getIntegrations(_ context.Context, _ *wire.Call, in *listInput) (items[integrationView], error) {
	return parts(s, in, integrationsOf)
}

func (s *Service) getIntegration(_ context.Context, _ *wire.Call, in *integrationInput) (integrationView, error) {
	return part(s, in.ApiId, in.IntegrationId, "Integration", integrationsOf, look)
}

func (s *Service) createIntegration(_ context.Context, _ *wire.Call, in *integrationInput) (integrationView, error) {
	return part(s, in.ApiId, "", "Integration", integrationsOf, func(p *apiParts[integrationView]) error {
		p.one = &integrationView{ID: newID(7), ConnectionType: "INTERNET"}
		if err := p.one.set(in); err != nil {
			return err
		}
		p.all[p.one.ID] = p.one
		return nil
	})
}

func (s *Service) updateIntegration(_ context.Context, _ *wire.Call, in *integrationInput) (integrationView, error) {
	return part(s, in.ApiId, in.IntegrationId, "Integration", integrationsOf, func(p *apiParts[integrationView]) error {
		changed := *p.one
		if err := changed.set(in); err != nil {
			return err
		}
		*p.one = changed
		return nil
	})
}

// longest is what an HTTP API waits for an integration, in milliseconds.
const longest = 30_000

func (i *integrationView) set(in *integrationInput) error {
	for _, m := range []struct{ to, from *string }{{&i.Type, &in.Type}, {&i.URI, &in.URI}, {&i.Method, &in.Method}, {&i.Payload, &in.Payload}} {
		if *m.from != "" {
			*m.to = *m.from
		}
	}
	given(&i.Description, in.Description)
	given(&i.Credentials, in.Credentials)
	if in.Timeout != nil {
		i.Timeout = in.Timeout
	}
	if in.Request != nil {
		i.Request = in.Request
	}
	if in.Response != nil {
		i.Response = in.Response
	}
	if i.Timeout == nil {
		most := longest
		i.Timeout = &most
	}
	switch {
	case i.Type != "AWS_PROXY" && i.Type != "HTTP_PROXY", in.Subtype != "":
		return bad("The sandbox has integrations of type AWS_PROXY with Lambda, and HTTP_PROXY.")
	case i.URI == "":
		return bad("Invalid integration URI specified")
	case i.Type == "AWS_PROXY" && i.Payload == "":
		return bad("PayloadFormatVersion is a required parameter for integration type AWS_PROXY")
	case i.Payload != "" && i.Payload != "1.0" && i.Payload != "2.0":
		return bad("Invalid PayloadFormatVersion " + i.Payload)
	case *i.Timeout < 50 || *i.Timeout > longest:
		return bad("Timeout should be between 50 ms and 30000 ms")
	}
	if i.Type == "AWS_PROXY" && i.Method == "" {
		i.Method = "POST"
	}
	return nil
}

func (s *Service) deleteIntegration(_ context.Context, _ *wire.Call, in *integrationInput) (wire.None, error) {
	_, err := part(s, in.ApiId, in.IntegrationId, "Integration", integrationsOf, func(p *apiParts[integrationView]) error {
		for _, r := range p.api.routes {
			if r.Target != nil && *r.Target == "integrations/"+p.id {
				return conflict("Cannot delete Integration '" + p.id + "' due to an active route: " + r.ID)
			}
		}
		return drop(p)
	})
	return wire.None{}, err
}

func (s *Service) getAuthorizers(_ context.Context, _ *wire.Call, in *listInput) (items[authorizerView], error) {
	return parts(s, in, authorizersOf)
}

func (s *Service) getAuthorizer(_ context.Context, _ *wire.Call, in *authorizerInput) (authorizerView, error) {
	return part(s, in.ApiId, in.AuthorizerId, "Authorizer", authorizersOf, look)
}

func (s *Service) createAuthorizer(_ context.Context, _ *wire.Call, in *authorizerInput) (authorizerView, error) {
	return part(s, in.ApiId, "", "Authorizer", authorizersOf, func(p *apiParts[authorizerView]) error {
		for _, other := range p.all {
			if other.Name == in.Name {
				return conflict("Authorizer name must be unique. Authorizer " + in.Name + " already exists in this API.")
			}
		}
		p.one = &authorizerView{ID: newID(6)}
		if err := p.one.set(in); err != nil {
			return err
		}
		p.all[p.one.ID] = p.one
		return nil
	})
}

func (s *Service) updateAuthorizer(_ context.Context, _ *wire.Call, in *authorizerInput) (authorizerView, error) {
	return part(s, in.ApiId, in.AuthorizerId, "Authorizer", authorizersOf, func(p *apiParts[authorizerView]) error {
		changed := *p.one
		if err := changed.set(in); err != nil {
			return err
		}
		*p.one = changed
		return nil
	})
}

func (x *authorizerView) set(in *authorizerInput) error {
	if in.Name != "" {
		x.Name = in.Name
	}
	if in.Type != "" {
		x.Type = in.Type
	}
	if in.Identity != nil {
		x.Identity = in.Identity
	}
	if in.JWT != nil {
		x.JWT = in.JWT
	}
	given(&x.URI, in.URI)
	given(&x.Payload, in.Payload)
	given(&x.Credentials, in.Credentials)
	if in.TTL != nil {
		x.TTL = in.TTL
	}
	if in.Simple != nil {
		x.Simple = in.Simple
	}
	switch {
	case x.Name == "":
		return bad("Authorizer name is required")
	case x.Type == "JWT" && (x.JWT == nil || x.JWT.Issuer == "" || len(x.JWT.Audience) == 0 || len(x.Identity) != 1):
		return bad("A JWT authorizer needs jwtConfiguration with issuer and audience, and one identity source.")
	case x.Type == "REQUEST" && (x.URI == nil || x.Payload == nil):
		return bad("A REQUEST authorizer needs authorizerUri and authorizerPayloadFormatVersion.")
	case x.Type != "JWT" && x.Type != "REQUEST":
		return bad("Invalid authorizerType " + x.Type)
	}
	return nil
}

func (s *Service) deleteAuthorizer(_ context.Context, _ *wire.Call, in *authorizerInput) (wire.None, error) {
	_, err := part(s, in.ApiId, in.AuthorizerId, "Authorizer", authorizersOf, func(p *apiParts[authorizerView]) error {
		for _, r := range p.api.routes {
			if r.Authorizer != nil && *r.Authorizer == p.id {
				return conflict("Cannot delete authorizer '" + p.id + "', is referenced by route: " + r.ID)
			}
		}
		return drop(p)
	})
	return wire.None{}, err
}
