package reconciler

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// defect is a panic of our own, met at work for one environment. What the panic
// says stays out of it, unless the runtime said it: it may be anything, a
// secret included.
type defect struct{ what string }

func (d *defect) Error() string {
	return "a defect of Mooring's own: " + d.what + "; the daemon's log has where"
}

// struck is a panic on its way from the goroutine it was met in.
type struck struct {
	value any
	stack []byte
}

// contained does something for one environment. A panic ends that, and nothing
// else: it is an error like another, logged with where it was, counted, and
// what was known of the platform is looked at anew.
func (e *environment) contained(do func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		at, carried := v.(struck)
		if !carried {
			at = struck{v, debug.Stack()}
		}
		d := &defect{what: fmt.Sprintf("a panic with a %T", at.value)}
		if told, ok := at.value.(runtime.Error); ok {
			d.what = told.Error()
		}
		e.look.again()
		clear(e.specs)
		e.d.opts.Metrics.Panic(e.name)
		e.log.Error("panic", zap.Error(d), zap.ByteString("stack", at.stack))
		err = d
	}()
	return do()
}

// crew is an errgroup.Group whose members' panics come out of Wait, in the
// goroutine that waits, where a pass contains them.
type crew struct {
	errgroup.Group
	mu  sync.Mutex
	met *struck
}

// Go is errgroup's.
func (c *crew) Go(do func() error) {
	c.Group.Go(func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				at, carried := v.(struck) // by a crew of its own
				if !carried {
					at = struck{v, debug.Stack()}
				}
				c.mu.Lock()
				c.met = &at
				c.mu.Unlock()
			}
		}()
		return do()
	})
}

// Wait is errgroup's, and panics as the last member did that panicked.
func (c *crew) Wait() error {
	err := c.Group.Wait()
	if c.met != nil {
		panic(*c.met)
	}
	return err
}
