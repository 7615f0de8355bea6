package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// implicitAPI is what SAM calls the API of events that name none.
const implicitAPI = "ServerlessHttpApi"

// api is AWS::ApiGatewayV2::Api.
func (r *reader) api(id string, p map[string]any) {
	if protocol, _ := plain(r.resolver.eval(p["ProtocolType"], 0)); protocol != "" && protocol != "HTTP" {
		r.skip(id, "AWS::ApiGatewayV2::Api", "is no HTTP API ("+protocol+")")
		return
	}
	d := r.begin(id, manifest.KindAPI)
	r.members(d, p, map[string]func(map[string]any, string){
		"Description": nil, "Version": nil, "DisableExecuteApiEndpoint": truth, "IpAddressType": nil,
	}, "Name", "ProtocolType", "CorsConfiguration", "Tags")
	r.cors(d, p["CorsConfiguration"])
}

func (r *reader) cors(d *manifest.Draft, x any) {
	cors, ok := lowered(r.value(d, "CorsConfiguration", x)).(map[string]any)
	if !ok {
		return
	}
	whole(cors, "maxAge")
	truth(cors, "allowCredentials")
	for _, key := range []string{"allowHeaders", "allowMethods", "allowOrigins", "exposeHeaders"} {
		if text, ok := cors[key].(string); ok {
			cors[key] = []any{text}
		}
	}
	d.Spec["corsConfiguration"] = cors
}

// apiAt is the API a resource is on; nil, and listed, when it is not in the
// template.
func (r *reader) apiAt(id string, p map[string]any) *manifest.Draft {
	address, _ := plainAddress(r.resolver.eval(p["ApiId"], 0))
	d := r.byAddress(address, manifest.KindAPI)
	if d == nil {
		r.skip(id, r.resources[id].kind, "its API is not in the template")
	}
	return d
}

func (r *reader) stage(id string, p map[string]any) {
	d := r.apiAt(id, p)
	if d == nil {
		return
	}
	if other := r.staged[d.Name]; other != "" && r.text(d, id, p["StageName"]) != "$default" {
		d.Leave("stage %s: an API is declared with one stage", id)
		return
	} else if other != "" {
		d.Leave("stage %s: an API is declared with one stage", other)
		delete(d.Spec, "stage")
	}
	r.staged[d.Name] = id
	if fmt.Sprint(p["AutoDeploy"]) != "true" {
		d.Leave("stage %s: it does not deploy by itself, and a declared one does", id)
	}
	r.stageOf(d, p)
}

func (r *reader) stageOf(d *manifest.Draft, p map[string]any) {
	stage := map[string]any{}
	if name := r.text(d, "StageName", p["StageName"]); name != "" && name != "$default" {
		stage["stageName"] = name
	}
	if description := r.text(d, "Description", p["Description"]); description != "" && p["ApiId"] != nil {
		stage["description"] = description
	}
	if settings := r.routeSettings(r.value(d, "DefaultRouteSettings", p["DefaultRouteSettings"])); settings != nil {
		stage["defaultRouteSettings"] = settings
	}
	if all, ok := r.value(d, "RouteSettings", p["RouteSettings"]).(map[string]any); ok {
		out := map[string]any{}
		for key, x := range all {
			out[key] = r.routeSettings(x)
		}
		stage["routeSettings"] = out
	}
	if log, ok := r.value(d, "AccessLogSettings", p["AccessLogSettings"]).(map[string]any); ok && log["DestinationArn"] != nil {
		stage["accessLogSettings"] = pruned(map[string]any{"destinationArn": log["DestinationArn"], "format": log["Format"]})
	}
	if variables, ok := r.value(d, "StageVariables", p["StageVariables"]).(map[string]any); ok {
		for key, x := range variables {
			variables[key] = asText(x)
		}
		stage["stageVariables"] = variables
	}
	if len(stage) > 0 {
		d.Spec["stage"] = stage
	}
}

func (r *reader) routeSettings(x any) map[string]any {
	out, ok := lowered(x).(map[string]any)
	if !ok {
		return nil
	}
	whole(out, "throttlingBurstLimit")
	if out["throttlingRateLimit"] != nil {
		number(out, "throttlingRateLimit")
	}
	truth(out, "detailedMetricsEnabled")
	maps.DeleteFunc(out, func(key string, _ any) bool {
		return !slices.Contains([]string{"throttlingBurstLimit", "throttlingRateLimit", "detailedMetricsEnabled"}, key)
	})
	return out
}

func (r *reader) authorizer(id string, p map[string]any) {
	d := r.apiAt(id, p)
	if d == nil {
		return
	}
	name := r.text(d, id+".Name", p["Name"])
	out := map[string]any{}
	if sources, ok := r.value(d, id+".IdentitySource", p["IdentitySource"]).([]any); ok {
		out["identitySource"] = sources
	}
	if jwt, ok := r.value(d, id+".JwtConfiguration", p["JwtConfiguration"]).(map[string]any); ok {
		out["jwtConfiguration"] = pruned(map[string]any{"issuer": jwt["Issuer"], "audience": jwt["Audience"]})
	} else if !r.asks(d, id, p["AuthorizerUri"], p, out) {
		return
	}
	if name == "" {
		d.Leave("authorizer %s: its name is not known", id)
		return
	}
	r.part(d, "authorizers")[name] = out
}

// asks makes an authorizer ask a function; false, and noted, when that is not
// in the template.
func (r *reader) asks(d *manifest.Draft, name string, uri any, p, out map[string]any) bool {
	fn := r.mentioned(uri)
	if fn == nil {
		d.Leave("authorizer %s: the function it asks is not in the template", name)
		return false
	}
	if fn.Spec["alias"] == "none" || fn.Spec["alias"] == nil {
		d.Leave("authorizer %s: it asks %s, which has no alias; give it one, and name it", name, fn.Ref())
		return false
	}
	out["function"] = fn.Addresses["arn"]
	for _, key := range []string{"AuthorizerResultTtlInSeconds", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses"} {
		if v := r.value(d, name+"."+key, p[key]); v != nil {
			out[small(key)] = v
		}
	}
	whole(out, "authorizerResultTtlInSeconds")
	truth(out, "enableSimpleResponses")
	if v := out["authorizerPayloadFormatVersion"]; v != nil {
		out["authorizerPayloadFormatVersion"] = version(v)
	}
	return true
}

// version is 1.0 or 2.0, which YAML reads as numbers.
func version(x any) string {
	if f, ok := x.(float64); ok {
		return fmt.Sprintf("%.1f", f)
	}
	text := fmt.Sprint(x)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// route makes a trigger of a route and the integration it leads to.
func (r *reader) route(id string, p map[string]any) {
	d := r.apiAt(id, p)
	if d == nil {
		return
	}
	body, _ := r.value(d, id, p).(map[string]any)
	target, _ := body["Target"].(string)
	_, integration, _ := strings.Cut(target, innerAddress)
	in := r.resources[integration].properties
	fn := r.mentioned(in["IntegrationUri"])
	key, _ := body["RouteKey"].(string)
	if fn == nil || key == "" {
		d.Leave("route %s (%s): it does not lead to a function of the template", id, key)
		return
	}
	t := map[string]any{"api": d.Addresses["arn"], "routes": []any{key}}
	if v := r.value(d, integration+".PayloadFormatVersion", in["PayloadFormatVersion"]); v != nil {
		t["payloadFormatVersion"] = version(v)
	} else {
		t["payloadFormatVersion"] = "1.0" // what API Gateway takes when it is not told
	}
	if v := r.value(d, integration+".TimeoutInMillis", in["TimeoutInMillis"]); v != nil {
		t["timeoutInMillis"] = v
		whole(t, "timeoutInMillis")
	}
	switch kind, _ := body["AuthorizationType"].(string); kind {
	case "", "NONE":
	case "AWS_IAM":
		t["authorizationType"] = kind
	default:
		address, _ := body["AuthorizerId"].(string)
		name := r.text(d, id+".AuthorizerId", r.resources[strings.TrimPrefix(address, innerAddress)].properties["Name"])
		if name == "" {
			d.Leave("route %s: its authorizer is not in the template, and without one anybody could call", id)
			return
		}
		t["authorizer"] = name
		if body["AuthorizationScopes"] != nil {
			t["authorizationScopes"] = body["AuthorizationScopes"]
		}
	}
	r.triggers(fn)[freeKey(r.triggers(fn), id)] = t
}

// samAPI is AWS::Serverless::HttpApi.
func (r *reader) samAPI(id string, own map[string]any) {
	p := r.with("HttpApi", own)
	d := r.begin(id, manifest.KindAPI)
	r.members(d, p, map[string]func(map[string]any, string){"Description": nil, "DisableExecuteApiEndpoint": truth},
		"Name", "StageName", "CorsConfiguration", "DefaultRouteSettings", "RouteSettings", "AccessLogSettings", "StageVariables", "Auth", "Tags",
		"FailOnWarnings", "PropagateTags")
	if fmt.Sprint(p["CorsConfiguration"]) == "true" {
		d.Spec["corsConfiguration"] = map[string]any{"allowOrigins": []any{"*"}}
	} else {
		r.cors(d, p["CorsConfiguration"])
	}
	r.stageOf(d, p)
	auth, _ := p["Auth"].(map[string]any)
	authorizers, _ := auth["Authorizers"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(authorizers)) {
		body, _ := authorizers[name].(map[string]any)
		r.samAuthorizer(d, name, body)
	}
}

func (r *reader) samAuthorizer(d *manifest.Draft, name string, body map[string]any) {
	out := map[string]any{}
	if jwt, ok := r.value(d, "Auth."+name, body["JwtConfiguration"]).(map[string]any); ok {
		jwt, _ = lowered(jwt).(map[string]any)
		out["jwtConfiguration"] = pruned(map[string]any{"issuer": jwt["issuer"], "audience": jwt["audience"]})
		if source := r.text(d, "Auth."+name+".IdentitySource", body["IdentitySource"]); source != "" {
			out["identitySource"] = []any{source}
		}
	} else {
		settings := map[string]any{"AuthorizerPayloadFormatVersion": body["AuthorizerPayloadFormatVersion"], "EnableSimpleResponses": body["EnableSimpleResponses"]}
		if settings["EnableSimpleResponses"] == nil {
			settings["EnableSimpleResponses"] = false
		}
		r.late = append(r.late, func() {
			if r.asks(d, name, body["FunctionArn"], settings, out) {
				r.part(d, "authorizers")[name] = out
			}
		})
		return
	}
	r.part(d, "authorizers")[name] = out
}
