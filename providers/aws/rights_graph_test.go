package aws

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// callGraph is what the functions of a package use: each other, and the
// operations of the SDK. Calls through interfaces are not in it; whoever asks
// names the methods behind them.
type callGraph struct {
	uses map[string]map[string]bool // function: functions
	ops  map[string]map[string]bool // function: service:Operation
}

// graphOf reads the sources of a package of this module, tests left out.
func graphOf(t *testing.T, folder string) callGraph {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", exportsOf(t, folder))}
	if _, err := config.Check(folder, fset, files, info); err != nil {
		t.Fatal(err)
	}
	g := callGraph{uses: map[string]map[string]bool{}, ops: map[string]map[string]bool{}}
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				g.add(functionName(info.Defs[fn.Name]), fn, info)
			}
		}
	}
	return g
}

// exportsOf finds what the packages a package imports export, as the compiler
// left it in the build cache.
func exportsOf(t *testing.T, folder string) importer.Lookup {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export", folder).Output()
	if err != nil {
		t.Fatalf("list what %s imports: %v", folder, err)
	}
	files := map[string]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

// functionName is name, or receiver.name.
func functionName(o types.Object) string {
	fn, ok := o.(*types.Func)
	if !ok {
		return ""
	}
	if recv := fn.Signature().Recv(); recv != nil {
		typ := recv.Type()
		if p, ok := typ.(*types.Pointer); ok {
			typ = p.Elem()
		}
		if named, ok := typ.(*types.Named); ok {
			return named.Obj().Name() + "." + fn.Name()
		}
	}
	return fn.Name()
}

const sdkServices = "github.com/aws/aws-sdk-go-v2/service/"

// add notes whatever a function's body names: a function that is only handed
// on counts as called.
func (g callGraph) add(name string, fn *ast.FuncDecl, info *types.Info) {
	g.uses[name], g.ops[name] = map[string]bool{}, map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		used, ok := info.Uses[id].(*types.Func)
		if !ok || used.Pkg() == nil {
			return true
		}
		called := functionName(used)
		service, sdk := strings.CutPrefix(used.Pkg().Path(), sdkServices)
		switch {
		case !sdk:
			g.uses[name][called] = true
		case strings.HasPrefix(called, "Client."):
			g.ops[name][service+":"+strings.TrimPrefix(called, "Client.")] = true
		case strings.HasPrefix(called, "New") && strings.HasSuffix(called, "Paginator"):
			g.ops[name][service+":"+strings.TrimSuffix(strings.TrimPrefix(called, "New"), "Paginator")] = true
		}
		return true
	})
}

// reach are the operations that functions come to, themselves or through
// others.
func (g callGraph) reach(from ...string) map[string]bool {
	ops, seen := map[string]bool{}, map[string]bool{}
	var walk func(string)
	walk = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for op := range g.ops[name] {
			ops[op] = true
		}
		for next := range g.uses[name] {
			walk(next)
		}
	}
	for _, name := range from {
		walk(name)
	}
	return ops
}
