package web

import (
	"net/http"
	"slices"
	"strings"

	"mooring.dev/reconciler/access"
)

// apiPath is below which programs are answered, in JSON whatever happens.
const apiPath = "/api/"

// missing answers a browser that was led to what is not there any more, as links in
// old alerts do: what it is, and where to go on.
func (s *server) missing(w http.ResponseWriter, who access.Person, environment, what string) {
	f := s.frame(who, "not here")
	if !slices.Contains(f.Environments, environment) {
		environment = ""
	}
	s.showAs(w, http.StatusNotFound, "missing.html", map[string]any{"Frame": f, "What": what, "Environment": environment})
}

// nowhere answers for what is no route of the API: unrouted, which is the router's,
// says whether the path or the method is none.
func nowhere(w http.ResponseWriter, r *http.Request, unrouted http.Handler) {
	said := saidStatus{header: w.Header(), status: http.StatusNotFound}
	unrouted.ServeHTTP(&said, r)
	if methods := w.Header().Get("Allow"); methods != "" {
		refuse(w, said.status, r.Method+" is nothing that "+r.URL.Path+" takes", "it takes "+methods)
		return
	}
	refuse(w, said.status, r.URL.Path+": no such route", "/api/v1/openapi.json has those of this daemon, which may be older than what asks")
}

// saidStatus keeps the status and the headers of an answer, and none of its text.
type saidStatus struct {
	header http.Header
	status int
}

func (s *saidStatus) Header() http.Header         { return s.header }
func (s *saidStatus) WriteHeader(status int)      { s.status = status }
func (s *saidStatus) Write(p []byte) (int, error) { return len(p), nil }

// route hands a request to who answers it.
func (s *server) route(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, apiPath) {
		if unrouted, pattern := s.mux.Handler(r); pattern == "" {
			nowhere(w, r, unrouted)
			return
		}
	}
	s.mux.ServeHTTP(w, r)
}
