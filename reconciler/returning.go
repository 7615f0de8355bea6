package reconciler

import (
	"context"
	"fmt"
	"slices"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// returns: somebody asked for traffic to go back, and it was not done yet.
func returns(r journal.Request) bool {
	return !r.Done && (r.Kind == requestRollback || r.Kind == requestAbort)
}

// rollback begins what a person asked for, and says why if it cannot. What
// moves goes back to where it came from; to another release it goes by one
// routing step as well, from wherever its traffic is.
func (p *pass) rollback(ctx context.Context, r journal.Request, sig *rollout.Signal) string {
	ro := p.st.Rollout
	if ro.Phase != rollout.Idle && ro.Stable.Digest == "" {
		return "a first deployment has nothing to return to"
	}
	to := ro.Stable
	if ro.Phase == rollout.Idle || r.To != "" {
		var err error
		if to, err = p.returnTarget(r.To, r.At); err != nil {
			return err.Error()
		}
	}
	if ro.Phase != rollout.Idle && to.Digest == ro.Stable.Digest {
		sig.Rollback = fmt.Sprintf("%s: %s", r.By, r.Reason)
		return ""
	}
	if err := p.beginReturn(ctx, r, to); err != nil {
		return err.Error()
	}
	return ""
}

// beginReturn turns an environment back to an earlier release: traffic first,
// by one routing step a function, then everything else.
func (p *pass) beginReturn(ctx context.Context, r journal.Request, to record.Release) error {
	rel, err := p.e.reopen(ctx, p.w, to)
	if err != nil {
		return err
	}
	specs, err := p.e.canonical(rel, p.e.bindings())
	if err != nil {
		return fmt.Errorf("canonical form: %w", err)
	}
	var functions []rollout.Function
	for _, res := range rel.Resources {
		back, now := p.backTo(rel, res, specs[res.Ref].Snapshot)
		if p.cleanedUp(res.Ref, back, now) {
			return fmt.Errorf("no version of %s carries release %s any more: those in use and the newest %d are kept; commit it again, and it comes in as any other",
				res.Ref, short(to.Digest), keepVersions)
		}
		if back != "" && now != "" {
			functions = append(functions, rollout.Function{Ref: res.Ref, Alias: rel.Functions[res.Ref].Alias, Stable: back, New: now})
		}
	}
	state := rollout.State{
		Release: p.st.Rollout.Release, Phase: rollout.Back, Cause: string(plan.Rollback), Stable: to, Functions: functions,
		Tick: p.now, Reason: fmt.Sprintf("%s: %s", r.By, r.Reason), Returned: rollout.ByRollback,
	}
	return p.remember(ctx, journal.Record{Rollout: &state})
}

// goesBack is true when a return to a release was asked for already, by the
// same person: it waits for its pass, is under way, or is held in force.
func (p *pass) goesBack(to, by string) bool {
	for _, r := range p.st.Requests {
		if r.Kind == requestRollback && !r.Done && r.To == to && r.By == by {
			return true
		}
	}
	ro := p.st.Rollout
	held := slices.ContainsFunc(p.holds(), func(h record.Hold) bool { return h.Kind == "rollback" && h.Owner == by })
	if !held || ro.Returned != rollout.ByRollback {
		return false
	}
	return ro.Phase == rollout.Back && (to == "" || begins(ro.Stable, to)) || ro.Phase == rollout.Idle && to != "" && begins(ro.Release, to)
}

// servingBeside is the version of a function that traffic, or a share of it, is
// on and that is not this one; "" for none.
func (p *pass) servingBeside(ref manifest.Ref, version string) string {
	serving := []string{p.st.Applied[ref].Version}
	for _, f := range p.st.Rollout.Functions {
		if p.st.Rollout.Phase != rollout.Idle && f.Ref == ref && f.New != "" {
			serving = []string{f.New, f.Stable}
		}
	}
	serving = slices.DeleteFunc(serving, func(v string) bool { return v == version })
	if len(serving) == 0 {
		return ""
	}
	return serving[0]
}

// versionOf is the published version that carries a snapshot.
func versionOf(fn providers.Live, snapshot string) string {
	best := ""
	for number, v := range fn.Published {
		if v.Snapshot == snapshot && v.Failed == "" && (best == "" || newer(number, best)) {
			best = number
		}
	}
	return best
}

// newer compares version numbers.
func newer(a, b string) bool { return len(a) > len(b) || len(a) == len(b) && a > b }
