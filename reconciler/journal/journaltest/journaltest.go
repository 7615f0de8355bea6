// Package journaltest is the contract every journal.Store runs. It refuses to
// know how a store keeps its records.
package journaltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// Factory opens the same store again and again: what one value appended, the
// next one reads. It is called once per subtest, which gets its own store.
type Factory func(t *testing.T) (open func() (journal.Store, error))

// Run holds a store against the contract.
func Run(t *testing.T, factory Factory) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, func() (journal.Store, error))
	}{
		{"empty", empty},
		{"order and numbers", order},
		{"read back after reopening", reopen},
		{"records after a number", after},
		{"every kind of record", everyKind},
		{"a batch is atomic", atomic},
		{"an old fence is refused", fenced},
		{"appending while reading", appendWhileReading},
		{"cancelled", cancelled},
		{"caller's memory is not kept", aliasing},
		{"a snapshot and the rest fold to the same", compaction},
		{"snapshots only go forward", snapshotOrder},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, factory(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same compares as the journal writes: what JSON does not hold is not kept.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	var lines [2][]string
	for i, v := range []any{want, got} {
		data, err := json.MarshalIndent(v, "", " ")
		must(t, err)
		lines[i] = strings.Split(string(data), "\n")
	}
	for i := range max(len(lines[0]), len(lines[1])) {
		if i >= len(lines[0]) || i >= len(lines[1]) || lines[0][i] != lines[1][i] {
			from := max(0, min(i, len(lines[0]), len(lines[1]))-4)
			t.Errorf("%s differ at line %d:\n%s\n----\n%s", what, i+1, strings.Join(part(lines[0], from), "\n"), strings.Join(part(lines[1], from), "\n"))
			return
		}
	}
}

func part(lines []string, from int) []string { return lines[from:min(len(lines), from+8)] }

// take opens and acquires.
func take(t *testing.T, open func() (journal.Store, error)) (journal.Store, journal.Fence) {
	t.Helper()
	store, err := open()
	must(t, err)
	t.Cleanup(func() { _ = store.Close() }) // a test may have closed it
	fence, err := store.Acquire(t.Context(), "test")
	must(t, err)
	return store, fence
}

func all(t *testing.T, store journal.Store, after journal.Seq) []journal.Record {
	t.Helper()
	var recs []journal.Record
	for rec, err := range store.Records(t.Context(), after) {
		must(t, err)
		recs = append(recs, rec)
	}
	return recs
}

func hold(id string) journal.Record {
	return journal.Record{Environment: "production", At: moment, Hold: &record.Hold{ID: id, Owner: "local:ann", Reason: "trial", Since: moment}}
}

var moment = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

func empty(t *testing.T, open func() (journal.Store, error)) {
	store, err := open()
	must(t, err)
	if recs := all(t, store, 0); len(recs) != 0 {
		t.Errorf("a new store holds %d records", len(recs))
	}
	state, err := journal.Load(t.Context(), store)
	must(t, err)
	if state.Seq != 0 {
		t.Errorf("a new store folds to record %d", state.Seq)
	}
	must(t, store.Close())
}

func order(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	must(t, store.Append(t.Context(), fence, hold("a"), hold("b")))
	must(t, store.Append(t.Context(), fence))
	must(t, store.Append(t.Context(), fence, hold("c")))
	recs := all(t, store, 0)
	if len(recs) != 4 || recs[0].Lease == nil || recs[0].Lease.Fence != fence {
		t.Fatalf("want the lease and three holds, got %+v", recs)
	}
	for i, rec := range recs {
		if rec.Seq != journal.Seq(i+1) {
			t.Errorf("record %d has number %d", i+1, rec.Seq)
		}
	}
	if recs[1].Hold.ID+recs[2].Hold.ID+recs[3].Hold.ID != "abc" {
		t.Errorf("order: %s %s %s", recs[1].Hold.ID, recs[2].Hold.ID, recs[3].Hold.ID)
	}
}

func reopen(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	must(t, store.Append(t.Context(), fence, hold("a")))
	before := all(t, store, 0)
	must(t, store.Close())
	again, err := open()
	must(t, err)
	same(t, "after reopening", before, all(t, again, 0))
	newer, err := again.Acquire(t.Context(), "second")
	must(t, err)
	if newer <= fence {
		t.Errorf("fence %d does not come after %d", newer, fence)
	}
	must(t, again.Append(t.Context(), newer, hold("b")))
	if recs := all(t, again, 0); recs[len(recs)-1].Seq != journal.Seq(len(recs)) {
		t.Errorf("numbers have a gap after reopening: %d of %d", recs[len(recs)-1].Seq, len(recs))
	}
	must(t, again.Close())
}

func after(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	for i := range 10 {
		must(t, store.Append(t.Context(), fence, hold(fmt.Sprint(i))))
	}
	if recs := all(t, store, 8); len(recs) != 3 || recs[0].Seq != 9 {
		t.Errorf("after 8: %+v", recs)
	}
	if recs := all(t, store, 11); len(recs) != 0 {
		t.Errorf("after the last: %d records", len(recs))
	}
	if recs := all(t, store, 1000); len(recs) != 0 {
		t.Errorf("after what does not exist: %d records", len(recs))
	}
	seen := 0
	for range store.Records(t.Context(), 0) {
		seen++
		if seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("a broken-off range gave %d", seen)
	}
}

func everyKind(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	want := Samples()
	must(t, store.Append(t.Context(), fence, want...))
	got := all(t, store, 1)
	for i := range want {
		want[i].Seq = journal.Seq(i + 2)
	}
	same(t, "what was written and what is read", want, got)
}

func atomic(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	if err := store.Append(t.Context(), fence, hold("a"), journal.Record{}); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("a record without a body was taken: %v", err)
	}
	if err := store.Append(t.Context(), fence, hold("a"), journal.Record{Hold: &record.Hold{ID: "b"}}); err == nil {
		t.Error("a hold of no environment was taken")
	}
	if recs := all(t, store, 1); len(recs) != 0 {
		t.Errorf("part of a refused batch stayed: %+v", recs)
	}
	must(t, store.Append(t.Context(), fence, hold("c")))
	if recs := all(t, store, 1); len(recs) != 1 || recs[0].Seq != 2 {
		t.Errorf("a refused batch used up numbers: %+v", recs)
	}
}

func fenced(t *testing.T, open func() (journal.Store, error)) {
	store, old := take(t, open)
	newer, err := store.Acquire(t.Context(), "other")
	must(t, err)
	for name, fence := range map[string]journal.Fence{"old": old, "none": 0, "unknown": newer + 1} {
		if err := store.Append(t.Context(), fence, hold(name)); !errors.Is(err, journal.ErrFenced) {
			t.Errorf("%s fence: %v, want ErrFenced", name, err)
		}
	}
	must(t, store.Append(t.Context(), newer, hold("new")))
	state, err := journal.Load(t.Context(), store)
	must(t, err)
	if state.Fence != newer {
		t.Errorf("folded fence %d, want %d", state.Fence, newer)
	}
	if ids := slices.Sorted(maps.Keys(state.Environments["production"].Holds)); !slices.Equal(ids, []string{"new"}) {
		t.Errorf("holds %v: a fenced append left something", ids)
	}
}

func appendWhileReading(t *testing.T, open func() (journal.Store, error)) {
	store, fence := take(t, open)
	must(t, store.Append(t.Context(), fence, hold("a"), hold("b")))
	seen := 0
	for rec, err := range store.Records(t.Context(), 0) {
		must(t, err)
		seen++
		if rec.Seq <= 3 {
			must(t, store.Append(t.Context(), fence, hold(fmt.Sprint("more", rec.Seq))))
		}
	}
	if seen < 3 {
		t.Errorf("saw %d of the records that were there", seen)
	}
	if recs := all(t, store, 0); len(recs) != 6 {
		t.Errorf("%d records, want 6", len(recs))
	}
}
