package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
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

// streamNews is how many lines of history are looked through at a change.
const streamNews = 200

// stream tells a listener by server-sent events that there is something new
// ("change"), and what happened since it began to listen ("happened", one
// web.Event each), of the environments it may see. Each message's id says how
// far it has read: a listener that lost the connection sends the last one as
// Last-Event-ID, and is told what it missed.
func (s *server) stream(n Notices) {
	slots := make(chan struct{}, streamLimit)
	s.api("GET /api/v1/events", purpose{does: "Server-sent events: change, and happened with one Event each; Last-Event-ID takes a lost stream up."}, func(w http.ResponseWriter, r *http.Request) {
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
		l := &listener{s: s, r: r, w: w, c: c}
		changed := n.Changed() // before what is there is read: none falls between
		l.begin()
		l.listen(n, changed)
	})
}

// listener is one open stream.
type listener struct {
	s    *server
	w    http.ResponseWriter
	r    *http.Request
	c    *http.ResponseController
	read Cursor
	gone bool
}

// begin tells what was missed, or from where on it listens.
func (l *listener) begin() {
	const retry = "retry: 3000\n"
	cursor, err := ParseCursor(l.r.Header.Get("Last-Event-ID"))
	if err == nil {
		l.read = cursor
		l.send(retry + "\n")
		l.tell(0)
		return
	}
	who, _, err := l.s.identify(l.r)
	if err != nil {
		l.gone = true
		return
	}
	for _, e := range l.s.events(who, "", 0) {
		l.read.Read(e)
	}
	l.send(retry + "id: " + l.read.String() + "\n\n")
}

func (l *listener) listen(n Notices, changed <-chan struct{}) {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for !l.gone {
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
		changed = n.Changed()
		l.tell(streamNews)
		select {
		case <-l.r.Context().Done():
			return
		case <-l.s.o.Closing:
			return
		case <-time.After(streamPause):
		}
	}
}

// tell says what happened since the last time, the oldest first, of so many
// lines of history; of all with 0.
func (l *listener) tell(lines int) {
	who, ok, err := l.s.identify(l.r)
	if err != nil || !ok { // a token ends or is revoked while its stream is open
		l.gone = true
		return
	}
	var text strings.Builder
	for _, e := range l.read.New(l.s.events(who, "", lines)) {
		data, err := json.Marshal(e)
		if err != nil {
			continue
		}
		l.read.Read(e)
		fmt.Fprintf(&text, "id: %s\nevent: happened\ndata: %s\n\n", l.read, data)
	}
	l.send(text.String() + "event: change\ndata: {}\n\n")
}

func (l *listener) send(text string) {
	if _, err := l.w.Write([]byte(text)); err != nil || l.c.Flush() != nil {
		l.gone = true
	}
}
