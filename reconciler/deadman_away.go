package reconciler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// unguarded: a step would send calls to a version that no switch takes them
// back from.
func (p *pass) unguarded(s plan.Step) bool {
	spec := p.spec.Rollout.Deadman
	if spec == nil || s.Operation != plan.Route {
		return false
	}
	g := p.known(spec)
	g.Live = nil // where traffic is says nothing about where it goes
	for _, d := range p.st.Rollout.Duties(g, p.now) {
		if d.Alias == s.Ref && d.Do != rollout.DoRemove && d.Do != rollout.DoPutOff && s.Routing != (providers.Routing{Version: d.Version}) {
			return true
		}
	}
	return false
}

// disarm takes away the switches of what does not move any more. One that
// stays would take back a release that is in force.
func (p *pass) disarm(ctx context.Context) error {
	if len(p.st.Switches) == 0 {
		return nil
	}
	ro, g := p.st.Rollout, rollout.Guarded{Switches: p.st.Switches}
	if spec := p.spec.Rollout.Deadman; spec != nil {
		g = p.known(spec)
	} else {
		ro = rollout.State{} // nobody wants any, whatever moves
	}
	var failed []error
	for _, d := range ro.Duties(g, p.now) {
		if d.Do != rollout.DoRemove {
			continue
		}
		if !p.rests(d.Alias) {
			failed = append(failed, p.takeAway(ctx, p.st.Switches[d.Alias]))
		}
		if next := p.e.resting[d.Alias].next; !next.IsZero() {
			p.timers = append(p.timers, next)
		}
	}
	return errors.Join(failed...)
}

func (p *pass) takeAway(ctx context.Context, sw record.Switch) error {
	switcher, ok := p.e.provider.(providers.Switcher)
	if !ok {
		return nil
	}
	receipt, err := switcher.Disarm(ctx, asked(sw))
	if err != nil {
		p.rest(sw.Alias, fmt.Errorf("the switch of %s could not be taken away: %w", sw.Alias, err))
		return nil // tidy tells people
	}
	delete(p.e.resting, sw.Alias)
	sw.State, sw.Since, sw.RequestIDs = record.SwitchGone, p.e.d.opts.Now(), receipt.RequestIDs
	return p.remember(ctx, journal.Record{Switch: &sw})
}

// leftOver: a switch could not be taken away.
func (p *pass) leftOver(alias manifest.Ref) bool {
	_, there := p.st.Switches[alias]
	return there && p.e.resting[alias].why != nil && p.st.Rollout.Phase != rollout.Shift
}

// leftSwitch tells of a switch that could not be taken away.
func (p *pass) leftSwitch(s record.Switch) event {
	return event{
		kind: "deadman", key: s.Alias.String(), severity: "high", resource: s.Alias.String(),
		title: fmt.Sprintf("a dead man's switch of %s is left over", p.e.name),
		text: fmt.Sprintf("%v\nAt %s it sends all calls of %s to version %s. Remove the schedule by hand, or let the daemon call scheduler:DeleteSchedule.",
			p.e.resting[s.Alias].why, s.Acts.UTC().Format(time.RFC3339), s.Alias, s.Version),
	}
}
