package web

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// turnsWaiting is how many requests may wait for their turn. All open pages draw
	// themselves anew where something changed, at the same time.
	turnsWaiting = 2048
	// turnPatience is the longest that one of them waits.
	turnPatience = 15 * time.Second
)

// The rooms in which answers are worked on.
const (
	fromMemory = iota
	fromJournal
	rooms
)

// inTurn are the routes that are answered from memory or the journal, so that an
// answer is all work: they are worked on a few at a time. Others wait for
// something else, or are of no account.
var inTurn = map[string]int{
	"GET /{$}": fromMemory, "GET /environments/{name}": fromMemory,
	"GET /api/v1/status": fromMemory, "GET /api/v1/history": fromMemory, "GET /api/v1/audit": fromMemory,
	"GET /api/v1/environments/{name}/resources": fromMemory, "GET /api/v1/environments/{name}/drift": fromMemory,
	"GET /environments/{name}/releases/{release}": fromJournal, "GET /decisions": fromJournal,
	"GET /api/v1/decisions": fromJournal, "GET /api/v1/environments/{name}/rollouts": fromJournal,
}

// turns bound how many answers are worked on at a time, so that passes have
// their share of the processors whoever asks, and however much. The first to wait
// is the first to have its turn.
type turns struct {
	room    chan struct{}
	waiting atomic.Int64
}

// newTurns gives half of the processors to answers from memory, and one to those
// from the journal, which may be long.
func newTurns() (of [rooms]*turns) {
	for room, most := range map[int]int{fromMemory: max(1, runtime.GOMAXPROCS(0)/2), fromJournal: 1} {
		of[room] = &turns{room: make(chan struct{}, most)}
	}
	return of
}

// take waits for a turn; done ends it. It is not ok where too many wait, or one
// waited too long.
func (t *turns) take(ctx context.Context) (done func(), ok bool) {
	done = func() { <-t.room }
	select {
	case t.room <- struct{}{}:
		return done, true
	default:
	}
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > turnsWaiting {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	select {
	case t.room <- struct{}{}:
		return done, true
	case <-ctx.Done():
		return nil, false
	}
}

// inTurn lets a route's work be done in its turn. What it answers is sent
// afterwards: who takes it slowly keeps nobody waiting.
func (s *server) inTurn(pattern string, w http.ResponseWriter, r *http.Request, work func(http.ResponseWriter)) {
	room, takes := inTurn[pattern]
	if !takes {
		work(w)
		return
	}
	done, ok := s.turns[room].take(r.Context())
	if !ok {
		noteOf(r).ended(nil) // nobody was refused for who they are
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "too many ask at once", "ask again in a few seconds")
		return
	}
	kept := &answered{ResponseWriter: w, status: http.StatusOK}
	func() {
		defer done()
		work(kept)
	}()
	w.WriteHeader(kept.status)
	_, _ = w.Write(kept.body.Bytes()) // a caller that left needs no answer
}

// answered is an answer before it is sent.
type answered struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answered) WriteHeader(status int)      { a.status = status }
func (a *answered) Write(p []byte) (int, error) { return a.body.Write(p) }
