// Package stream keeps records in shards, in the order they came, for readers
// that remember where they are: it is below the streams of tables and of
// Kinesis. It refuses to forget in between: what it drops is what is oldest,
// and a reader that was there before is told nothing of it.
package stream

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Record is one record of a shard.
type Record struct {
	Position int64 // counts from 1 within the shard
	At       time.Time
	Event    map[string]any // as a function is handed it
	Value    any            // as the service that made it keeps it
}

// Sequence is how a record's position is written: digits that sort.
func (r Record) Sequence() string { return Sequence(r.Position) }

// Sequence writes a position.
func Sequence(position int64) string { return fmt.Sprintf("%021d", position) }

// kept is how many records of a shard are kept at most.
const kept = 20000

// Log is a stream. It is safe for concurrent use.
type Log struct {
	now func() time.Time

	mu     sync.Mutex
	shards []*shard
	ended  bool
	more   chan struct{} // closed, and made anew, when a record comes
}

type shard struct {
	last    int64
	records []Record
}

// New makes a stream of so many shards.
func New(now func() time.Time, shards int) *Log {
	l := &Log{now: now, more: make(chan struct{})}
	for range shards {
		l.shards = append(l.shards, &shard{})
	}
	return l
}

// Shards is how many there are.
func (l *Log) Shards() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.shards)
}

// Append adds a record, made of the position it gets.
func (l *Log) Append(to int, record func(position int64, at time.Time) (event map[string]any, value any)) Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shards[to]
	s.last++
	r := Record{Position: s.last, At: l.now()}
	r.Event, r.Value = record(r.Position, r.At)
	s.records = append(s.records, r)
	if len(s.records) > kept {
		s.records = append([]Record(nil), s.records[len(s.records)-kept:]...)
	}
	l.wake()
	return r
}

func (l *Log) wake() {
	close(l.more)
	l.more = make(chan struct{})
}

// End says that nothing will come any more; readers do not wait then.
func (l *Log) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

// Last is the position of a shard's newest record, 0 when there never was one.
func (l *Log) Last(of int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shards[of].last
}

// Before is the position before a shard's first record at or after a time.
func (l *Log) Before(of int, at time.Time) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.shards[of].records {
		if !r.At.Before(at) {
			return r.Position - 1
		}
	}
	return l.shards[of].last
}

// Read returns up to limit records behind a position, and waits up to wait for
// the first of them.
func (l *Log) Read(ctx context.Context, of int, after int64, limit int, wait time.Duration) []Record {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		records, more, ended := l.behind(of, after, limit)
		if len(records) > 0 || ended || wait <= 0 {
			return records
		}
		select {
		case <-more:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *Log) behind(of int, after int64, limit int) ([]Record, <-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.shards[of].records
	at := 0
	if len(all) > 0 {
		at = int(min(max(after+1-all[0].Position, 0), int64(len(all))))
	}
	return append([]Record(nil), all[at:min(at+limit, len(all))]...), l.more, l.ended
}
