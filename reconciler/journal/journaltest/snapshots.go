package journaltest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"mooring.dev/reconciler/journal"
)

func cancelled(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Append(ctx, fence, hold("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context started a write: %v", err)
	}
	if _, err := store.Acquire(ctx, "other"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context took the store: %v", err)
	}
	var last error
	for _, err := range store.Records(ctx, 0) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled read ended with %v: it looks like the end of the journal", last)
	}
	must(t, store.Append(t.Context(), fence, hold("b")))
}

func aliasing(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	rec := hold("a")
	must(t, store.Append(t.Context(), fence, rec))
	rec.Hold.Reason = "changed afterwards"
	got := all(t, store, 1)
	if got[0].Hold.Reason != "trial" {
		t.Error("the store kept the caller's memory")
	}
	got[0].Hold.Reason = "changed by a reader"
	if all(t, store, 1)[0].Hold.Reason != "trial" {
		t.Error("a reader wrote into the store")
	}
}

func compaction(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	shots, can := store.(journal.Snapshotter)
	if !can {
		t.Skip("the store keeps no snapshots; the interface is optional")
	}
	for round := range 4 {
		must(t, store.Append(t.Context(), fence, Samples()...))
		for i := range 20 {
			must(t, store.Append(t.Context(), fence, hold(fmt.Sprint(round, i))))
		}
		whole, err := journal.Fold(journal.State{}, store.Records(t.Context(), 0))
		must(t, err)
		loaded, err := journal.Load(t.Context(), store)
		must(t, err)
		same(t, fmt.Sprintf("round %d: all records and snapshot with rest", round), whole, loaded)
		must(t, shots.Compact(loaded))
		must(t, store.Append(t.Context(), fence, hold("after the snapshot")))
	}
	must(t, store.Close())
	again, err := open()
	must(t, err)
	state, err := journal.Load(t.Context(), again)
	must(t, err)
	whole, err := journal.Fold(journal.State{}, again.Records(t.Context(), 0))
	must(t, err)
	same(t, "all records and what is loaded after reopening", whole, state)
	must(t, again.Close())
}

func snapshotOrder(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	shots, can := store.(journal.Snapshotter)
	if !can {
		t.Skip("the store keeps no snapshots; the interface is optional")
	}
	if _, ok, err := shots.Snapshot(); ok || err != nil {
		t.Errorf("a new store has a snapshot: %v %v", ok, err)
	}
	early, err := journal.Load(t.Context(), store)
	must(t, err)
	must(t, store.Append(t.Context(), fence, hold("a")))
	late, err := journal.Load(t.Context(), store)
	must(t, err)
	must(t, shots.Compact(late))
	if err := shots.Compact(early); err == nil {
		t.Error("an older snapshot replaced a newer one")
	}
	late.Seq += 5
	if err := shots.Compact(late); err == nil {
		t.Error("a snapshot of records that do not exist was taken")
	}
	kept, ok, err := shots.Snapshot()
	must(t, err)
	if !ok || kept.Seq != 2 {
		t.Errorf("snapshot at %d, want 2", kept.Seq)
	}
}
