package aws

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/sources/manifest"
)

// hintRule is the pattern that docs/operations.md tells people to set up.
const hintRule = `{"detail-type":["AWS API Call via CloudTrail"],"detail":{"readOnly":[false],"errorCode":[{"exists":false}]}}`

// hinted is a settled shop whose changes are told by way of a queue.
func hinted(t *testing.T) (*boxed, []manifest.Resource, string) {
	t.Helper()
	b, all, _ := settled(t, sandbox.Options{}, func(o *Options) { o.HintQueue = "hints" })
	b.box.RegisterActor("AKIAALICE", wire.Actor{AccessKey: "AKIAALICE", Type: "AssumedRole", Name: "assumed-role/Admin/alice", ARN: "arn:aws:sts::" + testAccount + ":assumed-role/Admin/alice"})
	cfg := b.as("AKIAALICE")
	queue, err := sqs.NewFromConfig(cfg).CreateQueue(b.ctx, &sqs.CreateQueueInput{QueueName: awssdk.String("hints"), Attributes: eventsMaySend("hints")})
	if err != nil {
		t.Fatal(err)
	}
	bus := eventbridge.NewFromConfig(cfg)
	if _, err := bus.PutRule(b.ctx, &eventbridge.PutRuleInput{Name: awssdk.String("hints"), EventPattern: awssdk.String(hintRule)}); err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:sqs:" + testRegion + ":" + testAccount + ":hints"
	if _, err := bus.PutTargets(b.ctx, &eventbridge.PutTargetsInput{Rule: awssdk.String("hints"), Targets: []ebtypes.Target{{Id: awssdk.String("q"), Arn: &arn}}}); err != nil {
		t.Fatal(err)
	}
	b.survey(all)
	return b, all, *queue.QueueUrl
}

// eventsMaySend is a queue's policy that lets a rule of the default bus send.
func eventsMaySend(rule string) map[string]string {
	return map[string]string{"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*","Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:events:` + testRegion + `:` + testAccount + `:rule/` + rule + `"}}}]}`}
}

// hear takes what is told until there are some words of a resource.
func (w *world) hear(ref string) []providers.Actor {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	var actors []providers.Actor
	for len(actors) == 0 {
		hints, err := w.Hints(ctx)
		if err != nil {
			w.t.Fatalf("nothing was heard of %s: %v", ref, err)
		}
		for _, h := range hints {
			if slices.ContainsFunc(h.Refs, func(r manifest.Ref) bool { return r.String() == ref }) {
				actors = append(actors, h.Actor)
			}
		}
	}
	return actors
}

// TestHintsTellWhatToLookAt: a hand's change is heard with its actor, and one
// narrow look finds it, extras included, without a listing of everything.
func TestHintsTellWhatToLookAt(t *testing.T) {
	b, all, _ := hinted(t)
	fn := find(t, all, "Function/checkout")
	alice := lambda.NewFromConfig(b.as("AKIAALICE"))
	if _, err := alice.AddPermission(b.ctx, &lambda.AddPermissionInput{
		FunctionName: &fn.Physical, Qualifier: awssdk.String("live"), StatementId: awssdk.String("open"), Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("*"),
	}); err != nil {
		t.Fatal(err)
	}
	actors := b.hear("Function/checkout")
	if a := actors[0]; a.Name != "assumed-role/Admin/alice" || a.Event != "AddPermission" || a.RequestID == "" || a.At.IsZero() {
		t.Errorf("actor %+v", a)
	}
	if !b.Explains(actors[0], manifest.Ref{Kind: manifest.KindPermission, Name: "checkout.open"}, "") || b.Explains(actors[0], fn.Ref, "memorySize") {
		t.Error("who added a permission explains permissions and nothing else")
	}
	before := len(b.box.Calls(time.Time{}))
	inv, err := b.Examine(b.ctx, all, fn.Ref)
	if err != nil || len(inv.Errors) > 0 {
		t.Fatalf("examine: %v %v", err, inv.Errors)
	}
	if !slices.ContainsFunc(inv.Extras, func(x providers.Extra) bool { return x.Ref.String() == "Permission/checkout.open" && x.Open }) {
		t.Errorf("extras %+v", inv.Extras)
	}
	for ref := range inv.Live {
		if res := find(t, all, ref.String()); ref != fn.Ref && res.Parent != fn.Ref {
			t.Errorf("%s was looked at too", ref)
		}
	}
	calls := b.box.Calls(time.Time{})[before:]
	if len(calls) > 20 || slices.ContainsFunc(calls, func(c wire.Call) bool { return c.Operation == "ListFunctions" }) {
		t.Errorf("%d calls for one function", len(calls))
	}
}

// TestHintsMayBeAnything: garbage, forgeries, events of others, of reads and
// of refusals say nothing; a duplicate says it once; every environment of the
// account hears each.
func TestHintsMayBeAnything(t *testing.T) {
	b, all, url := hinted(t)
	fn := find(t, all, "Function/checkout")
	other, err := New(func() Options {
		o := b.o
		o.Environment = "other"
		return o
	}())
	if err != nil {
		t.Fatal(err)
	}
	other.memory.index([]manifest.Resource{fn})
	event := func(id, name, more string) string {
		return `{"detail-type":"AWS API Call via CloudTrail","detail":{"eventID":"` + id + `","eventName":"` + name + `","eventSource":"lambda.amazonaws.com",
			"eventTime":"2026-03-01T12:00:00Z","requestParameters":{"functionName":"` + fn.Physical + `"}` + more + `}}`
	}
	bodies := []string{
		"", "garbage", "[]", `{"detail":7}`, `{"detail":{"eventName":[]}}`, strings.Repeat("{", 5000),
		event("1", "UpdateFunctionConfiguration20150331v2", `,"errorCode":"AccessDenied"`),
		event("2", "GetFunction20150331v2", `,"readOnly":true`),
		event("3", "UpdateFunctionCode20150331v2", `,"recipientAccountId":"999999999999"`),
		event("4", "UpdateFunctionCode20150331v2", `,"eventTime":"never"`),
		event("5", "UpdateFunctionConfiguration20150331v2", ""),
		event("5", "UpdateFunctionConfiguration20150331v2", ""),
	}
	queue := sqs.NewFromConfig(b.as("AKIAALICE"))
	for len(bodies) > 0 {
		var entries []sqstypes.SendMessageBatchRequestEntry
		for i, body := range bodies[:min(len(bodies), 10)] {
			if body == "" {
				body = " "
			}
			entries = append(entries, sqstypes.SendMessageBatchRequestEntry{Id: awssdk.String(string(rune('a' + i))), MessageBody: awssdk.String(body)})
		}
		if out, err := queue.SendMessageBatch(b.ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries}); err != nil || len(out.Failed) > 0 {
			t.Fatal(err, out)
		}
		bodies = bodies[len(entries):]
	}
	heard := map[string]int{}
	for _, p := range []*Provider{b.Provider, other} {
		p.o.Hearing.ear(scopeOf(p.o) + " hints").join(p)
	}
	for _, p := range []*Provider{b.Provider, other} {
		for heard[p.o.Environment] < 2 {
			ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
			hints, err := p.Hints(ctx)
			cancel()
			if err != nil {
				t.Fatalf("%s heard %d: %v", p.o.Environment, heard[p.o.Environment], err)
			}
			for _, h := range hints {
				heard[p.o.Environment]++
				if h.Actor.Known == h.Actor.At.IsZero() {
					t.Errorf("an event without a time names somebody: %+v", h.Actor)
				}
			}
		}
	}
	if heard["preview"] != 2 || heard["other"] != 2 {
		t.Errorf("heard %v, want the one without a time and one of the two alike", heard)
	}
	left, err := queue.GetQueueAttributes(b.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil || left.Attributes["ApproximateNumberOfMessages"] != "0" || left.Attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Errorf("messages are left: %v, %v", left.Attributes, err)
	}
}

// TestHintsComeFromTheRegionTheQueueNames: two queues of one name, and the one
// whose ARN is given is heard and emptied; the other is left alone.
func TestHintsComeFromTheRegionTheQueueNames(t *testing.T) {
	arn := "arn:aws:sqs:us-east-1:" + testAccount + ":hints"
	b, all, _ := settled(t, sandbox.Options{}, func(o *Options) { o.HintQueue = arn })
	b.allow(t, Grants(rights.Scope{Region: testRegion, Account: testAccount}, Settings{HintQueue: arn}, rights.All()))
	b.survey(all)
	fn := find(t, all, "Function/checkout")
	urls := map[string]string{}
	queue := sqs.NewFromConfig(b.as("AKIAALICE"))
	in := func(region string) func(*sqs.Options) { return func(o *sqs.Options) { o.Region = region } }
	for region, event := range map[string]string{testRegion: "UpdateFunctionCode20150331v2", "us-east-1": "UpdateFunctionConfiguration20150331v2"} {
		made, err := queue.CreateQueue(b.ctx, &sqs.CreateQueueInput{QueueName: awssdk.String("hints")}, in(region))
		if err != nil {
			t.Fatal(err)
		}
		urls[region] = *made.QueueUrl
		body := `{"detail-type":"AWS API Call via CloudTrail","detail":{"eventID":"` + region + `","eventName":"` + event + `","eventSource":"lambda.amazonaws.com",
			"eventTime":"2026-03-01T12:00:00Z","requestParameters":{"functionName":"` + fn.Physical + `"}}}`
		if _, err := queue.SendMessage(b.ctx, &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: &body}, in(region)); err != nil {
			t.Fatal(err)
		}
	}
	if actors := b.hear("Function/checkout"); len(actors) != 1 || actors[0].Event != "UpdateFunctionConfiguration" {
		t.Errorf("heard of %+v", actors)
	}
	for region, want := range map[string]string{testRegion: "1", "us-east-1": "0"} {
		url := urls[region]
		left, err := queue.GetQueueAttributes(b.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}}, in(region))
		if err != nil || left.Attributes["ApproximateNumberOfMessages"] != want {
			t.Errorf("%s: %v left, want %s: %v", region, left.Attributes["ApproximateNumberOfMessages"], want, err)
		}
	}
}

// TestTheDoctorMayLookAtTheHintQueue: what the doctor reads of the queue is
// granted by the queue's own right, whether or not a queue is declared.
func TestTheDoctorMayLookAtTheHintQueue(t *testing.T) {
	b, _, _ := hinted(t)
	b.allow(t, Grants(rights.Scope{Region: testRegion, Account: testAccount, Prefix: "preview-", Resources: []manifest.Resource{}}, Settings{HintQueue: "hints"}, []rights.Capability{rights.Observe}))
	if q := b.Diagnose(b.ctx, nil).Hints.Queue; q.Err != nil || q.ARN == "" {
		t.Errorf("%+v", q)
	}
}

func TestHintsNeedAQueue(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	if _, err := b.Hints(b.ctx); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	o := b.o
	o.HintQueue = "arn:aws:sqs:" + testRegion + ":" + testAccount + ":nobody"
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Hints(b.ctx); err == nil {
		t.Error("a queue that is not there is heard")
	}
}

// FuzzTrailEvent: whatever a message says, it names few, short things, and
// only resources that were surveyed.
func FuzzTrailEvent(f *testing.F) {
	for _, seed := range []string{
		`{"detail":{"eventName":"UpdateFunctionCode20150331v2","eventSource":"lambda.amazonaws.com","requestParameters":{"functionName":"arn:aws:lambda:eu-west-1:1:function:preview-checkout:live"}}}`,
		`{"eventName":"SetQueueAttributes","eventSource":"sqs.amazonaws.com","requestParameters":{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/1/preview-orders"}}`,
		`{"eventName":"UpdateSecret","eventSource":"secretsmanager.amazonaws.com","responseElements":{"aRN":"arn:aws:secretsmanager:eu-west-1:1:secret:shop/stripe-AbCdEf"}}`,
		`{"eventName":"DeleteParameters","requestParameters":{"names":["/shop/rates",null,7]}}`,
		`{"detail":{"eventName":"x","requestParameters":[[[[]]]],"userIdentity":{"arn":":::::"}}}`,
	} {
		f.Add([]byte(seed))
	}
	p := &Provider{}
	p.memory.init()
	known := []manifest.Resource{
		{Ref: manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}, Physical: "preview-checkout"},
		{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "orders"}, Physical: "preview-orders"},
		{Ref: manifest.Ref{Kind: manifest.KindSecret, Name: "shop/stripe"}, Physical: "shop/stripe"},
		{Ref: manifest.Ref{Kind: manifest.KindParameter, Name: "/shop/rates"}, Physical: "/shop/rates"},
	}
	p.memory.index(known)
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, ok := readTrailEvent(body)
		if !ok {
			return
		}
		if !json.Valid(body) {
			t.Errorf("read what is no JSON: %q", body)
		}
		names := ev.names()
		if len(names) > namesOfEvent || slices.ContainsFunc(names, func(n string) bool { return len(n) > longestName }) {
			t.Errorf("%d names", len(names))
		}
		for _, h := range p.hintsOf([]trailEvent{ev}) {
			for _, ref := range h.Refs {
				if !slices.ContainsFunc(known, func(r manifest.Resource) bool { return r.Ref == ref }) {
					t.Errorf("%s was never surveyed", ref)
				}
			}
		}
	})
}

// TestNamesIn: the seeds of the fuzz target are understood, each as meant.
func TestNamesIn(t *testing.T) {
	for text, want := range map[string]string{
		"arn:aws:lambda:eu-west-1:1:function:preview-checkout:live": "preview-checkout",
		"preview-checkout:live":                                           "preview-checkout",
		"1:function:preview-checkout":                                     "preview-checkout",
		"https://sqs.eu-west-1.amazonaws.com/1/preview-orders":            "preview-orders",
		"arn:aws:secretsmanager:eu-west-1:1:secret:shop/stripe-AbCdEf":    "shop/stripe",
		"arn:aws:ssm:eu-west-1:1:parameter/shop/rates":                    "/shop/rates",
		"arn:aws:iam::1:role/service/preview-checkout":                    "preview-checkout",
		"arn:aws:states:eu-west-1:1:stateMachine:preview-fulfil":          "preview-fulfil",
		"arn:aws:events:eu-west-1:1:rule/preview-hourly":                  "preview-hourly",
		"arn:aws:sns:eu-west-1:1:preview-orders":                          "preview-orders",
		"arn:aws:logs:eu-west-1:1:log-group:/aws/lambda/preview-checkout": "preview-checkout",
	} {
		if got := namesIn(text); !slices.Contains(got, want) {
			t.Errorf("%s means %q, want %s among them", text, got, want)
		}
	}
}

// TestHintsTellOfMessaging: topics, their subscriptions, rules and schedules
// are looked at at once where a change of them is heard of.
func TestHintsTellOfMessaging(t *testing.T) {
	b, all := announced(t)
	for _, c := range []struct{ service, event, request, ref string }{
		{"sns", "SetTopicAttributes", `{"topicArn":"arn:aws:sns:eu-west-1:111111111111:preview-news"}`, "Topic/news"},
		{"sns", "SetSubscriptionAttributes", `{"subscriptionArn":"arn:aws:sns:eu-west-1:111111111111:preview-news:6b58a474-6c07-483d-8430-bbb9bcdf63ee"}`, "Subscription/news.orders"},
		{"events", "DisableRule", `{"name":"preview-paid"}`, "Rule/paid"},
		{"events", "PutTargets", `{"rule":"preview-paid"}`, "Rule/paid"},
		{"scheduler", "UpdateSchedule", `{"name":"preview-checkout-hourly","groupName":"default"}`, "Schedule/checkout.hourly"},
	} {
		ev, ok := readTrailEvent([]byte(`{"detail":{"eventSource":"` + c.service + `.amazonaws.com","eventName":"` + c.event + `","requestParameters":` + c.request + `}}`))
		if !ok {
			t.Fatal(c.event)
		}
		var refs []string
		for _, h := range b.hintsOf([]trailEvent{ev}) {
			for _, ref := range h.Refs {
				refs = append(refs, ref.String())
			}
		}
		if !slices.Contains(refs, c.ref) {
			t.Errorf("%s tells of %v, not of %s", c.event, refs, c.ref)
		}
	}
	arn := b.survey(all).Live[refOf(t, "Subscription/checkout.news")].Attributes["arn"]
	ev, _ := readTrailEvent([]byte(`{"detail":{"eventSource":"sns.amazonaws.com","eventName":"Unsubscribe","requestParameters":{"subscriptionArn":"` + arn + `"}}}`))
	hints := b.hintsOf([]trailEvent{ev})
	if len(hints) != 1 || !slices.Contains(hints[0].Refs, refOf(t, "Subscription/checkout.news")) {
		t.Errorf("a function's own subscription: %+v", hints)
	}
}
