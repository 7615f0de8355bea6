package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// apiKind is an HTTP API with one stage and its authorizers. An API is known
// by an id that AWS draws; it is found by its ownership tags, and names mean
// nothing to AWS.
type apiKind struct{ p *Provider }

func (k apiKind) rights() []rights.Row {
	logged := rights.Row{
		For: rights.Manage, On: everything, Why: "for stages with an access log; AWS knows no resources for it",
		Also: []string{"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
			"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"},
		When: func(res manifest.Resource) bool {
			spec, ok := res.Spec.(*manifest.APISpec)
			return ok && spec.Stage.AccessLogSettings != nil
		},
	}
	create := toManage(apiARN, "apigatewayv2:CreateApi", "apigatewayv2:CreateAuthorizer", "apigatewayv2:CreateStage", "apigatewayv2:UpdateApi",
		"apigatewayv2:UpdateAuthorizer", "apigatewayv2:UpdateStage")
	create.Also, create.Why = []string{"apigateway:TagResource"}, "ids are AWS's, so names cannot narrow it; TagResource is asked for at creation"
	return []rights.Row{
		always(toObserve(apiARN[:1], "apigatewayv2:GetApis")),
		because(toObserve(apiARN[1:], "apigatewayv2:GetAuthorizers", "apigatewayv2:GetIntegrations", "apigatewayv2:GetRoutes",
			"apigatewayv2:GetStages", "sts:GetCallerIdentity"), "ids are AWS's, so names cannot narrow it"),
		create,
		because(toManage(apiPartARN, "apigatewayv2:DeleteAccessLogSettings", "apigatewayv2:DeleteAuthorizer", "apigatewayv2:DeleteCorsConfiguration",
			"apigatewayv2:DeleteRouteSettings"), "parts of an API, not the API"),
		toManage([]string{"arn:{partition}:apigateway:{region}::/tags/*"}, "apigatewayv2:TagResource", "apigatewayv2:UntagResource"),
		logged,
		because(toDetach(apiPartARN, "apigatewayv2:DeleteIntegration", "apigatewayv2:DeleteRoute", "apigatewayv2:DeleteStage"), "parts of an API, not the API"),
		toDelete(apiARN[1:], "apigatewayv2:DeleteApi"),
	}
}

type api struct {
	name, description, version, address string
	disabled                            bool
	cors                                functionURL // of which only the CORS members are used
}

var apiMembers = []member[api]{
	{"corsConfiguration.allowCredentials", func(a *api) any { return a.cors.credentials }, func(d, s *api) { d.cors.credentials = s.cors.credentials }},
	{"corsConfiguration.allowHeaders", func(a *api) any { return headerSet(a.cors.headers) }, func(d, s *api) { d.cors.headers = s.cors.headers }},
	{"corsConfiguration.allowMethods", func(a *api) any { return set(a.cors.methods) }, func(d, s *api) { d.cors.methods = s.cors.methods }},
	{"corsConfiguration.allowOrigins", func(a *api) any { return set(a.cors.origins) }, func(d, s *api) { d.cors.origins = s.cors.origins }},
	{"corsConfiguration.exposeHeaders", func(a *api) any { return headerSet(a.cors.exposed) }, func(d, s *api) { d.cors.exposed = s.cors.exposed }},
	{"corsConfiguration.maxAge", func(a *api) any { return a.cors.maxAge }, func(d, s *api) { d.cors.maxAge = s.cors.maxAge }},
	{"description", func(a *api) any { return a.description }, func(d, s *api) { d.description = s.description }},
	{"disableExecuteApiEndpoint", func(a *api) any { return a.disabled }, func(d, s *api) { d.disabled = s.disabled }},
	{"ipAddressType", func(a *api) any { return a.address }, func(d, s *api) { d.address = s.address }},
	{"name", func(a *api) any { return a.name }, func(d, s *api) { d.name = s.name }},
	{"version", func(a *api) any { return a.version }, func(d, s *api) { d.version = s.version }},
}

type apiStage struct {
	automatic         bool
	description       string
	defaults          routeSettings
	logArn, logFormat string
	settings          map[string]routeSettings // by route key
	variables         map[string]string
	name              string
}

// routeSettings are what a stage says of its routes, or of one.
type routeSettings struct {
	Burst    *int     `json:"throttlingBurstLimit,omitempty"`
	Rate     *float64 `json:"throttlingRateLimit,omitempty"`
	Detailed bool     `json:"detailedMetricsEnabled"`
}

var stageMembers = []member[apiStage]{
	{"stage.accessLogSettings.destinationArn", func(s *apiStage) any { return s.logArn }, func(d, s *apiStage) { d.logArn = s.logArn }},
	{"stage.accessLogSettings.format", func(s *apiStage) any { return s.logFormat }, func(d, s *apiStage) { d.logFormat = s.logFormat }},
	{"stage.autoDeploy", func(s *apiStage) any { return s.automatic }, func(d, s *apiStage) { d.automatic = s.automatic }},
	{"stage.defaultRouteSettings.detailedMetricsEnabled", func(s *apiStage) any { return s.defaults.Detailed }, func(d, s *apiStage) { d.defaults.Detailed = s.defaults.Detailed }},
	{"stage.defaultRouteSettings.throttlingBurstLimit", func(s *apiStage) any { return s.defaults.Burst }, func(d, s *apiStage) { d.defaults.Burst = s.defaults.Burst }},
	{"stage.defaultRouteSettings.throttlingRateLimit", func(s *apiStage) any { return s.defaults.Rate }, func(d, s *apiStage) { d.defaults.Rate = s.defaults.Rate }},
	{"stage.description", func(s *apiStage) any { return s.description }, func(d, s *apiStage) { d.description = s.description }},
}

// The prefixes of fields whose names are the user's.
const (
	pathRouteSettings  = "stage.routeSettings"
	pathStageVariables = "stage.stageVariables"
	pathAuthorizers    = "authorizers"
)

// apiAuthorizer is an authorizer as one field shows it.
type apiAuthorizer struct {
	Type        string   `json:"authorizerType"`
	Issuer      string   `json:"issuer,omitempty"`
	Audience    []string `json:"audience,omitempty"`
	Function    string   `json:"function,omitempty"` // what is asked, by ARN
	Credentials string   `json:"authorizerCredentialsArn,omitempty"`
	Identity    []string `json:"identitySource"`
	TTL         int      `json:"authorizerResultTtlInSeconds,omitempty"`
	Payload     string   `json:"authorizerPayloadFormatVersion,omitempty"`
	Simple      bool     `json:"enableSimpleResponses,omitempty"`
}

// apiForm is everything a manifest says of an API.
type apiForm struct {
	api         api
	stage       apiStage
	authorizers map[string]apiAuthorizer
}

func declaredAPI(res manifest.Resource, b *builder) (*apiForm, *manifest.APISpec, error) {
	spec, ok := res.Spec.(*manifest.APISpec)
	if !ok {
		return nil, nil, wrongSpec(res)
	}
	f := &apiForm{
		api: api{
			name: res.Physical, description: spec.Description, version: spec.Version, address: orElse(spec.IPAddressType, "ipv4"),
			disabled: spec.DisableExecuteAPIEndpoint, cors: corsOf(spec.CorsConfiguration),
		},
		stage: apiStage{
			name: orElse(spec.Stage.StageName, defaultStage), automatic: true, description: spec.Stage.Description,
			settings: map[string]routeSettings{}, variables: spec.Stage.StageVariables,
		},
		authorizers: map[string]apiAuthorizer{},
	}
	if d := spec.Stage.DefaultRouteSettings; d != nil {
		f.stage.defaults = routeSettings{d.ThrottlingBurstLimit, d.ThrottlingRateLimit, d.DetailedMetricsEnabled}
	}
	for key, d := range spec.Stage.RouteSettings {
		f.stage.settings[key] = routeSettings{d.ThrottlingBurstLimit, d.ThrottlingRateLimit, d.DetailedMetricsEnabled}
	}
	if l := spec.Stage.AccessLogSettings; l != nil {
		f.stage.logArn, f.stage.logFormat = strings.TrimSuffix(b.value(l.DestinationArn), ":*"), l.Format
	}
	for name, a := range spec.Authorizers {
		f.authorizers[name] = declaredAuthorizer(a, b)
	}
	return f, spec, nil
}

const defaultStage = "$default"

func corsOf(c *manifest.Cors) (out functionURL) {
	if c != nil {
		out.credentials, out.headers, out.methods, out.origins = c.AllowCredentials, c.AllowHeaders, c.AllowMethods, c.AllowOrigins
		out.exposed, out.maxAge = c.ExposeHeaders, c.MaxAge
	}
	return out
}

func declaredAuthorizer(a manifest.APIAuthorizer, b *builder) apiAuthorizer {
	out := apiAuthorizer{Type: string(types.AuthorizerTypeJwt), Identity: set(a.IdentitySource)}
	if len(out.Identity) == 0 {
		out.Identity = []string{"$request.header.Authorization"}
	}
	if a.JwtConfiguration != nil {
		out.Issuer, out.Audience = a.JwtConfiguration.Issuer, set(a.JwtConfiguration.Audience)
		return out
	}
	out.Type, out.TTL, out.Payload = string(types.AuthorizerTypeRequest), a.AuthorizerResultTTLInSeconds, orElse(a.AuthorizerPayloadFormatVersion, "2.0")
	out.Simple = a.EnableSimpleResponses == nil && out.Payload == "2.0" || a.EnableSimpleResponses != nil && *a.EnableSimpleResponses
	if a.Function != nil {
		out.Function = b.value(*a.Function)
	}
	return out
}

// into writes the form's fields. A stage that is not there has none.
func (f *apiForm) into(b *builder) {
	each(b, apiMembers, &f.api)
	for name, a := range f.authorizers {
		b.set(keyPath(pathAuthorizers, name), a)
	}
	if f.stage.name == "" {
		return
	}
	each(b, stageMembers, &f.stage)
	for key, s := range f.stage.settings {
		b.set(keyPath(pathRouteSettings, key), s)
	}
	for name, value := range f.stage.variables {
		b.set(keyPath(pathStageVariables, name), value)
	}
}

func (k apiKind) canonical(res manifest.Resource, b *builder) error {
	f, spec, err := declaredAPI(res, b)
	if err != nil {
		return err
	}
	f.into(b)
	setTags(b, spec.Tags, spec.Tags)
	return nil
}

// form is what a look shows, of the stage of a name.
func (l *apiLook) form(stage string) *apiForm {
	f := &apiForm{authorizers: map[string]apiAuthorizer{}, api: api{
		name: awssdk.ToString(l.api.Name), description: awssdk.ToString(l.api.Description), version: awssdk.ToString(l.api.Version),
		disabled: awssdk.ToBool(l.api.DisableExecuteApiEndpoint), address: orElse(string(l.api.IpAddressType), "ipv4"),
	}}
	if c := l.api.CorsConfiguration; c != nil {
		f.api.cors = functionURL{
			credentials: awssdk.ToBool(c.AllowCredentials), headers: c.AllowHeaders, methods: c.AllowMethods, origins: c.AllowOrigins,
			exposed: c.ExposeHeaders, maxAge: int(awssdk.ToInt32(c.MaxAge)),
		}
	}
	for _, a := range l.authorizers {
		f.authorizers[awssdk.ToString(a.Name)] = liveAuthorizer(a)
	}
	if s := l.stage(stage); s != nil {
		f.stage = liveStage(s)
	}
	return f
}

func liveStage(s *types.Stage) apiStage {
	out := apiStage{
		name: awssdk.ToString(s.StageName), automatic: awssdk.ToBool(s.AutoDeploy), description: awssdk.ToString(s.Description),
		settings: map[string]routeSettings{}, variables: s.StageVariables,
	}
	if s.DefaultRouteSettings != nil {
		out.defaults = liveSettings(*s.DefaultRouteSettings)
	}
	for key, r := range s.RouteSettings {
		out.settings[key] = liveSettings(r)
	}
	if s.AccessLogSettings != nil {
		out.logArn, out.logFormat = strings.TrimSuffix(awssdk.ToString(s.AccessLogSettings.DestinationArn), ":*"), awssdk.ToString(s.AccessLogSettings.Format)
	}
	return out
}

func liveSettings(s types.RouteSettings) routeSettings {
	out := routeSettings{Rate: s.ThrottlingRateLimit, Detailed: awssdk.ToBool(s.DetailedMetricsEnabled)}
	if s.ThrottlingBurstLimit != nil {
		out.Burst = awssdk.Int(int(*s.ThrottlingBurstLimit))
	}
	return out
}

func liveAuthorizer(a types.Authorizer) apiAuthorizer {
	out := apiAuthorizer{
		Type: string(a.AuthorizerType), Identity: set(a.IdentitySource), TTL: int(awssdk.ToInt32(a.AuthorizerResultTtlInSeconds)),
		Payload: awssdk.ToString(a.AuthorizerPayloadFormatVersion), Simple: awssdk.ToBool(a.EnableSimpleResponses),
		Function: invoked(awssdk.ToString(a.AuthorizerUri)), Credentials: awssdk.ToString(a.AuthorizerCredentialsArn),
	}
	if a.JwtConfiguration != nil {
		out.Issuer, out.Audience = awssdk.ToString(a.JwtConfiguration.Issuer), set(a.JwtConfiguration.Audience)
	}
	return out
}

// invoked is the function that a URI of API Gateway invokes.
func invoked(uri string) string {
	if _, tail, ok := strings.Cut(uri, ":lambda:path/2015-03-31/functions/"); ok {
		return strings.TrimSuffix(tail, "/invocations")
	}
	return uri
}

// invocation is the URI by which API Gateway invokes a function.
func (p *Provider) invocation(function string) string {
	region := p.o.Config.Region
	return "arn:" + manifest.Partition(region) + ":apigateway:" + region + ":lambda:path/2015-03-31/functions/" + function + "/invocations"
}

func (k apiKind) live(ctx context.Context, cl *clients, res manifest.Resource, l *apiLook) (providers.Live, error) {
	spec, declared := res.Spec.(*manifest.APISpec)
	stage := defaultStage
	if declared {
		stage = orElse(spec.Stage.StageName, defaultStage)
	}
	b := k.p.builder(nil)
	l.form(stage).into(b)
	if declared {
		setTags(b, spec.Tags, l.api.Tags)
	}
	account, err := k.p.account(ctx, cl)
	if err != nil {
		return providers.Live{}, err
	}
	id, region := awssdk.ToString(l.api.ApiId), k.p.o.Config.Region
	url := awssdk.ToString(l.api.ApiEndpoint)
	if stage != defaultStage {
		url += "/" + stage
	}
	live := b.live()
	live.Guard = l.guard()
	live.Owner = ownerOf(l.api.Tags)
	live.SeenAt = l.at
	live.Attributes = map[string]string{
		"arn": k.p.apiARN(id), "url": url, "name": res.Physical, "id": id,
		"executeArn": "arn:" + manifest.Partition(region) + ":execute-api:" + region + ":" + account + ":" + id + "/*/*",
	}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live, nil
}

func (p *Provider) apiARN(id string) string {
	return "arn:" + manifest.Partition(p.o.Config.Region) + ":apigateway:" + p.o.Config.Region + "::/apis/" + id
}

// apiIn is the id in the ARN of an API or of what is on one; "" in other ARNs.
func apiIn(arn string) string {
	rest, ok := lastIn(arn, "apigateway", "/apis/")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "/")
	return id
}

func (k apiKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookAPI(ctx, cl, res)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(ctx, cl, res, l)
}
