package lambda_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

const (
	orders = "arn:aws:sqs:eu-west-1:111122223333:orders"
	dead   = "arn:aws:sqs:eu-west-1:111122223333:orders-dlq"
)

func (w *world) mapped(function string, change func(*awslambda.CreateEventSourceMappingInput)) *awslambda.CreateEventSourceMappingOutput {
	w.t.Helper()
	in := &awslambda.CreateEventSourceMappingInput{EventSourceArn: aws.String(orders), FunctionName: &function}
	if change != nil {
		change(in)
	}
	return must(w.CreateEventSourceMapping(w.ctx, in))
}

func (w *world) mapping(uuid *string) *awslambda.GetEventSourceMappingOutput {
	w.t.Helper()
	return must(w.GetEventSourceMapping(w.ctx, &awslambda.GetEventSourceMappingInput{UUID: uuid}))
}

func TestMappingPassesThroughItsStates(t *testing.T) {
	w := newWorld(t, withQueues(newQueues(orders)))
	w.ready("f")
	m := w.mapped("f", nil)
	if *m.State != "Creating" || *m.StateTransitionReason != "USER_INITIATED" || *m.BatchSize != 10 || *m.MaximumBatchingWindowInSeconds != 0 {
		t.Errorf("made: %s %s %d", *m.State, *m.StateTransitionReason, *m.BatchSize)
	}
	_, err := w.UpdateEventSourceMapping(w.ctx, &awslambda.UpdateEventSourceMappingInput{UUID: m.UUID, BatchSize: aws.Int32(5)})
	refuse(t, err, "ResourceInUseException", 400)
	_, err = w.DeleteEventSourceMapping(w.ctx, &awslambda.DeleteEventSourceMappingInput{UUID: m.UUID})
	refuse(t, err, "ResourceInUseException", 400)
	w.settle()
	if s := *w.mapping(m.UUID).State; s != "Enabled" {
		t.Errorf("then %s", s)
	}
	for _, step := range []struct {
		in           awslambda.UpdateEventSourceMappingInput
		during, then string
	}{
		{awslambda.UpdateEventSourceMappingInput{Enabled: aws.Bool(false)}, "Disabling", "Disabled"},
		{awslambda.UpdateEventSourceMappingInput{BatchSize: aws.Int32(5)}, "Updating", "Disabled"},
		{awslambda.UpdateEventSourceMappingInput{Enabled: aws.Bool(true)}, "Enabling", "Enabled"},
	} {
		step.in.UUID = m.UUID
		during := *must(w.UpdateEventSourceMapping(w.ctx, &step.in)).State
		w.settle()
		if then := *w.mapping(m.UUID).State; during != step.during || then != step.then {
			t.Errorf("%s then %s, want %s then %s", during, then, step.during, step.then)
		}
	}
	if gone := must(w.DeleteEventSourceMapping(w.ctx, &awslambda.DeleteEventSourceMappingInput{UUID: m.UUID})); *gone.State != "Deleting" {
		t.Errorf("deleted: %s", *gone.State)
	}
	w.settle()
	_, err = w.GetEventSourceMapping(w.ctx, &awslambda.GetEventSourceMappingInput{UUID: m.UUID})
	refuse(t, err, "ResourceNotFoundException", 404)
	_, err = w.DeleteEventSourceMapping(w.ctx, &awslambda.DeleteEventSourceMappingInput{UUID: m.UUID})
	refuse(t, err, "ResourceNotFoundException", 404)
	_, err = w.UpdateEventSourceMapping(w.ctx, &awslambda.UpdateEventSourceMappingInput{UUID: m.UUID})
	refuse(t, err, "ResourceNotFoundException", 404)
}

func TestMappingKeepsItsAlias(t *testing.T) {
	w := newWorld(t, instantly, withQueues(newQueues(orders)))
	twoVersions(w)
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	m := w.mapped("f:live", func(in *awslambda.CreateEventSourceMappingInput) { in.Enabled = aws.Bool(false) })
	must(w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("2")}))
	if arn := *w.mapping(m.UUID).FunctionArn; arn != "arn:aws:lambda:eu-west-1:111122223333:function:f:live" {
		t.Errorf("the mapping names %s", arn)
	}
	list := func(name string) int {
		return len(must(w.ListEventSourceMappings(w.ctx, &awslambda.ListEventSourceMappingsInput{FunctionName: &name})).EventSourceMappings)
	}
	if list("f:live") != 1 || list("arn:aws:lambda:eu-west-1:111122223333:function:f:live") != 1 || list("f") != 0 {
		t.Errorf("by alias %d, by ARN %d, by function %d", list("f:live"), list("arn:aws:lambda:eu-west-1:111122223333:function:f:live"), list("f"))
	}
	// The unqualified function is another one.
	other := w.mapped("f", func(in *awslambda.CreateEventSourceMappingInput) { in.Enabled = aws.Bool(false) })
	_, err := w.UpdateEventSourceMapping(w.ctx, &awslambda.UpdateEventSourceMappingInput{UUID: other.UUID, FunctionName: aws.String("f:live")})
	refuse(t, err, "ResourceConflictException", 409)
}

func TestDuplicateMappingIsRefusedWithTheUUID(t *testing.T) {
	w := newWorld(t, instantly, withQueues(newQueues(orders)))
	w.ready("f")
	m := w.mapped("f", nil)
	_, err := w.CreateEventSourceMapping(w.ctx, &awslambda.CreateEventSourceMappingInput{EventSourceArn: aws.String(orders), FunctionName: aws.String("f")})
	refuse(t, err, "ResourceConflictException", 409)
	if !strings.Contains(err.Error(), *m.UUID) {
		t.Errorf("adoption needs the UUID: %v", err)
	}
}

func TestMappingRules(t *testing.T) {
	q := newQueues(orders)
	w := newWorld(t, instantly, withQueues(q))
	w.make("slow", python(t, echo), func(in *awslambda.CreateFunctionInput) { in.Timeout = aws.Int32(60) })
	w.ready("f")
	for name, c := range map[string]struct {
		function, code string
		change         func(*awslambda.CreateEventSourceMappingInput)
	}{
		"visibility below the timeout": {"slow", "InvalidParameterValueException", nil},
		"no such queue":                {"f", "InvalidParameterValueException", func(in *awslambda.CreateEventSourceMappingInput) { in.EventSourceArn = aws.String(orders + "-gone") }},
		"no such function":             {"g", "InvalidParameterValueException", nil},
		"a batch of 11 and no window":  {"f", "InvalidParameterValueException", func(in *awslambda.CreateEventSourceMappingInput) { in.BatchSize = aws.Int32(11) }},
		"a batch of 10001":             {"f", "ValidationException", func(in *awslambda.CreateEventSourceMappingInput) { in.BatchSize = aws.Int32(10001) }},
		"a concurrency of 1": {"f", "ValidationException", func(in *awslambda.CreateEventSourceMappingInput) {
			in.ScalingConfig = &types.ScalingConfig{MaximumConcurrency: aws.Int32(1)}
		}},
		"a filter that is not JSON":      {"f", "InvalidParameterValueException", filtered("nonsense")},
		"a filter operator nobody knows": {"f", "InvalidParameterValueException", filtered(`{"body": {"a": [{"wildcard": "x*"}]}}`)},
		"a source nobody knows":          {"f", "InvalidParameterValueException", func(in *awslambda.CreateEventSourceMappingInput) { in.EventSourceArn = aws.String("arn:aws:s3:::b") }},
	} {
		t.Run(name, func(t *testing.T) {
			in := &awslambda.CreateEventSourceMappingInput{EventSourceArn: aws.String(orders), FunctionName: &c.function}
			if c.change != nil {
				c.change(in)
			}
			_, err := w.CreateEventSourceMapping(w.ctx, in)
			refuse(t, err, c.code, 400)
		})
	}
}

func filtered(pattern string) func(*awslambda.CreateEventSourceMappingInput) {
	return func(in *awslambda.CreateEventSourceMappingInput) {
		in.FilterCriteria = &types.FilterCriteria{Filters: []types.Filter{{Pattern: &pattern}}}
	}
}

func TestMappingNeedsARoleThatMayReceive(t *testing.T) {
	q := newQueues(orders)
	w := newWorld(t, instantly, withQueues(q), withRoles(roles{role: {"logs:PutLogEvents"}, role + "-queue": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}}))
	w.ready("f")
	_, err := w.CreateEventSourceMapping(w.ctx, &awslambda.CreateEventSourceMappingInput{EventSourceArn: aws.String(orders), FunctionName: aws.String("f")})
	refuse(t, err, "InvalidParameterValueException", 400)
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Role: aws.String(role + "-queue")}))
	w.mapped("f", nil)
}

func TestEmptyFilterAndScalingClear(t *testing.T) {
	w := newWorld(t, instantly, withQueues(newQueues(orders)))
	w.ready("f")
	m := w.mapped("f", func(in *awslambda.CreateEventSourceMappingInput) {
		filtered(`{"body": {"a": ["x"]}}`)(in)
		in.ScalingConfig = &types.ScalingConfig{MaximumConcurrency: aws.Int32(2)}
		in.FunctionResponseTypes = []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures}
	})
	must(w.UpdateEventSourceMapping(w.ctx, &awslambda.UpdateEventSourceMappingInput{UUID: m.UUID, BatchSize: aws.Int32(5)}))
	if got := w.mapping(m.UUID); got.FilterCriteria == nil || got.ScalingConfig == nil || len(got.FunctionResponseTypes) != 1 {
		t.Error("what was not said was not kept")
	}
	must(w.UpdateEventSourceMapping(w.ctx, &awslambda.UpdateEventSourceMappingInput{UUID: m.UUID, FilterCriteria: &types.FilterCriteria{}, ScalingConfig: &types.ScalingConfig{},
		FunctionResponseTypes: []types.FunctionResponseType{}}))
	if got := w.mapping(m.UUID); got.FilterCriteria != nil || got.ScalingConfig != nil || len(got.FunctionResponseTypes) != 0 {
		t.Error("what was sent empty was not cleared")
	}
}

func TestMappingOutlivesItsFunctionAndTakesTags(t *testing.T) {
	w := newWorld(t, instantly, withQueues(newQueues(orders)))
	w.ready("f")
	m := w.mapped("f", func(in *awslambda.CreateEventSourceMappingInput) {
		in.Tags = map[string]string{"a": "1"}
		in.Enabled = aws.Bool(false)
	})
	must(w.TagResource(w.ctx, &awslambda.TagResourceInput{Resource: m.EventSourceMappingArn, Tags: map[string]string{"b": "2"}}))
	if d := cmp.Diff(map[string]string{"a": "1", "b": "2"}, must(w.ListTags(w.ctx, &awslambda.ListTagsInput{Resource: m.EventSourceMappingArn})).Tags); d != "" {
		t.Error(d)
	}
	must(w.DeleteFunction(w.ctx, &awslambda.DeleteFunctionInput{FunctionName: aws.String("f")}))
	if got := w.mapping(m.UUID); *got.State != "Disabled" {
		t.Errorf("the mapping is %s", *got.State)
	}
}

func TestListMappingsPagesBy100(t *testing.T) {
	var arns []string
	for i := range 250 {
		arns = append(arns, fmt.Sprintf("%s-%d", orders, i))
	}
	w := newWorld(t, instantly, withQueues(newQueues(arns...)))
	w.ready("f")
	for _, arn := range arns {
		w.mapped("f", func(in *awslambda.CreateEventSourceMappingInput) {
			in.EventSourceArn = &arn
			in.Enabled = aws.Bool(false)
		})
	}
	var sizes []int
	for p := awslambda.NewListEventSourceMappingsPaginator(w.Client, &awslambda.ListEventSourceMappingsInput{MaxItems: aws.Int32(1000)}); p.HasMorePages(); {
		sizes = append(sizes, len(must(p.NextPage(w.ctx)).EventSourceMappings))
	}
	if d := cmp.Diff([]int{100, 100, 50}, sizes); d != "" {
		t.Error(d)
	}
	one := must(w.ListEventSourceMappings(w.ctx, &awslambda.ListEventSourceMappingsInput{EventSourceArn: &arns[7]}))
	if len(one.EventSourceMappings) != 1 {
		t.Errorf("%d mappings of one source", len(one.EventSourceMappings))
	}
}

func TestStreamMappingsGetTheirDefaults(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	stream := aws.String("arn:aws:kinesis:eu-west-1:111122223333:stream/s")
	_, err := w.CreateEventSourceMapping(w.ctx, &awslambda.CreateEventSourceMappingInput{EventSourceArn: stream, FunctionName: aws.String("f")})
	refuse(t, err, "InvalidParameterValueException", 400)
	m := must(w.CreateEventSourceMapping(w.ctx, &awslambda.CreateEventSourceMappingInput{EventSourceArn: stream, FunctionName: aws.String("f"), StartingPosition: types.EventSourcePositionLatest}))
	if *m.BatchSize != 100 || *m.MaximumRecordAgeInSeconds != -1 || *m.MaximumRetryAttempts != -1 || *m.ParallelizationFactor != 1 || m.StartingPosition != types.EventSourcePositionLatest {
		t.Errorf("%+v", m)
	}
}

const collect = `
import json
def handler(event, context):
    bodies = [r["body"] for r in event["Records"]]
    print("BATCH", json.dumps(bodies), event["Records"][0]["eventSourceARN"], context.function_version)
    failed = [r["messageId"] for r in event["Records"] if r["body"].startswith("bad")]
    if "boom" in bodies:
        raise Exception("boom")
    return {"batchItemFailures": [{"itemIdentifier": i} for i in failed]}
`

func TestMappingPollsInvokesAndDeletes(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders)
	w := newWorld(t, withQueues(q))
	w.make("f", python(t, collect), nil)
	w.settle()
	q.send(t, orders, "one", "two", "three")
	m := w.mapped("f", nil)
	if ready, _, _ := q.counts(orders); ready != 3 {
		t.Error("a mapping that is still being created took messages")
	}
	w.settle()
	await(t, func() bool { _, _, deleted := q.counts(orders); return deleted == 3 })
	if log := fmt.Sprint(w.service.Logs("f")); !strings.Contains(log, `BATCH ["one", "two", "three"] `+orders+" $LATEST") {
		t.Errorf("the function saw %s", log)
	}
	must(w.UpdateEventSourceMapping(w.ctx, &awslambda.UpdateEventSourceMappingInput{UUID: m.UUID, Enabled: aws.Bool(false)}))
	w.settle()
	q.send(t, orders, "later")
	must(w.UpdateEventSourceMapping(w.ctx, &awslambda.UpdateEventSourceMappingInput{UUID: m.UUID, Enabled: aws.Bool(true)}))
	if ready, _, deleted := q.counts(orders); ready != 1 || deleted != 3 {
		t.Errorf("a disabled mapping took messages: %d ready, %d deleted", ready, deleted)
	}
	w.settle()
	await(t, func() bool { _, _, deleted := q.counts(orders); return deleted == 4 })
}

func TestFailedBatchStaysAndReportedItemsStay(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders)
	w := newWorld(t, instantly, withQueues(q))
	w.make("f", python(t, collect), nil)
	q.send(t, orders, "good-1", "bad-1", "good-2")
	w.mapped("f", func(in *awslambda.CreateEventSourceMappingInput) {
		in.FunctionResponseTypes = []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures}
	})
	await(t, func() bool { _, flight, deleted := q.counts(orders); return deleted == 2 && flight == 1 })
	if d := cmp.Diff([]string{"good-1", "good-2"}, q.removed(orders)); d != "" {
		t.Error(d)
	}
	q.send(t, orders, "boom")
	await(t, func() bool { return strings.Contains(fmt.Sprint(w.service.Logs("f")), "Exception: boom") })
	q.send(t, orders, "after")
	await(t, func() bool { _, _, deleted := q.counts(orders); return deleted == 3 })
	if _, flight, _ := q.counts(orders); flight != 2 {
		t.Errorf("%d messages stayed, want the reported one and the failed batch", flight)
	}
}

func TestFiltersDropWhatDoesNotMatch(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders)
	w := newWorld(t, instantly, withQueues(q))
	w.make("f", python(t, collect), nil)
	w.mapped("f", func(in *awslambda.CreateEventSourceMappingInput) {
		filtered(`{"body": {"kind": [{"prefix": "order"}], "total": [{"numeric": [">", 10, "<=", 20]}], "test": [{"exists": false}]}}`)(in)
		in.BatchSize, in.MaximumBatchingWindowInSeconds = aws.Int32(6), aws.Int32(1)
	})
	q.send(t, orders, `{"kind": "order.new", "total": 15}`, `{"kind": "order.new", "total": 25}`, `{"kind": "refund", "total": 15}`,
		`{"kind": "order.new", "total": 15, "test": true}`, `plain`, `{"kind": "order.old", "total": 20}`)
	await(t, func() bool { _, _, deleted := q.counts(orders); return deleted == 6 })
	log := w.printed("f", "BATCH")
	if strings.Contains(log, "refund") || strings.Contains(log, "25") || strings.Contains(log, "plain") || strings.Contains(log, "test") ||
		!strings.Contains(log, "order.new") || !strings.Contains(log, "order.old") {
		t.Errorf("the function saw %s", log)
	}
}

func TestMappingOnAnAliasRunsTheVersionTheAliasNames(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders)
	m := &metrics{}
	w := newWorld(t, instantly, withQueues(q), withMetrics(m))
	w.make("f", python(t, collect), func(in *awslambda.CreateFunctionInput) { in.Publish = true })
	w.published("f", "two")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	w.mapped("f:live", nil)
	for i, version := range []string{"1", "2"} {
		must(w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: &version}))
		q.send(t, orders, version)
		await(t, func() bool { _, _, deleted := q.counts(orders); return deleted == i+1 })
		if n, _ := m.sum("Invocations", map[string]string{"FunctionName": "f", "Resource": "f:live", "ExecutedVersion": version}); n != 1 {
			t.Errorf("version %s ran %v times", version, n)
		}
	}
}

func TestLambdaDisablesAMappingWhoseQueueIsGone(t *testing.T) {
	q := newQueues(orders)
	w := newWorld(t, instantly, withQueues(q))
	w.ready("f")
	m := w.mapped("f", nil)
	q.gone(orders)
	await(t, func() bool { return *w.mapping(m.UUID).State == "Disabled" })
	if r := *w.mapping(m.UUID).StateTransitionReason; r == "USER_INITIATED" {
		t.Errorf("the reason is %s: no user did it", r)
	}
}

func TestBatchingWindowGathers(t *testing.T) {
	needs(t, "python3")
	q := newQueues(orders)
	w := newWorld(t, instantly, withQueues(q))
	w.make("f", python(t, collect), nil)
	w.mapped("f", func(in *awslambda.CreateEventSourceMappingInput) {
		in.BatchSize, in.MaximumBatchingWindowInSeconds = aws.Int32(25), aws.Int32(60)
	})
	for i := range 25 { // the batch is full long before the window ends
		q.send(t, orders, fmt.Sprint("m", i))
	}
	began := time.Now()
	batches := func() int { return strings.Count(fmt.Sprint(w.service.Logs("f")), "BATCH") }
	// What a process prints is read beside its answer, and may come later.
	await(t, func() bool { _, _, deleted := q.counts(orders); return deleted == 25 && batches() > 0 })
	if n := batches(); n != 1 || time.Since(began) > 15*time.Second {
		t.Errorf("%d batches in %v", n, time.Since(began))
	}
}
