package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mooring.dev/sources/sourcetest"
)

// slowMost is how many clients that never end their headers there are, where
// this process may open as many files, and slowBytes what each may cost: its
// two buffers and a stack.
const (
	slowMost  = 3000
	slowBytes = 24 << 10
)

// slowClients is slowMost, or what the limit of open files leaves.
func slowClients(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := min(slowMost, int(limit.Cur)/2-200)
	if n < 200 {
		t.Fatalf("only %d files may be open", limit.Cur)
	}
	return n
}

// resident is the memory of the daemon, in bytes; 0 where nobody tells.
func (s *killStage) resident() (bytes int) {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.daemon.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	if _, err := fmt.Sscan(after, &bytes); err != nil {
		s.t.Fatal(err)
	}
	return bytes << 10
}

// says opens a connection and says something without an end.
func (s *killStage) says(words string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.listen)
	if err == nil {
		s.t.Cleanup(func() { _ = conn.Close() })
		_, err = io.WriteString(conn, words)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// posts sends a signed webhook in chunks without an end, and gives the answer's
// status, 0 where the connection was closed without, and how long it took.
func (s *killStage) posts(chunk string, every time.Duration) (status int, took time.Duration) {
	began := time.Now()
	conn := s.says("POST /webhooks/generic HTTP/1.1\r\nHost: " + s.listen + "\r\nX-Mooring-Signature: sha256=" + strings.Repeat("0", 64) + "\r\nTransfer-Encoding: chunked\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(chunk), chunk); err != nil {
				return
			}
			time.Sleep(every)
		}
	})
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // far beyond what is allowed
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	took = time.Since(began)
	if err == nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
	}
	_ = conn.Close()
	wg.Wait()
	return status, took
}

// TestLesson18SlowClientsOfTheProgram: thousands of clients that never end their
// headers, and bodies without an end, fast and slow, are cut in time; meanwhile
// the daemon is ready, answers, and takes little memory for them.
func TestLesson18SlowClientsOfTheProgram(t *testing.T) {
	t.Parallel()
	s, git := openStage(t), sourcetest.NewGit(t, true)
	git.Commit(sourcetest.Change{Branch: "main", Files: map[string]string{"mooring.yaml": strings.Replace(strings.Replace(killPipeline, "rollout_stages", killStages, 1),
		"spec:\n", "spec:\n  host: {generic: {webhookSecret: {fromEnv: HOOK_SECRET}}}\n", 1)}})
	git.Commit(sourcetest.Change{Branch: "env/preview", Files: auditLogs(1)})
	s.launch([]string{"--repo", git.Dir, "--insecure-loopback"}, []string{"HOOK_SECRET=correct-horse", "AWS_ACCESS_KEY_ID=mooring", "AWS_SECRET_ACCESS_KEY=any",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull})
	ready := func() (bool, time.Duration) {
		began := time.Now()
		resp, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + s.listen + "/readyz")
		if err != nil {
			return false, time.Since(began)
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK, time.Since(began)
	}
	s.poll("it is ready", func() bool { ok, _ := ready(); return ok })
	before, n := s.resident(), slowClients(t)
	began := time.Now()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = s.says("GET /api/v1/status HTTP/1.1\r\nHost: " + s.listen + "\r\nX-Slow: ")
	}
	var wg sync.WaitGroup
	for name, c := range map[string]struct {
		chunk string
		every time.Duration
		want  int
	}{
		"fast": {strings.Repeat("x", 64<<10), 0, http.StatusRequestEntityTooLarge},
		"slow": {"x", 100 * time.Millisecond, http.StatusBadRequest},
	} {
		wg.Go(func() {
			status, took := s.posts(c.chunk, c.every)
			if took > 30*time.Second || status != c.want && status != 0 {
				t.Errorf("a %s body without an end: %d after %s, want %d", name, status, took, c.want)
			}
		})
	}
	ok, took := ready()
	if !ok || took > 5*time.Second {
		t.Errorf("ready: %v after %s", ok, took)
	}
	grown := s.resident() - before
	if before > 0 && grown > n*slowBytes {
		t.Errorf("%d clients cost %d MiB", n, grown>>20)
	}
	wg.Wait()
	for i, conn := range conns {
		_ = conn.SetReadDeadline(began.Add(time.Minute))
		if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
			t.Fatalf("client %d is still waited for after %s", i, time.Since(began))
		}
	}
	t.Logf("%d clients cost %d MiB; the last was cut after %s", n, grown>>20, time.Since(began))
}

// TestLesson18WhoTakesNothingIsLetGo: a client that asks again and again and
// reads none of the answers does not keep its connection, nor what answers it.
func TestLesson18WhoTakesNothingIsLetGo(t *testing.T) {
	page := strings.Repeat("x", 64<<10)
	server := serverOf(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }), nil)
	if server.WriteTimeout < time.Minute || server.ReadTimeout == 0 || server.ReadHeaderTimeout == 0 || server.IdleTimeout == 0 {
		t.Fatalf("bounds %s, %s, %s, %s", server.WriteTimeout, server.ReadTimeout, server.ReadHeaderTimeout, server.IdleTimeout)
	}
	server.WriteTimeout /= 300
	ended := make(chan struct{}, 1)
	server.ConnState = func(_ net.Conn, is http.ConnState) {
		if is == http.StateClosed {
			ended <- struct{}{}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for {
			if _, err := io.WriteString(conn, "GET /login HTTP/1.1\r\nHost: mooring\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the connection is still there")
		_ = conn.Close()
	}
	<-asked
}
