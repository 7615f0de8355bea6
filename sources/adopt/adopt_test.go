package adopt

import (
	"slices"
	"strings"
	"testing"

	"mooring.dev/sources/manifest"
)

const queueARN = "arn:aws:sqs:eu-west-1:111111111111:"

func queue(name string, more ...func(*manifest.Draft)) manifest.Draft {
	d := manifest.Draft{Kind: manifest.KindQueue, Name: name, Physical: name, Adopt: true, Addresses: map[string]string{"arn": queueARN + name}}
	for _, change := range more {
		change(&d)
	}
	return d
}

func made(tool, stack string) func(*manifest.Draft) {
	return func(d *manifest.Draft) { d.Tool, d.Group = tool, stack }
}

// TestOtherToolsAreToStop: what another tool manages is listed by tool and
// stack, with how that tool lets go.
func TestOtherToolsAreToStop(t *testing.T) {
	r, err := Compose(Found{Drafts: []manifest.Draft{
		queue("a", made("cloudformation", "shop-prod")), queue("b", made("cloudformation", "shop-prod")), queue("c", made("cdk", "mail")),
		queue("d", made("terraform", "")), queue("e"),
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	report := string(r.Files[ReportFile])
	for _, want := range []string{
		"- cloudformation shop-prod: Queue/a, Queue/b: set `DeletionPolicy: Retain`", "- cdk mail: Queue/c: set `RemovalPolicy.RETAIN`",
		"- terraform: Queue/d: take them out of the state",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("IMPORT.md does not say %q:\n%s", want, report)
		}
	}
	if strings.Contains(report, "Queue/e") || len(r.Tools) != 3 {
		t.Errorf("what no tool made is listed: %+v", r.Tools)
	}
	for _, at := range []string{"shop-prod/queues.yaml", "mail/queues.yaml"} {
		if r.Files[at] == nil {
			t.Errorf("a stack has no folder: %v", r.paths())
		}
	}
}

// TestSecretsOfOtherKinds: what holds a secret and cannot refer to one is left
// out whole, except for the subscription or trigger that holds it.
func TestSecretsOfOtherKinds(t *testing.T) {
	secret := "sk_live_51H8example0secret"
	rule := manifest.Draft{Kind: manifest.KindRule, Name: "r", Spec: map[string]any{"scheduleExpression": "rate(1 day)", "targets": map[string]any{
		"q": map[string]any{"arn": queueARN + "q", "input": map[string]any{"deep": []any{map[string]any{"password": "hunter2hunter2"}}}}}}}
	topic := manifest.Draft{Kind: manifest.KindTopic, Name: "t", Spec: map[string]any{"subscriptions": map[string]any{
		"hook": map[string]any{"protocol": "https", "endpoint": "https://user:" + secret + "@hooks.example"},
		"q":    map[string]any{"queue": queueARN + "q"}}}}
	r, err := Compose(Found{Drafts: []manifest.Draft{rule, topic}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Resources, []string{"Topic/t"}) {
		t.Errorf("declared: %v", r.Resources)
	}
	all := ""
	for _, at := range r.paths() {
		all += string(r.Files[at])
	}
	if strings.Contains(all, secret) || strings.Contains(all, "hunter2hunter2") {
		t.Errorf("a secret is written down:\n%s", all)
	}
	for _, want := range []string{"Rule r: targets.q.input has the form of a secret", "Topic/t: subscriptions.hook holds what has the form of a secret", "queue: arn:aws:sqs"} {
		if !strings.Contains(all, want) {
			t.Errorf("does not say %q:\n%s", want, all)
		}
	}
}

// TestReferencesMakeNoCircle: a function that starts the workflow which calls
// it, and whose role may do so, names it by its ARN.
func TestReferencesMakeNoCircle(t *testing.T) {
	machine, fn := "arn:aws:states:eu-west-1:111111111111:stateMachine:flow", "arn:aws:lambda:eu-west-1:111111111111:function:work"
	role := "arn:aws:iam::111111111111:role/work"
	r, err := Compose(Found{Drafts: []manifest.Draft{
		{Kind: manifest.KindFunction, Name: "work", Physical: "work", Addresses: map[string]string{"arn": fn, "alias": fn + ":live"}, Spec: map[string]any{
			"runtime": "python3.13", "handler": "a.b", "artifact": map[string]any{"unmanaged": true}, "role": map[string]any{"arn": role},
			"alias": "live", "environment": map[string]any{"FLOW": machine, "QUEUE": queueARN + "q"}}},
		{Kind: manifest.KindRole, Name: "work", Physical: "work", Addresses: map[string]string{"arn": role}, Spec: map[string]any{
			"statements": []any{map[string]any{"Effect": "Allow", "Action": "states:StartExecution", "Resource": machine}}}},
		{Kind: manifest.KindWorkflow, Name: "flow", Physical: "flow", Beside: "asl.json", Addresses: map[string]string{"arn": machine}, Spec: map[string]any{
			"role": map[string]any{"arn": role}, "alias": "none", "definition": map[string]any{"StartAt": "A", "States": map[string]any{
				"A": map[string]any{"Type": "Task", "Resource": fn + ":live", "ResultPath": nil, "End": true}}}}},
		queue("q"),
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Resources) != 4 {
		t.Fatalf("declared: %v, skipped %+v", r.Resources, r.Skipped)
	}
	text := func(at string) string { return string(r.Files[at]) }
	for at, want := range map[string]string{
		"services/work.yaml": "FLOW: " + machine, "services/flow.asl.json": `"ref": "Function/work"`, "services/workflows.yaml": "role: {ref: Role/work}",
	} {
		if !strings.Contains(text(at), want) {
			t.Errorf("%s does not say %s; files %v:\n%s", at, want, r.paths(), text(at))
		}
	}
	if !strings.Contains(text("services/work.yaml"), "QUEUE: {ref: Queue/q}") || !strings.Contains(text("services/flow.asl.json"), `"ResultPath": null`) {
		t.Errorf("a reference or a null is lost:\n%s%s", text("services/work.yaml"), text("services/flow.asl.json"))
	}
}
