package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// handmade makes every kind with boto3, as people do.
func (a *account) handmade() {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), boto3Python(a.t), filepath.Join("testdata", "handmade.py"))
	cmd.Env = append(a.environment, "AWS_DEFAULT_REGION=eu-west-1", "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("handmade.py: %v\n%s", err, out)
	}
}

// imported are all the resources of an account made by hand.
var imported = []string{
	"Alarm/shop-rate", "Alarm/shop-worker errors", "Api/shop", "Bucket/shop-uploads", "Function/shop-plain", "Function/shop-worker",
	"Layer/shop-money", "LogGroup/aws/states/shop-fulfil", "LogGroup/shop/access", "Queue/jobs.fifo", "Queue/lonely", "Queue/shop-dead",
	"Queue/shop-orders", "Role/shop-runner", "Role/shop-scheduler", "Role/shop-worker", "Role/unused", "Rule/nightly", "Rule/paid",
	"Schedule/report", "Table/shop-orders", "Table/shop-stock", "Topic/jobs.fifo", "Topic/shop-alarms", "Topic/shop-news",
	"Workflow/shop-fulfil", "Workflow/shop-quick",
}

// TestImportOfEveryKind: everything of an account made by hand is declared as
// it lives, and taking it over changes nothing but tags.
func TestImportOfEveryKind(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.handmade()
	work := t.TempDir()
	dir, artifacts := filepath.Join(work, "shop"), filepath.Join(work, "code")
	out, code := a.mooring("import", "--to", dir, "--all", "--artifacts", "file:"+artifacts)
	if code != exitDone {
		t.Fatalf("import: exit %d: %s", code, out)
	}
	p := a.plan(dir, "--artifacts", artifacts)
	if p.Outcome != "in_sync" || len(p.Steps) > 0 || len(p.Holds) > 0 {
		t.Fatalf("the plan right after is not empty: %s %+v %+v", p.Outcome, p.Steps, p.Holds)
	}
	for _, ref := range imported {
		if !slices.Contains(p.Adopt, ref) && !strings.HasPrefix(ref, "Layer/") { // which takes no tags
			t.Errorf("%s is not adopted", ref)
		}
	}
	report, err := os.ReadFile(filepath.Join(dir, "IMPORT.md"))
	check(t, err)
	for _, want := range []string{
		"Api manual: its stage prod does not deploy by itself", "Bucket elsewhere: is in another region, us-west-2",
		"Bucket acme-tfstate: holds the state of a tool", "LogGroup /aws/lambda/gone: the log of a function that is no more",
		"Role AWSServiceRoleForSupport: linked to an AWS service", "Schedule once: it goes by itself", "Table terraform-lock: holds the locks",
		"Rule leaky: targets.q.input has the form of a secret", "a subscription by email waits for its confirmation",
		"Function aws-controltower-forwarder", "API_TOKEN",
	} {
		if !strings.Contains(string(report), want) {
			t.Errorf("IMPORT.md does not say %q", want)
		}
	}
	for name, all := range map[string][]string{
		"shop/shop-worker.yaml": {"topic: Topic/shop-news", "filterPolicy:", "bucket: Bucket/shop-uploads", "id: tf-s3-lambda-20260101", "api: Api/shop", "authorizer: people",
			"table: Table/shop-orders", "layers: [Layer/shop-money]", "retentionInDays: 14", "sourceArn: Rule/paid", "ORDERS_TABLE: {ref: Table/shop-orders, attribute: name}"},
		"shop/shop-plain.yaml":      {"permission: false", "tick:", "hourly:", "rate(5 minutes)"},
		"shop/workflows.yaml":       {"file: shop-fulfil.asl.json", "aliasDescription: what serves"},
		"shop/shop-fulfil.asl.json": {`"ref": "Function/shop-worker"`, `"attribute": "url"`},
		"shop/rules.yaml":           {"arn: Alias/shop-worker.live", "arn: Function/shop-plain", "arn: Queue/shop-orders"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		check(t, err)
		for _, want := range all {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %q:\n%s", name, want, text)
			}
		}
	}
	before := a.snapshot()
	if out, code := a.mooring("run", "--once", "--path", dir, "--artifacts", artifacts, "--state", filepath.Join(work, "state"), "--timeout", "1m"); code != exitDone {
		t.Fatalf("run --once: exit %d: %s", code, out)
	}
	if p := a.plan(dir, "--artifacts", artifacts); p.Outcome != "in_sync" || len(p.Adopt) > 0 {
		t.Errorf("after adoption: %s, still to adopt %v, steps %+v", p.Outcome, p.Adopt, p.Steps)
	}
	if diff := cmp.Diff(before, a.snapshot()); diff != "" {
		t.Errorf("adoption changed more than tags -before +after:\n%s", diff)
	}
}

// snapshot is everything that people set in the account, without tags.
func (a *account) snapshot() string {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), boto3Python(a.t), filepath.Join("testdata", "untagged.py"))
	cmd.Env = append(a.environment, "AWS_DEFAULT_REGION=eu-west-1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	check(a.t, err)
	return string(out)
}
