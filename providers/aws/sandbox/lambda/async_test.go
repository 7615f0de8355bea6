package lambda_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers/aws/sandbox/lambda"
)

func quickRetries(o *lambda.Options) { o.RetryDelays = []time.Duration{time.Millisecond} }

func (w *world) invokeEvent(name, payload string) {
	w.t.Helper()
	out := must(w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: &name, Payload: []byte(payload), InvocationType: types.InvocationTypeEvent}))
	if out.StatusCode != 202 {
		w.t.Errorf("an asynchronous call answers %d", out.StatusCode)
	}
}

const failing = "def handler(e, c):\n    print('TRY')\n    raise Exception('always')\n"

type destinationRecord struct {
	RequestContext struct {
		Condition, FunctionArn string
		ApproximateInvokeCount int
	}
	RequestPayload  map[string]any
	ResponseContext struct{ FunctionError, ExecutedVersion string }
	ResponsePayload any
}

func TestAsyncFailureIsTriedThreeTimesThenGoesToItsDestinationAndDeadLetterQueue(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders, dead)
	w := newWorld(t, instantly, quickRetries, withQueues(q))
	w.make("f", python(t, failing), func(in *awslambda.CreateFunctionInput) {
		in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: aws.String(dead)}
	})
	must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(orders)}}}))
	w.invokeEvent("f", `{"n": 1}`)
	await(t, func() bool { return len(q.bodies(dead)) == 1 })
	if n := strings.Count(fmt.Sprint(w.service.Logs("f")), "TRY"); n != 3 {
		t.Errorf("tried %d times", n)
	}
	if got := q.bodies(dead)[0]; got != `{"n": 1}` {
		t.Errorf("the dead-letter queue has %s", got)
	}
	got := decode[destinationRecord](t, []byte(q.bodies(orders)[0]))
	if got.RequestContext.Condition != "RetriesExhausted" || got.RequestContext.ApproximateInvokeCount != 3 || got.RequestPayload["n"] != 1.0 ||
		got.ResponseContext.FunctionError != "Unhandled" || got.RequestContext.FunctionArn != "arn:aws:lambda:eu-west-1:111122223333:function:f:$LATEST" {
		t.Errorf("the destination has %+v", got)
	}
}

func TestAsyncConfigurationIsTheQualifiersOwn(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders, dead)
	w := newWorld(t, instantly, quickRetries, withQueues(q))
	w.make("f", python(t, failing), func(in *awslambda.CreateFunctionInput) { in.Publish = true })
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), MaximumRetryAttempts: aws.Int32(0),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(orders)}}}))
	w.invokeEvent("f:live", `{}`)
	await(t, func() bool { return len(q.bodies(orders)) == 1 })
	got := decode[destinationRecord](t, []byte(q.bodies(orders)[0]))
	if got.RequestContext.ApproximateInvokeCount != 1 || got.ResponseContext.ExecutedVersion != "1" || !strings.HasSuffix(got.RequestContext.FunctionArn, ":f:live") {
		t.Errorf("the destination has %+v", got)
	}
}

func TestAsyncSuccessGoesToItsDestination(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders)
	w := newWorld(t, instantly, withQueues(q))
	w.make("f", python(t, echo), nil)
	must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"),
		DestinationConfig: &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: aws.String(orders)}}}))
	w.invokeEvent("f", `{"n": 7}`)
	await(t, func() bool { return len(q.bodies(orders)) == 1 })
	got := decode[destinationRecord](t, []byte(q.bodies(orders)[0]))
	if got.RequestContext.Condition != "Success" || fmt.Sprint(got.ResponsePayload) != "map[n:7]" {
		t.Errorf("%+v", got)
	}
}

func TestThrottledAsyncCallWaitsForConcurrency(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders)
	m := &metrics{}
	w := newWorld(t, instantly, quickRetries, withQueues(q), withMetrics(m))
	w.make("f", python(t, echo), nil)
	must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(0),
		DestinationConfig: &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: aws.String(orders)}}}))
	must(w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(0)}))
	w.invokeEvent("f", `{}`)
	await(t, func() bool { n, _ := m.sum("Throttles", map[string]string{"FunctionName": "f"}); return n >= 3 })
	must(w.DeleteFunctionConcurrency(w.ctx, &awslambda.DeleteFunctionConcurrencyInput{FunctionName: aws.String("f")}))
	await(t, func() bool { return len(q.bodies(orders)) == 1 })
}

const web = `
import base64, json
def handler(event, context):
    c = event["requestContext"]
    if event["rawPath"] == "/plain":
        return {"hello": "world"}
    if event["rawPath"] == "/boom":
        raise Exception("boom")
    if event["rawPath"] == "/binary":
        return {"statusCode": 200, "headers": {"content-type": "image/x"}, "body": base64.b64encode(b"\x00\xff").decode(), "isBase64Encoded": True}
    return {"statusCode": 201, "headers": {"X-Version": context.function_version}, "cookies": ["a=1"],
            "body": json.dumps([event["version"], c["http"]["method"], event["rawPath"], event.get("queryStringParameters"), event.get("body"), event["headers"].get("x-me")])}
`

// fetch calls a function URL and returns status, body and headers.
func (w *world) fetch(method, url, body string, header map[string]string) (int, string, http.Header) {
	w.t.Helper()
	request := must(http.NewRequestWithContext(w.ctx, method, url, strings.NewReader(body)))
	for name, value := range header {
		request.Header.Set(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	response := must(http.DefaultClient.Do(request))
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	return response.StatusCode, string(must(io.ReadAll(response.Body))), response.Header
}

func TestFunctionURLAnswers(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	w.make("f", python(t, web), func(in *awslambda.CreateFunctionInput) { in.Publish = true })
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	url := *must(w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), AuthType: types.FunctionUrlAuthTypeNone})).FunctionUrl
	w.openURL("f", "live")
	status, body, header := w.fetch("POST", url+"a/b?x=1&x=2", `{"n": 1}`, map[string]string{"X-Me": "me", "Content-Type": "application/json"})
	if want := `["2.0", "POST", "/a/b", {"x": "1,2"}, "{\"n\": 1}", "me"]`; status != 201 || body != want || header.Get("X-Version") != "1" || header.Get("Set-Cookie") != "a=1" {
		t.Errorf("%d %s %v", status, body, header)
	}
	id := strings.Split(strings.TrimSuffix(url, "/"), "/lambda-url/")[1]
	if status, body, _ := w.fetch("GET", w.url+"/plain", "", map[string]string{"Host": id + ".lambda-url." + region + ".on.aws"}); status != 200 || body != `{"hello": "world"}` {
		t.Errorf("by Host: %d %s", status, body)
	}
	if status, body, header := w.fetch("GET", url+"binary", "", nil); status != 200 || body != "\x00\xff" || header.Get("Content-Type") != "image/x" {
		t.Errorf("binary: %d %q", status, body)
	}
	if status, _, _ := w.fetch("GET", url+"boom", "", nil); status != 502 {
		t.Errorf("a failing function answers %d", status)
	}
	if status, _, _ := w.fetch("GET", w.url+"/lambda-url/nobody/", "", nil); status != 404 {
		t.Errorf("an unknown URL answers %d", status)
	}
	must(w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(0)}))
	if status, _, _ := w.fetch("GET", url, "", nil); status != 429 {
		t.Errorf("a throttled function answers %d", status)
	}
}

// openURL lets everybody call a function by its URL.
func (w *world) openURL(name, qualifier string) {
	w.t.Helper()
	must(w.AddPermission(w.ctx, &awslambda.AddPermissionInput{FunctionName: &name, Qualifier: &qualifier, StatementId: aws.String("url"),
		Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone}))
	must(w.AddPermission(w.ctx, &awslambda.AddPermissionInput{FunctionName: &name, Qualifier: &qualifier, StatementId: aws.String("invoke"),
		Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunction"), InvokedViaFunctionUrl: aws.Bool(true)}))
}

func TestAnOpenURLNeedsBothPermissions(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	w.make("f", python(t, web), func(in *awslambda.CreateFunctionInput) { in.Publish = true })
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	url := *must(w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), AuthType: types.FunctionUrlAuthTypeNone})).FunctionUrl
	status := func() int {
		code, _, _ := w.fetch("GET", url+"plain", "", nil)
		return code
	}
	if got := status(); got != 403 {
		t.Errorf("without a policy it answers %d", got)
	}
	w.openURL("f", "live")
	if got := status(); got != 200 {
		t.Errorf("with both permissions it answers %d", got)
	}
	for _, sid := range []string{"url", "invoke"} {
		must(w.RemovePermission(w.ctx, &awslambda.RemovePermissionInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), StatementId: &sid}))
		if got := status(); got != 403 {
			t.Errorf("without %s it answers %d", sid, got)
		}
		if sid == "url" {
			must(w.RemovePermission(w.ctx, &awslambda.RemovePermissionInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), StatementId: aws.String("invoke")}))
			w.openURL("f", "live")
		}
	}
	must(w.AddPermission(w.ctx, &awslambda.AddPermissionInput{FunctionName: aws.String("f"), Qualifier: aws.String("live"), StatementId: aws.String("inside"),
		Principal: aws.String("*"), Action: aws.String("lambda:InvokeFunction"), PrincipalOrgID: aws.String("o-0123456789")}))
	if got := status(); got != 403 {
		t.Errorf("for an organisation it answers everybody %d", got)
	}
}

func TestFunctionURLWithIAMWantsASignature(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	w.make("f", python(t, web), nil)
	url := *must(w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeAwsIam})).FunctionUrl
	if status, _, _ := w.fetch("GET", url+"plain", "", nil); status != 403 {
		t.Errorf("without a signature: %d", status)
	}
	if status, _, _ := w.fetch("GET", url+"plain", "", map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA"}); status != 200 {
		t.Errorf("with one: %d", status)
	}
}

func TestFunctionURLAnswersPreflights(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	url := *must(w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone,
		Cors: &types.Cors{AllowOrigins: []string{"https://shop"}, AllowMethods: []string{"GET"}, MaxAge: aws.Int32(60)}})).FunctionUrl
	ask := map[string]string{"Origin": "https://shop", "Access-Control-Request-Method": "GET"}
	if status, _, h := w.fetch("OPTIONS", url, "", ask); status != 200 || h.Get("Access-Control-Allow-Origin") != "https://shop" || h.Get("Access-Control-Max-Age") != "60" {
		t.Errorf("%d %v", status, h)
	}
	ask["Origin"] = "https://elsewhere"
	if _, _, h := w.fetch("OPTIONS", url, "", ask); h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", h)
	}
}
