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
	case policy.Admission, policy.Promotion, policy.Activation:
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
	case policy.Activation:
		add("unapproved", func(in *policy.Input) { in.Activation.Approvals = nil })
	}
	return out
}

// Removing any one field, at any depth, never makes an outcome more
// permissive: not for any folder we give away, not for one that asks every
// helper of the library, not for a generated one, and not without any. The
// race detector sees one folder.
func TestRemovingAFieldNeverOpens(t *testing.T) {
	all := map[string]map[string]string{"none": nil}
	if !raced {
		all = folders(t)
		all["none"], all["library"] = nil, wholeLibrary(t)
		for seed := range 4 {
			all[fmt.Sprint("generated ", seed)], _ = generated(seed)
		}
	}
	for name, files := range all {
		e, err := loaded(files)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range points {
			for variant, in := range variants(p) {
				if variant == "good" || name == "shop" {
					mustNotOpenWithLess(t, fmt.Sprint(name, " ", p, " ", variant), e, in.Complete(p))
				}
			}
		}
	}
}

// mustNotOpenWithLess takes every field of an input away in turn.
func mustNotOpenWithLess(t *testing.T, what string, e *Evaluator, in policy.Input) {
	t.Helper()
	p, doc := in.Point, must(json.Marshal(in))
	before, err := e.EvaluateDocument(context.Background(), p, doc)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	removed := 0
	removals(doc, func(path string, less []byte) {
		removed++
		after, err := e.EvaluateDocument(context.Background(), p, less)
		if wider(openness(p, before), openness(p, after)) {
			t.Errorf("%s without %s: %s became %s", what, path, before.Outcome, after.Outcome)
		}
		if err == nil && !strings.Contains(path, ".labels.") && !strings.Contains(path, ".trailers.") && !strings.Contains(path, ".metrics.") {
			t.Errorf("%s without %s: not noticed", what, path)
		}
	})
	if removed < 60 {
		t.Errorf("%s: only %d fields were removed", what, removed)
	}
}

// wholeLibrary is a folder with packages that take in all of the library.
func wholeLibrary(t testing.TB) map[string]string {
	t.Helper()
	text := "package policy.%s.whole\n\nimport data.policy.lib.approval\nimport data.policy.lib.blast_radius\nimport data.policy.lib.canary\n" +
		"import data.policy.lib.change_size\nimport data.policy.lib.stateful\n\n" +
		"require contains i if some i in blast_radius.require(input.summary, 0)\n\nrequire contains i if some i in change_size.require(input.changes, 1)\n\n" +
		"deny contains f if some f in stateful.deleted(input.changes)\n\nwarn contains f if some f in canary.missing(input.changes, {\"critical\"})\n\nallow if input.release.promoted\n"
	return map[string]string{
		"policies/admission/whole.rego": fmt.Sprintf(text, "admission") + "\nrequire contains i if some i in approval.wanted(1, \"people\")\n",
		"policies/promotion/whole.rego": fmt.Sprintf(text, "promotion") + "\nimport data.policy.lib.provenance\nimport data.policy.lib.soak\nimport data.policy.lib.test_result\n\n" +
			"require contains i if some i in approval.require(input.approvals, 1)\n\nrequire contains i if some i in soak.require(input.upstream, 60, input.request.time_ns)\n\nwarn contains s if some s in provenance.stated(input.evidence, [\"https://slsa.dev/provenance/v1\"], [\"ci\"])\n\n" +
			"allow if test_result.passed(input.evidence, \"unit\")\n",
		"policies/rollout/whole.rego": "package policy.rollout.whole\n\nimport data.policy.lib.alarms\n\nabort contains f if some f in alarms.abort(input.alarms)\n\n" +
			"pause contains f if some f in alarms.unknown(input.alarms)\n\nadvance if input.rollout.verdict == \"pass\"\n",
		"policies/drift/whole.rego": "package policy.drift.whole\n\nimport data.policy.lib.drift\n\naction contains a if some a in drift.revert(input.items, [\"environment.*\"], \"changes come from Git\")\n",
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
