package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

// newTable makes a table of orders with a stream, and returns the stream.
func newTable(t *testing.T, c *dynamodb.Client) (stream string) {
	t.Helper()
	out := must(c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("orders"), BillingMode: ddbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []ddbtypes.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: ddbtypes.ScalarAttributeTypeS}},
		KeySchema:            []ddbtypes.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: ddbtypes.KeyTypeHash}},
		StreamSpecification:  &ddbtypes.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: ddbtypes.StreamViewTypeNewAndOldImages},
	}))(t)
	return *out.TableDescription.LatestStreamArn
}

func words(s string) ddbtypes.AttributeValue { return &ddbtypes.AttributeValueMemberS{Value: s} }

func digits(n int) ddbtypes.AttributeValue {
	return &ddbtypes.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

type values map[string]ddbtypes.AttributeValue

func TestItemsConditionsAndUpdates(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := dynamodb.NewFromConfig(as(s, "alice"))
	newTable(t, c)
	table := aws.String("orders")
	put := &dynamodb.PutItemInput{TableName: table, Item: values{"id": words("a"), "n": digits(1)}, ConditionExpression: aws.String("attribute_not_exists(id)")}
	must(c.PutItem(t.Context(), put))(t)
	if _, err := c.PutItem(t.Context(), put); codeOf(err) != "ConditionalCheckFailedException" {
		t.Errorf("put over a condition: %v", err)
	}
	out := must(c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: table, Key: values{"id": words("a")}, ReturnValues: ddbtypes.ReturnValueAllNew,
		UpdateExpression:          aws.String("SET #n = #n + :one, owner = if_not_exists(owner, :who) REMOVE gone"),
		ConditionExpression:       aws.String("#n BETWEEN :one AND :ten AND NOT begins_with(id, :z)"),
		ExpressionAttributeNames:  map[string]string{"#n": "n"},
		ExpressionAttributeValues: values{":one": digits(1), ":ten": digits(10), ":who": words("alice"), ":z": words("z")},
	}))(t)
	if n, ok := out.Attributes["n"].(*ddbtypes.AttributeValueMemberN); !ok || n.Value != "2" {
		t.Errorf("after the update: %v", out.Attributes)
	}
	for i := range 5 {
		must(c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: values{"id": words(fmt.Sprint("b", i)), "n": digits(i)}}))(t)
	}
	found := 0
	pages := dynamodb.NewScanPaginator(c, &dynamodb.ScanInput{
		TableName: table, Limit: aws.Int32(2), FilterExpression: aws.String("n >= :two"), ExpressionAttributeValues: values{":two": digits(2)},
	})
	for pages.HasMorePages() {
		found += len(must(pages.NextPage(t.Context()))(t).Items)
	}
	if found != 4 {
		t.Errorf("%d items have n >= 2, want 4", found)
	}
	one := must(c.Query(t.Context(), &dynamodb.QueryInput{
		TableName: table, KeyConditionExpression: aws.String("id = :id"), ExpressionAttributeValues: values{":id": words("b3")},
	}))(t)
	if one.Count != 1 {
		t.Errorf("query: %v", one.Items)
	}
	must(c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: values{"id": words("a")}}))(t)
	if got := must(c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: values{"id": words("a")}}))(t); len(got.Item) > 0 {
		t.Errorf("deleted: %v", got.Item)
	}
}

func TestATablesControlPlaneIsAwkward(t *testing.T) {
	now := noon
	s := start(t, sandbox.Options{Now: func() time.Time { return now }, Updating: time.Minute})
	c := dynamodb.NewFromConfig(as(s, "alice"))
	first := newTable(t, c)
	table := aws.String("orders")
	off := &dynamodb.UpdateTableInput{TableName: table, StreamSpecification: &ddbtypes.StreamSpecification{StreamEnabled: aws.Bool(false)}}
	if _, err := c.UpdateTable(t.Context(), off); codeOf(err) != "ResourceInUseException" {
		t.Errorf("a change while it is made: %v", err)
	}
	now = now.Add(time.Hour)
	must(c.UpdateTable(t.Context(), off))(t)
	now = now.Add(time.Hour)
	on := must(c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: table, StreamSpecification: &ddbtypes.StreamSpecification{
		StreamEnabled: aws.Bool(true), StreamViewType: ddbtypes.StreamViewTypeKeysOnly,
	}}))(t)
	if *on.TableDescription.LatestStreamArn == first {
		t.Error("a stream switched on again is the same stream")
	}
	now = now.Add(time.Hour)
	expire := func(enabled bool) error {
		_, err := c.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName: table, TimeToLiveSpecification: &ddbtypes.TimeToLiveSpecification{AttributeName: aws.String("x"), Enabled: &enabled},
		})
		return err
	}
	if err := expire(true); err != nil {
		t.Fatal(err)
	}
	now = now.Add(30 * time.Minute)
	if err := expire(false); codeOf(err) != "ValidationException" {
		t.Errorf("expiry switched twice within an hour: %v", err)
	}
}

// logsOf is what a function wrote.
func logsOf(t *testing.T, s *sandbox.Sandbox, function string) string {
	t.Helper()
	res := must(http.Get(s.URL() + "/_sandbox/logs?function=" + function))(t)
	defer res.Body.Close()
	return string(must(io.ReadAll(res.Body))(t))
}

// eventLines waits until a function has logged an event that holds words.
func eventLines(t *testing.T, s *sandbox.Sandbox, function, words string) {
	t.Helper()
	eventually(t, "an event with "+words, func() bool { return strings.Contains(logsOf(t, s, function), words) })
}

func TestStreamsFeedFunctions(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	newRole(t, cfg, "reader", "service-role/AWSLambdaDynamoDBExecutionRole")
	role := newRole(t, cfg, "reader2", "service-role/AWSLambdaKinesisExecutionRole")
	c := lambda.NewFromConfig(cfg)
	for name, role := range map[string]string{"table": strings.TrimSuffix(role, "2"), "clicks": role, "broken": role} {
		code := pythonEcho
		if name == "broken" {
			code = "def handler(event, context):\n    raise ValueError('no')\n"
		}
		must(c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: &name, Role: &role, Runtime: types.RuntimePython312, Handler: aws.String("main.handler"),
			Code: &types.FunctionCode{ZipFile: zipped(t, "main.py", code)},
		}))(t)
	}
	tables := dynamodb.NewFromConfig(cfg)
	stream := newTable(t, tables)
	item := func(id string) {
		must(tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: values{"id": words(id)}}))(t)
	}
	item("before")
	must(c.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("table"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionTrimHorizon,
		FilterCriteria: &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"dynamodb":{"Keys":{"id":{"S":[{"anything-but":"hidden"}]}}}}`)}}},
	}))(t)
	item("hidden")
	item("after")
	eventLines(t, s, "table", "before")
	eventLines(t, s, "table", "after")
	if strings.Contains(logsOf(t, s, "table"), "hidden") {
		t.Error("the filter let a record through")
	}

	queues, streams := sqs.NewFromConfig(cfg), kinesis.NewFromConfig(cfg)
	url, dead := newQueue(t, queues, "dead", nil)
	must(streams.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("clicks"), ShardCount: aws.Int32(2)}))(t)
	described := must(streams.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("clicks")}))(t)
	for _, name := range []string{"clicks", "broken"} {
		must(c.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
			FunctionName: &name, EventSourceArn: described.StreamDescriptionSummary.StreamARN, StartingPosition: types.EventSourcePositionLatest,
			MaximumRetryAttempts: aws.Int32(0), DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &dead}},
		}))(t)
	}
	must(streams.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("clicks"), PartitionKey: aws.String("k"), Data: []byte("a click")}))(t)
	eventLines(t, s, "clicks", "YSBjbGljaw==")
	eventually(t, "word of what was given up", func() bool {
		out := must(queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 1}))(t)
		return len(out.Messages) == 1 && strings.Contains(*out.Messages[0].Body, "RetryAttemptsExhausted")
	})
	http.DefaultClient.CloseIdleConnections()
}
