package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
	"mooring.dev/providers/aws/sandbox/proxy"
	"mooring.dev/providers/aws/sandbox/wire"
)

const (
	urlPath  = "/lambda-url/"
	codePath = "/lambda-code/"
)

// HandleURL answers what is addressed to a function URL (by path or by Host),
// or to a code location. It reports false for everything else.
func (s *Service) HandleURL(w http.ResponseWriter, r *http.Request) bool {
	if name, found := strings.CutPrefix(r.URL.Path, codePath); found {
		s.serveCode(w, r, name)
		return true
	}
	host, _, _ := strings.Cut(r.Host, ":")
	if id, found := strings.CutSuffix(host, ".lambda-url."+s.opts.Region+".on.aws"); found {
		s.serveURL(w, r, id, r.URL.Path)
		return true
	}
	if rest, found := strings.CutPrefix(r.URL.Path, urlPath); found {
		id, path, _ := strings.Cut(rest, "/")
		s.serveURL(w, r, id, "/"+path)
		return true
	}
	return false
}

func (s *Service) serveCode(w http.ResponseWriter, r *http.Request, name string) {
	s.mu.Lock()
	b := s.code[name]
	s.mu.Unlock()
	if b == nil {
		http.NotFound(w, r)
		return
	}
	f, err := os.Open(s.zipPath(b.hex))
	if err != nil {
		http.Error(w, "the code cannot be read", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/zip")
	_, _ = io.Copy(w, f) // the client may be gone
}

// findByURL finds the function and alias behind an id; public is true where
// its URL asks for no signature and its policy lets everybody in.
func (s *Service) findByURL(id string) (ref reference, found *functionURL, public bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.functions {
		for qualifier, u := range f.urls {
			if u.id == id {
				shown := *u
				return reference{name, qualifier}, &shown, u.auth == "NONE" && f.policies[qualifier].public()
			}
		}
	}
	return reference{}, nil, false
}

func (s *Service) serveURL(w http.ResponseWriter, r *http.Request, id, path string) {
	ref, u, public := s.findByURL(id)
	if u == nil {
		urlError(w, http.StatusNotFound, "ResourceNotFoundException", "Not Found")
		return
	}
	if u.cors.answer(w, r) {
		return
	}
	if !public && (u.auth == "NONE" || r.Header.Get("Authorization") == "") {
		urlError(w, http.StatusForbidden, "AccessDeniedException", "Forbidden")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, syncPayloadLimit))
	if err != nil {
		urlError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request Entity Too Large")
		return
	}
	request := newID()
	account := "anonymous"
	if u.auth == "AWS_IAM" {
		account = s.opts.Account
	}
	event, err := json.Marshal(proxy.Request{
		HTTP: r, Body: body, ID: request, Account: account, API: u.id, Domain: u.id + ".lambda-url." + s.opts.Region + ".on.aws",
		RouteKey: "$default", Stage: "$default", Path: path, At: s.opts.Now(),
	}.Event())
	if err != nil {
		urlError(w, http.StatusInternalServerError, "InternalFailureException", "Internal Server Error")
		return
	}
	_, result, err := s.call(ref, runtime.Invocation{ID: request, Payload: event})
	w.Header().Set("X-Amzn-RequestId", request)
	if err != nil {
		refuseURL(w, err)
		return
	}
	if result.Error != "" {
		urlError(w, http.StatusBadGateway, "", "Internal Server Error")
		return
	}
	if proxy.Respond(w, result.Payload) != nil {
		urlError(w, http.StatusBadGateway, "", "Internal Server Error")
	}
}

func refuseURL(w http.ResponseWriter, err error) {
	var e *wire.Error
	if errors.As(err, &e) && e.Code == "TooManyRequestsException" {
		WriteError(w, e)
		return
	}
	urlError(w, http.StatusBadGateway, "", "Internal Server Error")
}

func urlError(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	if code != "" {
		w.Header().Set("X-Amzn-ErrorType", code)
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"Message":%q}`, text) // the client may be gone
}

// answer sets the CORS headers, and answers a preflight by itself.
func (c *corsConfig) answer(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if c == nil || origin == "" {
		return false
	}
	allowed := false
	for _, o := range c.AllowOrigins {
		allowed = allowed || o == "*" || o == origin
	}
	if allowed {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
		if c.AllowCredentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if len(c.ExposeHeaders) > 0 {
			h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
		}
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if allowed {
		w.Header().Set("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
		w.Header().Set("Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ","))
		w.Header().Set("Access-Control-Max-Age", itoa(c.MaxAge))
	}
	w.WriteHeader(http.StatusOK)
	return true
}
