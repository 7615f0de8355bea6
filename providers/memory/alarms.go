package memory

import (
	"context"
	"fmt"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

var _ providers.AlarmReader = (*Provider)(nil)

// SetAlarm makes an alarm say ok, alarm or insufficient_data.
func (p *Platform) SetAlarm(physical, state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alarms[physical] = state
}

// AlarmStates are as set; insufficient_data for those nobody set.
func (pr *Provider) AlarmStates(ctx context.Context, alarms []manifest.Resource) (map[manifest.Ref]string, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := map[manifest.Ref]string{}
	for _, a := range alarms {
		if err := p.inject("alarm", a.Ref); err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", a.Ref, err)
		}
		if _, there := p.live(NameOf(a)); !there {
			continue
		}
		out[a.Ref] = "insufficient_data"
		if state, set := p.alarms[a.Physical]; set {
			out[a.Ref] = state
		}
	}
	return out, nil
}
