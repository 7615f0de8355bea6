package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/reconciler/access"
)

// A stream ends with what opened it, also while nothing happens: a token that is
// taken back, or that ends.
func TestTheStreamEndsWithItsToken(t *testing.T) {
	for name, long := range map[string]time.Duration{"taken back": time.Hour, "run out": 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			ts, secret, err := access.Tokens(nil).Issue(access.Token{Name: "ann", Grants: []access.Grant{{Role: access.Viewer}}, Created: begun, Expires: begun.Add(long)}, []byte(strings.Repeat("7", 32)))
			if err != nil {
				t.Fatal(err)
			}
			var held atomic.Value // also while a stream looks
			held.Store(ts)
			o := newOffice(t, twoEnvironments(), func(w *Options) {
				w.Tokens = func() (access.Tokens, error) { return held.Load().(access.Tokens), nil }
			})
			stays, goes := o.listen("the-token"), o.listen(secret)
			time.Sleep(streamBeat + time.Second)
			synctest.Wait()
			if n := o.open.Load(); n != 2 {
				t.Errorf("%s: %d streams are open, want 2", name, n)
			}
			if long > time.Minute {
				taken, _ := ts.Revoke("ann", time.Now())
				held.Store(taken)
			}
			time.Sleep(streamBeat)
			synctest.Wait()
			if n := o.open.Load(); n != 1 {
				t.Errorf("%s: %d streams are open, want 1", name, n)
			}
			_, _ = stays.conn.Close(), goes.conn.Close()
			synctest.Wait()
		})
	}
}

// TestEachAnswerIsPrivate: whoever asks and whatever is answered, nothing keeps it, no
// other site shows it in a frame, and nothing is guessed of it.
func TestEachAnswerIsPrivate(t *testing.T) {
	h := serve(t, &fake{}, func(o *Options) { o.View = &shelved{} })
	routes := closedRoutes(t, h)
	for _, pattern := range h.(*server).opened {
		method, path, _ := strings.Cut(pattern, " ")
		routes = append(routes, struct{ method, target string }{method, path})
	}
	routes = append(routes, struct{ method, target string }{"GET", "/nowhere"}, struct{ method, target string }{"DELETE", "/"}, struct{ method, target string }{"GET", "/environments/nowhere"}, struct{ method, target string }{"POST", "/webhooks/github"})
	for _, r := range routes {
		for _, bearer := range []string{"the-token", "another"} {
			if bearer == "the-token" && r.target == "/api/v1/events" {
				continue // it does not end: TestTheStream…
			}
			w := ask(h, r.method, r.target, "{}", "Authorization", "Bearer "+bearer, "Accept", "text/html")
			for name, want := range map[string]string{"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "frame-ancestors 'none'"} {
				if got := w.Header().Get(name); !strings.Contains(got, want) {
					t.Errorf("%s %s with %s: %d, %s %q", r.method, r.target, bearer, w.Code, name, got)
				}
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s may be read by other sites", r.method, r.target)
			}
		}
	}
}

// TestNoPostIsTakenFromAnotherSite, whoever its browser is logged in as: each route
// that changes something.
func TestNoPostIsTakenFromAnotherSite(t *testing.T) {
	f := &fake{}
	h := serve(t, f, func(o *Options) { o.View = &shelved{} })
	session := ask(h, "GET", "/login?token=the-token", "").Result().Cookies()[0]
	n := 0
	for _, r := range closedRoutes(t, h) {
		if r.method == http.MethodGet {
			continue
		}
		n++
		for _, from := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1:9999"}, {"Origin", "http://evil.example://127.0.0.1:8420"}} {
			if w := ask(h, r.method, r.target, "{}", "Cookie", session.Name+"="+session.Value, from[0], from[1]); w.Code != http.StatusForbidden {
				t.Errorf("%s %s with %v: %d", r.method, r.target, from, w.Code)
			}
		}
	}
	for _, name := range []string{"Sec-Fetch-Site", "Origin"} {
		r := httptest.NewRequest("POST", "/api/v1/environments/preview/sync", strings.NewReader("{}"))
		r.Host, r.RemoteAddr = "127.0.0.1:8420", "127.0.0.1:5000"
		r.Header = http.Header{"Cookie": {session.Name + "=" + session.Value}, name: {map[string]string{"Origin": "http://127.0.0.1:8420"}[name], "https://evil.example"}}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("two of %s: %d", name, w.Code)
		}
	}
	if n < 10 || len(f.asked) != 0 {
		t.Errorf("of %d routes these were done: %v", n, f.asked)
	}
}

// TestLesson23RoutesAreRegisteredInOnePlace: what the enumeration of routes does
// not see could answer anybody. The two beside open and closed prove their
// requests by themselves.
func TestLesson23RoutesAreRegisteredInOnePlace(t *testing.T) {
	seen := map[string]int{}
	eachFunction(t, func(f *ast.FuncDecl, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		if s, ok := call.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Handle" || s.Sel.Name == "HandleFunc") {
			seen[f.Name.Name]++
		}
	})
	if want := map[string]int{"open": 1, "closed": 1, "routes": 2}; !maps.Equal(seen, want) {
		t.Errorf("routes are registered in %v, want %v: use open or closed", seen, want)
	}
}

// TestLesson17ProofsTakeTheSameTime: what a request shows is compared by
// hmac.Equal alone, which looks at every byte; two ways of comparing bytes that
// stop at the first difference are nowhere in this package.
func TestLesson17ProofsTakeTheSameTime(t *testing.T) {
	steady := map[string]bool{}
	eachFunction(t, func(f *ast.FuncDecl, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		switch name := types.ExprString(call.Fun); name {
		case "hmac.Equal":
			steady[f.Name.Name] = true
		case "bytes.Equal", "bytes.Compare", "slices.Equal", "strings.EqualFold":
			if steady[f.Name.Name] || f.Name.Name == "signed" || f.Name.Name == "sameText" {
				t.Errorf("%s compares by %s", f.Name.Name, name)
			}
		}
	})
	for _, f := range []string{"signed", "sameText", "identify"} {
		if !steady[f] {
			t.Errorf("%s does not compare by hmac.Equal", f)
		}
	}
}

// eachFunction walks through the source of this package, tests left out.
func eachFunction(t *testing.T, look func(*ast.FuncDecl, ast.Node)) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				ast.Inspect(fn, func(n ast.Node) bool { look(fn, n); return true })
			}
		}
	}
}
