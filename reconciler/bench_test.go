package reconciler

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// large is an environment of n queues, a manifest and a file each, in place.
type large struct {
	now  time.Time
	repo *repo
	d    *Daemon
	e    *environment
}

func newLarge(b testing.TB, n int) *large {
	b.Helper()
	return newLargeIn(b, n, journal.NewMemory())
}

func newLargeIn(b testing.TB, n int, store journal.Store) *large {
	b.Helper()
	l := &large{now: birth}
	clock := func() time.Time { return l.now }
	l.repo = newRepo(clock)
	l.repo.commit("main", controlFiles("allow", "preview"))
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("queues/%02d/q%05d.yaml", i%100, i)] = queueYAML(fmt.Sprintf("q%05d", i), "{visibilityTimeout: 60}")
	}
	l.repo.commit("env/preview", files)
	platform := memory.New(memory.Options{Now: clock})
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	o := s.options()
	o.Source, o.Proposer, o.Store, o.Now, o.Pace = l.repo, l.repo, store, clock, Pace{}
	o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
		return platform.Environment("shop", e.Name), nil
	}
	var err error
	if l.d, err = New(b.Context(), o); err != nil {
		b.Fatal(err)
	}
	if err := l.d.refresh(b.Context(), "poll"); err != nil {
		b.Fatal(err)
	}
	l.e = l.d.environment("preview")
	for range 12 {
		l.pass(b)
		l.now = l.now.Add(time.Second)
	}
	if got := len(platform.Names()); got != n {
		b.Fatalf("%d of %d live", got, n)
	}
	return l
}

func (l *large) pass(b testing.TB) Report {
	r, err := l.e.pass(b.Context(), l.d.world.Load())
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkQuietPass is a pass that finds nothing to do, over 10,000
// resources that were looked at before. The budget is 250 ms.
func BenchmarkQuietPass(b *testing.B) {
	l := newLarge(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		l.now = l.now.Add(10 * time.Millisecond)
		if r := l.pass(b); r.Steps != 0 {
			b.Fatalf("%+v", r)
		}
		l.e.look.at = l.now // the survey is the platform's cost
	}
}

// BenchmarkOneChangedFile is a commit that changes one file of 10,000, from
// the ref change to its plan against what lives. The budget is 200 ms.
func BenchmarkOneChangedFile(b *testing.B) {
	l := newLarge(b, 10_000)
	head := l.repo.commits[l.repo.branches["env/preview"]]
	base := head.Tree.(fstest.MapFS)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		t := maps.Clone(base)
		text := queueYAML("q00000", fmt.Sprintf("{visibilityTimeout: %d}", 61+i%1000))
		t["queues/00/q00000.yaml"] = &fstest.MapFile{Data: []byte(text), Sys: sources.ContentID(fmt.Sprint("changed ", i))}
		l.repo.add("env/preview", sources.Snapshot{Tree: t, TreeID: fmt.Sprint(i), Commit: sources.Commit{Parents: []string{head.Commit.SHA}}})
		b.StartTimer()
		if err := l.d.refresh(b.Context(), "poll"); err != nil {
			b.Fatal(err)
		}
		p, err := l.e.glimpse(b.Context(), l.d.world.Load())
		if err != nil {
			b.Fatal(err)
		}
		road, err := p.road(p.head.release)
		if err != nil || len(road) == 0 || len(road) > 2 {
			b.Fatalf("%d steps: %v", len(road), err)
		}
	}
}
