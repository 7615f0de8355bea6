package web

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// night is a daemon with a fleet at its worst hour: 10,000 resources, a canary
// that fails, drift, holds, findings, errors, long names and long reasons.
type night struct {
	beating
	drift    map[string]Drift
	releases map[string][]Rollout
	lines    []string // of decisions
}

func (n *night) Drift(_ context.Context, name string) (Drift, error) {
	d := n.drift[name]
	d.Environment = name
	return d, nil
}

func (n *night) Rollouts(_ context.Context, q RolloutQuery) ([]Rollout, error) {
	var out []Rollout
	for _, r := range n.releases[q.Environment] {
		if strings.HasPrefix(r.Release.Digest, q.Release) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (n *night) Decisions(context.Context, journal.DecisionQuery) (DecisionPage, error) {
	var p DecisionPage
	for i, line := range n.lines {
		p.Decisions = append(p.Decisions, RecordedDecision{Seq: journal.Seq(i), At: noon, Environment: "production", Line: line})
	}
	return p, nil
}

func (n *night) Resource(_ context.Context, _, name string) (ResourceDetail, error) {
	d := ResourceDetail{ResourceStatus: ResourceStatus{Resource: name, State: "differs", Version: "42", Drift: 2, SeenAt: noon.Add(-41 * time.Second)}, Origin: "functions/payments/checkout.yaml:3",
		Failed: "the role defined for the function cannot be assumed by Lambda", Items: n.drift["production"].Items[:2],
		Versions: []ResourceVersion{{Number: "42", Ready: true, Weight: 10}, {Number: "41", Ready: true, Weight: 90}, {Number: "40", Failed: "image not found"}}}
	for i := range 60 {
		d.Fields = append(d.Fields, ResourceField{Path: fmt.Sprintf("environment.SETTING_%02d_WITH_A_RATHER_LONG_NAME", i), Declared: "https://orders.internal.example.com/v2/submit", Applied: "https://orders.internal.example.com/v2/submit", Live: "https://orders.internal.example.com/v2/submit"})
	}
	d.Fields[41].Live, d.Fields[3].Unseen = "https://orders-debug.example.net/v1", "AccessDeniedException: kms:Decrypt is not allowed"
	return d, nil
}

const longName = "Function/payments-settlement-reconciliation-nightly-batch-processor-europe-west"

// badNight is production in trouble, staging in a canary, preview at rest, and
// an environment that nothing was released to.
func badNight(drifted int) *night {
	n := &night{beating: beating{shelved: *shop(10_000)}, drift: map[string]Drift{}, releases: map[string][]Rollout{}}
	n.resources[0].Resource = "Function/a"
	for i := range n.resources {
		n.resources[i].SeenAt = noon.Add(-time.Duration(i%600) * time.Second)
	}
	digest := "sha256:" + strings.Repeat("8c1f", 16)
	items := []DriftItem{}
	for i := range drifted {
		it := DriftItem{ID: fmt.Sprintf("drift_%04d", i), Resource: n.resources[i+1].Resource, Path: "memorySize", Kind: "changed", Declared: 512, Live: 128, Since: noon.Add(-time.Duration(i+7) * time.Minute),
			Severity: "medium", Response: "revert", Confirmed: true, Actor: Actor{Known: true, Name: "assumed-role/Admin/bob", Event: "UpdateFunctionConfiguration", At: noon.Add(-time.Hour)}}
		if i%3 == 0 {
			it.Resource, it.Path, it.Severity, it.Actor, it.Response, it.Reason = longName, "environment.PAYMENT_PROVIDER_ENDPOINT_URL", "high", Actor{}, "hold", "policy: payment endpoints are never put back by themselves"
			it.Declared, it.Live = "https://payments.internal.example.com/v2/charge?region=eu-west-1&retry=3", "https://payments-debug.example.net/"
		}
		n.resources[i+1].State, n.resources[i+1].Drift = "differs", 1
		items = append(items, it)
	}
	n.drift["production"] = Drift{ObservedAt: noon, Coverage: Coverage{Compared: 412_233, OldestSeconds: 512, Unobservable: unseen(drifted)}, Items: items}
	n.status = Status{Pipeline: "shop", Control: ControlStatus{Branch: "main", Commit: strings.Repeat("ab12", 10), Policies: digest}, Outbox: 3,
		Faults: []string{"source: fetch https://git.example.com/shop.git: connection refused, for 12m"}, Environments: []EnvironmentStatus{
			{Name: "preview", State: "in_sync", Commit: strings.Repeat("5e", 20), Head: strings.Repeat("5e", 20), Content: digest, Release: digest, Resources: map[string]int{"in_place": 10_000}},
			{Name: "staging", State: "progressing", Commit: strings.Repeat("5f", 20), Head: strings.Repeat("5f", 20), Content: digest, Release: digest, Resources: map[string]int{"in_place": 9_998, "settling": 2}, Rollout: moving(), After: []string{"preview"},
				Checks: []CheckStatus{{Name: "smoke", Passed: true}, {Name: "orders-come-through-within-a-minute", Detail: "3 of 5 orders were not seen in the queue within 60 s"}}},
			{Name: "production", State: "held", Reason: "incident 4711: payments fail", Commit: strings.Repeat("4a", 20), Head: strings.Repeat("5e", 20), Content: digest, Release: digest, Protected: true, After: []string{"staging"},
				Resources: map[string]int{"in_place": 10_000 - drifted, "differs": drifted}, Drift: map[string]int{"high": (drifted + 2) / 3, "medium": drifted - (drifted+2)/3}, Holds: manyHolds(40),
				LastError: "survey of Lambda: ThrottlingException: Rate exceeded (attempt 3, asked again in 40s)", OldestSeconds: 512, Promotion: "held: soak of 30m not over, 12m to go",
				Checks:    []CheckStatus{{Name: "smoke", Unknown: true, Detail: "no answer within 10 s"}},
				Approvals: []Approval{{Environment: "production", Answer: "approve", Content: digest, By: "ann", Counts: true}, {Environment: "production", Answer: "approve", Content: digest, By: "bob", Why: "who wrote it does not approve it"}},
				Queue:     []QueuedStatus{{Content: digest, From: "staging", Commit: strings.Repeat("5c", 20), Since: noon.Add(-time.Hour)}}},
			{Name: "empty", State: "unknown", Reason: "nothing was released yet", OldestSeconds: -1},
		}}
	n.news = []Event{}
	for i := range 60 {
		e := Event{Environment: "production", Seq: uint64(1000 - i), At: noon.Add(-time.Duration(i*13) * time.Minute), Kind: "drift", Resource: longName, Text: "environment.PAYMENT_PROVIDER_ENDPOINT_URL changed by assumed-role/Admin/bob: held"}
		if i%2 == 0 {
			e.Kind, e.Resource, e.Text = "step", "Function/f00001", "put memorySize back to 512"
		}
		n.news = append(n.news, e)
	}
	n.releases["production"] = []Rollout{{Environment: "production", ID: 9, Release: record.Release{Digest: digest, Content: digest, Commit: strings.Repeat("4a", 20)}, Cause: "commit", Began: noon.Add(-5 * time.Hour), Ended: noon.Add(-4 * time.Hour), Outcome: "in_force",
		Promotion: &Promoted{From: "staging", Decision: "dec_1", Evidence: []string{"ci/test-report sha256:77"}}}}
	n.releases["staging"] = []Rollout{{Environment: "staging", ID: 3, Release: record.Release{Digest: digest, Content: digest, Commit: strings.Repeat("5f", 20)}, Cause: "promotion", Began: noon.Add(-20 * time.Minute), Outcome: "moving", Looks: manyLooks(40)}}
	for i := range 30 {
		n.lines = append(n.lines, recorded(i))
	}
	return n
}

func unseen(many int) []Unobservable {
	var out []Unobservable
	for i := range many {
		out = append(out, Unobservable{Path: fmt.Sprintf("Function/f%05d environment.SECRET", i), Why: "AccessDeniedException: kms:Decrypt is not allowed"})
	}
	return out
}

func manyHolds(n int) []HoldStatus {
	out := []HoldStatus{{ID: "hold_0", Kind: "manual", Owner: "ann", Reason: "incident 4711: payments fail", Since: noon.Add(-32 * time.Minute), Until: noon.Add(2 * time.Hour)}}
	for i := range n - 1 {
		out = append(out, HoldStatus{ID: fmt.Sprint("hold_", i+1), Kind: "drift", Owner: "policy", Reason: "payment endpoints are never put back by themselves", Resource: longName, Since: noon.Add(-time.Hour)})
	}
	return out
}

func moving() RolloutStatus {
	return RolloutStatus{Phase: "shift", Weight: 10, Stage: 2, Stages: 4, Verdict: "fail", Reason: "the new version fails more often than the one beside it (p = 0.002)", ElapsedSeconds: 340,
		Functions: []RolloutFunction{{Resource: longName, Stable: "41", New: "42", Canary: CountsStatus{Calls: 1204, Errors: 61}, Baseline: CountsStatus{Calls: 10_836, Errors: 12}}},
		Measures:  []Measure{{Name: "p99", Verdict: "pass", Detail: "412 ms, at most 500 ms"}, {Name: "Alarm/payments-errors", Alarm: true, Verdict: "fail", Detail: "it fires"}}}
}

func manyLooks(n int) []RolloutLook {
	var out []RolloutLook
	for i := range n {
		l := RolloutLook{At: noon.Add(time.Duration(i-n) * 30 * time.Second), RolloutStatus: moving()}
		l.Weight, l.Stage, l.Verdict, l.Reason = []int{1, 5, 10, 50}[i*4/n], i*4/n+1, []string{"undecided", "pass"}[i/3%2], "no evidence yet of no harm"
		l.Functions = []RolloutFunction{{Resource: longName, Stable: "41", New: "42", Canary: CountsStatus{Calls: int64(i * 30), Errors: int64(max(0, i*i/30-5))}, Baseline: CountsStatus{Calls: int64(i * 300), Errors: int64(i)}}}
		if i == n-1 {
			l.Verdict, l.Reason = "fail", "the new version fails more often than the one beside it (p = 0.002)"
		}
		out = append(out, l)
	}
	return out
}

func recorded(i int) string {
	line, err := json.Marshal(map[string]any{"decision_id": fmt.Sprint("dec_", i), "path": "policy/admission", "result": map[string]any{"outcome": []string{"deny", "allow", "hold", "error"}[i%4],
		"findings": []map[string]any{{"code": "cost.memory", "msg": "memorySize 3008 of a function that used 210 MB at most in 30 days; give the reason in metadata.annotations", "resource": longName}, {"code": "owner.missing", "msg": "no owner"}}}})
	if err != nil { // it is plain data
		panic(err)
	}
	return string(line)
}
