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

// streamPatience is how long a listener may take nothing of what it is sent: it
// is let go then, and takes up later what it missed.
const streamPatience = 15 * time.Second

// stream tells a listener by server-sent events that there is something new
// ("change", with the environments it is about), and what happened since it
// began to listen ("happened", one web.Event each), of the environments it may
// see. Each message's id says how far it has read: a listener that lost the
// connection sends the last one as Last-Event-ID, and is told what it missed.
func (s *server) stream(n Notices) {
	slots := make(chan struct{}, streamLimit)
	room := &newsroom{view: s.o.View}
	s.api("GET /api/v1/events", purpose{does: "Server-sent events: change, with the environments it is about, and happened with one Event each; Last-Event-ID takes a lost stream up."}, func(w http.ResponseWriter, r *http.Request) {
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
		l := &listener{s: s, room: room, r: r, w: w, c: c}
		changed := n.Changed() // before what is there is read: none falls between
		l.begin(room.after(changed))
		l.listen(n, changed)
	})
}

// listener is one open stream.
type listener struct {
	s    *server
	room *newsroom
	w    http.ResponseWriter
	r    *http.Request
	c    *http.ResponseController
	read Cursor
	seen uint64 // the edition it was told of last
	gone bool
}

// begin tells what was missed, or from where on it listens.
func (l *listener) begin(e edition) {
	const retry = "retry: 3000\n"
	l.seen = e.number
	who, ok, err := l.s.identify(l.r)
	if err != nil || !ok {
		l.gone = true
		return
	}
	cursor, err := ParseCursor(l.r.Header.Get("Last-Event-ID"))
	if err == nil {
		l.read = cursor
		l.send(retry + "\n" + l.happened(e.lines(l.read, who, 0)) + change(nil))
		return
	}
	for _, e := range e.lines(Cursor{}, who, 0) {
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
			// Whose token or session is over hears no more, also where nothing happens.
			if _, ok, err := l.s.identify(l.r); err != nil || !ok {
				return
			}
			l.send(": still here\n\n")
			continue
		case <-changed:
		}
		changed = n.Changed()
		l.tell(l.room.after(changed))
		select {
		case <-l.r.Context().Done():
			return
		case <-l.s.o.Closing:
			return
		case <-time.After(streamPause):
		}
	}
}

// tell says what happened since the last time, the oldest first. Of what is
// only about environments that it may not see it hears nothing.
func (l *listener) tell(e edition) {
	who, ok, err := l.s.identify(l.r)
	if err != nil || !ok { // a token ends or is revoked while its stream is open
		l.gone = true
		return
	}
	names, all := e.since(l.seen, who)
	l.seen = e.number
	if all {
		names = nil
	} else if len(names) == 0 {
		return
	}
	l.send(l.happened(e.lines(l.read, who, streamNews)) + change(names))
}

// happened is a message for each line of history.
func (l *listener) happened(lines []Event) string {
	var text strings.Builder
	for _, e := range lines {
		data, err := json.Marshal(e)
		if err != nil {
			continue
		}
		l.read.Read(e)
		fmt.Fprintf(&text, "id: %s\nevent: happened\ndata: %s\n\n", l.read, data)
	}
	return text.String()
}

// change is the message that there is something new in these environments; with
// none of them, anywhere.
func change(environments []string) string {
	data, err := json.Marshal(struct {
		Environments []string `json:"environments,omitempty"`
	}{environments})
	if err != nil { // names always are JSON
		data = []byte("{}")
	}
	return "event: change\ndata: " + string(data) + "\n\n"
}

func (l *listener) send(text string) {
	if l.c.SetWriteDeadline(time.Now().Add(streamPatience)) != nil {
		l.gone = true
		return
	}
	if _, err := l.w.Write([]byte(text)); err != nil || l.c.Flush() != nil {
		l.gone = true
	}
}
