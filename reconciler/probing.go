package reconciler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// probeRound is the least time between two rounds of probes of one function: a
// round is a look, and the journal keeps each.
const probeRound = 10 * time.Second

// probed is when which functions of a release were called last.
type probed struct {
	release string
	at      map[manifest.Ref]time.Time
}

// rounds is how many times a function is called in a round, and how often there
// is one: what was missed is not made up for.
func rounds(perMinute int) (calls int, every time.Duration) {
	gap := time.Minute / time.Duration(max(1, perMinute))
	calls = max(1, int((probeRound+gap-1)/gap))
	return calls, time.Duration(calls) * gap
}

// probe calls the versions of a release that moves, those of several functions
// side by side. What stops the release stops the calls; what is broken off
// because there is something new says nothing.
func (p *pass) probe(ctx context.Context, sig *rollout.Signal) []rollout.Probed {
	ro := p.st.Rollout
	paused := ro.Halted && sig.WeightCap == 0 // as of the pass before: somebody else moved traffic
	if ro.Phase != rollout.Shift || p.moving == nil || paused || sig.Start != nil ||
		sig.Held != "" || sig.Pause != "" || sig.Unasked != "" || sig.Abort != "" {
		return nil
	}
	if p.e.probed.release != ro.Release.Digest {
		p.e.probed = probed{ro.Release.Digest, map[manifest.Ref]time.Time{}}
	}
	pressed, stop := p.e.pressed(ctx)
	defer stop()
	found := make([]rollout.Probed, len(ro.Functions))
	var g crew.Crew
	g.SetLimit(p.e.d.opts.Pace.Parallel)
	for i, f := range ro.Functions {
		rule := p.moving.Functions[f.Ref].Rollout.Analysis.Probe
		fn, ok := p.moving.Resource(f.Ref)
		if !ok || !f.Probed || rule == nil || f.New == "" || f.New == f.Stable {
			continue
		}
		calls, every := rounds(rule.PerMinute)
		if last := p.e.probed.at[f.Ref]; p.now.Before(last.Add(every)) && !p.now.Before(last) {
			p.timers = append(p.timers, last.Add(every))
			continue
		}
		p.e.probed.at[f.Ref] = p.now
		p.timers = append(p.timers, p.now.Add(every))
		found[i] = rollout.Probed{Ref: f.Ref, At: p.now}
		g.Go(func() error {
			p.e.probeFunction(pressed, prober{fn: fn, f: f, rule: *rule, calls: calls}, &found[i])
			return nil
		})
	}
	_ = g.Wait() // each has what it found
	var out []rollout.Probed
	for _, round := range found {
		if round.Canary.Calls > 0 {
			out = append(out, round)
		}
	}
	return out
}

// prober is what is called, and how often.
type prober struct {
	fn    manifest.Resource
	f     rollout.Function
	rule  manifest.Probe
	calls int
}

// probeFunction makes one round. A pair of which one call has no answer counts
// on neither side, and ends the round: the platform is not well.
func (e *environment) probeFunction(ctx context.Context, pr prober, into *rollout.Probed) {
	ends := time.Now().Add(probeRound) // whoever is slow holds up the pass no longer
	for range pr.calls {
		if ctx.Err() != nil || time.Now().After(ends) {
			return
		}
		canary, baseline, err := e.probePair(ctx, pr)
		if err != nil {
			if ctx.Err() == nil {
				e.log.Warn("probe had no answer", zap.Stringer("resource", pr.f.Ref), zap.Error(err))
			}
			return
		}
		into.Canary = into.Canary.Plus(canary)
		into.Baseline = into.Baseline.Plus(baseline)
	}
}

// probePair calls both versions at once.
func (e *environment) probePair(ctx context.Context, pr prober) (canary, baseline rollout.Counts, err error) {
	var g crew.Crew
	g.Go(func() (err error) {
		canary, err = e.probeVersion(ctx, pr, pr.f.New)
		return err
	})
	if pr.f.Stable != "" {
		g.Go(func() (err error) {
			baseline, err = e.probeVersion(ctx, pr, pr.f.Stable)
			return err
		})
	}
	err = g.Wait()
	return canary, baseline, err
}

// probeVersion is one call. An answer that does not come in the time it has is a
// failure, of either version alike.
func (e *environment) probeVersion(ctx context.Context, pr prober, version string) (rollout.Counts, error) {
	invoker, ok := e.provider.(providers.Invoker)
	if !ok {
		return rollout.Counts{}, fmt.Errorf("probe %s: this platform cannot invoke functions", pr.f.Ref)
	}
	payload, err := json.Marshal(pr.rule.Payload)
	if err != nil {
		return rollout.Counts{}, fmt.Errorf("probe %s: payload: %w", pr.f.Ref, err)
	}
	timed, cancel := context.WithTimeout(ctx, time.Duration(pr.rule.Timeout))
	defer cancel()
	response, failed, err := invoker.Invoke(timed, pr.fn, version, payload)
	switch {
	case err == nil:
	case ctx.Err() == nil && errors.Is(timed.Err(), context.DeadlineExceeded):
		failed = true
	default:
		return rollout.Counts{}, fmt.Errorf("probe version %s of %s: %w", version, pr.f.Ref, err)
	}
	if failed || expect(response, pr.rule.Expect) != "" {
		return rollout.Counts{Calls: 1, Errors: 1}, nil
	}
	return rollout.Counts{Calls: 1}, nil
}
