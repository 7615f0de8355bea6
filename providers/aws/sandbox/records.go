package sandbox

import (
	"maps"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/fault"
	"mooring.dev/providers/aws/sandbox/quota"
	"mooring.dev/providers/aws/sandbox/wire"
)

// Counts tells how often what was called.
type Counts struct {
	Total      int            `json:"total"`
	Services   map[string]int `json:"services"`   // lambda
	Operations map[string]int `json:"operations"` // lambda:GetFunction
	Lanes      map[string]int `json:"lanes"`      // lambda/other
	Throttled  int            `json:"throttled"`
	Faulted    int            `json:"faulted"`
}

func newCounts() Counts {
	return Counts{Services: map[string]int{}, Operations: map[string]int{}, Lanes: map[string]int{}}
}

// records is the bounded memory of calls.
type records struct {
	mu     sync.Mutex
	ring   []wire.Call
	next   int // where the next call goes, once the ring is full
	bound  int
	counts Counts
}

func newRecords(bound int) *records { return &records{bound: bound, counts: newCounts()} }

func (r *records) add(c wire.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(c)
	if len(r.ring) < r.bound {
		r.ring = append(r.ring, c)
		return
	}
	r.ring[r.next] = c
	r.next = (r.next + 1) % r.bound
}

func (r *records) count(c wire.Call) {
	r.counts.Total++
	r.counts.Services[c.Service]++
	r.counts.Operations[c.Service+":"+c.Operation]++
	if ln, ok := quota.Of(c.Service, c.Operation); ok {
		r.counts.Lanes[ln.Name]++
	}
	if c.Fault == fault.Rate || c.Fault == fault.Throttle {
		r.counts.Throttled++
	}
	if c.Fault != "" && c.Fault != fault.Rate {
		r.counts.Faulted++
	}
}

func (r *records) since(t time.Time) []wire.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []wire.Call{}
	for i := range r.ring {
		if c := r.ring[(r.next+i)%len(r.ring)]; !c.At.Before(t) {
			out = append(out, c)
		}
	}
	return out
}

func (r *records) totals() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.counts
	out.Services = maps.Clone(out.Services)
	out.Operations = maps.Clone(out.Operations)
	out.Lanes = maps.Clone(out.Lanes)
	return out
}

func (r *records) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring, r.next, r.counts = nil, 0, newCounts()
}
