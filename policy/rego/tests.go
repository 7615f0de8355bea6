package rego

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TestOptions says which tests run and what is measured.
type TestOptions struct {
	LoadOptions
	// Run is a regular expression over full names (policy.promotion.gate_test.
	// test_good); "" runs all.
	Run string
	// Library runs the built-in library's own tests too.
	Library bool
	// Coverage tells which lines no test reached.
	Coverage bool
}

// TestReport is what came of a folder's tests.
type TestReport struct {
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"` // those that could not be run among them
	Skipped int          `json:"skipped"`
	Tests   []TestResult `json:"tests"` // in the order of the files
	// Coverage is nil where it was not asked for.
	Coverage *Coverage `json:"coverage,omitempty"`
}

// TestResult is one test.
type TestResult struct {
	Name    string `json:"name"` // policy.promotion.gate_test.test_good
	File    string `json:"file"`
	Line    int    `json:"line"`
	Outcome string `json:"outcome"` // pass | fail | error | skip
	// Cases are the cases of a test with cases that fail.
	Cases  []string `json:"cases,omitempty"`
	Error  string   `json:"error,omitempty"`
	Output string   `json:"output,omitempty"` // what it printed
	// Why is the expression of a failed test that was not true.
	Why     []Reason `json:"why,omitempty"`
	Seconds float64  `json:"seconds"`
}

// Coverage is what of the policies the tests reached. Tests themselves, and
// the built-in library unless asked for, do not count.
type Coverage struct {
	Percent float64        `json:"percent"` // of lines with something to evaluate
	Files   []FileCoverage `json:"files"`
}

// FileCoverage is one file's.
type FileCoverage struct {
	File      string   `json:"file"`
	Percent   float64  `json:"percent"`
	Covered   int      `json:"covered_lines"`
	Uncovered []string `json:"uncovered"` // lines and ranges of them: "12", "20-23"
}

// Test checks a policy folder and runs its tests in the very engine, and with
// the very restrictions, the policies will run with. The error is a *LoadError
// when the folder could not be loaded at all; tests that fail are no error.
func Test(tree fs.FS, o TestOptions) (TestReport, error) {
	report := TestReport{Tests: []TestResult{}}
	o.LoadOptions = o.withDefaults()
	if _, err := regexp.Compile(o.Run); err != nil {
		return report, fmt.Errorf("tests to run: %w", err)
	}
	s, compiler, err := examine(Gather(tree, o.Dir).sorted())
	if err != nil {
		return report, err
	}
	if _, err := newBundle(compiler, s.config); err != nil {
		return report, err
	}
	if o.Library {
		maps.Copy(s.modules, library().modules)
		maps.Copy(s.tests, libraryTests())
	}
	return s.test(o)
}

// withDefaults fills in what was left out.
func (o LoadOptions) withDefaults() LoadOptions {
	o.Dir = cmp.Or(o.Dir, "policies")
	o.TestDeadline = cmp.Or(o.TestDeadline, 5*time.Second)
	o.SuiteDeadline = cmp.Or(o.SuiteDeadline, time.Minute)
	return o
}

// libraryTests are the tests of the built-in helpers, which are part of the
// binary.
func libraryTests() map[string]*ast.Module {
	found, fs := Gather(libraryFiles, "library").sorted()
	tests := parseAll(marked(found.tests), &fs)
	if len(fs) > 0 {
		panic(fs.err())
	}
	return tests
}

func (s suite) test(o TestOptions) (TestReport, error) {
	report := TestReport{Tests: []TestResult{}}
	ctx, cancel := context.WithTimeout(context.Background(), o.SuiteDeadline)
	defer cancel()
	st, err := s.ready(ctx, o.LoadOptions)
	if err != nil {
		return report, err
	}
	reached := cover.New()
	if o.Coverage {
		st.SetCoverageQueryTracer(reached).SetCoverageRuns(nil)
	}
	results, err := st.Filter(o.Run).RunTests(ctx, st.txn)
	if err != nil {
		var fs faults
		fs.opa("", err)
		return report, fs.err()
	}
	err = collect(ctx, results, o.SuiteDeadline, func(r *tester.Result) {
		report.take(resultOf(r))
	})
	if err != nil {
		return report, err
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Name, b.Name))
	})
	for i, r := range report.Tests {
		if r.Outcome == "fail" {
			report.Tests[i].Why = st.why(ctx, r)
		}
	}
	if o.Coverage {
		report.Coverage = s.coverage(reached, o.Library)
	}
	return report, nil
}

func (r *TestReport) take(t TestResult) {
	switch t.Outcome {
	case "pass":
		r.Passed++
	case "skip":
		r.Skipped++
	default:
		r.Failed++
	}
	r.Tests = append(r.Tests, t)
}

// maxOutput is how many bytes of what a test printed are kept.
const maxOutput = 4096

func resultOf(r *tester.Result) TestResult {
	t := TestResult{
		Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, File: r.Location.File, Line: r.Location.Row, Outcome: "pass",
		Cases: casesOf(r), Output: string(r.Output[:min(len(r.Output), maxOutput)]), Seconds: r.Duration.Seconds(),
	}
	switch {
	case r.Skip:
		t.Outcome = "skip"
	case r.Error != nil:
		t.Outcome, t.Error = "error", r.Error.Error()
	case r.Fail:
		t.Outcome = "fail"
	}
	return t
}

// why runs a failed test once more, watching it.
func (st *stand) why(ctx context.Context, t TestResult) []Reason {
	watched := newWatcher(nil)
	query := rego.New(rego.Compiler(st.compiler), rego.Store(st.store), rego.Transaction(st.txn), rego.Query("data."+t.Name))
	prepared, err := query.PrepareForEval(ctx)
	if err != nil {
		return nil // the failure itself is told
	}
	_, err = prepared.Eval(ctx, rego.EvalTransaction(st.txn), rego.EvalQueryTracer(watched), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	var out []Reason
	for _, f := range watched.rules {
		if err == nil && f.fail != nil && f.rule.Location.Row == t.Line && f.rule.Location.File == t.File {
			out = append(out, f.fail.reason(maxDepth))
		}
	}
	return out
}

func (s suite) coverage(reached *cover.Cover, library bool) *Coverage {
	modules := maps.Clone(s.modules)
	maps.DeleteFunc(modules, func(file string, _ *ast.Module) bool {
		return !library && strings.HasPrefix(file, libraryPrefix)
	})
	report := reached.Report(modules)
	c := &Coverage{Percent: 100, Files: []FileCoverage{}}
	covered, lines := 0, 0
	for _, file := range sortedKeys(modules) {
		r := report.Files[file]
		f := FileCoverage{File: file, Percent: 100, Covered: r.CoveredLines}
		all := r.CoveredLines + r.NotCoveredLines
		if all > 0 {
			f.Percent = percent(r.CoveredLines, all)
		}
		f.Uncovered = uncovered(r)
		covered, lines = covered+r.CoveredLines, lines+all
		c.Files = append(c.Files, f)
	}
	if lines > 0 {
		c.Percent = percent(covered, lines)
	}
	return c
}

// percent has one decimal, rounded down: 100 is all of it.
func percent(part, all int) float64 { return float64(part*1000/all) / 10 }

// uncovered are the lines no test reached, neighbours as one range.
func uncovered(r *cover.FileReport) []string {
	out := []string{}
	from, to := 0, 0
	flush := func() {
		switch {
		case from == 0:
		case from == to:
			out = append(out, fmt.Sprint(from))
		default:
			out = append(out, fmt.Sprintf("%d-%d", from, to))
		}
	}
	for _, n := range r.NotCovered { // in the order of the lines
		for row := n.Start.Row; row <= n.End.Row; row++ {
			switch {
			case row <= to || r.IsCovered(row):
			case from != 0 && row == to+1:
				to = row
			default:
				flush()
				from, to = row, row
			}
		}
	}
	flush()
	return out
}
