package reconciler

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// fulfilled pauses the release that moves while its contract is broken. It is
// no hold: a newer release may still begin in its place, for it may be the one
// that mends it.
func (p *pass) fulfilled(sig *rollout.Signal, broken []broken) bool {
	if len(broken) == 0 {
		return true
	}
	sig.Pause = "contract: " + broken[0].text()
	p.timers = append(p.timers, p.now.Add(p.e.d.opts.Pace.Check))
	return false
}

// preTraffic runs what has to pass before a new version gets its first call:
// the contract against the last look, then the declared check.
func (p *pass) preTraffic(ctx context.Context, sig *rollout.Signal) []rollout.CheckDone {
	if !p.fulfilled(sig, p.contract(ctx, p.moving)) {
		return nil
	}
	return p.traffic(ctx, func(f rollout.Function, a manifest.Analysis) (*manifest.Check, string) {
		if f.Checked || f.New == "" {
			return nil, ""
		}
		return a.PreTraffic, f.New
	})
}

// postTraffic asks through the alias what has to hold once all of the traffic
// is on the new version.
func (p *pass) postTraffic(ctx context.Context) []rollout.CheckDone {
	return p.traffic(ctx, func(f rollout.Function, a manifest.Analysis) (*manifest.Check, string) {
		if f.Proved || f.New == "" {
			return nil, ""
		}
		_, alias, _ := strings.Cut(f.Alias.Name, ".")
		return a.PostTraffic, alias
	})
}

// traffic runs the checks that ask says of the release that moves side by side,
// each against the qualifier it says; "" for none to run. What declares no check
// passes. A check that was broken off because there is something new, as a
// person's abort, says nothing, and is tried again.
func (p *pass) traffic(ctx context.Context, ask func(rollout.Function, manifest.Analysis) (*manifest.Check, string)) []rollout.CheckDone {
	pressed, stop := p.e.pressed(ctx)
	defer stop()
	functions := p.st.Rollout.Functions
	results := make([]*rollout.CheckDone, len(functions))
	var g crew.Crew
	g.SetLimit(p.e.d.opts.Pace.Parallel)
	for i, f := range functions {
		check, qualifier := ask(f, p.moving.Functions[f.Ref].Rollout.Analysis)
		if qualifier == "" {
			continue
		}
		g.Go(func() error {
			result, err := p.trafficCheck(pressed, f.Ref, qualifier, check)
			if err == nil {
				results[i] = &result
			} else if pressed.Err() == nil {
				p.e.log.Warn("traffic check could not run", zap.Stringer("resource", f.Ref), zap.Error(err))
			}
			return nil
		})
	}
	_ = g.Wait() // each has its result, or none
	var done []rollout.CheckDone
	for _, r := range results {
		if r != nil {
			done = append(done, *r)
		}
	}
	return done
}

func (p *pass) trafficCheck(ctx context.Context, ref manifest.Ref, qualifier string, check *manifest.Check) (rollout.CheckDone, error) {
	if check == nil {
		return rollout.CheckDone{Ref: ref, Passed: true, Detail: "no check is declared"}, nil
	}
	res, ok := p.moving.Resource(ref)
	if !ok {
		return rollout.CheckDone{}, fmt.Errorf("%s is not in the release", ref)
	}
	ctx, cancel := context.WithTimeout(ctx, patience(*check))
	defer cancel()
	if check.Invoke == nil {
		passed, detail, err := p.put(ctx, *check)
		return rollout.CheckDone{Ref: ref, Passed: passed, Detail: detail}, err
	}
	passed, detail, err := p.e.invoke(ctx, res, qualifier, *check.Invoke)
	return rollout.CheckDone{Ref: ref, Passed: passed, Detail: detail}, err
}

// invoke runs one check against one version and judges the response.
func (e *environment) invoke(ctx context.Context, fn manifest.Resource, qualifier string, in manifest.Invoke) (passed bool, detail string, err error) {
	invoker, ok := e.provider.(providers.Invoker)
	if !ok {
		return false, "", fmt.Errorf("check %s: this platform cannot invoke functions", fn.Ref)
	}
	payload, err := json.Marshal(in.Payload)
	if err != nil {
		return false, "", fmt.Errorf("check %s: payload: %w", fn.Ref, err)
	}
	response, failed, err := invoker.Invoke(ctx, fn, qualifier, payload)
	if err != nil {
		return false, "", fmt.Errorf("check %s: %w", fn.Ref, err)
	}
	if failed {
		return false, fmt.Sprintf("version %s of %s failed when invoked", qualifier, fn.Ref), nil
	}
	why := expect(response, in.Expect)
	return why == "", why, nil
}
