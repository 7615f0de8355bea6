package reconciler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// herald speaks with the host that people review on. It has a goroutine of its
// own: however slow the host is, and whatever it answers, no pass waits for it.
// All it remembers is cache; after a restart things are said once more.
type herald struct {
	d    *Daemon
	host sources.Host
	// opened is what host was made of.
	opened string

	told     map[string]sources.CommitStatus // by context
	full     map[string]bool                 // by commit and context: no status is taken any more
	comments map[string]string               // what was written last, by pull request and environment
	plans    map[string]planned              // by pull request and environment
	versions map[string][]version            // of comments, by pull request and environment
	drafts   map[string]sources.Draft        // of pull requests as they were made, by environment
	asked    time.Time                       // when pull requests were last listed
	failures int
	since    time.Time // of the first of them that is a fault
	until    time.Time // the host is left alone
}

// hostEvery is how often pull requests and reviews are asked for where no
// webhook tells of them, and hostLimit how long one round may take.
const hostEvery, hostLimit = time.Minute, 2 * time.Minute

// hostFault is the kind of alert about a host, and hostPatience how long it
// fails before people are told: a restart of it wakes nobody.
const hostFault, hostPatience = "host_error", 5 * time.Minute

func newHerald(d *Daemon) *herald {
	return &herald{d: d, told: map[string]sources.CommitStatus{}, full: map[string]bool{}, comments: map[string]string{}, plans: map[string]planned{},
		versions: map[string][]version{}, drafts: map[string]sources.Draft{}}
}

// herald tells the host until ctx ends.
func (d *Daemon) herald(ctx context.Context) error {
	if d.opts.Host == nil || d.opts.ReadOnly {
		return nil
	}
	h := newHerald(d)
	timer := time.NewTimer(hostEvery)
	defer timer.Stop()
	for {
		reviewed := false
		select {
		case <-ctx.Done():
			return nil
		case <-d.hostWake:
		case <-d.reviewWake:
			reviewed = true
		case <-timer.C:
		}
		wait := h.round(ctx, reviewed)
		timer.Reset(wait)
	}
}

// round says what there is to say and hears what there is to hear; it returns
// when the next is due. A host that fails is asked less and less often.
func (h *herald) round(ctx context.Context, reviewed bool) time.Duration {
	now := h.d.opts.Now()
	if reviewed {
		h.asked = time.Time{}
	}
	if wait := h.until.Sub(now); wait > 0 {
		return wait
	}
	w := h.d.world.Load()
	if w == nil || w.pipeline == nil {
		return hostEvery
	}
	err := h.open(w)
	if err == nil && h.host != nil {
		limited, cancel := context.WithTimeout(ctx, hostLimit)
		err = h.speak(limited, w)
		cancel()
	}
	if err == nil || ctx.Err() != nil {
		return h.well(ctx, w)
	}
	if h.failures++; h.failures == 1 || leftAlone(err) { // who asks for patience is not broken
		h.since = now
	}
	h.until = now.Add(doubled(h.d.opts.Pace.Retry, h.failures, h.d.opts.Pace.RetryMax))
	var limited *sources.LimitedError
	if errors.As(err, &limited) && limited.Until.After(h.until) {
		h.until = limited.Until
	}
	why := err.Error()
	h.d.unhosted.Store(&why)
	h.d.opts.Log.Warn("host", zap.Error(err), zap.Int("failures", h.failures), zap.Time("until", h.until))
	h.complain(ctx, w, err)
	return h.until.Sub(now)
}

// well: the host did what it was asked for.
func (h *herald) well(ctx context.Context, w *world) time.Duration {
	h.failures = 0
	h.d.unhosted.Store(nil)
	if ctx.Err() == nil {
		h.alert(ctx, w, event{kind: hostFault}, "resolved")
	}
	return hostEvery
}

// complain tells people of a host that stays broken.
func (h *herald) complain(ctx context.Context, w *world, err error) {
	if h.d.opts.Now().Sub(h.since) < hostPatience {
		return
	}
	h.alert(ctx, w, event{
		kind: hostFault, severity: "medium", title: "the host that people review on does not do what it is asked for",
		text: err.Error() + "\nReleases, rollouts and drift go on; statuses, comments, reviews and pull requests wait. `mooring doctor` asks what the token may do.",
	}, "firing")
}

// alert puts an alert about the host into the outbox; where the journal takes
// none, the passes end by that.
func (h *herald) alert(ctx context.Context, w *world, ev event, status string) {
	if err := h.d.mouth().alert(ctx, w, ev, status); err != nil {
		h.d.opts.Log.Error("alert about the host", zap.Error(err))
	}
}

// open makes sure the host is the one that the pipeline names now.
func (h *herald) open(w *world) error {
	var named manifest.Host
	if w.pipeline.Host != nil {
		named = *w.pipeline.Host
		named.Identities = nil
	}
	of, err := json.Marshal(named) // names of secrets, never secrets
	if err != nil {
		return fmt.Errorf("open the host: %w", err)
	}
	if string(of) == h.opened {
		return nil
	}
	h.host, h.opened = nil, ""
	if named.Repository() == nil {
		return nil
	}
	host, err := h.d.opts.Host(named)
	if err != nil {
		return fmt.Errorf("open the host: %w", err)
	}
	h.host, h.opened = host, string(of)
	clear(h.told)
	clear(h.full)
	clear(h.comments)
	clear(h.versions)
	clear(h.drafts)
	h.asked = time.Time{}
	return nil
}

// speak is one round with a host.
func (h *herald) speak(ctx context.Context, w *world) error {
	err := h.tellStatuses(ctx)
	now := h.d.opts.Now()
	if now.Sub(h.asked) < hostEvery || leftAlone(err) {
		return err
	}
	h.asked = now
	open, failed := h.attendAll(ctx, w)
	if failed != nil {
		h.asked = time.Time{} // this is made again, when the host may be asked
		return errors.Join(err, failed)
	}
	maps.DeleteFunc(h.comments, func(key string, _ string) bool { return !open[key] })
	maps.DeleteFunc(h.versions, func(key string, _ []version) bool { return !open[key] })
	maps.DeleteFunc(h.plans, func(key string, _ planned) bool { return !open[key] })
	return err
}

// attendAll attends to each open pull request into each environment, and says
// which there are.
func (h *herald) attendAll(ctx context.Context, w *world) (map[string]bool, error) {
	open := map[string]bool{}
	listed := map[string][]sources.PullRequest{}
	var errs error
	for _, name := range h.d.names() {
		spec, _ := w.pipeline.Environment(name)
		errs = errors.Join(errs, h.offer(ctx, name))
		requests, ok := listed[spec.Branch]
		if !ok {
			var err error
			if requests, err = h.host.Requests(ctx, spec.Branch); err != nil {
				errs = errors.Join(errs, err)
			}
			listed[spec.Branch] = requests
		}
		forks := 0
		for _, r := range requests {
			open[requestKey(r.Number, name)] = true
			if r.Foreign {
				if forks++; forks > maxForks {
					continue
				}
			}
			errs = errors.Join(errs, h.attend(ctx, w, spec, r))
		}
		if leftAlone(errs) {
			break
		}
	}
	return open, errs
}

// leftAlone: the host wants to be asked no more for now.
func leftAlone(err error) bool {
	var limited *sources.LimitedError
	return errors.As(err, &limited)
}

func requestKey(number int, environment string) string {
	return fmt.Sprintf("%d|%s", number, environment)
}

// wakeHost has what passes came to told soon.
func (d *Daemon) wakeHost() {
	select {
	case d.hostWake <- struct{}{}:
	default:
	}
}

// wakeReviews has pull requests and reviews asked for soon.
func (d *Daemon) wakeReviews() {
	select {
	case d.reviewWake <- struct{}{}:
	default:
	}
}
