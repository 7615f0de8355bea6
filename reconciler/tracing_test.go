package reconciler

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// works is a sink that keeps what it takes.
type works struct {
	mu    sync.Mutex
	taken []trace.Finished
}

func (w *works) Take(f trace.Finished) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = append(w.taken, f)
}

// of are the spans of one trace, by name.
func (w *works) of(p trace.Place) map[string][]trace.Done {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string][]trace.Done{}
	for _, f := range w.taken {
		for _, d := range f.Spans {
			if d.Place.Trace == p.Trace {
				out[d.Name] = append(out[d.Name], d)
			}
		}
	}
	return out
}

func (w *works) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.taken)
}

// traced starts the simulation's daemon with a tracer.
func (s *simulation) traced(t *testing.T) *works {
	t.Helper()
	w := &works{}
	s.generation++
	s.jumps++
	o := s.options()
	o.Tracer = trace.New(w, s.now)
	s.startWith(t, o)
	s.watch.restarted()
	clear(s.due)
	return w
}

// TestATraceBeginsWhereTheCommitWasSeen and every pass about it is part of it;
// a daemon that starts again does not begin it once more; and what nothing
// happens in leaves nothing.
func TestATraceBeginsWhereTheCommitWasSeen(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	sha := s.repo.commit("env/preview", firstContent().files())
	w := s.traced(t)
	settled(t, s)
	root, way := trace.Of("preview", sha), w.of(trace.Of("preview", sha))
	if n := len(way["commit"]); n != 1 || way["commit"][0].Place != root {
		t.Fatalf("%d beginnings: %v", n, way["commit"])
	}
	for _, p := range way["pass"] {
		if p.Parent != root.Span {
			t.Errorf("a pass is under %x", p.Parent)
		}
	}
	for _, name := range []string{"fetch", "decide", "plan", "step", "rollout", "released"} {
		if len(way[name]) == 0 {
			t.Errorf("no %s", name)
		}
	}
	s.run(10 * time.Minute)
	before, mutations := w.count(), s.mutations()
	s.run(10 * time.Minute)
	if n := w.count(); n != before || s.mutations() != mutations {
		t.Errorf("%d works of passes in which nothing happened", n-before)
	}
	again := s.traced(t)
	s.run(10 * time.Minute)
	if got := again.of(root); len(got["commit"]) != 0 {
		t.Errorf("the trace began again: %v", got["commit"])
	}
	sound(t, s)
}

// TestDriftIsATraceOfItsOwn, from the look that saw it to the alert, linked to
// the release in force; and it holds no value.
func TestDriftIsATraceOfItsOwn(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	sha := s.repo.commit("env/preview", firstContent().files())
	w := s.traced(t)
	settled(t, s)
	s.run(5 * time.Minute)
	first := w.count()
	must(s.platform.Manual("alice").Set(s.function("preview", "checkout"), "environment.LOG_LEVEL", `"canary-value"`))
	s.run(5 * time.Minute)
	fixes := map[[16]byte]bool{}
	for _, f := range w.taken[first:] {
		for _, d := range f.Spans {
			if d.Name == "step" {
				fixes[d.Place.Trace] = true
			}
		}
	}
	if len(fixes) != 1 {
		t.Fatalf("it was put back in %d traces", len(fixes))
	}
	for id := range fixes {
		way := w.of(trace.Place{Trace: id})
		if id == trace.Of("preview", sha).Trace || len(way["pass"]) < 2 || len(way["decide"]) == 0 || len(way["alert"]) == 0 || len(way["deliver"]) == 0 {
			t.Errorf("%x has %v", id, way)
		}
		if !slices.Contains(way["pass"][0].Links, trace.Of("preview", sha)) {
			t.Errorf("it leads to %v", way["pass"][0].Links)
		}
	}
	text, err := json.Marshal(w.taken)
	if err != nil || strings.Contains(string(text), "canary") {
		t.Errorf("the traces tell values: %v", err)
	}
	sound(t, s)
}

// TestAReleaseKeepsItsTrace while a difference is open: what moves is never part of
// the drift's trace, and what does not is.
func TestAReleaseKeepsItsTrace(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	s.traced(t)
	settled(t, s)
	e, w := s.d.environment("preview"), s.d.world.Load()
	spec, _ := w.pipeline.Environment("preview")
	in := e.state().Rollout.Release
	item := record.DriftItem{ID: "drift-1", Ref: manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}, Since: s.now(), Response: record.Revert}
	drift := trace.Episode("preview", item.ID+"@"+item.Since.UTC().Format(time.RFC3339Nano))
	next := in
	next.Digest, next.Commit = "sha256:next", strings.Repeat("a", 40)
	for name, c := range map[string]struct {
		change func(*pass)
		want   trace.Place
	}{
		"nothing moves":   {func(*pass) {}, drift},
		"a release moves": {func(p *pass) { p.st.Rollout.Phase = rollout.Shift }, trace.Of("preview", in.Commit)},
		"a release waits": {func(p *pass) { p.st.Admitted = &record.Admission{Release: next} }, trace.Of("preview", next.Commit)},
		"a head is news":  {func(p *pass) { p.head.judge = true }, trace.Of("preview", s.repo.branches["env/preview"])},
		"it is ignored": {func(p *pass) {
			i := item
			i.Response = record.Ignore
			p.st.Drift = map[string]record.DriftItem{i.ID: i}
		}, trace.Of("preview", in.Commit)},
		"there is no drift":  {func(p *pass) { p.st.Drift = nil }, trace.Of("preview", in.Commit)},
		"one that is older ": {func(p *pass) { i := item; i.ID, i.Since = "drift-0", s.now().Add(time.Minute); p.st.Drift[i.ID] = i }, drift},
	} {
		st := *e.state()
		st.Drift = map[string]record.DriftItem{item.ID: item}
		p := &pass{e: e, w: w, spec: spec, st: &st, now: s.now()}
		c.change(p)
		p.begin(t.Context())
		if got := p.work.TraceID(); got != c.want.TraceID() {
			t.Errorf("%s: the pass is part of %s, want %s", name, got, c.want.TraceID())
		}
	}
}

// TestAPromotionIsTheEndOfOneTraceAndTheBeginningOfAnother: each leads to the
// other.
func TestAPromotionIsTheEndOfOneTraceAndTheBeginningOfAnother(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "staging", "production")
	source := s.repo.commit("env/staging", firstContent().files())
	w := s.traced(t)
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Admitted != nil }) {
		t.Fatal("nothing came to production")
	}
	settled(t, s)
	from, to := trace.Of("staging", source), trace.Of("production", s.repo.branches["env/production"])
	if moved := w.of(from)["promote"]; len(moved) != 1 || !slices.Contains(moved[0].Links, to) {
		t.Errorf("it moved by %+v", moved)
	}
	if begun := w.of(to)["commit"]; len(begun) != 1 || !slices.Contains(begun[0].Links, from) {
		t.Errorf("it came by %+v", begun)
	}
	sound(t, s)
}

// TestAWebhookIsWhereATraceBegins: at the time it was heard, linked to the trace
// it came in and no part of it.
func TestAWebhookIsWhereATraceBegins(t *testing.T) {
	const stranger = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var w works
	traced := func(o *Options) { o.Tracer = trace.New(&w, time.Now) }
	hookedWith(t, traced, func(t *testing.T, d *Daemon, s *slow) {
		s.late = 5 * time.Second
		c := firstContent()
		c.memory = 512
		sha := s.push("env/preview", c.files())
		heard := time.Now()
		d.Hint(web.Hint{Host: "github", Pushed: map[string]string{"env/preview": sha}, Traceparent: stranger})
		time.Sleep(time.Minute)
		synctest.Wait()
		way := w.of(trace.Of("preview", sha))
		if len(way["commit"]) != 1 || len(way["fetch"]) != 1 {
			t.Fatalf("began by %v", way)
		}
		from, _ := trace.Parse(stranger)
		begun := way["commit"][0]
		if !begun.Begin.Equal(heard) || !slices.Contains(begun.Links, from) || begun.Parent != [8]byte{} {
			t.Errorf("heard at %s: %+v", heard, begun)
		}
		if !way["fetch"][0].Begin.After(heard) || len(w.of(from)) != 0 {
			t.Errorf("%+v", way["fetch"])
		}
	})
}

// TestTracingIsFreeWhereItIsOff: what a pass calls of it costs no allocation.
func TestTracingIsFreeWhereItIsOff(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	s.repo.commit("env/preview", firstContent().files())
	s.restart()
	settled(t, s)
	e, w := s.d.environment("preview"), s.d.world.Load()
	spec, _ := w.pipeline.Environment("preview")
	p, ctx := &pass{e: e, w: w, spec: spec, st: e.state(), now: s.now()}, context.Background()
	if n := testing.AllocsPerRun(100, func() {
		in := p.begin(ctx)
		p.bind()
		p.traceRollout(in, "rollout", p.st.Rollout)
		_, span := p.tracePromotion(in, promote.Move{From: "staging", To: "production"})
		span.End()
		s.d.saw(w, w, birth)
		p.end(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
