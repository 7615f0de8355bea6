package reconciler

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// reads counts the files of commits that are opened, besides those of one.
type reads struct {
	sources.Source
	besides string
	n       int
}

func (r *reads) Open(ctx context.Context, sha string) (sources.Snapshot, error) {
	snap, err := r.Source.Open(ctx, sha)
	if files, ok := snap.Tree.(fstest.MapFS); ok && sha != r.besides {
		snap.Tree = readFS{files, &r.n}
	}
	return snap, err
}

type readFS struct {
	fstest.MapFS
	n *int
}

func (f readFS) ReadDir(name string) ([]fs.DirEntry, error) {
	*f.n++
	return f.MapFS.ReadDir(name)
}

// judged is what lookBack says of every known release, with what it knows from
// before or without; n is how many times a tree was read.
func (s *simulation) judged(afresh bool) (why map[string]string, n int) {
	e := s.d.environment("production")
	p := &pass{e: e, w: s.d.world.Load(), st: e.state(), now: s.now(), target: &manifest.Release{}}
	p.spec, _ = p.w.pipeline.Environment("production")
	before, source := e.lost, s.d.opts.Source
	counted := &reads{Source: source, besides: e.state().Rollout.Release.Commit}
	s.d.opts.Source = counted
	e.lost.from = "another"
	if afresh {
		e.lost = unreturnable{}
	}
	p.lookBack(context.Background())
	why, s.d.opts.Source = e.lost.why, source
	e.lost = before
	return why, counted.n
}

// Releases are rendered once to tell which can be returned to, however versions
// come and go; when what they are made of changes, once more. What is known is
// what a look afresh would say.
func TestReleasesAreLookedBackAtOnce(t *testing.T) {
	s, _, _ := kept(t)
	agree := func(when string) (read int) {
		t.Helper()
		known, read := s.judged(false)
		if fresh, _ := s.judged(true); !maps.Equal(known, fresh) || len(fresh) < 3 {
			t.Errorf("%s: known %v, afresh %v", when, known, fresh)
		}
		return read
	}
	for n := 4; n < keepVersions+4; n++ {
		s.bring(n)
		if !s.until(time.Hour, s.ended(fmt.Sprint(n))) {
			t.Fatalf("release %d: %v", n, s.open())
		}
		s.run(10 * time.Minute)
		if read := agree(fmt.Sprint("release ", n)); read > 0 {
			t.Errorf("release %d: trees were read %d times again", n, read)
		}
	}
	lost := 0
	why, _ := s.judged(false)
	for _, w := range why {
		if w != "" {
			lost++
		}
	}
	if lost == 0 || lost >= len(why)-1 { // the one in force can be
		t.Errorf("%d of %d cannot be returned to: nothing is tried", lost, len(why))
	}
	e := s.d.environment("production")
	for ref, live := range e.look.inventory.Live {
		if live.Attributes["arn"] != "" && ref.Kind != manifest.KindFunction {
			live.Attributes = maps.Clone(live.Attributes)
			live.Attributes["arn"] += "x"
			e.look.inventory.Live[ref] = live
		}
	}
	if read := agree("other attributes"); read == 0 {
		t.Error("what releases are made of changed, and none was rendered again")
	}
	s.repo.collect()
	for _, a := range s.watch.environment("production").Known[:1] {
		delete(s.repo.fetched, a.Release.Commit)
	}
	agree("a commit is gone")
}

// BenchmarkLookBack tells of 50 releases of 200 functions which can be returned
// to, after another came: trees is how many are read for it.
func BenchmarkLookBack(b *testing.B) {
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	files := map[string]string{}
	for i := range 200 {
		name := fmt.Sprintf("f%03d", i)
		files[name+".yaml"] = functionYAML(name, code(1)) + "  role: {arn: \"arn:aws:iam::111111111111:role/mailer\"}\n  rollout: {strategy: allAtOnce}\n"
	}
	first := files["f000.yaml"]
	for n := range 50 {
		files["f000.yaml"] = first + fmt.Sprintf("  memorySize: %d\n", 128+n)
		s.repo.commit("env/production", files)
		if n == 0 {
			s.restart()
		}
		s.run(time.Minute)
	}
	if n := len(s.watch.environment("production").Known); n != 50 {
		b.Fatalf("%d releases are known: %v", n, s.open())
	}
	for name, afresh := range map[string]bool{"known": false, "afresh": true} {
		b.Run(name, func(b *testing.B) {
			trees := 0
			for b.Loop() {
				_, n := s.judged(afresh)
				trees += n
			}
			b.ReportMetric(float64(trees)/float64(b.N), "trees/op")
		})
	}
}
