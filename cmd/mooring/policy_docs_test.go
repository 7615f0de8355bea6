package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// TestPolicyDocs: what docs/policy.md shows of files, of decisions and of
// faults is what they are. A comment `file: PATH`, `decisions: EXAMPLE` or
// `faults: FOLDER` says what the block after it is made from.
func TestPolicyDocs(t *testing.T) {
	path := filepath.Join(moduleRoot(t), "docs", "policy.md")
	text, err := os.ReadFile(path)
	check(t, err)
	made := 0
	shown := regexp.MustCompile("(?s)<!-- (file|decisions|faults): (\\S+) -->\n```\\w*\n.*?```")
	want := shown.ReplaceAllStringFunc(string(text), func(block string) string {
		made++
		m := shown.FindStringSubmatch(block)
		return fmt.Sprintf("<!-- %s: %s -->\n```%s```", m[1], m[2], shownBlock(t, m[1], m[2]))
	})
	if *updateDocs {
		check(t, os.WriteFile(path, []byte(want), 0o644))
		text = []byte(want)
	}
	if string(text) != want {
		t.Error("docs/policy.md does not show what is: go test ./cmd/mooring -run TestPolicyDocs -update-docs")
	}
	if made < 18 {
		t.Errorf("only %d blocks are made from files", made)
	}
}

func shownBlock(t *testing.T, kind, of string) string {
	switch kind {
	case "decisions":
		return "text\n" + exampleDecisions(t, of)
	case "faults":
		return "text\n" + foldedFaults(t, of)
	}
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "testdata", "policies", of))
	check(t, err)
	return strings.TrimPrefix(filepath.Ext(of), ".") + "\n" + string(text)
}

func examplePolicies(t *testing.T, name string) (*rego.Bundle, error) {
	t.Helper()
	return rego.Load(os.DirFS(filepath.Join(moduleRoot(t), "testdata", "policies", name)), rego.LoadOptions{Revision: "docs"})
}

// foldedFaults is why a folder would not become active, long lines cut.
func foldedFaults(t *testing.T, name string) string {
	_, err := examplePolicies(t, name)
	var refused *rego.LoadError
	if !errors.As(err, &refused) {
		t.Fatalf("%s loads: %v", name, err)
	}
	var b strings.Builder
	for _, f := range refused.Faults {
		line := strings.TrimPrefix(f.String(), "policies/admission/")
		if len(line) > 150 {
			line = line[:150] + "…"
		}
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

// exampleCase is one question of an example: the point's sample document,
// changed.
type exampleCase struct {
	Says  string         `yaml:"says"`
	Point policy.Point   `yaml:"point"`
	At    string         `yaml:"at"`    // request.time_ns
	Input map[string]any `yaml:"input"` // merged into the document
	Item  map[string]any `yaml:"item"`  // merged into its first drift item
}

// exampleDecisions asks an example's cases, and shows each answer as `mooring
// policy eval` does.
func exampleDecisions(t *testing.T, name string) string {
	bundle, err := examplePolicies(t, "examples/"+name)
	check(t, err)
	e := rego.New(bundle, rego.EvaluatorOptions{})
	var b bytes.Buffer
	for i, c := range exampleCases(t, name) {
		d, err := e.EvaluateDocument(context.Background(), c.Point, c.document(t))
		check(t, err)
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "# %s\n", c.Says)
		decisionText(&b, d)
	}
	return b.String()
}

func exampleCases(t *testing.T, name string) []exampleCase {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "testdata", "policies", "examples", name, "cases.yaml"))
	check(t, err)
	var cases []exampleCase
	check(t, yaml.Unmarshal(text, &cases))
	return cases
}

func (c exampleCase) document(t *testing.T) []byte {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "testdata", "policies", "inputs", string(c.Point)+".json"))
	check(t, err)
	doc := map[string]any{}
	decode := json.NewDecoder(bytes.NewReader(text))
	decode.UseNumber() // nanoseconds are larger than a float keeps
	check(t, decode.Decode(&doc))
	merge(doc, c.Input)
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		check(t, err)
		merge(doc, map[string]any{"request": map[string]any{"time_ns": at.UnixNano()}})
	}
	if c.Item != nil {
		items, _ := doc["items"].([]any)
		item, _ := items[0].(map[string]any)
		merge(item, c.Item)
	}
	out, err := json.Marshal(doc)
	check(t, err)
	return out
}

// merge lays change over doc, object by object.
func merge(doc, change map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(change)) {
		below, ok := doc[k].(map[string]any)
		over, isObject := change[k].(map[string]any)
		if ok && isObject {
			merge(below, over)
			continue
		}
		doc[k] = change[k]
	}
}

// TestPolicyExamples: every example has tests that reach all of it, and cases
// with different answers.
func TestPolicyExamples(t *testing.T) {
	dirs, err := os.ReadDir(filepath.Join(moduleRoot(t), "testdata", "policies", "examples"))
	check(t, err)
	if len(dirs) != 6 { // five that issue rules of a point each, and policies about policies
		t.Errorf("%d examples", len(dirs))
	}
	for _, d := range dirs {
		t.Run(d.Name(), func(t *testing.T) {
			report, err := rego.Test(os.DirFS(filepath.Join(moduleRoot(t), "testdata", "policies", "examples", d.Name())), rego.TestOptions{Coverage: true})
			check(t, err)
			if report.Failed > 0 || report.Passed < 4 || report.Coverage.Percent < 100 {
				t.Errorf("%d passed, %d failed, coverage %+v", report.Passed, report.Failed, report.Coverage)
			}
			answers := map[string]bool{}
			for _, part := range strings.Split(exampleDecisions(t, d.Name()), "\n\n") {
				_, answer, _ := strings.Cut(part, "\n")
				answers[answer] = true
			}
			if len(answers) < 3 && d.Name() != "no-friday" && d.Name() != "canary" || len(answers) < 2 {
				t.Errorf("its cases are all alike: %v", answers)
			}
		})
	}
}

// TestPortedPolicies: what was written for other tools is refused, with what
// to change, and what it became is taken.
func TestPortedPolicies(t *testing.T) {
	for _, c := range []struct {
		folder string
		codes  []string // of the faults; none where it loads
	}{
		{"template-checks/before", []string{"rego_parse_error"}},
		{"template-checks/upgraded", []string{"plain_not", "rego_type_error", "rule_name"}},
		{"template-checks/after", nil},
		{"plan-rules/before", []string{"rego_parse_error"}},
		{"plan-rules/upgraded", []string{"rego_type_error", "rule_name"}},
		{"plan-rules/after", nil},
	} {
		t.Run(c.folder, func(t *testing.T) {
			bundle, err := examplePolicies(t, "ported/"+c.folder)
			var refused *rego.LoadError
			var codes []string
			if errors.As(err, &refused) {
				for _, f := range refused.Faults {
					codes = append(codes, f.Code)
				}
			}
			slices.Sort(codes)
			if codes = slices.Compact(codes); !slices.Equal(codes, c.codes) {
				t.Errorf("faults %v, %v", codes, err)
			}
			if c.codes == nil && bundle.Tests < 3 {
				t.Errorf("only %d tests", bundle.Tests)
			}
		})
	}
}

// TestPolicyTour plays the way from nothing to a held promotion as written, in
// an empty folder.
func TestPolicyTour(t *testing.T) {
	t.Parallel()
	playDoc(t, "policy.md", "4598", "8498")
}
