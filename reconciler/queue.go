package reconciler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// queueFull names the alert about a queue that has no room.
const queueFull = "queue"

// turn keeps this environment's queue: what is here, failed, or is not wanted
// leaves, what is ready joins, and what is first is made ready to be judged.
func (p *pass) turn(ctx context.Context, in *promote.Input, arriving map[string]*manifest.Release) error {
	if p.spec.Take != promote.TakeQueue && len(p.st.Queue) == 0 {
		return nil
	}
	recs := p.leaving(ctx)
	if len(recs) > 0 {
		p.changed = true
		if err := p.remember(ctx, recs...); err != nil {
			return err
		}
	}
	in.Queues = map[string][]record.Queued{p.e.name: p.st.Queue}
	in.Last = map[string]record.Key{p.e.name: p.st.LastQueued.Key}
	joins := promote.Joins(*in)
	if !joins.RecheckAt.IsZero() {
		p.later = append(p.later, joins.RecheckAt)
	}
	for _, q := range joins.Join {
		if q.To != p.e.name {
			continue
		}
		q.N = p.st.LastQueued.N + 1
		p.changed = true
		if err := p.remember(ctx, journal.Record{Queued: &q}); err != nil {
			return err
		}
		p.e.log.Info("waits in turn", zap.String("from", q.From), zap.String("content", short(q.Key.Content)))
	}
	in.Queues[p.e.name] = slices.Clone(p.st.Queue)
	p.first(ctx, in, arriving)
	return p.tellFull(ctx, slices.Contains(joins.Full, p.e.name))
}

// leaving is what waits no more.
func (p *pass) leaving(ctx context.Context) (recs []journal.Record) {
	for i, q := range p.st.Queue {
		switch {
		case p.spec.Take != promote.TakeQueue:
			q.Outcome, q.Reason = "dropped", "this environment takes the latest"
		case !slices.Contains(p.spec.After, q.From):
			q.Outcome, q.Reason = "dropped", "this environment comes after "+q.From+" no more"
		case i == 0 && p.head.release != nil && p.head.err == nil && named(p.head.release).Key() == q.Key:
			q.Outcome = "moved"
		case p.failedHere(q.Key):
			q.Outcome, q.Reason = "failed", "it failed here before"
		default:
			v, no := approve.Rejection(p.verdicts(ctx, q.Key, nil))
			if !no {
				continue
			}
			q.Outcome, q.Reason = "rejected", "by "+v.By+": "+v.Reason
		}
		recs = append(recs, journal.Record{Queued: &q})
	}
	return recs
}

func (p *pass) failedHere(key record.Key) bool {
	_, bad := quarantined(p.st, key)
	return bad
}

// first renders what is first in the queue for here.
func (p *pass) first(ctx context.Context, in *promote.Input, arriving map[string]*manifest.Release) {
	queue := in.Queues[p.e.name]
	if len(queue) == 0 {
		return
	}
	rel, err := p.e.reopen(ctx, p.w, queue[0].Release)
	if err != nil {
		p.e.log.Warn("content does not render here", zap.String("from", queue[0].From), zap.Error(err))
		queue[0].Key = record.Key{}
		return
	}
	queue[0].Key = named(rel).Key()
	p.ahead = queue[0]
	arriving[queue[0].From] = rel
}

// tellFull says that content is ready and finds no room, until it does.
func (p *pass) tellFull(ctx context.Context, full bool) error {
	if !full {
		return p.resolve(ctx, "promotion", queueFull)
	}
	return p.fire(ctx, event{kind: "promotion", key: queueFull, severity: "medium", title: fmt.Sprintf("the queue before %s is full", p.e.name),
		text: fmt.Sprintf("%d contents wait there, and the next one joins when one of them leaves: what is first waits because of %q. Let it in, or reject what is not wanted.", promote.MaxQueue, p.queueWaits())})
}

// queueWaits is why the first of the queue waits, as last remembered.
func (p *pass) queueWaits() string {
	if n := len(p.st.Promotions); n > 0 && p.st.Promotions[n-1].Outcome == "held" {
		return p.st.Promotions[n-1].Findings[0].Code
	}
	return "waiting"
}

// taken takes content that moved out of the queue.
func (p *pass) taken(key record.Key) []journal.Record {
	if len(p.st.Queue) == 0 || p.ahead.Key != key {
		return nil
	}
	q := p.st.Queue[0]
	q.Outcome = "moved"
	return []journal.Record{{Queued: &q}}
}

// upstreamOf is what policy is told of environments before about content that
// waited in turn: what was known when it joined, and whether they are held now.
func (p *pass) upstreamOf(q record.Queued) []policy.Upstream {
	var out []policy.Upstream
	for _, was := range q.Upstream {
		u := policy.Upstream{Environment: was.Environment, ContentMatch: true, Applied: true, Healthy: true,
			SoakSeconds: int64(was.Soaked / time.Second), Held: len(p.e.d.place(was.Environment).Holds) > 0}
		for _, c := range was.Checks {
			u.Checks = append(u.Checks, policy.Check{Name: c.Name, Known: !c.Unknown, Passed: c.Passed, TimeNS: c.At.UnixNano()})
		}
		out = append(out, u)
	}
	return out
}

// beforePlaces are the environments before, with the checks of the content that is
// asked about.
func (p *pass) beforePlaces(key record.Key) []promote.Place {
	var out []promote.Place
	if p.ahead.Key == key && key != (record.Key{}) {
		for _, was := range p.ahead.Upstream {
			out = append(out, promote.Place{Environment: manifest.Environment{Name: was.Environment}, Checks: was.Checks})
		}
		return out
	}
	for _, name := range p.spec.After {
		out = append(out, p.e.d.place(name))
	}
	return out
}

// queuePins are the commits that wait, by the names that pin them. Places that
// nothing holds are named too, so that what left is let go.
func (p *pass) queuePins(want map[string]string) {
	if p.spec.Take != promote.TakeQueue && p.st.LastQueued.N == 0 {
		return
	}
	for slot := range promote.MaxQueue {
		want[fmt.Sprintf("%s.queue-%d", p.e.name, slot)] = ""
	}
	for _, q := range p.st.Queue {
		want[fmt.Sprintf("%s.queue-%d", p.e.name, q.Slot)] = q.Release.Commit
	}
}

// queueStatus is what waits, first in first.
func (p *pass) queueStatus() []web.QueuedStatus {
	var out []web.QueuedStatus
	for _, q := range p.st.Queue {
		out = append(out, web.QueuedStatus{Content: q.Key.Content, From: q.From, Commit: q.Release.Commit, Since: q.At})
	}
	return out
}
