package aws

import (
	"context"
	"encoding/json"
	"sort"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// apiLook is an API with all its parts as one look shows it.
type apiLook struct {
	at           time.Time
	api          types.Api
	stages       []types.Stage
	authorizers  []types.Authorizer
	routes       []types.Route
	integrations []types.Integration
}

// listAPIs lists every API of the region, with its tags.
func (p *Provider) listAPIs(ctx context.Context, cl *clients) ([]types.Api, error) {
	var out []types.Api
	err := allPages(func(token *string) (*string, error) {
		page, err := cl.apis.GetApis(ctx, &apigatewayv2.GetApisInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		return page.NextToken, nil
	})
	return out, err
}

// allPages asks for pages until there are no more; the SDK has no paginators
// for API Gateway.
func allPages(ask func(token *string) (next *string, err error)) error {
	var token *string
	for {
		next, err := ask(token)
		if err != nil {
			return err
		}
		if awssdk.ToString(next) == "" {
			return nil
		}
		token = next
	}
}

// pickAPI finds a resource's API among all: the one that carries its tags, or
// else the one that has its name and belongs to nobody. Two that could be it
// are none: a write to either might be to the wrong one.
func (p *Provider) pickAPI(all []types.Api, res manifest.Resource) (*types.Api, error) {
	var owned, named []*types.Api
	for i := range all {
		owner := ownerOf(all[i].Tags)
		switch {
		case p.owns(owner) && owner.Resource == res.Ref.String():
			owned = append(owned, &all[i])
		case owner == (providers.Owner{}) && awssdk.ToString(all[i].Name) == res.Physical && all[i].ProtocolType == types.ProtocolTypeHttp:
			named = append(named, &all[i])
		}
	}
	found, why := owned, "carry its tags"
	if len(owned) == 0 {
		found, why = named, "have its name and belong to nobody"
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, providers.Errorf(providers.Invalid, "the APIs %s all %s: none is touched until one is left", strings.Join(idsOf(found), ", "), why)
}

// apiOf finds the API a route is on: the one that carries its tags, or else the
// one that was seen to be it and belongs to nobody yet.
func (p *Provider) apiOf(all []types.Api, ref manifest.Ref) (*types.Api, error) {
	found, err := p.pickAPI(all, manifest.Resource{Ref: ref})
	if err != nil || found != nil {
		return found, err
	}
	known, _ := recall(&p.memory, p.memory.known, ref)
	for i := range all {
		if awssdk.ToString(all[i].ApiId) == known["id"] && ownerOf(all[i].Tags) == (providers.Owner{}) {
			return &all[i], nil
		}
	}
	return nil, nil
}

func idsOf(apis []*types.Api) []string {
	var ids []string
	for _, a := range apis {
		ids = append(ids, awssdk.ToString(a.ApiId))
	}
	sort.Strings(ids)
	return ids
}

// lookAPI asks for an API with all its parts; nil when there is none.
func (p *Provider) lookAPI(ctx context.Context, cl *clients, res manifest.Resource) (*apiLook, error) {
	all, err := p.listAPIs(ctx, cl)
	if err != nil {
		return nil, classify(err)
	}
	found, err := p.pickAPI(all, res)
	if err != nil || found == nil {
		return nil, err
	}
	return p.lookParts(ctx, cl, *found)
}

// lookParts asks for the parts of an API; nil when it went meanwhile.
func (p *Provider) lookParts(ctx context.Context, cl *clients, a types.Api) (*apiLook, error) {
	l := &apiLook{at: p.o.Now(), api: a}
	id := a.ApiId
	for _, ask := range []func(*string) (*string, error){
		func(token *string) (*string, error) {
			page, err := cl.apis.GetStages(ctx, &apigatewayv2.GetStagesInput{ApiId: id, NextToken: token})
			if err != nil {
				return nil, err
			}
			l.stages = append(l.stages, page.Items...)
			return page.NextToken, nil
		},
		func(token *string) (*string, error) {
			if p.o.Emulator == "moto" {
				return nil, nil // which does not list them
			}
			page, err := cl.apis.GetAuthorizers(ctx, &apigatewayv2.GetAuthorizersInput{ApiId: id, NextToken: token})
			if err != nil {
				return nil, err
			}
			l.authorizers = append(l.authorizers, page.Items...)
			return page.NextToken, nil
		},
		func(token *string) (*string, error) {
			page, err := cl.apis.GetRoutes(ctx, &apigatewayv2.GetRoutesInput{ApiId: id, NextToken: token})
			if err != nil {
				return nil, err
			}
			l.routes = append(l.routes, page.Items...)
			return page.NextToken, nil
		},
		func(token *string) (*string, error) {
			page, err := cl.apis.GetIntegrations(ctx, &apigatewayv2.GetIntegrationsInput{ApiId: id, NextToken: token})
			if err != nil {
				return nil, err
			}
			l.integrations = append(l.integrations, page.Items...)
			return page.NextToken, nil
		},
	} {
		err := allPages(ask)
		if isAbsent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, classify(err)
		}
	}
	return l, nil
}

func (l *apiLook) stage(name string) *types.Stage {
	for i := range l.stages {
		if awssdk.ToString(l.stages[i].StageName) == name {
			return &l.stages[i]
		}
	}
	return nil
}

func (l *apiLook) authorizer(name string) *types.Authorizer {
	for i := range l.authorizers {
		if awssdk.ToString(l.authorizers[i].Name) == name {
			return &l.authorizers[i]
		}
	}
	return nil
}

// authorizerName names what lets a route's requests in.
func (l *apiLook) authorizerName(id string) string {
	for i := range l.authorizers {
		if awssdk.ToString(l.authorizers[i].AuthorizerId) == id {
			return awssdk.ToString(l.authorizers[i].Name)
		}
	}
	return id
}

func (l *apiLook) route(key string) *types.Route {
	for i := range l.routes {
		if awssdk.ToString(l.routes[i].RouteKey) == key {
			return &l.routes[i]
		}
	}
	return nil
}

// guard holds while everything that people set of the API, its stages and its
// authorizers is the same. Routes have guards of their own.
func (l *apiLook) guard() providers.Guard {
	b := &builder{fields: map[string]string{}}
	l.form("").into(b)
	stages := map[string]any{}
	for i := range l.stages {
		s := liveStage(&l.stages[i])
		text, _ := json.Marshal([]any{s.automatic, s.description, s.defaults, s.logArn, s.logFormat, s.settings, s.variables}) // plain data
		stages[s.name] = string(text)
	}
	return seen([]any{awssdk.ToString(l.api.ApiId), b.fields, stages, l.api.Tags})
}
