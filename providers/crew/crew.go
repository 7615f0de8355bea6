// Package crew is work that is done side by side and waited for. A panic of one
// that works does not end the process: it comes out where the work is waited
// for, in the goroutine of whoever asked for it, with where it was. It refuses to
// decide what a panic means.
package crew

import (
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Struck is a panic on its way from the goroutine it was met in.
type Struck struct {
	Value any
	Stack []byte
}

// Of is a panic as it was met: on its way already, or here and now.
func Of(v any) Struck {
	if at, carried := v.(Struck); carried {
		return at
	}
	return Struck{v, debug.Stack()}
}

// Bell keeps the last panic of those who work. The zero Bell has met none.
type Bell struct {
	mu  sync.Mutex
	met *Struck
}

// Guard does something. A panic ends that and is kept.
func (b *Bell) Guard(do func()) {
	defer func() {
		if v := recover(); v != nil {
			at := Of(v)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.met = &at
		}
	}()
	do()
}

// Ring panics as the last did that panicked.
func (b *Bell) Ring() {
	b.mu.Lock()
	met := b.met
	b.mu.Unlock()
	if met != nil {
		panic(*met)
	}
}

// Crew is an errgroup.Group whose members' panics come out of Wait.
type Crew struct {
	errgroup.Group
	bell Bell
}

// Go is errgroup's.
func (c *Crew) Go(do func() error) {
	c.Group.Go(func() (err error) {
		c.bell.Guard(func() { err = do() })
		return err
	})
}

// Wait is errgroup's, and panics as the last member did that panicked.
func (c *Crew) Wait() error {
	err := c.Group.Wait()
	c.bell.Ring()
	return err
}
