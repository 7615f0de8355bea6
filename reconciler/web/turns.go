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

// inTurn are the routes that are answered from memory and the journal, so that
// an answer is all work: they are worked on a few at a time. Others wait for
// something else, or are of no account.
var inTurn = map[string]bool{
	"GET /{$}": true, "GET /environments/{name}": true, "GET /environments/{name}/releases/{release}": true, "GET /decisions": true,
	"GET /api/v1/status": true, "GET /api/v1/history": true, "GET /api/v1/decisions": true, "GET /api/v1/audit": true,
	"GET /api/v1/environments/{name}/resources": true, "GET /api/v1/environments/{name}/rollouts": true, "GET /api/v1/environments/{name}/drift": true,
}

// turns bound how many answers are worked on at a time, so that passes have
// their share of the processors whoever asks, and however much. The first to wait
// is the first to have its turn.
type turns struct {
	room    chan struct{}
	waiting atomic.Int64
}

// newTurns leaves half of the processors to others.
func newTurns() *turns { return &turns{room: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))} }

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
	if !inTurn[pattern] {
		work(w)
		return
	}
	done, ok := s.turns.take(r.Context())
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
