package apigateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/proxy"
	"mooring.dev/providers/aws/sandbox/wire"
)

const (
	pathPrefix  = "/execute-api/"
	largestBody = 10 << 20
)

// Handle answers what is addressed to an API of this service, by path or by
// Host. It reports false for everything else, and for an API it does not know.
func (s *Service) Handle(w http.ResponseWriter, r *http.Request) bool {
	host, _, _ := strings.Cut(r.Host, ":")
	id, ofRegion := strings.CutSuffix(host, ".execute-api."+s.options.Region+".amazonaws.com")
	path := r.URL.Path
	if !ofRegion {
		rest, addressed := strings.CutPrefix(r.URL.Path, pathPrefix)
		if !addressed {
			return false
		}
		id, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	if !s.has(id) {
		return false
	}
	started := s.options.Now()
	out := &statusWriter{ResponseWriter: w}
	stage := s.serve(out, r, id, path)
	s.measure(id, stage, out.status, s.options.Now().Sub(started))
	return true
}

// Addressed is true for requests to an API, whether there is one or not.
func Addressed(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, pathPrefix) || strings.Contains(r.Host, ".execute-api.")
}

func (s *Service) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apis[id] != nil
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (s *Service) measure(id, stage string, status int, took time.Duration) {
	if s.options.Metrics == nil || stage == "" {
		return
	}
	dimensions := map[string]string{"ApiId": id, "Stage": stage}
	s.options.Metrics("Count", dimensions, 1)
	s.options.Metrics("Latency", dimensions, float64(took.Milliseconds()))
	s.options.Metrics("4xx", dimensions, float64(btoi(status >= 400 && status < 500)))
	s.options.Metrics("5xx", dimensions, float64(btoi(status >= 500)))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hit is one request that found its route, settled under the mutex.
type hit struct {
	id, stage, full string // full is the path with the stage in front
	path            string
	route           routeView
	integration     *integrationView
	authorizer      *authorizerView
	cors            *cors
	parameters      map[string]string
	variables       map[string]string
	request         string
	body            []byte
}

// serve answers one request, and names the stage it was for.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, id, path string) (stage string) {
	h, status := s.locate(r.Method, id, path)
	if h.cors.answer(w, r) {
		return h.stage
	}
	if status != 0 {
		refuse(w, status)
		return h.stage
	}
	var err error
	if h.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody)); err != nil {
		refuse(w, http.StatusRequestEntityTooLarge)
		return h.stage
	}
	h.request = wire.NewID()
	w.Header().Set("Apigw-Requestid", h.request)
	context, status := s.authorize(r, h)
	if status != 0 {
		refuse(w, status)
		return h.stage
	}
	s.integrate(w, r, h, context)
	return h.stage
}

func refuse(w http.ResponseWriter, status int) {
	text := http.StatusText(status)
	if status == http.StatusServiceUnavailable {
		text = "Service Unavailable"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, text) // the client may be gone
}

// locate finds stage, route and integration of a request; a status refuses it.
func (s *Service) locate(method, id, path string) (*hit, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &hit{id: id, full: path, path: path}
	a := s.apis[id]
	if a == nil || *a.Disabled {
		return h, http.StatusNotFound
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	st := a.stages[first]
	switch {
	case st != nil && first != "$default":
		h.path = "/" + rest
	case a.stages["$default"] != nil:
		st = a.stages["$default"]
	default:
		return h, http.StatusNotFound
	}
	h.stage, h.variables, h.cors = st.Name, copied(st.Variables), a.Cors
	route, parameters := a.match(method, h.path)
	if route == nil {
		return h, http.StatusNotFound
	}
	h.route, h.parameters = *route, parameters
	if route.Target != nil {
		if i := a.integrations[strings.TrimPrefix(*route.Target, "integrations/")]; i != nil {
			copy := *i
			h.integration = &copy
		}
	}
	if route.Authorizer != nil {
		copy := *a.authorizers[*route.Authorizer]
		h.authorizer = &copy
	}
	return h, 0
}

// source is what a function's policy sees of a request.
func (s *Service) source(h *hit, tail string) string {
	return "arn:aws:execute-api:" + s.options.Region + ":" + s.options.Account + ":" + h.id + "/" + tail
}

// function reads the ARN of a function out of an integration's URI.
func function(uri string) string {
	if _, tail, ok := strings.Cut(uri, ":lambda:path/2015-03-31/functions/"); ok {
		return strings.TrimSuffix(tail, "/invocations")
	}
	return uri
}

// event is the request as the function gets it.
func (s *Service) event(r *http.Request, h *hit, authorizer map[string]any) proxy.Request {
	return proxy.Request{
		HTTP: r, Body: h.body, ID: h.request, Account: s.options.Account, API: h.id,
		Domain:   h.id + ".execute-api." + s.options.Region + ".amazonaws.com",
		RouteKey: h.route.Key, Stage: h.stage, Path: h.full, PathParameters: h.parameters, StageContext: h.variables,
		Authorizer: authorizer, At: s.options.Now(),
	}
}

// integrate invokes the function of a route and writes what it returned.
func (s *Service) integrate(w http.ResponseWriter, r *http.Request, h *hit, authorizer map[string]any) {
	if h.integration == nil || h.integration.Type != "AWS_PROXY" || h.integration.Payload != "2.0" {
		refuse(w, http.StatusInternalServerError) // the sandbox speaks to functions, in format 2.0
		return
	}
	payload, err := json.Marshal(s.event(r, h, authorizer).Event())
	if err != nil {
		refuse(w, http.StatusInternalServerError)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(*h.integration.Timeout)*time.Millisecond)
	defer cancel()
	key := h.route.Key
	if method, path, ok := strings.Cut(key, " "); ok {
		key = strings.Replace(method, "ANY", "*", 1) + path
	}
	out, failed, err := s.options.Invoke(ctx, function(h.integration.URI), s.source(h, h.stage+"/"+key), payload)
	switch {
	case ctx.Err() != nil:
		refuse(w, http.StatusServiceUnavailable)
	case err != nil || failed:
		refuse(w, http.StatusInternalServerError)
	case proxy.Respond(w, out) != nil:
		refuse(w, http.StatusInternalServerError)
	}
}

// answer sets the CORS headers, and answers a preflight by itself.
func (c *cors) answer(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if c == nil || origin == "" {
		return false
	}
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	h := w.Header()
	if slices.Contains(c.AllowOrigins, "*") || slices.Contains(c.AllowOrigins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
		if c.AllowCredentials != nil && *c.AllowCredentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if len(c.ExposeHeaders) > 0 {
			h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
		}
		if preflight {
			h.Set("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
			h.Set("Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ","))
			if c.MaxAge != nil {
				h.Set("Access-Control-Max-Age", strconv.Itoa(*c.MaxAge))
			}
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}
