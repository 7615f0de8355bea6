package reconciler

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// actorReader is an evaluator that knows whether drift policy looks at who
// did it; only then does a revert wait for the name.
type actorReader interface{ ReadsActor() bool }

const (
	// trailTimeout bounds one look into the audit trail.
	trailTimeout = 3 * time.Second
	// trailLooks bounds the looks of one pass: AWS answers two a second for
	// the whole account, and reverts must not wait behind them. A preview has
	// no reverts, and no second pass.
	trailLooks, previewLooks = 4, 20
	// trailLag is how long the trail is asked about one difference: CloudTrail
	// delivers an event within minutes, at the latest a quarter of an hour
	// after it.
	trailLag = 20 * time.Minute
)

// trail is what is known of the platform's audit trail: when it may be asked
// again, as a whole after it failed, and about one difference whose event was
// not there yet.
type trail struct {
	backoff
	items map[string]backoff // by drift item id
	looks int                // left in this pass
}

// due: the trail may be asked about an item now; else when it may be.
func (t *trail) due(id string, now time.Time) (bool, time.Time) {
	next := t.next
	if of := t.items[id].next; of.After(next) {
		next = of
	}
	return t.looks > 0 && !now.Before(next), next
}

// attribute finds who made a difference: the newest change of the resource in
// the platform's audit trail that is not our own. The trail lags: an event
// that is not there yet is asked for again until trailLag has passed. It says
// whether the item's actor was learned just now.
func (p *pass) attribute(ctx context.Context, item *record.DriftItem) bool {
	finder, ok := p.e.provider.(providers.ActorFinder)
	if !ok || item.Actor.Known || p.now.After(item.Since.Add(trailLag)) {
		return false
	}
	t := &p.e.trail
	if a, heard := p.heard(finder, *item); heard {
		item.Actor = a
		delete(t.items, item.ID)
		return true
	}
	due, next := t.due(item.ID, p.now)
	if !due {
		p.later = append(p.later, later(next, p.now.Add(p.e.d.opts.Pace.Retry)))
		return false
	}
	res, ok := p.suspect(*item)
	if !ok {
		return false
	}
	t.looks--
	ctx, cancel := context.WithTimeout(ctx, trailTimeout)
	defer cancel()
	actors, err := finder.Actors(ctx, res, p.earliest(*item))
	pace := p.e.d.opts.Pace
	if err != nil {
		// A trail that does not answer must not slow the reverts down.
		t.next, t.tries = p.now.Add(doubled(pace.Retry, t.tries, pace.RetryMax)), t.tries+1
		p.later = append(p.later, t.next)
		p.e.log.Info("audit trail could not be read: it is asked again", zap.Stringer("resource", res.Ref), zap.Error(err))
		return false
	}
	t.backoff = backoff{}
	for _, a := range actors {
		if p.madeBy(finder, *item, a) {
			item.Actor = a
			delete(t.items, item.ID)
			return true
		}
	}
	of := t.items[item.ID]
	of.next, of.tries = p.now.Add(doubled(pace.Retry, of.tries, pace.RetryMax)), of.tries+1
	if t.items == nil {
		t.items = map[string]backoff{}
	}
	t.items[item.ID] = of
	p.later = append(p.later, of.next)
	return false
}

// earliest is when a difference can have been made.
func (p *pass) earliest(item record.DriftItem) time.Time {
	return item.Since.Add(-p.interval() - 15*time.Minute)
}

// madeBy: the event is not our own, and can have made this difference.
func (p *pass) madeBy(finder providers.ActorFinder, item record.DriftItem, a providers.Actor) bool {
	_, own := p.st.OwnRequests[a.RequestID]
	return !own && finder.Explains(a, item.Ref, item.Path)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// nameResolved learns who made the differences that were put back, or went
// away, before the trail told, and completes what people were told.
func (p *pass) nameResolved(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(p.st.Unnamed)) {
		item := p.st.Unnamed[id]
		if !p.attribute(ctx, &item) && !p.now.After(item.Since.Add(trailLag)) {
			continue
		}
		delete(p.e.trail.items, id)
		if err := p.remember(ctx, journal.Record{Named: &journal.Named{ID: id, Actor: item.Actor}}); err != nil {
			return err
		}
		if _, again := p.st.Drift[id]; again {
			continue // the same difference is back, and has its own alert
		}
		if err := p.completeDrift(ctx, item); err != nil {
			return err
		}
	}
	return nil
}

// readsActor: the policies in force judge drift by who made it.
func (p *pass) readsActor() bool {
	reader, ok := p.w.evaluator.(actorReader)
	return ok && reader.ReadsActor()
}

// suspect is the resource whose audit trail tells about an item. An extra is
// filed under its parent's name, by its own kind.
func (p *pass) suspect(item record.DriftItem) (manifest.Resource, bool) {
	if item.Parent == (manifest.Ref{}) {
		return find(item.Ref, p.target, p.moving, p.stable)
	}
	parent, ok := find(item.Parent, p.target, p.moving, p.stable)
	return manifest.Resource{Ref: item.Ref, Parent: item.Parent, Physical: parent.Physical}, ok
}

// waitsForActor: policy reads who did it, nobody knows yet, and there is time.
func (p *pass) waitsForActor(item record.DriftItem) bool {
	if item.Actor.Known || !p.readsActor() {
		return false
	}
	if _, ok := p.e.provider.(providers.ActorFinder); !ok {
		return false
	}
	wait := time.Duration(p.spec.Drift.ActorWait)
	if wait == 0 {
		wait = p.e.d.opts.Pace.ActorWait
	}
	return p.now.Before(item.Since.Add(wait))
}
