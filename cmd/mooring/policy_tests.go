package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/policy/rego"
)

// anyCoverage is --coverage without a percentage.
const anyCoverage = "0"

func policyTestCommand() *cobra.Command {
	var p policyFolder
	var o rego.TestOptions
	var coverage string
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "run the policies' own tests, in the engine that will decide",
		Long: `Runs *_test.rego with the very engine, capabilities and schemas the policies
will be asked with. Of a test that fails it shows the expression that was not
true, with its values, and what was printed. --coverage shows the lines that no
test reached; --coverage=PERCENT fails below so many.

Exit codes: 0 all passed, 1 not all did, or the policies would not load.`,
		Example: "  mooring policy test\n  mooring policy test testdata/shop/control --coverage=90\n  mooring policy test --run 'gate_test' -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			least, err := strconv.ParseFloat(strings.TrimSuffix(coverage, "%"), 64)
			if coverage != "" && (err != nil || least < 0 || least > 100) {
				return fmt.Errorf("--coverage %q: want a percentage, 0 to 100", coverage)
			}
			tree, err := p.open(cmd.Context(), args)
			if err != nil {
				return err
			}
			defer tree.done()
			o.LoadOptions, o.Coverage = tree.options(), coverage != ""
			report, err := rego.Test(tree, o)
			if err != nil {
				return err
			}
			if err := print(cmd, p.output, report, func(w io.Writer) { testTable(w, report) }); err != nil {
				return err
			}
			return tested(report, o.Run, least)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&o.Run, "run", "", "only tests whose full name this regular expression finds")
	cmd.Flags().BoolVar(&o.Library, "library", false, "the built-in library's own tests too")
	cmd.Flags().StringVar(&coverage, "coverage", "", "show what no test reaches; with =PERCENT fail below so many")
	cmd.Flags().Lookup("coverage").NoOptDefVal = anyCoverage
	return cmd
}

// tested is the exit of a report.
func tested(r rego.TestReport, run string, least float64) error {
	switch {
	case r.Failed > 0:
		return exit{exitError}
	case len(r.Tests) == 0 && run != "":
		return fmt.Errorf("no test matches --run %s", run)
	case r.Coverage != nil && r.Coverage.Percent < least:
		return fmt.Errorf("the tests reach %.1f%% of the policies, and %g%% are asked for", r.Coverage.Percent, least)
	}
	return nil
}

func testTable(w io.Writer, r rego.TestReport) {
	for _, t := range r.Tests {
		row(w, outcomeText(t.Outcome), t.Name, fmt.Sprintf("%.3fs", t.Seconds))
	}
	for _, t := range r.Tests {
		if t.Outcome == "fail" || t.Outcome == "error" {
			failedTest(w, t)
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", r.Passed, r.Failed, r.Skipped)
	if r.Coverage == nil {
		return
	}
	for _, f := range r.Coverage.Files {
		row(w, fmt.Sprintf("%.1f%%", f.Percent), f.File, strings.Join(f.Uncovered, " "))
	}
	fmt.Fprintf(w, "%.1f%% of the policies is reached\n", r.Coverage.Percent)
}

func outcomeText(outcome string) string {
	switch outcome {
	case "pass":
		return colour("32", outcome)
	case "skip":
		return colour("33", outcome)
	}
	return colour("31", outcome)
}

// failedTest tells all that is known of one failure.
func failedTest(w io.Writer, t rego.TestResult) {
	fmt.Fprintf(w, "\n%s:%d: %s\n", t.File, t.Line, t.Name)
	if len(t.Cases) > 0 {
		fmt.Fprintf(w, "  cases that fail: %s\n", strings.Join(t.Cases, ", "))
	}
	if t.Error != "" {
		fmt.Fprintf(w, "  %s\n", t.Error)
	}
	reasonTree(w, "  ", t.Why)
	for line := range strings.Lines(t.Output) {
		fmt.Fprintf(w, "  printed: %s\n", strings.TrimRight(line, "\n"))
	}
}
