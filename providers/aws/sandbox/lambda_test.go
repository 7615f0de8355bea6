package sandbox_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/providers/aws/sandbox"
)

const lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// newRole makes a role Lambda may assume, with a policy attached.
func newRole(t *testing.T, cfg aws.Config, name, policy string) (arn string) {
	t.Helper()
	c := iam.NewFromConfig(cfg)
	role := must(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(lambdaTrust)}))(t)
	must(c.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: aws.String("arn:aws:iam::aws:policy/" + policy)}))(t)
	return *role.Role.Arn
}

func zipped(t testing.TB, name, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create(name)
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const pythonEcho = `
import json
def handler(event, context):
    print("got", json.dumps(event))
    return {"statusCode": 200, "body": "hello from the function"}
`

// newFunction makes a function with its role.
func newFunction(t *testing.T, cfg aws.Config, name string) *lambda.Client {
	t.Helper()
	role := newRole(t, cfg, name+"-role", "service-role/AWSLambdaSQSQueueExecutionRole")
	c := lambda.NewFromConfig(cfg)
	must(c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Role: &role, Runtime: types.RuntimePython312, Handler: aws.String("main.handler"),
		Code: &types.FunctionCode{ZipFile: zipped(t, "main.py", pythonEcho)}, Tags: map[string]string{"team": "payments"},
		Environment: &types.Environment{Variables: map[string]string{"TOKEN": "s3cr3t"}},
	}))(t)
	return c
}

func TestAFunctionNeedsARoleThatLambdaMayAssume(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c := lambda.NewFromConfig(cfg)
	in := func(role string) *lambda.CreateFunctionInput {
		return &lambda.CreateFunctionInput{
			FunctionName: aws.String("f"), Role: &role, Runtime: types.RuntimePython312, Handler: aws.String("main.handler"),
			Code: &types.FunctionCode{ZipFile: zipped(t, "main.py", pythonEcho)},
		}
	}
	if _, err := c.CreateFunction(t.Context(), in("arn:aws:iam::111111111111:role/nobody")); codeOf(err) != "InvalidParameterValueException" {
		t.Errorf("a role that does not exist: %v", err)
	}
	must(c.CreateFunction(t.Context(), in(newRole(t, cfg, "f-role", "service-role/AWSLambdaBasicExecutionRole"))))(t)
}

func TestCodeComesFromS3(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	objects := bucket(t, s, true)
	c := newFunction(t, cfg, "f")
	first := must(objects.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("artifacts"), Key: aws.String("f.zip"), Body: bytes.NewReader(zipped(t, "main.py", pythonEcho+"# one\n")),
	}))(t)
	must(objects.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("artifacts"), Key: aws.String("f.zip"), Body: bytes.NewReader(zipped(t, "main.py", pythonEcho+"# two\n")),
	}))(t)
	update := func(version *string) string {
		out := must(c.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{
			FunctionName: aws.String("f"), S3Bucket: aws.String("artifacts"), S3Key: aws.String("f.zip"), S3ObjectVersion: version,
		}))(t)
		return *out.CodeSha256
	}
	if update(first.VersionId) == update(nil) {
		t.Error("the object's version was ignored")
	}
}

// TestAMessageReachesAFunctionAndShowsInMetrics is the whole of the sandbox:
// queue, mapping, process, metrics.
func TestAMessageReachesAFunctionAndShowsInMetrics(t *testing.T) {
	s := start(t, sandbox.Options{Period: time.Second})
	cfg := as(s, "alice")
	c := newFunction(t, cfg, "worker")
	queues := sqs.NewFromConfig(cfg)
	url, arn := newQueue(t, queues, "orders", nil)
	must(c.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("worker"), EventSourceArn: &arn}))(t)
	must(queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("an order")}))(t)
	metrics := cloudwatch.NewFromConfig(cfg)
	eventually(t, "an invocation in the metrics", func() bool {
		out := must(metrics.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(s.Now().Add(-time.Minute)), EndTime: aws.Time(s.Now().Add(time.Minute)),
			MetricDataQueries: []cwtypes.MetricDataQuery{query("i", "AWS/Lambda Invocations", "Sum", "FunctionName", "worker")},
		}))(t)
		return len(out.MetricDataResults) == 1 && len(out.MetricDataResults[0].Values) > 0
	})
	eventually(t, "an empty queue", func() bool {
		out := must(queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}}))(t)
		return out.Attributes["ApproximateNumberOfMessages"] == "0" && out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
	})
}

// eventually waits for what real processes do in their own time.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("there was never %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestFunctionURLsOfTwoAccounts(t *testing.T) {
	s := start(t, sandbox.Options{})
	for _, key := range []string{"111111111111", "222222222222"} {
		cfg := as(s, key)
		c := newFunction(t, cfg, "web")
		out := must(c.CreateFunctionUrlConfig(t.Context(), &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("web"), AuthType: types.FunctionUrlAuthTypeNone}))(t)
		for sid, action := range map[string]string{"url": "lambda:InvokeFunctionUrl", "invoke": "lambda:InvokeFunction"} {
			in := &lambda.AddPermissionInput{FunctionName: aws.String("web"), StatementId: aws.String(sid), Principal: aws.String("*"), Action: &action}
			if sid == "url" {
				in.FunctionUrlAuthType = types.FunctionUrlAuthTypeNone
			} else {
				in.InvokedViaFunctionUrl = aws.Bool(true)
			}
			must(c.AddPermission(t.Context(), in))(t)
		}
		res := must(http.Get(*out.FunctionUrl))(t)
		body := string(must(io.ReadAll(res.Body))(t))
		_ = res.Body.Close()
		if res.StatusCode != 200 || body != "hello from the function" {
			t.Errorf("account %s: %d %s", key, res.StatusCode, body)
		}
	}
	res := must(http.Get(s.URL() + "/_sandbox/logs?function=web"))(t)
	defer res.Body.Close()
	var lines []struct{ Text string }
	if err := json.NewDecoder(res.Body).Decode(&lines); err != nil || len(lines) == 0 {
		t.Errorf("the function's lines: %v, %v", lines, err)
	}
	http.DefaultClient.CloseIdleConnections()
}
