package manifest

import (
	"maps"
	"slices"
	"strings"
)

func apiKind() *kind {
	return newKind[APISpec](kind{
		name:       KindAPI,
		summary:    "An HTTP API of API Gateway. Its routes are triggers of the functions behind them: triggers: {web: {api: Api/shop, routes: [GET /orders]}}.",
		nameRule:   rule{required: true, maxLen: 128, match: patterns["name"]},
		limit:      128,
		attributes: []string{"arn", "url", "name", "executeArn"},
		noSpec:     true,
		expand:     expandAPI,
		example: `apiVersion: mooring.dev/v1
kind: Api
metadata: {name: shop}
spec:
  corsConfiguration: {allowOrigins: ["https://shop.example"], allowMethods: [GET, POST], maxAge: 600}
  stage:
    defaultRouteSettings: {throttlingBurstLimit: 100, throttlingRateLimit: 50}
    accessLogSettings: {destinationArn: LogGroup/access, format: "$context.requestId $context.routeKey $context.status"}
  authorizers:
    people:
      jwtConfiguration: {issuer: "https://id.shop.example", audience: [shop]}
---
apiVersion: mooring.dev/v1
kind: LogGroup
metadata: {name: access}
spec: {retentionInDays: 30}
`,
	})
}

func expandAPI(x *expansion) {
	spec := *x.written.(*APISpec)
	if spec.Stage.StageName == "" {
		spec.Stage.StageName = "$default"
	}
	var refs []Ref
	if log := spec.Stage.AccessLogSettings; log != nil {
		refs = append(refs, targets(Ref{}, &log.DestinationArn)...)
	}
	if spec.Authorizers != nil {
		spec.Authorizers = maps.Clone(spec.Authorizers)
	}
	for name, a := range spec.Authorizers {
		refs = append(refs, targets(Ref{}, a.Function)...)
		spec.Authorizers[name] = a.normal()
	}
	x.top(&spec, refs)
}

// normal is an authorizer with its defaults.
func (a APIAuthorizer) normal() APIAuthorizer {
	if len(a.IdentitySource) == 0 {
		a.IdentitySource = []string{"$request.header.Authorization"}
	}
	if a.Function != nil {
		if a.AuthorizerPayloadFormatVersion == "" {
			a.AuthorizerPayloadFormatVersion = "2.0"
		}
		if a.EnableSimpleResponses == nil {
			simple := a.AuthorizerPayloadFormatVersion == "2.0"
			a.EnableSimpleResponses = &simple
		}
	}
	return a
}

func (s *APISpec) check(d *decoder, n *node) {
	if c := s.CorsConfiguration; c != nil && c.AllowCredentials && (slices.Contains(c.AllowOrigins, "*") || slices.Contains(c.AllowHeaders, "*")) {
		d.fault(n.get("corsConfiguration").pos(), "allowCredentials with * for origins or headers", "AWS refuses that: name them")
	}
	if log := s.Stage.AccessLogSettings; log != nil && !strings.Contains(log.Format, "$context.requestId") && !strings.Contains(log.Format, "$context.extendedRequestId") {
		d.fault(n.get("stage").get("accessLogSettings").get("format").pos(), "has no $context.requestId", "AWS wants it in every line")
	}
	checkTags(d, n.get("tags"), s.Tags)
}

func (a *APIAuthorizer) check(d *decoder, n *node) {
	if (a.JwtConfiguration == nil) == (a.Function == nil) {
		d.fault(n.pos(), "needs jwtConfiguration or function, and not both", "")
		return
	}
	if a.JwtConfiguration != nil {
		for _, name := range []string{"authorizerResultTtlInSeconds", "authorizerPayloadFormatVersion", "enableSimpleResponses"} {
			if field := n.get(name); field != nil {
				d.fault(field.pos(), name+" is for a function that is asked", "")
			}
		}
		if len(a.IdentitySource) > 1 {
			d.fault(n.get("identitySource").pos(), "a token is in one place", "")
		}
		return
	}
	if a.EnableSimpleResponses != nil && *a.EnableSimpleResponses && a.AuthorizerPayloadFormatVersion == "1.0" {
		d.fault(n.get("enableSimpleResponses").pos(), "simple responses need authorizerPayloadFormatVersion 2.0", "")
	}
}

// checkRoute holds a route against the API it belongs to, and against the
// routes of others.
func (w *whole) checkRoute(res *Resource, spec *RouteSpec) {
	path := "spec.triggers." + res.Key + ".api"
	at := w.place(res.Parent, path, res.Origin)
	if i, found := w.byRef[spec.API.Ref]; found && spec.Authorizer != "" {
		if api, ok := w.resources[i].Spec.(*APISpec); ok {
			if a, known := api.Authorizers[spec.Authorizer]; !known {
				w.fault(at, "spec.triggers."+res.Key+".authorizer", spec.API.Ref.String()+" has no authorizer "+quote(spec.Authorizer),
					didYouMean(spec.Authorizer, slices.Sorted(maps.Keys(api.Authorizers))))
			} else if a.JwtConfiguration == nil && len(spec.AuthorizationScopes) > 0 {
				w.fault(at, "spec.triggers."+res.Key+".authorizationScopes", "scopes are for JWT authorizers", "")
			}
		}
	}
	for _, key := range spec.Routes {
		id := spec.API.Ref.String() + " " + key
		if other, taken := w.routes[id]; taken {
			w.fault(at, path, quote(key)+" of "+spec.API.Ref.String()+" leads to "+other.String()+" as well", "a route leads to one function")
			continue
		}
		if w.routes == nil {
			w.routes = map[string]Ref{}
		}
		w.routes[id] = res.Ref
	}
}
