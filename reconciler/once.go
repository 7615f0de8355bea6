package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Once makes passes over every environment until none has a step, a fact or a
// timer, or ctx ends. It waits for what settles, second looks and stage
// holds; it stops at holds. A removal that somebody wished for goes on until
// nothing of it is left.
func (d *Daemon) Once(ctx context.Context) ([]Report, error) {
	var over []Report // of removals that came to their end
	for {
		if err := d.refresh(ctx, "cli"); err != nil {
			return nil, err
		}
		if w := d.world.Load(); w.pipeline != nil {
			if err := d.strangers(w.pipeline); err != nil {
				return nil, err
			}
		}
		reports, next, err := d.round(ctx)
		reports = append(over, reports...)
		over = slices.DeleteFunc(slices.Clone(reports), func(r Report) bool { return r.Outcome != "destroyed" })
		if err != nil {
			return reports, err
		}
		if ctx.Err() != nil {
			return reports, ctx.Err()
		}
		if next.IsZero() {
			return reports, d.drain(ctx)
		}
		if !sleep(ctx, next.Sub(d.opts.Now())) {
			return reports, errors.Join(ctx.Err(), d.drain(context.WithoutCancel(ctx)))
		}
	}
}

// doomed are the environments that the pipeline does not have and somebody
// wished to be removed, sorted. A daemon is told of none that it is not for.
func (d *Daemon) doomed() []string {
	return slices.DeleteFunc(d.strays(d.world.Load()), func(name string) bool {
		e := d.environment(name)
		return d.opts.ReadOnly || e == nil || !e.wished()
	})
}

// round makes one pass over each environment, and over what is to be removed;
// next is zero when all are quiet.
func (d *Daemon) round(ctx context.Context) (reports []Report, next time.Time, err error) {
	w := d.world.Load()
	for _, name := range append(d.names(), d.doomed()...) {
		e := d.environment(name)
		report, err := e.pass(ctx, w)
		e.at.Store(nil)
		if fatal := d.fatal(err); fatal != nil {
			return reports, next, fatal
		}
		if err != nil {
			e.failures++
			// One environment that cannot be worked on delays no other.
			report.Reason = err.Error()
			report.Quiet = e.failures > onceTries || providers.KindOf(err).Permanent()
			report.Next = d.opts.Now().Add(doubled(d.opts.Pace.Retry, e.failures, d.opts.Pace.RetryMax))
		} else {
			e.failures = 0
		}
		reports = append(reports, report)
		if !report.Quiet && (next.IsZero() || report.Next.Before(next)) {
			next = report.Next
		}
	}
	return reports, next, nil
}

// strangers names the environments asked for that the pipeline does not have,
// and of which nothing is to be removed either.
func (d *Daemon) strangers(p *manifest.Pipeline) error {
	var all []string
	for _, e := range p.Environments {
		all = append(all, e.Name)
	}
	for _, name := range d.opts.Environments {
		if e := d.environment(name); !slices.Contains(all, name) && (e == nil || !e.wished()) {
			return fmt.Errorf("environment %q: %w; this pipeline has %s%s", name, ErrUnknown, namesOf(all), manifest.DidYouMean(name, all))
		}
	}
	return nil
}

// onceTries is how often Once tries an environment that fails as a whole.
const onceTries = 4

// busy: something is going on that time alone will bring further.
func (e *environment) busy() bool {
	return len(e.look.fresh) > 0 || len(e.look.suspects) > 0 || !e.look.resurvey.IsZero()
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
