package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"strings"

	"mooring.dev/reconciler/access"
)

// open registers a route that needs no identity: probes and the way in.
func (s *server) open(pattern string, h http.HandlerFunc) { s.mux.HandleFunc(pattern, h) }

// closed registers a route that needs somebody with a role. h returns what to
// show, or writes by itself.
func (s *server) closed(pattern string, h any) {
	s.shut = append(s.shut, pattern)
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		who, ok, err := s.identify(r)
		switch {
		case err != nil:
			refuse(w, http.StatusInternalServerError, "the tokens could not be read", "look into the daemon's log, and at tokens.json in its state folder")
			return
		case !ok:
			refuse(w, http.StatusUnauthorized, "no valid token", "send one as Authorization: Bearer …; the daemon wrote its own to the file token in its state folder, and `mooring token create` makes personal ones")
			return
		case !who.May(access.See, r.PathValue("name")):
			reply(w, nil, who.Check(access.See, r.PathValue("name")))
			return
		case r.Method != http.MethodGet && foreign(r):
			refuse(w, http.StatusForbidden, "the request comes from another site", "use the page or the command line of this daemon")
			return
		}
		switch h := h.(type) {
		case func(http.ResponseWriter, *http.Request):
			h(w, r)
		case func(http.ResponseWriter, *http.Request, access.Person):
			h(w, r, who)
		case func(*http.Request) (any, error):
			v, err := h(r)
			reply(w, v, err)
		case func(*http.Request, access.Person) (any, error):
			v, err := h(r, who)
			reply(w, v, err)
		default:
			refuse(w, http.StatusInternalServerError, pattern+" is answered by nothing", "this is a defect")
		}
	})
}

// cookie holds proof of a token in a browser.
const cookie = "mooring"

// identify says who sent a request. The daemon's own token proves the right to
// everything and nobody's name; a personal one proves the name.
func (s *server) identify(r *http.Request) (access.Person, bool, error) {
	tokens, err := s.tokens()
	if err != nil {
		return access.Person{}, false, err
	}
	bearer, shown := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, noCookie := r.Cookie(cookie)
	switch {
	case shown && hmac.Equal(digest(bearer), digest(s.o.Token)):
		return access.Stated(stated(r)), true, nil
	case shown && access.Personal(bearer):
		// Whoever means to be known by name is not let in as anybody else.
		p, ok := tokens.Person(bearer, s.o.Now())
		return p, ok, nil
	case !shown && noCookie == nil:
		if p, ok := s.bySession(r, tokens, c.Value); ok {
			return p, true, nil
		}
	}
	// What another daemon of this machine gave out does not shut its user out
	// where nobody is asked for anything.
	if s.o.InsecureLoopback && loopbackHost(r.Host) {
		return access.Stated(stated(r)), true, nil
	}
	return access.Person{}, false, nil
}

func (s *server) tokens() (access.Tokens, error) {
	if s.o.Tokens == nil {
		return nil, nil
	}
	return s.o.Tokens()
}

// mayLook: somebody with a token asks.
func (s *server) mayLook(r *http.Request) bool {
	who, ok, err := s.identify(r)
	return err == nil && ok && who.May(access.See, "")
}

// stated is the name a caller claims; it says so, wherever it is shown.
func stated(r *http.Request) string {
	name := r.Header.Get("Mooring-User")
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' }) {
		name = "token"
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && net.ParseIP(host).IsLoopback() {
		return "local:" + name + " (unverified)"
	}
	return "token:" + name + " (unverified)"
}

// loopbackHost: the request names this machine itself. Another name that was
// made to point here (a rebound DNS name) is not let in without a token.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")).IsLoopback()
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// session is what a browser keeps instead of a token: whose it is (a token's
// id, "" for the daemon's own), and proof that this daemon said so.
func (s *server) session(id string) string {
	mac := hmac.New(sha256.New, []byte(s.o.Token))
	mac.Write([]byte("page session " + id))
	return fmt.Sprintf("%s.%x", id, mac.Sum(nil))
}

// bySession is who a browser's session belongs to. It ends with its token.
func (s *server) bySession(r *http.Request, tokens access.Tokens, value string) (access.Person, bool) {
	id, _, _ := strings.Cut(value, ".")
	if !hmac.Equal([]byte(value), []byte(s.session(id))) {
		return access.Person{}, false
	}
	if id == "" {
		return access.Stated(stated(r)), true
	}
	return tokens.ByID(id, s.o.Now())
}

// foreign: a browser says that another site's page sent this.
func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	origin := r.Header.Get("Origin")
	return origin != "" && !strings.HasSuffix(origin, "://"+r.Host)
}

// login turns ?token= into a cookie and leads to the page.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	tokens, err := s.tokens()
	secret := r.URL.Query().Get("token")
	id, ok := "", hmac.Equal(digest(secret), digest(s.o.Token))
	if !ok && err == nil {
		id, ok = tokens.ID(secret, s.o.Now())
	}
	if !ok {
		refuse(w, http.StatusUnauthorized, "no valid token", "open /login?token=… with the token in the daemon's state folder, or one of your own")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.session(id), Path: "/", HttpOnly: true, Secure: s.o.HTTPS, SameSite: http.SameSiteStrictMode, MaxAge: 12 * 3600})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
