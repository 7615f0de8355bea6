package aws

import (
	"encoding/json"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

var (
	apiRef   = manifest.Ref{Kind: manifest.KindAPI, Name: "front"}
	routeRef = manifest.Ref{Kind: manifest.KindRoute, Name: "checkout.web"}
)

func apiOf(prefix string, spec manifest.APISpec) manifest.Resource {
	return manifest.Resource{Ref: apiRef, Physical: prefix + "-front", Spec: &spec, Digest: digestOf(spec)}
}

func routeOf(prefix string, spec manifest.RouteSpec) manifest.Resource {
	spec.Alias, spec.API = manifest.Ref{Kind: manifest.KindAlias, Name: "checkout.live"}, manifest.Value{Ref: apiRef}
	return manifest.Resource{
		Ref: routeRef, Parent: manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}, Physical: prefix + "-checkout", Key: "web", Spec: &spec, Digest: digestOf(spec),
	}
}

// fullAPI sets every member, and a route that asks for a token.
func fullAPI(prefix string) []manifest.Resource {
	burst, few := 100, 1
	function := manifest.Value{Literal: "arn:aws:lambda:" + testRegion + ":" + testAccount + ":function:" + prefix + "-checkout:live"}
	return []manifest.Resource{
		apiOf(prefix, manifest.APISpec{
			Description: "the shop", Version: "v1", DisableExecuteAPIEndpoint: true, IPAddressType: "dualstack",
			CorsConfiguration: &manifest.Cors{
				AllowCredentials: true, AllowHeaders: []string{"X-Shop"}, AllowMethods: []string{"POST", "GET"}, AllowOrigins: []string{"https://shop.example"},
				ExposeHeaders: []string{"X-Order"}, MaxAge: 60,
			},
			Stage: manifest.APIStage{
				StageName: "$default", Description: "all", DefaultRouteSettings: &manifest.APIRouteSettings{ThrottlingBurstLimit: &burst, ThrottlingRateLimit: number(50.5), DetailedMetricsEnabled: true},
				RouteSettings:     map[string]manifest.APIRouteSettings{"GET /orders": {ThrottlingBurstLimit: &few}},
				AccessLogSettings: &manifest.APIAccessLog{DestinationArn: manifest.Value{Literal: "arn:aws:logs:" + testRegion + ":" + testAccount + ":log-group:access:*"}, Format: "$context.requestId"},
				StageVariables:    map[string]string{"shop": "main", "other": "x"},
			},
			Authorizers: map[string]manifest.APIAuthorizer{
				"people": {JwtConfiguration: &manifest.JwtConfiguration{Issuer: "https://id.example", Audience: []string{"shop", "admin"}}},
				"asked":  {Function: &function, AuthorizerResultTTLInSeconds: 60, IdentitySource: []string{"$request.header.X-Key", "$request.querystring.key"}},
			},
			Tags: map[string]string{"team": "web"},
		}),
		routeOf(prefix, manifest.RouteSpec{
			Routes: []string{"GET /orders", "POST /orders"}, Authorizer: "people", AuthorizationScopes: []string{"read"}, PayloadFormatVersion: "1.0", TimeoutInMillis: 5000,
		}),
	}
}

// bareAPI takes all of it away again.
func bareAPI(prefix string) []manifest.Resource {
	return []manifest.Resource{
		apiOf(prefix, manifest.APISpec{Tags: map[string]string{"team": "web"}}),
		routeOf(prefix, manifest.RouteSpec{Routes: []string{"GET /orders", "ANY /files/{path+}"}, AuthorizationType: "NONE"}),
	}
}

// behindAPI is a sandbox with the shop in place, which a route leads to.
func behindAPI(t *testing.T) *boxed {
	t.Helper()
	b := newBoxed(t, sandbox.Options{})
	b.converge(b.shop("preview"))
	return b
}

func TestEveryFieldOfAnAPIIsSetAndCleared(t *testing.T) {
	b := behindAPI(t)
	b.reshape(fullAPI("preview"), bareAPI("preview"), fullAPI("preview"))
}

// hand is another person with the API that was made.
type hand struct {
	*apigatewayv2.Client
	id string
}

func (b *boxed) handOn(all []manifest.Resource) hand {
	live, _ := b.look(all)
	return hand{apigatewayv2.NewFromConfig(b.as("AKIABOB")), live[apiRef].Attributes["id"]}
}

// What a hand adds to an API is found, named by what it is, and goes without
// anything else.
func TestExtrasOfAnAPI(t *testing.T) {
	b := behindAPI(t)
	all := bareAPI("preview")
	b.converge(all)
	h := b.handOn(all)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := h.CreateIntegration(b.ctx, &apigatewayv2.CreateIntegrationInput{
		ApiId: &h.id, IntegrationType: types.IntegrationTypeHttpProxy, IntegrationUri: awssdk.String("https://elsewhere.example"), IntegrationMethod: awssdk.String("GET"),
	})
	must(made, err)
	target := "integrations/" + *made.IntegrationId
	must(h.CreateRoute(b.ctx, &apigatewayv2.CreateRouteInput{ApiId: &h.id, RouteKey: awssdk.String("GET /debug"), Target: &target}))
	must(h.CreateRoute(b.ctx, &apigatewayv2.CreateRouteInput{ApiId: &h.id, RouteKey: awssdk.String("GET /signed"), Target: &target, AuthorizationType: types.AuthorizationTypeAwsIam}))
	must(h.CreateStage(b.ctx, &apigatewayv2.CreateStageInput{ApiId: &h.id, StageName: awssdk.String("test")}))
	b.advance(b.o.LayerAge)
	inventory, err := b.Survey(b.ctx, all)
	must(inventory, err)
	open := map[string]bool{}
	for _, e := range inventory.Extras {
		open[e.Ref.String()] = e.Open
	}
	if want := map[string]bool{"Route/front.GET /debug": true, "Route/front.GET /signed": false, "Stage/front.test": false}; canonicalJSON(open) != canonicalJSON(want) {
		t.Fatalf("extras %v, want %v", open, want)
	}
	for _, e := range inventory.Extras {
		if _, err := b.Detach(b.ctx, all[0], e); err != nil {
			t.Fatal(err)
		}
	}
	b.advance(b.o.LayerAge)
	after, err := b.Survey(b.ctx, all)
	must(after, err)
	if len(after.Extras) != 1 || after.Extras[0].Ref.String() != "Integration/front."+*made.IntegrationId {
		t.Fatalf("the integration nothing leads to is left: %v", after.Extras)
	}
	must(b.Detach(b.ctx, all[0], after.Extras[0]))
	b.inPlace(all)
}

// What a hand does to a route shows on it alone, and by whom; one field is put
// back without the others, and a guard of before is refused.
func TestRouteDrift(t *testing.T) {
	b := behindAPI(t)
	all := fullAPI("preview")
	b.converge(all)
	before, bindings := b.look(all)
	h := b.handOn(all)
	routes, err := h.GetRoutes(b.ctx, &apigatewayv2.GetRoutesInput{ApiId: &h.id})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes.Items {
		if *r.RouteKey == "GET /orders" {
			_, err = h.UpdateRoute(b.ctx, &apigatewayv2.UpdateRouteInput{ApiId: &h.id, RouteId: r.RouteId, AuthorizationType: types.AuthorizationTypeNone})
		} else {
			_, err = h.DeleteRoute(b.ctx, &apigatewayv2.DeleteRouteInput{ApiId: &h.id, RouteId: r.RouteId})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	after, _ := b.look(all)
	fields := after[routeRef].Spec.Fields
	if _, there := fields[`routes["POST /orders"]`]; there || !strings.Contains(fields[`routes["GET /orders"]`], `"authorization":"NONE"`) {
		t.Errorf("what the hand did shows as %v", fields)
	}
	if after[apiRef].Guard != before[apiRef].Guard {
		t.Error("a route moves the API's guard")
	}
	c := providers.Change{Resource: all[1], Bindings: bindings, Fields: []string{`routes["GET /orders"]`}, Guard: before[routeRef].Guard, Release: testRelease}
	if _, err := b.Put(b.ctx, c); providers.KindOf(err) != providers.Conflict {
		t.Errorf("a guard of before: %v", err)
	}
	c.Guard = after[routeRef].Guard
	if _, err := b.Put(b.ctx, c); err != nil {
		t.Fatal(err)
	}
	now, _ := b.look(all)
	fields = now[routeRef].Spec.Fields
	if _, there := fields[`routes["POST /orders"]`]; there || !strings.Contains(fields[`routes["GET /orders"]`], `"authorization":"people"`) {
		t.Errorf("after putting one route back: %v", fields)
	}
	actors, err := b.Actors(b.ctx, all[1], now[routeRef].SeenAt.Add(-1e12))
	told, _ := json.Marshal(actors) // plain data
	if err != nil || !strings.Contains(string(told), "user/akiabob") || !strings.Contains(string(told), "UpdateRoute") {
		t.Errorf("who did it: %s, %v", told, err)
	}
}

// APIs have no names: of two that could be ours none is touched, and one that
// is another's is no obstacle.
func TestAPIsAreFoundByTheirTags(t *testing.T) {
	b := behindAPI(t)
	all := bareAPI("preview")
	bob := apigatewayv2.NewFromConfig(b.as("AKIABOB"))
	twin := func(tags map[string]string) string {
		t.Helper()
		out, err := bob.CreateApi(b.ctx, &apigatewayv2.CreateApiInput{Name: &all[0].Physical, ProtocolType: types.ProtocolTypeHttp, Tags: tags})
		if err != nil {
			t.Fatal(err)
		}
		return *out.ApiId
	}
	twin(map[string]string{tagPipeline: "shop", tagEnvironment: "production", tagResource: apiRef.String()})
	b.converge(all)
	mine := b.handOn(all).id
	other := twin(map[string]string{tagPipeline: "shop", tagEnvironment: "preview", tagResource: apiRef.String()})
	if _, err := b.Observe(b.ctx, all[0]); providers.KindOf(err) != providers.Invalid || !strings.Contains(err.Error(), mine) || !strings.Contains(err.Error(), other) {
		t.Errorf("two of ours: %v", err)
	}
	if _, err := b.Put(b.ctx, providers.Change{Resource: all[0], Release: testRelease}); providers.KindOf(err) != providers.Invalid {
		t.Errorf("a write to one of two: %v", err)
	}
	if _, err := bob.DeleteApi(b.ctx, &apigatewayv2.DeleteApiInput{ApiId: &other}); err != nil {
		t.Fatal(err)
	}
	b.inPlace(all)
}

// An API that belongs to nobody is taken over when that is approved, with the
// integration that led to the function before.
func TestAnAPIIsAdopted(t *testing.T) {
	b := behindAPI(t)
	all := bareAPI("preview")
	bob := apigatewayv2.NewFromConfig(b.as("AKIABOB"))
	made, err := bob.CreateApi(b.ctx, &apigatewayv2.CreateApiInput{Name: &all[0].Physical, ProtocolType: types.ProtocolTypeHttp})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.CreateIntegration(b.ctx, &apigatewayv2.CreateIntegrationInput{
		ApiId: made.ApiId, IntegrationType: types.IntegrationTypeAwsProxy, PayloadFormatVersion: awssdk.String("2.0"),
		IntegrationUri: awssdk.String("arn:aws:lambda:" + testRegion + ":" + testAccount + ":function:preview-checkout:live"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(b.ctx, providers.Change{Resource: all[0], Release: testRelease}); providers.KindOf(err) != providers.Denied {
		t.Errorf("writing what nobody owns: %v", err)
	}
	all[0].Adopt = true
	b.reshape(all)
	parts, err := bob.GetIntegrations(b.ctx, &apigatewayv2.GetIntegrationsInput{ApiId: made.ApiId})
	if err != nil || len(parts.Items) != 1 || b.handOn(all).id != *made.ApiId {
		t.Errorf("%v: %d integrations, API %s", err, len(parts.Items), b.handOn(all).id)
	}
}

// What nobody declares any more goes: the route with its integration, then the
// API with the rest; another's stays.
func TestAPIsGo(t *testing.T) {
	b := behindAPI(t)
	all := bareAPI("preview")
	b.converge(all)
	inventory, err := b.Survey(b.ctx, nil)
	if err != nil || !inventory.Orphans[apiRef].Exists || !inventory.Orphans[routeRef].Exists {
		t.Fatalf("%v: orphans %v", err, inventory.Orphans)
	}
	for _, ref := range []manifest.Ref{routeRef, apiRef} {
		o := inventory.Orphans[ref]
		if o.Owner.Resource != ref.String() {
			t.Errorf("%s belongs to %s", ref, o.Owner.Resource)
		}
		if _, err := b.Delete(b.ctx, manifest.Resource{Ref: ref, Physical: o.Attributes["name"]}, o.Guard); err != nil {
			t.Fatal(err)
		}
	}
	if live, _ := b.look(all); live[apiRef].Exists || live[routeRef].Exists {
		t.Error("they are still there")
	}
}

// witnessAPI is what moto says of APIs, with the shop in place.
func witnessAPI(w *world) {
	w.converge(w.shop("apis"))
	w.reshape(bareAPI("apis"))
}
