package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/reconciler/journal"
)

// gated answers when the gate is open, and counts who is inside meanwhile.
type gated struct {
	*shelved
	gate   chan struct{}
	inside atomic.Int64
	most   atomic.Int64
	walk   chan struct{} // what reads the journal waits for it
}

func (g *gated) Decisions(ctx context.Context, q journal.DecisionQuery) (DecisionPage, error) {
	<-g.walk
	return DecisionPage{}, nil
}

func (g *gated) Status() Status {
	n := g.inside.Add(1)
	defer g.inside.Add(-1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	<-g.gate
	return g.shelved.Status()
}

// stalls is who takes nothing of what is sent until it is let.
type stalls struct {
	*httptest.ResponseRecorder
	until chan struct{}
}

func (s *stalls) Write(p []byte) (int, error) { <-s.until; return s.ResponseRecorder.Write(p) }

func newGated(t *testing.T) (*gated, http.Handler) {
	g := &gated{shelved: shop(10), gate: make(chan struct{}), walk: make(chan struct{})}
	return g, serve(t, &g.fake, func(o *Options) { o.View = g })
}

// Half of the processors work on answers and no more, however many ask. Who
// leaves, panics or takes an answer slowly keeps no turn; who waits too long, or
// behind too many, is told to come again.
func TestAnswersTakeTurns(t *testing.T) {
	room := int64(max(1, runtime.GOMAXPROCS(0)/2))
	look := func(h http.Handler, w http.ResponseWriter, ctx context.Context, path string) {
		r := httptest.NewRequestWithContext(ctx, "GET", path, nil)
		r.Host, r.RemoteAddr = "127.0.0.1:8420", "127.0.0.1:5000"
		r.Header.Set("Authorization", "Bearer the-token")
		h.ServeHTTP(w, r)
	}
	synctest.Test(t, func(t *testing.T) {
		g, h := newGated(t)
		var wg sync.WaitGroup
		answers := make([]*httptest.ResponseRecorder, 40)
		paths := []string{"/", "/environments/preview", "/api/v1/status"}
		for i := range answers {
			answers[i] = httptest.NewRecorder()
			wg.Go(func() { look(h, answers[i], t.Context(), paths[i%len(paths)]) })
		}
		synctest.Wait()
		if n := g.inside.Load(); n != room {
			t.Errorf("%d answers are worked on, and %d processors are there", n, runtime.GOMAXPROCS(0))
		}
		close(g.gate)
		wg.Wait()
		for i, w := range answers {
			if w.Code != http.StatusOK || w.Body.Len() < 200 || g.most.Load() > room {
				t.Errorf("%s: %d, %d bytes, beside %d others", paths[i%len(paths)], w.Code, w.Body.Len(), g.most.Load())
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g, h := newGated(t)
		var wg sync.WaitGroup
		gone, leave := context.WithCancel(t.Context())
		many := int(room) + turnsWaiting
		late := make([]*httptest.ResponseRecorder, many)
		for i := range late {
			late[i] = httptest.NewRecorder()
			wg.Go(func() { look(h, late[i], gone, "/api/v1/status") })
		}
		synctest.Wait()
		over := httptest.NewRecorder()
		look(h, over, t.Context(), "/api/v1/status")
		if over.Code != http.StatusServiceUnavailable || over.Header().Get("Retry-After") == "" || !strings.Contains(over.Body.String(), "ask again") {
			t.Errorf("behind %d others: %d %s", many, over.Code, over.Body)
		}
		time.Sleep(turnPatience + time.Second)
		synctest.Wait()
		refused := 0
		for _, w := range late {
			if w.Code == http.StatusServiceUnavailable {
				refused++
			}
		}
		if refused != turnsWaiting {
			t.Errorf("%d of %d were told to come again after %v", refused, turnsWaiting, turnPatience)
		}
		leave()
		close(g.gate)
		wg.Wait()
		g.panics = true
		for range 2 * room {
			w := httptest.NewRecorder()
			if look(h, w, t.Context(), "/api/v1/status"); w.Code != http.StatusInternalServerError {
				t.Errorf("a panic: %d", w.Code)
			}
		}
		g.panics = false
		slow := make(chan struct{})
		for range 2 * room {
			wg.Go(func() { look(h, &stalls{httptest.NewRecorder(), slow}, t.Context(), "/") })
		}
		synctest.Wait()
		w := httptest.NewRecorder()
		if look(h, w, t.Context(), "/"); w.Code != http.StatusOK {
			t.Errorf("beside some that take it slowly: %d", w.Code)
		}
		close(slow)
		for range 3 {
			wg.Go(func() { look(h, httptest.NewRecorder(), t.Context(), "/api/v1/decisions") })
		}
		synctest.Wait()
		w = httptest.NewRecorder()
		if look(h, w, t.Context(), "/"); w.Code != http.StatusOK {
			t.Errorf("beside some that read all of the journal: %d", w.Code)
		}
		close(g.walk)
		wg.Wait()
	})
}

// A route that somebody may look at takes turns, or stands here with the reason.
func TestWhoLooksTakesTurns(t *testing.T) {
	_, h := newGated(t)
	waits := map[string]string{
		"GET /style.css": "a file", "GET /live.js": "a file", "GET /api/v1/openapi.json": "asked for once", "GET /api/v1/events": "a stream, with bounds of its own",
		"GET /api/v1/environments/{name}/plan": "asks the platform", "GET /api/v1/environments/{name}/input": "asks the platform",
		"GET /api/v1/environments/{name}/resources/{resource...}": "waits for a pass", "GET /environments/{name}/resources/{resource...}": "waits for a pass",
		"GET /debug/pprof/{profile}": "takes the time it is told", "GET /api/v1/journal": "copies a file",
	}
	looks := slices.DeleteFunc(slices.Clone(h.(*server).shut), func(pattern string) bool { return !strings.HasPrefix(pattern, "GET ") || waits[pattern] != "" })
	slices.Sort(looks)
	if turns := slices.Sorted(maps.Keys(inTurn)); !slices.Equal(turns, looks) {
		t.Errorf("turns are taken on\n%q\nand should be on\n%q", turns, looks)
	}
}

// What a view costs is what it shows: with fifty times the resources, the
// differences and the things that cannot be seen, it makes as much of nothing.
func TestViewsCostWhatTheyShow(t *testing.T) {
	type cost struct{ allocations, bytes, sent float64 }
	of := func(n int, path string) (c cost) {
		f := &drifting{shelved: shop(n), now: time.Now()}
		for i := range n {
			f.items = append(f.items, DriftItem{ID: fmt.Sprint("d", i), Resource: fmt.Sprintf("Function/f%05d", i), Path: "memorySize", Kind: "changed", Severity: []string{"low", "high"}[i%2], Since: f.now.Add(-time.Duration(i%999) * time.Second), Response: "alert"})
		}
		h := serve(t, &f.fake, func(o *Options) { o.View = f })
		look := func() {
			w := ask(h, "GET", path, "", "Authorization", "Bearer the-token")
			if c.sent = float64(w.Body.Len()); w.Code != http.StatusOK {
				t.Fatalf("%s: %d", path, w.Code)
			}
		}
		c.allocations = testing.AllocsPerRun(3, look)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 3 {
			look()
		}
		runtime.ReadMemStats(&after)
		c.bytes = float64(after.TotalAlloc-before.TotalAlloc) / 3
		return c
	}
	for _, path := range []string{"/", "/environments/preview", "/environments/preview?q=F001", "/environments/preview?state=in_place&drift=2", "/decisions", "/api/v1/status", "/api/v1/environments/preview/resources?limit=100&q=f0"} {
		few, many := of(200, path), of(10_000, path)
		t.Logf("%s: %+v with 200, %+v with 10,000", path, few, many)
		if many.allocations > 1.1*few.allocations+10 || many.sent > 1.1*few.sent+100 || many.bytes > 1.5*few.bytes+20_000 {
			t.Errorf("%s costs %+v with 200 resources, and %+v with 10,000", path, few, many)
		}
	}
}

// drifting is a shop where things were changed by hand.
type drifting struct {
	*shelved
	now   time.Time
	items []DriftItem
}

func (d *drifting) Drift(_ context.Context, environment string) (Drift, error) {
	return Drift{Environment: environment, ObservedAt: d.now, Items: d.items}, nil
}
