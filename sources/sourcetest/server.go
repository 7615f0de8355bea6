package sourcetest

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Server serves a Git repository over smart HTTP, with git's own program
// behind it.
type Server struct {
	*httptest.Server
	// Repository is the URL to follow.
	Repository string
	// Git answers as the server does, without password and faults.
	Git http.Handler

	mu    sync.Mutex
	token string
	fault func(http.ResponseWriter, *http.Request) bool
	seen  []string
}

// Serve starts a server for the repository, with TLS if secure. It ends with
// the test.
func Serve(t testing.TB, g *Git, secure bool) *Server {
	t.Helper()
	needGit(t)
	libexec, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatalf("git --exec-path: %v", err)
	}
	g.Run(nil, "config", "http.receivepack", "true")
	s := &Server{}
	silent := log.New(io.Discard, "", 0) // broken connections are part of the tests
	backend := &cgi.Handler{
		Logger: silent, Stderr: io.Discard,
		Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + filepath.Dir(g.Dir), "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_NOSYSTEM=1", "HOME=" + g.Dir, "REMOTE_USER=tester",
		},
	}
	s.Git = backend
	s.Server = httptest.NewUnstartedServer(s.around(backend))
	s.Config.ErrorLog = silent
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	s.Repository = s.URL + "/" + filepath.Base(g.Dir)
	return s
}

// Protect asks for a password from now on.
func (s *Server) Protect(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Break puts a handler in front: where it returns true it has answered. nil heals.
func (s *Server) Break(fault func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Requests is what was asked for so far, "METHOD PATH" each.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func (s *Server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		token, fault := s.token, s.fault
		s.seen = append(s.seen, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		if fault != nil && fault(w, r) {
			return
		}
		if _, password, _ := r.BasicAuth(); password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, fmt.Sprintf("password %q is wrong", password), http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
