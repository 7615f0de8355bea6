package aws

import (
	"sync"

	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/crew"
)

// crews are the workers of a survey: those of each rate lane do what drives in
// it, in the order in which it was handed to them. Whoever waits for a place in
// one lane keeps nobody from driving in another.
type crews struct {
	size int // workers of each crew
	// one: all work is one crew's, whatever its lane.
	one bool

	work sync.WaitGroup
	bell crew.Bell
	mu   sync.Mutex
	crew map[*quota.Lane]*gang
}

// gang is the workers of one lane.
type gang struct {
	waiting []func()
	busy    int
}

func newCrews(size int, one bool) *crews {
	return &crews{size: size, one: one, crew: map[*quota.Lane]*gang{}}
}

// hand gives work to a lane's crew. Work may hand on more.
func (c *crews) hand(lane *quota.Lane, work func()) {
	if c.one {
		lane = nil
	}
	c.work.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.crew[lane]
	if of == nil {
		of = &gang{}
		c.crew[lane] = of
	}
	of.waiting = append(of.waiting, work)
	if of.busy < c.size {
		of.busy++
		go c.labour(of)
	}
}

// labour works until there is nothing to do.
func (c *crews) labour(of *gang) {
	for {
		work := c.next(of)
		if work == nil {
			return
		}
		c.bell.Guard(work)
		c.work.Done()
	}
}

func (c *crews) next(of *gang) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(of.waiting) == 0 {
		of.busy--
		return nil
	}
	work := of.waiting[0]
	of.waiting[0] = nil
	of.waiting = of.waiting[1:]
	return work
}

// wait returns when all work is done, what it handed on included, and panics as
// the last did that panicked.
func (c *crews) wait() {
	c.work.Wait()
	c.bell.Ring()
}
