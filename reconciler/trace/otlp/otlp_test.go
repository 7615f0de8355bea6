package otlp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/trace/collector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is what an exporter counted and complained of.
type told struct {
	mu      sync.Mutex
	counts  map[string]int
	trouble []error
	changed chan struct{}
}

func newTold() *told { return &told{counts: map[string]int{}, changed: make(chan struct{}, 100)} }

func (s *told) count(outcome string, n int) {
	s.mu.Lock()
	s.counts[outcome] += n
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *told) complain(err error) {
	s.mu.Lock()
	s.trouble = append(s.trouble, err)
	s.mu.Unlock()
}

func (s *told) get(outcome string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[outcome]
}

func open(t *testing.T, endpoint string, env ...string) (*Exporter, *told) {
	t.Helper()
	vars := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "10"}
	for i := 0; i < len(env); i += 2 {
		vars[env[i]] = env[i+1]
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
	said := newTold()
	e, err := Open(t.Context(), Options{Getenv: func(name string) string { return vars[name] }, Version: "v1", Instance: "host-1", Count: said.count, Trouble: said.complain})
	if err != nil || e == nil {
		t.Fatal(e, err)
	}
	return e, said
}

func finish(t *testing.T, e *Exporter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
}

// work is one with a part that failed.
func work(e *Exporter, commit string) {
	at := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	ctx, w := trace.New(e, func() time.Time { at = at.Add(time.Second); return at }).Begin(context.Background(), "pass")
	w.First().Text("mooring.environment", "production")
	_, s := trace.Start(ctx, "Lambda.GetFunction")
	s.Number("mooring.attempts", 3)
	s.Failed("throttled")
	s.Link(trace.Of("staging", commit))
	s.End()
	w.Under(trace.Of("production", commit))
	w.End(true)
}

// TestWhatIsFinishedArrives as it was: ids, parents, times, kinds of errors, and
// who sent it.
func TestWhatIsFinishedArrives(t *testing.T) {
	c := collector.New(t)
	e, said := open(t, c.URL, "OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc", "OTEL_RESOURCE_ATTRIBUTES", "team=shop")
	work(e, "c1")
	finish(t, e)
	spans, root := c.Spans(), trace.Of("production", "c1")
	if len(spans) != 2 || said.get("sent") != 2 {
		t.Fatalf("%d spans, %v", len(spans), said.counts)
	}
	pass, call := spans[0], spans[1]
	if pass.Trace != root.TraceID() || pass.Parent != root.SpanID() || call.Parent != pass.ID || call.Trace != pass.Trace {
		t.Errorf("%+v\n%+v", pass, call)
	}
	if call.Failed != "throttled" || call.Attributes["error.type"] != "throttled" || len(call.Links) != 1 || call.Links[0] != trace.Of("staging", "c1").TraceID() {
		t.Errorf("%+v", call)
	}
	if pass.Attributes["mooring.environment"] != "production" || !call.Begin.After(pass.Begin) || !call.End.Before(pass.End) {
		t.Errorf("%+v", pass)
	}
	header, about := c.Header()
	if header.Get("Api-Key") != "abc" || about["service.name"] != "mooring" || about["service.instance.id"] != "host-1" || about["team"] != "shop" {
		t.Errorf("%v %v", header, about)
	}
}

// TestACollectorThatHangsOrIsGoneCostsNobodyTime: what is taken is taken at once,
// what does not fit is counted, and the end comes within its grace.
func TestACollectorThatHangsOrIsGoneCostsNobodyTime(t *testing.T) {
	c := collector.New(t)
	c.Answer(0)
	gone := collector.New(t)
	gone.Close()
	for name, url := range map[string]string{"hangs": c.URL, "gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			e, said := open(t, url)
			begun := time.Now()
			for range waiting {
				work(e, "c1")
			}
			if took := time.Since(begun); took > 5*time.Second { // 8192 spans; the machine may be busy
				t.Errorf("taking took %s", took)
			}
			if name == "hangs" && said.get("lost") < waiting {
				t.Errorf("%v: what waits has no bound", said.counts)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			_ = e.Close(ctx) // the time was up; that it returned is what is asked
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("the end took %s", took)
			}
			if said.get("sent") != 0 {
				t.Errorf("%v", said.counts)
			}
			c.CloseClientConnections()
		})
	}
}

// TestTroubleIsToldOnce, without the collector's address or its answer, and once
// more when it is over.
func TestTroubleIsToldOnce(t *testing.T) {
	c := collector.New(t)
	e, said := open(t, strings.Replace(c.URL, "http://", "http://canary-user:canary-word@", 1))
	send := func(commit string, status int) {
		c.Answer(status)
		told := said.get("failed") + said.get("sent")
		work(e, commit)
		for said.get("failed")+said.get("sent") < told+2 { // its two spans may go one after the other
			<-said.changed
		}
	}
	send("c1", http.StatusForbidden)
	send("c2", http.StatusForbidden)
	send("c3", http.StatusOK)
	finish(t, e)
	if len(said.trouble) != 2 || said.trouble[0] == nil || said.trouble[1] != nil {
		t.Fatalf("%v", said.trouble)
	}
	if text := said.trouble[0].Error(); strings.Contains(text, "canary") || strings.Contains(text, "127.0.0.1") {
		t.Errorf("the trouble is told as %q", text)
	}
	if said.get("failed") != 4 || said.get("sent") != 2 {
		t.Errorf("%v", said.counts)
	}
}

// TestSamplingGoesByTheTrace: two daemons keep the same traces, whole.
func TestSamplingGoesByTheTrace(t *testing.T) {
	c := collector.New(t)
	for range 2 {
		e, _ := open(t, c.URL, "OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.5")
		for i := range 40 {
			work(e, strings.Repeat("c", i+1))
		}
		finish(t, e)
	}
	times := map[string]int{}
	for _, s := range c.Spans() {
		times[s.Trace]++
	}
	if len(times) < 8 || len(times) > 32 {
		t.Errorf("half of 40 traces are %d", len(times))
	}
	for id, n := range times {
		if n != 4 {
			t.Errorf("%s has %d of 4 spans", id, n)
		}
	}
}

// TestOnlyWhoAsksGetsTraces, and what is asked wrongly is said at the start.
func TestOnlyWhoAsksGetsTraces(t *testing.T) {
	const url = "http://127.0.0.1:4318"
	for _, c := range []struct {
		env  map[string]string
		none bool // neither exporter nor error
	}{
		{map[string]string{}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SDK_DISABLED": "true"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_EXPORTER": "none"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER": "jaeger_remote"}, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}, false},
	} {
		e, err := Open(t.Context(), Options{Getenv: func(name string) string { return c.env[name] }})
		if e != nil || (err == nil) != c.none {
			t.Errorf("%v: %v, %v", c.env, e, err)
		}
	}
}

// TestNoRedirectIsFollowed: what the collector is paid with stands in headers, and
// goes nowhere but to the address that was named.
func TestNoRedirectIsFollowed(t *testing.T) {
	var came atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		c := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/v1/traces?canary-way", status))
		t.Cleanup(c.Close)
		e, said := open(t, c.URL, "OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc")
		work(e, "c1")
		finish(t, e)
		if came.Load() != 0 {
			t.Errorf("%d leads elsewhere", status)
		}
		if said.get("failed") != 2 || len(said.trouble) != 1 || !errors.Is(said.trouble[0], errElsewhere) || strings.Contains(said.trouble[0].Error(), "canary") {
			t.Errorf("%d: %v, told as %v", status, said.counts, said.trouble)
		}
	}
}
