package worker

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// TestMain is the worker when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		os.Exit(asWorker(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// folder makes a policy folder of files by their name below policies.
func folder(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree["policies/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

// admission is a package at admission with the rules of body.
func admission(name, body string) map[string]string {
	return map[string]string{"admission/" + name + ".rego": "package policy.admission." + name + "\n\nimport future.keywords.not\n\n" + body + "\n"}
}

const yes = "allow if input.environment.name != \"\"\n"

// hostileIn is a package that does its worst in one environment and allows in
// the others.
func hostileIn(environment, expression string) map[string]string {
	return admission("guard", yes+"deny contains \"never\" if {\n\tinput.environment.name == \""+environment+"\"\n\t"+expression+"\n}\n")
}

func question(environment string) policy.Input {
	return policy.Input{
		Request:     policy.Request{ID: "dec_1", TimeNS: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC).UnixNano(), Trigger: "push", Actor: policy.Actor{Kind: "daemon", Name: "mooring"}},
		Environment: policy.Environment{Name: environment, Protected: true, Window: policy.Window{Open: true}},
		Commit:      policy.Commit{SHA: "b", Message: "m"},
		Changes: []policy.Change{{
			Resource: "Function/f", Kind: "Function", Operation: "update", Cause: "commit",
			Fields: []policy.FieldChange{{Path: "memorySize", Before: json.RawMessage("256"), After: json.RawMessage("512")}},
		}},
		Summary: policy.Summary{Updated: 1},
	}
}

// quick are deadlines for tests whose policies never end.
var quick = rego.EvaluatorOptions{PackageDeadline: 300 * time.Millisecond, DecisionDeadline: 600 * time.Millisecond}

func newPool(t testing.TB, o Options) *Pool {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func load(t testing.TB, p *Pool, files map[string]string) *Policies {
	t.Helper()
	out, err := p.Load(context.Background(), folder(files), "r1")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask decides and insists that error, outcome and record agree.
func ask(t testing.TB, p *Policies, point policy.Point, in policy.Input) (policy.Decision, error) {
	t.Helper()
	d, err := p.Evaluate(context.Background(), point, in)
	if (err != nil) != (d.Outcome == policy.Error) {
		t.Errorf("outcome %s with error %v", d.Outcome, err)
	}
	var r struct {
		Outcome policy.Outcome
		Bundles map[string]struct{ Revision string }
	}
	if uerr := json.Unmarshal(d.Record, &r); uerr != nil || r.Outcome != d.Outcome || r.Bundles["policies"].Revision != "r1" || d.Revision != "r1" {
		t.Errorf("revision %q, record %.300s: %v", d.Revision, d.Record, uerr)
	}
	return d, err
}

// What a worker answers is what the engine says in this process.
func TestWorkerSaysWhatTheEngineSays(t *testing.T) {
	tree := os.DirFS(filepath.Join("..", "..", "..", "testdata", "shop", "control"))
	pool := newPool(t, Options{})
	there, err := pool.Load(context.Background(), tree, "r1")
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := rego.Load(tree, rego.LoadOptions{Revision: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	here := rego.New(bundle, rego.EvaluatorOptions{})
	if there.Facts.Tests != bundle.Tests || bundle.Tests == 0 || there.ReadsActor() != bundle.ReadsActor() {
		t.Errorf("facts %+v, want %d tests", there.Facts, bundle.Tests)
	}
	for _, c := range []struct {
		point  policy.Point
		change func(*policy.Input)
	}{
		{policy.Admission, func(*policy.Input) {}},
		{policy.Admission, func(in *policy.Input) { in.Summary.Created = 1000 }},
		{policy.Admission, func(in *policy.Input) { in.Changes[0].Fields[0].After = json.RawMessage("9999.50") }},
		{policy.Admission, func(in *policy.Input) { in.Request.ID = "" }},
		{policy.Admission, func(in *policy.Input) { in.Changes[0].Fields[0].After = json.RawMessage("{") }},
		{policy.Admission, func(in *policy.Input) { in.DriftFacts = &policy.DriftFacts{} }},
		{policy.Promotion, func(in *policy.Input) { in.PromotionFacts = &policy.PromotionFacts{} }},
		{policy.Rollout, func(in *policy.Input) { in.RolloutFacts = &policy.RolloutFacts{} }},
		{policy.Drift, func(in *policy.Input) {
			in.DriftFacts = &policy.DriftFacts{Items: []policy.DriftItem{{ID: "i", Declared: json.RawMessage("1"), Live: json.RawMessage("2")}}}
		}},
		{policy.Notify, func(in *policy.Input) {
			in.NotifyFacts = &policy.NotifyFacts{Event: policy.Event{Kind: "drift", Severity: "critical"}, Receivers: []string{"oncall"}}
		}},
	} {
		in := question("production")
		c.change(&in)
		want, wantErr := here.Evaluate(context.Background(), c.point, in)
		got, err := there.Evaluate(context.Background(), c.point, in)
		if fixed(t, want) != fixed(t, got) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%s:\nhere  %s %v\nthere %s %v", c.point, fixed(t, want), wantErr, fixed(t, got), err)
		}
		if got, want := shape(t, got.Record), shape(t, want.Record); got != want {
			t.Errorf("%s records:\nhere  %s\nthere %s", c.point, want, got)
		}
	}
	if s := pool.Stats(); s.Started != 1 || s.Lost != 0 {
		t.Errorf("%+v: one worker should have served them all", s)
	}
}

func fixed(t *testing.T, d policy.Decision) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shape is a record without its times.
func shape(t *testing.T, line []byte) string {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	delete(r, "metrics")
	for _, k := range r["packages"].([]any) {
		delete(k.(map[string]any), "eval_ns")
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Numbers come over the pipe as policy gave them, to the last digit, and what
// looks like a part of the record is only what a policy said.
func TestDetailsSurviveThePipe(t *testing.T) {
	p := load(t, newPool(t, Options{}), admission("x", `deny contains {"code": "c", "msg": "m", "details": {"n": 12345678901234567891, "input": null}} if input.commit.sha == "b"`))
	d, err := ask(t, p, policy.Admission, question("staging"))
	if err != nil || len(d.Findings) == 0 {
		t.Fatalf("%s, %v", d.Outcome, err)
	}
	text, err := json.Marshal(d.Findings[0].Details)
	if err != nil || string(text) != `{"input":null,"n":12345678901234567891}` {
		t.Errorf("%s, %v", text, err)
	}
	var r struct{ Input policy.Input }
	if err := json.Unmarshal(d.Record, &r); err != nil || r.Input.Environment.Name != "staging" {
		t.Errorf("recorded: %v %.300s", err, d.Record)
	}
}
