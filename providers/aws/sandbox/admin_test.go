package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
)

// admin asks the sandbox's own API.
func admin(t *testing.T, s *sandbox.Sandbox, method, path, body string) (int, string) {
	t.Helper()
	req := must(http.NewRequest(method, s.URL()+"/_sandbox/"+path, strings.NewReader(body)))(t)
	res := must(http.DefaultClient.Do(req))(t)
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	return res.StatusCode, string(must(io.ReadAll(res.Body))(t))
}

func TestTheAdminAPIDrivesFaultsActorsAndTime(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }})
	if status, text := admin(t, s, "POST", "actors", `{"accessKey":"AKIAEVE","type":"AssumedRole","name":"assumed-role/Admin/eve"}`); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	who := must(sts.NewFromConfig(as(s, "AKIAEVE")).GetCallerIdentity(t.Context(), nil))(t)
	if *who.Arn != "arn:aws:sts::111111111111:assumed-role/Admin/eve" {
		t.Errorf("she is %s", *who.Arn)
	}
	status, text := admin(t, s, "POST", "faults", `{"service":"sts","times":1,"effect":{"status":500,"latency":"1ms"}}`)
	if status != 200 || !strings.Contains(text, `"latency":"1ms"`) {
		t.Fatalf("%d %s", status, text)
	}
	if _, err := sts.NewFromConfig(as(s, "AKIAEVE")).GetCallerIdentity(t.Context(), nil); err == nil {
		t.Error("the rule met nothing")
	}
	if status, _ := admin(t, s, "POST", "faults", `{"effect":{"latency":"soon"}}`); status != 400 {
		t.Errorf("a latency that is none: %d", status)
	}
	admin(t, s, "DELETE", "faults", "")
	if len(s.Faults.List()) != 0 {
		t.Error("rules stayed")
	}
	admin(t, s, "POST", "time", `{"advance":"10m"}`)
	if got := s.Now(); !got.Equal(noon.Add(10 * time.Minute)) {
		t.Errorf("the time is %v", got)
	}
}

// TestTheAdminAPIDrivesWhatBefallsFunctions: a tag pushed again, a build moved
// and a key disabled show in what is read, and change nothing that was deployed.
func TestTheAdminAPIDrivesWhatBefallsFunctions(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c := newFunction(t, cfg, "zipped")
	key, uri := "arn:aws:kms:eu-west-1:111111111111:key/k", "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop:latest"
	must(c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("zipped"), KMSKeyArn: &key,
		Environment: &types.Environment{Variables: map[string]string{"LEVEL": "1"}}}))(t)
	read := func() *types.FunctionConfiguration {
		return must(c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("zipped")}))(t).Configuration
	}
	image := must(c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: aws.String("imaged"), PackageType: types.PackageTypeImage,
		Role: read().Role, Code: &types.FunctionCode{ImageUri: &uri}}))(t)
	before := read()
	for path, body := range map[string]string{
		"images":   `{"uri":"` + uri + `","digest":"` + strings.Repeat("d", 64) + `"}`,
		"runtimes": `{"runtime":"` + string(before.Runtime) + `","build":"next"}`,
		"keys":     `{"arn":"` + key + `","disabled":true}`,
	} {
		if status, text := admin(t, s, "POST", path, body); status != 204 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	after := read()
	if *after.RuntimeVersionConfig.RuntimeVersionArn == *before.RuntimeVersionConfig.RuntimeVersionArn || *after.RevisionId != *before.RevisionId {
		t.Error("no other build, or another revision")
	}
	if after.Environment.Error == nil || len(after.Environment.Variables) > 0 {
		t.Errorf("variables without their key: %+v", after.Environment)
	}
	same := must(c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("imaged")}))(t).Configuration
	next := must(c.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("imaged"), ImageUri: &uri}))(t)
	if *same.CodeSha256 != *image.CodeSha256 || *next.CodeSha256 != strings.Repeat("d", 64) {
		t.Errorf("deployed %s, pushed again %s, deployed again %s", *image.CodeSha256, *same.CodeSha256, *next.CodeSha256)
	}
	admin(t, s, "POST", "keys", `{"arn":"`+key+`","disabled":false}`)
	if got := read().Environment; got.Error != nil || got.Variables["LEVEL"] != "1" {
		t.Errorf("with the key again: %+v", got)
	}
}

func TestTheAdminAPIShowsCallsAndCounts(t *testing.T) {
	s := start(t, sandbox.Options{})
	for _, key := range []string{"alice", "bob"} {
		must(sts.NewFromConfig(as(s, key)).GetCallerIdentity(t.Context(), nil))(t)
	}
	_, text := admin(t, s, "GET", "calls?actor=user/a*", "")
	var calls []wire.Call
	if err := json.Unmarshal([]byte(text), &calls); err != nil || len(calls) != 1 || calls[0].Actor.Name != "user/alice" {
		t.Errorf("%s, %v", text, err)
	}
	_, text = admin(t, s, "GET", "counts", "")
	var counts sandbox.Counts
	if err := json.Unmarshal([]byte(text), &counts); err != nil || counts.Operations["sts:GetCallerIdentity"] != 2 || counts.Total != 2 {
		t.Errorf("%s, %v", text, err)
	}
	admin(t, s, "POST", "reset", "")
	if s.Counts().Total != 0 || len(s.Calls(time.Time{})) != 0 {
		t.Error("a reset kept something")
	}
	if status, _ := admin(t, s, "GET", "nothing", ""); status != 404 {
		t.Errorf("a path that is none: %d", status)
	}
}

func TestItListensOnLoopbackOnly(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "192.0.2.1:80", "nonsense"} {
		if _, err := sandbox.New(sandbox.Options{Listen: listen}); err == nil {
			t.Errorf("%s was taken", listen)
		}
	}
}

func TestCloseEndsALongPoll(t *testing.T) {
	s := must(sandbox.New(sandbox.Options{}))(t)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	req := func(target, body string) *http.Request {
		r := must(http.NewRequest(http.MethodPost, s.URL(), bytes.NewBufferString(body)))(t)
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		return r
	}
	res := must(http.DefaultClient.Do(req("AmazonSQS.CreateQueue", `{"QueueName":"q"}`)))(t)
	_ = res.Body.Close()
	begun, polled := make(chan struct{}), make(chan int, 1)
	poll := req("AmazonSQS.ReceiveMessage", `{"QueueUrl":"q","WaitTimeSeconds":20}`)
	poll.Header.Set("Expect", "100-continue") // the server says so once it reads the body
	poll = poll.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(begun) }}))
	go func() {
		res, err := http.DefaultClient.Do(poll)
		if err != nil {
			polled <- 0
			return
		}
		_ = res.Body.Close()
		polled <- res.StatusCode
	}()
	<-begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// Cut off after the grace it would have no status; left alone it would
	// keep Close waiting for that long.
	if status := <-polled; status != http.StatusOK {
		t.Errorf("the poll ended with status %d", status)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
