package rego

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// suite is a folder's modules with its tests, the library among them.
type suite struct {
	modules map[string]*ast.Module
	tests   map[string]*ast.Module
	config  map[string]any
}

// stand is a suite made ready to run. Its runner compiles when it starts.
type stand struct {
	*tester.Runner
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction
}

// ready prepares the very engine, with the very restrictions, the policies
// will run with.
func (s suite) ready(ctx context.Context, o LoadOptions) (*stand, error) {
	compiler, all := newCompiler(s.config)
	maps.Copy(all, s.modules)
	maps.Copy(all, s.tests)
	store := inmem.NewFromObject(map[string]any{"config": s.config})
	txn, err := store.NewTransaction(ctx, storage.TransactionParams{Write: true})
	if err != nil {
		return nil, fmt.Errorf("run tests: %w", err)
	}
	runner := tester.NewRunner().
		SetCompiler(compiler).SetStore(store).SetModules(all).
		SetTimeout(o.TestDeadline).RaiseBuiltinErrors(true)
	return &stand{Runner: runner, compiler: compiler, store: store, txn: txn}, nil
}

// runSuite runs the tests before a bundle becomes active. It returns how many
// passed, and the rest as faults; a test that was not run is a fault too.
func runSuite(s suite, o LoadOptions) (int, faults) {
	var fs faults
	if len(s.tests) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.SuiteDeadline)
	defer cancel()
	st, err := s.ready(ctx, o)
	if err != nil {
		fs.file("", "test_error", "%v", err)
		return 0, fs
	}
	results, err := st.RunTests(ctx, st.txn)
	if err != nil {
		fs.opa("", err)
		return 0, fs
	}
	passed := 0
	err = collect(ctx, results, o.SuiteDeadline, func(r *tester.Result) { passed += judge(r, &fs) })
	if err != nil {
		fs.file("", "test_error", "%v", err)
	}
	return passed, fs
}

// collect reads the results until they end. It does not wait for a test that
// does not heed its deadline: that one is left behind, and the suite failed.
func collect(ctx context.Context, results chan *tester.Result, deadline time.Duration, take func(*tester.Result)) error {
	late := time.NewTimer(deadline + time.Second)
	defer late.Stop()
	for {
		select {
		case r, more := <-results:
			switch {
			case !more && ctx.Err() != nil:
				return fmt.Errorf("the tests did not end within %v", deadline)
			case !more:
				return nil
			}
			take(r)
		case <-late.C:
			go func() {
				for range results { // let the runner end whenever it does
				}
			}()
			return fmt.Errorf("the tests did not end within %v", deadline)
		}
	}
}

func judge(r *tester.Result, fs *faults) int {
	switch {
	case r.Skip:
	case r.Error != nil:
		fs.at(r.Location, "test_error", "test %s.%s: %v", r.Package, r.Name, r.Error)
	case r.Fail:
		fs.at(r.Location, "test_failed", "test %s.%s%s fails", r.Package, r.Name, failedCases(r))
	default:
		return 1
	}
	return 0
}

// failedCases names the cases of a test with cases (test_x[case]) that fail.
func failedCases(r *tester.Result) string {
	names := casesOf(r)
	if len(names) == 0 {
		return ""
	}
	return "[" + strings.Join(names, ", ") + "]"
}

func casesOf(r *tester.Result) []string {
	var names []string
	for _, name := range sortedKeys(r.SubResults) {
		if r.SubResults[name].Fail {
			names = append(names, strings.Trim(name, `"`))
		}
	}
	return names
}
