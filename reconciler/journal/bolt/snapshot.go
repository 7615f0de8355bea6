package bolt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
)

// pruneAtOnce bounds what one Compact deletes, so that it stays short.
const pruneAtOnce = 20_000

// Snapshot implements journal.Snapshotter.
func (s *Store) Snapshot() (state journal.State, ok bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		_, data, err := newestSnapshot(tx)
		if err != nil || data == nil {
			return err
		}
		if err := json.Unmarshal(data, &state); err != nil {
			return fmt.Errorf("%w: snapshot: %w", journal.ErrCorrupt, err)
		}
		ok = true
		return nil
	})
	return state, ok && err == nil, explain(s.path, "read the snapshot of", err)
}

// Compact implements journal.Snapshotter. Records long before the snapshot
// are dropped; the newest half million before it stay for audit and replay.
func (s *Store) Compact(state journal.State) error {
	data, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	err = s.update(func(tx *bbolt.Tx) error {
		newest, _, err := newestSnapshot(tx)
		if err != nil {
			return err
		}
		records := tx.Bucket(recordBucket)
		if last := journal.Seq(records.Sequence()); state.Seq < newest || state.Seq > last {
			return fmt.Errorf("snapshot at record %d: the newest is at %d, records end at %d", state.Seq, newest, last)
		}
		if err := tx.Bucket(snapshotBucket).Put(snapshotKey, sealed(snapshotKey, append(number(uint64(state.Seq)), data...))); err != nil {
			return err
		}
		if state.Seq <= s.keep {
			return nil
		}
		return prune(records, state.Seq-s.keep)
	})
	return explain(s.path, "compact", err)
}

// prune deletes records up to a number.
func prune(records *bbolt.Bucket, upTo journal.Seq) error {
	var keys [][]byte
	c := records.Cursor()
	limit := string(number(uint64(upTo)))
	for key, _ := c.First(); key != nil && string(key) <= limit && len(keys) < pruneAtOnce; key, _ = c.Next() {
		keys = append(keys, append([]byte(nil), key...))
	}
	for _, key := range keys {
		if err := records.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// newestSnapshot is a state as JSON, and the record it stands at; nil when
// there is none.
func newestSnapshot(tx *bbolt.Tx) (at journal.Seq, data []byte, err error) {
	value := tx.Bucket(snapshotBucket).Get(snapshotKey)
	if value == nil {
		return 0, nil, nil
	}
	data, err = unsealed(snapshotKey, value)
	if err == nil && len(data) < 8 {
		err = journal.ErrCorrupt
	}
	if err != nil {
		return 0, nil, fmt.Errorf("snapshot: %w", err)
	}
	return journal.Seq(binary.BigEndian.Uint64(data)), data[8:], nil
}
