package web

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"mooring.dev/reconciler/access"
)

const (
	// sessionLong is how long a browser that showed a token stays known.
	sessionLong = 12 * time.Hour
	// sessionsMost bounds how many browsers are known at a time.
	sessionsMost = 10_000
)

// cookie holds the name of a browser's session.
const cookie = "mooring"

// session is a browser that has logged in: by the daemon's own token, by a
// personal one, or at an issuer.
type session struct {
	ends  time.Time
	own   []byte        // digest of the daemon's own token
	token string        // id of a personal one
	login *access.Login // at an issuer
}

// sessions are the browsers that are known. They are in memory alone: nobody who
// reads the state folder or a backup finds one, and a restart ends them all.
type sessions struct {
	mu sync.Mutex
	of map[[sha256.Size]byte]session
}

// begin makes a session under a name that nobody had before.
func (s *sessions) begin(of session, now time.Time) (name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[[sha256.Size]byte]session{}
	}
	if len(s.of) >= sessionsMost {
		s.makeRoom(now)
	}
	name = rand.Text() + rand.Text()
	s.of[sha256.Sum256([]byte(name))] = of
	return name
}

// makeRoom forgets what is over, and otherwise what is over first.
func (s *sessions) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	for k, v := range s.of {
		if !now.Before(v.ends) {
			delete(s.of, k)
		} else if was, ok := s.of[first]; !ok || v.ends.Before(was.ends) {
			first = k
		}
	}
	if len(s.of) >= sessionsMost {
		delete(s.of, first)
	}
}

// find is the session of a name, if it is not over.
func (s *sessions) find(name string, now time.Time) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(name))
	found, ok := s.of[key]
	if ok && !now.Before(found.ends) {
		delete(s.of, key)
		return session{}, false
	}
	return found, ok
}

func (s *sessions) end(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, sha256.Sum256([]byte(name)))
}

// bySession is who a browser's session belongs to. It ends with what proved it.
func (s *server) bySession(r *http.Request, tokens access.Tokens) (access.Person, bool) {
	c, err := r.Cookie(s.cookie(cookie))
	if err != nil {
		return access.Person{}, false
	}
	found, ok := s.sessions.find(c.Value, s.o.Now())
	var p access.Person
	switch {
	case !ok:
		return p, false
	case found.login != nil:
		p, err = found.login.Person()
		ok = err == nil
	case found.token != "":
		p, ok = tokens.ByID(found.token, s.o.Now())
	default:
		p, ok = somebody(r, "own_token"), bytes.Equal(found.own, digest(s.ownToken()))
	}
	if !ok {
		s.sessions.end(c.Value)
		return access.Person{}, false
	}
	p.Session = true
	return p, true
}

// cookie is the name of a cookie of ours. Where people come by https, no other
// host of the domain can set one of that name, and none is sent by http.
func (s *server) cookie(name string) string {
	if s.o.HTTPS {
		return "__Host-" + name
	}
	return name
}

// setCookie gives a browser a cookie that no script reads. SameSite is Lax, for
// links in alerts to find people logged in: what a link asks for changes nothing,
// and what changes something is refused when another site's page sends it.
func (s *server) setCookie(w http.ResponseWriter, name, value string, long time.Duration) {
	c := &http.Cookie{Name: s.cookie(name), Value: value, Path: "/", HttpOnly: true, Secure: s.o.HTTPS, SameSite: http.SameSiteLaxMode, MaxAge: int(long / time.Second)}
	if long <= 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// enter begins a session for who has just proved themselves. The one before it
// ends: nobody goes on in a session that somebody else may know.
func (s *server) enter(w http.ResponseWriter, r *http.Request, of session) {
	if c, err := r.Cookie(s.cookie(cookie)); err == nil {
		s.sessions.end(c.Value)
	}
	now := s.o.Now()
	s.setCookie(w, cookie, s.sessions.begin(of, now), of.ends.Sub(now))
}

// logout ends a browser's session. Whoever has none is logged out already.
func (s *server) logout(w http.ResponseWriter, r *http.Request) {
	n := newNote("POST /logout", r)
	n.Request = w.Header().Get(requestID)
	if foreign(r) {
		n.refused(auditForeign, errForeign)
		s.keep(r, n)
		refuse(w, http.StatusForbidden, errForeign.Error(), "use the page of this daemon")
		return
	}
	if c, err := r.Cookie(s.cookie(cookie)); err == nil {
		tokens, _ := s.tokens() // without them a session of a token has no name
		if who, ok := s.bySession(r, tokens); ok {
			n.Who, n.Proof = who.Name, who.Proof
			n.ended(nil)
			s.keep(r, n)
		}
		s.sessions.end(c.Value)
	}
	s.setCookie(w, cookie, "", 0)
	http.Redirect(w, r, "/login?out=1", http.StatusSeeOther)
}
