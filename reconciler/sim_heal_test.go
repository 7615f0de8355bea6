package reconciler

import (
	"context"
	"maps"
	"slices"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// heal ends every fault and lets people put right what waits for them; then
// everything has to converge.
func (c *chaos) heal() {
	c.faults, c.deaf, c.denied, c.skew = 0, false, manifest.Ref{}, 0
	c.jumps++
	c.log("%v faults end", c.real.Sub(birth))
	for _, env := range c.names {
		for _, fn := range []string{"checkout", "mailer", "flow"} {
			c.platform.SetTraffic(env+"-"+fn, memory.Traffic{PerSecond: 100})
		}
	}
	c.repo.commit("main", c.control("allow"))
	c.next++
	k := c.surrounded(firstContent())
	k.checkout = code(c.next)
	for _, env := range c.names {
		c.content[env] = k
		c.repo.commit(branchOf(env), k.files())
	}
	for try := range 40 {
		if c.until(time.Minute, c.converged) || !c.watch.ok() {
			return
		}
		for _, env := range c.names {
			if try%3 == 2 && c.watch.environment(env).Rollout.Paused != "" {
				_ = c.ask(env, func(ctx context.Context, d *Daemon) error {
					return d.Rollback(ctx, web.RollbackRequest{Environment: env, By: access.Stated("bob"), Reason: "it is stuck"})
				})
				c.until(2*time.Minute, c.converged)
			}
			_ = c.resume(env) // there may be none
			// What was in force and went again comes back when a person asks for it.
			_ = c.ask(env, func(ctx context.Context, d *Daemon) error { return d.Promote(ctx, env, access.Stated("bob")) })
			_ = c.ask(env, func(ctx context.Context, d *Daemon) error {
				return d.Rollout(ctx, web.RolloutRequest{Environment: env, Act: web.RolloutRetry, By: access.Stated("bob")})
			}) // it may not be needed
		}
	}
	c.watch.fail(13, "%v", c.open())
	for _, env := range c.names {
		c.explain(env)
	}
}

// explain logs what an environment waits for.
func (c *chaos) explain(env string) {
	st := c.watch.environment(env)
	ro := st.Rollout
	c.log("%s rollout %q %s weight %d paused %q reason %q failed %v stable %.18s functions %+v next %v", env, ro.Phase, short(ro.Release.Digest), ro.Weight, ro.Paused, ro.Reason, ro.Failed, ro.Stable.Digest, ro.Functions, ro.Next != nil)
	for _, id := range slices.Sorted(maps.Keys(st.Holds)) {
		c.log("%s hold: %+v", env, st.Holds[id])
	}
	for _, id := range slices.Sorted(maps.Keys(st.Drift)) {
		i := st.Drift[id]
		c.log("%s drift %s %s %s: %s seen %d (%s) declared %.80s live %.80s decision %s", env, i.Ref, i.Path, i.Kind, i.Response, i.Seen, i.Reason, i.Declared, i.Live, i.Decision)
	}
	for ref, o := range st.Parked {
		c.log("%s parked: %s: %+v", env, ref, o)
	}
	for k, q := range st.Quarantine {
		c.log("%s quarantine %+v %s", env, k, q.Reason)
	}
	e := c.d.environment(env)
	if e == nil {
		c.log("%s is not known", env)
		return
	}
	c.log("%s judged %+v; pass: %v", env, st.Judged, e.published.Load().status.LastError)
	p := &pass{e: e, w: c.d.world.Load(), st: e.state(), now: c.now()}
	p.spec, _ = p.w.pipeline.Environment(env)
	if p.readHead(context.Background()) == nil && p.loadReleases(context.Background()) == nil {
		if in, err := p.input(p.target, p.st.Rollout); err == nil {
			pl := plan.Make(in)
			c.log("%s surveys %d steps %d waits %+v signal %+v stale %v", env, in.Surveys, len(pl.Steps), pl.Waits, pl.Signal, pl.Stale)
		}
	}
}
