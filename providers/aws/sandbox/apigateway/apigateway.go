// Package apigateway is the sandbox's API Gateway, as far as HTTP APIs go:
// APIs with stages, routes, integrations and authorizers, and a data plane that
// answers requests by invoking the function of a route. It refuses WebSocket
// APIs, stages that are deployed by hand, and integrations with anything but
// Lambda and HTTP proxies; of tokens it believes the signature, and it keeps
// throttling and access logs without doing either.
package apigateway

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's place, time and neighbours.
type Options struct {
	Now       func() time.Time
	Account   string
	Region    string
	PublicURL func() string // the sandbox's own, without a slash at its end
	// Invoke calls a function by ARN for a source, and returns what it
	// returned; failed is true when the function failed. An error says that it
	// could not be called at all.
	Invoke func(ctx context.Context, function, source string, payload []byte) (out []byte, failed bool, err error)
	// Metrics takes one datum; nil: none are published.
	Metrics func(metric string, dimensions map[string]string, value float64)
}

// Service is one account's HTTP APIs in one region.
type Service struct {
	*wire.Model
	options Options

	mu   sync.Mutex
	apis map[string]*api // by id
}

// api is one HTTP API with all its parts, by id or name.
type api struct {
	apiView
	stages       map[string]*stageView
	routes       map[string]*routeView
	integrations map[string]*integrationView
	authorizers  map[string]*authorizerView
}

// New makes a service without APIs.
func New(o Options) *Service {
	s := &Service{options: o, apis: map[string]*api{}}
	s.Model = &wire.Model{Signing: "apigateway", Routes: routes, Operations: map[string]wire.Operation{
		"CreateApi": wire.Op(s.createAPI), "GetApi": wire.Op(s.getAPI), "GetApis": wire.Op(s.getAPIs),
		"UpdateApi": wire.Op(s.updateAPI), "DeleteApi": wire.Op(s.deleteAPI), "DeleteCorsConfiguration": wire.Op(s.deleteCors),
		"CreateStage": wire.Op(s.createStage), "GetStage": wire.Op(s.getStage), "GetStages": wire.Op(s.getStages),
		"UpdateStage": wire.Op(s.updateStage), "DeleteStage": wire.Op(s.deleteStage),
		"DeleteAccessLogSettings": wire.Op(s.deleteAccessLog), "DeleteRouteSettings": wire.Op(s.deleteRouteSettings),
		"CreateRoute": wire.Op(s.createRoute), "GetRoute": wire.Op(s.getRoute), "GetRoutes": wire.Op(s.getRoutes),
		"UpdateRoute": wire.Op(s.updateRoute), "DeleteRoute": wire.Op(s.deleteRoute),
		"CreateIntegration": wire.Op(s.createIntegration), "GetIntegration": wire.Op(s.getIntegration), "GetIntegrations": wire.Op(s.getIntegrations),
		"UpdateIntegration": wire.Op(s.updateIntegration), "DeleteIntegration": wire.Op(s.deleteIntegration),
		"CreateAuthorizer": wire.Op(s.createAuthorizer), "GetAuthorizer": wire.Op(s.getAuthorizer), "GetAuthorizers": wire.Op(s.getAuthorizers),
		"UpdateAuthorizer": wire.Op(s.updateAuthorizer), "DeleteAuthorizer": wire.Op(s.deleteAuthorizer),
		"TagResource": wire.Op(s.tag), "UntagResource": wire.Op(s.untag), "GetTags": wire.Op(s.getTags),
	}}
	return s
}

var routes = func() []wire.Route {
	const apis, one, tags = "/v2/apis", "/v2/apis/{ApiId}", "/v2/tags/{ResourceArn+}"
	out := []wire.Route{
		{Method: "POST", Pattern: apis, Operation: "CreateApi"},
		{Method: "GET", Pattern: apis, Operation: "GetApis"},
		{Method: "GET", Pattern: one, Operation: "GetApi"},
		{Method: "PATCH", Pattern: one, Operation: "UpdateApi"},
		{Method: "DELETE", Pattern: one, Operation: "DeleteApi"},
		{Method: "DELETE", Pattern: one + "/cors", Operation: "DeleteCorsConfiguration"},
		{Method: "DELETE", Pattern: one + "/stages/{StageName}/accesslogsettings", Operation: "DeleteAccessLogSettings"},
		{Method: "DELETE", Pattern: one + "/stages/{StageName}/routesettings/{RouteKey}", Operation: "DeleteRouteSettings"},
		{Method: "POST", Pattern: tags, Operation: "TagResource"},
		{Method: "GET", Pattern: tags, Operation: "GetTags"},
		{Method: "DELETE", Pattern: tags, Operation: "UntagResource", Lists: []string{"TagKeys"}},
	}
	for _, part := range []struct{ path, id, name string }{
		{"/stages", "StageName", "Stage"}, {"/routes", "RouteId", "Route"},
		{"/integrations", "IntegrationId", "Integration"}, {"/authorizers", "AuthorizerId", "Authorizer"},
	} {
		all := one + part.path
		out = append(out,
			wire.Route{Method: "POST", Pattern: all, Operation: "Create" + part.name},
			wire.Route{Method: "GET", Pattern: all, Operation: "Get" + part.name + "s"},
			wire.Route{Method: "GET", Pattern: all + "/{" + part.id + "}", Operation: "Get" + part.name},
			wire.Route{Method: "PATCH", Pattern: all + "/{" + part.id + "}", Operation: "Update" + part.name},
			wire.Route{Method: "DELETE", Pattern: all + "/{" + part.id + "}", Operation: "Delete" + part.name},
		)
	}
	return out
}()

func notFound(what, id string) *wire.Error {
	return &wire.Error{Status: 404, Code: "NotFoundException", Message: "Invalid " + what + " identifier specified " + id}
}

func bad(message string) *wire.Error {
	return &wire.Error{Status: 400, Code: "BadRequestException", Message: message}
}

func conflict(message string) *wire.Error {
	return &wire.Error{Status: 409, Code: "ConflictException", Message: message}
}

// newID is an identifier as API Gateway draws them: small letters and digits.
func newID(length int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, length)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// find is an API by id; the caller holds the lock.
func (s *Service) find(id string) (*api, error) {
	a, ok := s.apis[id]
	if !ok {
		return nil, notFound("API", s.options.Account+":"+id)
	}
	return a, nil
}

func (s *Service) arn(id string) string {
	return "arn:aws:apigateway:" + s.options.Region + "::/apis/" + id
}

// Tagged is the tags of every API and stage, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for id, a := range s.apis {
		out[s.arn(id)] = copied(a.Tags)
		for name, st := range a.stages {
			out[s.arn(id)+"/stages/"+name] = copied(st.Tags)
		}
	}
	return out
}

type tagInput struct {
	Arn     string            `wire:"ResourceArn"`
	Tags    map[string]string `wire:"tags"`
	TagKeys []string
}

type tagOutput struct {
	Tags map[string]string `wire:"tags"`
}

// tagsOf are the tags of an API or a stage; the caller holds the lock.
func (s *Service) tagsOf(arn string) (map[string]string, error) {
	path, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok {
		return nil, bad("Invalid resource ARN " + arn)
	}
	id, stage, staged := strings.Cut(path, "/stages/")
	a, err := s.find(id)
	if err != nil || !staged {
		if err == nil {
			return a.Tags, nil
		}
		return nil, err
	}
	st, ok := a.stages[stage]
	if !ok {
		return nil, notFound("stage", stage)
	}
	return st.Tags, nil
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsOf(in.Arn)
	for k, v := range in.Tags {
		if err == nil {
			tags[k] = v
		}
	}
	return wire.None{}, err
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsOf(in.Arn)
	for _, k := range in.TagKeys {
		delete(tags, k)
	}
	return wire.None{}, err
}

func (s *Service) getTags(_ context.Context, _ *wire.Call, in *tagInput) (tagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsOf(in.Arn)
	return tagOutput{Tags: copied(tags)}, err
}

func copied(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}
