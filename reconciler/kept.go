package reconciler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers/crew"
)

// daemonFault is the kind of alert about a defect met beside the environments'
// passes, and calm how long a part of the daemon goes on without one until it
// ends: MooringDefect of the chart's rules looks back as far.
const daemonFault, calm = "daemon_error", time.Hour

// defects are when each part of the daemon met one last.
type defects struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (d *defects) met(part string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last = map[string]time.Time{}
	}
	d.last[part] = at
}

// Keep does a part of the daemon until that ends by itself. A panic ends neither
// the daemon nor, for good, the part: it is counted, logged with where it was,
// told to people once, and the part begins anew, after a longer wait each time.
func (d *Daemon) Keep(ctx context.Context, part string, do func(ctx context.Context) error) error {
	return d.keep(ctx, d.mouth(), part, do)
}

// keep is Keep for a goroutine that e is counted for.
func (d *Daemon) keep(ctx context.Context, e *environment, part string, do func(ctx context.Context) error) error {
	for failures := 1; ; failures++ {
		begun, panicked := d.opts.Now(), true
		err := e.caught(func() error {
			err := do(ctx)
			panicked = false
			return err
		})
		if !panicked {
			return err
		}
		if err := d.confess(ctx, part); err != nil {
			return err
		}
		if d.opts.Now().Sub(begun) > d.opts.Pace.RetryMax {
			failures = 1
		}
		if !sleep(ctx, doubled(d.opts.Pace.Retry, failures, d.opts.Pace.RetryMax)) {
			return nil
		}
	}
}

// Defect tells of a panic that somebody else caught in a part of the daemon,
// who goes on.
func (d *Daemon) Defect(ctx context.Context, part string, v any, stack []byte) {
	d.mouth().met(crew.Struck{Value: v, Stack: stack})
	// What ends the daemon ends it where records of environments are written.
	_ = d.confess(context.WithoutCancel(ctx), part)
}

// confess tells people of a defect in a part of the daemon, once while it lasts.
// It returns what the daemon must not go on after.
func (d *Daemon) confess(ctx context.Context, part string) error {
	d.defects.met(part, d.opts.Now())
	return d.speak(func(m *environment, w *world) error {
		return m.alert(ctx, w, event{
			kind: daemonFault, key: part, severity: "critical", title: "a defect of Mooring's own was met in its " + part,
			text: "The daemon goes on, and this part of it began anew. The daemon's log has where it was, at level error; please report it.\n" +
				"The alert ends once an hour has passed without another.",
		}, "firing")
	})
}

// calmed ends alerts about parts of the daemon that have gone on for long enough.
// What met a defect before a restart counts from that on.
func (d *Daemon) calmed(ctx context.Context) error {
	d.defects.mu.Lock()
	last := maps.Clone(d.defects.last)
	d.defects.mu.Unlock()
	now, prefix := d.opts.Now(), d.mouth().fingerprint(daemonFault, "")
	return d.speak(func(m *environment, w *world) error {
		var errs []error
		for _, a := range d.ledger.firing(prefix) {
			part, since := strings.TrimPrefix(a.Fingerprint, prefix), d.born
			if at, met := last[part]; met {
				since = at
			}
			if now.Sub(since) >= calm {
				errs = append(errs, m.alert(ctx, w, event{kind: daemonFault, key: part}, "resolved"))
			}
		}
		return errors.Join(errs...)
	})
}

// speak says something for the daemon as a whole, where it is known whom to tell.
// That this panics too is logged and counted.
func (d *Daemon) speak(say func(m *environment, w *world) error) error {
	m, w := d.mouth(), d.world.Load()
	if w == nil || w.pipeline == nil {
		return nil
	}
	err := m.caught(func() error { return say(m, w) })
	if err != nil {
		d.opts.Log.Error("alert about a defect", zap.Error(err))
	}
	return d.fatal(err)
}

// unserved takes the environments that nobody is at work for yet.
func (d *Daemon) unserved() []*environment {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*environment
	for _, name := range slices.Sorted(maps.Keys(d.environments)) {
		if e := d.environments[name]; !e.served {
			e.served = true
			out = append(out, e)
		}
	}
	return out
}
