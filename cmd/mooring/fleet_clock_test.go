package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"time"
)

// fleetClock is time as cloud, provider and lanes see it: the machine's while
// the fleet is deployed, then a bubble's (testing/synctest), which passes only
// while everybody waits: who waits in one lane lets nobody else's time pass.
// Whoever lives outside the bubble sees the last time that was seen inside.
type fleetClock struct{ ahead, last atomic.Int64 }

// machinesTime is after every time of a bubble, which begins with 2000.
var machinesTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Now has no monotonic part: the two clocks have nothing but this in common.
func (c *fleetClock) Now() time.Time {
	now := time.Now().Round(0)
	if now.Before(machinesTime) {
		now = now.Add(time.Duration(c.ahead.Load()))
		c.last.Store(now.UnixNano())
	} else if last := c.last.Load(); last != 0 {
		return time.Unix(0, last)
	}
	return now
}

// enter lets the bubble's time go on from a time.
func (c *fleetClock) enter(at time.Time) { c.ahead.Store(int64(at.Sub(time.Now().Round(0)))) }

// until waits.
func (c *fleetClock) until(t time.Time) { time.Sleep(t.Sub(c.Now())) }

// fleetAnswer is how long the cloud takes to answer a call.
const fleetAnswer = 50 * time.Millisecond

// directly calls a handler without a network, for which no bubble waits.
type directly struct{ handler http.Handler }

// Do is an SDK's HTTP client.
func (d directly) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(fleetAnswer):
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), r.Body)
	in.Host, in.Header, in.ContentLength = r.URL.Host, r.Header, r.ContentLength
	answer := httptest.NewRecorder()
	d.handler.ServeHTTP(answer, in)
	return answer.Result(), nil
}

// machineTime is what has passed outside any bubble.
func machineTime() time.Duration {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// errands are done outside the bubble, where the cloud's own goroutines live.
type errands struct {
	do   chan func()
	done chan struct{}
}

func newErrands() errands {
	e := errands{make(chan func()), make(chan struct{})}
	go func() {
		for do := range e.do {
			do()
			e.done <- struct{}{}
		}
	}()
	return e
}

// run returns when it is done; the bubble's time stands meanwhile.
func (e errands) run(do func()) {
	e.do <- do
	<-e.done
}
