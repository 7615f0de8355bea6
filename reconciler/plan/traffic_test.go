package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"mooring.dev/sources/manifest"
)

// crowd is a function that is called in every way there is, beside one that
// is passed by.
const crowd = `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: busy}
spec:
  artifact: {uri: "file:busy.zip", digest: "sha256:5555555555555555555555555555555555555555555555555555555555555555"}
  runtime: provided.al2023
  handler: bootstrap
  role: {statements: []}
  ALIAS
  triggers:
    orders: {queue: Queue/orders}
    table: {table: Table/ledger, startingPosition: LATEST}
    windowed: {stream: "arn:aws:kinesis:eu-west-1:111111111111:stream/clicks", startingPosition: LATEST, tumblingWindowInSeconds: 60}
    news: {topic: Topic/news}
    paid: {rule: {eventPattern: {source: [shop]}}}
    hourly: {schedule: rate(1 hour)}
    upload: {bucket: Bucket/uploads, events: ["s3:ObjectCreated:*"]}
    open: {url: {authType: AWS_IAM}}
    web: {api: Api/shop, routes: [GET /orders]}
  permissions:
    partner: {principal: "222222222222"}
    sns: {principal: sns.amazonaws.com, sourceArn: "arn:aws:sns:eu-west-1:333333333333:theirs"}
    mail: {principal: ses.amazonaws.com}
    ours: {principal: events.amazonaws.com, sourceArn: {ref: Rule/refunds}}
---
apiVersion: mooring.dev/v1
kind: Topic
metadata: {name: news}
---
apiVersion: mooring.dev/v1
kind: Api
metadata: {name: shop}
---
apiVersion: mooring.dev/v1
kind: Bucket
metadata: {name: uploads}
---
apiVersion: mooring.dev/v1
kind: Table
metadata: {name: ledger}
spec: {billingMode: PAY_PER_REQUEST, attributeDefinitions: {id: S}, keySchema: {hash: id}, streamSpecification: {streamViewType: NEW_IMAGE}}
---
apiVersion: mooring.dev/v1
kind: Workflow
metadata: {name: fulfil}
spec:
  definition: {StartAt: Pack, States: {Pack: {Type: Task, Resource: {ref: TARGET}, End: true}}}
  role: {arn: "arn:aws:iam::111111111111:role/flow"}
---
apiVersion: mooring.dev/v1
kind: Rule
metadata: {name: refunds}
spec: {eventPattern: {source: [shop]}, targets: {busy: {arn: FRONT}}}
---
apiVersion: mooring.dev/v1
kind: Rule
metadata: {name: start}
spec: {eventPattern: {source: [shop]}, targets: {flow: {arn: WorkflowAlias/fulfil.live, roleArn: "arn:aws:iam::111111111111:role/flow"}}}
`

// crowded is a release with the crowd, by its alias or without.
func crowded(t *testing.T, alias bool) *manifest.Release {
	files := maps.Clone(base(t))
	words := []string{"  ALIAS\n", "", "TARGET", "Alias/busy.live", "FRONT", "Alias/busy.live"}
	if !alias {
		words = []string{"ALIAS", "alias: none", "TARGET", "Function/busy", "FRONT", "Function/busy"}
	}
	files["busy.yaml"] = strings.NewReplacer(words...).Replace(crowd)
	return render(t, files, "v2")
}

// Every way in is found once and told as the table has it; a permission of
// what is listed itself is not listed again.
func TestWaysToAFunction(t *testing.T) {
	busy, live := manifest.Ref{Kind: manifest.KindFunction, Name: "busy"}, manifest.Ref{Kind: manifest.KindAlias, Name: "busy.live"}
	want := map[string]Source{
		"Trigger/busy.orders": ofQueue, "Trigger/busy.table": ofStream, "Trigger/busy.windowed": ofWindow, "Subscription/busy.news": ofTopic,
		"Rule/busy.paid": ofRule, "Schedule/busy.hourly": ofSchedule, "Notification/busy.upload": ofBucket, "Route/busy.web": ofRoute, "Url/busy": ofURL,
		"Permission/busy.partner": ofPermission, "Permission/busy.mail": ofPermission, "Permission/busy.sns": ofPermission, "Rule/refunds": ofRule, "Workflow/fulfil": ofWorkflow,
	}
	got := map[string]Source{}
	for _, w := range waysTo(crowded(t, true), busy, live) {
		if !w.Weighted {
			t.Errorf("%s is not by weight", w.Ref)
		}
		i := slices.IndexFunc(Sources(), func(s Source) bool { return s.Divides == w.How && want[w.Ref.String()] == s })
		if i < 0 {
			t.Errorf("%s: %q", w.Ref, w.How)
			continue
		}
		if _, twice := got[w.Ref.String()]; twice {
			t.Errorf("%s is listed twice", w.Ref)
		}
		got[w.Ref.String()] = Sources()[i]
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	flow, front := manifest.Ref{Kind: manifest.KindWorkflow, Name: "fulfil"}, manifest.Ref{Kind: manifest.KindWorkflowAlias, Name: "fulfil.live"}
	starts := waysTo(crowded(t, true), flow, front)
	if len(starts) != 1 || starts[0].Ref.String() != "Rule/start" || !starts[0].Weighted || starts[0].How != ofStart.Divides {
		t.Errorf("executions start by %+v", starts)
	}
	without := waysTo(crowded(t, false), busy, manifest.Ref{})
	if len(without) != len(want) {
		t.Errorf("without an alias there are %d ways, not %d", len(without), len(want))
	}
	for _, w := range without {
		if w.Weighted || w.How != passedBy {
			t.Errorf("without an alias: %+v", w)
		}
	}
}

// What changes is told with its stages, or with the reason why there are none.
func TestTrafficOfAPlan(t *testing.T) {
	ladder := []manifest.Stage{{Weight: 10}, {Weight: 100}}
	told := func(in Input, stages []manifest.Stage) string {
		var b strings.Builder
		for _, s := range Traffic(in, Road(in), stages) {
			fmt.Fprintf(&b, "%s %d %s\n", s.Ref, len(s.Stages), s.Blind)
		}
		return b.String()
	}
	s := started(t)
	if got := told(s.input(), ladder); got != "" {
		t.Errorf("in force, and told: %s", got)
	}
	edit := func(file, from, to string) *manifest.Release {
		files := maps.Clone(base(t))
		if files[file] = strings.Replace(files[file], from, to, 1); files[file] == base(t)[file] {
			t.Fatalf("%s has no %q", file, from)
		}
		return render(t, files, "v2")
	}
	code := edit("checkout.yaml", "sha256:11", "sha256:44")
	for name, c := range map[string]struct {
		next   *manifest.Release
		stages []manifest.Stage
		want   string
	}{
		"code":   {code, ladder, "Function/checkout 2 \n"},
		"atOnce": {code, ladder[1:], "Function/checkout 0 it is to move at once\n"},
		"role":   {edit("mailer.yaml", "role/mailer", "role/other"), ladder, "Function/mailer 0 role changes of Function/mailer\n"},
		"alias":  {edit("mailer.yaml", "  handler", "  alias: none\n  handler"), ladder, ""},
		"queue":  {edit("queues.yaml", "visibilityTimeout: 60", "visibilityTimeout: 90"), ladder, ""},
		"new":    {crowded(t, true), ladder, "Function/busy 0 there is no version to compare it with\nWorkflow/fulfil 0 there is no version to compare it with\n"},
		"direct": {crowded(t, false), ladder, "Function/busy 0 callers use `$LATEST` (alias: none)\nWorkflow/fulfil 0 there is no version to compare it with\n"},
	} {
		if got := told(s.withTarget(c.next), c.stages); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
