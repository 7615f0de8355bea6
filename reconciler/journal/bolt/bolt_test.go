package bolt_test

import (
	"bytes"
	"path/filepath"
	"runtime"
	"testing"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/journal/journaltest"
	"mooring.dev/reconciler/record"
)

func TestContract(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) func() (journal.Store, error) {
		path := filepath.Join(t.TempDir(), "state", "journal.db")
		return func() (journal.Store, error) { return bolt.Open(path) }
	})
}

// Who wants one record reads that one, however long those after it are.
func TestOneRecordIsReadAlone(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	fence, err := s.Acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	long := journal.Record{Environment: "e", Decision: &journal.Decision{ID: "d", Point: "admission", Line: bytes.Repeat([]byte("x"), 2<<20)}}
	if err := s.Append(t.Context(), fence, journal.Record{Environment: "e", Hold: &record.Hold{ID: "h"}}, long, long); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for rec, err := range s.Records(t.Context(), 1) {
		if err != nil || rec.Hold == nil {
			t.Fatal(rec.Seq, err)
		}
		break
	}
	runtime.ReadMemStats(&after)
	if size := after.TotalAlloc - before.TotalAlloc; size > 1<<20 {
		t.Errorf("%d bytes were read for one short record", size)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
