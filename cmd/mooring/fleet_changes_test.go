package main

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// layerChange is one change by hand, and the resource it is seen on.
type layerChange struct {
	what string
	ref  func(name string) manifest.Ref
	by   func(ctx context.Context, h *hand, logs *cloudwatchlogs.Client, name string) error
}

func child(kind, key string) func(string) manifest.Ref {
	return func(name string) manifest.Ref { return manifest.Ref{Kind: kind, Name: name + key} }
}

// layerChanges are one of each layer. name is the physical one.
func layerChanges() []layerChange {
	return []layerChange{
		{"a function's memory", child(manifest.KindFunction, ""), func(ctx context.Context, h *hand, _ *cloudwatchlogs.Client, name string) error {
			_, err := h.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, MemorySize: awssdk.Int32(512)})
			return err
		}},
		{"a mapping's batch size", child(manifest.KindTrigger, ".orders"), func(ctx context.Context, h *hand, _ *cloudwatchlogs.Client, name string) error {
			out, err := h.lambda.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: awssdk.String(name + ":live")})
			if err != nil || len(out.EventSourceMappings) != 1 {
				return fmt.Errorf("%d mappings: %w", len(out.EventSourceMappings), err)
			}
			_, err = h.lambda.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: out.EventSourceMappings[0].UUID, BatchSize: awssdk.Int32(5)})
			return err
		}},
		{"an alias", child(manifest.KindAlias, ".live"), func(ctx context.Context, h *hand, _ *cloudwatchlogs.Client, name string) error {
			_, err := h.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: &name, Name: awssdk.String("live"), Description: awssdk.String("mine")})
			return err
		}},
		{"a permission", child(manifest.KindPermission, ".shop-api"), func(ctx context.Context, h *hand, _ *cloudwatchlogs.Client, name string) error {
			_, err := h.lambda.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: &name, Qualifier: awssdk.String("live"), StatementId: awssdk.String("shop-api")})
			return err
		}},
		{"a role's policy", child(manifest.KindRole, ""), func(ctx context.Context, h *hand, _ *cloudwatchlogs.Client, name string) error {
			_, err := h.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: awssdk.String("mooring"), PolicyDocument: awssdk.String(allowAll)})
			return err
		}},
		{"a queue's visibility timeout", child(manifest.KindQueue, "-q"), func(ctx context.Context, h *hand, _ *cloudwatchlogs.Client, name string) error {
			url, err := h.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: awssdk.String(name + "-q")})
			if err == nil {
				_, err = h.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url.QueueUrl, Attributes: map[string]string{"VisibilityTimeout": "77"}})
			}
			return err
		}},
		{"a log group's retention", child(manifest.KindLogGroup, ""), func(ctx context.Context, _ *hand, logs *cloudwatchlogs.Client, name string) error {
			_, err := logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: awssdk.String("/aws/lambda/" + name), RetentionInDays: awssdk.Int32(7)})
			return err
		}},
	}
}

// changes makes one change of each layer on functions of its own, ten times
// over the fleet, and counts the surveys until each is seen. A change of the
// configuration makes everything of its function be looked at, so that no
// function has two.
func (f *fleet) changes() map[string][]int {
	f.t.Helper()
	all := layerChanges()
	var h *hand
	var logs *cloudwatchlogs.Client
	f.outside.run(func() {
		h = newHand(f.cloud)
		logs = cloudwatchlogs.New(cloudwatchlogs.Options{Region: "eu-west-1", BaseEndpoint: awssdk.String(f.cloud.URL()), Credentials: h.lambda.Options().Credentials})
	})
	before := f.survey()
	type made struct {
		what   string
		ref    manifest.Ref
		digest string
	}
	open := []made{}
	times := max(1, min(10, f.size/len(all)))
	for n := range times {
		for k, c := range all {
			name := fleetName((n*f.size/times + k) % f.size)
			ref := c.ref(name)
			var err error
			f.outside.run(func() { err = c.by(context.Background(), h, logs, physicalName(name)) })
			if err != nil {
				f.t.Fatalf("%s of %s: %v", c.what, name, err)
			}
			open = append(open, made{c.what, ref, digestOfLive(before, ref)})
		}
	}
	seen := map[string][]int{}
	for minute := 1; len(open) > 0; minute++ {
		if minute > 60 {
			f.t.Fatalf("after an hour these are not seen: %v", open)
		}
		now := f.survey()
		left := open[:0]
		for _, m := range open {
			if digestOfLive(now, m.ref) == m.digest {
				left = append(left, m)
				continue
			}
			seen[m.what] = append(seen[m.what], minute)
		}
		open = left
	}
	return seen
}

func digestOfLive(inv providers.Inventory, ref manifest.Ref) string {
	live := inv.Live[ref]
	return fmt.Sprintf("%v %v %v", live.Exists, live.Spec.Digest, live.Routing)
}
