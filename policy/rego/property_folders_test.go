package rego

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// folders are all policy folders we give away, as texts by path.
func folders(t testing.TB) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for _, pattern := range []string{"starter", "examples/*", "ported/*/after"} {
		found, err := filepath.Glob("../../testdata/policies/" + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, dir := range found {
			out[strings.TrimPrefix(dir, "../../testdata/policies/")] = texts(t, os.DirFS(dir))
		}
	}
	out["shop"] = texts(t, os.DirFS("../../testdata/shop/control"))
	return out
}

func texts(t testing.TB, tree fs.FS) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(tree, "policies", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		out[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// loaded is a folder without its tests, so that it is not these that notice.
func loaded(files map[string]string) (*Evaluator, error) {
	return loadedWithin(files, time.Second)
}

// loadedWithin is loaded with a deadline for each package: what never ends
// need not be waited for.
func loadedWithin(files map[string]string, deadline time.Duration) (*Evaluator, error) {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	b, err := Load(tree, LoadOptions{Revision: "r", Tested: true})
	if err != nil {
		return nil, err
	}
	return New(b, EvaluatorOptions{PackageDeadline: deadline}), nil
}

// situations are inputs in which our folders answer differently.
func situations(p policy.Point) map[string]policy.Input {
	out := variants(p)
	add := func(name string, change func(*policy.Input)) {
		in := sample(p)
		in.Changes = slices.Clone(in.Changes)
		change(&in)
		out[name] = in
	}
	at := func(text string) func(*policy.Input) {
		return func(in *policy.Input) {
			when, _ := time.Parse(time.RFC3339, text)
			in.Request.TimeNS = when.UnixNano()
		}
	}
	add("Friday", at("2026-06-05T10:00:00Z"))
	add("frozen", at("2026-12-22T10:00:00Z"))
	add("the freeze of the shop", at("2025-12-22T10:00:00Z"))
	add("rights", func(in *policy.Input) { in.Changes[0].Kind, in.Changes[0].Risk = "Role", []string{"iam"} })
	add("at once", func(in *policy.Input) {
		in.Changes[0].Labels = map[string]string{"tier": "critical"}
		in.Changes[0].Traffic = policy.Traffic{Known: true, Strategy: "allAtOnce", Stages: 1, FirstWeight: 100}
	})
	add("data deleted", func(in *policy.Input) {
		in.Changes[0].Kind, in.Changes[0].Operation, in.Changes[0].Risk = "Queue", "delete", []string{"stateful"}
	})
	if p == policy.Promotion {
		add("nobody looked", func(in *policy.Input) { in.Approvals = nil })
	}
	if p == policy.Drift {
		for name, actor := range map[string]policy.DriftActor{
			"on call": {Known: true, Name: "assumed-role/OnCall/ann"}, "by admin": {Known: true, Name: "assumed-role/Admin/ann"}, "by break glass": {Known: true, Name: "user/break-glass"},
		} {
			add(name, func(in *policy.Input) {
				in.Items[0].Actor, in.Items[0].KindOfResource, in.Items[0].Path = actor, "Alias", "functionVersion"
			})
		}
	}
	return out
}

// answers are a folder's decisions in every situation of a point.
func answers(t testing.TB, e *Evaluator, p policy.Point) map[string]map[string]int {
	t.Helper()
	out := map[string]map[string]int{}
	for name, in := range situations(p) {
		d, _ := e.Evaluate(context.Background(), p, in)
		out[name] = openness(p, d)
	}
	return out
}

// mustNotOpen compares what a folder says with what it says worse.
func mustNotOpen(t *testing.T, what string, before map[string]map[string]int, e *Evaluator, p policy.Point) {
	t.Helper()
	for name, after := range answers(t, e, p) {
		if wider(before[name], after) {
			t.Errorf("%s, %s at %s: %v became %v", what, name, p, before[name], after)
		}
	}
}

// breakings are ways a package can be wrong when it is asked.
var breakings = map[string]string{
	"a built-in fails": "_bad if time.parse_duration_ns(input.commit.message) > 0\n",
	"a conflict":       "_bad if _two > 0\n\n_two := 1 if input.api != \"\"\n\n_two := 2 if input.api != \"\"\n",
	"never done":       "_bad if {\n\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta * b < 0\n}\n",
}

// setOf is a rule of a point that everything can be hung on.
var setOf = map[policy.Point]string{
	policy.Admission: "warn", policy.Promotion: "warn", policy.Rollout: "pause", policy.Drift: "action", policy.Notify: "mute", policy.Activation: "warn",
}

// TestAnyFolderBrokenNeverOpens: in every folder we give away, each package is
// broken in each way, and nothing becomes more permissive.
func TestAnyFolderBrokenNeverOpens(t *testing.T) {
	long(t)
	broken := 0
	for folder, files := range folders(t) {
		whole, err := loaded(files)
		if err != nil {
			t.Fatalf("%s: %v", folder, err)
		}
		for name, text := range files {
			p := policy.Point(strings.Split(name, "/")[1])
			rule, ok := setOf[p]
			if !ok {
				continue
			}
			before := answers(t, whole, p)
			for how, bad := range breakings {
				if how != "a built-in fails" && folder != "starter" {
					continue // it is the same for all folders, and takes its time
				}
				broken++
				worse := maps.Clone(files)
				worse[name] = text + "\n" + rule + " contains \"x\" if _bad\n\n" + bad
				mustRun(t, folder+": "+name+": "+how, worse, before, p)
			}
			worse := maps.Clone(files)
			worse[name] = text + "\n" + rule + " contains 5 if input.api != \"\"\n"
			mustRun(t, folder+": "+name+": a wrong type", worse, before, p)
			for how, bad := range map[string]string{"a syntax error": "\nallow if {", "an unknown rule": "\ndenyy contains \"x\" if input.truncated\n"} {
				worse[name] = text + bad
				if _, err := loaded(worse); err == nil {
					t.Errorf("%s: %s: %s is loaded", folder, name, how)
				}
			}
		}
	}
	if broken < 20 {
		t.Errorf("only %d packages were broken", broken)
	}
}

func mustRun(t *testing.T, what string, files map[string]string, before map[string]map[string]int, p policy.Point) {
	t.Helper()
	deadline := time.Second
	if strings.HasSuffix(what, ": never done") {
		deadline = 20 * time.Millisecond
	}
	e, err := loadedWithin(files, deadline)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	mustNotOpen(t, what, before, e, p)
}

// TestAnyRuleRenamedNeverOpens: what is renamed in one place is refused, or
// opens nothing.
func TestAnyRuleRenamedNeverOpens(t *testing.T) {
	long(t)
	renamed, refused := 0, 0
	for folder, files := range folders(t) {
		whole, err := loaded(files)
		if err != nil {
			t.Fatalf("%s: %v", folder, err)
		}
		for name, text := range files {
			m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()})
			if !strings.HasSuffix(name, ".rego") || err != nil {
				continue
			}
			for _, r := range m.Rules {
				worse := maps.Clone(files)
				word := regexp.MustCompile(`^` + regexp.QuoteMeta(r.Head.Name.String()) + `\b`)
				lines := strings.Split(text, "\n")
				lines[r.Location.Row-1] = word.ReplaceAllString(lines[r.Location.Row-1], r.Head.Name.String()+"x")
				worse[name] = strings.Join(lines, "\n")
				renamed++
				e, err := loaded(worse)
				if err != nil {
					refused++
					continue
				}
				for _, p := range points {
					mustNotOpen(t, fmt.Sprintf("%s: %s:%d renamed", folder, name, r.Location.Row), answers(t, whole, p), e, p)
				}
			}
		}
	}
	if renamed < 80 || refused < renamed*3/4 {
		t.Errorf("%d rules were renamed, %d refused", renamed, refused)
	}
}

// TestDataOfAnotherTypeNeverOpen: a leaf of policies/data that is taken away,
// or is something else, is refused or opens nothing.
func TestDataOfAnotherTypeNeverOpen(t *testing.T) {
	long(t)
	tried := 0
	for folder, files := range folders(t) {
		whole, err := loaded(files)
		if err != nil {
			t.Fatalf("%s: %v", folder, err)
		}
		before := map[policy.Point]map[string]map[string]int{}
		for _, p := range points {
			before[p] = answers(t, whole, p)
		}
		for name := range files {
			for what, worse := range worseData(t, files, name) {
				tried++
				e, err := loaded(worse)
				if err != nil {
					continue
				}
				for _, p := range points {
					mustNotOpen(t, folder+": "+name+": "+what, before[p], e, p)
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d data were made worse", tried)
	}
}

// worseData are the files with one leaf of a data file null or of another type.
func worseData(t *testing.T, files map[string]string, name string) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	if !strings.HasPrefix(name, "policies/data/") {
		return out
	}
	tree := fstest.MapFS{name: &fstest.MapFile{Data: []byte(files[name])}}
	found, faults := Gather(tree, "policies").sorted()
	if len(faults) > 0 {
		t.Fatal(faults.err())
	}
	root := found.config
	put := func(what string) {
		worse := maps.Clone(files)
		delete(worse, name)
		for file, value := range root {
			worse["policies/data/"+file+".json"] = string(must(json.Marshal(value)))
		}
		out[what] = worse
	}
	var walk func(path string, v any, set func(any))
	walk = func(path string, v any, set func(any)) {
		switch v := v.(type) {
		case map[string]any:
			for k, item := range maps.Clone(v) {
				walk(path+"."+k, item, func(x any) { v[k] = x })
			}
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), item, func(x any) { v[i] = x })
			}
		}
		others := []any{nil, "nonsense"}
		switch v.(type) {
		case string:
			others[1] = 5
		case map[string]any:
			others = append(others, map[string]any{"nonsense": 1})
		}
		for _, other := range others {
			set(other)
			put(fmt.Sprintf("%s is %v", path, other))
		}
		set(v)
	}
	for k, v := range maps.Clone(root) {
		walk(k, v, func(x any) { root[k] = x })
	}
	return out
}
