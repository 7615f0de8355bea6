package sandbox_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
)

func lookup(t *testing.T, cfg aws.Config, key types.LookupAttributeKey, value string) []types.Event {
	t.Helper()
	out := must(cloudtrail.NewFromConfig(cfg).LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}},
	}))(t)
	return out.Events
}

func TestTheTrailSaysWhoChangedAFunction(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.RegisterActor("AKIAALICE", wire.Actor{Type: "AssumedRole", Name: "assumed-role/Admin/alice"})
	daemon := as(s, "daemon")
	newFunction(t, daemon, "checkout")
	out := must(lambda.NewFromConfig(as(s, "AKIAALICE")).UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("arn:aws:lambda:eu-west-1:111111111111:function:checkout"), MemorySize: aws.Int32(512),
		Environment: &lambdatypes.Environment{Variables: map[string]string{"TOKEN": "s3cr3t-two"}},
	}))(t)
	requestID, _ := middleware.GetRequestIDMetadata(out.ResultMetadata)

	events := lookup(t, daemon, types.LookupAttributeKeyResourceName, "checkout")
	names := []string{}
	for _, e := range events {
		names = append(names, *e.EventName+" by "+*e.Username)
	}
	if want := []string{"UpdateFunctionConfiguration20150331v2 by alice", "CreateFunction20150331 by daemon"}; !slices.Equal(names, want) {
		t.Fatalf("newest first: %v, want %v", names, want)
	}
	if strings.Contains(*events[0].CloudTrailEvent+*events[1].CloudTrailEvent, "s3cr3t") {
		t.Error("the trail holds an environment's values")
	}
	var record struct {
		RequestID, EventSource string
		ReadOnly               bool
		UserIdentity           struct {
			Type, ARN      string
			SessionContext struct{ SessionIssuer struct{ ARN string } }
		}
		RequestParameters struct {
			FunctionName string
			MemorySize   int
			Environment  map[string]any
		}
		ResponseElements struct{ RevisionID string }
	}
	if err := json.Unmarshal([]byte(*events[0].CloudTrailEvent), &record); err != nil {
		t.Fatal(err)
	}
	if record.RequestID != requestID || requestID == "" {
		t.Errorf("requestID is %q, the SDK saw %q", record.RequestID, requestID)
	}
	if record.ResponseElements.RevisionID != *out.RevisionId || record.RequestParameters.MemorySize != 512 || record.RequestParameters.Environment == nil {
		t.Errorf("elements: %+v", record)
	}
	if record.UserIdentity.Type != "AssumedRole" || record.UserIdentity.SessionContext.SessionIssuer.ARN != "arn:aws:iam::111111111111:role/Admin" {
		t.Errorf("identity: %+v", record.UserIdentity)
	}
}

func TestTheTrailPagesAndFilters(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	queues := sqs.NewFromConfig(cfg)
	for range 30 {
		must(queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders")}))(t)
		must(queues.ListQueues(t.Context(), nil))(t)
	}
	url := s.URL() + "/111111111111/orders"
	must(queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("a data event")}))(t)
	pages := cloudtrail.NewLookupEventsPaginator(cloudtrail.NewFromConfig(cfg), &cloudtrail.LookupEventsInput{})
	var sizes []int
	for pages.HasMorePages() {
		sizes = append(sizes, len(must(pages.NextPage(t.Context()))(t).Events))
	}
	if !slices.Equal(sizes, []int{50, 10}) { // 60, and not the first page's own call
		t.Errorf("pages of %v", sizes)
	}
	if n := len(lookup(t, cfg, types.LookupAttributeKeyReadOnly, "false")); n != 30 {
		t.Errorf("%d changes", n)
	}
	if n := len(lookup(t, cfg, types.LookupAttributeKeyEventName, "SendMessage")); n != 0 {
		t.Error("a data event is on the trail")
	}
}

func TestTheTrailMayLag(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }, TrailLag: 5 * time.Minute})
	cfg := as(s, "alice")
	newQueue(t, sqs.NewFromConfig(cfg), "orders", nil)
	if n := len(lookup(t, cfg, types.LookupAttributeKeyEventName, "CreateQueue")); n != 0 {
		t.Errorf("%d events at once", n)
	}
	s.Advance(5 * time.Minute)
	if n := len(lookup(t, cfg, types.LookupAttributeKeyEventName, "CreateQueue")); n != 1 {
		t.Errorf("%d events after the lag", n)
	}
}

func TestIAMsEventsAreInVirginia(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	newRole(t, cfg, "r", "AdministratorAccess")
	if n := len(lookup(t, cfg, types.LookupAttributeKeyEventName, "CreateRole")); n != 0 {
		t.Errorf("%d of them in %s", n, region)
	}
	cfg.Region = "us-east-1"
	if n := len(lookup(t, cfg, types.LookupAttributeKeyEventName, "CreateRole")); n != 1 {
		t.Errorf("%d of them in us-east-1", n)
	}
}

func TestRecordsHoldNoSecrets(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	newFunction(t, cfg, "f")
	must(secretsmanager.NewFromConfig(cfg).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("x"), SecretString: aws.String("s3cr3t")}))(t)
	queues := sqs.NewFromConfig(cfg)
	url, _ := newQueue(t, queues, "q", nil)
	must(queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("s3cr3t")}))(t)
	receive(t, queues, url)
	must(iam.NewFromConfig(cfg).ListRoles(t.Context(), nil))(t)
	raw := must(json.Marshal(s.Calls(time.Time{})))(t)
	if strings.Contains(string(raw), "s3cr3t") {
		t.Error("the record of calls holds a secret")
	}
	if !strings.Contains(string(raw), `"queueUrl"`) {
		t.Error("the record of calls holds no parameters")
	}
}

// hints is a queue that gets what the pattern matches.
func hints(t *testing.T, cfg aws.Config, pattern string) (*sqs.Client, string) {
	t.Helper()
	queues := sqs.NewFromConfig(cfg)
	url, arn := newQueue(t, queues, "hints", eventsMaySend("hints"))
	bus := eventbridge.NewFromConfig(cfg)
	must(bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("hints"), EventPattern: &pattern}))(t)
	out := must(bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("hints"), Targets: []ebtypes.Target{{Id: aws.String("q"), Arn: &arn}}}))(t)
	if out.FailedEntryCount != 0 {
		t.Fatalf("%+v", out.FailedEntries)
	}
	return queues, url
}

func TestChangesReachAQueueByEventBridge(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	queues, url := hints(t, cfg, `{"source":["aws.lambda"],"detail-type":["AWS API Call via CloudTrail"],
		"detail":{"eventName":[{"prefix":"UpdateFunction"}],"readOnly":[false],"errorCode":[{"exists":false}]}}`)
	c := newFunction(t, cfg, "checkout")
	must(c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("checkout"), Timeout: aws.Int32(9)}))(t)
	_, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("nobody"), Timeout: aws.Int32(9)})
	if err == nil {
		t.Fatal("an absent function was updated")
	}
	got := receive(t, queues, url)
	if len(got) != 1 {
		t.Fatalf("%d hints, want one: the creation does not match, the failure is excluded", len(got))
	}
	var event struct {
		DetailType string `json:"detail-type"`
		Detail     struct{ RequestParameters struct{ FunctionName string } }
	}
	if err := json.Unmarshal([]byte(*got[0].Body), &event); err != nil || event.Detail.RequestParameters.FunctionName != "checkout" {
		t.Errorf("%s, %v", *got[0].Body, err)
	}
}

func TestADisabledRuleIsSilentAndARuleWithTargetsStays(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	queues, url := hints(t, cfg, `{"source":["shop"]}`)
	bus := eventbridge.NewFromConfig(cfg)
	send := func() {
		must(bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{
			Source: aws.String("shop"), DetailType: aws.String("order"), Detail: aws.String(`{"n":1}`),
		}}}))(t)
	}
	send()
	must(bus.DisableRule(t.Context(), &eventbridge.DisableRuleInput{Name: aws.String("hints")}))(t)
	send()
	if n := len(receive(t, queues, url)); n != 1 {
		t.Errorf("%d events, one of them while the rule was disabled", n)
	}
	if _, err := bus.DeleteRule(t.Context(), &eventbridge.DeleteRuleInput{Name: aws.String("hints")}); codeOf(err) != "ValidationException" {
		t.Errorf("deleting a rule with targets: %v", err)
	}
	removed := must(bus.RemoveTargets(t.Context(), &eventbridge.RemoveTargetsInput{Rule: aws.String("hints"), Ids: []string{"q", "none"}}))(t)
	if removed.FailedEntryCount != 1 {
		t.Errorf("removing an absent target: %d failed", removed.FailedEntryCount)
	}
	must(bus.DeleteRule(t.Context(), &eventbridge.DeleteRuleInput{Name: aws.String("hints")}))(t)
}

func TestPutRuleReplacesWhatIsLeftOut(t *testing.T) {
	s := start(t, sandbox.Options{})
	bus := eventbridge.NewFromConfig(as(s, "alice"))
	put := func(in eventbridge.PutRuleInput) {
		in.Name = aws.String("hourly")
		must(bus.PutRule(t.Context(), &in))(t)
	}
	put(eventbridge.PutRuleInput{ScheduleExpression: aws.String("rate(1 hour)"), Description: aws.String("every hour")})
	put(eventbridge.PutRuleInput{ScheduleExpression: aws.String("rate(2 hours)")})
	out := must(bus.DescribeRule(t.Context(), &eventbridge.DescribeRuleInput{Name: aws.String("hourly")}))(t)
	if aws.ToString(out.Description) != "" || *out.ScheduleExpression != "rate(2 hours)" {
		t.Errorf("%s, %q", *out.ScheduleExpression, aws.ToString(out.Description))
	}
	if _, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("x"), ScheduleExpression: aws.String("rate(1 hours)")}); codeOf(err) != "ValidationException" {
		t.Errorf("rate(1 hours): %v", err)
	}
}

func TestARateScheduleFiresWhenItsTimeComes(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	queues, url := hints(t, cfg, `{"source":["nothing"]}`)
	must(eventbridge.NewFromConfig(cfg).PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("hints"), ScheduleExpression: aws.String("rate(1 hour)")}))(t)
	s.Advance(time.Hour)
	eventually(t, "a scheduled event", func() bool { return len(receive(t, queues, url)) == 1 })
}

func TestEventBridgeInvokesOnlyWithPermission(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c := newFunction(t, cfg, "f")
	bus := eventbridge.NewFromConfig(cfg)
	rule := must(bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":["shop"]}`)}))(t)
	must(bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("r"), Targets: []ebtypes.Target{
		{Id: aws.String("f"), Arn: aws.String("arn:aws:lambda:eu-west-1:111111111111:function:f")},
	}}))(t)
	send := func(detail string) {
		must(bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{
			Source: aws.String("shop"), DetailType: aws.String("order"), Detail: &detail,
		}}}))(t)
	}
	permit := func(sid string, source *string) {
		must(c.AddPermission(t.Context(), &lambda.AddPermissionInput{
			FunctionName: aws.String("f"), StatementId: &sid, Action: aws.String("lambda:InvokeFunction"),
			Principal: aws.String("events.amazonaws.com"), SourceArn: source,
		}))(t)
	}
	lines := func() string { _, text := admin(t, s, "GET", "logs?function=f", ""); return text }
	send(`{"order":"unpermitted"}`)
	permit("other", aws.String("arn:aws:events:eu-west-1:111111111111:rule/other"))
	send(`{"order":"for another rule"}`)
	permit("this", rule.RuleArn)
	send(`{"order":"permitted"}`)
	eventually(t, "the permitted event", func() bool { return strings.Contains(lines(), `\"permitted\"`) })
	if text := lines(); strings.Contains(text, "unpermitted") || strings.Contains(text, "another rule") {
		t.Errorf("invoked without permission: %s", text)
	}
}

func TestHintsAreLostDoubledAndLate(t *testing.T) {
	for name, c := range map[string]struct {
		effect sandbox.Effect
		want   int
	}{
		"lost":    {sandbox.Effect{Drop: true}, 0},
		"doubled": {sandbox.Effect{FailAfter: true}, 2},
		"late":    {sandbox.Effect{Latency: 30 * time.Millisecond}, 1},
	} {
		s := start(t, sandbox.Options{})
		cfg := as(s, "alice")
		queues, url := hints(t, cfg, `{"detail":{"eventName":["TagQueue"]}}`)
		rule(t, s, sandbox.Rule{Service: "delivery", Param: map[string]string{"Target": "*:hints"}, Times: 1, Effect: c.effect})
		tag := func() {
			must(queues.TagQueue(t.Context(), &sqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{"a": "b"}}))(t)
		}
		tag() // meets the rule
		tag() // does not, and arrives
		seen := 0
		eventually(t, name+" hints", func() bool { seen += len(receive(t, queues, url)); return seen >= c.want+1 })
		if seen != c.want+1 {
			t.Errorf("%s: %d hints of two changes, want %d", name, seen, c.want+1)
		}
	}
}

func TestRulesForCallsLeaveDeliveriesAlone(t *testing.T) {
	s := start(t, sandbox.Options{})
	queues, url := hints(t, as(s, "alice"), `{"detail":{"eventName":["TagQueue"]}}`)
	rule(t, s, sandbox.Rule{Effect: sandbox.Effect{FailAfter: true}})
	if _, err := queues.TagQueue(t.Context(), &sqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{"a": "b"}}); err == nil {
		t.Fatal("the reply was not lost")
	}
	s.Faults.Clear()
	if n := len(receive(t, queues, url)); n != 1 {
		t.Errorf("%d hints", n)
	}
}

// TestEventsNeedATrailThatLogs: the bus hears of changes only while a trail
// takes them, and says so in the answers a client asks for.
func TestEventsNeedATrailThatLogs(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "AKIAALICE")
	trails, bus, queues := cloudtrail.NewFromConfig(cfg), eventbridge.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	url := must(queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("hints"), Attributes: eventsMaySend("hints")}))(t).QueueUrl
	must(bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("hints"), EventPattern: aws.String(`{"source":["aws.sqs"]}`)}))(t)
	must(bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("hints"), Targets: []ebtypes.Target{{Id: aws.String("q"), Arn: aws.String("arn:aws:sqs:eu-west-1:111111111111:hints")}}}))(t)
	heard := func() int {
		must(queues.TagQueue(t.Context(), &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"a": "b"}}))(t)
		return len(must(queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url}))(t).Messages)
	}
	first := must(trails.DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{}))(t).TrailList
	if len(first) != 1 || aws.ToString(first[0].HomeRegion) != "eu-west-1" {
		t.Fatalf("trails %+v", first)
	}
	logging := func() bool {
		return aws.ToBool(must(trails.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: first[0].TrailARN}))(t).IsLogging)
	}
	if !logging() || heard() != 1 {
		t.Error("a new account's trail does not tell the bus")
	}
	must(trails.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: first[0].Name}))(t)
	if logging() || heard() != 0 {
		t.Error("the bus hears of changes though no trail logs")
	}
	must(trails.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: first[0].Name}))(t)
	must(trails.PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: first[0].Name, EventSelectors: []types.EventSelector{{ReadWriteType: types.ReadWriteTypeReadOnly}}}))(t)
	if heard() != 0 {
		t.Error("the bus hears of changes though the trail takes reads only")
	}
	must(trails.DeleteTrail(t.Context(), &cloudtrail.DeleteTrailInput{Name: first[0].Name}))(t)
	if _, err := trails.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: first[0].Name}); err == nil || heard() != 0 {
		t.Error("a trail that was deleted is there")
	}
	must(trails.CreateTrail(t.Context(), &cloudtrail.CreateTrailInput{Name: aws.String("ours"), S3BucketName: aws.String("logs")}))(t)
	if heard() != 0 {
		t.Error("a trail that was not started logs")
	}
	must(trails.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("ours")}))(t)
	if heard() != 1 {
		t.Error("a trail of ours does not tell the bus")
	}
}
