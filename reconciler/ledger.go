package reconciler

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// ledger is the journal in use: the store, and the fold of what is in it. An
// append is durable before it is folded, so the state never runs ahead of
// what a restart would find.
//
// Each environment's part of the state is changed only by appends of that
// environment's own goroutine, which may therefore read it without the lock;
// everybody else uses the locked accessors.
type ledger struct {
	store journal.Store
	now   func() time.Time

	mu    sync.Mutex
	fence journal.Fence
	state journal.State
	// behind: an append failed, and may have been written all the same.
	behind bool
	// since counts appends since the last compaction.
	since int
}

// compactEvery is how many records a snapshot of the fold is worth.
const compactEvery = 20_000

// openLedger takes the store for this instance and folds it.
func openLedger(ctx context.Context, store journal.Store, instance string, now func() time.Time) (*ledger, error) {
	fence, err := store.Acquire(ctx, instance)
	if err != nil {
		return nil, fmt.Errorf("take over journal: %w", err)
	}
	l := &ledger{store: store, now: now, fence: fence}
	if l.state, err = journal.Load(ctx, store); err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return l, nil
}

// append makes records durable and folds them. Records about env get its name
// and, where missing, the time; decision records are chained to the one
// before.
func (l *ledger) append(ctx context.Context, env string, recs ...journal.Record) error {
	if len(recs) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	l.complete(env, recs)
	for _, rec := range recs {
		// What could not be read back must never be written.
		if err := journal.Valid(rec); err != nil {
			return fmt.Errorf("append to journal: %w", err)
		}
	}
	if err := l.store.Append(ctx, l.fence, recs...); err != nil {
		l.behind = true
		return errors.Join(fmt.Errorf("append to journal: %w", err), l.catchUp(ctx))
	}
	state, err := journal.Fold(l.state, sequence(recs))
	if err != nil {
		return fmt.Errorf("fold journal: %w", err)
	}
	l.state = state
	return l.compact(len(recs))
}

// catchUp folds what is durable and was not known to be: an append that
// failed may have been written all the same. Without it the next record would
// be chained and folded onto a past that is not the store's. The fold is a
// copy, because other environments read theirs without the lock.
func (l *ledger) catchUp(ctx context.Context) error {
	if !l.behind {
		return nil
	}
	state, err := journal.Fold(l.state.Clone(), l.store.Records(ctx, l.state.Seq))
	if err != nil {
		return fmt.Errorf("read journal after a failed append: %w", err)
	}
	l.state, l.behind = state, false
	return nil
}

// complete fills in what the ledger knows about records.
func (l *ledger) complete(env string, recs []journal.Record) {
	prev := l.state.DecisionHash
	for i := range recs {
		rec := &recs[i]
		rec.Environment = env
		if rec.At.IsZero() {
			rec.At = l.now()
		}
		rec.Seq = l.state.Seq + journal.Seq(i) + 1
		if rec.Decision == nil {
			continue
		}
		chained := *rec.Decision
		chained.Line, chained.Hash = journal.Chain(prev, chained.Line)
		rec.Decision, prev = &chained, chained.Hash
	}
}

// compact takes a snapshot of the fold now and then, where the store can.
func (l *ledger) compact(added int) error {
	l.since += added
	snapshots, ok := l.store.(journal.Snapshotter)
	if !ok || l.since < compactEvery {
		return nil
	}
	l.since = 0
	if err := snapshots.Compact(l.state); err != nil {
		return fmt.Errorf("compact journal: %w", err)
	}
	return nil
}

// environment is what is remembered of one environment; never nil.
func (l *ledger) environment(name string) *journal.Environment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.state.Environments[name]; e != nil {
		return e
	}
	return &journal.Environment{Name: name}
}

// last is the newest record that was folded.
func (l *ledger) last() journal.Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Seq
}

// sequence yields records that cannot fail to be read.
func sequence(recs []journal.Record) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		for _, r := range recs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// alert is the newest state of an alert.
func (l *ledger) alert(fingerprint string) (journal.AlertState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.state.Alerts[fingerprint]
	return a, ok
}

// evidence is what was posted, oldest first.
func (l *ledger) evidence() []journal.Evidence {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.Evidence)
}

// policyWords are people's words on policies at a commit, oldest first.
func (l *ledger) policyWords(commit string) []record.PolicyWord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.state.PolicyWords), func(w record.PolicyWord) bool { return w.Key.Content != commit })
}

// audit is who did what and was refused what, oldest first.
func (l *ledger) audit() []record.Audit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.Audit)
}

// deadLetters are the alerts that were refused for good, oldest first.
func (l *ledger) deadLetters() []journal.DeadLetter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.DeadLetters)
}

// dropped is how many resolved alerts were dropped from the outbox, ever.
func (l *ledger) dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Dropped
}

// pending is the outbox, oldest first.
func (l *ledger) pending() []journal.Pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.Outbox)
}
