package reconciler

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/reconciler/web"
)

// gallery is the page and the API of a daemon, and those who use them.
type gallery struct {
	t       testing.TB
	server  *httptest.Server
	client  *http.Client
	closing chan struct{}
	told    chan struct{} // one for each change that a listener was told of
	busy    sync.WaitGroup
}

func newGallery(t testing.TB, d *Daemon, listeners int) *gallery {
	t.Helper()
	c := &gallery{t: t, closing: make(chan struct{}), told: make(chan struct{}, 4*listeners), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	h, err := web.New(web.Options{View: d, Control: d, Audit: d, Metrics: web.NewMetrics("test"), Token: "the-token", Loopback: true, Version: "test", Now: time.Now, Closing: c.closing})
	if err != nil {
		t.Fatal(err)
	}
	c.server = httptest.NewServer(h)
	t.Cleanup(func() {
		close(c.closing)
		c.busy.Wait()
		c.client.CloseIdleConnections()
		c.server.Close()
	})
	for range listeners {
		resp := c.get(t.Context(), "/api/v1/events")
		lines := bufio.NewReaderSize(resp.Body, 512)
		if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "retry:") {
			t.Fatalf("a stream began with %q: %v", line, err)
		}
		c.busy.Go(func() { c.listen(resp.Body, lines) })
	}
	return c
}

func (c *gallery) listen(body io.Closer, lines *bufio.Reader) {
	defer body.Close()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "event: change") {
			select {
			case c.told <- struct{}{}:
			default: // nobody counts
			}
		}
	}
}

func (c *gallery) get(ctx context.Context, path string) *http.Response {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server.URL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer the-token")
	resp, err := c.client.Do(r)
	if err != nil {
		c.t.Error(err)
		return nil
	}
	return resp
}

// ask asks so many times a second, whether or not answers come.
func (c *gallery) ask(perSecond int, paths ...string) {
	c.busy.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-c.closing:
				return
			case <-tick.C:
			}
			c.busy.Go(func() {
				if resp := c.get(context.Background(), paths[i%len(paths)]); resp != nil {
					_, _ = io.Copy(io.Discard, resp.Body) // the daemon may stop meanwhile
					_ = resp.Body.Close()
				}
			})
		}
	})
}

// besides are what goes on beside a pass, by the words of docs/operations.md.
var besides = []struct {
	name           string
	listeners, ask int // ask: requests a second
	told           bool
}{
	{"nobody", 0, 0, false},
	{"1,000 idle streams", 1000, 0, false},
	{"1,000 streams told of each pass", 1000, 0, true},
	{"the same, and 100 requests a second", 1000, 100, true},
}

// BenchmarkPassBesideListeners is what a pass over 1,000 resources takes beside
// nobody, beside idle streams, and beside those that are told of every pass
// while others ask. It prints the figures of docs/operations.md:
//
//	go test ./reconciler -run '^$' -bench PassBesideListeners -benchtime 300x
func BenchmarkPassBesideListeners(b *testing.B) {
	for _, c := range besides {
		b.Run(c.name, func(b *testing.B) {
			l := newLarge(b, 1000)
			g := newGallery(b, l.d, c.listeners)
			if c.ask > 0 {
				g.ask(c.ask, "/api/v1/status", "/api/v1/history", "/api/v1/environments/preview/drift", "/environments/preview")
			}
			took := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			for b.Loop() {
				l.now = l.now.Add(10 * time.Millisecond)
				start := time.Now()
				l.pass(b)
				took = append(took, time.Since(start))
				if l.e.look.at = l.now; c.told {
					l.d.beat.again()
				}
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1e3, "ms/median")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "ms/99th")
		})
	}
}

// What listens costs a pass nothing while it is told nothing. The figures of
// docs/operations.md are of what the benchmark does.
func TestListenersCostAPassNothing(t *testing.T) {
	l := newLarge(t, 50)
	pass := func() {
		l.now = l.now.Add(10 * time.Millisecond)
		l.pass(t)
		l.e.look.at = l.now
	}
	alone := testing.AllocsPerRun(20, pass)
	newGallery(t, l.d, 200)
	if beside := testing.AllocsPerRun(20, pass); beside > alone*1.1 {
		t.Errorf("a quiet pass makes %v allocations alone, and %v beside streams that are told nothing", alone, beside)
	}
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range besides {
		if !strings.Contains(string(text), "\n| "+c.name+" | ") {
			t.Errorf("docs/operations.md has no row of %s", c.name)
		}
	}
}

// BenchmarkBroadcast is from a change until the last of so many listeners was
// told of it:
//
//	go test ./reconciler -run '^$' -bench Broadcast -benchtime 5x
func BenchmarkBroadcast(b *testing.B) {
	for _, listeners := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("listeners=%d", listeners), func(b *testing.B) {
			l := newLarge(b, 100)
			c := newGallery(b, l.d, listeners)
			b.ReportAllocs()
			var took time.Duration
			for b.Loop() {
				start := time.Now()
				l.d.beat.again()
				for range listeners {
					<-c.told
				}
				took += time.Since(start)
				b.StopTimer()
				time.Sleep(1100 * time.Millisecond) // what comes within a second is told together
				b.StartTimer()
			}
			b.ReportMetric(took.Seconds()*1e3/float64(b.N), "ms/last")
			b.ReportMetric(took.Seconds()*1e6/float64(b.N*listeners), "µs/listener")
		})
	}
}

// BenchmarkViewsOfALargeFleet is what the views of 10,000 resources take to be
// drawn, and their bytes:
//
//	go test ./reconciler -run '^$' -bench ViewsOfALargeFleet -benchtime 20x
func BenchmarkViewsOfALargeFleet(b *testing.B) {
	l := newLarge(b, 10_000)
	g := newGallery(b, l.d, 0)
	for _, view := range []string{"/", "/environments/preview", "/environments/preview?q=q00042", "/environments/preview?state=missing", "/api/v1/status"} {
		b.Run(strings.NewReplacer("/", ".", "?", " ").Replace(view), func(b *testing.B) {
			size := int64(0)
			for b.Loop() {
				resp := g.get(b.Context(), view)
				if resp == nil || resp.StatusCode != http.StatusOK {
					b.Fatal(view)
				}
				n, err := io.Copy(io.Discard, resp.Body)
				if size = n; err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
			b.ReportMetric(float64(size)/1024, "KB")
		})
	}
}
