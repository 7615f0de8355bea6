package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// orphanedFault is the kind of alert about an environment that the pipeline no
// longer has.
const orphanedFault = "orphaned"

// orphaned is all that is done for an environment that the pipeline no longer
// has: it is told, and nothing of it is deleted. What fired of it ends, and its
// figures go, as nobody looks whether they are true still.
func (e *environment) orphaned(ctx context.Context, w *world) (Report, error) {
	e.d.opts.Metrics.Gone(e.name)
	r := Report{Environment: e.name, Outcome: "orphaned", Next: e.d.opts.Now().Add(e.d.opts.Pace.RetryMax)}
	err := e.alert(ctx, w, event{
		kind: orphanedFault, severity: "high", title: fmt.Sprintf("environment %s is no longer in mooring.yaml", e.name),
		text: "What it runs is left as it is, and nobody looks after it. Put it back, or remove its resources by hand.",
	}, "firing")
	if err = errors.Join(err, e.letGo(ctx, w)); err != nil {
		r.Outcome = "error"
	}
	return r, err
}

// letGo ends what fires of an environment that nobody looks after, and reminds
// of the rest.
func (e *environment) letGo(ctx context.Context, w *world) error {
	var errs []error
	for _, a := range e.d.ledger.firing(e.name + "/") {
		kind, key, _ := strings.Cut(strings.TrimPrefix(a.Fingerprint, e.name+"/"), "/")
		if kind != orphanedFault {
			errs = append(errs, e.alert(ctx, w, event{kind: kind, key: key, text: "It is no longer looked after: the environment is not in mooring.yaml any more."}, "resolved"))
		}
	}
	_, err := e.remind(ctx, w)
	return errors.Join(append(errs, err)...)
}

// orphans tells about environments that were taken out of the pipeline while no
// daemon ran. One that runs has its own passes tell.
func (d *Daemon) orphans(ctx context.Context, w *world) error {
	var errs []error
	for _, name := range d.ledger.environments() {
		if _, declared := w.pipeline.Environment(name); declared || name == "" || d.environment(name) != nil {
			continue
		}
		e := newEnvironment(d, name)
		if len(e.state().Applied) == 0 { // nothing of it lives
			errs = append(errs, e.letGo(ctx, w))
			continue
		}
		_, err := e.orphaned(ctx, w)
		errs = append(errs, err)
	}
	return d.fatal(errors.Join(errs...))
}

// environments are those that anything is remembered of, sorted.
func (l *ledger) environments() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.state.Environments))
}
