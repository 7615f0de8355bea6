package web

import (
	"cmp"
	"context"
	"crypto/hmac"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
)

// Logins are the ways in to the page by issuers.
type Logins interface {
	// Ways are those there are now.
	Ways() []access.Way
	// Begin is the address where a browser logs in.
	Begin(ctx context.Context, way string, a access.Attempt) (string, error)
	// Finish is who came back from there with an answer; *access.NoLogin where it
	// is nobody's.
	Finish(ctx context.Context, way string, a access.Attempt, answer url.Values) (access.Login, error)
}

const (
	loginPath    = "/login/"
	callbackPath = "/callback"
)

// Back is the place on the page that an issuer sends people back to.
func Back(way string) string { return loginPath + url.PathEscape(way) + callbackPath }

var (
	errForeign = errors.New("the request comes from another site")
	errNoToken = errors.New("no valid token")
	errPaced   = errors.New("too many logins failed from that address")
)

// logins registers the way in, which is open.
func (s *server) logins() {
	s.open("GET /login", s.loginAsked)
	s.open("POST /login", s.loginByToken)
	s.open("POST /logout", s.logout)
	s.open("GET "+loginPath+"style.css", asset("style.css", "text/css; charset=utf-8"))
	if s.o.Logins != nil {
		s.open("GET "+loginPath+"{way}", s.loginBegins)
		s.open("GET "+loginPath+"{way}"+callbackPath, s.loginReturns)
	}
}

// loginAsked shows the way in. With ?token= it takes it at once.
func (s *server) loginAsked(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case !q.Has("token"):
		page := loginPage{To: local(q.Get("to"))}
		if q.Has("out") {
			page.Said = "You are logged out here. Your session at an issuer goes on."
		}
		s.showLogin(w, http.StatusOK, page)
	case foreign(r): // somebody else's link, with somebody else's token in it
		s.refuseLogin(w, r, noLogin{auditForeign, errForeign, http.StatusForbidden, "A page of another site led here with a token. Nobody was logged in: give your own."})
	default:
		s.byToken(w, r, q.Get("token"), "/")
	}
}

// loginByToken is the page's form.
func (s *server) loginByToken(w http.ResponseWriter, r *http.Request) {
	if foreign(r) {
		s.refuseLogin(w, r, noLogin{auditForeign, errForeign, http.StatusForbidden, "A page of another site sent this. Nobody was logged in."})
		return
	}
	if err := r.ParseForm(); err != nil {
		s.refuseLogin(w, r, noLogin{auditInvalid, errors.New("the form could not be read"), http.StatusBadRequest, "The form could not be read."})
		return
	}
	s.byToken(w, r, strings.TrimSpace(r.PostForm.Get("token")), local(r.PostForm.Get("to")))
}

// byToken lets the bearer of a token in.
func (s *server) byToken(w http.ResponseWriter, r *http.Request, secret, to string) {
	if !s.mayTry(w, r) {
		return
	}
	tokens, err := s.tokens()
	now := s.o.Now()
	of := session{ends: now.Add(sessionLong)}
	who, ok := access.Person{}, hmac.Equal(digest(secret), digest(s.ownToken()))
	switch {
	case ok:
		who, of.own = somebody(r, "own_token"), digest(s.ownToken())
	case err == nil:
		if of.token, ok = tokens.ID(secret, now); ok {
			who, ok = tokens.ByID(of.token, now)
		}
	}
	if !ok {
		s.tries.failed(r, now)
		s.refuseLogin(w, r, noLogin{auditUnknown, errNoToken, http.StatusUnauthorized, "That is no valid token."})
		return
	}
	s.welcome(w, r, who, of, to)
}

// welcome begins a session, which the audit record tells of, and leads on.
func (s *server) welcome(w http.ResponseWriter, r *http.Request, who access.Person, of session, to string) {
	n := newNote("POST /login", r)
	n.Request, n.Who, n.Proof = w.Header().Get(requestID), who.Name, who.Proof
	n.aim("by", r.PathValue("way"))
	n.ended(nil)
	s.keep(r, n)
	s.enter(w, r, of)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// mayTry: not too many logins failed from there lately. Who is in already, and
// who sends tokens without a session, is not held up.
func (s *server) mayTry(w http.ResponseWriter, r *http.Request) bool {
	wait := s.tries.wait(r, s.o.Now())
	if wait <= 0 {
		return true
	}
	w.Header().Set("Retry-After", seconds(wait))
	s.refuseLogin(w, r, noLogin{auditUnknown, errPaced, http.StatusTooManyRequests, "Too many logins failed from your address. Try again in a minute."})
	return false
}

// noLogin is a login that did not come to be.
type noLogin struct {
	code   string // in the audit record
	why    error  // there too; who tried at an issuer is not told
	status int
	told   string
}

// refuseLogin notes it and says so: on the page to a browser, else in JSON.
func (s *server) refuseLogin(w http.ResponseWriter, r *http.Request, no noLogin) {
	n := newNote("POST /login", r)
	n.Request = w.Header().Get(requestID)
	n.aim("by", r.PathValue("way"))
	n.refused(no.code, no.why)
	s.keep(r, n)
	if wantsPage(r) || r.PathValue("way") != "" {
		s.showLogin(w, no.status, loginPage{Fault: no.told, To: "/"})
		return
	}
	refuse(w, no.status, no.why.Error(), "open /login, or /login?token=… with the token in the daemon's state folder, or one of your own")
}

// loginPage is the way in as the page shows it.
type loginPage struct {
	Fault, Said string
	To          string // where it leads
	Ways        []access.Way
	Page        string // where issuers find the page; "" where it does not know
}

// Begin is where a way in begins. It is an address and no form: browsers hold what a
// form leads to against the page's policy, also the issuer's own steps.
func (p loginPage) Begin(w access.Way) string {
	return p.Page + loginPath + url.PathEscape(w.Name) + "?to=" + url.QueryEscape(p.To)
}

func (s *server) showLogin(w http.ResponseWriter, status int, page loginPage) {
	page.Page = s.o.PageURL
	if s.o.Logins != nil {
		page.Ways = s.o.Logins.Ways()
	}
	s.showAs(w, status, "login.html", page)
}

// wantsPage: a browser looks, and no program.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, "/api/")
}

// maxReturn bounds the address somebody is led back to.
const maxReturn = 1000

// local is the place on this page that a text names, with the part of it that
// its query names (at, item); "/" where it names another one, or none that is
// looked at.
func local(to string) string {
	if len(to) > maxReturn || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) {
		return "/"
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/"
	}
	for _, not := range []string{"/login", "/logout", "/api/", "/webhooks/", "//"} {
		if strings.HasPrefix(u.Path, not) {
			return "/"
		}
	}
	// What follows # never reaches a server: a link that has to survive a login
	// says it in its query too.
	if at := cmp.Or(u.Query().Get("at"), u.Query().Get("item")); at != "" && u.Fragment == "" {
		return to + "#" + url.PathEscape(at)
	}
	return to
}

// attemptLong is how long a login at an issuer may take.
const attemptLong = 10 * time.Minute
