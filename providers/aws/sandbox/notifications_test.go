package sandbox_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

// TestABucketTellsFunctionsAndQueues: S3 asks its targets when the document is
// put, refuses entries that overlap, and tells of what matches.
func TestABucketTellsFunctionsAndQueues(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	objects := bucket(t, s, false)
	c := newFunction(t, cfg, "reader")
	queues := sqs.NewFromConfig(cfg)
	url, queue := newQueue(t, queues, "removed", nil)
	function := "arn:aws:lambda:" + region + ":111111111111:function:reader"
	entry := func(id, prefix string) s3types.LambdaFunctionConfiguration {
		return s3types.LambdaFunctionConfiguration{
			Id: &id, LambdaFunctionArn: &function, Events: []s3types.Event{"s3:ObjectCreated:*"},
			Filter: &s3types.NotificationConfigurationFilter{Key: &s3types.S3KeyFilter{FilterRules: []s3types.FilterRule{{Name: s3types.FilterRuleNamePrefix, Value: &prefix}}}},
		}
	}
	put := func(entries ...s3types.LambdaFunctionConfiguration) error {
		_, err := objects.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
			Bucket: aws.String("artifacts"), NotificationConfiguration: &s3types.NotificationConfiguration{
				LambdaFunctionConfigurations: entries,
				QueueConfigurations:          []s3types.QueueConfiguration{{QueueArn: &queue, Events: []s3types.Event{"s3:ObjectRemoved:*"}}},
			},
		})
		return err
	}
	if err := put(entry("in", "in/")); codeOf(err) != "InvalidArgument" {
		t.Errorf("a function that does not let S3 call it: %v", err)
	}
	must(c.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String("reader"), StatementId: aws.String("s3"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("s3.amazonaws.com"),
		SourceArn: aws.String("arn:aws:s3:::artifacts"), SourceAccount: aws.String("111111111111"),
	}))(t)
	policy := `{"Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::artifacts"}}}]}`
	must(queues.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": policy}}))(t)
	if err := put(entry("in", "in/"), entry("also", "in/also/")); codeOf(err) != "InvalidArgument" {
		t.Errorf("entries that overlap: %v", err)
	}
	if err := put(entry("in", "in/")); err != nil {
		t.Fatal(err)
	}
	held := must(objects.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: aws.String("artifacts")}))(t)
	if len(held.QueueConfigurations) != 1 || aws.ToString(held.QueueConfigurations[0].Id) == "" || *held.LambdaFunctionConfigurations[0].Id != "in" {
		t.Errorf("the document: %+v", held)
	}
	for _, key := range []string{"out/hidden", "in/a file"} {
		must(objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("artifacts"), Key: &key, Body: strings.NewReader("x")}))(t)
	}
	eventLines(t, s, "reader", "in%2Fa+file")
	if strings.Contains(logsOf(t, s, "reader"), "hidden") {
		t.Error("the filter let a key through")
	}
	must(objects.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("out/hidden")}))(t)
	out := must(queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 1}))(t)
	if len(out.Messages) != 1 || !strings.Contains(*out.Messages[0].Body, "ObjectRemoved:Delete") {
		t.Errorf("the queue was told: %v", out.Messages)
	}
	http.DefaultClient.CloseIdleConnections()
}
