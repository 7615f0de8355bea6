package aws

import (
	"context"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// deed is what a hand does to the first of a kind in a crowd.
type deed struct {
	name string
	kind string
	by   func(ctx context.Context, cfg awssdk.Config, live providers.Live) error
	// shows tells whether a look is from after it.
	shows func(live providers.Live) bool
	// within is how soon a survey must show it, in parts of LayerAge.
	within float64
}

func gone(live providers.Live) bool     { return !live.Exists }
func disowned(live providers.Live) bool { return live.Exists && live.Owner.Pipeline == "" }

func fieldIs(path, value string) func(providers.Live) bool {
	return func(live providers.Live) bool { return live.Spec.Fields[path] == value }
}

// deeds are of what is read in bulk, and of tags.
func deeds() []deed {
	own := []string{tagPipeline, tagEnvironment, tagResource}
	const bulk, listed = 1.0 / stateShare, 1.0
	return []deed{
		{"retention", manifest.KindLogGroup, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := cloudwatchlogs.NewFromConfig(cfg).PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: named(l), RetentionInDays: awssdk.Int32(7)})
			return err
		}, fieldIs("retentionInDays", "7"), bulk},
		{"metric filter", manifest.KindLogGroup, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := cloudwatchlogs.NewFromConfig(cfg).PutMetricFilter(ctx, &cloudwatchlogs.PutMetricFilterInput{
				LogGroupName: named(l), FilterName: awssdk.String("mine"), FilterPattern: awssdk.String("x"),
				MetricTransformations: []logstypes.MetricTransformation{{MetricName: awssdk.String("X"), MetricNamespace: awssdk.String("Y"), MetricValue: awssdk.String("1")}},
			})
			return err
		}, func(l providers.Live) bool { return l.Spec.Fields[keyPath(pathMetricFilters, "mine")] != "" }, 0.5},
		{"log group deleted", manifest.KindLogGroup, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := cloudwatchlogs.NewFromConfig(cfg).DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: named(l)})
			return err
		}, gone, bulk},
		{"alarm silenced", manifest.KindAlarm, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := cloudwatch.NewFromConfig(cfg).DisableAlarmActions(ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{*named(l)}})
			return err
		}, fieldIs("actionsEnabled", "false"), bulk},
		{"alarm deleted", manifest.KindAlarm, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := cloudwatch.NewFromConfig(cfg).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{*named(l)}})
			return err
		}, gone, bulk},
		{"role's session", manifest.KindRole, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := iam.NewFromConfig(cfg).UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: named(l), MaxSessionDuration: awssdk.Int32(7200)})
			return err
		}, fieldIs("maxSessionDuration", "7200"), bulk},
		{"role deleted", manifest.KindRole, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := iam.NewFromConfig(cfg).DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: named(l)})
			return err
		}, gone, bulk},
		{"queue's tags", manifest.KindQueue, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			url := l.Attributes["url"]
			_, err := sqs.NewFromConfig(cfg).UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: &url, TagKeys: own})
			return err
		}, disowned, listed},
		{"topic's tags", manifest.KindTopic, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := sns.NewFromConfig(cfg).UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: arnOf(l), TagKeys: own})
			return err
		}, disowned, listed},
		{"rule's tags", manifest.KindRule, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := eventbridge.NewFromConfig(cfg).UntagResource(ctx, &eventbridge.UntagResourceInput{ResourceARN: arnOf(l), TagKeys: own})
			return err
		}, disowned, listed},
		{"table's tags", manifest.KindTable, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := dynamodb.NewFromConfig(cfg).UntagResource(ctx, &dynamodb.UntagResourceInput{ResourceArn: arnOf(l), TagKeys: own})
			return err
		}, disowned, listed},
		{"bucket's tags", manifest.KindBucket, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: named(l)})
			return err
		}, disowned, listed},
		{"log group's tags", manifest.KindLogGroup, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := cloudwatchlogs.NewFromConfig(cfg).UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: arnOf(l), TagKeys: own})
			return err
		}, disowned, listed},
		{"alarm's tags", manifest.KindAlarm, func(ctx context.Context, cfg awssdk.Config, l providers.Live) error {
			_, err := cloudwatch.NewFromConfig(cfg).UntagResource(ctx, &cloudwatch.UntagResourceInput{ResourceARN: arnOf(l), TagKeys: own})
			return err
		}, disowned, listed},
	}
}

func named(l providers.Live) *string { return awssdk.String(l.Attributes["name"]) }
func arnOf(l providers.Live) *string { return awssdk.String(l.Attributes["arn"]) }

// TestBulkShowsWhatAHandDid: what is read many a call, and tags that the
// listing of what is owned shows, are seen in their time; the neighbour that
// nobody touched stays as it was.
func TestBulkShowsWhatAHandDid(t *testing.T) {
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			b := newBoxed(t, sandbox.Options{Records: 10})
			var all []manifest.Resource
			for _, res := range b.crowd(2) {
				if res.Ref.Kind == d.kind {
					all = append(all, res)
				}
			}
			// Past the first round, so that rotations have their turns anywhere.
			for range 3 {
				b.survey(all)
				b.advance(b.o.LayerAge / 3)
			}
			b.survey(all)
			b.advance(b.o.LayerAge / 2)
			// What is wanted changes: the listing of tags is made anew, and has a
			// turn of its own.
			all = append(all, manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "none"}, Physical: "preview-none", Spec: &manifest.QueueSpec{}})
			before := b.survey(all)
			if err := d.by(b.ctx, b.as("AKIABOB"), before.Live[all[0].Ref]); err != nil {
				t.Fatal(err)
			}
			waited, most := time.Duration(0), time.Duration(d.within*float64(b.o.LayerAge))
			for {
				b.advance(30 * time.Second)
				waited += 30 * time.Second
				inv := b.survey(all)
				if neighbour := inv.Live[all[1].Ref]; neighbour.Spec.Digest != before.Live[all[1].Ref].Spec.Digest || neighbour.Owner.Pipeline == "" {
					t.Fatalf("%s is shown changed: %+v", all[1].Ref, neighbour)
				}
				if d.shows(inv.Live[all[0].Ref]) {
					break
				}
				if waited >= most {
					t.Fatalf("not seen after %v", waited)
				}
			}
		})
	}
}

// TestTagsAreAskedForAfterAWrite: the listing of tags is from before what we
// wrote; a look after that does not take them from it.
func TestTagsAreAskedForAfterAWrite(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	queue := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "q"}, Physical: "preview-q", Spec: &manifest.QueueSpec{VisibilityTimeout: 30, Tags: map[string]string{"team": "a"}}}
	all := []manifest.Resource{queue}
	b.converge(all)
	b.survey(all)
	b.advance(b.o.LayerAge)
	b.survey(all) // from the listing
	all[0].Spec = &manifest.QueueSpec{VisibilityTimeout: 30, Tags: map[string]string{"team": "b"}}
	_, bindings := b.look(all)
	if _, err := b.Put(b.ctx, providers.Change{Resource: all[0], Bindings: bindings, Guard: b.one(queue).Guard, Release: testRelease}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := b.survey(all).Live[queue.Ref].Spec.Fields[keyPath("tags", "team")]; got != `"b"` {
			t.Errorf("team is %s after it was set to b", got)
		}
		b.advance(b.o.LayerAge / 3)
	}
}
