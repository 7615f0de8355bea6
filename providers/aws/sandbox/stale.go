package sandbox

import (
	"net/http"
	"sync"
	"time"
)

// staleness makes reads lag behind writes. It remembers recent read requests;
// before a write it asks them again and keeps the answers, and until they
// expire a read is answered with the oldest of them. So a read at time t sees
// what was true at t minus the lag, whatever the service.
type staleness struct {
	now func() time.Time

	mu    sync.Mutex
	reads map[string]*read // by request key
	order []string         // oldest first
}

// read is one remembered request and the past answers it still gives.
type read struct {
	scope   string // service, account and region
	request exchange
	past    []pastAnswer
}

type pastAnswer struct {
	until  time.Time
	answer *answer
}

const rememberedReads = 1024

func newStaleness(now func() time.Time) *staleness {
	return &staleness{now: now, reads: map[string]*read{}}
}

// remember keeps a read request for later writes.
func (s *staleness) remember(e exchange) {
	if len(e.body) > 64<<10 {
		return
	}
	key := e.key()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.reads[key]; known {
		return
	}
	if len(s.order) >= rememberedReads {
		delete(s.reads, s.order[0])
		s.order = s.order[1:]
	}
	s.reads[key] = &read{scope: e.scope(), request: e}
	s.order = append(s.order, key)
}

// freeze asks every remembered read of the write's scope once more, and makes
// it answer that for the lag.
func (s *staleness) freeze(write exchange, lag time.Duration) {
	until := s.now().Add(lag)
	for _, rd := range s.within(write.scope()) {
		a := newAnswer()
		rd.request.serve(a)
		s.mu.Lock()
		rd.forget(s.now())
		rd.past = append(rd.past, pastAnswer{until: until, answer: a})
		s.mu.Unlock()
	}
}

// forget drops the answers whose time is over.
func (rd *read) forget(now time.Time) {
	for len(rd.past) > 0 && !now.Before(rd.past[0].until) {
		rd.past = rd.past[1:]
	}
}

func (s *staleness) within(scope string) []*read {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*read
	for _, rd := range s.reads {
		if rd.scope == scope {
			out = append(out, rd)
		}
	}
	return out
}

// answer writes what a read answered before recent writes; false when nothing
// is in force for it.
func (s *staleness) answer(e exchange, w http.ResponseWriter) bool {
	s.mu.Lock()
	rd := s.reads[e.key()]
	var a *answer
	if rd != nil {
		rd.forget(s.now())
		if len(rd.past) > 0 {
			a = rd.past[0].answer
		}
	}
	s.mu.Unlock()
	if a == nil {
		return false
	}
	a.copyTo(w)
	return true
}

func (s *staleness) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rd := range s.reads {
		rd.past = nil
	}
}
