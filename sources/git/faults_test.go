package git

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

// canary is a credential that must not be seen anywhere.
const canary = "s3cret/canary+token"

func TestLesson03BranchMovesBetweenListAndFetch(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	r := follow(t, Options{URL: server.Repository})
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	var moved atomic.Value
	server.Break(func(_ http.ResponseWriter, request *http.Request) bool {
		if request.Method == http.MethodPost && moved.Load() == nil {
			moved.Store(g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "2"}, Root: true}))
			g.Forget() // the commit that is asked for is gone
		}
		return false
	})
	if got := fetch(t, r)["main"].Commit.SHA; got != moved.Load() {
		t.Errorf("fetched %s, the server has %v", got, moved.Load())
	}
}

func TestLesson04ServerFaults(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	server.Protect(canary)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := follow(t, Options{URL: server.Repository, TokenFile: token})
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "0"}})
	fetch(t, r)
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			_, password, _ := r.BasicAuth()
			http.Error(w, "you sent "+password, code)
			return true
		}
	}
	for i, test := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		want  error
	}{
		{"401", status(401), sources.ErrUnauthorized},
		{"403", status(403), sources.ErrUnauthorized},
		{"404", status(404), sources.ErrUnauthorized},
		{"429", status(429), sources.ErrUnreachable},
		{"500", status(500), sources.ErrUnreachable},
		{"503 at the pack", onPost(status(503)), sources.ErrUnreachable},
		{"not git", func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, "<html>"+canary+"</html>")
			return true
		}, sources.ErrUnreachable},
		{"truncated list", truncated(server, 20), sources.ErrUnreachable},
		{"list cut after its head", ended(server, 34), sources.ErrUnreachable},
		{"list cut between names", ended(server, -4), sources.ErrUnreachable},
		{"only flushes", func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, strings.Repeat("0000", 20))
			return true
		}, sources.ErrUnreachable},
		{"truncated pack", onPost(truncated(server, 60)), sources.ErrUnreachable},
		{"hangs up", onPost(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }), sources.ErrUnreachable},
		{"slow loris", func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = io.WriteString(w, "001e# service=git-upload-pack\n")
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, "0")
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
			return true
		}, sources.ErrUnreachable},
	} {
		want := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": fmt.Sprint(i + 1)}})
		server.Break(test.fault)
		ctx, cancel := t.Context(), func() {}
		if test.name == "slow loris" {
			ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
		}
		_, err := r.Fetch(ctx)
		cancel()
		server.Break(nil)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "canary") || len(err.Error()) > 1000) {
			t.Errorf("%s: the error tells too much: %v", test.name, err)
		}
		if got := fetch(t, r)["main"].Commit.SHA; got != want {
			t.Errorf("%s: after healing at %s, want %s", test.name, got, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(r.store.gitDir, "objects", "pack", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the store: %v, %v", left, err)
	}
}

func onPost(fault func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPost && fault(w, r)
	}
}

// truncated answers as the server would, and hangs up after so many bytes.
func truncated(server *sourcetest.Server, after int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		answer := httptest.NewRecorder()
		server.Git.ServeHTTP(answer, r)
		for key, values := range answer.Header() {
			w.Header()[key] = values
		}
		body := answer.Body.Bytes()
		_, _ = w.Write(body[:min(after, len(body))])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// ended answers with the start of what the server would say (less the end, if
// after is negative), as if that were all.
func ended(server *sourcetest.Server, after int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		answer := httptest.NewRecorder()
		server.Git.ServeHTTP(answer, r)
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		body := answer.Body.Bytes()
		if after < 0 {
			after += len(body)
		}
		_, _ = w.Write(body[:after])
		return true
	}
}

func TestLesson04CertificateNotTrusted(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	server := sourcetest.Serve(t, g, true)
	if _, err := follow(t, Options{URL: server.Repository}).Fetch(t.Context()); !errors.Is(err, sources.ErrUnreachable) {
		t.Errorf("a certificate nobody knows: %v", err)
	}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := text(t, fetch(t, follow(t, Options{URL: server.Repository, CAFile: authority}))["main"], "a.yaml"); got != "1" {
		t.Errorf("read %q", got)
	}
}

func TestLesson05RedirectToAnotherHost(t *testing.T) {
	var caught atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caught.Add(1)
		if r.Header.Get("Authorization") != "" {
			t.Error("the other host was sent a credential")
		}
	}))
	defer thief.Close()
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	server := sourcetest.Serve(t, g, false)
	server.Protect(canary)
	t.Setenv("TEST_TOKEN", canary)
	r := follow(t, Options{URL: server.Repository, TokenEnv: "TEST_TOKEN"})
	server.Break(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, thief.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		return true
	})
	if _, err := r.Fetch(t.Context()); err == nil || caught.Load() != 0 {
		t.Errorf("%d requests at the other host, %v", caught.Load(), err)
	}
	// On the same host a redirect is followed.
	server.Break(func(w http.ResponseWriter, r *http.Request) bool {
		if path, moved := strings.CutPrefix(r.URL.Path, "/old"); moved {
			http.Redirect(w, r, path+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return true
		}
		return false
	})
	moved := follow(t, Options{URL: strings.Replace(server.Repository, "/repository", "/old/repository", 1), TokenEnv: "TEST_TOKEN"})
	if got := text(t, fetch(t, moved)["main"], "a.yaml"); got != "1" {
		t.Errorf("read %q", got)
	}
}

// TestLesson08HostileRefNames serves names that would leave the folder of
// references, and watches that nothing does.
func TestLesson08HostileRefNames(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	good := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	server := sourcetest.Serve(t, g, false)
	hostile := []string{
		"refs/heads/../../escaped", "refs/heads/..", "refs/heads//etc/escaped", "refs/heads/a/../../../../escaped",
		"refs/heads/.git", "refs/heads/x.lock", "refs/heads/a\\..\\b", "../escaped", "refs/heads/" + strings.Repeat("n", 5000),
	}
	server.Break(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			return false
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		packet := func(line string) { _, _ = fmt.Fprintf(w, "%04x%s", len(line)+4, line) }
		packet("# service=git-upload-pack\n")
		_, _ = io.WriteString(w, "0000")
		packet(good + " HEAD\x00side-band-64k ofs-delta symref=HEAD:refs/heads/../../escaped\n")
		for _, name := range append(hostile, "refs/heads/main") {
			packet(good + " " + name + "\n")
		}
		_, _ = io.WriteString(w, "0000")
		return true
	})
	top := t.TempDir()
	r := follow(t, Options{URL: server.Repository, Dir: filepath.Join(top, "a", "b", "store")})
	got := fetch(t, r)
	if len(got) != 1 || got["main"].Commit.SHA != good || r.DefaultBranch() != "" {
		t.Errorf("branches %v, default %q", got, r.DefaultBranch())
	}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), "escaped") {
			t.Errorf("written: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, name := range []string{"../x", "a/../../x", "", ".", "a.lock", "/abs", "a b"} {
		if err := r.Keep(t.Context(), name, good); err == nil {
			t.Errorf("Keep took the name %q", name)
		}
	}
}

// TestKeepDoesNotWaitForTheServer pins and opens while a fetch hangs.
func TestKeepDoesNotWaitForTheServer(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	r := follow(t, Options{URL: server.Repository})
	sha := g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	fetch(t, r)
	arrived, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
	server.Break(func(http.ResponseWriter, *http.Request) bool {
		close(arrived)
		<-release
		return false
	})
	go func() {
		_, err := r.Fetch(t.Context())
		done <- err
	}()
	<-arrived
	if err := r.Keep(t.Context(), "applied", sha); err != nil {
		t.Error(err)
	}
	if _, err := r.Open(t.Context(), sha); err != nil {
		t.Error(err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLesson14CredentialFileIsReplaced(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	server := sourcetest.Serve(t, g, false)
	dir := t.TempDir()
	// As Kubernetes does it: token → ..data/token, and ..data is swapped.
	swap := func(version, token string) {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, "token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Symlink(version, filepath.Join(dir, "next")), os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	swap("v1", "old-token")
	if err := os.Symlink("..data/token", filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	r := follow(t, Options{URL: server.Repository, TokenFile: filepath.Join(dir, "token")})
	server.Protect("old-token")
	fetch(t, r)
	server.Protect("new-token")
	if _, err := r.Fetch(t.Context()); !errors.Is(err, sources.ErrUnauthorized) || strings.Contains(err.Error(), "old-token") {
		t.Errorf("with the old token: %v", err)
	}
	swap("v2", "new-token")
	fetch(t, r)
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"https://example.com/a/b.git": "https", "http://127.0.0.1:8080/x": "http", "http://localhost/x": "http",
		"http://[::1]/x": "http", "ssh://git@example.com:2222/a": "ssh", "git@example.com:a/b.git": "ssh",
		"/srv/git": "file", "relative/path": "file", "file:///srv/git": "file", "./a:b": "file",
		"http://example.com/x": "", "git://example.com/x": "", "ext::sh -c id": "", "file://host/x": "",
		"-oProxyCommand=id": "", "https://": "", "https://example.com": "", "ftp://example.com/x": "",
		"ssh://user:pass@example.com/x": "", "https://example.com/x?y": "", "ssh://-oProxy/x": "",
		"https://user:" + canary + "@exa mple.com/x": "", "http://10.0.0.1/x": "", "a\nb": "",
	} {
		at, err := parseAddress(url, false)
		if (err == nil) != (want != "") || err == nil && at.endpoint.Protocol != want {
			t.Errorf("%q: %q, %v, want %q", url, at.endpoint.Protocol, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
	if _, err := parseAddress("http://example.com/x", true); err != nil {
		t.Errorf("http where it is allowed: %v", err)
	}
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	server.Protect("pw")
	with := func(password string) Options {
		return Options{URL: strings.Replace(server.Repository, "http://", "http://ann:"+password+"@", 1)}
	}
	fetch(t, follow(t, with("pw")))
	if _, err := follow(t, with("hidden")).Fetch(t.Context()); !errors.Is(err, sources.ErrUnauthorized) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a wrong password in the URL: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	for name, o := range map[string]Options{
		"nothing": {}, "no URL": {Dir: dir}, "no store": {URL: dir},
		"negative": {URL: dir, Dir: dir, Poll: -1}, "limits": {URL: dir, Dir: dir, MaxPack: -1},
		"ssh without known hosts": {URL: "git@example.com:x", Dir: dir, SSHKeyFile: "key"},
		"CA":                      {URL: "https://example.com/x", Dir: dir, CAFile: filepath.Join(dir, "none")},
	} {
		if r, err := Open(o); err == nil {
			t.Errorf("%s was accepted: %v", name, r.Close())
		}
	}
}

// TestAStaleLockIsNoBranch: git's lock files lie among the branches while it
// writes, and stay there when it is killed.
func TestAStaleLockIsNoBranch(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.yaml": "1"}})
	g.Commit(sourcetest.Change{Branch: "env/staging", Files: files{"a.yaml": "2"}})
	for _, name := range []string{"env/staging.lock", "main.lock"} {
		if err := os.WriteFile(filepath.Join(g.Dir, "refs", "heads", filepath.FromSlash(name)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := fetch(t, follow(t, Options{URL: g.Dir}))
	if len(got) != 2 || text(t, got["env/staging"], "a.yaml") != "2" {
		t.Errorf("branches: %v", got)
	}
}
