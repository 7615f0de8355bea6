package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// Fault is where an append of a Memory breaks.
type Fault int

const (
	NoFault    Fault = iota
	FailBefore       // nothing was written, and an error tells
	FailAfter        // everything was written, and an error tells otherwise
)

// ErrInjected is what a Memory answers where Break said so.
var ErrInjected = errors.New("journal: injected fault")

// Memory is a Store in memory, for simulations: a restart is another Acquire
// of the same Memory. It keeps records as bytes, as a durable store does, so
// that nobody's later writes reach into them. Safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	records [][]byte
	shot    []byte
	shotSeq Seq
	fence   Fence
	broken  func(appends int, recs []Record) Fault
	appends int
}

// NewMemory is an empty store.
func NewMemory() *Memory { return &Memory{} }

// Break asks fault at every append (counted from 1) whether it breaks; nil
// mends it.
func (m *Memory) Break(fault func(appends int, recs []Record) Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = fault
}

// Appends is how often Append was called.
func (m *Memory) Appends() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.appends
}

// Append implements Store.
func (m *Memory) Append(ctx context.Context, fence Fence, recs ...Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if fence == 0 || fence != m.fence {
		return ErrFenced
	}
	m.appends++
	fault := NoFault
	if m.broken != nil {
		fault = m.broken(m.appends, recs)
	}
	if fault == FailBefore {
		return fmt.Errorf("append before writing: %w", ErrInjected)
	}
	if err := m.write(recs); err != nil {
		return err
	}
	if fault == FailAfter {
		return fmt.Errorf("append after writing: %w", ErrInjected)
	}
	return nil
}

func (m *Memory) write(recs []Record) error {
	batch := make([][]byte, 0, len(recs))
	for _, rec := range recs {
		rec.Seq = Seq(len(m.records) + len(batch) + 1)
		if err := Valid(rec); err != nil {
			return err
		}
		data, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("write record %d: %w", rec.Seq, err)
		}
		batch = append(batch, data)
	}
	m.records = append(m.records, batch...)
	return nil
}

// Records implements Store.
func (m *Memory) Records(ctx context.Context, after Seq) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for i := after; ; i++ {
			m.mu.Lock()
			var data []byte
			if i < Seq(len(m.records)) {
				data = m.records[i]
			}
			m.mu.Unlock()
			if data == nil {
				return
			}
			var rec Record
			err := ctx.Err()
			if err == nil {
				err = json.Unmarshal(data, &rec)
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Acquire implements Store; whoever held it before is fenced off.
func (m *Memory) Acquire(ctx context.Context, instance string) (Fence, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fence++
	if err := m.write([]Record{{Lease: &Lease{Instance: instance, Fence: m.fence}}}); err != nil {
		return 0, err
	}
	return m.fence, nil
}

// Snapshot implements Snapshotter.
func (m *Memory) Snapshot() (s State, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shot == nil {
		return State{}, false, nil
	}
	err = json.Unmarshal(m.shot, &s)
	return s, err == nil, err
}

// Compact implements Snapshotter.
func (m *Memory) Compact(s State) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Seq < m.shotSeq || s.Seq > Seq(len(m.records)) {
		return fmt.Errorf("snapshot at record %d: the newest is at %d, records end at %d", s.Seq, m.shotSeq, len(m.records))
	}
	m.shot, m.shotSeq = data, s.Seq
	return nil
}

// Close implements Store; a Memory may be used again afterwards.
func (m *Memory) Close() error { return nil }
