// Package bolt keeps the journal in one local file (bbolt). It refuses a file
// that another daemon has open, one that a newer version wrote, and one that
// is damaged anywhere it can see; it never repairs and never begins anew over
// a file that exists, because an empty journal would forget what is owned.
package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
)

const (
	lockTimeout = 2 * time.Second
	fileMode    = 0o600
	readFirst   = 1       // records read in the first transaction, twice as many in each after it
	readBatch   = 512     // at most
	readBytes   = 1 << 20 // after which one ends
	retained    = 500_000 // records kept before a snapshot, for audit and replay
)

var (
	metaBucket     = []byte("meta")
	recordBucket   = []byte("records")
	snapshotBucket = []byte("snapshot")
	formatKey      = []byte("format")
	fenceKey       = []byte("fence")
	snapshotKey    = []byte("newest")
)

// ErrNewer: a newer version of Mooring wrote this journal.
var ErrNewer = errors.New("journal: written by a newer version")

// Store is a journal in one file. Safe for concurrent use.
type Store struct {
	path     string
	db       *bbolt.DB
	keep     journal.Seq
	formats  formats
	format   uint64    // that the file had when it was opened
	upgraded *Upgraded // nil: it was of the current one

	// original is the file that this is an upgraded copy of, and remove takes the
	// copy away; nil: the file itself is open.
	original *Store
	remove   func() error
}

// Open opens the journal at path and makes a new one when there is no file. One
// of an older format is taken to the current, and stays as it was beside it:
// Upgraded tells.
// Errors: journal.ErrLocked, journal.ErrCorrupt, ErrNewer, and those of the
// file system.
func Open(path string) (*Store, error) { return known().open(path) }

func (f formats) open(path string) (*Store, error) {
	if err := create(path, f.current); err != nil {
		return nil, explain(path, "create", err)
	}
	s, steps, err := f.asIs(path)
	if err != nil {
		return nil, explain(path, "open", err)
	}
	if len(steps) == 0 {
		return s, nil
	}
	if err := s.upgrade(steps); err != nil {
		_ = s.db.Close() // it is as it was
		return nil, explain(path, "open", err)
	}
	return s, nil
}

// asIs opens a file, and says what steps it is from the current format.
func (f formats) asIs(path string) (*Store, []step, error) {
	if err := inspect(path); err != nil {
		return nil, nil, err
	}
	s := &Store{path: path, keep: retained, formats: f}
	if err := s.open(); err != nil {
		return nil, nil, err
	}
	err := s.verify()
	var steps []step
	if err == nil {
		steps, err = f.from(s.format)
	}
	if err != nil {
		_ = s.db.Close() // nothing was written; the damage is what counts
		return nil, nil, err
	}
	return s, steps, nil
}

// Upgraded is what Open did to the file; nil: nothing.
func (s *Store) Upgraded() *Upgraded { return s.upgraded }

// open gives back the file, and with it the lock, when bbolt panics over it.
func (s *Store) open() error {
	var file *os.File
	err := guarded(func() (err error) {
		s.db, err = bbolt.Open(s.path, fileMode, &bbolt.Options{
			Timeout:      lockTimeout,
			FreelistType: bbolt.FreelistMapType,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				file, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
				return file, err
			},
		})
		return err
	})
	if errors.Is(err, journal.ErrCorrupt) && file != nil {
		_ = file.Close()
	}
	return err
}

// Append implements journal.Store: all records or none, on the disk before it
// returns.
func (s *Store) Append(ctx context.Context, fence journal.Fence, recs ...journal.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.update(func(tx *bbolt.Tx) error {
		held, err := readFence(tx)
		if err != nil {
			return err
		}
		if fence == 0 || fence != held {
			return journal.ErrFenced
		}
		return write(tx, recs)
	})
	return explain(s.path, "append to", err)
}

// Acquire implements journal.Store. The file's lock was taken by Open; a new
// fence ends every older one of this process.
func (s *Store) Acquire(ctx context.Context, instance string) (journal.Fence, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var fence journal.Fence
	err := s.update(func(tx *bbolt.Tx) error {
		held, err := readFence(tx)
		if err != nil {
			return err
		}
		fence = held + 1
		if err := tx.Bucket(metaBucket).Put(fenceKey, sealed(fenceKey, number(uint64(fence)))); err != nil {
			return err
		}
		return write(tx, []journal.Record{{Lease: &journal.Lease{Instance: instance, Fence: fence}}})
	})
	if err != nil {
		return 0, explain(s.path, "acquire", err)
	}
	return fence, nil
}

func write(tx *bbolt.Tx, recs []journal.Record) error {
	b := tx.Bucket(recordBucket)
	b.FillPercent = 0.95 // keys only grow
	for _, rec := range recs {
		n, err := b.NextSequence()
		if err != nil {
			return err
		}
		rec.Seq = journal.Seq(n)
		if err := journal.Valid(rec); err != nil {
			return err
		}
		data, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("write record %d: %w", n, err)
		}
		key := number(n)
		if err := b.Put(key, sealed(key, data)); err != nil {
			return err
		}
	}
	return nil
}

// Records implements journal.Store. It reads in batches, so that whoever
// ranges over it may append meanwhile.
func (s *Store) Records(ctx context.Context, after journal.Seq) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		for most := readFirst; ; most = min(2*most, readBatch) {
			batch, err := s.batch(ctx, after, most)
			for i, stored := range batch {
				rec, bad := stored.record()
				// Between batches, and before the first, records may have been dropped.
				if bad == nil && i > 0 && rec.Seq != after+1 {
					bad = fmt.Errorf("%w: record %d follows record %d", journal.ErrCorrupt, rec.Seq, after)
				}
				if bad != nil {
					yield(journal.Record{}, explain(s.path, "read", fmt.Errorf("record after %d: %w", after, bad)))
					return
				}
				if !yield(rec, nil) {
					return
				}
				after = rec.Seq
			}
			if err != nil {
				yield(journal.Record{}, explain(s.path, "read", err))
				return
			}
			if len(batch) == 0 {
				return
			}
		}
	}
}

// stored is a record as it lies in the file.
type stored struct{ key, value []byte }

func (r stored) record() (rec journal.Record, err error) {
	data, err := unsealed(r.key, r.value)
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("%w: record %x: %w", journal.ErrCorrupt, r.key, err)
	}
	return rec, nil
}

// batch copies some records after a number; what was read before damage is
// still given. They are made out afterwards: a file cannot grow while anybody
// reads it, and who appends would wait.
func (s *Store) batch(ctx context.Context, after journal.Seq, most int) (batch []stored, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		c, size := tx.Bucket(recordBucket).Cursor(), 0
		for key, value := c.Seek(number(uint64(after) + 1)); key != nil && len(batch) < most && size < readBytes; key, value = c.Next() {
			batch = append(batch, stored{bytes.Clone(key), bytes.Clone(value)})
			size += len(value)
		}
		return nil
	})
	return batch, err
}

// WriteTo writes a backup: a whole journal as of one moment, which Open opens
// after it was put in the place of a damaged one; of an older format where the
// file is.
func (s *Store) WriteTo(w io.Writer) (n int64, err error) {
	if s.original != nil {
		return s.original.WriteTo(w)
	}
	err = s.view(func(tx *bbolt.Tx) error {
		n, err = tx.WriteTo(w)
		return err
	})
	return n, explain(s.path, "back up", err)
}

// Close implements journal.Store and frees the file for others.
func (s *Store) Close() error {
	err := explain(s.path, "close", guarded(s.db.Close))
	if s.original != nil {
		err = errors.Join(err, s.remove(), s.original.Close())
	}
	return err
}

func (s *Store) update(fn func(*bbolt.Tx) error) error {
	return guarded(func() error { return s.db.Update(fn) })
}

func (s *Store) view(fn func(*bbolt.Tx) error) error {
	return guarded(func() error { return s.db.View(fn) })
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
