package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers/aws/sandbox"
)

// logsCall is a call of CloudWatch Logs without an SDK.
func logsCall(t *testing.T, s *sandbox.Sandbox, operation, body string) (int, map[string]any) {
	t.Helper()
	req := must(http.NewRequest(http.MethodPost, s.URL(), strings.NewReader(body)))(t)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Logs_20140328."+operation)
	res := must(http.DefaultClient.Do(req))(t)
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	raw := must(io.ReadAll(res.Body))(t)
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return res.StatusCode, out
}

func TestLogGroupsKeepRetention(t *testing.T) {
	s := start(t, sandbox.Options{})
	logsCall(t, s, "CreateLogGroup", `{"logGroupName":"/aws/lambda/f","tags":{"team":"payments"}}`)
	if _, out := logsCall(t, s, "CreateLogGroup", `{"logGroupName":"/aws/lambda/f"}`); out["__type"] != "ResourceAlreadyExistsException" {
		t.Errorf("a second group of the name: %v", out)
	}
	if _, out := logsCall(t, s, "PutRetentionPolicy", `{"logGroupName":"/aws/lambda/f","retentionInDays":13}`); out["__type"] != "InvalidParameterException" {
		t.Errorf("13 days: %v", out)
	}
	logsCall(t, s, "PutRetentionPolicy", `{"logGroupName":"/aws/lambda/f","retentionInDays":14}`)
	_, out := logsCall(t, s, "DescribeLogGroups", `{"logGroupNamePrefix":"/aws/lambda/"}`)
	raw := string(must(json.Marshal(out))(t))
	if !strings.Contains(raw, `"retentionInDays":14`) || !strings.Contains(raw, `"arn":"arn:aws:logs:eu-west-1:111111111111:log-group:/aws/lambda/f:*"`) {
		t.Errorf("%s", raw)
	}
	_, tags := logsCall(t, s, "ListTagsForResource", `{"resourceArn":"arn:aws:logs:eu-west-1:111111111111:log-group:/aws/lambda/f"}`)
	if m, _ := tags["tags"].(map[string]any); m["team"] != "payments" {
		t.Errorf("tags: %v", tags)
	}
}

func TestAFunctionsLinesAreItsLogEvents(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := newFunction(t, as(s, "alice"), "f")
	must(c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"order":7}`)}))(t)
	eventually(t, "the line it printed", func() bool {
		_, out := logsCall(t, s, "FilterLogEvents", `{"logGroupName":"/aws/lambda/f","filterPattern":"got"}`)
		events, _ := out["events"].([]any)
		return len(events) == 1
	})
	if status, out := logsCall(t, s, "FilterLogEvents", `{"logGroupName":"/aws/lambda/nobody"}`); status != 400 {
		t.Errorf("%d %v", status, out)
	}
}
