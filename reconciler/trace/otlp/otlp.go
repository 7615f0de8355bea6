// Package otlp sends finished works to a collector by OTLP over HTTP, as
// OpenTelemetry's own variables say: OTEL_EXPORTER_OTLP_ENDPOINT and those beside
// it. A collector that is slow, or gone, costs what it would have been told and
// nothing else: what waits is bounded, and nobody waits for it.
package otlp

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"mooring.dev/reconciler/trace"
)

// Options of an Exporter.
type Options struct {
	// Getenv reads the variables that are Mooring's to read; those of the
	// protocol (headers, certificates, timeout) OpenTelemetry reads itself.
	Getenv   func(string) string
	Version  string
	Instance string // of the daemon
	// Count is told how many spans were sent, failed or were lost for want of
	// room (outcome sent | failed | lost); called from several goroutines.
	Count func(outcome string, spans int)
	// Trouble is told when sending begins to fail, with why, and once with nil
	// when it works again.
	Trouble func(err error)
}

// waiting is how many spans may wait for the collector.
const waiting = 4096

// Exporter is a trace.Sink.
type Exporter struct {
	o        Options
	provider *sdk.TracerProvider
	tracer   api.Tracer
	sample   sdk.Sampler
	pending  atomic.Int64
}

// Open makes an exporter where the environment asks for one; nil, and no error,
// where it does not.
func Open(ctx context.Context, o Options) (*Exporter, error) {
	if !asked(o.Getenv) {
		return nil, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := o.Getenv(name); p == "grpc" {
			return nil, fmt.Errorf("%s=grpc: traces go by http/protobuf only; name the collector's HTTP port (4318) in OTEL_EXPORTER_OTLP_ENDPOINT", name)
		}
	}
	sample, err := sampler(o.Getenv)
	if err != nil {
		return nil, err
	}
	client, err := otlptracehttp.New(ctx, otlptracehttp.WithProxy(straight))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "mooring"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Instance),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	e := &Exporter{o: o, sample: sample}
	e.provider = sdk.NewTracerProvider(
		sdk.WithBatcher(&counted{SpanExporter: client, e: e}, sdk.WithMaxQueueSize(waiting)),
		sdk.WithResource(about), sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(given{}),
	)
	e.tracer = e.provider.Tracer("mooring.dev")
	return e, nil
}

// asked: the environment names a collector and does not say that it is not to
// be told.
func asked(getenv func(string) string) bool {
	named := getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	return named && !strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") && getenv("OTEL_TRACES_EXPORTER") != "none"
}

// Take implements trace.Sink. Whether a trace is kept is decided by its id
// alone, so that all daemons, and all passes, decide alike.
func (e *Exporter) Take(f trace.Finished) {
	if !e.sampled(f) {
		return
	}
	n := len(f.Spans)
	if e.pending.Add(int64(n)) > waiting {
		e.pending.Add(-int64(n))
		e.o.Count("lost", n)
		return
	}
	for i, d := range f.Spans {
		ctx := context.WithValue(context.Background(), place{}, d.Place)
		if parent := d.Parent; parent != [8]byte{} {
			ctx = api.ContextWithSpanContext(ctx, spanContext(trace.Place{Trace: d.Place.Trace, Span: parent}, i == 0))
		}
		e.span(ctx, d)
	}
}

func (e *Exporter) sampled(f trace.Finished) bool {
	if len(f.Spans) == 0 {
		return false
	}
	asked := sdk.SamplingParameters{ParentContext: context.Background(), TraceID: f.Spans[0].Place.Trace, Name: f.Spans[0].Name}
	return e.sample.ShouldSample(asked).Decision == sdk.RecordAndSample
}

func (e *Exporter) span(ctx context.Context, d trace.Done) {
	options := []api.SpanStartOption{api.WithTimestamp(d.Begin), api.WithAttributes(attributes(d)...)}
	for _, l := range d.Links {
		options = append(options, api.WithLinks(api.Link{SpanContext: spanContext(l, true)}))
	}
	_, s := e.tracer.Start(ctx, d.Name, options...)
	if d.Failed != "" {
		s.SetStatus(codes.Error, d.Failed)
	}
	s.End(api.WithTimestamp(d.End))
}

func attributes(d trace.Done) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(d.Attributes)+1)
	for _, a := range d.Attributes {
		if a.Text != "" {
			out = append(out, attribute.String(a.Name, a.Text))
		} else {
			out = append(out, attribute.Int64(a.Name, a.Number))
		}
	}
	if d.Failed != "" {
		out = append(out, attribute.String("error.type", d.Failed))
	}
	return out
}

func spanContext(p trace.Place, remote bool) api.SpanContext {
	return api.NewSpanContext(api.SpanContextConfig{TraceID: p.Trace, SpanID: p.Span, TraceFlags: api.FlagsSampled, Remote: remote})
}

// Close sends what waits, as long as ctx lasts.
func (e *Exporter) Close(ctx context.Context) error {
	if e == nil {
		return nil
	}
	return e.provider.Shutdown(ctx)
}

// Grace is how long the end of the daemon waits for a collector.
const Grace = 3 * time.Second

type place struct{}

// given names spans as they were named when they began.
type given struct{}

// NewIDs implements the SDK's IDGenerator.
func (given) NewIDs(ctx context.Context) (api.TraceID, api.SpanID) {
	p, _ := ctx.Value(place{}).(trace.Place)
	return p.Trace, p.Span
}

// NewSpanID implements the SDK's IDGenerator.
func (given) NewSpanID(ctx context.Context, _ api.TraceID) api.SpanID {
	p, _ := ctx.Value(place{}).(trace.Place)
	return p.Span
}
