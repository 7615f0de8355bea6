// Package quota models the rates an account allows on the control plane of
// each service, client-side, so that a daemon takes a stated share and leaves
// the rest to people and pipelines. It refuses to know what is called and why:
// it only makes callers wait.
//
// Lambda's rates (100/s for GetFunction, 15/s for GetPolicy, 15/s for all the
// rest together) are published and cannot be raised. The others are careful
// readings of what is published or known of each service.
package quota

import (
	"context"
	"math"
	"sort"
	"sync"
	"time"
)

// Class says how urgent a call is.
type Class int32

const (
	// Foreground calls (writes, looks right after them) may use the whole share.
	Foreground Class = iota
	// Background calls (the rotation of a sweep) may use the smaller share, so
	// that they never stand before a write.
	Background
)

// Options of a Model. Zero values take the defaults.
type Options struct {
	Share      float64 // of each lane that this process may use, 0..1; default 0.33
	Background float64 // of each lane that sweeps may use, 0..1; default 0.2
	// Scale multiplies the rates, for platforms whose rates are not AWS's
	// (emulators, the demo). Default 1.
	Scale float64
	// Now and Sleep are the time lanes are kept by; nil: the clock's. Sleep
	// returns early with the context's error.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Model is the lanes of all accounts this process reaches. One Model is shared
// by all providers of a process.
type Model struct {
	share, background, scale float64
	now                      func() time.Time
	sleep                    func(context.Context, time.Duration) error

	mu    sync.Mutex
	lanes map[key]*Lane
}

type key struct{ scope, name string }

// New makes a Model.
func New(o Options) *Model {
	if o.Share <= 0 || o.Share > 1 {
		o.Share = 0.33
	}
	if o.Background <= 0 || o.Background > o.Share {
		o.Background = math.Min(0.2, o.Share)
	}
	if o.Scale <= 0 {
		o.Scale = 1
	}
	m := &Model{share: o.Share, background: o.Background, scale: o.Scale, now: o.Now, sleep: o.Sleep, lanes: map[key]*Lane{}}
	if m.now == nil {
		m.now = time.Now
	}
	if m.sleep == nil {
		m.sleep = sleep
	}
	return m
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Lane returns the lane a call drives in, or nil for calls that have none
// (invocations, objects). scope names the account and region.
func (m *Model) Lane(scope, service, operation string) *Lane {
	name, perSecond := laneOf(service, operation)
	if name == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := key{scope, name}
	lane := m.lanes[k]
	if lane == nil {
		lane = newLane(scope, name, perSecond*m.scale, m)
		m.lanes[k] = lane
	}
	return lane
}

// Use is what a lane carried, for metrics and status.
type Use struct {
	Scope     string
	Name      string
	PerSecond float64 // what the account allows
	Allowed   float64 // what this process takes now, calls a second
	Calls     int64   // since the start
	Throttles int64   // since the start
	// Ratio is the share of the account's allowance used over the last minute.
	Ratio float64
}

// Lanes lists all lanes used so far, sorted.
func (m *Model) Lanes() []Use {
	m.mu.Lock()
	lanes := make([]*Lane, 0, len(m.lanes))
	for _, l := range m.lanes {
		lanes = append(lanes, l)
	}
	m.mu.Unlock()
	uses := make([]Use, 0, len(lanes))
	for _, l := range lanes {
		uses = append(uses, l.use())
	}
	sort.Slice(uses, func(i, j int) bool {
		if uses[i].Scope != uses[j].Scope {
			return uses[i].Scope < uses[j].Scope
		}
		return uses[i].Name < uses[j].Name
	})
	return uses
}
