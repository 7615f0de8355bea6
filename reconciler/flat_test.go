package reconciler

import (
	"encoding/json"
	"runtime"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
)

// A daemon at rest keeps nothing of its passes: after two days of them it holds
// as much as after two hours, and runs as much.
func TestQuietPassesKeepNothing(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	held := func() (heap uint64, routines int) {
		runtime.GC()
		runtime.GC() // what finalizers held, too
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc - onDisk(t, s.store), runtime.NumGoroutine()
	}
	s.run(100 * time.Minute) // a pass a minute
	heap, routines := held()
	s.run(2900 * time.Minute)
	later, more := held()
	runtime.KeepAlive(s)
	t.Logf("after 100 passes %d bytes, %d goroutines; after 3,000 %d, %d", heap, routines, later, more)
	if later > heap+heap/20 || more > routines {
		t.Errorf("after 100 passes %d bytes and %d goroutines, after 3,000 %d and %d", heap, routines, later, more)
	}
}

// onDisk is what the journal's records take, which another store than this one
// keeps on a disk.
func onDisk(t testing.TB, store *journal.Memory) (bytes uint64) {
	t.Helper()
	for r, err := range store.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		bytes += uint64(cap(append([]byte(nil), text...))) + 24 // as it is allocated, and the slice that leads to it
	}
	return bytes
}
