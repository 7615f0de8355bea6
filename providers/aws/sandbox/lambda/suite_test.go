package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"mooring.dev/providers/aws/sandbox/lambda"
	"mooring.dev/providers/aws/sandbox/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "111122223333"
	region  = "eu-west-1"
	role    = "arn:aws:iam::111122223333:role/shop"
	window  = 300 * time.Millisecond
)

// clock is a time that moves only when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a service behind a plain HTTP server, and a real client of it.
type world struct {
	*awslambda.Client
	t       testing.TB
	ctx     context.Context
	service *lambda.Service
	clock   *clock
	url     string

	mu    sync.Mutex
	calls []*wire.Call
}

type setting func(*lambda.Options)

// instantly removes the windows in which updates are in progress.
func instantly(o *lambda.Options) { o.Updating = 0 }

func newWorld(t testing.TB, settings ...setting) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	var server *httptest.Server
	o := lambda.Options{Now: w.clock.Now, Account: account, Region: region, DataDir: t.TempDir(), Updating: window,
		PublicURL: func() string { return server.URL }}
	for _, set := range settings {
		set(&o)
	}
	service, err := lambda.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.service = service
	server = httptest.NewServer(http.HandlerFunc(w.serve))
	w.url = server.URL
	transport := &http.Transport{}
	w.Client = awslambda.New(awslambda.Options{Region: region, BaseEndpoint: aws.String(server.URL), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""), Retryer: aws.NopRetryer{}})
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		server.Close()
	})
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if w.service.HandleURL(rw, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	call := &wire.Call{Operation: w.service.Operation(r, body)}
	w.service.Serve(rw, r, body, call)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
}

func (w *world) lastCall() *wire.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[len(w.calls)-1]
}

// settle lets every window pass.
func (w *world) settle() { w.clock.Advance(window) }

// file is one entry of a zip.
type file struct {
	name, content string
	mode          os.FileMode
}

func zipped(t testing.TB, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if f.mode == 0 {
			f.mode = 0o644
		}
		h.SetMode(f.mode)
		entry, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(entry, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const echo = `
def handler(event, context):
    return event
`

func python(t testing.TB, source string) []byte {
	t.Helper()
	return zipped(t, file{name: "app.py", content: source})
}

// make creates a function; change may adjust the request.
func (w *world) make(name string, code []byte, change func(*awslambda.CreateFunctionInput)) *awslambda.CreateFunctionOutput {
	w.t.Helper()
	in := &awslambda.CreateFunctionInput{FunctionName: &name, Role: aws.String(role), Runtime: types.RuntimePython312, Handler: aws.String("app.handler"),
		Code: &types.FunctionCode{ZipFile: code}}
	if change != nil {
		change(in)
	}
	return must(w.CreateFunction(w.ctx, in))
}

// ready makes a plain function that is Active.
func (w *world) ready(name string) {
	w.t.Helper()
	w.make(name, python(w.t, echo), nil)
	w.settle()
}

// published publishes after a change of the description, so that a version is
// made; it returns the number.
func (w *world) published(name, description string) string {
	w.t.Helper()
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: &name, Description: &description}))
	w.settle()
	out := must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: &name}))
	w.settle()
	return *out.Version
}

func (w *world) config(name string) *awslambda.GetFunctionConfigurationOutput {
	w.t.Helper()
	return must(w.GetFunctionConfiguration(w.ctx, &awslambda.GetFunctionConfigurationInput{FunctionName: &name}))
}

func (w *world) revision(name string) string { return *w.config(name).RevisionId }

// must is for calls that a test takes for granted: a refusal ends the run.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// refuse wants an AWS error with this code and HTTP status.
func refuse(t *testing.T, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("want the error %s, got %v", code, err)
	}
	if api.ErrorCode() != code {
		t.Fatalf("want the error %s, got %s: %s", code, api.ErrorCode(), api.ErrorMessage())
	}
	var response interface{ HTTPStatusCode() int }
	if !errors.As(err, &response) || response.HTTPStatusCode() != status {
		t.Fatalf("want HTTP status %d of %s, got %v", status, code, err)
	}
}

// needs skips, or fails in CI, when an interpreter is missing.
func needs(t *testing.T, interpreter string) {
	t.Helper()
	if _, err := exec.LookPath(interpreter); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have %s: %v", interpreter, err)
		}
		t.Skipf("%s is not on this machine: %v", interpreter, err)
	}
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return out
}

// reason is why an invocation was throttled.
func reason(err error) types.ThrottleReason {
	var throttled *types.TooManyRequestsException
	if errors.As(err, &throttled) {
		return throttled.Reason
	}
	return ""
}
