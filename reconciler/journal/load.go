package journal

import (
	"context"
	"fmt"
)

// SnapshotEvery is how many records may be folded at a start; a journal that
// has more since its last snapshot is due for Compact.
const SnapshotEvery = 10_000

// Snapshotter is a Store that keeps snapshots of the fold, so that a start
// reads the newest one and only the records after it.
type Snapshotter interface {
	// Snapshot is the newest snapshot; ok is false when there is none.
	Snapshot() (s State, ok bool, err error)
	// Compact makes s the newest snapshot. It may then drop old records. A
	// state older than the newest snapshot, or newer than the records, is
	// refused.
	Compact(s State) error
}

// Load folds everything a store remembers: the newest snapshot, if the store
// keeps any, and the records after it.
func Load(ctx context.Context, store Store) (State, error) {
	var s State
	if shots, can := store.(Snapshotter); can {
		shot, ok, err := shots.Snapshot()
		if err != nil {
			return State{}, fmt.Errorf("load the journal's snapshot: %w", err)
		}
		if ok {
			s = shot
		}
	}
	return Fold(s, store.Records(ctx, s.Seq))
}
