package journal

import (
	"context"
	"hash/fnv"
	"iter"
	"slices"
	"sync"
	"time"
)

const (
	// docketBlock is how many records a Docket looks through at a time.
	docketBlock = 512
	// setBack is by how much a clock may have been set back without a record
	// since a time being missed.
	setBack = 24 * time.Hour
)

// Docket says where the decisions and the rollouts of a store are, so that who
// asks for some of them reads those alone. It looks at each record once: at those that
// were appended when somebody asks, and back from there as far as was ever asked.
// Safe for concurrent use; it holds up nobody who appends.
type Docket struct {
	store Store
	last  func() Seq

	mu       sync.Mutex
	from, to Seq       // all after from, up to to, were looked at
	begun    bool      // nothing is kept before
	tail     time.Time // the newest time of the block looked at last before from
	older    []docketed
	newer    []docketed // the oldest first, after all of older, whose newest is first
	briefs   briefs
	ids      map[uint64]Seq
	names    map[string]uint16 // of environments and points
}

// docketed is one record, and what is asked of it.
type docketed struct {
	seq                Seq
	at                 time.Duration // since the epoch
	id                 uint64        // of a decision, a hash
	environment, point uint16        // point 0: of a rollout
}

// NewDocket is a docket of a store; last is the newest record that is known.
func NewDocket(store Store, last func() Seq) *Docket {
	return &Docket{store: store, last: last, ids: map[uint64]Seq{}, names: map[string]uint16{}}
}

// Decisions yields what the function Decisions does. Who asks for no ID and no
// time, from a record that was not looked at, has all records read from there on.
func (d *Docket) Decisions(ctx context.Context, q DecisionQuery) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		found, known, err := d.find(ctx, q)
		if err != nil {
			yield(Record{}, err)
			return
		}
		if !known {
			Decisions(ctx, d.store, q)(yield)
			return
		}
		for _, seq := range found {
			rec, err := d.read(ctx, seq, q.Brief)
			if err != nil {
				yield(rec, err)
				return
			}
			// It may be kept no more by now, or have another's hash.
			if rec.Seq == seq && q.means(rec) && !yield(rec, nil) {
				return
			}
		}
	}
}

// read is the record of a number, or another where that is kept no more.
func (d *Docket) read(ctx context.Context, seq Seq, short bool) (Record, error) {
	if !short {
		return from(ctx, d.store, seq)
	}
	d.mu.Lock()
	rec, known := d.briefs.of[seq]
	d.mu.Unlock()
	if known {
		return rec, nil
	}
	rec, err := from(ctx, d.store, seq)
	if err != nil || rec.Decision == nil {
		return rec, err
	}
	rec = brief(rec)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.briefs.add(rec)
	return rec, nil
}

// from is the record of a number, or the next one where that is kept no more;
// zero where there is none.
func from(ctx context.Context, store Store, seq Seq) (Record, error) {
	for rec, err := range store.Records(ctx, max(seq, 1)-1) {
		return rec, err
	}
	return Record{}, nil
}

// find says which records a question means, in the order it asks for, as far as
// it is known where they are.
func (d *Docket) find(ctx context.Context, q DecisionQuery) (found []Seq, known bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.catchUp(ctx); err != nil {
		return nil, false, err
	}
	if q.ID == "" && !q.Newest && q.Since.IsZero() && q.After < d.from && !d.begun {
		return nil, false, nil
	}
	for !d.reaches(q) {
		if err := d.back(ctx); err != nil {
			return nil, false, err
		}
	}
	if q.ID != "" {
		if seq, there := d.ids[hashed(q.ID)]; there && seq > q.After {
			found = append(found, seq)
		}
		return found, true, nil
	}
	return d.pick(q), true, nil
}

// reaches: nothing that is asked for lies before what was looked at.
func (d *Docket) reaches(q DecisionQuery) bool {
	if d.begun || q.After >= d.from {
		return true
	}
	if q.ID != "" {
		_, there := d.ids[hashed(q.ID)]
		return there
	}
	return !d.tail.IsZero() && d.tail.Before(q.Since.Add(-setBack))
}

// catchUp looks at what was appended, and forgets what is kept no more.
func (d *Docket) catchUp(ctx context.Context) error {
	if d.to == 0 {
		d.to = d.last()
		d.from = d.to
	}
	for rec, err := range d.store.Records(ctx, d.to) {
		if err != nil {
			return err
		}
		if e, ok := d.entry(rec); ok {
			d.newer = append(d.newer, e)
		}
		d.to = rec.Seq
	}
	first, err := from(ctx, d.store, 1)
	if err != nil {
		return err
	}
	gone := func(e docketed) bool {
		if e.seq >= first.Seq {
			return false
		}
		delete(d.ids, e.id)
		return true
	}
	if n := len(d.older); n > 0 && d.older[n-1].seq < first.Seq {
		d.older = slices.DeleteFunc(d.older, gone)
	}
	if len(d.newer) > 0 && d.newer[0].seq < first.Seq {
		d.newer = slices.DeleteFunc(d.newer, gone)
	}
	d.begun = d.begun || d.from < first.Seq
	return nil
}

// back looks at the block before those that were looked at.
func (d *Docket) back(ctx context.Context) error {
	after := d.from - min(d.from, docketBlock)
	var block []docketed
	var tail time.Time
	for rec, err := range d.store.Records(ctx, after) {
		if err != nil {
			return err
		}
		if rec.Seq > d.from {
			break
		}
		if rec.At.After(tail) {
			tail = rec.At
		}
		if e, ok := d.entry(rec); ok {
			block = append(block, e)
		}
	}
	slices.Reverse(block)
	d.older, d.from, d.begun = append(d.older, block...), after, after == 0
	if !tail.IsZero() {
		d.tail = tail
	}
	return nil
}

func (d *Docket) entry(rec Record) (e docketed, ok bool) {
	switch e = (docketed{seq: rec.Seq, at: sinceEpoch(rec.At), environment: d.named(rec.Environment)}); {
	case rec.Decision != nil:
		e.id, e.point = hashed(rec.Decision.ID), d.named(rec.Decision.Point)
		d.ids[e.id] = e.seq
		return e, true
	default:
		return e, rec.Rollout != nil
	}
}

// named is the number of a name. There are as many as environments and points;
// of more than there is room for, all are the last, and told apart when read.
func (d *Docket) named(name string) uint16 {
	n, known := d.names[name]
	if !known {
		n = uint16(min(len(d.names)+1, 1<<16-1))
		d.names[name] = n
	}
	return n
}

// pick are the decisions a question means, in the order it asks for.
func (d *Docket) pick(q DecisionQuery) (found []Seq) {
	environment, point, since := d.names[q.Environment], d.names[q.Point], sinceEpoch(q.Since)
	inOrder := d.oldestFirst
	if q.Newest {
		inOrder = d.newestFirst
	}
	for e := range inOrder {
		if q.Before != 0 && e.seq >= q.Before {
			continue
		}
		if e.point != 0 && e.seq > q.After && (q.Environment == "" || e.environment == environment) && (q.Point == "" || e.point == point) &&
			(q.Since.IsZero() || e.at >= since) {
			found = append(found, e.seq)
		}
		if len(found) == q.Limit && q.Limit > 0 {
			break
		}
	}
	return found
}

// oldestFirst are those known.
func (d *Docket) oldestFirst(yield func(docketed) bool) {
	for _, e := range slices.Backward(d.older) {
		if !yield(e) {
			return
		}
	}
	for _, e := range d.newer {
		if !yield(e) {
			return
		}
	}
}

// newestFirst are those known.
func (d *Docket) newestFirst(yield func(docketed) bool) {
	for _, e := range slices.Backward(d.newer) {
		if !yield(e) {
			return
		}
	}
	for _, e := range d.older {
		if !yield(e) {
			return
		}
	}
}

func sinceEpoch(at time.Time) time.Duration { return time.Duration(at.UnixNano()) }

func hashed(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return h.Sum64()
}
