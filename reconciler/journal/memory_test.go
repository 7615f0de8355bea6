package journal_test

import (
	"errors"
	"testing"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/journaltest"
	"mooring.dev/reconciler/record"
)

func TestMemory(t *testing.T) {
	journaltest.Run(t, func(*testing.T) func() (journal.Store, error) {
		m := journal.NewMemory()
		return func() (journal.Store, error) { return m, nil }
	})
}

// Every append can be made to fail before and after it took hold; only the
// first leaves nothing.
func TestMemoryFaults(t *testing.T) {
	hold := journal.Record{Environment: "e", Hold: &record.Hold{ID: "h"}}
	for fault, want := range map[journal.Fault]int{journal.FailBefore: 0, journal.FailAfter: 1} {
		m := journal.NewMemory()
		fence, err := m.Acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		m.Break(func(n int, recs []journal.Record) journal.Fault {
			if n == 1 && recs[0].Hold.ID == "h" {
				return fault
			}
			return journal.NoFault
		})
		if err := m.Append(t.Context(), fence, hold); !errors.Is(err, journal.ErrInjected) {
			t.Errorf("fault %d: %v", fault, err)
		}
		count := 0
		for range m.Records(t.Context(), 1) {
			count++
		}
		if count != want {
			t.Errorf("fault %d left %d records, want %d", fault, count, want)
		}
		if err := m.Append(t.Context(), fence, hold); err != nil || m.Appends() != 2 {
			t.Errorf("after the fault: %v, %d appends", err, m.Appends())
		}
	}
}
