package lambda_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func (w *world) invoke(name, payload string) *awslambda.InvokeOutput {
	w.t.Helper()
	return must(w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: &name, Payload: []byte(payload)}))
}

const describe = `
import os
print("module loaded")
def handler(event, context):
    print("handling", event)
    return {"event": event, "version": context.function_version, "arn": context.invoked_function_arn, "id": context.aws_request_id,
            "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis(), "env": dict(os.environ), "cwd": os.getcwd()}
`

type described struct {
	Event                         map[string]any
	Version, Arn, ID, Memory, Cwd string
	Left                          int
	Env                           map[string]string
}

func TestPythonFunctionRuns(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	t.Setenv("MOORING_SECRET_OF_THE_DAEMON", "hush")
	w.make("f", python(t, describe), func(in *awslambda.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"LEVEL": "info"}}
		in.Timeout = aws.Int32(20)
	})
	out := must(w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"n": 1}`), LogType: types.LogTypeTail}))
	if out.StatusCode != 200 || out.FunctionError != nil || *out.ExecutedVersion != "$LATEST" {
		t.Fatalf("%d %v %s", out.StatusCode, out.FunctionError, out.Payload)
	}
	got := decode[described](t, out.Payload)
	if got.Event["n"] != 1.0 || got.Version != "$LATEST" || got.Arn != "arn:aws:lambda:eu-west-1:111122223333:function:f" || got.ID == "" || got.Memory != "128" || got.Left < 10000 || got.Left > 20000 {
		t.Errorf("the context is %+v", got)
	}
	for name, want := range map[string]string{"LEVEL": "info", "AWS_REGION": region, "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "_HANDLER": "app.handler", "AWS_ENDPOINT_URL": w.url, "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "LAMBDA_TASK_ROOT": got.Cwd,
		"MOORING_SECRET_OF_THE_DAEMON": ""} {
		if got.Env[name] != want {
			t.Errorf("%s is %q, want %q", name, got.Env[name], want)
		}
	}
	if !strings.HasPrefix(got.Env["AWS_ACCESS_KEY_ID"], "ASIA") || got.Env["AWS_LAMBDA_RUNTIME_API"] == "" {
		t.Error("credentials and the runtime's address are missing")
	}
	tail := string(must(base64.StdEncoding.DecodeString(*out.LogResult)))
	for _, want := range []string{"START RequestId: ", "handling {'n': 1}", "END RequestId: ", "REPORT RequestId: ", "Memory Size: 128 MB"} {
		if !strings.Contains(tail, want) {
			t.Errorf("the log tail lacks %q:\n%s", want, tail)
		}
	}
	if !strings.Contains(fmt.Sprint(w.service.Logs("f")), "module loaded") {
		t.Error("the log lacks what the module printed")
	}
}

func TestEnvironmentsAreReusedAndRenewedByUpdates(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	w.make("f", python(t, "n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n\n"), nil)
	if a, b := w.invoke("f", `{}`), w.invoke("f", `{}`); string(a.Payload) != "1" || string(b.Payload) != "2" {
		t.Errorf("a warm process counts on: %s, %s", a.Payload, b.Payload)
	}
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Description: aws.String("x")}))
	if c := w.invoke("f", `{}`); string(c.Payload) != "1" {
		t.Errorf("after an update a new process starts: %s", c.Payload)
	}
}

func TestOldCodeServesWhileAnUpdateIsInProgress(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	w.make("f", python(t, "def handler(e, c):\n    return 'old'\n"), nil)
	w.settle()
	must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: python(t, "def handler(e, c):\n    return 'new'\n")}))
	during := w.invoke("f", `{}`)
	w.settle()
	if after := w.invoke("f", `{}`); string(during.Payload) != `"old"` || string(after.Payload) != `"new"` {
		t.Errorf("during %s, after %s", during.Payload, after.Payload)
	}
}

func TestFunctionErrorsAreReported(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	for name, c := range map[string]struct{ source, kind, text string }{
		"raises":    {"def handler(e, c):\n    raise ValueError('no')\n", "ValueError", "no"},
		"import":    {"import nothing_like_it\n", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'nothing_like_it'"},
		"handler":   {"x = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"},
		"exits":     {"import os\ndef handler(e, c):\n    os._exit(3)\n", "Runtime.ExitError", "Runtime exited with error: exit status 3"},
		"times-out": {"import time\ndef handler(e, c):\n    time.sleep(60)\n", "Sandbox.Timedout", "Task timed out after 1.00 seconds"},
		"not-json":  {"def handler(e, c):\n    return object()\n", "Runtime.MarshalError", "Unable to marshal response"},
	} {
		t.Run(name, func(t *testing.T) {
			w.make(name, python(t, c.source), func(in *awslambda.CreateFunctionInput) { in.Timeout = aws.Int32(1) })
			began := time.Now()
			out := w.invoke(name, `{}`)
			if out.FunctionError == nil || *out.FunctionError != "Unhandled" || out.StatusCode != 200 {
				t.Fatalf("%d %v %s", out.StatusCode, out.FunctionError, out.Payload)
			}
			got := decode[struct{ ErrorType, ErrorMessage string }](t, out.Payload)
			if got.ErrorType != c.kind || !strings.Contains(got.ErrorMessage, c.text) {
				t.Errorf("got %+v", got)
			}
			if time.Since(began) > 20*time.Second {
				t.Error("a process outlived its timeout")
			}
		})
	}
	if !strings.Contains(fmt.Sprint(w.service.Logs("times-out")), "Task timed out") {
		t.Error("the log lacks the timeout")
	}
}

const customRuntime = `#!/usr/bin/env python3
import json, os, urllib.request
base = "http://%s/2018-06-01/runtime/invocation/" % os.environ["AWS_LAMBDA_RUNTIME_API"]
while True:
    with urllib.request.urlopen(base + "next") as r:
        request, event = r.headers["Lambda-Runtime-Aws-Request-Id"], json.load(r)
    kind = "error" if event.get("fail") else "response"
    body = {"errorType": "Broken", "errorMessage": "as asked"} if event.get("fail") else {"custom": event}
    urllib.request.urlopen(base + request + "/" + kind, data=json.dumps(body).encode()).read()
`

func customized(in *awslambda.CreateFunctionInput) {
	in.Runtime, in.Handler = types.RuntimeProvidedal2023, aws.String("bootstrap")
}

func TestCustomRuntimeSpeaksTheRuntimeAPI(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	w.make("f", zipped(t, file{name: "bootstrap", content: customRuntime, mode: 0o755}), customized)
	if out := w.invoke("f", `{"a": 1}`); string(out.Payload) != `{"custom": {"a": 1}}` || out.FunctionError != nil {
		t.Errorf("%s", out.Payload)
	}
	if out := w.invoke("f", `{"fail": true}`); out.FunctionError == nil || !strings.Contains(string(out.Payload), "as asked") {
		t.Errorf("%s", out.Payload)
	}
	w.make("g", zipped(t, file{name: "bootstrap", content: customRuntime}), customized)
	if out := w.invoke("g", `{}`); out.FunctionError == nil || !strings.Contains(string(out.Payload), "Runtime.InvalidEntrypoint") {
		t.Errorf("a bootstrap that is not executable: %s", out.Payload)
	}
}

func TestNodeFunctionRuns(t *testing.T) {
	needs(t, "node")
	w := newWorld(t, instantly)
	for name, source := range map[string]string{
		"index.mjs": "export const handler = async (event, context) => { console.log('hello'); if (event.fail) throw new TypeError('no'); return { n: event.n + 1, v: context.functionVersion }; };",
		"index.js":  "exports.handler = (event, context, callback) => { if (event.fail) return callback(new TypeError('no')); callback(null, { n: event.n + 1, v: context.functionVersion }); };",
	} {
		f := strings.ReplaceAll(name, ".", "-")
		w.make(f, zipped(t, file{name: name, content: source}), func(in *awslambda.CreateFunctionInput) {
			in.Runtime, in.Handler, in.Timeout = types.RuntimeNodejs22x, aws.String("index.handler"), aws.Int32(20)
		})
		if out := w.invoke(f, `{"n": 1}`); string(out.Payload) != `{"n":2,"v":"$LATEST"}` {
			t.Errorf("%s: %s", name, out.Payload)
		}
		if out := w.invoke(f, `{"fail": true}`); out.FunctionError == nil || !strings.Contains(string(out.Payload), `"errorType":"TypeError","errorMessage":"no"`) {
			t.Errorf("%s: %s", name, out.Payload)
		}
	}
}

func TestMissingInterpreterIsNamed(t *testing.T) {
	w := newWorld(t, instantly)
	w.make("f", python(t, echo), func(in *awslambda.CreateFunctionInput) { in.Runtime = types.RuntimeJava21 })
	if out := w.invoke("f", `{}`); out.FunctionError == nil || !strings.Contains(string(out.Payload), "no interpreter for runtime \\\"java21\\\"") {
		t.Errorf("%s", out.Payload)
	}
	t.Setenv("PATH", t.TempDir())
	w.make("g", python(t, echo), func(in *awslambda.CreateFunctionInput) { in.Runtime = types.RuntimeNodejs20x })
	if out := w.invoke("g", `{}`); !strings.Contains(string(out.Payload), "needs the interpreter node") {
		t.Errorf("%s", out.Payload)
	}
}

func TestLayersAreOnThePath(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	layer := must(w.PublishLayerVersion(w.ctx, &awslambda.PublishLayerVersionInput{LayerName: aws.String("extra"),
		Content: &types.LayerVersionContentInput{ZipFile: zipped(t, file{name: "python/extra.py", content: "x = 41"})}}))
	w.make("f", python(t, "import extra\ndef handler(e, c):\n    return extra.x + 1\n"), func(in *awslambda.CreateFunctionInput) { in.Layers = []string{*layer.LayerVersionArn} })
	if out := w.invoke("f", `{}`); string(out.Payload) != "42" {
		t.Errorf("%s", out.Payload)
	}
}

func TestConcurrentInvocationsRunBesideEachOtherUpToTheReservation(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	// Each call waits until both are there: they can only finish together.
	dir := t.TempDir()
	w.make("f", python(t, `
import os, time
def handler(event, context):
    open(os.path.join(event["dir"], event["me"]), "w").close()
    while len(os.listdir(event["dir"])) < 2:
        time.sleep(0.01)
    return os.getpid()
`), func(in *awslambda.CreateFunctionInput) { in.Timeout = aws.Int32(20) })
	must(w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(2)}))
	var wg sync.WaitGroup
	got := make([]string, 2)
	for i := range got {
		wg.Go(func() {
			got[i] = string(w.invoke("f", fmt.Sprintf(`{"dir": %q, "me": "%d"}`, dir, i)).Payload)
		})
	}
	wg.Wait()
	if got[0] == got[1] {
		t.Errorf("both ran in process %s", got[0])
	}
}

func TestReservationThrottlesTheCallOverIt(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	stop := t.TempDir() + "/stop"
	w.make("f", python(t, `
import os, time
def handler(event, context):
    open(event["stop"] + ".started", "w").close()
    while not os.path.exists(event["stop"]):
        time.sleep(0.01)
`), func(in *awslambda.CreateFunctionInput) { in.Timeout = aws.Int32(20) })
	must(w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(1)}))
	first := make(chan *awslambda.InvokeOutput, 1)
	go func() { first <- w.invoke("f", fmt.Sprintf(`{"stop": %q}`, stop)) }()
	await(t, func() bool { return exists(stop + ".started") })
	_, err := w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{}`)})
	refuse(t, err, "TooManyRequestsException", 429)
	if r := reason(err); r != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded {
		t.Errorf("the reason is %s", r)
	}
	touch(t, stop)
	if out := <-first; out.FunctionError != nil {
		t.Errorf("the call in flight ended with %s", out.Payload)
	}
}

func TestCloseEndsRunningFunctions(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, instantly)
	started := t.TempDir() + "/started"
	w.make("f", python(t, `
import time, subprocess
def handler(event, context):
    p = subprocess.Popen(["sleep", "300"])
    with open(event["started"] + ".part", "w") as f:
        f.write(str(p.pid))
    import os; os.rename(event["started"] + ".part", event["started"])
    time.sleep(300)
`), func(in *awslambda.CreateFunctionInput) { in.Timeout = aws.Int32(300) })
	done := make(chan error, 1)
	go func() {
		_, err := w.Invoke(context.WithoutCancel(w.ctx), &awslambda.InvokeInput{FunctionName: aws.String("f"), Payload: fmt.Appendf(nil, `{"started": %q}`, started)})
		done <- err
	}()
	await(t, func() bool { return exists(started) })
	if err := w.service.Close(); err != nil {
		t.Fatal(err)
	}
	refuse(t, <-done, "ServiceException", 503)
	await(t, func() bool { return !running(content(t, started)) })
}

func TestInvokeOfWhatIsNotThere(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	for _, name := range []string{"g", "f:live", "f:7"} {
		_, err := w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: &name})
		refuse(t, err, "ResourceNotFoundException", 404)
	}
	_, err := w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("not json")})
	refuse(t, err, "InvalidRequestContentException", 400)
	dry := must(w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeDryRun}))
	if dry.StatusCode != 204 || w.service.Logs("f") != nil {
		t.Errorf("a dry run answers 204 and runs nothing: %d", dry.StatusCode)
	}
}
