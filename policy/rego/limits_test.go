package rego

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

const endless = "deny contains \"never\" if count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i + j == 0]) > 0\n"

// A package that does not end closes the decision at its deadline, and does
// not silence the others.
func TestDeadlineOfAPackage(t *testing.T) {
	e := New(mustLoad(t, packs(policy.Admission, endless, deny)), EvaluatorOptions{PackageDeadline: 50 * time.Millisecond})
	began := time.Now()
	d, err := e.Evaluate(context.Background(), policy.Admission, sample(policy.Admission))
	if d.Outcome != policy.Error || !errors.Is(err, ErrLate) {
		t.Fatalf("%s, %v", d.Outcome, err)
	}
	if got := strings.Join(codes(d), " "); got != "error:policy_error deny:bad" {
		t.Errorf("findings %s", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestDeadlineOfADecision(t *testing.T) {
	e := New(mustLoad(t, packs(policy.Admission, endless, allow)), EvaluatorOptions{DecisionDeadline: 50 * time.Millisecond})
	if d, err := e.Evaluate(context.Background(), policy.Admission, sample(policy.Admission)); d.Outcome != policy.Error || !errors.Is(err, ErrLate) {
		t.Errorf("%s, %v", d.Outcome, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	quick := New(mustLoad(t, packs(policy.Admission, allow)), EvaluatorOptions{})
	if d, err := quick.Evaluate(ctx, policy.Admission, sample(policy.Admission)); d.Outcome != policy.Error || err == nil {
		t.Errorf("cancelled: %s, %v", d.Outcome, err)
	}
}

// What does not heed its context is left behind and counted, and while too
// much of it is left nothing new begins.
func TestKeeperLeavesBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{grace: time.Second, most: 2}
		d, stuck := k.desk(), make(chan struct{})
		defer d.close()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			if e := d.run(ctx, func() evaluated { <-stuck; return evaluated{} }); !errors.Is(e.err, ErrLate) {
				t.Errorf("late: %v", e.err)
			}
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("waited %v", took)
			}
			cancel()
		}
		began := false
		if e := d.run(t.Context(), func() evaluated { began = true; return evaluated{} }); !errors.Is(e.err, ErrBusy) || began {
			t.Errorf("crowded: %v, began %v", e.err, began)
		}
		close(stuck)
		synctest.Wait()
		if k.left.Load() != 0 {
			t.Errorf("%d left", k.left.Load())
		}
		if e := d.run(t.Context(), func() evaluated { return evaluated{} }); e.err != nil {
			t.Errorf("after that: %v", e.err)
		}
	})
}

func TestKeeperSurvivesAPanic(t *testing.T) {
	d := (&keeper{most: 1}).desk()
	defer d.close()
	if e := d.run(t.Context(), func() evaluated { panic("boom") }); e.err == nil || !strings.Contains(e.err.Error(), "boom") {
		t.Errorf("%v", e.err)
	}
}

// An answer that comes in after the deadline, though within the grace, is late
// all the same.
func TestKeeperLateIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := (&keeper{grace: time.Minute, most: 1}).desk()
		defer d.close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if e := d.run(ctx, func() evaluated { time.Sleep(2 * time.Second); return evaluated{} }); !errors.Is(e.err, ErrLate) {
			t.Errorf("%v", e.err)
		}
	})
}

func TestInputIsChecked(t *testing.T) {
	e := New(mustLoad(t, packs(policy.Admission, allow)), EvaluatorOptions{MaxInput: 8000})
	good := sample(policy.Admission)
	for name, c := range map[string]struct {
		point  policy.Point
		change func(*policy.Input)
		says   string
	}{
		"another point's facts":       {policy.Admission, func(in *policy.Input) { in.DriftFacts = &policy.DriftFacts{} }, `unknown field "items"`},
		"facts that are missing":      {policy.Drift, func(*policy.Input) {}, "input.items: missing"},
		"an unknown point":            {"admision", func(*policy.Input) {}, "unknown decision point"},
		"no id":                       {policy.Admission, func(in *policy.Input) { in.Request.ID = "" }, "request.id"},
		"no time":                     {policy.Admission, func(in *policy.Input) { in.Request.TimeNS = 0 }, "request.time_ns"},
		"broken JSON in a value":      {policy.Admission, func(in *policy.Input) { in.Changes[0].Fields[0].After = json.RawMessage("{") }, "invalid policy input"},
		"a sensitive value in pieces": {policy.Admission, func(in *policy.Input) { in.Changes[0].Fields[1].After = json.RawMessage(`{"key":"value"}`) }, "input.changes[0].fields[1].after: a sensitive value must be a token"},
		"too much":                    {policy.Admission, func(in *policy.Input) { in.Commit.Message = strings.Repeat("x", 8000) }, "larger than 8000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			in := sample(policy.Admission)
			c.change(&in)
			d, err := e.Evaluate(context.Background(), c.point, in)
			if err == nil || !strings.Contains(err.Error(), c.says) || d.Outcome == policy.Allow || d.Default {
				t.Errorf("%s, %v", d.Outcome, err)
			}
			if strings.Contains(err.Error(), `"key"`) || strings.Contains(err.Error(), `value"`) {
				t.Errorf("the error tells a value: %v", err)
			}
		})
	}
	if d, err := e.Evaluate(context.Background(), policy.Admission, good); err != nil || d.Outcome != policy.Allow {
		t.Errorf("the good one: %s, %v", d.Outcome, err)
	}
}

func TestDocumentIsChecked(t *testing.T) {
	e := New(mustLoad(t, packs(policy.Admission, allow)), EvaluatorOptions{})
	for name, doc := range map[string]string{
		"nothing": "", "no JSON": "{", "no object": "[]", "null": "null", "empty": "{}",
		"another point": string(must(json.Marshal(sample(policy.Admission).Complete(policy.Promotion)))),
		"another version": strings.Replace(string(must(json.Marshal(sample(policy.Admission).Complete(policy.Admission)))),
			policy.API, "policy/v9", 1),
	} {
		d, err := e.EvaluateDocument(context.Background(), policy.Admission, []byte(doc))
		var bad *InputError
		if !errors.As(err, &bad) || d.Outcome != policy.Error {
			t.Errorf("%s: %s, %v", name, d.Outcome, err)
		}
	}
}

func TestClosed(t *testing.T) {
	why := errors.New("policies/admission/x.rego:3:1: it does not parse")
	for name, e := range map[string]*Evaluator{"closed": Closed(why), "no bundle": New(nil, EvaluatorOptions{})} {
		for _, p := range points {
			in := sample(p)
			in.Environment.Protected = false
			d, err := e.Evaluate(context.Background(), p, in)
			if err == nil || d.Outcome != policy.Error || len(d.Findings) != 1 || d.Default || d.Advance || d.Muted || len(d.Routes) > 0 {
				t.Errorf("%s at %s: %+v, %v", name, p, d, err)
			}
			if name == "closed" && (!errors.Is(err, why) || d.Findings[0].Msg != why.Error()) {
				t.Errorf("at %s the reason is lost: %v", p, err)
			}
			for _, a := range d.Actions {
				if a.Do != "alert" {
					t.Errorf("%s: %+v", name, a)
				}
			}
			if p == policy.Drift && len(d.Actions) != 2 {
				t.Errorf("%s: %d actions", name, len(d.Actions))
			}
		}
	}
}

// Changes beyond the limit are not shown, and their absence is not hidden.
func TestTooManyChangesAreCut(t *testing.T) {
	e := New(mustLoad(t, packs(policy.Admission, allow)), EvaluatorOptions{MaxInput: 100_000})
	in := manyChanges(1000)
	d := decide(t, e, policy.Admission, in)
	if d.Outcome != policy.Hold || d.Findings[0].Code != "truncated" || len(in.Changes) != 1000 || in.Truncated {
		t.Errorf("%s %v", d.Outcome, d.Findings)
	}
	if len(d.Record) > 110_000 {
		t.Errorf("a record of %d bytes", len(d.Record))
	}
}

// No document makes the evaluator fall over, and none but a complete one is
// decided.
func FuzzDocument(f *testing.F) {
	e := New(mustLoad(f, packs(policy.Drift, "action contains {\"item\": i.id, \"do\": \"revert\"} if some i in input.items\n")), EvaluatorOptions{})
	v := newValidator(inputForm(policy.Drift))
	f.Add(string(must(json.Marshal(sample(policy.Drift).Complete(policy.Drift)))))
	f.Add(`{"api":"policy/v1","changes":[{"sensitive":true}],"items":[{"sensitive":true,"live":[]}]}`)
	f.Add(`{"items":null}`)
	f.Fuzz(func(t *testing.T, doc string) {
		d, err := e.EvaluateDocument(context.Background(), policy.Drift, []byte(doc))
		if (err != nil) != (d.Outcome == policy.Error) || len(d.Record) == 0 {
			t.Fatalf("%s, %v", d.Outcome, err)
		}
		value, perr := ast.ValueFromReader(strings.NewReader(doc))
		if err == nil && (perr != nil || v.validate(value) != nil) {
			t.Fatalf("decided about an incomplete document: %s", doc)
		}
	})
}
