package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options of the server.
type Options struct {
	View    View
	Control Control
	Metrics *Metrics
	// Token lets its bearer see and do everything.
	Token string
	// Loopback: the server listens on this machine only.
	Loopback bool
	// InsecureLoopback needs Loopback, and then asks nobody for a token.
	InsecureLoopback bool
	OpenMetrics      bool // /metrics for other machines too
	Version          string
	Now              func() time.Time
}

// maxBody is the largest request body read.
const maxBody = 1 << 20

type server struct {
	o   Options
	mux *http.ServeMux
}

// New makes the handler of everything. Routes are closed unless opened here.
func New(o Options) (http.Handler, error) {
	switch {
	case o.View == nil || o.Control == nil || o.Metrics == nil || o.Now == nil:
		return nil, errors.New("web: View, Control, Metrics and Now are needed")
	case o.Token == "":
		return nil, errors.New("web: a token is needed")
	case o.InsecureLoopback && !o.Loopback:
		return nil, errors.New("web: --insecure-loopback is for loopback addresses only; listen on 127.0.0.1, or use the token")
	}
	s := &server{o: o, mux: http.NewServeMux()}
	s.routes()
	return s, nil
}

func (s *server) routes() {
	s.open("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	s.open("GET /readyz", s.ready)
	s.mux.HandleFunc("GET /metrics", s.metrics)
	s.open("GET /login", s.login)

	s.closed("GET /{$}", s.page)
	s.closed("GET /environments/{name}", s.environmentPage)
	s.closed("GET /style.css", s.style)
	s.closed("GET /api/v1/status", func(r *http.Request) (any, error) { return s.o.View.Status(), nil })
	s.closed("GET /api/v1/history", s.history)
	s.closed("GET /api/v1/environments/{name}/plan", func(r *http.Request) (any, error) {
		return s.o.View.Plan(r.Context(), r.PathValue("name"))
	})
	s.closed("GET /api/v1/environments/{name}/drift", func(r *http.Request) (any, error) {
		return s.o.View.Drift(r.Context(), r.PathValue("name"))
	})
	s.closed("POST /api/v1/environments/{name}/holds", s.hold)
	s.closed("POST /api/v1/environments/{name}/drift", s.answer)
	s.closed("POST /api/v1/environments/{name}/resume", s.act(func(ctx context.Context, name, by string, b body) error {
		return s.o.Control.Resume(ctx, name, b.Hold, by)
	}))
	s.closed("POST /api/v1/environments/{name}/rollback", s.act(func(ctx context.Context, name, by string, b body) error {
		return s.o.Control.Rollback(ctx, name, b.To, by, b.Reason)
	}))
	s.closed("POST /api/v1/environments/{name}/promote", s.act(func(ctx context.Context, name, by string, _ body) error {
		return s.o.Control.Promote(ctx, name, by)
	}))
	s.closed("POST /api/v1/environments/{name}/sync", s.act(func(ctx context.Context, name, by string, _ body) error {
		return s.o.Control.Sync(ctx, name, by)
	}))
	s.closed("POST /api/v1/environments/{name}/retry", s.act(func(ctx context.Context, name, by string, _ body) error {
		return s.o.Control.Retry(ctx, name, by)
	}))
}

// ServeHTTP answers with the headers every answer has.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	defer func() {
		// A fault in one handler must not end the daemon.
		if v := recover(); v != nil {
			refuse(w, http.StatusInternalServerError, "internal fault", "this is a defect; the daemon goes on")
		}
	}()
	s.mux.ServeHTTP(w, r)
}

// open registers a route that needs no identity: probes and the way in.
func (s *server) open(pattern string, h http.HandlerFunc) { s.mux.HandleFunc(pattern, h) }

// closed registers a route that needs a token. h returns what to show, or
// writes by itself and returns nil, nil.
func (s *server) closed(pattern string, h any) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if !s.known(r) {
			refuse(w, http.StatusUnauthorized, "no valid token", "send it as Authorization: Bearer …; the daemon wrote it to the file token in its state folder")
			return
		}
		if r.Method != http.MethodGet && foreign(r) {
			refuse(w, http.StatusForbidden, "the request comes from another site", "use the page or the command line of this daemon")
			return
		}
		switch h := h.(type) {
		case func(http.ResponseWriter, *http.Request):
			h(w, r)
		case func(*http.Request) (any, error):
			v, err := h(r)
			reply(w, v, err)
		}
	})
}

// cookie holds proof of the token in a browser.
const cookie = "mooring"

// known: the caller proved to have the token, or none is asked for here.
func (s *server) known(r *http.Request) bool {
	if s.o.InsecureLoopback && loopbackHost(r.Host) {
		return true
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return hmac.Equal(digest(bearer), digest(s.o.Token))
	}
	c, err := r.Cookie(cookie)
	return err == nil && hmac.Equal([]byte(c.Value), []byte(s.session()))
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

// session is what a browser keeps instead of the token.
func (s *server) session() string {
	mac := hmac.New(sha256.New, []byte(s.o.Token))
	mac.Write([]byte("page session"))
	return fmt.Sprintf("%x", mac.Sum(nil))
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
	if !hmac.Equal(digest(r.URL.Query().Get("token")), digest(s.o.Token)) {
		refuse(w, http.StatusUnauthorized, "no valid token", "open /login?token=… with the token in the daemon's state folder")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.session(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 12 * 3600})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.o.View.Ready(); err != nil {
		text(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
		return
	}
	text(w, http.StatusOK, "ready\n")
}

// metrics are open on loopback, else by flag or with the token.
func (s *server) metrics(w http.ResponseWriter, r *http.Request) {
	if !s.o.Loopback && !s.o.OpenMetrics && !s.known(r) {
		refuse(w, http.StatusUnauthorized, "no valid token", "start the daemon with --open-metrics, or send the token")
		return
	}
	s.o.Metrics.Handler().ServeHTTP(w, r)
}

func (s *server) history(r *http.Request) (any, error) {
	limit := 50
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return nil, badRequest{fmt.Errorf("limit %q: want 1 to 1000", text)}
		}
		limit = n
	}
	name := r.URL.Query().Get("environment")
	if name != "" && !s.has(name) {
		return nil, fmt.Errorf("environment %q: unknown", name)
	}
	return s.o.View.History(name, limit), nil
}

// has: the pipeline has an environment of this name.
func (s *server) has(name string) bool {
	return slices.ContainsFunc(s.o.View.Status().Environments, func(e EnvironmentStatus) bool { return e.Name == name })
}

// body is what acts are asked with.
type body struct {
	Hold   string `json:"hold"`
	To     string `json:"to"`
	Reason string `json:"reason"`
}

// actTimeout bounds how long a request waits for the environment's pass.
const actTimeout = 30 * time.Second

func (s *server) act(do func(ctx context.Context, name, by string, b body) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var b body
		if err := read(r, &b); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
		defer cancel()
		if err := do(ctx, r.PathValue("name"), s.who(r), b); err != nil {
			return nil, err
		}
		return map[string]bool{"accepted": true}, nil
	}
}

func (s *server) hold(r *http.Request) (any, error) {
	var h HoldRequest
	if err := read(r, &h); err != nil {
		return nil, err
	}
	h.Environment, h.By = r.PathValue("name"), s.who(r)
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	return s.o.Control.Hold(ctx, h)
}

func (s *server) answer(r *http.Request) (any, error) {
	var a DriftAnswer
	if err := read(r, &a); err != nil {
		return nil, err
	}
	a.Environment, a.By = r.PathValue("name"), s.who(r)
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	if err := s.o.Control.Answer(ctx, a); err != nil {
		return nil, err
	}
	return map[string]bool{"accepted": true}, nil
}

// who is the name an act is recorded under. Without an identity provider it
// is a claim, and says so.
func (s *server) who(r *http.Request) string {
	name := r.Header.Get("Mooring-User")
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' }) {
		name = "token"
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && net.ParseIP(host).IsLoopback() {
		return "local:" + name + " (unverified)"
	}
	return "token:" + name + " (unverified)"
}

// badRequest is the caller's fault.
type badRequest struct{ error }

func read(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badRequest{fmt.Errorf("request body: %w", err)}
	}
	return nil
}

func reply(w http.ResponseWriter, v any, err error) {
	var bad badRequest
	switch {
	case errors.As(err, &bad):
		refuse(w, http.StatusBadRequest, err.Error(), "")
		return
	case err != nil:
		refuse(w, http.StatusConflict, err.Error(), "")
		return
	}
	out, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "the answer could not be written", "")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(out, '\n')) // a caller that left needs no answer
}

func refuse(w http.ResponseWriter, status int, message, hint string) {
	out, err := json.Marshal(map[string]string{"error": message, "hint": hint})
	if err != nil {
		out = []byte(`{"error":"refused"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(out, '\n'))
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(s))
}
