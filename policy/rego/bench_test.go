package rego

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// manyChanges is an admission of n changed functions.
func manyChanges(n int) policy.Input {
	in := sample(policy.Admission)
	change := in.Changes[0]
	in.Changes = nil
	for i := range n {
		c := change
		c.Resource = fmt.Sprintf("Function/f%04d", i)
		in.Changes = append(in.Changes, c)
	}
	in.Summary.Updated = n
	return in
}

// The whole decision, record and all.
func BenchmarkAdmission1000Changes(b *testing.B) {
	e, in := New(shop(b), EvaluatorOptions{}), manyChanges(1000)
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		if d := decide(b, e, policy.Admission, in); d.Outcome != policy.Hold {
			b.Fatal(d.Outcome, d.Findings)
		}
	}
}

// Only the packages, which is what the budget of 10 ms is for.
func BenchmarkAdmission1000ChangesEvaluationOnly(b *testing.B) {
	e, in := New(shop(b), EvaluatorOptions{}), manyChanges(1000).Complete(policy.Admission)
	value, err := e.read(policy.Admission, must(json.Marshal(in)), e.facts(in))
	if err != nil {
		b.Fatal(err)
	}
	q := question{input: value, now: time.Unix(0, in.Request.TimeNS)}
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		for _, a := range e.ask(context.Background(), policy.Admission, q, e.facts(in)) {
			if a.err != nil {
				b.Fatal(a.err)
			}
		}
	}
}

// Only reading: JSON to values, and the check against the schema.
func BenchmarkAdmission1000ChangesReadingOnly(b *testing.B) {
	doc := must(json.Marshal(manyChanges(1000).Complete(policy.Admission)))
	b.SetBytes(int64(len(doc)))
	b.Run("convert", func(b *testing.B) {
		b.ReportAllocs()
		countCPU(b)
		for b.Loop() {
			if _, err := ast.ValueFromReader(bytes.NewReader(doc)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("validate", func(b *testing.B) {
		value, err := ast.ValueFromReader(bytes.NewReader(doc))
		if err != nil {
			b.Fatal(err)
		}
		v := newValidator(inputForm(policy.Admission))
		b.ReportAllocs()
		countCPU(b)
		for b.Loop() {
			if err := v.validate(value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPromotion(b *testing.B) {
	e, in := New(shop(b), EvaluatorOptions{}), sample(policy.Promotion)
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		if d, err := e.Evaluate(context.Background(), policy.Promotion, in); err != nil || d.Outcome != policy.Allow {
			b.Fatal(d.Outcome, err)
		}
	}
}

func BenchmarkDrift(b *testing.B) {
	e, in := New(shop(b), EvaluatorOptions{}), sample(policy.Drift)
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		if d, err := e.Evaluate(context.Background(), policy.Drift, in); err != nil || d.Outcome != policy.Allow {
			b.Fatal(d.Outcome, err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		shop(b)
	}
}

// modules makes a folder of n modules at all points, with their tests left
// out.
func manyModules(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		p := points[i%len(points)]
		name := fmt.Sprintf("m%03d", i)
		body := map[policy.Point]string{
			policy.Admission:  "deny contains {\"code\": \"c\", \"msg\": sprintf(\"%s is too large\", [c.resource]), \"resource\": c.resource} if {\n\tsome c in input.changes\n\tsome f in c.fields\n\tf.path == \"memorySize\"\n\tf.after > 2048\n}\n",
			policy.Promotion:  "require contains {\"kind\": \"soak\", \"code\": \"s\", \"msg\": \"soak\"} if {\n\tsome u in input.upstream\n\tu.soak_seconds < 600\n}\n",
			policy.Rollout:    "pause contains {\"code\": \"a\", \"msg\": a.name} if {\n\tsome a in input.alarms\n\ta.state == \"alarm\"\n}\n",
			policy.Drift:      "action contains {\"item\": i.id, \"do\": \"hold\"} if {\n\tsome i in input.items\n\ti.rounds > 3\n}\n",
			policy.Activation: "deny contains p.name if {\n\tsome p in input.activation.packages\n\tp.operation == \"removed\"\n}\n",
			policy.Notify:     "route contains {\"receiver\": r} if {\n\tsome r in input.receivers\n\tinput.event.severity == \"critical\"\n}\n",
		}[p]
		files[string(p)+"/"+name+".rego"] = "package policy." + string(p) + "." + name + "\n\n" + body
	}
	return files
}

// Activation of 200 modules is to take a second at most.
func BenchmarkActivation200Modules(b *testing.B) {
	tree := folder(manyModules(200))
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		if _, err := Load(tree, LoadOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// From the typed input to values, as every decision of the daemon does it.
func BenchmarkAdmission1000ChangesConversionOnly(b *testing.B) {
	in := manyChanges(1000).Complete(policy.Admission)
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		if _, err := valueOf(in); err != nil {
			b.Fatal(err)
		}
	}
}

// The whole decision as a worker makes it, of a document that was written.
func BenchmarkAdmission1000ChangesWritten(b *testing.B) {
	e := New(shop(b), EvaluatorOptions{})
	doc, _, err := EvaluatorOptions{}.Document(policy.Admission, manyChanges(1000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	countCPU(b)
	for b.Loop() {
		if d, err := e.EvaluateWritten(context.Background(), policy.Admission, doc); err != nil || d.Outcome != policy.Hold {
			b.Fatal(d.Outcome, err)
		}
	}
}

// TestAllocationsOfADecision keeps decisions as cheap as they are: what they
// allocate does not depend on how busy the machine is, as their time does.
// (Under the race detector pools are emptied on purpose.)
func TestAllocationsOfADecision(t *testing.T) {
	if raced {
		t.Skip("counted without the race detector")
	}
	e := New(shop(t), EvaluatorOptions{})
	many := manyChanges(1000).Complete(policy.Admission)
	value, err := valueOf(many)
	if err != nil {
		t.Fatal(err)
	}
	q := question{input: value, now: time.Unix(0, many.Request.TimeNS)}
	promoted := sample(policy.Promotion)
	for _, c := range []struct {
		what string
		most float64
		do   func()
	}{
		{"a promotion", 1500, func() { decide(t, e, policy.Promotion, promoted) }},
		{"packages over 1,000 changes", 20_000, func() { e.ask(t.Context(), policy.Admission, q, e.facts(many)) }},
		{"the conversion of 1,000 changes", 65_000, func() { _, _ = valueOf(many) }},
		{"an admission of 1,000 changes", 100_000, func() { decide(t, e, policy.Admission, many) }},
	} {
		if got := testing.AllocsPerRun(5, c.do); got > c.most || got < c.most/3 {
			t.Errorf("%s: %.0f allocations, at most %.0f are meant", c.what, got, c.most)
		}
	}
}
