package reconciler

import (
	"reflect"
	"sync"
)

// beat tells whoever waits that there is something new to see. Its zero value
// is ready.
type beat struct {
	mu   sync.Mutex
	next chan struct{}
}

// changed is closed at the next change.
func (b *beat) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *beat) again() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Changed is closed at the next change of anything that is shown.
func (d *Daemon) Changed() <-chan struct{} { return d.beat.changed() }

// news: b shows something that a did not. The age of a look is none.
func news(a, b *published) bool {
	was, is := a.status, b.status
	was.OldestSeconds, is.OldestSeconds, was.SoakSeconds, is.SoakSeconds = 0, 0, 0, 0
	last := func(p *published) (seq any) {
		if n := len(p.history); n > 0 {
			return p.history[n-1].Seq
		}
		return nil
	}
	return last(a) != last(b) || !reflect.DeepEqual(was, is)
}
