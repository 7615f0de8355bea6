package otlp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// counted is an exporter whose failures are counted and told once: the SDK's
// own way of telling is a global that writes to stderr, with addresses that may
// hold secrets.
type counted struct {
	sdk.SpanExporter
	e       *Exporter
	failing atomic.Bool
}

// ExportSpans implements the SDK's SpanExporter.
func (c *counted) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	c.e.pending.Add(-int64(len(spans)))
	if err != nil {
		c.e.o.Count("failed", len(spans))
		if !c.failing.Swap(true) {
			c.e.o.Trouble(bare(err))
		}
		return nil
	}
	c.e.o.Count("sent", len(spans))
	if c.failing.Swap(false) {
		c.e.o.Trouble(nil)
	}
	return nil
}

// Errors of sending, without the collector's address or answer.
var (
	errNoAnswer  = errors.New("the collector does not answer in time")
	errNoWay     = errors.New("the collector cannot be reached")
	errElsewhere = errors.New("the collector sends elsewhere, and nothing is sent there; name where it leads in OTEL_EXPORTER_OTLP_ENDPOINT")
	errRefused   = errors.New("the collector refuses what it is sent; look into its log, and at OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS")
)

// straight is Go's usual choice of a proxy for a request, and refuses one that a
// redirect led to: its headers hold what the collector is paid with. A client of
// our own could refuse too, and would take neither the certificates nor the
// timeout of OpenTelemetry's variables.
func straight(r *http.Request) (*url.URL, error) {
	if r.Response != nil {
		return nil, errElsewhere
	}
	return http.ProxyFromEnvironment(r)
}

func bare(err error) error {
	var timed interface{ Timeout() bool }
	var dial *net.OpError
	switch {
	case errors.Is(err, errElsewhere):
		return errElsewhere
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return errNoAnswer
	case errors.As(err, &dial):
		return errNoWay
	}
	return errRefused
}

// sampler is what OTEL_TRACES_SAMPLER names. Traces begin with Mooring, so that
// what is said of parents changes nothing.
func sampler(getenv func(string) string) (sdk.Sampler, error) {
	name, arg := strings.ToLower(strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER"))), strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER_ARG"))
	switch strings.TrimPrefix(name, "parentbased_") {
	case "", "always_on":
		return sdk.AlwaysSample(), nil
	case "always_off":
		return sdk.NeverSample(), nil
	case "traceidratio":
		if arg == "" {
			return sdk.AlwaysSample(), nil
		}
		ratio, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%q: want a share from 0 to 1", arg)
		}
		return sdk.TraceIDRatioBased(ratio), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER=%q: want always_on, always_off, traceidratio, or one of them after parentbased_", name)
}
