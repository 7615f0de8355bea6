package aws

import (
	"context"
	"slices"
	"sort"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// routeKind is an integration of an HTTP API with a function's alias, and the
// routes that lead to it. Neither can be tagged: the integration's description
// names the resource, and the API's tags name the owner.
type routeKind struct{ p *Provider }

func (k routeKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(apiARN, "apigatewayv2:GetApis", "apigatewayv2:GetAuthorizers", "apigatewayv2:GetIntegrations", "apigatewayv2:GetRoutes", "apigatewayv2:GetStages"),
		because(toManage(apiPartARN, "apigatewayv2:CreateIntegration", "apigatewayv2:CreateRoute", "apigatewayv2:DeleteRoute", "apigatewayv2:UpdateIntegration",
			"apigatewayv2:UpdateRoute"), "parts of an API, not the API"),
		toDelete(apiPartARN, "apigatewayv2:DeleteIntegration", "apigatewayv2:DeleteRoute"),
	}
}

// routeForm is what a manifest says of a route.
type routeForm struct {
	function, payload string
	timeout           int
	routes            map[string]routeEntry // by key
}

// routeEntry is one route as one field shows it.
type routeEntry struct {
	Authorization string   `json:"authorization"` // NONE, AWS_IAM, or an authorizer's name
	Scopes        []string `json:"authorizationScopes,omitempty"`
}

var routeMembers = []member[routeForm]{
	{"integrationUri", func(r *routeForm) any { return r.function }, func(d, s *routeForm) { d.function = s.function }},
	{"payloadFormatVersion", func(r *routeForm) any { return r.payload }, func(d, s *routeForm) { d.payload = s.payload }},
	{"timeoutInMillis", func(r *routeForm) any { return r.timeout }, func(d, s *routeForm) { d.timeout = s.timeout }},
}

const (
	pathRoutes = "routes"
	noAuth     = "NONE"
	// longestIntegration is what an HTTP API waits when it is not told.
	longestIntegration = 30_000
)

// markPrefix begins the description of an integration of ours.
const markPrefix = "Mooring "

func markOf(ref manifest.Ref) string { return markPrefix + ref.String() }

func (k routeKind) declared(res manifest.Resource, b *builder) (*routeForm, *manifest.RouteSpec, error) {
	spec, ok := res.Spec.(*manifest.RouteSpec)
	if !ok {
		return nil, nil, wrongSpec(res)
	}
	f := &routeForm{
		function: k.p.aliasARN(res, spec.Alias, b), payload: orElse(spec.PayloadFormatVersion, "2.0"),
		timeout: orElse(spec.TimeoutInMillis, longestIntegration), routes: map[string]routeEntry{},
	}
	entry := routeEntry{Authorization: orElse(spec.Authorizer, orElse(spec.AuthorizationType, noAuth))}
	if len(spec.AuthorizationScopes) > 0 {
		entry.Scopes = set(spec.AuthorizationScopes)
	}
	for _, key := range spec.Routes {
		f.routes[key] = entry
	}
	return f, spec, nil
}

func (f *routeForm) into(b *builder) {
	each(b, routeMembers, f)
	for key, r := range f.routes {
		b.set(keyPath(pathRoutes, key), r)
	}
}

func (k routeKind) canonical(res manifest.Resource, b *builder) error {
	f, spec, err := k.declared(res, b)
	if err != nil {
		return err
	}
	b.value(spec.API) // it has to live first
	f.into(b)
	return nil
}

// integration finds the one of a resource: the one that is marked with its
// name, or else the one nobody marked that invokes its function; of several,
// the one most of the resource's routes lead to. Of two that are marked, the
// other one is an extra.
func (l *apiLook) integration(ref manifest.Ref, function string, routes []string) *types.Integration {
	var mine, free []*types.Integration
	for i := range l.integrations {
		in := &l.integrations[i]
		switch {
		case awssdk.ToString(in.Description) == markOf(ref):
			mine = append(mine, in)
		case function != "" && !isMarked(in) && invoked(awssdk.ToString(in.IntegrationUri)) == function:
			free = append(free, in)
		}
	}
	sort.Slice(mine, func(i, j int) bool {
		return awssdk.ToString(mine[i].IntegrationId) < awssdk.ToString(mine[j].IntegrationId)
	})
	if len(mine) > 0 {
		return mine[0]
	}
	if len(free) == 1 {
		return free[0]
	}
	var best *types.Integration
	most := 0
	for _, in := range free {
		shared := 0
		for _, r := range l.leads(in) {
			if slices.Contains(routes, awssdk.ToString(r.RouteKey)) {
				shared++
			}
		}
		if shared == most {
			best = nil // it cannot be told
		}
		if shared > most {
			best, most = in, shared
		}
	}
	return best
}

func isMarked(in *types.Integration) bool {
	return strings.HasPrefix(awssdk.ToString(in.Description), markPrefix)
}

// leads lists the routes that lead to an integration.
func (l *apiLook) leads(in *types.Integration) []*types.Route {
	var out []*types.Route
	for i := range l.routes {
		if awssdk.ToString(l.routes[i].Target) == "integrations/"+awssdk.ToString(in.IntegrationId) {
			out = append(out, &l.routes[i])
		}
	}
	return out
}

func (l *apiLook) routeForm(in *types.Integration) *routeForm {
	f := &routeForm{
		function: invoked(awssdk.ToString(in.IntegrationUri)), payload: orElse(awssdk.ToString(in.PayloadFormatVersion), "1.0"),
		timeout: orElse(int(awssdk.ToInt32(in.TimeoutInMillis)), longestIntegration), routes: map[string]routeEntry{},
	}
	for _, r := range l.leads(in) {
		f.routes[awssdk.ToString(r.RouteKey)] = l.entry(r)
	}
	return f
}

func (l *apiLook) entry(r *types.Route) routeEntry {
	e := routeEntry{Authorization: orElse(string(r.AuthorizationType), noAuth)}
	if id := awssdk.ToString(r.AuthorizerId); id != "" && e.Authorization != noAuth && e.Authorization != string(types.AuthorizationTypeAwsIam) {
		e.Authorization = l.authorizerName(id)
	}
	if len(r.AuthorizationScopes) > 0 {
		e.Scopes = set(r.AuthorizationScopes)
	}
	return e
}

func (k routeKind) live(res manifest.Resource, l *apiLook, in *types.Integration) providers.Live {
	b := k.p.builder(nil)
	l.routeForm(in).into(b)
	live := b.live()
	live.Guard = l.routeGuard(in)
	live.Owner = childOwner(ownerOf(l.api.Tags), res.Ref)
	live.SeenAt = l.at
	id := awssdk.ToString(in.IntegrationId)
	live.Attributes = map[string]string{"arn": k.p.apiARN(awssdk.ToString(l.api.ApiId)) + "/integrations/" + id, "name": res.Physical, "id": id}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

// routeGuard holds while the integration and its routes are the same.
func (l *apiLook) routeGuard(in *types.Integration) providers.Guard {
	b := &builder{fields: map[string]string{}}
	l.routeForm(in).into(b)
	return seen([]any{awssdk.ToString(l.api.ApiId), awssdk.ToString(in.IntegrationId), awssdk.ToString(in.Description), b.fields})
}

// look finds the API of a route and its integration. Without its manifest it
// is looked for, by its mark, on every API that is ours.
func (k routeKind) look(ctx context.Context, cl *clients, res manifest.Resource) (*apiLook, *types.Integration, error) {
	all, err := k.p.listAPIs(ctx, cl)
	if err != nil {
		return nil, nil, classify(err)
	}
	if spec, ok := res.Spec.(*manifest.RouteSpec); ok {
		found, err := k.p.apiOf(all, spec.API.Ref)
		if err != nil || found == nil {
			return nil, nil, err
		}
		l, err := k.p.lookParts(ctx, cl, *found)
		if err != nil || l == nil {
			return nil, nil, err
		}
		return l, l.integration(res.Ref, k.p.aliasARN(res, spec.Alias, k.p.builder(nil)), spec.Routes), nil
	}
	for i := range all {
		if !k.p.owns(ownerOf(all[i].Tags)) {
			continue
		}
		l, err := k.p.lookParts(ctx, cl, all[i])
		if err != nil {
			return nil, nil, err
		}
		if l == nil {
			continue
		}
		if in := l.integration(res.Ref, "", nil); in != nil {
			return l, in, nil
		}
	}
	return nil, nil, nil
}

func (k routeKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, in, err := k.look(ctx, cl, res)
	if err != nil || in == nil {
		return providers.Live{}, err
	}
	return k.live(res, l, in), nil
}
