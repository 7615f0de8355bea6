package memory

import (
	"context"
	"fmt"
	"math"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Traffic is the steady stream of calls through the aliases of a function, or
// of executions through those of a workflow.
type Traffic struct {
	PerSecond float64
	// Errors is the share of calls that fail, by version number; versions not
	// named fail at the rate of their code (SetErrors).
	Errors map[string]float64
	// Durations are the mean durations of calls by version number, which are
	// spread exponentially around it; of versions not named none is known.
	Durations map[string]time.Duration
	// Unknown makes Measure answer that it does not know.
	Unknown bool
	// Hangs is the share of a version's calls that end only after HangFor, and fail:
	// they are told of when they end, under the time they began at. Successes that
	// run as long are Crawls.
	Hangs, Crawls map[string]float64
	HangFor       time.Duration
}

// SetTraffic sets the stream to a function.
func (p *Platform) SetTraffic(physical string, t Traffic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traffic[physical] = t
}

// SetErrors makes every version of a code fail a share of its calls.
func (p *Platform) SetErrors(codeDigest string, rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors[quote(codeDigest)] = rate
}

// Measure counts a version's calls through an alias. Adjoining windows add up.
func (pr *Provider) Measure(ctx context.Context, alias manifest.Resource, version string, q providers.Asked) (providers.Sample, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return providers.Sample{}, err
	}
	if err := p.inject("measure", alias.Ref); err != nil {
		return providers.Sample{}, fmt.Errorf("measure %s: %w", alias.Ref, err)
	}
	traffic := p.traffic[alias.Physical]
	t, ok := p.live(NameOf(alias))
	if !ok || traffic.Unknown {
		return providers.Sample{}, nil
	}
	count := func(w providers.Window) providers.Sample {
		return p.told(t, w, version, traffic, p.errorRate(parentName(NameOf(alias)), version, traffic))
	}
	out := count(q.Window)
	for _, w := range q.Again {
		out.Again = append(out.Again, count(w))
	}
	from, to, calls := t.share(version, q.From)*traffic.PerSecond, t.share(version, q.To)*traffic.PerSecond, out.Calls
	for _, asked := range q.Latency {
		latency := providers.Latency{Percentile: asked.Percentile}
		if mean, ok := traffic.Durations[version]; ok && calls > 0 {
			latency.Known, latency.Calls, latency.Threshold = true, calls, asked.Threshold
			latency.Quantile = time.Duration(-float64(mean) * math.Log(1-asked.Percentile/100))
			if asked.Threshold > 0 {
				slow := math.Exp(-float64(asked.Threshold) / float64(mean))
				latency.Above = min(calls, int64(math.Floor(to*slow))-int64(math.Floor(from*slow)))
			}
		}
		out.Latency = append(out.Latency, latency)
	}
	return out, nil
}

// told is what is known by now of the calls of a window: those that ended.
func (p *Platform) told(t *thing, w providers.Window, version string, traffic Traffic, rate float64) providers.Sample {
	part := func(until time.Time, share float64) int64 {
		from, to := t.share(version, w.From)*traffic.PerSecond, t.share(version, until)*traffic.PerSecond
		return int64(math.Floor(to*share)) - int64(math.Floor(from*share))
	}
	ended := p.o.Now().Add(-traffic.HangFor)
	if ended.After(w.To) {
		ended = w.To
	}
	if ended.Before(w.From) {
		ended = w.From
	}
	hang, crawl := traffic.Hangs[version], traffic.Crawls[version]
	hung, calls := part(ended, hang), part(w.To, 1)
	missing := part(w.To, hang) - hung + part(w.To, crawl) - part(ended, crawl)
	return providers.Sample{Known: true, Calls: calls - missing, Errors: min(calls-missing, part(w.To, rate)+hung)}
}

func (p *Platform) errorRate(of Name, version string, traffic Traffic) float64 {
	if rate, ok := traffic.Errors[version]; ok {
		return rate
	}
	fn, ok := p.live(of)
	if !ok {
		return 0
	}
	return p.errors[fn.versions[version].code]
}

// share is the traffic-seconds a version had through an alias up to a time:
// the integral of its weight.
func (t *thing) share(version string, until time.Time) float64 {
	total := 0.0
	for i, m := range t.routes {
		end := until
		if i+1 < len(t.routes) && t.routes[i+1].at.Before(until) {
			end = t.routes[i+1].at
		}
		if end.After(m.at) {
			total += end.Sub(m.at).Seconds() * weightOf(m.to, version)
		}
	}
	return total
}

func weightOf(r providers.Routing, version string) float64 {
	canary := float64(r.Weight) / 10000
	switch version {
	case r.Canary:
		return canary
	case r.Version:
		return 1 - canary
	}
	return 0
}

// Invocation is one direct call of a version.
type Invocation struct {
	Function, Version, Code string
	Payload                 []byte
}

// Handle sets what functions answer; without one they answer {"ok":true}, or
// fail when their code fails every call.
func (p *Platform) Handle(h func(Invocation) (response []byte, failed bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = h
}

// Invoke calls one version; qualifier is a version or an alias.
func (pr *Provider) Invoke(ctx context.Context, fn manifest.Resource, qualifier string, payload []byte) ([]byte, bool, error) {
	call, handler, rate, err := pr.invocation(ctx, fn, qualifier, payload)
	if err != nil {
		return nil, false, fmt.Errorf("invoke %s:%s: %w", fn.Ref, qualifier, err)
	}
	if handler != nil {
		response, failed := handler(call)
		return response, failed, nil
	}
	if rate >= 1 {
		return []byte(`{"errorMessage":"failed"}`), true, nil
	}
	return []byte(`{"ok":true}`), false, nil
}

func (pr *Provider) invocation(ctx context.Context, fn manifest.Resource, qualifier string, payload []byte) (Invocation, func(Invocation) ([]byte, bool), float64, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Invocation{}, nil, 0, err
	}
	if err := p.inject("invoke", fn.Ref); err != nil {
		return Invocation{}, nil, 0, err
	}
	t, ok := p.live(NameOf(fn))
	if !ok {
		return Invocation{}, nil, 0, providers.Errorf(providers.Conflict, "it does not live")
	}
	for _, kind := range []string{manifest.KindAlias, manifest.KindWorkflowAlias} {
		name := Name{kind, fn.Physical, qualifier}
		if alias, ok := p.live(name); ok && parentName(name) == NameOf(fn) {
			qualifier = alias.routing.Version
		}
	}
	v, ok := t.versions[qualifier]
	if !ok {
		return Invocation{}, nil, 0, providers.Errorf(providers.Invalid, "it has no version %s", qualifier)
	}
	call := Invocation{Function: fn.Physical, Version: v.number, Code: v.code, Payload: payload}
	return call, p.handler, p.errorRate(NameOf(fn), v.number, p.traffic[fn.Physical]), nil
}
