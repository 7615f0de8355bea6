package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/trace/collector"
	"mooring.dev/reconciler/web"
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
