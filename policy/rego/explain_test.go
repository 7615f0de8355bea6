package rego

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mooring.dev/policy"
)

// told writes reasons as lines: true or not, expression, place, values.
func told(b *strings.Builder, indent string, reasons []Reason) {
	for _, r := range reasons {
		fmt.Fprintf(b, "%s%v %s (%s:%d)%s\n", indent, r.True, r.Expr, r.File[strings.LastIndexByte(r.File, '/')+1:], r.Line, valued(r.Values))
		told(b, indent+"  ", r.Why)
	}
}

func valued(values []Value) string {
	var b strings.Builder
	for _, v := range values {
		if len(v.Value) < 40 {
			fmt.Fprintf(&b, " %s=%s", v.Name, v.Value)
		}
	}
	return b.String()
}

func explained(t *testing.T, in policy.Input, p policy.Point) map[string]string {
	t.Helper()
	xs, err := New(shop(t), EvaluatorOptions{}).Explain(t.Context(), p, must(json.Marshal(in.Complete(p))))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, x := range xs {
		for _, c := range x.Rules {
			var b strings.Builder
			fmt.Fprintf(&b, "fired %d\n", c.Fired)
			for _, values := range c.Values {
				fmt.Fprintf(&b, "with%s\n", valued(values))
			}
			told(&b, "", c.Why)
			out[fmt.Sprintf("%s %s:%d", c.Rule, c.File[strings.LastIndexByte(c.File, '/')+1:], c.Line)] = b.String()
		}
	}
	return out
}

func TestExplainSaysHowFarARuleCame(t *testing.T) {
	in := sample(policy.Promotion)
	in.PromotionFacts.Upstream[0].SoakSeconds = 3
	in.PromotionFacts.Upstream[0].Healthy = false
	got := explained(t, in, policy.Promotion)
	for clause, want := range map[string]string{
		// The failing helper's own failing expression, through `every`.
		"allow gate.rego:11": "fired 0\nfalse every u in input.upstream { … (gate.rego:13)\n  false soak.settled(u) (gate.rego:14)\n    false u.healthy (soak.rego:64) u.healthy=false\n",
		// A `not` tells what was true.
		"require gate.rego:46": "fired 0\nfalse not input.contract.satisfied (gate.rego:47) input.contract.satisfied=true\n",
		// Nothing to go through.
		"require gate.rego:36": "fired 0\nfalse some b in input.contract.broken (gate.rego:37) input.contract.broken=[]\n",
		// An empty comprehension: what kept everything out of it.
		"require gate.rego:29": "fired 0\nfalse some item in window.require(input.environment.window) (gate.rego:29) input.environment.window={\"next_change_ns\":0,\"open\":true}\n  false not window.open (window.rego:24) window.open=true\n",
	} {
		if got[clause] != want {
			t.Errorf("%s:\n%s\nwant\n%s", clause, got[clause], want)
		}
	}
	if held := got["require gate.rego:24"]; !strings.HasPrefix(held, "fired 1\nwith seconds=5") || !strings.Contains(held, "u.soak_seconds=3") {
		t.Errorf("the soak:\n%s", held)
	}
}

func TestExplainNamesWhatIsUndefined(t *testing.T) {
	in := sample(policy.Admission)
	in.Release.Promoted = false
	got := explained(t, in, policy.Admission)
	want := "fired 0\nfalse hotfix (protected.rego:21)\n  false input.commit.trailers.Hotfix (protected.rego:26) input.commit.trailers.Hotfix=undefined\n"
	if got["allow protected.rego:19"] != want {
		t.Errorf("have\n%s", got["allow protected.rego:19"])
	}
	// Evaluated before, and told again where it mattered again.
	if again := got["require protected.rego:41"]; !strings.Contains(again, "Hotfix=undefined") {
		t.Errorf("have\n%s", again)
	}
	if far := got["deny guard.rego:65"]; !strings.Contains(far, `f.after > to_number(data.config.limits[limit]) (guard.rego:71) f.after=512 data.config.limits[limit]=1024 limit="memorySize"`) {
		t.Errorf("the furthest:\n%s", far)
	}
}

// What stops a `not` is what was true: the helper, with its values.
func TestExplainTellsWhatStoppedANot(t *testing.T) {
	const body = "import future.keywords.not\n\ndeny contains \"x\" if not _tall\n\n_tall if input.environment.order > 1\n"
	e := New(mustLoad(t, map[string]string{"admission/a.rego": "package policy.admission.a\n\n" + body}), EvaluatorOptions{})
	xs, err := e.Explain(t.Context(), policy.Admission, must(json.Marshal(sample(policy.Admission).Complete(policy.Admission))))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	told(&b, "", xs[0].Rules[0].Why)
	if want := "false not _tall (a.rego:5)\n  true _tall (a.rego:7) input.environment.order=2\n"; b.String() != want {
		t.Errorf("have\n%swant\n%s", b.String(), want)
	}
}

// Explain tells the same as the decision: a clause that fired for what was
// found, none for what was not.
func TestExplainAgreesWithTheDecision(t *testing.T) {
	e := New(shop(t), EvaluatorOptions{})
	for _, p := range points {
		in := sample(p)
		xs, err := e.Explain(t.Context(), p, must(json.Marshal(in.Complete(p))))
		if err != nil {
			t.Fatal(err)
		}
		fired := map[string]bool{}
		for _, x := range xs {
			for _, c := range x.Rules {
				fired[c.Rule] = fired[c.Rule] || c.Fired > 0
			}
		}
		d := decide(t, e, p, in)
		denied := slices.ContainsFunc(d.Findings, func(f policy.Finding) bool { return f.Level == "deny" && f.Package != "" })
		if denied != (fired["deny"] || fired["abort"]) || (len(d.Actions) > 0) != fired["action"] {
			t.Errorf("%s: decided %+v, explained %v", p, d, fired)
		}
	}
	if _, err := e.Explain(t.Context(), policy.Drift, []byte(`{"api": "policy/v1"}`)); err == nil {
		t.Error("half an input is explained")
	}
	if _, err := Closed(ErrLate).Explain(t.Context(), policy.Drift, must(json.Marshal(sample(policy.Drift).Complete(policy.Drift)))); err == nil {
		t.Error("nothing is explained")
	}
}
