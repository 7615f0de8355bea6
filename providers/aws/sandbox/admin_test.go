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
