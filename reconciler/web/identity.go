package web

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net"
	"net/http"
	"strings"
	"unicode"

	"mooring.dev/reconciler/access"
)

// open registers a route that needs no identity: probes and the way in.
func (s *server) open(pattern string, h http.HandlerFunc) {
	s.opened = append(s.opened, pattern)
	s.mux.HandleFunc(pattern, h)
}

// closed registers a route that needs somebody with a role. h returns what to
// show, or writes by itself.
func (s *server) closed(pattern string, h any) {
	s.shut = append(s.shut, pattern)
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		n := newNote(pattern, r)
		n.Request, n.own = w.Header().Get(requestID), s.ownToken()
		r = r.WithContext(context.WithValue(r.Context(), noteKey{}, n))
		defer s.keep(r, n) // a fault in the handler is noted too
		who, barred := s.admit(r)
		n.Who, n.Proof = who.Name, who.Proof
		if barred != nil {
			n.refused(barred.code, barred)
			n.Detail = cmp.Or(n.why, n.Detail)
			if barred.status == http.StatusUnauthorized && r.Method == http.MethodGet && wantsPage(r) {
				s.showLogin(w, barred.status, loginPage{To: local(r.URL.RequestURI())})
				return
			}
			if barred.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="mooring"`)
			}
			refuse(w, barred.status, barred.Error(), barred.hint)
			return
		}
		s.inTurn(pattern, w, r, func(w http.ResponseWriter) { answer(w, r, who, h) })
	})
}

// answer has a closed route's handler answer who may ask.
func answer(w http.ResponseWriter, r *http.Request, who access.Person, h any) {
	var v any
	var err error
	switch h := h.(type) {
	case func(http.ResponseWriter, *http.Request):
		h(w, r)
		noteOf(r).ended(nil)
		return
	case func(http.ResponseWriter, *http.Request, access.Person):
		h(w, r, who)
		noteOf(r).ended(nil)
		return
	case func(*http.Request) (any, error):
		v, err = h(r)
	case func(*http.Request, access.Person) (any, error):
		v, err = h(r, who)
	default:
		refuse(w, http.StatusInternalServerError, r.Pattern+" is answered by nothing", "this is a defect")
		return
	}
	noteOf(r).ended(err)
	reply(w, v, err)
}

// bar is why somebody is not let to a route.
type bar struct {
	status     int
	code       string // in the audit record
	text, hint string
}

func (b *bar) Error() string { return b.text }

// admit says who sent a request to a closed route, and whether they may.
func (s *server) admit(r *http.Request) (access.Person, *bar) {
	who, ok, err := s.identify(r)
	switch {
	case err != nil:
		return access.Person{}, &bar{http.StatusInternalServerError, auditFault, "the tokens could not be read", "look into the daemon's log, and at tokens.json in its state folder"}
	case !ok:
		return access.Person{}, &bar{http.StatusUnauthorized, auditUnknown, errNoToken.Error(), "send one as Authorization: Bearer …; the daemon wrote its own to the file token in its state folder, and `mooring token create` makes personal ones"}
	case !who.May(access.See, r.PathValue("name")):
		return who, &bar{http.StatusForbidden, auditForbidden, who.Check(access.See, r.PathValue("name")).Error(), ""}
	case r.Method != http.MethodGet && foreign(r):
		return who, &bar{http.StatusForbidden, auditForeign, errForeign.Error(), "use the page or the command line of this daemon"}
	}
	return who, nil
}

// proofLoopback: nobody was asked for anything.
const proofLoopback = "loopback"

// identify says who sent a request. The daemon's own token proves the right to
// everything and nobody's name; a personal one proves the name.
func (s *server) identify(r *http.Request) (access.Person, bool, error) {
	tokens, err := s.tokens()
	if err != nil {
		return access.Person{}, false, err
	}
	bearer, shown := bearerOf(r)
	switch {
	case shown && hmac.Equal(digest(bearer), digest(s.ownToken())):
		return somebody(r, "own_token"), true, nil
	case shown && access.Personal(bearer):
		// Whoever means to be known by name is not let in as anybody else.
		p, ok := tokens.Person(bearer, s.o.Now())
		return p, ok, nil
	case shown && strings.Count(bearer, ".") == 2:
		p, ok := s.federated(r, bearer)
		return p, ok, nil
	case !shown:
		if p, ok := s.bySession(r, tokens); ok {
			return p, true, nil
		}
	}
	// What another daemon of this machine gave out does not shut its user out
	// where nobody is asked for anything.
	if s.o.InsecureLoopback && loopbackHost(r.Host) && !passedOn(r) && len(r.Header["Authorization"]) < 2 {
		return somebody(r, proofLoopback), true, nil
	}
	return access.Person{}, false, nil
}

// bearerOf is the token that a request shows. Two of them are none: which one
// somebody in between looked at is not known.
func bearerOf(r *http.Request) (bearer string, shown bool) {
	all := r.Header["Authorization"]
	if len(all) > 1 {
		return "", true
	}
	scheme, bearer, _ := strings.Cut(strings.Join(all, ""), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return bearer, true
}

// passedOn: a proxy says that it passes somebody else's request on, who need not
// be on this machine. What it says of them is not believed either way.
func passedOn(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}

// federated is whom a token proves that an issuer signed. Why it does not is told
// to those who see the audit record, not to who sent it.
func (s *server) federated(r *http.Request, bearer string) (access.Person, bool) {
	if s.o.Federated == nil {
		return access.Person{}, false
	}
	p, err := s.o.Federated(r.Context(), bearer)
	if err != nil {
		noteOf(r).why = err.Error()
		return access.Person{}, false
	}
	return p, true
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

// somebody is a person whose name is only stated, let in by something else.
func somebody(r *http.Request, proof string) access.Person {
	p := access.Stated(stated(r))
	p.Proof = proof
	return p
}

// stated is the name a caller claims; it says so, wherever it is shown.
func stated(r *http.Request) string {
	name := r.Header.Get("Mooring-User")
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool { return c == unicode.ReplacementChar || !unicode.IsPrint(c) }) {
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

// foreign: a browser says that another site's page sent this. Who says it twice
// may mean either.
func foreign(r *http.Request) bool {
	if len(r.Header["Sec-Fetch-Site"]) > 1 || len(r.Header["Origin"]) > 1 {
		return true
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	origin := r.Header.Get("Origin")
	return origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host
}
