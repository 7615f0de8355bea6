package reconciler

import (
	"context"
	"slices"

	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// observe brings the inventory up to date. Where somebody wants traffic back it
// waits for no look at everything: what traffic needs was looked at before.
func (p *pass) observe(ctx context.Context) error {
	want := union(p.stable, p.moving, p.admitted, p.head.release)
	if !p.e.look.at.IsZero() && slices.ContainsFunc(sorted(p.st.Requests), returns) {
		return p.e.glance(ctx, want, p.now)
	}
	return p.e.observe(ctx, want, p.interval(), true)
}

// watchTraffic asks for a direct look at every alias of a moving rollout: time
// counts for a stage only while its weight was seen in place, and an alias
// that somebody else moves is noticed at the next look.
func (p *pass) watchTraffic() {
	if p.st.Rollout.Phase == rollout.Idle {
		return
	}
	for _, f := range p.st.Rollout.Functions {
		if f.Alias != (manifest.Ref{}) {
			p.e.look.touch(f.Alias, p.now)
		}
	}
}
