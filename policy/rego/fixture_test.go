package rego

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mooring.dev/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// sample is a complete input at p with something in every list.
func sample(p policy.Point) policy.Input {
	in := policy.Input{
		Request: policy.Request{ID: "dec_1", TimeNS: noon.UnixNano(), Trigger: "push", Actor: policy.Actor{Kind: "daemon", Name: "mooring"}},
		Environment: policy.Environment{
			Name: "production", Branch: "env/production", Order: 2, Protected: true, Provider: "aws", Account: "222222222222",
			Region: "eu-west-1", Labels: map[string]string{"tier": "prod"}, Window: policy.Window{Open: true},
		},
		Source:      policy.Source{Ref: "refs/heads/env/production", From: "a", To: "b", Update: "fast_forward", Paths: []string{"checkout.yaml"}},
		Commit:      policy.Commit{SHA: "b", Author: "Ann <ann@shop.example>", Message: "m", Trailers: map[string]string{"Ticket": "1"}, TimeNS: 1},
		Commits:     []policy.Commit{{SHA: "b"}},
		PullRequest: policy.PullRequest{Labels: []string{"l"}, ApprovedBy: []string{"bob"}},
		Release:     policy.Release{Commit: "b", Content: "sha256:c", Digest: "sha256:r", Promoted: true},
		Changes: []policy.Change{{
			Resource: "Function/checkout", Kind: "Function", Operation: "update", Cause: "commit", Risk: []string{"code"},
			Fields: []policy.FieldChange{
				{Path: "memorySize", Before: json.RawMessage("256"), After: json.RawMessage("512")},
				{Path: "environment.KEY", Before: json.RawMessage(`"token:1"`), After: json.RawMessage(`"token:2"`), Sensitive: true},
			},
			Artifact: policy.Artifact{Before: "sha256:1", After: "sha256:2"},
		}},
		Summary: policy.Summary{Updated: 1},
		Flags:   []string{"reviewed"},
	}
	switch p {
	case policy.Promotion:
		in.PromotionFacts = &policy.PromotionFacts{
			Upstream: []policy.Upstream{{
				Environment: "staging", ContentMatch: true, Applied: true, Healthy: true, SoakSeconds: 600,
				Checks: []policy.Check{{Name: "smoke", Known: true, Passed: true, TimeNS: 1}},
			}},
			Evidence:  []policy.Evidence{{Kind: "test_result", Verified: true, SubjectMatch: true, Passed: true}},
			Approvals: []policy.Approval{{Name: "bob", Verified: true, Teams: []string{"t"}, Codes: []string{"c"}, TimeNS: 1}},
			Contract:  policy.Contract{Satisfied: true, Broken: []policy.BrokenContract{}},
		}
	case policy.Rollout:
		in.RolloutFacts = &policy.RolloutFacts{
			Rollout: policy.RolloutState{Weight: 10, NextWeight: 50, Stage: 1, Stages: 3, Verdict: "pass", Attempt: 1,
				Functions: []policy.RolloutFunction{{Resource: "Function/checkout", From: "1", To: "2", Verdict: "pass"}}},
			Metrics: map[string]policy.Metric{"checkout.canary.error_rate": {Known: true, Value: 0.01, Samples: 100, WindowSeconds: 60}},
			Alarms:  []policy.Alarm{{Name: "late", State: "ok"}},
		}
	case policy.Drift:
		in.DriftFacts = &policy.DriftFacts{Items: []policy.DriftItem{
			{ID: "i1", Resource: "Function/checkout", KindOfResource: "Function", Path: "environment.LOG_LEVEL", Kind: "changed",
				Declared: json.RawMessage(`"info"`), Live: json.RawMessage(`"debug"`), Severity: "medium", SinceNS: 1, Default: "revert"},
			{ID: "i2", Resource: "Concurrency/checkout", KindOfResource: "Concurrency", Path: "reservedConcurrentExecutions", Kind: "changed",
				Declared: json.RawMessage("50"), Live: json.RawMessage("0"), Severity: "critical", SinceNS: 1, Default: "hold"},
		}}
	case policy.Notify:
		in.NotifyFacts = &policy.NotifyFacts{
			Event:     policy.Event{Kind: "drift", Fingerprint: "f", Severity: "critical", Title: "t", Environment: "production", Status: "firing"},
			Receivers: []string{"oncall", "chat"},
		}
	case policy.Activation: // it is about no environment
		in.Environment, in.Release = policy.Environment{Order: 2, Window: policy.Window{Open: true}}, policy.Release{}
		in.ActivationFacts = &policy.ActivationFacts{Activation: policy.PolicyChange{
			From: "a", To: "b", Tests: 3,
			Files:    []policy.PolicyPart{{Name: "admission/guard.rego", Operation: "changed"}},
			Packages: []policy.PolicyPart{{Name: "policy.admission.guard", Operation: "changed"}},
			Replay: policy.PolicyRehearsal{Decisions: 20, Flips: []policy.PolicyFlip{
				{Decision: "dec_0", Environment: "production", Point: "admission", Before: "deny", After: "allow", Opens: true}}},
			Approvals: []policy.Approval{{Name: "bob", Verified: true, Teams: []string{"t"}, Codes: []string{"c"}, TimeNS: 1}},
		}}
	}
	return in
}

// decide evaluates and insists that error, outcome and record agree.
func decide(t testing.TB, e *Evaluator, p policy.Point, in policy.Input) policy.Decision {
	t.Helper()
	d, err := e.Evaluate(context.Background(), p, in)
	if (err != nil) != (d.Outcome == policy.Error) {
		t.Fatalf("outcome %s with error %v", d.Outcome, err)
	}
	var r struct{ Outcome policy.Outcome }
	if uerr := json.Unmarshal(d.Record, &r); uerr != nil || r.Outcome != d.Outcome {
		t.Fatalf("record %s: %v", d.Record, uerr)
	}
	return d
}

// codes lists the findings as level:code.
func codes(d policy.Decision) []string {
	out := []string{}
	for _, f := range d.Findings {
		out = append(out, f.Level+":"+f.Code)
	}
	return out
}
