package bolt_test

import (
	"os"
	"path/filepath"
	"testing"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/journal/journaltest"
)

// The budget is 2 s from opening a journal of 1,000,000 records, with a
// snapshot within the last SnapshotEvery, to the state.
func BenchmarkStart(b *testing.B) {
	path := filepath.Join(b.TempDir(), "journal.db")
	s, err := bolt.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	fence, err := s.Acquire(b.Context(), "a")
	if err != nil {
		b.Fatal(err)
	}
	samples := journaltest.Samples()
	for _, r := range samples {
		if r.Alert != nil {
			r.Alert.Receivers = []string{"oncall"} // who takes everything
		}
	}
	batch := make([]journal.Record, 0, 20_000)
	for i := range cap(batch) {
		batch = append(batch, samples[i%len(samples)])
	}
	for i := range 50 {
		if i == 49 {
			if err := s.Append(b.Context(), fence, batch[:10_000]...); err != nil {
				b.Fatal(err)
			}
			state, err := journal.Load(b.Context(), s)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Compact(state); err != nil {
				b.Fatal(err)
			}
			batch = batch[:10_000]
		}
		if err := s.Append(b.Context(), fence, batch...); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if info, err := os.Stat(path); err == nil {
		b.Logf("%d MiB", info.Size()>>20)
	}
	for b.Loop() {
		s, err := bolt.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		state, err := journal.Load(b.Context(), s)
		if err != nil || state.Seq < 1_000_000 {
			b.Fatal(state.Seq, err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// One durable append.
func BenchmarkAppend(b *testing.B) {
	s, err := bolt.Open(filepath.Join(b.TempDir(), "journal.db"))
	if err != nil {
		b.Fatal(err)
	}
	fence, err := s.Acquire(b.Context(), "a")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Append(b.Context(), fence, hold("x")); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
