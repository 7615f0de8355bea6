package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// starts are the places of the program that begin goroutines of their own (a go
// statement, an AfterFunc, the Go of a group that is no crew.Crew), with why a
// panic there does not end the daemon. A place is a file and its function.
var starts = map[string]string{
	"providers/crew/crew.go Go":          "the guard itself",
	"providers/aws/survey_crews.go hand": "a bell guards all work",

	"reconciler/daemon.go Run":       "each part is kept",
	"reconciler/daemon.go follow":    "each environment's work is kept",
	"reconciler/deliver.go deliver":  "an outbox guards its rounds",
	"reconciler/hints.go listen":     "the platform is asked within caught",
	"reconciler/checking.go pressed": "it only waits",

	"reconciler/notify/outbox.go Run": "a worker guards its rounds",
	"reconciler/notify/worker.go run": "it only waits",
	"reconciler/notify/email.go dial": "it sets a time",

	"sources/git/ssh.go open": "it closes a connection",

	"policy/rego/run.go open":              "each work is guarded",
	"policy/rego/run.go run":               "it only waits",
	"policy/rego/suite.go collect":         "it only waits",
	"policy/rego/ended.go watchHeap":       "it reads a number",
	"policy/rego/worker/child.go restrain": "a worker's own process",
	"policy/rego/worker/child.go serve":    "a worker's own process",
	"policy/rego/worker/process.go start":  "it starts a process and waits for its end",
	"policy/rego/worker/process.go within": "it kills a process",
	"policy/rego/worker/worker.go enter":   "it ends a context",
	"policy/rego/worker/lane.go keep":      "it kills a process",
	"policy/rego/worker/lane.go drop":      "it kills a process",

	"cmd/mooring/run.go serve":          "what is ours is kept; the rest is the server's, which guards its requests",
	"cmd/mooring/stop.go ended":         "it waits for the others",
	"cmd/mooring/complete.go completer": "no daemon: a shell waits",
	"cmd/mooring/events.go listen":      "no daemon: a terminal waits",
	"cmd/mooring/progress.go atWork":    "no daemon: it writes a line",
}

// startless begins goroutines that are in no daemon's process.
var startless = []string{"providers/aws/sandbox/", "cmd/mooring/demo/", "sources/sourcetest/", "reconciler/web/browsertest/"}

// TestLayoutOfGoroutines: whoever begins a goroutine says what becomes of a panic
// in it, since one that nobody catches ends the daemon, and what is said is of a
// place that is there.
func TestLayoutOfGoroutines(t *testing.T) {
	root := moduleRoot(t)
	found := map[string]bool{}
	for _, p := range listPackages(t, root) {
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			rel, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			if !startsWithAny(startless, rel) {
				startsOf(t, path, rel, found)
			}
		}
	}
	for place := range found {
		if starts[place] == "" {
			t.Errorf("%s begins a goroutine: a panic in it ends the daemon. Use a crew.Crew, or Daemon.Keep, or say in starts why it cannot", place)
		}
	}
	for place := range starts {
		if !found[place] {
			t.Errorf("%s begins no goroutine any more", place)
		}
	}
}

// TestGoroutinesAreFound however they begin; a crew's are guarded.
func TestGoroutinesAreFound(t *testing.T) {
	found := map[string]bool{}
	file, err := parser.ParseFile(token.NewFileSet(), "a.go", `package a
		func statement() { go work() }
		func (s *server) method() { func() { go func() {}() }() }
		func group(g *errgroup.Group) { g.Go(work) }
		func field() { s.all.Go(work) }
		func timer() { time.AfterFunc(1, work) }
		func crew_() { var g crew.Crew; g.Go(func() error { return nil }) }
		func both() { var g crew.Crew; g.Go(work); var h sync.WaitGroup; h.Go(work) }
		func none() { gopher.Gone() }`, 0)
	if err != nil {
		t.Fatal(err)
	}
	collectStarts(file, "a.go", found)
	want := "map[a.go both:true a.go field:true a.go group:true a.go method:true a.go statement:true a.go timer:true]"
	if got := fmt.Sprint(found); got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

func startsWithAny(prefixes []string, path string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func startsOf(t *testing.T, path, rel string, found map[string]bool) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	collectStarts(file, rel, found)
}

// collectStarts finds where a file begins goroutines that nobody guards by what
// they are begun with.
func collectStarts(file *ast.File, rel string, found map[string]bool) {
	for _, decl := range file.Decls {
		name, crews := "(package)", map[string]bool{}
		if f, ok := decl.(*ast.FuncDecl); ok {
			name = f.Name.Name
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for _, v := range n.Names {
					crews[v.Name] = isCrew(n.Type)
				}
			case *ast.GoStmt:
				found[rel+" "+name] = true
			case *ast.CallExpr:
				if unguarded(n, crews) {
					found[rel+" "+name] = true
				}
			}
			return true
		})
	}
}

func isCrew(typ ast.Expr) bool {
	sel, ok := typ.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := sel.X.(*ast.Ident)
	return ok && of.Name == "crew" && sel.Sel.Name == "Crew"
}

func unguarded(call *ast.CallExpr, crews map[string]bool) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Go" && sel.Sel.Name != "AfterFunc" {
		return false
	}
	on, ok := sel.X.(*ast.Ident)
	return !ok || sel.Sel.Name == "AfterFunc" || !crews[on.Name]
}
