package web

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// BenchmarkBesideIdleListeners is what an answer of the API and a view of the
// page cost beside nobody, and beside a thousand open streams:
//
//	go test ./reconciler/web -run '^$' -bench BesideIdleListeners -benchtime 500x -count 5
func BenchmarkBesideIdleListeners(b *testing.B) {
	for _, listeners := range []int{0, 1000} {
		for _, target := range []string{"/api/v1/status", "/environments/preview"} {
			b.Run(fmt.Sprintf("listeners=%d%s", listeners, target), func(b *testing.B) { beside(b, listeners, target) })
		}
	}
}

func beside(b *testing.B, listeners int, target string) {
	f := shop(100)
	f.changed = make(chan chan struct{}, 2*listeners+1)
	closing := make(chan struct{})
	h, err := New(Options{View: f, Control: f, Audit: &shelf{}, Metrics: NewMetrics("test"), Token: "the-token", Loopback: true, Version: "test", Now: time.Now, Closing: closing})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	defer close(closing)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for range listeners {
		resp, err := client.Do(bearing(b, server.URL+"/api/v1/events"))
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "retry:") {
			b.Fatalf("a stream began with %q: %v", line, err)
		}
	}
	for b.Loop() {
		resp, err := client.Do(bearing(b, server.URL+target))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("%s: %s, %v", target, resp.Status, err)
		}
		_ = resp.Body.Close()
	}
}

func bearing(b *testing.B, url string) *http.Request {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer the-token")
	return r
}
