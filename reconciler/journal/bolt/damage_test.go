package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/journal/journaltest"
	"mooring.dev/reconciler/record"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hold(id string) journal.Record {
	return journal.Record{Environment: "production", Hold: &record.Hold{ID: id}}
}

// filled is a closed journal with some appends, and what it holds.
func filled(t *testing.T) (path string, recs []journal.Record) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal.db")
	s, err := bolt.Open(path)
	must(t, err)
	fence, err := s.Acquire(t.Context(), "a")
	must(t, err)
	for i := range 12 {
		must(t, s.Append(t.Context(), fence, journaltest.Samples()...))
		must(t, s.Append(t.Context(), fence, hold(fmt.Sprint(i))))
	}
	state, err := journal.Load(t.Context(), s)
	must(t, err)
	must(t, s.Compact(state))
	must(t, s.Append(t.Context(), fence, hold("after the snapshot")))
	recs = read(t, s)
	must(t, s.Close())
	return path, recs
}

func read(t *testing.T, s *bolt.Store) []journal.Record {
	t.Helper()
	var recs []journal.Record
	for rec, err := range s.Records(t.Context(), 0) {
		must(t, err)
		recs = append(recs, rec)
	}
	return recs
}

// whole opens a file and reads everything; the error is whatever refused it.
func whole(t *testing.T, path string) (recs []journal.Record, err error) {
	t.Helper()
	s, err := bolt.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { must(t, s.Close()) }()
	for rec, err := range s.Records(t.Context(), 0) {
		if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
	}
	_, err = journal.Load(t.Context(), s)
	return recs, err
}

// TestLesson43CutShort: cut at each 4 KiB, the journal is refused and left as it is.
func TestLesson43CutShort(t *testing.T) {
	path, _ := filled(t)
	data, err := os.ReadFile(path)
	must(t, err)
	refused := 0
	for size := 0; size < len(data); size += 4096 {
		cut := filepath.Join(t.TempDir(), "cut.db")
		must(t, os.WriteFile(cut, data[:size], 0o600))
		recs, err := whole(t, cut)
		switch {
		case err == nil:
			// Only space that was reserved and never used may be missing.
			if len(recs) == 0 {
				t.Errorf("cut at %d of %d: opened as an empty journal", size, len(data))
			}
		case !errors.Is(err, journal.ErrCorrupt):
			t.Errorf("cut at %d: %v, want ErrCorrupt", size, err)
		default:
			refused++
		}
		after, err := os.ReadFile(cut)
		must(t, err)
		if !bytes.Equal(after, data[:size]) {
			t.Errorf("cut at %d: the damaged file was changed", size)
		}
	}
	if refused < 5 {
		t.Errorf("only %d cuts were refused", refused)
	}
}

// TestLesson43EveryByteOfTheHead: every byte flipped in the head, and one in every 509 of the rest: either
// refused, or everything is still there. Never another content.
func TestLesson43EveryByteOfTheHead(t *testing.T) {
	path, want := filled(t)
	data, err := os.ReadFile(path)
	must(t, err)
	dir := t.TempDir()
	refused := 0
	flip := func(at int) {
		bad := bytes.Clone(data)
		bad[at] ^= 0x41
		name := filepath.Join(dir, fmt.Sprint(at))
		must(t, os.WriteFile(name, bad, 0o600))
		recs, err := whole(t, name)
		if err == nil {
			if diff := cmp.Diff(want, recs); diff != "" {
				t.Errorf("byte %d: opened with another content (-want +got):\n%s", at, diff)
			}
		} else if !errors.Is(err, journal.ErrCorrupt) && !errors.Is(err, bolt.ErrNewer) {
			t.Errorf("byte %d: %v, want ErrCorrupt", at, err)
		} else {
			refused++
		}
		must(t, os.Remove(name))
	}
	for at := range 80 {
		flip(at)
		flip(4096 + at)
	}
	if refused < 120 {
		t.Errorf("%d of 160 flips in the head were refused: one meta page stands in for the other", refused)
	}
	for at := 8192; at < len(data); at += 509 {
		flip(at)
	}
	t.Logf("%d flips refused", refused)
}

// 44: the file has one owner.
func TestTwoOpens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	first, err := bolt.Open(path)
	must(t, err)
	if _, err := bolt.Open(path); !errors.Is(err, journal.ErrLocked) || !bytes.Contains([]byte(err.Error()), []byte(path)) {
		t.Errorf("a second open: %v, want ErrLocked that names the file", err)
	}
	must(t, first.Close())
	second, err := bolt.Open(path)
	must(t, err)
	must(t, second.Close())
}

// A refused file is free again: the next open is refused for the damage, not
// for a lock that nobody holds.
func TestRefusedFileIsFree(t *testing.T) {
	path, _ := filled(t)
	data, err := os.ReadFile(path)
	must(t, err)
	for at := 8192; at < len(data); at += 40 {
		data[at] ^= 0xff
	}
	must(t, os.WriteFile(path, data, 0o600))
	for range 2 {
		if _, err := bolt.Open(path); !errors.Is(err, journal.ErrCorrupt) {
			t.Fatalf("%v, want ErrCorrupt", err)
		}
	}
}

func TestLesson52NewerIsRefused(t *testing.T) {
	path, _ := filled(t)
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte{0, 0, 0, 0, 0, 0, 0, 2})
	}))
	must(t, db.Close())
	if _, err := bolt.Open(path); !errors.Is(err, bolt.ErrNewer) {
		t.Errorf("%v, want ErrNewer", err)
	}
}

func TestNotAJournal(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "text"), bytes.Repeat([]byte("not a journal\n"), 1000), 0o600))
	other, err := bbolt.Open(filepath.Join(dir, "other"), 0o600, nil)
	must(t, err)
	must(t, other.Close())
	must(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))
	for _, name := range []string{"text", "other", "empty"} {
		if _, err := bolt.Open(filepath.Join(dir, name)); !errors.Is(err, journal.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	if _, err := bolt.Open(filepath.Join(dir, "text", "journal.db")); err == nil {
		t.Error("a journal below a file was opened")
	}
}

// A backup taken while appending is a journal of one moment.
func TestBackup(t *testing.T) {
	path, want := filled(t)
	s, err := bolt.Open(path)
	must(t, err)
	var backup bytes.Buffer
	if n, err := s.WriteTo(&backup); err != nil || n != int64(backup.Len()) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	must(t, s.Close())
	copied := filepath.Join(t.TempDir(), "journal.db")
	must(t, os.WriteFile(copied, backup.Bytes(), 0o600))
	recs, err := whole(t, copied)
	must(t, err)
	if diff := cmp.Diff(want, recs); diff != "" {
		t.Errorf("the backup differs (-want +got):\n%s", diff)
	}
}
