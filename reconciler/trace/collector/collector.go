// Package collector is what tests send traces to: it takes OTLP over HTTP as a
// real collector does, and keeps what it was sent.
package collector

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	wire "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one span that was sent.
type Span struct {
	Trace, ID, Parent string // digits; "" for none
	Name              string
	Failed            string
	Attributes        map[string]string
	Links             []string // traces
	Begin, End        time.Time
}

// Collector is a collector under test's command.
type Collector struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []Span
	raw    bytes.Buffer
	header http.Header
	about  map[string]string
	status int
	hold   chan struct{}
}

// New starts a collector that ends with the test.
func New(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{status: http.StatusOK}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(func() {
		c.Answer(http.StatusOK)
		c.CloseClientConnections()
		c.Close()
	})
	return c
}

// Answer sets what is answered from now on; 0 hangs until another is set.
func (c *Collector) Answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status = status; status == 0 {
		c.hold = make(chan struct{})
		return
	}
	if c.hold != nil {
		close(c.hold)
		c.hold = nil
	}
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	status, hold := c.status, c.hold
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		return
	}
	if err != nil || status != http.StatusOK || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		w.WriteHeader(max(status, http.StatusBadRequest))
		return
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, err = unzipped(body)
	}
	var sent wire.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.keep(r.Header, body, &sent)
}

func unzipped(body []byte) ([]byte, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zipped)
}

func (c *Collector) keep(header http.Header, body []byte, sent *wire.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = header
	c.raw.Write(body)
	for _, resource := range sent.ResourceSpans {
		c.about = map[string]string{}
		for _, a := range resource.Resource.Attributes {
			c.about[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, spanOf(s))
			}
		}
	}
}

func spanOf(s *tracepb.Span) Span {
	out := Span{
		Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId), Name: s.Name,
		Attributes: map[string]string{}, Begin: time.Unix(0, int64(s.StartTimeUnixNano)), End: time.Unix(0, int64(s.EndTimeUnixNano)),
	}
	if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		out.Failed = s.Status.GetMessage()
	}
	for _, a := range s.Attributes {
		out.Attributes[a.Key] = a.Value.GetStringValue()
		if out.Attributes[a.Key] == "" {
			out.Attributes[a.Key] = a.Value.String()
		}
	}
	for _, l := range s.Links {
		out.Links = append(out.Links, hex.EncodeToString(l.TraceId))
	}
	return out
}

// Spans are those sent so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Raw is everything sent so far, as it came.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.raw.Bytes())
}

// Header is the last request's, and About what it said of its sender.
func (c *Collector) Header() (header http.Header, about map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.header, c.about
}
