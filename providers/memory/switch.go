package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mooring.dev/providers"
)

// standing is a dead man's switch of an alias.
type standing struct {
	version string
	at      time.Time
}

// Scheduler is who moves an alias when a switch acts.
const Scheduler = "scheduler.amazonaws.com"

// Arm writes a dead man's switch, or moves one.
func (pr *Provider) Arm(ctx context.Context, s providers.Switch) (providers.Receipt, error) {
	return pr.write(ctx, "arm", s.Alias.Ref, func() (*thing, Call, error) {
		name := NameOf(s.Alias)
		pr.p.act(name)
		if _, there := pr.p.switches[name]; !there && s.Known {
			return nil, Call{}, providers.Errorf(providers.Conflict, "there is no switch any more")
		}
		pr.p.switches[name] = standing{s.Version, s.At}
		return nil, Call{Name: name, Routing: providers.Routing{Version: s.Version}}, nil
	})
}

// Armed says whether a switch still stands.
func (pr *Provider) Armed(ctx context.Context, s providers.Switch) (bool, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := p.inject("armed", s.Alias.Ref); err != nil {
		return false, fmt.Errorf("armed %s: %w", s.Alias.Ref, err)
	}
	name := NameOf(s.Alias)
	p.act(name)
	_, there := p.switches[name]
	return there, nil
}

// Disarm takes a switch away.
func (pr *Provider) Disarm(ctx context.Context, s providers.Switch) (providers.Receipt, error) {
	return pr.write(ctx, "disarm", s.Alias.Ref, func() (*thing, Call, error) {
		name := NameOf(s.Alias)
		pr.p.act(name)
		delete(pr.p.switches, name)
		return nil, Call{Name: name}, nil
	})
}

// Switches lists the aliases that dead man's switches stand for, sorted.
func (p *Platform) Switches() []Name {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(maps.Keys(p.switches), compareNames)
}

// act lets the switch of an alias do what it is due to; the caller holds the
// lock.
func (p *Platform) act(n Name) {
	s, there := p.switches[n]
	if !there || p.o.Now().Before(s.at) {
		return
	}
	delete(p.switches, n)
	t, ok := p.live(n)
	if to := (providers.Routing{Version: s.version}); ok && p.routable(n, to) == nil {
		p.touch(t)
		p.point(t, to)
		p.record(t, Call{Actor: Scheduler, Op: "manual", Routing: to, Name: n}, true)
	}
}
