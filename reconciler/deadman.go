package reconciler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// errUnsure is why no traffic moves for a moment.
var errUnsure = errors.New("it is not known yet whether the switch still stands")

// resting is what was refused a moment ago, and why.
type resting struct {
	backoff
	why error
}

// guarded sees to the dead man's switches of a rollout before any of its
// traffic moves, and puts off those that stand. While one does not stand, the
// weight stays; where one took traffic back, the release goes back.
func (p *pass) guarded(ctx context.Context, sig *rollout.Signal, ro rollout.State) {
	spec := p.spec.Rollout.Deadman
	if spec == nil {
		return
	}
	g := p.known(spec)
	g.Entering = p.st.Rollout.Phase != rollout.Shift
	duties := ro.Duties(g, p.now)
	blocked := func(err error) {
		if err != nil && sig.Pause == "" {
			sig.Pause = "deadman: " + err.Error()
		}
	}
	err := p.announce(ctx, spec, duties)
	if err != nil {
		blocked(err)
		return
	}
	var recs []journal.Record
	for _, d := range p.fulfilAll(ctx, *spec, duties) {
		if d.acted && sig.Switched == "" {
			sig.Switched = fmt.Sprintf("deadman: the switch of %s took traffic back to version %s: nobody looked after the release for %s", d.Alias, d.Version, spec.Delay())
		}
		if d.now != nil {
			recs = append(recs, journal.Record{Switch: d.now})
		}
		if d.refused {
			p.rest(d.Alias, d.err)
		} else if d.now != nil {
			delete(p.e.resting, d.Alias)
		}
		if d.err != nil {
			p.timers = append(p.timers, p.e.resting[d.Alias].next, p.now.Add(p.e.d.opts.Pace.Settle))
		}
		blocked(d.err)
	}
	blocked(p.remember(ctx, recs...))
}

// known is what is known about switches, for the rollout.
func (p *pass) known(spec *manifest.Deadman) rollout.Guarded {
	return rollout.Guarded{After: spec.Delay(), Group: spec.Group, Switches: p.st.Switches, Live: p.e.look.inventory.Live}
}

// announce remembers the switches that are about to be written. One that is
// put off stands in the journal as it was until that is answered: it acts no
// earlier than known.
func (p *pass) announce(ctx context.Context, spec *manifest.Deadman, duties []rollout.Duty) error {
	var recs []journal.Record
	calls := false
	for _, d := range duties {
		calls = calls || d.Do == rollout.DoWrite || d.Do == rollout.DoPutOff
		if d.Do != rollout.DoWrite || p.rests(d.Alias) {
			continue
		}
		next, err := p.switchOf(spec, d)
		if err != nil {
			return err
		}
		next.State = record.SwitchAsked
		if sw := p.st.Switches[d.Alias]; sw.State != next.State || sw.Version != next.Version {
			recs = append(recs, journal.Record{Switch: &next})
		}
	}
	if !calls {
		return nil
	}
	return errors.Join(p.e.checkAccount(ctx), p.remember(ctx, recs...))
}

func (p *pass) switchOf(spec *manifest.Deadman, d rollout.Duty) (record.Switch, error) {
	res, ok := find(d.Alias, p.moving, p.stable)
	if !ok {
		return record.Switch{}, fmt.Errorf("nothing declares %s", d.Alias)
	}
	now := p.e.d.opts.Now()
	return record.Switch{Alias: d.Alias, Physical: res.Physical, Key: res.Key, Version: d.Version, Group: spec.Group,
		Release: p.st.Rollout.Release.Digest, State: record.SwitchArmed, Acts: now.Add(spec.Delay()).Truncate(time.Second), Since: now}, nil
}

// rests: what was refused a moment ago is not asked again yet.
func (p *pass) rests(alias manifest.Ref) bool { return p.now.Before(p.e.resting[alias].next) }

func (p *pass) rest(alias manifest.Ref, why error) {
	r := p.e.resting[alias]
	r.tries++
	r.next, r.why = p.now.Add(doubled(p.e.d.opts.Pace.Retry, r.tries, p.e.d.opts.Pace.RetryMax)), why
	p.e.resting[alias] = r
	p.e.log.Warn("dead man's switch", zap.Stringer("resource", alias), zap.Error(why))
}

// fulfilled is what came of one duty.
type fulfilled struct {
	rollout.Duty
	now     *record.Switch // what is known of the switch now; nil: as before
	acted   bool           // it took traffic back
	err     error          // why no traffic may move
	refused bool           // and it is not tried again at once
}

func (p *pass) fulfilAll(ctx context.Context, spec manifest.Deadman, duties []rollout.Duty) []fulfilled {
	done := make([]fulfilled, len(duties))
	var g crew.Crew
	g.SetLimit(p.e.d.opts.Pace.Parallel)
	for i, d := range duties {
		g.Go(func() error {
			done[i] = p.fulfil(ctx, spec, d)
			done[i].Duty = d
			return nil
		})
	}
	_ = g.Wait() // each has its result
	return done
}

func (p *pass) fulfil(ctx context.Context, spec manifest.Deadman, d rollout.Duty) fulfilled {
	switch d.Do {
	case rollout.DoWrite, rollout.DoPutOff:
		if p.rests(d.Alias) {
			return fulfilled{err: p.e.resting[d.Alias].why}
		}
		return p.arm(ctx, spec, d)
	case rollout.DoAsk:
		return p.askSwitch(ctx, d)
	case rollout.DoGoBack:
		return fulfilled{acted: true}
	case rollout.DoAwait, rollout.DoLook:
		return fulfilled{err: fmt.Errorf("%s: %w", d.Alias, errUnsure)}
	}
	return fulfilled{} // what is to be taken away is, once the pass has acted
}

// arm writes or puts off one switch.
func (p *pass) arm(ctx context.Context, spec manifest.Deadman, d rollout.Duty) fulfilled {
	refused := func(err error) fulfilled {
		return fulfilled{err: fmt.Errorf("the switch of %s could not be written, and no traffic moves without it: %w", d.Alias, err), refused: true}
	}
	next, err := p.switchOf(&spec, d)
	if err != nil {
		return refused(err)
	}
	ask := asked(next)
	ask.Known = d.Do == rollout.DoPutOff
	if ask.Role, err = p.switchRole(spec); err != nil {
		return refused(err)
	}
	switcher, ok := p.e.provider.(providers.Switcher)
	if !ok {
		return refused(errors.New("this platform has none; leave out rollout.deadman"))
	}
	receipt, err := switcher.Arm(ctx, ask)
	next.RequestIDs = receipt.RequestIDs
	switch {
	case err == nil:
		return fulfilled{now: &next}
	case ask.Known && providers.KindOf(err) == providers.Conflict:
		lost := p.st.Switches[d.Alias]
		lost.State, lost.Since = record.SwitchLost, p.e.d.opts.Now()
		return fulfilled{now: &lost, err: fmt.Errorf("%s: %w", d.Alias, errUnsure)}
	}
	return refused(err)
}

// switchRole is the ARN of the role that the switches act as.
func (p *pass) switchRole(spec manifest.Deadman) (string, error) {
	if !strings.HasPrefix(spec.Role, manifest.KindRole+"/") {
		return spec.Role, nil
	}
	ref, err := manifest.ParseRef(spec.Role)
	if err != nil {
		return "", fmt.Errorf("rollout.deadman.role: %w", err)
	}
	if arn := p.e.bindings()[ref]["arn"]; arn != "" {
		return arn, nil
	}
	return "", fmt.Errorf("rollout.deadman.role: %s is not there; declare it, or name a role by its ARN", ref)
}

// asked is a switch as the platform is asked about it.
func asked(s record.Switch) providers.Switch {
	return providers.Switch{Alias: manifest.Resource{Ref: s.Alias, Physical: s.Physical, Key: s.Key}, Version: s.Version,
		At: s.Acts, Group: s.Group, Release: s.Release, Known: true}
}

// askSwitch is asked where traffic is back at stable, and nobody here sent it
// there: a switch that is not there any more, or whose time has come, did.
func (p *pass) askSwitch(ctx context.Context, d rollout.Duty) fulfilled {
	switcher, ok := p.e.provider.(providers.Switcher)
	if !ok {
		return fulfilled{}
	}
	sw := p.st.Switches[d.Alias]
	there, err := switcher.Armed(ctx, asked(sw))
	if err != nil {
		return fulfilled{err: fmt.Errorf("look for the switch of %s: %w", d.Alias, err)}
	}
	return fulfilled{acted: !there || !p.now.Before(sw.Acts)}
}
