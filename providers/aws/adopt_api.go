package aws

import (
	"context"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"

	"mooring.dev/sources/manifest"
)

// namedIn: APIs are found by id, in their own ARNs and in those of what is
// invoked through them.
func (k apiKind) namedIn(arn string) (string, bool) {
	if id := apiIn(arn); id != "" {
		return id, true
	}
	rest, ok := lastIn(arn, "execute-api", "")
	return firstPart(rest, '/'), ok
}

func (k apiKind) every(ctx context.Context, a *adoption) ([]string, error) {
	all, err := k.p.listAPIs(ctx, a.cl)
	var ids []string
	for i := range all {
		ids = append(ids, awssdk.ToString(all[i].ApiId))
	}
	return ids, err
}

func (k apiKind) draft(ctx context.Context, a *adoption, id string) (*manifest.Draft, error) {
	all, err := k.p.listAPIs(ctx, a.cl)
	if err != nil {
		return nil, classify(err)
	}
	var found *types.Api
	named := 0
	for i := range all {
		if awssdk.ToString(all[i].ApiId) == id {
			found = &all[i]
		}
	}
	if found == nil {
		return nil, nil // a REST API, say
	}
	name := awssdk.ToString(found.Name)
	for i := range all {
		if awssdk.ToString(all[i].Name) == name && all[i].ProtocolType == found.ProtocolType {
			named++
		}
	}
	switch {
	case found.ProtocolType != types.ProtocolTypeHttp:
		a.leave(manifest.KindAPI, name, "is no HTTP API (%s)", found.ProtocolType)
		return nil, nil
	case named > 1:
		a.leave(manifest.KindAPI, name, "%d APIs have this name, and a manifest could not tell which it means: rename all but one", named)
		return nil, nil
	case !a.passes(manifest.KindAPI, name, found.Tags):
		return nil, nil
	}
	l, err := k.p.lookParts(ctx, a.cl, *found)
	if err != nil || l == nil {
		return nil, err
	}
	return k.written(ctx, a, l)
}

// written drafts an API as a look shows it.
func (k apiKind) written(ctx context.Context, a *adoption, l *apiLook) (*manifest.Draft, error) {
	name, id := awssdk.ToString(l.api.Name), awssdk.ToString(l.api.ApiId)
	stage, why := l.chosenStage()
	if why != "" {
		a.leave(manifest.KindAPI, name, "%s", why)
		return nil, nil
	}
	account, err := k.p.account(ctx, a.cl)
	if err != nil {
		return nil, err
	}
	region := k.p.o.Config.Region
	d := started(name, k.p.apiARN(id), l.api.Tags)
	d.Addresses["executeArn"] = "arn:" + manifest.Partition(region) + ":execute-api:" + region + ":" + account + ":" + id + "/*/*"
	for i := range l.stages {
		if other := awssdk.ToString(l.stages[i].StageName); other != stage {
			d.Leave("stage %s: an API is declared with one stage; this one stays as it is, and drift tells of it", other)
		}
	}
	f := l.form(stage)
	spec := &manifest.APISpec{
		Description: f.api.description, Version: f.api.version, DisableExecuteAPIEndpoint: f.api.disabled, IPAddressType: f.api.address,
		Stage: f.stage.written(), Tags: ownTags(d, l.api.Tags),
	}
	if l.api.CorsConfiguration != nil {
		c := f.api.cors
		spec.CorsConfiguration = &manifest.Cors{AllowCredentials: c.credentials, AllowHeaders: c.headers, AllowMethods: c.methods, AllowOrigins: c.origins, ExposeHeaders: c.exposed, MaxAge: c.maxAge}
	}
	for _, name := range sortedKeys(f.authorizers) {
		authorizer := f.authorizers[name]
		if authorizer.Credentials != "" {
			a.leave(manifest.KindAPI, d.Name, "its authorizer %s is asked with credentials, which a manifest does not say", name)
			return nil, nil
		}
		if spec.Authorizers == nil {
			spec.Authorizers = map[string]manifest.APIAuthorizer{}
		}
		spec.Authorizers[name] = authorizer.written()
	}
	a.need(f.stage.logArn)
	if d.Spec, err = manifest.SpecOf(spec); err != nil {
		return nil, err
	}
	k.routes(a, d, l)
	return d, nil
}

// chosenStage is the stage that is declared: $default, or the only one. why is
// set when none can be.
func (l *apiLook) chosenStage() (name, why string) {
	chosen := l.stage(defaultStage)
	if chosen == nil && len(l.stages) == 1 {
		chosen = &l.stages[0]
	}
	switch {
	case len(l.stages) == 0:
		return "", "it has no stage, and a declared one has"
	case chosen == nil:
		return "", "it has several stages and none is " + defaultStage
	case !awssdk.ToBool(chosen.AutoDeploy):
		return "", "its stage " + awssdk.ToString(chosen.StageName) + " does not deploy by itself, and a declared one does: switch autoDeploy on, and import again"
	}
	return awssdk.ToString(chosen.StageName), ""
}

func (s *apiStage) written() manifest.APIStage {
	out := manifest.APIStage{Description: s.description, StageVariables: s.variables}
	if s.name != defaultStage {
		out.StageName = s.name
	}
	if s.defaults != (routeSettings{}) {
		out.DefaultRouteSettings = s.defaults.written()
	}
	for key, settings := range s.settings {
		if out.RouteSettings == nil {
			out.RouteSettings = map[string]manifest.APIRouteSettings{}
		}
		out.RouteSettings[key] = *settings.written()
	}
	if s.logArn != "" {
		out.AccessLogSettings = &manifest.APIAccessLog{DestinationArn: manifest.Value{Literal: s.logArn}, Format: s.logFormat}
	}
	return out
}

func (r *routeSettings) written() *manifest.APIRouteSettings {
	return &manifest.APIRouteSettings{ThrottlingBurstLimit: r.Burst, ThrottlingRateLimit: r.Rate, DetailedMetricsEnabled: r.Detailed}
}

func (a *apiAuthorizer) written() manifest.APIAuthorizer {
	out := manifest.APIAuthorizer{IdentitySource: a.Identity}
	if a.Type == string(types.AuthorizerTypeJwt) {
		out.JwtConfiguration = &manifest.JwtConfiguration{Issuer: a.Issuer, Audience: a.Audience}
		return out
	}
	out.Function, out.AuthorizerResultTTLInSeconds = &manifest.Value{Literal: a.Function}, a.TTL
	out.AuthorizerPayloadFormatVersion, out.EnableSimpleResponses = a.Payload, &a.Simple
	return out
}

// routes makes triggers of the integrations with functions drafted.
func (k apiKind) routes(a *adoption, d *manifest.Draft, l *apiLook) {
	claimed := map[string]bool{}
	for i := range l.integrations {
		in := &l.integrations[i]
		fn := a.fronted(invoked(awssdk.ToString(in.IntegrationUri)))
		spec, why := l.trigger(d, in)
		switch {
		case len(l.leads(in)) == 0:
			continue // an extra, which drift tells of
		case fn == nil:
			why = "leads to what is not declared here"
		}
		if why == "" {
			a.stands(fn, standing{key: keyName(d.Name), spec: spec, doc: spec, principal: "apigateway.amazonaws.com", source: d.Addresses["executeArn"]})
		}
		for _, r := range l.leads(in) {
			if claimed[awssdk.ToString(r.RouteKey)] = true; why != "" {
				d.Leave("route %s %s; it stays as it is, and drift tells of it", awssdk.ToString(r.RouteKey), why)
			}
		}
	}
	for i := range l.routes {
		if key := awssdk.ToString(l.routes[i].RouteKey); !claimed[key] {
			d.Leave("route %s has no integration with a function; it stays as it is, and drift tells of it", key)
		}
	}
}

// trigger is an integration with its routes; why is set when no trigger says
// them.
func (l *apiLook) trigger(d *manifest.Draft, in *types.Integration) (spec map[string]any, why string) {
	f := l.routeForm(in)
	var keys []string
	var first *routeEntry
	for _, key := range sortedKeys(f.routes) {
		entry := f.routes[key]
		if first != nil && canonicalJSON(entry) != canonicalJSON(*first) {
			return nil, fmt.Sprintf("shares its integration with %s, and lets in others than it", keys[0])
		}
		first, keys = &entry, append(keys, key)
	}
	if isMarked(in) {
		return nil, "belongs to another pipeline's " + strings.TrimPrefix(awssdk.ToString(in.Description), markPrefix)
	}
	if first == nil {
		return nil, ""
	}
	spec = map[string]any{"api": d.Addresses["arn"], "routes": anyList(keys), "payloadFormatVersion": f.payload, "timeoutInMillis": f.timeout}
	switch first.Authorization {
	case noAuth:
	case string(types.AuthorizationTypeAwsIam):
		spec["authorizationType"] = first.Authorization
	default:
		spec["authorizer"] = first.Authorization
	}
	if len(first.Scopes) > 0 {
		spec["authorizationScopes"] = anyList(first.Scopes)
	}
	return spec, ""
}
