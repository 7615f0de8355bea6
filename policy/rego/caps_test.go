package rego

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
)

// Lesson 31, and the caps of what a package may say: each is a closed decision
// with an error that names it, and a record that stays small.
func TestCapsOnResults(t *testing.T) {
	const long = "concat(\"\", [\"xxxxxxxxxxxxxxxx\" | some i in numbers.range(1, 65536)])"
	for name, c := range map[string]struct{ body, says string }{
		"a message of 1 MiB":   {"deny contains " + long + " if input.commit.sha == \"b\"\n", "larger than 262144 bytes"},
		"1 MiB in the details": {"deny contains {\"code\": \"c\", \"msg\": \"m\", \"details\": {\"x\": [" + long + "]}} if input.commit.sha == \"b\"\n", "larger than 262144 bytes"},
		"1 MiB as a name":      {"deny contains {\"code\": \"c\", \"msg\": \"m\", \"details\": {" + long + ": 1}} if input.commit.sha == \"b\"\n", "larger than 262144 bytes"},
		"201 findings":         {"deny contains sprintf(\"%d\", [i]) if some i in numbers.range(1, 201)\n", "201 items, more than 200"},
		"small, but many":      {"deny contains {\"code\": \"c\", \"msg\": \"m\", \"details\": numbers.range(i, i + 2000)} if some i in numbers.range(1, 200)\n", "larger than 262144 bytes"},
		"an error of 1 MiB":    {"deny contains \"x\" if time.parse_duration_ns(" + long + ") > 1\n", "parse_duration_ns"},
		"a set in a message":   {"deny contains {\"code\": \"c\", \"msg\": {\"a\"}} if input.commit.sha == \"b\"\n", "want a string, have set"},
		"a flag that is none":  {"flag contains 1 if input.commit.sha == \"b\"\n", "want a string"},
		"an unknown member":    {"deny contains {\"code\": \"c\", \"mgs\": \"m\"} if input.commit.sha == \"b\"\n", "did you mean \"msg\"?"},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(mustLoad(t, packs(policy.Admission, c.body, deny)), EvaluatorOptions{PackageDeadline: time.Minute})
			d, err := e.Evaluate(context.Background(), policy.Admission, sample(policy.Admission))
			if d.Outcome != policy.Error || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %.300v", d.Outcome, err)
			}
			if got := codes(d); len(got) < 2 || got[0] != "error:policy_error" || got[1] != "deny:bad" {
				t.Errorf("%v: the other package's deny is lost", got)
			}
			if len(d.Record) > 50_000 || len(err.Error()) > 5000 {
				t.Errorf("a record of %d bytes, an error of %d", len(d.Record), len(err.Error()))
			}
		})
	}
	exact := New(mustLoad(t, packs(policy.Admission, "deny contains sprintf(\"%d\", [i]) if some i in numbers.range(1, 200)\n")), EvaluatorOptions{})
	if d := decide(t, exact, policy.Admission, sample(policy.Admission)); d.Outcome != policy.Deny || len(d.Findings) != 200 {
		t.Errorf("200 findings: %s, %d", d.Outcome, len(d.Findings))
	}
}

// What all packages say together is bounded too: the later ones are broken.
func TestCapOnAllAnswers(t *testing.T) {
	const much = "deny contains {\"code\": \"c\", \"msg\": \"m\", \"details\": numbers.range(1, 30000)} if input.commit.sha == \"b\"\n"
	bodies := make([]string, 24) // as many as there are letters, nearly
	for i := range bodies {
		bodies[i] = much
	}
	d, err := New(mustLoad(t, packs(policy.Admission, bodies...)), EvaluatorOptions{}).Evaluate(context.Background(), policy.Admission, sample(policy.Admission))
	if d.Outcome != policy.Error || err == nil || len(d.Record) > 30<<20 {
		t.Errorf("%s, a record of %d bytes", d.Outcome, len(d.Record))
	}
	said := 0
	for _, f := range d.Findings {
		if f.Level == "deny" {
			said++
		}
	}
	if said == 0 || said == 24 {
		t.Errorf("%d packages were heard", said)
	}
}

// Decision 33: above 5,000 changes the input is cut and says so, and that
// holds whatever policy allows; a deny stays a deny.
func TestMoreChangesThanShown(t *testing.T) {
	for body, want := range map[string]policy.Outcome{
		allow: policy.Hold,
		"allow if count(input.changes) == 5000\n\ndeny contains \"cut\" if input.truncated\n": policy.Deny,
	} {
		e := New(mustLoad(t, packs(policy.Admission, body)), EvaluatorOptions{MaxInput: 64 << 20})
		d := decide(t, e, policy.Admission, manyChanges(5001))
		var r struct {
			Input struct {
				Changes   []json.RawMessage
				Truncated bool
				Summary   policy.Summary
			}
		}
		if err := json.Unmarshal(d.Record, &r); err != nil || len(r.Input.Changes) != 5000 || !r.Input.Truncated || r.Input.Summary.Updated != 5001 {
			t.Errorf("%d changes, truncated %v, %v", len(r.Input.Changes), r.Input.Truncated, err)
		}
		if d.Outcome != want {
			t.Errorf("%s, want %s", d.Outcome, want)
		}
	}
	e := New(mustLoad(t, packs(policy.Admission, allow)), EvaluatorOptions{MaxInput: 64 << 20})
	if d := decide(t, e, policy.Admission, manyChanges(5000)); d.Outcome != policy.Allow {
		t.Errorf("5,000 changes: %s", d.Outcome)
	}
}

// Depth is no way around a cap: values nested as deep as JSON may be are
// decided about or refused, here and in the findings.
func TestDeepValues(t *testing.T) {
	e := New(mustLoad(t, packs(policy.Admission, allow, "deny contains {\"code\": \"c\", \"msg\": \"m\", \"details\": f.after} if {\n\tsome c in input.changes\n\tsome f in c.fields\n\twalk(f.after, [p, \"deep\"])\n\tcount(p) > 100\n}\n")), EvaluatorOptions{})
	for _, depth := range []int{200, 5000, 9000} {
		in := sample(policy.Admission)
		in.Changes[0].Fields[0].After = json.RawMessage(strings.Repeat("[", depth) + `"deep"` + strings.Repeat("]", depth))
		if d, _ := e.Evaluate(context.Background(), policy.Admission, in); d.Outcome != policy.Deny && d.Outcome != policy.Error {
			t.Errorf("%d deep: %s", depth, d.Outcome)
		}
	}
	in := sample(policy.Admission)
	in.Changes[0].Fields[0].After = json.RawMessage(strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000))
	var bad *InputError
	if d, err := e.Evaluate(context.Background(), policy.Admission, in); d.Outcome != policy.Error || !errors.As(err, &bad) {
		t.Errorf("%s, %.200v", d.Outcome, err)
	}
}

// What is asked for with many words is closed as quickly as anything else, and
// is not repeated in the error.
func TestLongDocument(t *testing.T) {
	e := New(mustLoad(t, packs(policy.Admission, allow)), EvaluatorOptions{})
	d, err := e.EvaluateDocument(context.Background(), policy.Admission, fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("y", 9<<20)))
	if d.Outcome != policy.Error || err == nil || len(err.Error()) > 5000 {
		t.Errorf("%s, an error of %d bytes", d.Outcome, len(err.Error()))
	}
}
