package reconciler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

const (
	// heardLimit bounds the changes remembered per resource, and resourcesHeard
	// the resources; words beyond are forgotten: the trail tells as well.
	heardLimit, resourcesHeard = 32, 10_000
	// unreadLimit bounds the words that wait for the next pass.
	unreadLimit = 10_000
)

// ears hear of changes from the platform, beside the passes. Polling alone
// suffices: what is heard only makes a look earlier, and names who did it.
type ears struct {
	at   providers.Provider // listened to
	stop context.CancelFunc
	gone chan struct{} // closed when the listener ended

	mu     sync.Mutex
	unread []providers.Hint
}

// listen follows the environment's provider, where it tells of changes.
func (e *environment) listen(ctx context.Context) {
	if e.provider == e.ears.at {
		return
	}
	e.deafen()
	hinter, ok := e.provider.(providers.Hinter)
	e.ears.at = e.provider
	if !ok {
		return
	}
	ctx, e.ears.stop = context.WithCancel(ctx)
	e.ears.gone = make(chan struct{})
	go e.hear(ctx, hinter, e.ears.gone)
}

// deafen ends the listener and waits for it.
func (e *environment) deafen() {
	if e.ears.stop != nil {
		e.ears.stop()
		<-e.ears.gone
	}
	e.ears.at, e.ears.stop, e.ears.gone = nil, nil, nil
}

// hear takes word of changes until ctx ends. A platform that cannot be heard
// is asked again after a while; nothing else waits for it.
func (e *environment) hear(ctx context.Context, hinter providers.Hinter, gone chan struct{}) {
	defer close(gone)
	failures := 0
	for ctx.Err() == nil {
		var hints []providers.Hint
		err := e.caught(func() (err error) { hints, err = hinter.Hints(ctx); return err })
		switch {
		case errors.Is(err, errors.ErrUnsupported), ctx.Err() != nil:
			return
		case err != nil:
			failures++
			if failures == 1 {
				e.log.Warn("word of changes cannot be heard: what differs is found by looking alone", zap.Error(err))
			}
			sleep(ctx, doubled(e.d.opts.Pace.Retry, failures, e.d.opts.Pace.RetryMax))
			continue
		case failures > 0:
			e.log.Info("word of changes is heard again")
		}
		failures = 0
		if len(hints) > 0 {
			e.hint(hints)
		}
	}
}

// hint hands words of changes to the next pass.
func (e *environment) hint(hints []providers.Hint) {
	e.ears.mu.Lock()
	e.ears.unread = append(e.ears.unread, hints...)
	if over := len(e.ears.unread) - unreadLimit; over > 0 {
		e.ears.unread = e.ears.unread[over:]
	}
	e.ears.mu.Unlock()
	e.nudge()
}

// heed takes what was heard: what may have changed is looked at in this pass,
// unless we did it ourselves, and who did it is remembered.
func (p *pass) heed() {
	e := p.e
	e.ears.mu.Lock()
	hints := e.ears.unread
	e.ears.unread = nil
	e.ears.mu.Unlock()
	for _, h := range hints {
		if _, own := p.st.OwnRequests[h.Actor.RequestID]; own {
			continue
		}
		for _, ref := range h.Refs {
			e.look.suspect(ref, p.now)
			e.actors.add(ref, h.Actor)
		}
	}
	if len(hints) > 0 {
		e.actors.forget(p.now.Add(-2 * trailLag))
	}
}

// heard finds who made a difference among the changes heard of.
func (p *pass) heard(finder providers.ActorFinder, item record.DriftItem) (providers.Actor, bool) {
	earliest := p.earliest(item)
	for _, ref := range []manifest.Ref{item.Ref, item.Parent} {
		for _, a := range slices.Backward(p.e.actors[ref]) {
			if !a.At.Before(earliest) && p.madeBy(finder, item, a) {
				return a, true
			}
		}
	}
	return providers.Actor{}, false
}

// heardActors are the changes heard of, by resource, oldest first.
type heardActors map[manifest.Ref][]providers.Actor

func (h heardActors) add(ref manifest.Ref, a providers.Actor) {
	list, known := h[ref]
	if !a.Known || !known && len(h) >= resourcesHeard || a.RequestID != "" && slices.ContainsFunc(list, func(b providers.Actor) bool { return a == b }) {
		return
	}
	list = append(list, a)
	slices.SortStableFunc(list, func(a, b providers.Actor) int { return a.At.Compare(b.At) })
	h[ref] = list[max(0, len(list)-heardLimit):]
}

// forget drops what happened before a time.
func (h heardActors) forget(before time.Time) {
	maps.DeleteFunc(h, func(_ manifest.Ref, list []providers.Actor) bool { return list[len(list)-1].At.Before(before) })
}
