package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/web"
)

// TestPlanTellsOfTraffic: stages, or why there are none, and what each way in
// makes of a weight.
func TestPlanTellsOfTraffic(t *testing.T) {
	var out bytes.Buffer
	planTable(&out, web.Plan{Environment: "production", Traffic: []web.PlannedTraffic{
		{Resource: "Function/checkout", Stages: []int{10, 50, 100}, ProbesPerMinute: 4, Ways: []web.PlannedWay{{Resource: "Url/checkout", Weighted: true, How: "each request"}}},
		{Resource: "Function/mailer", NotCanaried: "role changes of Function/mailer", Ways: []web.PlannedWay{{Resource: "Rule/mail", How: "it calls `$LATEST`"}}},
	}})
	for _, want := range []string{
		"traffic Function/checkout 10% → 50% → 100%, both versions probed 4 times a minute", "Url/checkout by weight each request",
		"traffic Function/mailer not canaried: role changes of Function/mailer", "Rule/mail not by weight it calls `$LATEST`",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// TestOperationsTellOfWays: the table in docs is the planner's.
func TestOperationsTellOfWays(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "operations.md"))
	check(t, err)
	table := "| what calls | what the weight divides |\n|---|---|\n"
	for _, s := range plan.Sources() {
		table += "| " + s.From + " | " + s.Divides + " |\n"
	}
	if !strings.Contains(string(page), table+"\n") {
		t.Errorf("docs/operations.md has not this table:\n%s", table)
	}
}
