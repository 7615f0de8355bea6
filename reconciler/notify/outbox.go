package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Item is one event on its way to one receiver.
type Item struct {
	Event    Event
	Receiver string
}

// Queue is the durable outbox, oldest first. Safe for concurrent use.
type Queue interface {
	// Pending is every item not yet recorded as delivered.
	Pending() []Item
	// Delivered records what became of an item; dead when it was refused for
	// good, with why.
	Delivered(ctx context.Context, id, receiver string, dead bool, errText string) error
}

// Attempt is what one try came to, for metrics and the log.
type Attempt struct {
	Receiver string
	Event    string // ID
	Outcome  string // delivered | retry | dead | unrecorded
	Tries    int
	Wait     time.Duration // before the next, of retry and unrecorded
	Err      error
}

// Options of an Outbox. Queue and Resolve are needed; the rest has defaults.
type Options struct {
	Queue Queue
	// Resolve finds a receiver by name, at each try: receivers may change. A
	// name that is not known is tried again later, as it may come back.
	Resolve func(receiver string) (Notifier, bool)
	Observe func(Attempt) // may be nil; called from several goroutines
	// Panicked is told of a panic that was met, with where it was; delivering
	// goes on. May be nil; called from several goroutines.
	Panicked func(v any, stack []byte)
	Random   func() float64 // in [0,1), for jitter; safe for concurrent use
	First    time.Duration  // wait after a first failure; default 1s
	Most     time.Duration  // longest wait; default 5m
	Timeout  time.Duration  // of one try; default 15s
	Drain    time.Duration  // for last tries when stopping; default 5s
	// When more than Burst (default 10) events come to one receiver within
	// Group (default 30s), the rest goes as one message, where the receiver is
	// a Grouper: at most Burst single messages and one group in that time.
	Burst int
	Group time.Duration
}

func (o *Options) validate() error {
	if o.Queue == nil || o.Resolve == nil {
		return fmt.Errorf("notify: options need Queue and Resolve")
	}
	for _, d := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&o.First, time.Second}, {&o.Most, 5 * time.Minute}, {&o.Timeout, 15 * time.Second}, {&o.Drain, 5 * time.Second}, {&o.Group, 30 * time.Second}} {
		if *d.to <= 0 {
			*d.to = d.def
		}
	}
	if o.Burst <= 0 {
		o.Burst = 10
	}
	if o.Observe == nil {
		o.Observe = func(Attempt) {}
	}
	if o.Panicked == nil {
		o.Panicked = func(any, []byte) {}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	return nil
}

// Outbox is the worker that empties a Queue, one goroutine per receiver, so
// that a slow one delays no other.
type Outbox struct {
	options Options
	wake    chan struct{}
}

// NewOutbox checks the options.
func NewOutbox(o Options) (*Outbox, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Outbox{options: o, wake: make(chan struct{}, 1)}, nil
}

// Wake says that the queue has something new. It never blocks.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends, then gives everything that is due one last try
// within Options.Drain, and returns when every goroutine has ended.
func (o *Outbox) Run(ctx context.Context) {
	workers := map[string]*worker{}
	var all sync.WaitGroup
	defer all.Wait()
	failures := 0
	for {
		err := o.options.guarded(func() error {
			for _, item := range o.options.Queue.Pending() {
				w := workers[item.Receiver]
				if w == nil {
					w = newWorker(&o.options, item.Receiver)
					workers[item.Receiver] = w
					all.Go(func() { w.run(ctx) })
				}
				w.wake()
			}
			return nil
		})
		var again <-chan time.Time
		if failures++; err == nil {
			failures = 0
		} else {
			again = time.After(o.options.backoff(failures))
		}
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-again:
		}
	}
}

// errPanicked is what a panic in somebody's code came to: what it said may be
// anything, a secret included.
var errPanicked = errors.New("a defect of Mooring's own was met; the daemon's log has where")

// guarded does something, and makes a panic an error like another.
func (o *Options) guarded(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			o.Panicked(v, debug.Stack())
			err = errPanicked
		}
	}()
	return do()
}

// backoff doubles up to Most; half of it is chance, so that receivers that
// failed together are not asked together.
func (o *Options) backoff(tries int) time.Duration {
	wait := o.Most
	if tries < 32 {
		wait = min(o.Most, o.First<<(tries-1))
	}
	return wait/2 + time.Duration(o.Random()*float64(wait/2))
}
