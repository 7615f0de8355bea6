package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/web"
)

// orphanedFault is the kind of alert about an environment that the pipeline no
// longer has.
const orphanedFault = "orphaned"

// orphaned is all that is done for an environment that the pipeline no longer
// has: it is told, and nothing of it is deleted unless a person wished for it.
// What fired of it ends, and its figures go, as nobody looks whether they are
// true still.
func (e *environment) orphaned(ctx context.Context, w *world) (Report, error) {
	e.d.opts.Metrics.Gone(e.name)
	r := Report{Environment: e.name, Outcome: "orphaned", Next: e.d.opts.Now().Add(e.d.opts.Pace.RetryMax)}
	status, left := "resolved", e.left()
	if left {
		status = "firing"
	}
	err := e.alert(ctx, w, event{
		kind: orphanedFault, severity: "high", title: fmt.Sprintf("environment %s is no longer in mooring.yaml", e.name), text: e.orphanedText(),
	}, status)
	if err = errors.Join(err, e.letGo(ctx, w)); err != nil {
		r.Outcome = "error"
	}
	wish, wished := destroying(e.state())
	if !wished || err != nil || e.d.opts.ReadOnly {
		e.bury(plan.Destruction{}, "", err)
		return r, err
	}
	return e.destroy(ctx, w, wish)
}

// left: something of an environment that the pipeline no longer has is there.
func (e *environment) left() bool { return e.wished() || len(e.state().Applied) > 0 }

// wished: somebody wished what is left of the environment to be removed, and it
// is not yet.
func (e *environment) wished() bool {
	_, open := destroying(e.state())
	return open
}

func (e *environment) orphanedText() string {
	return fmt.Sprintf("What it runs is left as it is, and nobody looks after it. Put it back into mooring.yaml, or have it removed: `mooring destroy --environment %s` shows what would go, and asks.", e.name)
}

// bury makes visible how an environment stands that the pipeline no longer has.
func (e *environment) bury(left plan.Destruction, stuck string, err error) {
	st := e.state()
	s := web.EnvironmentStatus{
		Name: e.name, Orphaned: true, Commit: st.Rollout.Release.Commit, Content: st.Rollout.Release.Content, Release: st.Rollout.Release.Digest,
		After: []string{}, Rollout: rolloutStatus(st.Rollout), Drift: map[string]int{}, Resources: map[string]int{}, Holds: []web.HoldStatus{}, Checks: []web.CheckStatus{},
		State: "held", Reason: "it is no longer in mooring.yaml. " + e.orphanedText(), OldestSeconds: -1,
	}
	if st.Place != nil {
		s.Branch = st.Place.Environment.Branch
	}
	now := e.d.opts.Now()
	for _, h := range sorted(st.Holds) {
		if h.Active(now) {
			s.Holds = append(s.Holds, holdStatus(h))
		}
	}
	if wish, open := destroying(st); open {
		s.State, s.Reason = "progressing", fmt.Sprintf("it is being destroyed, as %s wished (%s); left: %d", wish.By, wish.Reason, len(left.Going)+len(left.Unseen))
		if stuck != "" {
			s.State, s.Reason = "held", s.Reason+"; "+stuck
		}
	}
	if err != nil {
		s.State, s.LastError = "degraded", err.Error()
	}
	name, pub := e.name, &published{status: s, drift: web.Drift{Environment: e.name, Items: []web.DriftItem{}, Coverage: web.Coverage{Unobservable: []web.Unobservable{}, Layers: map[string]int64{}}},
		history: slices.Clone(st.History), rollouts: slices.Clone(st.Rollouts), promotions: slices.Clone(st.Promotions)}
	pub.events = sync.OnceValue(func() []web.Event { return pub.eventsOf(name) })
	e.published.Store(pub)
	e.d.beat.again()
}

// letGo ends what fires of an environment that nobody looks after, and reminds
// of the rest.
func (e *environment) letGo(ctx context.Context, w *world) error {
	var errs []error
	for _, a := range e.d.ledger.firing(e.name + "/") {
		kind, key, _ := strings.Cut(strings.TrimPrefix(a.Fingerprint, e.name+"/"), "/")
		if kind != orphanedFault && kind != destroyFault {
			errs = append(errs, e.alert(ctx, w, event{kind: kind, key: key, text: "It is no longer looked after: the environment is not in mooring.yaml any more."}, "resolved"))
		}
	}
	_, err := e.remind(ctx, w)
	return errors.Join(append(errs, err)...)
}

// orphans tells about environments that were taken out of the pipeline while no
// daemon ran, and has those looked after of which anything is known. One that
// runs has its own passes tell.
func (d *Daemon) orphans(ctx context.Context, w *world) error {
	var errs []error
	for _, name := range d.strays(w) {
		if d.environment(name) != nil {
			continue
		}
		e := newEnvironment(d, name)
		if !e.left() { // nothing of it lives
			errs = append(errs, e.letGo(ctx, w))
		}
		if st := e.state(); st.Place == nil && !e.left() || !d.minds(name) {
			continue
		}
		d.mu.Lock()
		d.environments[name] = e
		d.mu.Unlock()
		if e.left() {
			_, err := e.orphaned(ctx, w)
			errs = append(errs, err)
		}
	}
	return d.fatal(errors.Join(errs...))
}

// minds: the environment is one of those this daemon is for.
func (d *Daemon) minds(name string) bool {
	return len(d.opts.Environments) == 0 || slices.Contains(d.opts.Environments, name)
}

// strays are the environments that anything is remembered of and that the
// pipeline does not have, sorted.
func (d *Daemon) strays(w *world) []string {
	return slices.DeleteFunc(d.ledger.environments(), func(name string) bool {
		_, declared := w.pipeline.Environment(name)
		return declared || name == ""
	})
}

// known are the environments at work, and those the pipeline had before.
func (d *Daemon) known() []string {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return nil
	}
	return append(d.names(), d.strays(w)...)
}

// orphanStatus is how those stand of which something is left.
func (d *Daemon) orphanStatus(w *world) []web.EnvironmentStatus {
	var out []web.EnvironmentStatus
	for _, name := range d.strays(w) {
		if e := d.environment(name); e != nil && e.left() {
			if pub := e.published.Load(); pub != nil && pub.status.Orphaned {
				out = append(out, pub.status)
			}
		}
	}
	return out
}

// environments are those that anything is remembered of, sorted.
func (l *ledger) environments() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.state.Environments))
}
