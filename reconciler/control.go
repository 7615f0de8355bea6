package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// ownerMooring owns the holds that the daemon makes itself.
const ownerMooring = "mooring"

// approvalFor is how long an approval by lifting a hold is good for.
const approvalFor = 24 * time.Hour

// ErrUnknown: there is no such environment, hold or release.
var ErrUnknown = errors.New("unknown")

// holdID is a hold's name: the same cause makes the same hold.
func holdID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return parts[0] + "-" + hex.EncodeToString(sum[:4])
}

// namesOf are names in words, also where there are none.
func namesOf(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// unknown says which environments there are instead.
func (d *Daemon) unknown(name string) error {
	return fmt.Errorf("environment %q: %w; this pipeline has %s%s", name, ErrUnknown, namesOf(d.names()), manifest.DidYouMean(name, d.names()))
}

// do hands an act to an environment's goroutine and waits for it.
func (d *Daemon) do(ctx context.Context, name string, f func(ctx context.Context, e *environment) error) error {
	return d.hand(ctx, name, act{do: f})
}

// hurry is do for what stops a release or takes it back: a look at everything is
// broken off for it, which of thousands of functions takes half a minute.
func (d *Daemon) hurry(ctx context.Context, name string, f func(ctx context.Context, e *environment) error) error {
	return d.hand(ctx, name, act{do: f, hurries: true})
}

func (d *Daemon) hand(ctx context.Context, name string, a act) error {
	e := d.environment(name)
	if e == nil {
		return d.unknown(name)
	}
	a.done, a.request = make(chan error, 1), web.RequestOf(ctx)
	if a.hurries {
		e.urgent.Add(1)
		do := a.do
		a.do = func(ctx context.Context, e *environment) error { e.urgent.Add(-1); return do(ctx, e) }
	}
	select {
	case e.inbox <- a:
		e.nudge() // a slow check is broken off for it
		if a.hurries {
			signal(e.hurried)
		}
	case <-ctx.Done():
		if a.hurries {
			e.urgent.Add(-1)
		}
		return ctx.Err()
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Hold stops every write but rollback, with owner, reason and end.
func (d *Daemon) Hold(ctx context.Context, r web.HoldRequest) (record.Hold, error) {
	h := record.Hold{ID: d.opts.NewID("hold"), Owner: r.By.Name, Kind: "manual", Reason: r.Reason, Since: d.opts.Now(), Until: d.opts.Now().Add(r.For)}
	if r.Suspend {
		h.Kind = "suspend"
	}
	if err := r.By.Check(access.Operate, r.Environment); err != nil {
		return h, err
	}
	if r.Reason == "" || r.For <= 0 {
		what := "hold %s: a hold"
		if r.Suspend {
			what = "suspend %s: a suspension"
		}
		return h, fmt.Errorf(what+" needs a reason and an end (--reason, --until)", r.Environment)
	}
	if r.Resource != "" {
		ref, err := manifest.ParseRef(r.Resource)
		if err != nil {
			return h, fmt.Errorf("hold %s: %w", r.Environment, err)
		}
		h.Scope.Ref = ref
	}
	h.Scope.Item = r.Item
	return h, d.hurry(ctx, r.Environment, func(ctx context.Context, e *environment) error {
		if err := e.there(h.Scope); err != nil {
			return fmt.Errorf("hold %s: %w", r.Environment, err)
		}
		return e.remember(ctx, journal.Record{Hold: &h})
	})
}

// there: what a hold is about exists; a hold on a misspelt name would guard
// nothing.
func (e *environment) there(scope record.HoldScope) error {
	st := e.state()
	if scope.Item != "" {
		if _, ok := st.Drift[scope.Item]; !ok {
			return fmt.Errorf("%q: %w here: neither a resource (Function/checkout; `mooring render` lists them) nor a difference (`mooring drift` lists them)", scope.Item, ErrUnknown)
		}
	}
	if scope.Ref == (manifest.Ref{}) {
		return nil
	}
	_, applied := st.Applied[scope.Ref]
	if _, looked := e.look.inventory.Live[scope.Ref]; !applied && !looked {
		return fmt.Errorf("%s: %w here; `mooring render` lists the resources", scope.Ref, ErrUnknown)
	}
	return nil
}

// Resume lifts a hold by id, or every hold that a person may lift with "".
// What the hold guarded counts as approved by whoever lifts it.
func (d *Daemon) Resume(ctx context.Context, r web.ResumeRequest) error {
	name, id, by := r.Environment, r.Hold, r.By.Name
	if err := r.By.Check(access.Operate, name); err != nil {
		return err
	}
	return d.do(ctx, name, func(ctx context.Context, e *environment) error {
		st := e.state()
		var recs []journal.Record
		for _, h := range sorted(st.Holds) {
			if id != "" && h.ID != id {
				continue
			}
			recs = append(recs, journal.Record{Lift: &journal.Lift{ID: h.ID, By: by, Why: "resumed"}})
			recs = append(recs, e.consequences(st, h, by)...)
		}
		if len(recs) == 0 && id == "" {
			return fmt.Errorf("nothing is held in %s", name)
		}
		if len(recs) == 0 {
			return fmt.Errorf("hold %q in %s: %w; `mooring status` lists the holds (%s)", id, name, ErrUnknown, holdNames(st))
		}
		if err := e.remember(ctx, recs...); err != nil {
			return err
		}
		for _, r := range recs {
			if r.Lift != nil {
				if err := e.alert(ctx, d.world.Load(), event{kind: "hold", key: r.Lift.ID}, "resolved"); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func holdNames(st *journal.Environment) string {
	var names []string
	for _, h := range sorted(st.Holds) {
		names = append(names, h.ID)
	}
	if len(names) == 0 {
		return "there is none"
	}
	return strings.Join(names, ", ")
}

// consequences of lifting a hold: what it kept from happening may happen now.
func (e *environment) consequences(st *journal.Environment, h record.Hold, by string) []journal.Record {
	now := e.d.opts.Now()
	switch h.Kind {
	case "forced_update", "recovered":
		return []journal.Record{{Request: &journal.Request{ID: e.d.opts.NewID("req"), Kind: requestAccept, By: by, To: h.About, At: now}}}
	case "deletion_guard", "adoption":
		key := keyOf(st, h.About)
		return []journal.Record{{Approval: &record.Approval{Key: key, By: by, Findings: []string{h.Kind}, Guard: true, At: now, Until: now.Add(approvalFor)}}}
	case "mitigation":
		if item, ok := st.Drift[h.About]; ok {
			item.Response, item.Reason, item.Decision = record.Revert, "resumed by "+by, decidedByPerson
			return []journal.Record{{Drift: &item}}
		}
	}
	return nil
}

// keyOf is the key of a release by its digest; of the one that moves or is in
// force, where no other is meant.
func keyOf(st *journal.Environment, digest string) record.Key {
	for _, known := range st.Known {
		if known.Release.Digest == digest {
			return known.Release.Key()
		}
	}
	return st.Rollout.Release.Key()
}

// Rollback returns an environment to an earlier release, traffic first, and
// holds it there.
func (d *Daemon) Rollback(ctx context.Context, r web.RollbackRequest) error {
	name, to, by, reason := r.Environment, r.To, r.By.Name, r.Reason
	if err := r.By.Check(access.Operate, name); err != nil {
		return err
	}
	if reason == "" {
		return fmt.Errorf("roll back %s: a rollback needs a reason (--reason)", name)
	}
	return d.hurry(ctx, name, func(ctx context.Context, e *environment) error {
		now := d.opts.Now()
		st := e.state()
		p := &pass{e: e, st: st, now: now}
		if p.goesBack(to, by) {
			return nil // the answer to the first asking may have been lost
		}
		if st.Rollout.Phase != rollout.Idle && st.Rollout.Stable.Digest == "" {
			return fmt.Errorf("roll back %s: its first deployment is under way, there is nothing to return to", name)
		}
		if _, err := p.returnTarget(to, now); err != nil && (st.Rollout.Phase == "" || to != "") {
			return fmt.Errorf("roll back: %w", err)
		}
		return e.remember(ctx,
			journal.Record{Request: &journal.Request{ID: d.opts.NewID("req"), Kind: requestRollback, By: by, Reason: reason, To: to, At: now}},
			journal.Record{Hold: &record.Hold{ID: d.opts.NewID("hold"), Owner: by, Kind: "rollback", Reason: "rolled back: " + reason, Since: now, Until: now.Add(mitigationHold)}})
	})
}

// Promote asks for content to move into an environment.
func (d *Daemon) Promote(ctx context.Context, environment string, by access.Person) error {
	if err := by.Check(access.Operate, environment); err != nil {
		return err
	}
	if w := d.world.Load(); w != nil && w.pipeline != nil {
		if spec, ok := w.pipeline.Environment(environment); ok && len(spec.After) == 0 {
			return fmt.Errorf("promote %s: it comes after no environment, so that nothing is moved into it; commit to its branch %s", environment, spec.Branch)
		}
	}
	return d.request(ctx, environment, journal.Request{Kind: requestPromote, By: by.Name})
}

// Sync lets a manually synced environment take its admitted release.
func (d *Daemon) Sync(ctx context.Context, name string, by access.Person) error {
	if err := by.Check(access.Operate, name); err != nil {
		return err
	}
	return d.do(ctx, name, func(ctx context.Context, e *environment) error {
		if st := e.state(); st.Admitted == nil || st.Admitted.Release.Digest == st.Rollout.Release.Digest {
			return fmt.Errorf("sync %s: no admitted release waits", name)
		}
		return e.remember(ctx, journal.Record{Request: &journal.Request{ID: d.opts.NewID("req"), Kind: requestSync, By: by.Name, At: d.opts.Now()}})
	})
}

func (d *Daemon) request(ctx context.Context, name string, r journal.Request) error {
	return d.do(ctx, name, func(ctx context.Context, e *environment) error {
		r.ID, r.At = d.opts.NewID("req"), d.opts.Now()
		return e.remember(ctx, journal.Record{Request: &r})
	})
}

// names of the environments at work, in the pipeline's order.
func (d *Daemon) names() []string {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return nil
	}
	var out []string
	for _, e := range w.pipeline.Environments {
		if len(d.opts.Environments) == 0 || slices.Contains(d.opts.Environments, e.Name) {
			out = append(out, e.Name)
		}
	}
	return out
}
