package rego

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mooring.dev/policy"
)

// openness is how much a decision lets happen: a number for each thing it
// could let happen. No number may rise when something breaks.
func openness(p policy.Point, d policy.Decision) map[string]int {
	open := map[string]int{}
	switch p {
	case policy.Admission, policy.Promotion:
		open["pass"] = map[policy.Outcome]int{policy.Allow: 2, policy.Hold: 1}[d.Outcome]
	case policy.Rollout:
		if d.Outcome == policy.Allow {
			open["advance"] = 1
		}
	case policy.Drift:
		for _, a := range d.Actions {
			open["mutate "+a.Item] = map[string]int{"revert": 1}[a.Do]
		}
	case policy.Notify:
		if d.Muted {
			open["silence"] = 1
		}
	}
	return open
}

func wider(before, after map[string]int) bool {
	for k, v := range after {
		if v > before[k] {
			return true
		}
	}
	return false
}

// variants are inputs with different outcomes, so that there is something to
// lose.
func variants(p policy.Point) map[string]policy.Input {
	out := map[string]policy.Input{"good": sample(p)}
	add := func(name string, change func(*policy.Input)) {
		in := sample(p)
		change(&in)
		out[name] = in
	}
	switch p {
	case policy.Admission:
		add("not promoted", func(in *policy.Input) { in.Release.Promoted = false })
		add("too much memory", func(in *policy.Input) { in.Changes[0].Fields[0].After = json.RawMessage("4096") })
		add("too many", func(in *policy.Input) { in.Summary.Created = 100 })
	case policy.Promotion:
		add("unsoaked", func(in *policy.Input) { in.Upstream[0].SoakSeconds = 1 })
		add("contract broken", func(in *policy.Input) {
			in.Contract = policy.Contract{Broken: []policy.BrokenContract{{Resource: "Function/f", Expects: "secret s", Why: "gone"}}}
		})
	case policy.Rollout:
		add("alarm", func(in *policy.Input) { in.Alarms[0].State = "alarm" })
	case policy.Drift:
		add("fought over", func(in *policy.Input) { in.Items[0].Rounds = 5 })
	}
	return out
}

// Removing any one field, at any depth, never makes an outcome more
// permissive: not for the example's policies, and not without any.
func TestRemovingAFieldNeverOpens(t *testing.T) {
	long(t)
	for name, e := range map[string]*Evaluator{"shop": New(shop(t), EvaluatorOptions{}), "none": New(mustLoad(t, nil), EvaluatorOptions{})} {
		for _, p := range points {
			for variant, in := range variants(p) {
				doc := must(json.Marshal(in.Complete(p)))
				before, err := e.EvaluateDocument(context.Background(), p, doc)
				if err != nil {
					t.Fatalf("%s %s %s: %v", name, p, variant, err)
				}
				removed := 0
				removals(doc, func(path string, less []byte) {
					removed++
					after, err := e.EvaluateDocument(context.Background(), p, less)
					if wider(openness(p, before), openness(p, after)) {
						t.Errorf("%s %s %s without %s: %s became %s", name, p, variant, path, before.Outcome, after.Outcome)
					}
					if err == nil && !strings.Contains(path, ".labels.") && !strings.Contains(path, ".trailers.") && !strings.Contains(path, ".metrics.") {
						t.Errorf("%s %s %s without %s: not noticed", name, p, variant, path)
					}
				})
				if removed < 60 {
					t.Errorf("only %d fields were removed", removed)
				}
			}
		}
	}
}

// removals calls f with the document without each of its fields in turn.
func removals(doc []byte, f func(path string, less []byte)) {
	var root any
	decode := json.NewDecoder(bytes.NewReader(doc))
	decode.UseNumber()
	if err := decode.Decode(&root); err != nil {
		panic(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				kept := v[k]
				delete(v, k)
				f(path+"."+k, must(json.Marshal(root)))
				v[k] = kept
				walk(path+"."+k, kept)
			}
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), item)
			}
		}
	}
	walk("input", root)
}

// Breaking any one package never makes an outcome more permissive.
func TestBreakingAPackageNeverOpens(t *testing.T) {
	long(t)
	files := map[string]string{}
	root := "../../testdata/shop/control/policies"
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		text, err := os.ReadFile(name)
		files[strings.TrimPrefix(name, root+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	whole := New(mustLoad(t, files), EvaluatorOptions{})
	broken := 0
	for name, text := range files {
		for rule, breaks := range map[policy.Point]string{
			policy.Admission: "warn contains \"x\" if time.parse_duration_ns(input.commit.message) > 0",
			policy.Promotion: "warn contains \"x\" if time.parse_duration_ns(input.commit.message) > 0",
			policy.Rollout:   "pause contains \"x\" if time.parse_duration_ns(input.commit.message) > 0",
			policy.Drift:     "action contains \"x\" if time.parse_duration_ns(input.commit.message) > 0",
			policy.Notify:    "mute contains \"x\" if time.parse_duration_ns(input.commit.message) > 0",
		} {
			if !strings.HasPrefix(name, string(rule)+"/") {
				continue
			}
			broken++
			worse := maps.Clone(files)
			worse[name] = text + "\n" + breaks + "\n"
			e := New(mustLoad(t, worse), EvaluatorOptions{})
			for variant, in := range variants(rule) {
				before, after := decide(t, whole, rule, in), decide(t, e, rule, in)
				if after.Outcome != policy.Error || wider(openness(rule, before), openness(rule, after)) {
					t.Errorf("%s broken, %s: %s became %s", name, variant, before.Outcome, after.Outcome)
				}
			}
		}
	}
	if broken < 6 {
		t.Errorf("only %d packages were broken", broken)
	}
}

// The variants really differ: without that the properties above say little.
func TestVariantsDiffer(t *testing.T) {
	e := New(shop(t), EvaluatorOptions{})
	for _, c := range []struct {
		p       policy.Point
		variant string
		want    policy.Outcome
	}{
		{policy.Admission, "good", policy.Allow}, {policy.Admission, "not promoted", policy.Deny},
		{policy.Admission, "too much memory", policy.Deny}, {policy.Admission, "too many", policy.Hold},
		{policy.Promotion, "good", policy.Allow}, {policy.Promotion, "unsoaked", policy.Hold}, {policy.Promotion, "contract broken", policy.Hold},
		{policy.Rollout, "good", policy.Allow}, {policy.Rollout, "alarm", policy.Deny},
		{policy.Drift, "good", policy.Allow}, {policy.Notify, "good", policy.Allow},
	} {
		if d := decide(t, e, c.p, variants(c.p)[c.variant]); d.Outcome != c.want {
			t.Errorf("%s %s: %s %v", c.p, c.variant, d.Outcome, d.Findings)
		}
	}
	d := decide(t, e, policy.Drift, variants(policy.Drift)["good"])
	if len(d.Actions) != 1 || d.Actions[0].Item != "i1" || d.Actions[0].Do != "revert" {
		t.Errorf("drift: %+v", d.Actions)
	}
	if d := decide(t, e, policy.Drift, variants(policy.Drift)["fought over"]); d.Actions[0].Do != "hold" {
		t.Errorf("fought over: %+v", d.Actions)
	}
	if d := decide(t, e, policy.Notify, variants(policy.Notify)["good"]); len(d.Routes) != 1 || d.Routes[0].Receiver != "oncall" {
		t.Errorf("notify: %+v", d.Routes)
	}
}
