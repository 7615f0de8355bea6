package rego

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// libraryTexts parses the library and its tests.
func libraryTexts(t testing.TB) (modules, tests map[string]*ast.Module) {
	t.Helper()
	found, fs := Gather(libraryFiles, "library").sorted()
	modules, tests = parseAll(found.modules, &fs), parseAll(found.tests, &fs)
	if len(fs) > 0 || len(modules) < 13 || len(tests) != len(modules) {
		t.Fatalf("%d modules, %d tests: %v", len(modules), len(tests), fs.err())
	}
	return modules, tests
}

// The library's own tests run as a repository's would.
func TestLibraryPassesItsTests(t *testing.T) {
	modules, tests := libraryTexts(t)
	fs := checkModules(modules, nil)
	passed, failed := runSuite(suite{modules: modules, tests: tests, config: map[string]any{}},
		LoadOptions{TestDeadline: 10 * time.Second, SuiteDeadline: time.Minute})
	if err := append(fs, failed...).err(); err != nil {
		t.Fatal(err)
	}
	if passed < 80 {
		t.Errorf("only %d tests ran", passed)
	}
}

// Not a line of the library is without a test.
func TestLibraryIsCovered(t *testing.T) {
	modules, tests := libraryTexts(t)
	compiler, all := newCompiler(map[string]any{})
	maps.Copy(all, modules)
	maps.Copy(all, tests)
	store := inmem.NewFromObject(map[string]any{})
	txn, err := store.NewTransaction(context.Background(), storage.TransactionParams{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	seen := cover.New()
	results, err := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetModules(all).
		SetTimeout(time.Minute).SetCoverageQueryTracer(seen).RunTests(context.Background(), txn)
	if err != nil {
		t.Fatal(err)
	}
	for r := range results {
		if !r.Pass() {
			t.Errorf("%s.%s does not pass", r.Package, r.Name)
		}
	}
	report := seen.Report(modules)
	for name := range modules {
		file, ok := report.Files[name]
		if !ok {
			t.Errorf("%s is in no test", name)
			continue
		}
		for _, lines := range file.NotCovered {
			t.Errorf("%s: no test reaches lines %d to %d", name, lines.Start.Row, lines.End.Row)
		}
	}
}
