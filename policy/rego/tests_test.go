package rego

import (
	"os"
	"slices"
	"strings"
	"testing"
)

var withTests = map[string]string{
	"admission/a.rego": "package policy.admission.a\n\ndeny contains \"big\" if {\n\tsome c in input.changes\n\tsome f in c.fields\n\tf.path == \"memorySize\"\n\tf.after > 512\n}\n\ndeny contains \"never tried\" if {\n\tinput.summary.deleted > 3\n}\n",
	"admission/a_test.rego": `package policy.admission.a_test

import data.policy.admission.a

_memory(n) := [{"fields": [{"path": "memorySize", "after": n}]}]

test_big if {
	a.deny == {"big"} with input.changes as _memory(1024)
}

test_wrong if {
	print("asking about", 100)
	a.deny == {"big"} with input.changes as _memory(100)
}

test_cases[name] if {
	some name, n in {"small": 1, "large": 4096}
	a.deny == set() with input.changes as _memory(n)
}

test_error if {
	to_number("x") == 1
}

todo_test_later if false
`,
}

func TestTestsTellWhatFailed(t *testing.T) {
	report, err := Test(folder(withTests), TestOptions{Coverage: true})
	if err != nil {
		t.Fatal(err)
	}
	if report.Passed != 1 || report.Failed != 3 || report.Skipped != 1 {
		t.Errorf("%d passed, %d failed, %d skipped", report.Passed, report.Failed, report.Skipped)
	}
	var got []string
	for _, r := range report.Tests {
		got = append(got, strings.TrimPrefix(r.Name, "policy.admission.a_test.")+" "+r.Outcome)
		if r.File != "policies/admission/a_test.rego" || r.Line == 0 {
			t.Errorf("%s stands at %s:%d", r.Name, r.File, r.Line)
		}
	}
	if want := []string{"test_big pass", "test_wrong fail", "test_cases fail", "test_error error", "todo_test_later skip"}; !slices.Equal(got, want) {
		t.Errorf("have %v, want %v", got, want)
	}
	wrong, cases, broken := report.Tests[1], report.Tests[2], report.Tests[3]
	if wrong.Output != "asking about 100\n" {
		t.Errorf("printed %q", wrong.Output)
	}
	if len(wrong.Why) != 1 || wrong.Why[0].Line != 13 || !strings.HasPrefix(wrong.Why[0].Expr, `a.deny == {"big"}`) {
		t.Errorf("why: %+v", wrong.Why)
	}
	if !slices.Equal(cases.Cases, []string{"large"}) {
		t.Errorf("cases %v", cases.Cases)
	}
	if !strings.Contains(broken.Error, "to_number") {
		t.Errorf("error %q", broken.Error)
	}
	c := report.Coverage
	if len(c.Files) != 1 || c.Files[0].File != "policies/admission/a.rego" || !slices.Equal(c.Files[0].Uncovered, []string{"10-11"}) || c.Percent >= 100 || c.Percent < 50 {
		t.Errorf("coverage %+v", c)
	}
}

func TestTestsCanBeChosen(t *testing.T) {
	report, err := Test(folder(withTests), TestOptions{Run: `_test\.test_big$`})
	if err != nil || report.Passed != 1 || len(report.Tests) != 1 || report.Coverage != nil {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := Test(folder(withTests), TestOptions{Run: "("}); err == nil {
		t.Error("a bad expression is taken")
	}
	own, err := Test(folder(withTests), TestOptions{Run: "policy.lib", Library: true, Coverage: true})
	if err != nil || own.Failed != 0 || own.Passed < 25 {
		t.Errorf("the library: %d passed, %d failed, %v", own.Passed, own.Failed, err)
	}
	if !slices.ContainsFunc(own.Coverage.Files, func(f FileCoverage) bool {
		return f.File == "mooring:library/soak.rego" && f.Percent > 90
	}) {
		t.Errorf("coverage %+v", own.Coverage)
	}
}

// What the gate refuses, the tests cannot run with either.
func TestTestsUnderTheGate(t *testing.T) {
	for name, text := range map[string]string{
		"a misspelt field": "package policy.admission.a\n\ndeny contains \"x\" if input.chnages == []\n",
		"a misspelt rule":  "package policy.admission.a\n\ndenny contains \"x\" if input.changes == []\n",
		"a wrong level":    "# METADATA\n# custom: {enforcement: maybe}\npackage policy.admission.a\n\ndeny contains \"x\" if input.changes == []\n",
	} {
		if _, err := Test(folder(map[string]string{"admission/a.rego": text}), TestOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The shop's policies are covered by their own tests.
func TestShopCoverage(t *testing.T) {
	report, err := Test(os.DirFS("../../testdata/shop/control"), TestOptions{Coverage: true})
	if err != nil || report.Failed > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if report.Coverage.Percent < 90 {
		t.Errorf("%v%%: %+v", report.Coverage.Percent, report.Coverage.Files)
	}
}
