package sandbox_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers/aws/sandbox"
)

const pythonMirror = `
def handler(event, context):
    return {"got": event}
`

// httpAPI is an HTTP API of the name "shop" with one integration.
type httpAPI struct {
	*apigatewayv2.Client
	t                *testing.T
	id, url, through string
	lambda           *lambda.Client
}

func newHTTPAPI(t *testing.T, s *sandbox.Sandbox) *httpAPI {
	t.Helper()
	c := &httpAPI{Client: apigatewayv2.NewFromConfig(as(s, "alice")), t: t, lambda: newFunction(t, as(s, "alice"), "f")}
	must(c.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: zipped(t, "main.py", pythonMirror)}))(t)
	made := must(c.CreateApi(t.Context(), &apigatewayv2.CreateApiInput{Name: aws.String("shop"), ProtocolType: types.ProtocolTypeHttp, Tags: map[string]string{"team": "web"}}))(t)
	c.id, c.url = *made.ApiId, *made.ApiEndpoint
	integration := must(c.CreateIntegration(t.Context(), &apigatewayv2.CreateIntegrationInput{
		ApiId: made.ApiId, IntegrationType: types.IntegrationTypeAwsProxy, PayloadFormatVersion: aws.String("2.0"),
		IntegrationUri: aws.String("arn:aws:lambda:eu-west-1:111111111111:function:f"),
	}))(t)
	c.through = *integration.IntegrationId
	return c
}

func (c *httpAPI) route(in apigatewayv2.CreateRouteInput) *apigatewayv2.CreateRouteOutput {
	c.t.Helper()
	in.ApiId, in.Target = &c.id, aws.String("integrations/"+c.through)
	return must(c.CreateRoute(c.t.Context(), &in))(c.t)
}

func (c *httpAPI) permit() {
	c.t.Helper()
	must(c.lambda.AddPermission(c.t.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String("f"), StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("apigateway.amazonaws.com"), SourceArn: aws.String("arn:aws:execute-api:eu-west-1:111111111111:" + c.id + "/*/*"),
	}))(c.t)
}

// ask makes a request and gives its status and body.
func (c *httpAPI) ask(method, path, token string) (int, string) {
	c.t.Helper()
	req := must(http.NewRequest(method, c.url+path, nil))(c.t)
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	res := must(http.DefaultClient.Do(req))(c.t)
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	return res.StatusCode, string(must(io.ReadAll(res.Body))(c.t))
}

// A request finds its stage and the most telling of the routes, and the
// function's policy has to let the API invoke it.
func TestAnHTTPAPIAnswersByItsFunction(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := newHTTPAPI(t, s)
	for _, key := range []string{"GET /orders/{id}", "GET /orders/{rest+}", "ANY /orders/all", "POST /orders"} {
		c.route(apigatewayv2.CreateRouteInput{RouteKey: aws.String(key)})
	}
	if status, _ := c.ask("GET", "/orders/7", ""); status != http.StatusNotFound {
		t.Errorf("without a stage: %d", status)
	}
	must(c.CreateStage(t.Context(), &apigatewayv2.CreateStageInput{ApiId: &c.id, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}))(t)
	must(c.CreateStage(t.Context(), &apigatewayv2.CreateStageInput{ApiId: &c.id, StageName: aws.String("dev"), AutoDeploy: aws.Bool(true)}))(t)
	if status, body := c.ask("GET", "/orders/7", ""); status != http.StatusInternalServerError {
		t.Errorf("without a permission: %d %s", status, body)
	}
	c.permit()
	for _, r := range []struct {
		method, path, key string
		status            int
	}{
		{"GET", "/orders/7", "GET /orders/{id}", 200}, {"GET", "/orders/7/lines", "GET /orders/{rest+}", 200}, {"GET", "/orders/all", "ANY /orders/all", 200},
		{"POST", "/dev/orders", "POST /orders", 200}, {"DELETE", "/orders/7", "", 404}, {"GET", "/", "", 404},
	} {
		status, body := c.ask(r.method, r.path, "")
		var event struct {
			Got struct{ RouteKey, RawPath string }
		}
		if status == 200 {
			if err := json.Unmarshal([]byte(body), &event); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
		}
		if status != r.status || event.Got.RouteKey != r.key || r.key != "" && event.Got.RawPath != r.path {
			t.Errorf("%s %s: %d %s", r.method, r.path, status, body)
		}
	}
}

// Who may call is asked by the authorizer: issuer, audience, time and scopes.
func TestAnHTTPAPIAsksForAToken(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := newHTTPAPI(t, s)
	c.permit()
	must(c.CreateStage(t.Context(), &apigatewayv2.CreateStageInput{ApiId: &c.id, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}))(t)
	authorizer := must(c.CreateAuthorizer(t.Context(), &apigatewayv2.CreateAuthorizerInput{
		ApiId: &c.id, Name: aws.String("people"), AuthorizerType: types.AuthorizerTypeJwt, IdentitySource: []string{"$request.header.Authorization"},
		JwtConfiguration: &types.JWTConfiguration{Issuer: aws.String("https://id.example"), Audience: []string{"shop"}},
	}))(t)
	c.route(apigatewayv2.CreateRouteInput{
		RouteKey: aws.String("GET /me"), AuthorizationType: types.AuthorizationTypeJwt, AuthorizerId: authorizer.AuthorizerId, AuthorizationScopes: []string{"read"},
	})
	c.route(apigatewayv2.CreateRouteInput{RouteKey: aws.String("GET /signed"), AuthorizationType: types.AuthorizationTypeAwsIam})
	token := func(claims string) string {
		return "Bearer e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x"
	}
	for _, r := range []struct {
		path, token string
		status      int
	}{
		{"/me", "", 401}, {"/me", "Bearer x", 401}, {"/me", token(`{"iss":"https://id.example","aud":"other","scope":"read"}`), 401},
		{"/me", token(`{"iss":"https://id.example","aud":"shop","scope":"read","exp":1}`), 401},
		{"/me", token(`{"iss":"https://id.example","aud":["shop"],"scope":"write"}`), 403},
		{"/me", token(`{"iss":"https://id.example","aud":["shop"],"scope":"read write"}`), 200},
		{"/signed", "", 403}, {"/signed", "AWS4-HMAC-SHA256 Credential=x", 200},
	} {
		if status, body := c.ask("GET", r.path, r.token); status != r.status {
			t.Errorf("%s with %q: %d %s", r.path, r.token, status, body)
		}
	}
}

// What AWS refuses of the parts of an API, by its own names.
func TestPartsOfAnHTTPAPIHoldTogether(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := newHTTPAPI(t, s)
	made := c.route(apigatewayv2.CreateRouteInput{RouteKey: aws.String("GET /a")})
	if _, err := c.CreateRoute(t.Context(), &apigatewayv2.CreateRouteInput{ApiId: &c.id, RouteKey: aws.String("GET /a")}); codeOf(err) != "ConflictException" {
		t.Errorf("a route twice: %v", err)
	}
	if _, err := c.DeleteIntegration(t.Context(), &apigatewayv2.DeleteIntegrationInput{ApiId: &c.id, IntegrationId: &c.through}); codeOf(err) != "ConflictException" {
		t.Errorf("an integration in use: %v", err)
	}
	if _, err := c.CreateRoute(t.Context(), &apigatewayv2.CreateRouteInput{ApiId: &c.id, RouteKey: aws.String("GET a")}); codeOf(err) != "BadRequestException" {
		t.Errorf("a bad key: %v", err)
	}
	must(c.UpdateApi(t.Context(), &apigatewayv2.UpdateApiInput{ApiId: &c.id, DisableExecuteApiEndpoint: aws.Bool(true)}))(t)
	if got := must(c.GetApi(t.Context(), &apigatewayv2.GetApiInput{ApiId: &c.id}))(t); !*got.DisableExecuteApiEndpoint || *got.Name != "shop" || got.Tags["team"] != "web" {
		t.Errorf("after an update: %+v", got)
	}
	must(c.DeleteRoute(t.Context(), &apigatewayv2.DeleteRouteInput{ApiId: &c.id, RouteId: made.RouteId}))(t)
	must(c.DeleteApi(t.Context(), &apigatewayv2.DeleteApiInput{ApiId: &c.id}))(t)
	if _, err := c.GetApi(t.Context(), &apigatewayv2.GetApiInput{ApiId: &c.id}); codeOf(err) != "NotFoundException" {
		t.Errorf("after its end: %v", err)
	}
}
