package reconciler

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources"
)

// size is what an environment of so many resources takes.
type size struct {
	resources     int
	kept, rests   uint64        // bytes: in memory; in the journal by an hour at rest
	first, change uint64        // bytes in the journal by the first release, and by one that changes one resource
	pass          time.Duration // with its look, at a platform in memory
}

func sized(t testing.TB, n int) size {
	t.Helper()
	out := size{resources: n}
	store := journal.NewMemory()
	l := newLargeIn(t, n, store)
	out.first = onDisk(t, store)
	start := time.Now()
	const passes = 60
	for range passes {
		l.now = l.now.Add(time.Minute)
		l.pass(t)
		l.e.look.at = l.now
	}
	out.pass, out.rests = time.Since(start)/passes, onDisk(t, store)-out.first
	head := l.repo.commits[l.repo.branches["env/preview"]]
	files := maps.Clone(head.Tree.(fstest.MapFS))
	files["queues/00/q00000.yaml"] = &fstest.MapFile{Data: []byte(queueYAML("q00000", "{visibilityTimeout: 61}")), Sys: sources.ContentID("changed")}
	sha := l.repo.add("env/preview", sources.Snapshot{Tree: files, TreeID: "changed", Commit: sources.Commit{Parents: []string{head.Commit.SHA}}})
	if err := l.d.refresh(t.Context(), "poll"); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		l.pass(t)
		l.now = l.now.Add(time.Second)
	}
	if st := l.e.state(); st.Rollout.Release.Commit != sha || st.Rollout.Phase != rollout.Idle {
		t.Fatalf("the change is not in force: %+v", st.Rollout)
	}
	out.change = onDisk(t, store) - out.first - out.rests
	with := inUse()
	l.d, l.e = nil, nil
	out.kept = with - inUse()
	runtime.KeepAlive(l)
	runtime.KeepAlive(store)
	return out
}

// row is the line of docs/operations.md.
func (s size) row() string {
	return fmt.Sprintf("| %d | %.1f MB | %.0f ms | %d KB | %d KB | %d KB |", s.resources, float64(s.kept)/(1<<20), s.pass.Seconds()*1e3, s.rests*24>>10, s.first>>10, s.change>>10)
}

// BenchmarkSizing prints the table of docs/operations.md:
//
//	go test ./reconciler -run '^$' -bench Sizing -benchtime 1x
func BenchmarkSizing(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				fmt.Println(sized(b, n).row())
			}
		})
	}
}

// What docs/operations.md says of the size of things is so, as far as it is the
// same on every machine.
func TestSizingIsAsSaid(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\| 100 \| ([\d.]+) MB \| \d+ ms \| (\d+) KB \| (\d+) KB \| (\d+) KB \|$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/operations.md has no row of 100 resources")
	}
	s := sized(t, 100)
	for i, got := range []float64{float64(s.kept) / (1 << 20), float64(s.rests*24) / 1024, float64(s.first) / 1024, float64(s.change) / 1024} {
		said, err := strconv.ParseFloat(string(m[i+1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		if got > 1.3*said+1 || i > 0 && got < 0.7*said-1 {
			t.Errorf("column %d says %v, and it is %.1f", i+2, said, got)
		}
	}
	t.Log(s.row())
}
