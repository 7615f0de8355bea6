package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
)

// hearing is a function that writes down what it is told; it answers with the
// digest of its code.
func (f *sweepFiles) hearing(t testing.TB) (digest string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("main.py")
	check(t, err)
	_, err = w.Write([]byte("import json\ndef handle(event, context):\n    print('heard', json.dumps(event))\n"))
	check(t, err)
	check(t, z.Close())
	check(t, os.WriteFile(filepath.Join(f.dir, "hears.zip"), b.Bytes(), 0o644))
	return fmt.Sprintf("sha256:%x", sha256.Sum256(b.Bytes()))
}

// messagingTree declares a function with a trigger of each kind of messaging,
// or, without, alone.
func messagingTree(digest string, triggers bool) map[string]string {
	more := ""
	tree := map[string]string{"audit.yaml": `apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: audit}
spec: {policy: {Statement: [{Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: "sqs:SendMessage", Resource: "*"}]}}
`}
	if triggers {
		more = `  triggers:
    news: {topic: Topic/news, filterPolicy: {kind: [paid]}}
    paid: {rule: {eventPattern: {source: [shop]}, inputPath: $.detail}}
    soon: {schedule: {scheduleExpression: rate(1 hour), input: {by: clock}}}
`
		tree["news.yaml"] = `apiVersion: mooring.dev/v1
kind: Topic
metadata: {name: news}
spec: {subscriptions: {audit: {queue: Queue/audit, rawMessageDelivery: true}}}
`
	}
	tree["hears.yaml"] = fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Function
metadata: {name: hears}
spec:
  artifact: {uri: 'file:hears.zip', digest: '%s'}
  runtime: python3.12
  handler: main.handle
  role: {statements: []}
%s`, digest, more)
	tree["other.yaml"] = "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: other}\n"
	return tree
}

// TestMessagesReachAFunctionWhileDeclared: what the manifests declare really
// delivers, by topic, rule and schedule, through the alias; and when it is
// declared no more, it is taken apart and the rest stays.
func TestMessagesReachAFunctionWhileDeclared(t *testing.T) {
	sweepCredentials(t)
	r := newRig(t, newSweepFiles(t), &evaluators{made: map[string]policy.Evaluator{}})
	h := newPython(t, r.cloud, r.files)
	digest := r.files.hearing(t)
	r.push("main", map[string]string{"mooring.yaml": fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: %s
      provider: {aws: {region: eu-west-1, account: "111111111111", endpoint: "%s"}}
      rollout: {strategy: allAtOnce}
      drift: {interval: 1s}
`, sweepEnvironment, r.cloud.door.URL)})
	first := r.push(sweepBranch, messagingTree(digest, true))
	r.start()
	r.wait("first deployment", r.atRest(first, "in_sync"))
	for _, kind := range []string{"paid", "draft"} {
		h.do("sns", "publish", with{"TopicArn": "arn:aws:sns:eu-west-1:111111111111:production-news", "Message": kind,
			"MessageAttributes": with{"kind": with{"DataType": "String", "StringValue": kind}}})
	}
	h.do("events", "put_events", with{"Entries": []with{{"Source": "shop", "DetailType": "order", "Detail": `{"by":"bus"}`}}})
	r.cloud.Advance(time.Hour)
	r.wait("what the function hears", func() string {
		out, _, _ := h.try("logs", "filter_log_events", with{"logGroupName": "/aws/lambda/production-hears"})
		text, err := json.Marshal(out)
		check(t, err)
		for _, words := range []string{`\"Message\": \"paid\"`, `{\"by\": \"bus\"}`, `{\"by\": \"clock\"}`} {
			if !strings.Contains(strings.ReplaceAll(string(text), `\\`, `\`), words) {
				return "nothing of " + words + fmt.Sprintf(" in %.3000s", text)
			}
		}
		if strings.Contains(string(text), "draft") {
			return "what the filter keeps away"
		}
		return ""
	})
	got, _ := h.do("sqs", "receive_message", with{"QueueUrl": h.queue("production-audit"), "MaxNumberOfMessages": 10})["Messages"].([]any)
	if len(got) != 2 {
		t.Errorf("the topic's own subscription got %d messages, want both", len(got))
	}
	second := r.push(sweepBranch, messagingTree(digest, false))
	r.wait("what is not declared any more is gone", r.atRest(second, "in_sync"))
	for _, q := range []struct{ service, call, list string }{
		{"sns", "list_topics", "Topics"}, {"sns", "list_subscriptions", "Subscriptions"}, {"events", "list_rules", "Rules"}, {"scheduler", "list_schedules", "Schedules"},
	} {
		if left, _ := h.do(q.service, q.call, with{})[q.list].([]any); len(left) > 0 {
			t.Errorf("%s: %v are left", q.call, left)
		}
	}
	if _, code, _ := h.try("iam", "get_role", with{"RoleName": "production-hears-soon"}); code != "NoSuchEntity" {
		t.Errorf("the schedule's role: %q", code)
	}
	if _, code, _ := h.try("lambda", "get_policy", with{"FunctionName": "production-hears", "Qualifier": "live"}); code != "ResourceNotFoundException" {
		t.Errorf("the alias's permissions: %q", code)
	}
	h.do("lambda", "get_alias", with{"FunctionName": "production-hears", "Name": "live"})
}
