package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Notices is a View that says when there is something new to see.
type Notices interface {
	// Changed is closed at the next change of anything a View shows.
	Changed() <-chan struct{}
}

const (
	// streamPause is the least time between two messages to one listener:
	// what changes meanwhile is told together.
	streamPause = time.Second
	// streamBeat is how often an idle stream shows that it is alive.
	streamBeat = 20 * time.Second
	// streamLimit is the most listeners at a time.
	streamLimit = 4096
)

// stream tells a listener by server-sent events that there is something new
// ("change"), and what happened since it began to listen ("happened", one
// web.Event each), of the environments it may see.
func (s *server) stream(n Notices) {
	slots := make(chan struct{}, streamLimit)
	s.closed("GET /api/v1/events", func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			refuse(w, http.StatusServiceUnavailable, "too many listeners", "ask /api/v1/history instead")
			return
		}
		c := http.NewResponseController(w)
		// A stream outlives the time a request may take.
		if c.SetReadDeadline(time.Time{}) != nil || c.SetWriteDeadline(time.Time{}) != nil {
			refuse(w, http.StatusNotImplemented, "this connection cannot stream", "ask /api/v1/history instead")
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		l := &listener{s: s, r: r, w: w, c: c, since: s.o.Now()}
		l.send("retry: 3000\n\n")
		l.listen(n)
	})
}

// listener is one open stream.
type listener struct {
	s     *server
	w     http.ResponseWriter
	r     *http.Request
	c     *http.ResponseController
	since time.Time
	gone  bool
}

func (l *listener) listen(n Notices) {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for !l.gone {
		changed := n.Changed()
		select {
		case <-l.r.Context().Done():
			return
		case <-l.s.o.Closing:
			return
		case <-beat.C:
			l.send(": still here\n\n")
			continue
		case <-changed:
		}
		l.tell()
		select {
		case <-l.r.Context().Done():
			return
		case <-l.s.o.Closing:
			return
		case <-time.After(streamPause):
		}
	}
}

// tell says what happened since the last time, the oldest first.
func (l *listener) tell() {
	who, ok, err := l.s.identify(l.r)
	if err != nil || !ok { // a token ends or is revoked while its stream is open
		l.gone = true
		return
	}
	events := l.s.events(who, "", 200)
	slices.Reverse(events)
	text, newest := "", l.since
	for _, e := range events {
		if !e.At.After(l.since) {
			continue
		}
		data, err := json.Marshal(e)
		if err != nil {
			continue
		}
		text += fmt.Sprintf("event: happened\ndata: %s\n\n", data)
		if e.At.After(newest) {
			newest = e.At
		}
	}
	l.since = newest
	l.send(text + "event: change\ndata: {}\n\n")
}

func (l *listener) send(text string) {
	if _, err := l.w.Write([]byte(text)); err != nil || l.c.Flush() != nil {
		l.gone = true
	}
}
