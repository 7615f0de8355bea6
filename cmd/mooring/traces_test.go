package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/trace/collector"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// spansOf are the spans of a commit's trace that were sent so far.
func spansOf(c *collector.Collector, commit string) []collector.Span {
	return slices.DeleteFunc(c.Spans(), func(s collector.Span) bool { return s.Trace != trace.Of("preview", commit).TraceID() })
}

// way is the names of a span and of all that it is part of, the whole first.
func way(spans []collector.Span, s collector.Span) string {
	names := []string{s.Name}
	for s.Parent != "" {
		i := slices.IndexFunc(spans, func(whole collector.Span) bool { return whole.ID == s.Parent })
		if i < 0 {
			return "nothing known > " + strings.Join(names, " > ")
		}
		s = spans[i]
		names = append([]string{s.Name}, names...)
	}
	return strings.Join(names, " > ")
}

// TestOneTraceFromPushToAlert plays a release on the real program, killed in its
// stage and started again: all that is done for the commit is one trace, from the
// push that was seen to the alert that arrived, whole and without a secret.
func TestOneTraceFromPushToAlert(t *testing.T) {
	t.Parallel()
	got := collector.New(t)
	told := make(chan struct{}, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	t.Cleanup(receiver.Close)
	s := newKillStage(t)
	s.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + got.URL, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_EXPORTER_OTLP_HEADERS=api-key=canary-header"}
	stages := "stages: [{weight: 30, hold: 3s}, {weight: 100, hold: 1s}], analysis: {onUndecided: rollback, maxHold: 4s}"
	s.control(strings.Replace(killPipeline, "rollout_stages", stages, 1) + "  receivers:\n    default: {webhook: {url: \"" + receiver.URL + "/canary-hook\"}}\n")
	s.begin()
	first := s.head()
	s.await(first)

	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.fault(sandbox.Rule{Operation: "UpdateFunctionCode*", Actor: "mooring", Times: 1, Effect: sandbox.Effect{Status: 503, Code: "ServiceException"}})
	s.point(b, "checkout", "1.1")
	s.amend("shop/functions/checkout.yaml", "  # canary-comment")
	data, err := os.ReadFile(s.path("shop/functions/checkout.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("shop/functions/checkout.yaml", strings.Replace(string(data), "CURRENCY: EUR", "CURRENCY: canary-value", 1))
	second := s.push("canary-message")
	s.awaitRoutings(began, 1)
	s.end() // no time for a farewell
	s.begin()
	s.until("traffic back", func(e web.EnvironmentStatus) bool { return len(e.Holds) > 0 && e.Rollout.Phase == "" })
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was told")
	}
	s.stop()

	for _, want := range []struct{ commit, way string }{
		{first, "commit"}, {first, "commit > fetch"}, {first, "commit > pass > decide"}, {first, "commit > pass > step"},
		{first, "commit > pass > step > Lambda.CreateFunction"}, {first, "commit > pass > released"},
		{second, "commit > fetch"}, {second, "commit > pass > decide"}, {second, "commit > pass > plan"}, {second, "commit > pass > observe"},
		{second, "commit > pass > step > Lambda.UpdateFunctionCode"}, {second, "commit > pass > rollout"}, {second, "commit > pass > rolled_back"},
		{second, "commit > pass > alert"}, {second, "commit > pass > alert > deliver"},
	} {
		spans := spansOf(got, want.commit)
		if !slices.ContainsFunc(spans, func(s collector.Span) bool { return way(spans, s) == want.way }) {
			var there []string
			for _, s := range spans {
				there = append(there, way(spans, s))
			}
			slices.Sort(there)
			t.Errorf("%.7s has no %s, but\n%s", want.commit, want.way, strings.Join(slices.Compact(there), "\n"))
		}
	}
	checkWrites(t, spansOf(got, second))
	if raw := got.Raw(); bytes.Contains(raw, []byte("canary")) || len(raw) < 1000 {
		t.Errorf("%d bytes of traces tell what is not theirs to tell", len(raw))
	}
	log, err := os.ReadFile(s.path("daemon.log"))
	if err != nil || bytes.Contains(log, []byte("canary-header")) {
		t.Errorf("the log tells how the collector is paid: %v", err)
	}
	checkLines(t, log, trace.Of("preview", second).TraceID())
}

// checkLines: all that the log says is JSON, what a pass says names the pass, and
// the steps of a release the trace they are part of.
func checkLines(t *testing.T, log []byte, way string) {
	t.Helper()
	passes := map[string]bool{}
	for line := range bytes.Lines(log) {
		var said struct{ Msg, Environment, Pass, Trace, Level string }
		if err := json.Unmarshal(line, &said); err != nil || said.Msg == "" || said.Level == "" {
			t.Errorf("the log says %.200s: %v", line, err)
		}
		if slices.Contains([]string{"step", "rollout moved", "admission", "alert"}, said.Msg) && (said.Pass == "" || said.Trace == "" || said.Environment != "preview") {
			t.Errorf("whose is %.300s", line)
		}
		if said.Trace == way {
			passes[said.Pass] = true
		}
	}
	if len(passes) < 3 {
		t.Errorf("the release was made in the passes %v", passes)
	}
}

// checkWrites: a call that was refused at first says so by its attempts, and the
// calls of a write are those of the account.
func checkWrites(t *testing.T, spans []collector.Span) {
	t.Helper()
	tried := 0
	for _, s := range spans {
		if s.Name != "Lambda.UpdateFunctionCode" {
			continue
		}
		if s.Attributes["rpc.service"] != "Lambda" || s.Attributes["rpc.method"] != "UpdateFunctionCode" || s.Attributes["rpc.system"] != "aws-api" {
			t.Errorf("%v", s.Attributes)
		}
		if strings.Contains(s.Attributes["mooring.attempts"], "2") && s.Failed == "" {
			tried++
		}
	}
	if tried != 1 {
		t.Errorf("%d calls were tried twice", tried)
	}
}

// toldSpans are what a tracer was told.
type toldSpans struct{ spans []trace.Done }

// Take implements trace.Sink.
func (k *toldSpans) Take(f trace.Finished) { k.spans = append(k.spans, f.Spans...) }

// TestReadsOfS3AreTracedAndCounted: the code, and what is signed beside it, is
// read by calls that are told of as the platform's own, refusals too.
func TestReadsOfS3AreTracedAndCounted(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	if err := zip.NewWriter(&packed).Close(); err != nil {
		t.Fatal(err)
	}
	code := packed.Bytes()
	bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "request-1")
		if strings.HasSuffix(r.URL.Path, ".jsonl") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`<Error><Code>AccessDenied</Code></Error>`))
			return
		}
		_, _ = w.Write(code)
	}))
	t.Cleanup(bucket.Close)
	calls := map[string]int{}
	f := &platforms{place: &place{state: t.TempDir()}, traced: true, onCall: func(service, operation, code string) { calls[service+"."+operation+" "+code]++ }}
	store, err := f.artifacts("preview", awssdk.Config{
		Region: "eu-west-1", BaseEndpoint: &bucket.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	var to toldSpans
	ctx, work := trace.New(&to, time.Now).Begin(t.Context(), "pass")
	work.Under(trace.Of("preview", "c1"))
	sum := sha256.Sum256(code)
	a := manifest.Artifact{URI: "s3://shop/canary-code.zip", Digest: "sha256:" + hex.EncodeToString(sum[:])}
	if _, err := store.Fetch(ctx, a); err != nil {
		t.Error(err)
	}
	_, _ = store.Beside(ctx, a) // it is refused; what is asked is how that is told
	work.End(true)
	var read, refused trace.Done
	for _, s := range to.spans {
		switch {
		case s.Name == "S3.GetObject" && s.Failed == "":
			read = s
		case s.Name == "S3.GetObject":
			refused = s
		}
	}
	told := map[string]string{}
	for _, a := range read.Attributes {
		told[a.Name] = a.Text
	}
	if told["rpc.service"] != "S3" || told["aws.request_id"] != "request-1" || refused.Failed != "AccessDenied" {
		t.Errorf("told as %+v and %+v", read, refused)
	}
	if read.Parent != to.spans[0].Place.Span || strings.Contains(fmt.Sprint(to.spans), "canary") {
		t.Errorf("%+v", to.spans)
	}
	if calls["S3.GetObject "] == 0 || calls["S3.GetObject AccessDenied"] == 0 {
		t.Errorf("counted as %v", calls)
	}
}
