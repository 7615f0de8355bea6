package main

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers/aws"
	"mooring.dev/reconciler"
	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/trace/otlp"
	"mooring.dev/reconciler/web"
)

// openTraces opens the way to a collector where OpenTelemetry's variables name
// one; nil where they do not.
func openTraces(ctx context.Context, instance string, metrics *web.Metrics, log *zap.Logger) (*otlp.Exporter, error) {
	return otlp.Open(ctx, otlp.Options{
		Getenv: os.Getenv, Version: version, Instance: instance, Count: metrics.TraceSpans,
		Trouble: func(err error) {
			if err != nil {
				log.Warn("traces are not delivered", zap.Error(err))
				return
			}
			log.Info("traces are delivered again")
		},
	})
}

// tracer records for an exporter; nil where there is none.
func tracer(e *otlp.Exporter) *trace.Tracer {
	if e == nil {
		return nil
	}
	return trace.New(e, time.Now)
}

// untilSent runs a daemon, and once it has ended sends what is left of its traces.
func untilSent(ctx context.Context, daemon *reconciler.Daemon, e *otlp.Exporter) error {
	err := daemon.Run(ctx)
	closeTraces(ctx, e)
	return err
}

// closeTraces gives a collector a last moment. What it does not take is lost, and
// counted.
func closeTraces(ctx context.Context, e *otlp.Exporter) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), otlp.Grace)
	defer cancel()
	_ = e.Close(ctx)
}

// trace is how a platform's calls are recorded; nil: they are not.
func (f *platforms) trace() func(ctx context.Context, service, operation string) (context.Context, func(aws.Call)) {
	if !f.traced {
		return nil
	}
	return func(ctx context.Context, service, operation string) (context.Context, func(aws.Call)) {
		ctx, span := trace.Start(ctx, service+"."+operation)
		return ctx, func(c aws.Call) {
			span.Text("rpc.system", "aws-api")
			span.Text("rpc.service", service)
			span.Text("rpc.method", operation)
			span.Text("aws.request_id", c.Request)
			span.Number("mooring.attempts", int64(c.Attempts))
			span.Failed(c.Code)
			span.End()
		}
	}
}
