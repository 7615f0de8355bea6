package web

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/reconciler/access"
)

// beating is a daemon whose changes all listeners hear of by one channel, as
// the real one's.
type beating struct {
	shelved
	mu    sync.Mutex
	next  chan struct{}
	reads atomic.Int64 // of the history
}

func (b *beating) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *beating) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shelved.Status()
}

func (b *beating) History(name string, n int) []Event {
	b.reads.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shelved.History(name, n)
}

// change changes something, and tells.
func (b *beating) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

func twoEnvironments() *beating {
	b := &beating{shelved: *shop(1)}
	b.status.Environments = append(b.status.Environments, EnvironmentStatus{Name: "production", State: "in_sync"})
	b.news = []Event{{Environment: "preview", Seq: 1, Text: "old"}}
	return b
}

// office serves a daemon in a bubble, over connections in memory.
type office struct {
	t       *testing.T
	conns   chan net.Conn
	server  *http.Server
	closing chan struct{}
	open    atomic.Int64 // connections of the server
}

func newOffice(t *testing.T, b *beating, change func(*Options)) *office {
	o := &office{t: t, conns: make(chan net.Conn), closing: make(chan struct{})}
	o.server = &http.Server{Handler: serve(t, &b.fake, func(w *Options) {
		w.View, w.Closing = b, o.closing
		if change != nil {
			change(w)
		}
	})}
	go func() { _ = o.server.Serve(o) }()
	t.Cleanup(func() { close(o.closing); _ = o.server.Close() })
	return o
}

func (o *office) Accept() (net.Conn, error) {
	select {
	case c := <-o.conns:
		return &counted{Conn: c, open: &o.open}, nil
	case <-o.closing:
		return nil, net.ErrClosed
	}
}
func (o *office) Close() error   { return nil }
func (o *office) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// dial opens a stream and reads nothing of it.
func (o *office) dial(token string) net.Conn {
	ours, theirs := net.Pipe()
	o.open.Add(1)
	o.conns <- theirs
	if _, err := fmt.Fprintf(ours, "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", token); err != nil {
		o.t.Fatal(err)
	}
	return ours
}

// reader reads what a stream says.
type reader struct {
	conn net.Conn
	mu   sync.Mutex
	data []string // of the messages so far
}

func (o *office) listen(token string) *reader {
	r := &reader{conn: o.dial(token)}
	go func() {
		lines := bufio.NewScanner(r.conn)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				r.mu.Lock()
				r.data = append(r.data, data)
				r.mu.Unlock()
			}
		}
	}()
	return r
}

// took is what was said since the last time.
func (r *reader) took() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	data := r.data
	r.data = nil
	return data
}

// A change is read once, however many listen to it; a listener who takes
// nothing keeps nobody else waiting, and is let go; who ends leaves nothing.
func TestAThousandListenersAreToldOfOneReading(t *testing.T) {
	const many = 1000
	synctest.Test(t, func(t *testing.T) {
		b := twoEnvironments()
		o := newOffice(t, b, nil)
		deaf := o.dial("the-token")
		synctest.Wait()
		quiet := runtime.NumGoroutine()
		var all []*reader
		for range many {
			all = append(all, o.listen("the-token"))
		}
		synctest.Wait()
		if n := b.reads.Load(); n != 1 {
			t.Errorf("for %d streams that open nothing changes between, the history was read %d times", many, n)
		}
		for i := range 3 {
			b.reads.Store(0)
			b.change(func() { b.news = append([]Event{{Environment: "preview", Seq: uint64(2 + i), Text: "new"}}, b.news...) })
			synctest.Wait() // no time passes
			for _, r := range all {
				if data := r.took(); len(data) != 2 || !strings.Contains(data[0], `"new"`) || data[1] != `{"environments":["preview"]}` {
					t.Fatalf("one was told %q", data)
				}
			}
			if n := b.reads.Load(); n != 1 {
				t.Errorf("for one change the history was read %d times", n)
			}
			time.Sleep(streamPause)
		}
		time.Sleep(streamPatience)
		synctest.Wait()
		if n := o.open.Load(); n != many {
			t.Errorf("%d connections are open beside who takes nothing", n-many)
		}
		for _, r := range all {
			_ = r.conn.Close()
		}
		synctest.Wait()
		if n, routines := o.open.Load(), runtime.NumGoroutine(); n != 0 || routines > quiet {
			t.Errorf("%d connections, and %d goroutines where %d were, are left", n, routines, quiet)
		}
		_ = deaf.Close()
	})
}

// What changed is said to those who may see it, and where.
func TestAChangeSaysWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoEnvironments()
		tokens, token := people(t, time.Now())
		o := newOffice(t, b, func(w *Options) { w.Tokens = func() (access.Tokens, error) { return tokens, nil } })
		everywhere, here := o.listen("the-token"), o.listen(token)
		synctest.Wait()
		for name, c := range map[string]struct {
			change               func()
			everywhere, previews string
		}{
			"a state":            {func() { b.status.Environments[1].State = "drifted" }, `{"environments":["production"]}`, ""},
			"a hold":             {func() { b.status.Environments[0].Holds = nil }, `{"environments":["preview"]}`, `{"environments":["preview"]}`},
			"both":               {func() { b.status.Environments[0].State, b.status.Environments[1].State = "held", "in_sync" }, `{"environments":["preview","production"]}`, `{"environments":["preview"]}`},
			"a fault":            {func() { b.status.Faults = append(b.status.Faults, "policy: none") }, `{}`, `{}`},
			"nothing known":      {func() {}, `{}`, `{}`},
			"what is only older": {func() { b.status.Environments[0].OldestSeconds++ }, `{}`, `{}`},
		} {
			b.change(func() {
				b.status.Environments = append([]EnvironmentStatus(nil), b.status.Environments...)
				for i := range b.status.Environments { // each change is one, in whatever order they are tried
					b.status.Environments[i].State, b.status.Environments[i].Holds = "progressing", []HoldStatus{{ID: "hold_1"}}
				}
			})
			synctest.Wait()
			time.Sleep(streamPause)
			everywhere.took()
			here.took()
			b.change(func() {
				b.status.Environments = append([]EnvironmentStatus(nil), b.status.Environments...)
				c.change()
			})
			synctest.Wait()
			if got := strings.Join(everywhere.took(), "|"); got != c.everywhere {
				t.Errorf("%s: who may see all was told %q, want %q", name, got, c.everywhere)
			}
			if got := strings.Join(here.took(), "|"); got != c.previews {
				t.Errorf("%s: who may see preview was told %q, want %q", name, got, c.previews)
			}
			time.Sleep(streamPause)
		}
	})
}
