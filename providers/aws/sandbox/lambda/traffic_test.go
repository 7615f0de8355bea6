package lambda_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers/aws/sandbox/lambda"
)

// datum is one published value.
type datum struct {
	metric string
	dims   map[string]string
	at     time.Time
	value  float64
}

type metrics struct {
	mu   sync.Mutex
	data []datum
}

func (m *metrics) Put(namespace, metric string, dims map[string]string, at time.Time, value float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = append(m.data, datum{namespace + "/" + metric, maps.Clone(dims), at, value})
}

// sum adds up a metric in exactly these dimensions; seen says whether any came.
func (m *metrics) sum(metric string, dims map[string]string) (total float64, seen bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.data {
		if d.metric == "AWS/Lambda/"+metric && maps.Equal(d.dims, dims) {
			total, seen = total+d.value, true
		}
	}
	return total, seen
}

func withMetrics(m *metrics) setting { return func(o *lambda.Options) { o.Metrics = m } }

// draws gives the numbers 0, 0.01, …, 0.99 in a fixed mixed order, again and
// again, so that shares come out exactly.
func draws() func() float64 {
	var mu sync.Mutex
	n := 0
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		n += 37
		return float64(n%100) / 100
	}
}

func TestWeightedAliasSplitsTrafficAndMetricsTellTheVersionsApart(t *testing.T) {
	needs(t, "python3")
	m := &metrics{}
	w := newWorld(t, instantly, withMetrics(m), func(o *lambda.Options) { o.Rand = draws() })
	w.make("f", python(t, "def handler(e, c):\n    return c.function_version\n"), nil)
	must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f")}))
	must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), Publish: true,
		ZipFile: python(t, "def handler(e, c):\n    raise Exception('bad release')\n")}))
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1"), RoutingConfig: weights(map[string]float64{"2": 0.1})}))
	executed := map[string]int{}
	for range 100 {
		out := w.invoke("f:live", `{}`)
		executed[*out.ExecutedVersion]++
		if failed := out.FunctionError != nil; failed != (*out.ExecutedVersion == "2") {
			t.Fatalf("version %s answered %s", *out.ExecutedVersion, out.Payload)
		}
	}
	if executed["1"] != 90 || executed["2"] != 10 {
		t.Errorf("executed %v", executed)
	}
	all, alias := map[string]string{"FunctionName": "f"}, map[string]string{"FunctionName": "f", "Resource": "f:live"}
	for version, want := range map[string][2]float64{"1": {90, 0}, "2": {10, 10}} {
		dims := map[string]string{"FunctionName": "f", "Resource": "f:live", "ExecutedVersion": version}
		calls, _ := m.sum("Invocations", dims)
		errors, seen := m.sum("Errors", dims)
		if calls != want[0] || errors != want[1] || !seen {
			t.Errorf("version %s: %v invocations, %v errors", version, calls, errors)
		}
	}
	for _, dims := range []map[string]string{all, alias} {
		if calls, _ := m.sum("Invocations", dims); calls != 100 {
			t.Errorf("%v: %v invocations", dims, calls)
		}
		if d, _ := m.sum("Duration", dims); d <= 0 {
			t.Errorf("%v: duration %v", dims, d)
		}
	}
}

func TestThrottlesAreNeitherInvocationsNorErrors(t *testing.T) {
	m := &metrics{}
	w := newWorld(t, instantly, withMetrics(m))
	w.ready("f")
	must(w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(0)}))
	_, err := w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("f")})
	refuse(t, err, "TooManyRequestsException", 429)
	dims := map[string]string{"FunctionName": "f"}
	throttles, _ := m.sum("Throttles", dims)
	_, called := m.sum("Invocations", dims)
	_, failed := m.sum("Errors", dims)
	if throttles != 1 || called || failed {
		t.Errorf("%v throttles, invocations %v, errors %v", throttles, called, failed)
	}
}

// A call that hangs is told of when its timeout ends it, and under the time it began.
func TestACallThatHangsIsToldWhenItEnds(t *testing.T) {
	needs(t, "python3")
	m := &metrics{}
	w := newWorld(t, instantly, withMetrics(m))
	started := t.TempDir() + "/started"
	w.make("f", python(t, `
import time
def handler(event, context):
    open(event["started"], "w").close()
    time.sleep(30)
`), func(in *awslambda.CreateFunctionInput) { in.Timeout = aws.Int32(1) })
	ended := make(chan *awslambda.InvokeOutput, 1)
	go func() {
		out, _ := w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("f"), Payload: fmt.Appendf(nil, `{"started": %q}`, started)})
		ended <- out
	}()
	dims := map[string]string{"FunctionName": "f"}
	await(t, func() bool { return exists(started) })
	if _, told := m.sum("Invocations", dims); told {
		t.Error("told of before it ended")
	}
	out := <-ended
	calls, _ := m.sum("Invocations", dims)
	failed, _ := m.sum("Errors", dims)
	if out == nil || out.FunctionError == nil || calls != 1 || failed != 1 {
		t.Fatalf("%+v: %v calls, %v failed", out, calls, failed)
	}
	took, _ := m.sum("Duration", dims)
	if at := m.data[0].at; took < 1000 || at.Add(time.Duration(took)*time.Millisecond).After(time.Now()) {
		t.Errorf("it ran %vms and is told under %s", took, at)
	}
}

// BenchmarkWarmInvoke is one call of a warm function, over HTTP and the SDK.
func BenchmarkWarmInvoke(b *testing.B) {
	w := newWorld(b, instantly)
	w.make("f", zipped(b, file{name: "app.py", content: echo}), nil)
	w.invoke("f", `{}`)
	for b.Loop() {
		w.invoke("f", `{}`)
	}
}

// BenchmarkListFunctionsPage is one page of 50 out of 1,000 functions.
func BenchmarkListFunctionsPage(b *testing.B) {
	w := newWorld(b, instantly)
	code := zipped(b, file{name: "app.py", content: echo})
	for i := range 1000 {
		w.make(fmt.Sprintf("f%04d", i), code, nil)
	}
	for b.Loop() {
		must(w.ListFunctions(w.ctx, &awslambda.ListFunctionsInput{}))
	}
}
