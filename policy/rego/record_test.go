package rego

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"mooring.dev/policy"
)

// Lesson 33: the same input and bundle make the same decision, and the same
// record but for the times, a thousand times, whoever loaded the bundle.
func TestLesson33DecisionsAreDeterministic(t *testing.T) {
	one, other := New(shop(t), EvaluatorOptions{}), New(shop(t), EvaluatorOptions{})
	for _, p := range points {
		first := timeless(t, decide(t, other, p, sample(p)).Record)
		for i := range 200 { // at each of six points
			e := []*Evaluator{one, other}[i%2]
			if got := timeless(t, decide(t, e, p, sample(p)).Record); !bytes.Equal(first, got) {
				t.Fatalf("%s differs:\n%s\n%s", p, first, got)
			}
		}
	}
}

func timeless(t *testing.T, line []byte) []byte {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	delete(r, "metrics")
	for _, k := range r["packages"].([]any) {
		delete(k.(map[string]any), "eval_ns")
	}
	return must(json.Marshal(r))
}

func TestRecord(t *testing.T) {
	in := sample(policy.Promotion)
	in.Commit.Message = "a <b> & \u2028 c"
	d := decide(t, New(shop(t), EvaluatorOptions{}), policy.Promotion, in)
	if bytes.ContainsAny(d.Record, "\n\r") {
		t.Error("a record is one line")
	}
	var r map[string]json.RawMessage
	if err := json.Unmarshal(d.Record, &r); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"decision_id", "timestamp", "path", "bundles", "input", "result", "metrics", "erased", "masked", "outcome", "packages", "input_digest", "engine", "capabilities_digest"} {
		if len(r[name]) == 0 || string(r[name]) == "null" {
			t.Errorf("no %s", name)
		}
	}
	for name, want := range map[string]string{
		"decision_id": `"dec_1"`, "timestamp": `"2026-06-01T12:00:00Z"`, "path": `"policy/promotion"`,
		"bundles": `{"policies":{"revision":"shop"}}`, "erased": "[]", "outcome": `"allow"`, "engine": `"opa 1.22.2"`,
	} {
		if string(r[name]) != want {
			t.Errorf("%s is %s, want %s", name, r[name], want)
		}
	}
	// What is recorded can be asked again, and is what was digested.
	if got := `"` + digest(r["input"]) + `"`; got != string(r["input_digest"]) {
		t.Errorf("digest %s of the recorded input, %s recorded", got, r["input_digest"])
	}
	again, err := New(shop(t), EvaluatorOptions{}).EvaluateDocument(t.Context(), policy.Promotion, r["input"])
	if err != nil || !bytes.Equal(timeless(t, again.Record), timeless(t, d.Record)) {
		t.Errorf("replayed: %v\n%s\n%s", err, d.Record, again.Record)
	}
}

// A document written by hand is recorded as it is digested, however it was
// laid out.
func TestRecordOfADocument(t *testing.T) {
	in := sample(policy.Promotion)
	in.Commit.Message = "MARK"
	doc, err := json.MarshalIndent(in.Complete(policy.Promotion), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	doc = bytes.Replace(doc, []byte("MARK"), []byte("a <b> & c"), 1)
	d, err := New(shop(t), EvaluatorOptions{}).EvaluateDocument(t.Context(), policy.Promotion, doc)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Input  json.RawMessage
		Digest string `json:"input_digest"`
	}
	if err := json.Unmarshal(d.Record, &r); err != nil || digest(r.Input) != r.Digest {
		t.Errorf("%v: %s of\n%s", err, r.Digest, r.Input)
	}
}

// A token is all that is ever seen of a sensitive value: in the record, in
// findings made of it, and in errors about it.
func TestSensitiveValuesStayTokens(t *testing.T) {
	const body = "deny contains sprintf(\"%v %v\", [f.path, f.after]) if {\n\tsome c in input.changes\n\tsome f in c.fields\n\tf.sensitive\n\tf.after != f.before\n}\n"
	d := decide(t, New(mustLoad(t, packs(policy.Admission, body)), EvaluatorOptions{}), policy.Admission, sample(policy.Admission))
	if d.Outcome != policy.Deny || d.Findings[0].Msg != "environment.KEY token:2" {
		t.Errorf("equality of tokens is lost: %+v", d.Findings)
	}
}

// The published schemas say what the evaluator checks: an independent
// validator accepts what it accepts and refuses what it refuses.
func TestSchemasAgreeWithTheCheck(t *testing.T) {
	schemas := Schemas()
	for _, p := range points {
		var schema any
		if err := json.Unmarshal(schemas[p], &schema); err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("mem:schema", schema); err != nil {
			t.Fatal(err)
		}
		compiled, err := compiler.Compile("mem:schema")
		if err != nil {
			t.Fatal(err)
		}
		v := newValidator(inputForm(p))
		both := func(what string, doc []byte, want bool) {
			value, err := ast.ValueFromReader(bytes.NewReader(doc))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := v.validate(value) == nil, compiled.Validate(plain) == nil
			if ours != theirs || ours != want {
				t.Errorf("%s %s: ours %v, theirs %v, want %v", p, what, ours, theirs, want)
			}
		}
		doc := must(json.Marshal(sample(p).Complete(p)))
		both("sample", doc, true)
		both("bare", must(json.Marshal(bare(p).Complete(p))), true)
		removals(doc, func(path string, less []byte) {
			inMap := bytes.Contains([]byte(path), []byte(".labels.tier")) || bytes.Contains([]byte(path), []byte(".trailers.Ticket")) ||
				path == "input.metrics.checkout.canary.error_rate"
			both("without "+path, less, inMap)
		})
		both("with a field more", bytes.Replace(doc, []byte(`"api"`), []byte(`"apy":1,"api"`), 1), false)
		both("with a null", bytes.Replace(doc, []byte(`"order":2`), []byte(`"order":null`), 1), false)
		both("with a fraction", bytes.Replace(doc, []byte(`"order":2`), []byte(`"order":2.5`), 1), false)
		both("with text for a number", bytes.Replace(doc, []byte(`"order":2`), []byte(`"order":"2"`), 1), false)
	}
}

// bare is the least a caller can give at p.
func bare(p policy.Point) policy.Input {
	return map[policy.Point]policy.Input{
		policy.Admission: {},
		policy.Promotion: {PromotionFacts: &policy.PromotionFacts{}},
		policy.Rollout:   {RolloutFacts: &policy.RolloutFacts{}},
		policy.Drift:     {DriftFacts: &policy.DriftFacts{}},
		policy.Notify:    {NotifyFacts: &policy.NotifyFacts{}},

		policy.Activation: {ActivationFacts: &policy.ActivationFacts{}},
	}[p]
}

func TestCapabilities(t *testing.T) {
	c, err := ast.LoadCapabilitiesJSON(bytes.NewReader(Capabilities()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range c.Builtins {
		names = append(names, b.Name)
	}
	for _, gone := range []string{"http.send", "net.lookup_ip_addr", "opa.runtime", "rego.parse_module", "trace", "time.now_ns",
		"rand.intn", "uuid.rfc4122", "uuid.parse", "io.jwt.encode_sign", "io.jwt.encode_sign_raw", "providers.aws.sign_req", "bits.lsh", "crypto.x509.parse_certificates"} {
		if slices.Contains(names, gone) {
			t.Errorf("%s is offered", gone)
		}
		if _, known := ast.BuiltinMap[gone]; !known {
			t.Errorf("%s is no built-in any more: does the list still say what it means?", gone)
		}
	}
	for _, there := range []string{"count", "sprintf", "time.parse_rfc3339_ns", "time.weekday", "regex.match", "object.get", "walk"} {
		if !slices.Contains(names, there) {
			t.Errorf("%s is not offered", there)
		}
	}
	if !slices.Equal(c.FutureKeywords, []string{"not"}) || c.AllowNet == nil || len(c.AllowNet) != 0 || c.ContainsFeature("rego_v2") {
		t.Errorf("keywords %v, net %v, features %v", c.FutureKeywords, c.AllowNet, c.Features)
	}
	if len(names) < 150 {
		t.Errorf("%d built-ins", len(names))
	}
}
