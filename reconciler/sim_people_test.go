package reconciler

import (
	"context"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// happen is one thing that people or the world do.
func (c *chaos) happen() {
	env := c.names[c.rng.IntN(len(c.names))]
	what := c.rng.IntN(100)
	switch {
	case what < 30:
		c.develop(env)
	case what < 60:
		c.edit(env)
		c.meddle(env)
	case what < 75:
		c.person(env)
	case what < 80:
		c.govern()
	case what < 86:
		c.zombie = c.d
		c.log("%v restart", c.real.Sub(birth))
		c.restart()
	case what < 89:
		d := time.Duration(1+c.rng.IntN(40)) * time.Minute
		c.log("%v down for %v", c.real.Sub(birth), d)
		c.real, c.down = c.real.Add(d), c.down+d
		if c.rng.IntN(2) == 0 {
			c.restart()
		}
		c.jumps++
	case what < 92:
		c.skew += time.Duration(c.rng.IntN(7200)-3600) * time.Second
		c.jumps++
		c.log("%v clock jumps to %v", c.real.Sub(birth), c.skew)
	case what < 94:
		c.deaf = !c.deaf
	case what < 96:
		c.denied = manifest.Ref{}
		if c.rng.IntN(2) == 0 {
			c.denied = []manifest.Ref{{Kind: "Function", Name: "checkout"}, {Kind: "Queue", Name: "orders"}, {Kind: "Alias", Name: "checkout.live"}}[c.rng.IntN(3)]
		}
	case what < 98:
		c.repo.collect()
	default:
		for _, fn := range []string{"checkout", "mailer"} {
			c.platform.SetTraffic(env+"-"+fn, memory.Traffic{PerSecond: 100, Unknown: c.rng.IntN(2) == 0})
		}
	}
}

// develop changes an environment's branch.
func (c *chaos) develop(env string) {
	k := c.content[env]
	branch := branchOf(env)
	what := c.rng.IntN(16)
	switch what {
	case 0, 1, 2:
		c.next++
		k.checkout = code(c.next)
	case 3, 4:
		c.next++
		k.checkout = badCode(c.next)
		c.platform.SetErrors(k.checkout, 0.5)
	case 5:
		c.next++
		k.mailer = code(c.next)
	case 6:
		k.memory += 64
	case 7:
		k.level = []string{"info", "debug", "warn"}[c.rng.IntN(3)]
	case 8:
		k.trigger = !k.trigger
	case 9:
		k.withMailer = !k.withMailer
	case 10:
		k.audit = !k.audit
	case 11:
		k.invalid = !k.invalid
	case 12:
		k.empty = !k.empty
	case 13:
		k.limit = []int{0, 20, 50}[c.rng.IntN(3)]
	case 14:
		c.log("%v %s is rewritten", c.real.Sub(birth), branch)
		c.next++
		k.checkout = code(c.next)
		c.repo.rewrite(branch, k.files())
	case 15:
		c.log("%v %s is deleted", c.real.Sub(birth), branch)
		delete(c.repo.branches, branch)
		return
	}
	c.surround(&k)
	c.content[env] = k
	if what != 14 {
		sha := c.repo.commit(branch, k.files())
		c.log("%v %s is at %.12s (%d): %+v", c.real.Sub(birth), branch, sha, what, k)
	}
}

// person asks the daemon for something.
func (c *chaos) person(env string) {
	ref := manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}
	what := c.rng.IntN(8)
	var err error
	switch what {
	case 0:
		err = c.hold(env, web.HoldRequest{Environment: env, Reason: "incident", For: time.Duration(1+c.rng.IntN(20)) * time.Minute, By: access.Stated("bob"), Suspend: c.rng.IntN(3) == 0})
	case 1:
		err = c.hold(env, web.HoldRequest{Environment: env, Resource: ref.String(), Reason: "incident", For: 10 * time.Minute, By: access.Stated("bob")})
	case 2, 3, 4:
		err = c.resume(env)
	case 5:
		err = c.ask(env, func(ctx context.Context, d *Daemon) error {
			return d.Rollback(ctx, web.RollbackRequest{Environment: env, By: access.Stated("carol"), Reason: "it looks wrong"})
		})
	case 6:
		err = c.ask(env, func(ctx context.Context, d *Daemon) error {
			return d.Rollout(ctx, web.RolloutRequest{Environment: env, Act: web.RolloutRetry, By: access.Stated("carol")})
		})
	case 7:
		err = c.ask(env, func(ctx context.Context, d *Daemon) error { return d.Promote(ctx, env, access.Stated("carol")) })
	}
	c.log("%v somebody asks %s: %d: %v", c.real.Sub(birth), env, what, err)
}

// hold is asked for by a person, who relies on it from then on.
func (c *chaos) hold(env string, r web.HoldRequest) error {
	return c.ask(env, func(ctx context.Context, d *Daemon) error {
		h, err := d.Hold(ctx, r)
		if err == nil {
			h.Until = c.now().Add(r.For) // what was asked for
			c.watch.at(env).people[h.ID] = h
		}
		return err
	})
}

func (c *chaos) resume(env string) error {
	return c.ask(env, func(ctx context.Context, d *Daemon) error {
		err := d.Resume(ctx, web.ResumeRequest{Environment: env, By: access.Stated("bob")})
		clear(c.watch.at(env).people)
		return err
	})
}

// govern changes the policies.
func (c *chaos) govern() {
	c.mode = []string{"allow", "allow", "allow", "revert", "deny", "broken", "failing"}[c.rng.IntN(7)]
	c.repo.commit("main", c.control(c.mode))
	c.log("%v policies: %s", c.real.Sub(birth), c.mode)
}
