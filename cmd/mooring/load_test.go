package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/reconciler/web"
)

var loadSize = flag.Int("load", 0, "how many resources TestLoadOfTheProgram has; with it the load is wrk's, and the table of docs/operations.md is printed (make load)")

// loadViews are what is asked for, one after the other.
var loadViews = []string{
	"/api/v1/status", "/api/v1/history", "/api/v1/environments/preview/resources", "/api/v1/environments/preview/drift",
	"/", "/environments/preview", "/environments/preview?q=q0000", "/environments/preview/resources/Queue/q00000", "/decisions",
}

// asked is what a load met: milliseconds, and what was not answered well.
type asked struct {
	perSecond, half, most float64
	bad                   string
}

// passed is what passes took, and how the daemon stood afterwards.
type passed struct {
	half, most time.Duration
	routines   int
	resident   float64 // MiB
}

// TestLoadOfTheProgram asks the real program as fast as it answers while it makes
// its passes and idle clients listen to its events: all is answered, passes go on,
// and no listener is lost. -load 1000 has wrk ask and a browser look, and prints figures.
func TestLoadOfTheProgram(t *testing.T) {
	size, listeners, lasts, ask := 20, 50, 100*time.Millisecond, askAgain
	if *loadSize > 0 {
		if _, err := exec.LookPath("wrk"); err != nil {
			t.Fatalf("the load is made by wrk, which is not on this machine (Debian: apt-get install wrk): %v", err)
		}
		size, listeners, lasts, ask = *loadSize, 1000, 15*time.Second, askWrk
	} else {
		t.Parallel()
	}
	s := openStage(t)
	s.repository(killStages, func(string) { s.write("shop/queues.yaml", loadQueues(size)) })
	began := time.Now()
	s.begin()
	if size > unseenBeyond {
		s.letIn(t)
	}
	s.awaitWithin(s.head(), time.Minute+time.Duration(size)*200*time.Millisecond)
	t.Logf("%d queues are in force after %v", size, time.Since(began).Round(time.Second))

	report := []string{"| asked | answers a second | median | 99th | a pass, median | 99th | goroutines | resident |", "|---|---|---|---|---|---|---|---|"}
	row := func(name string, a asked, p passed) {
		report = append(report, fmt.Sprintf("| %s | %.0f | %.1f ms | %.1f ms | %.0f ms | %.0f ms | %d | %.0f MB |", name, a.perSecond, a.half, a.most,
			p.half.Seconds()*1e3, p.most.Seconds()*1e3, p.routines, p.resident))
	}
	s.answered()
	row("nobody", asked{}, s.passes(lasts, func() {}))
	lost := s.listeners(listeners)
	row("nobody, "+strconv.Itoa(listeners)+" listen", asked{}, s.passes(lasts, func() {}))
	for _, view := range loadViews {
		var a asked
		p := s.passes(lasts, func() { a = ask(t, "http://"+s.listen+view, lasts) })
		row("`"+view+"`", a, p)
		if a.bad != "" || a.perSecond == 0 {
			t.Errorf("%s under load: %.1f answers a second, %s", view, a.perSecond, a.bad)
		}
	}
	row("nobody, afterwards", asked{}, s.passes(lasts, func() {}))
	if *loadSize > 0 {
		report = append(append(report, ""), s.paints(t)...)
	}
	before, _ := s.passSeconds()
	s.poll("a pass is made after the load", func() bool { n, _ := s.passSeconds(); return n > before })
	if n := lost(); n > 0 {
		t.Errorf("%d of %d listeners were let go", n, listeners)
	}
	t.Log("\n" + strings.Join(report, "\n"))
}

// answered looks at each view once: that it is the view, not a way to it.
func (s *killStage) answered() {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, view := range loadViews {
		resp, err := client.Get("http://" + s.listen + view)
		if err != nil {
			s.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(view, "q=q0000") && !strings.Contains(string(body), "q00007") {
			s.t.Fatalf("%s: %s, %v\n%.500s", view, resp.Status, err, body)
		}
	}
}

func loadQueues(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "---\napiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: q%05d}\n", i)
	}
	return out.String()
}

// awaitWithin is await for what takes longer.
func (s *killStage) awaitWithin(commit string, patience time.Duration) {
	s.t.Helper()
	var e web.EnvironmentStatus
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if e, err = s.status(); err == nil && e.Commit == commit && e.State == "in_sync" {
			return
		}
	}
	log, _ := os.ReadFile(s.path("daemon.log")) // it is only told
	s.t.Fatalf("%.12s is not in force after %v: %s %s, holds %+v, error %q, %v\n%s", commit, patience, e.State, e.Reason, e.Holds, e.LastError, err, log[max(0, len(log)-3000):])
}

// passes looks at each pass that ends while something is done.
func (s *killStage) passes(least time.Duration, do func()) passed {
	s.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do(); time.Sleep(least / 100) }()
	var took []time.Duration
	var out passed
	n, sum := s.passSeconds()
	for until := time.Now().Add(least); ; time.Sleep(100 * time.Millisecond) {
		m, now := s.passSeconds()
		if m > n {
			took = append(took, time.Duration((now-sum)/float64(m-n)*float64(time.Second)))
		}
		n, sum = m, now
		select {
		case <-done:
			if time.Now().Before(until) {
				continue
			}
			out.routines, out.resident = s.goroutines(), float64(s.resident())/(1<<20)
			if slices.Sort(took); len(took) > 0 {
				out.half, out.most = took[len(took)/2], took[len(took)*99/100]
			}
			return out
		default:
		}
	}
}

// passSeconds are how many passes ended, and how long all took.
func (s *killStage) passSeconds() (count int, sum float64) {
	s.t.Helper()
	resp, err := http.Get("http://" + s.listen + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), `mooring_pass_seconds_count{environment="preview"} `); ok {
			count, _ = strconv.Atoi(text) // the metrics' format is tested elsewhere
		}
		if text, ok := strings.CutPrefix(lines.Text(), `mooring_pass_seconds_sum{environment="preview"} `); ok {
			sum, _ = strconv.ParseFloat(text, 64)
		}
	}
	return count, sum
}

// listeners open the stream of events and take what comes; lost says how many
// of them ended before it was called.
func (s *killStage) listeners(n int) (lost func() int) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	client := &http.Client{Transport: &http.Transport{}}
	var wg sync.WaitGroup
	ended := make(chan struct{}, n)
	for i := range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.listen+"/api/v1/events", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			s.t.Fatalf("listener %d: %v, %v", i, resp, err)
		}
		wg.Go(func() {
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body) // however it ends, it was let go
			ended <- struct{}{}
		})
	}
	return func() int { n := len(ended); cancel(); wg.Wait(); return n }
}

// askAgain asks by one client.
func askAgain(_ *testing.T, url string, lasts time.Duration) (a asked) {
	began, n := time.Now(), 0
	for ; time.Since(began) < lasts; n++ {
		resp, err := http.Get(url)
		if err != nil {
			a.bad = err.Error()
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body) // its status is judged
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			a.bad = resp.Status
		}
	}
	a.perSecond = float64(n) / time.Since(began).Seconds()
	return a
}

var (
	wrkRate    = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkLatency = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+(?:us|ms|s|m))\s*$`)
	wrkBad     = regexp.MustCompile(`(?m)^\s+(Non-2xx.*|Socket errors.*)$`)
)

// askWrk asks by eight connections of wrk.
func askWrk(t *testing.T, url string, lasts time.Duration) (a asked) {
	cmd := exec.CommandContext(t.Context(), "wrk", "-t1", "-c8", "-d"+lasts.String(), "--timeout", "30s", "--latency", url)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return asked{bad: err.Error()}
	}
	if m := wrkRate.FindSubmatch(out); m != nil {
		a.perSecond, _ = strconv.ParseFloat(string(m[1]), 64) // the pattern has digits
	}
	for _, m := range wrkLatency.FindAllSubmatch(out, -1) {
		took, err := time.ParseDuration(string(m[2]))
		if err != nil {
			return asked{bad: err.Error()}
		}
		if string(m[1]) == "50" {
			a.half = took.Seconds() * 1e3
		} else {
			a.most = took.Seconds() * 1e3
		}
	}
	if m := wrkBad.FindSubmatch(out); m != nil {
		a.bad = string(m[1])
	}
	return a
}
