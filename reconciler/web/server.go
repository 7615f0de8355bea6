package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// Options of the server.
type Options struct {
	View    View
	Control Control
	// Audit keeps what people had done, and what they were refused.
	Audit   Audit
	Metrics *Metrics
	// Token lets its bearer see and do everything; who that is, is not proved.
	Token string
	// TokenNow is Token as it is now, where it may be replaced; nil: it is not.
	TokenNow func() string
	// Tokens are those of single people, read anew at each request; may be nil.
	Tokens func() (access.Tokens, error)
	// Federated is whom a token proves that an issuer signed; nil: nobody.
	Federated func(ctx context.Context, token string) (access.Person, error)
	// Logins are the ways in to the page by issuers; nil: tokens alone.
	Logins Logins
	// PageURL is where people reach the page, without a slash at its end; "" where
	// that is not known, and then no issuer finds the way back.
	PageURL string
	// Webhooks hears git hosts; nil: none is heard.
	Webhooks Webhooks
	// Loopback: the server listens on this machine only.
	Loopback bool
	// InsecureLoopback needs Loopback, and then asks nobody for a token.
	InsecureLoopback bool
	OpenMetrics      bool // /metrics for other machines too
	HTTPS            bool // people reach the page by https
	Version          string
	Now              func() time.Time
	// Panicked is told of a panic in a handler, with where it was; nil: nobody is.
	Panicked func(ctx context.Context, v any, stack []byte)
	// Closing is closed when the daemon stops: open streams end then. May be nil.
	Closing <-chan struct{}
}

// maxBody is the largest request body read.
const maxBody = 1 << 20

type server struct {
	o   Options
	mux *http.ServeMux
	// books are the way into the audit record.
	books    books
	sessions sessions
	attempts *attempts
	tries    tries
	turns    [rooms]*turns
	drifts   drifts
	// shut are the patterns that need somebody with a role; opened need nobody.
	shut, opened []string
	// described are those of the API, with what they are for.
	described map[string]purpose
	templates *template.Template
}

// New makes the handler of everything. Routes are closed unless opened here.
func New(o Options) (http.Handler, error) {
	switch {
	case o.View == nil || o.Control == nil || o.Audit == nil || o.Metrics == nil || o.Now == nil:
		return nil, errors.New("web: View, Control, Audit, Metrics and Now are needed")
	case o.Token == "":
		return nil, errors.New("web: a token is needed")
	case o.InsecureLoopback && !o.Loopback:
		return nil, errors.New("web: --insecure-loopback is for loopback addresses only; listen on 127.0.0.1, or use the token")
	}
	if o.Panicked == nil {
		o.Panicked = func(context.Context, any, []byte) {}
	}
	pages, err := templates()
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	tried, err := newAttempts()
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &server{o: o, mux: http.NewServeMux(), templates: pages, attempts: tried, turns: newTurns()}
	s.routes()
	return s, nil
}

// ownToken is the daemon's own, as it is now.
func (s *server) ownToken() string {
	if s.o.TokenNow == nil {
		return s.o.Token
	}
	return s.o.TokenNow()
}

func (s *server) routes() {
	s.open("GET /healthz", s.healthy)
	s.open("GET /readyz", s.ready)
	s.mux.HandleFunc("GET /metrics", s.metrics)
	s.logins()

	s.pages()
	s.api("GET /api/v1/status", purpose{does: "Where everything stands.", answer: Status{}}, func(_ *http.Request, who access.Person) (any, error) { return s.status(who), nil })
	s.api("GET /api/v1/history", purpose{does: "What happened, newest first.", answer: []Event{}, query: []string{"environment", "limit"}}, s.history)
	s.api("GET /api/v1/environments/{name}/plan", purpose{does: "What the head of the branch would change.", answer: Plan{}}, func(r *http.Request) (any, error) {
		return s.o.View.Plan(r.Context(), r.PathValue("name"))
	})
	s.api("GET /api/v1/environments/{name}/rollouts", purpose{does: "How releases came into force, newest first.", answer: []Rollout{}, query: []string{"release", "looks", "limit"}}, s.rollouts)
	s.api("GET /api/v1/environments/{name}/drift", purpose{does: "What differs without a release, as last looked at.", answer: Drift{}}, func(r *http.Request) (any, error) {
		return s.o.View.Drift(r.Context(), r.PathValue("name"))
	})
	s.policy()
	s.acts()
	s.api("GET /api/v1/audit", purpose{does: "Who had what done and was refused what, newest first; for operators.", answer: []record.Audit{}, query: []string{"environment", "who", "outcome", "limit"}}, s.audit)
	s.profiles()
	s.openAPI()
	if s.o.Webhooks != nil { // open: each request is proved by its signature
		s.mux.Handle("POST "+webhookPath+"{host}", newHooks(s.o))
	}
}

// webhookPath is below which git hosts are heard.
const webhookPath = "/webhooks/"

type requestKey struct{}

// WithRequest is a context of the request of this id.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestOf is the id of the request that ctx is of; "" for none.
func RequestOf(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// ServeHTTP answers with the headers every answer has.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	id := rand.Text()
	h.Set(requestID, id)
	r = r.WithContext(WithRequest(r.Context(), id))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	if s.o.HTTPS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if !strings.HasPrefix(r.URL.Path, webhookPath) { // which have a bound of their own
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	defer func() {
		// A fault in one handler must not end the daemon.
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler: // somebody broke off on purpose
			panic(v)
		default:
			s.o.Panicked(r.Context(), v, debug.Stack())
			refuse(w, http.StatusInternalServerError, "internal fault", "this is a defect; the daemon goes on")
		}
	}()
	s.route(w, r)
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.o.View.Ready(); err != nil {
		text(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
		return
	}
	text(w, http.StatusOK, "ready\n")
}

// metrics are open to who asks on this machine for it, else by flag or with the
// token: not to another site's page, nor to whom a proxy here speaks for.
func (s *server) metrics(w http.ResponseWriter, r *http.Request) {
	here := s.o.Loopback && loopbackHost(r.Host) && !passedOn(r)
	if !here && !s.o.OpenMetrics && !s.mayLook(r) {
		refuse(w, http.StatusUnauthorized, "no valid token", "start the daemon with --open-metrics, or send the token")
		return
	}
	s.o.Metrics.Handler().ServeHTTP(w, r)
}

// status is what somebody may see of it.
func (s *server) status(who access.Person) Status {
	all := s.o.View.Status()
	all.Environments = slices.DeleteFunc(slices.Clone(all.Environments), func(e EnvironmentStatus) bool { return !who.May(access.See, e.Name) })
	return all
}

// events are what somebody may see of the history. Those of no environment are
// for everybody.
func (s *server) events(who access.Person, environment string, limit int) []Event {
	return slices.DeleteFunc(s.o.View.History(environment, limit), func(e Event) bool { return e.Environment != "" && !who.May(access.See, e.Environment) })
}

func (s *server) history(r *http.Request, who access.Person) (any, error) {
	limit, err := limitOf(r, 50)
	if err != nil {
		return nil, err
	}
	name := r.URL.Query().Get("environment")
	if names := s.names(); name != "" && !slices.Contains(names, name) {
		return nil, fmt.Errorf("environment %q: unknown; this pipeline has %s%s", name, strings.Join(names, ", "), manifest.DidYouMean(name, names))
	}
	if err := who.Check(access.See, name); err != nil {
		return nil, err
	}
	return s.events(who, name, limit), nil
}

// rollouts of an environment; with looks=true every look at them.
func (s *server) rollouts(r *http.Request, _ access.Person) (any, error) {
	limit, err := limitOf(r, 20)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	return s.o.View.Rollouts(r.Context(), RolloutQuery{
		Environment: r.PathValue("name"), Release: v.Get("release"), Looks: v.Get("looks") == "true", Limit: limit,
	})
}

// limitOf is how many a caller wants; usual when it does not say.
func limitOf(r *http.Request, usual int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, badRequest{fmt.Errorf("limit %q: want 1 to 1000", text)}
	}
	return n, nil
}

// names of the pipeline's environments.
func (s *server) names() (names []string) {
	for _, e := range s.o.View.Status().Environments {
		names = append(names, e.Name)
	}
	return names
}

// badRequest is the caller's fault.
type badRequest struct{ error }

func read(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return badRequest{fmt.Errorf("request body: %w", err)}
	}
	n := noteOf(r)
	body = []byte(tokenless(string(body), n.own))
	n.asks(body)
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badRequest{fmt.Errorf("request body: %w", err)}
	}
	return nil
}

func reply(w http.ResponseWriter, v any, err error) {
	var bad badRequest
	var refusal *access.Refusal
	switch {
	case errors.As(err, &refusal):
		refuse(w, http.StatusForbidden, err.Error(), "")
		return
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
	out, err := json.Marshal(Refused{Error: message, Hint: hint, Request: w.Header().Get(requestID)})
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
