package git

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"mooring.dev/sources/sourcetest"
)

// largeRepository has so many manifests, by the hundred in a folder, and so many
// commits that change one each.
func largeRepository(tb testing.TB, files, commits int) *sourcetest.Git {
	tb.Helper()
	g := sourcetest.NewGit(tb, true)
	var in bytes.Buffer
	manifest := func(i, n int) {
		text := fmt.Sprintf("kind: Function\nmetadata: {name: f%d}\n# %d\n", i, n)
		fmt.Fprintf(&in, "M 100644 inline team%04d/f%06d.yaml\ndata %d\n%s\n", i/100, i, len(text), text)
	}
	commit := func(n int) {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter Dev <dev@shop.example> %d +0000\ndata 1\nx\n", 1_700_000_000+n)
	}
	commit(0)
	for i := range files {
		manifest(i, 0)
	}
	for n := 1; n < commits; n++ {
		commit(n)
		manifest(n*7919%files, n)
	}
	g.Run(in.Bytes(), "fast-import", "--quiet")
	return g
}

// heap is what is held, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestLesson09ALargeRepositoryCostsItsSizeOnce: a fetch with nothing new takes no
// more work for ten times the files and commits, and what is held of a repository
// is little for each. The figures of 200,000 files and 20,000 commits are
// BenchmarkLesson09FullSize's.
func TestLesson09ALargeRepositoryCostsItsSizeOnce(t *testing.T) {
	const small, times = 200, 10
	quiet := func(files int) (allocations float64, held uint64) {
		g := largeRepository(t, files, files)
		before := heap()
		r := follow(t, Options{URL: g.Dir})
		fetch := func() {
			if _, err := r.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		fetch()
		fetch()
		allocations = testing.AllocsPerRun(5, fetch)
		held = max(heap(), before) - before
		runtime.KeepAlive(r)
		return allocations, held
	}
	few, _ := quiet(small)
	many, held := quiet(small * times)
	t.Logf("a quiet fetch allocates %.0f times, of %d times the size %.0f; %d bytes held for each file", few, times, many, held/(small*times))
	if many > few*1.2+50 {
		t.Errorf("a quiet fetch allocates %.0f times, of %d times the size %.0f", few, times, many)
	}
	if each := held / (small * times); each > 2048 {
		t.Errorf("%d bytes are held for each file", each)
	}
}

// BenchmarkLesson09FullSize fetches 200,000 files and 20,000 commits into an empty
// store, and then nothing new.
func BenchmarkLesson09FullSize(b *testing.B) {
	g := largeRepository(b, 200_000, 20_000)
	for b.Loop() {
		began := time.Now()
		r := follow(b, Options{URL: g.Dir, Dir: b.TempDir(), Timeout: time.Hour})
		fetchIn(b, r)
		cold := time.Since(began)
		fetchIn(b, r)
		began = time.Now()
		fetchIn(b, r)
		b.ReportMetric(cold.Seconds(), "first-s")
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "quiet-ms")
		b.ReportMetric(peakMiB(b), "peak-MiB")
	}
}

// peakMiB is the most this process was ever resident.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc here")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
