package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// journalOf is systemd's end of the socket.
func journalOf(t *testing.T, name string) (heard func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func() string {
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1000)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("systemd heard nothing: %v", err)
		}
		return string(buf[:n])
	}
}

// shortDir has a path that fits a socket's address.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mooring-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSystemdHearsADaemon(t *testing.T) {
	socket := filepath.Join(shortDir(t), "notify")
	heard := journalOf(t, socket)
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "30000")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusNotFound)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { supervise(ctx, zap.NewNop(), "http://"+listener.Addr().String()); close(ended) }()
	if got := heard(); !strings.HasPrefix(got, "READY=1\n") || !strings.Contains(got, listener.Addr().String()) {
		t.Errorf("first heard: %q", got)
	}
	for range 3 {
		if got := heard(); got != "WATCHDOG=1" {
			t.Errorf("then heard: %q", got)
		}
	}
	stop()
	for got := heard(); got != "STOPPING=1\nSTATUS=stopping"; got = heard() {
		if got != "WATCHDOG=1" {
			t.Fatalf("at last heard: %q", got)
		}
	}
	<-ended
}

// TestNoSignOfLife: a daemon that does not answer gives none, and one that
// answers again gives them again.
func TestNoSignOfLife(t *testing.T) {
	socket := filepath.Join(shortDir(t), "notify")
	heard := journalOf(t, socket)
	// The first six askings go unanswered, the seventh does not.
	asked := 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := supervisor{socket: socket, every: time.Millisecond, log: zap.NewNop()}
	ended := make(chan struct{})
	go func() {
		s.watched(ctx, func(context.Context) error {
			if asked++; asked < 7 {
				return errors.New("no answer")
			}
			stop()
			s.tell("answered")
			return nil
		})
		close(ended)
	}()
	if got := heard(); got != "answered" {
		t.Errorf("heard %q of a daemon that does not answer", got)
	}
	<-ended
}

// TestSignsOfLifeInTime: whatever one asking takes, systemd's limit is kept by
// those that are answered, and one that hangs is given up.
func TestSignsOfLifeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := 30 * time.Second
		environment := map[string]string{"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}
		s := supervised(func(k string) (string, bool) { v, ok := environment[k]; return v, ok }, 7, zap.NewNop())
		ctx, stop := context.WithCancel(t.Context())
		var began []time.Time
		go s.watched(ctx, func(ask context.Context) error {
			began = append(began, time.Now())
			<-ask.Done() // hangs
			return ask.Err()
		})
		time.Sleep(10 * limit)
		stop()
		synctest.Wait()
		for i := 1; i < len(began); i++ {
			if began[i].Sub(began[i-1]) > limit/2 {
				t.Errorf("%v between two askings; systemd waits for %v", began[i].Sub(began[i-1]), limit)
			}
		}
		if len(began) < 20 {
			t.Errorf("asked only %d times", len(began))
		}
	})
}

func TestWhoseWatchdog(t *testing.T) {
	for name, c := range map[string]struct {
		environment map[string]string
		every       time.Duration
	}{
		"nobody's":             {map[string]string{}, 0},
		"without a limit":      {map[string]string{"NOTIFY_SOCKET": "/x"}, 0},
		"of this process":      {map[string]string{"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, time.Second},
		"of any":               {map[string]string{"WATCHDOG_USEC": "3000000"}, time.Second},
		"of another":           {map[string]string{"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, 0},
		"of no use":            {map[string]string{"WATCHDOG_USEC": "soon"}, 0},
		"of less than nothing": {map[string]string{"WATCHDOG_USEC": "-1"}, 0},
	} {
		s := supervised(func(k string) (string, bool) { v, ok := c.environment[k]; return v, ok }, 7, zap.NewNop())
		if s.every != c.every {
			t.Errorf("a watchdog %s is told every %v, want %v", name, s.every, c.every)
		}
		s = supervisor{log: zap.NewNop()}
		s.tell("nobody listens") // must not fail
	}
}
