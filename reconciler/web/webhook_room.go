package web

import (
	"container/list"
	"sync"
)

// lanes are the places of what is read at the same time. Whoever enters gets
// one: where none is free, that of the one who is in for longest, which is
// broken off.
type lanes struct {
	mu   sync.Mutex
	most int
	in   *list.List // of *lane, oldest first
}

// lane is one place; broken: it was given to another.
type lane struct {
	breakOff func()
	broken   bool
}

func newLanes(most int) *lanes { return &lanes{most: most, in: list.New()} }

// enter takes a place. breakOff must end what is done in it, and wait for
// nothing.
func (l *lanes) enter(breakOff func()) *list.Element {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in.Len() >= l.most {
		oldest, _ := l.in.Remove(l.in.Front()).(*lane)
		oldest.broken = true
		oldest.breakOff()
	}
	return l.in.PushBack(&lane{breakOff: breakOff})
}

// leave gives a place back, and tells whether another has it already.
func (l *lanes) leave(place *list.Element) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.Remove(place) // of one that was broken off, nothing
	of, _ := place.Value.(*lane)
	return of.broken
}
