package worker

import (
	"context"
	"sync"
	"time"

	"mooring.dev/policy/rego"
)

// lane lets a bounded number of callers have a worker each, and keeps the
// workers they bring back.
type lane struct {
	most  int
	idle  time.Duration
	seats chan struct{} // taken by those who have a worker

	mu     sync.Mutex
	rest   []*process // without work, the latest last
	closed bool
}

func newLane(most int, idle time.Duration) *lane {
	return &lane{most: most, idle: idle, seats: make(chan struct{}, most)}
}

// take waits for a seat and returns a worker that has loaded the folder with
// that digest, or nil if there is none: the caller may then start one. Every
// take is followed by a give.
func (l *lane) take(ctx context.Context, digest string) (*process, error) {
	select {
	case l.seats <- struct{}{}:
	case <-ctx.Done():
		return nil, rego.ErrBusy
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.rest) - 1; i >= 0; i-- {
		if p := l.rest[i]; p.digest == digest && p.retire.Stop() {
			l.rest = append(l.rest[:i:i], l.rest[i+1:]...)
			return p, nil
		}
	}
	l.make()
	return nil, nil
}

// make ends the longest idle workers so that all seats and idle workers
// together are no more than the lane may have. The caller holds mu and a seat.
func (l *lane) make() {
	for len(l.rest) > 0 && len(l.rest)+len(l.seats) > l.most {
		l.rest[0].endIdle()
		l.rest = l.rest[1:]
	}
}

// give frees the seat; p is the worker for the next one, or nil if it is gone.
func (l *lane) give(p *process) {
	if p != nil {
		l.keep(p)
	}
	<-l.seats
}

// keep lays a worker by.
func (l *lane) keep(p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		p.end()
		return
	}
	l.rest = append(l.rest, p)
	p.retire = time.AfterFunc(l.idle, func() { l.drop(p) })
}

// drop ends a worker that had no work for long, unless it is the last.
func (l *lane) drop(p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.rest {
		switch {
		case other != p:
		case len(l.rest) == 1 && l.most > 1:
			p.retire = time.AfterFunc(l.idle, func() { l.drop(p) })
		default:
			l.rest = append(l.rest[:i:i], l.rest[i+1:]...)
			p.end()
			return
		}
	}
}

// close ends the idle workers; nobody may have a seat any more.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, p := range l.rest {
		p.endIdle()
	}
	l.rest = nil
}

// endIdle ends a worker that is laid by.
func (p *process) endIdle() {
	p.retire.Stop()
	p.end()
}
