package aws

import (
	"context"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/providertest"
	"mooring.dev/sources/manifest"
)

// contracted is a world as the contract suite wants it. bob is another hand.
func contracted(w, other *world, bob awssdk.Config) *providertest.Platform {
	all := w.shop(w.o.Environment)
	pick := func(ref string) manifest.Resource { return find(w.t, all, ref) }
	fn := with(pick("Function/checkout"), func(f *manifest.FunctionConfig) {
		f.Environment["MODE"] = manifest.Value{Literal: "one"}
	})
	changed := with(fn, func(f *manifest.FunctionConfig) {
		f.Artifact = w.zips.add(w.t, "two")
		f.Environment["MODE"], f.Environment["API_TOKEN"] = manifest.Value{Literal: "two"}, manifest.Value{Literal: providertest.SecretValue}
		f.Timeout = 30
	})
	queue := pick("Queue/orders")
	plain := *queue.Spec.(*manifest.QueueSpec)
	plain.Redrive = nil
	queue.Spec = &plain
	other.zips = w.zips
	functions := lambda.NewFromConfig(bob)
	return &providertest.Platform{
		Provider: w.Provider, Other: other.Provider,
		Resources: []manifest.Resource{
			queue, pick("Role/checkout"), fn, pick("Alias/checkout.live"),
			pick("Trigger/checkout.orders"), pick("Permission/checkout.events"),
		},
		Changed: changed,
		Edit: func(ctx context.Context) error {
			now, err := functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &fn.Physical})
			if err != nil {
				return err
			}
			variables := now.Environment.Variables
			variables["MODE"] = "by hand"
			_, err = functions.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
				FunctionName: &fn.Physical, Environment: &types.Environment{Variables: variables},
			})
			return err
		},
		AddExtra: func(ctx context.Context) error {
			_, err := functions.AddPermission(ctx, &lambda.AddPermissionInput{
				FunctionName: &fn.Physical, Qualifier: awssdk.String("live"), StatementId: awssdk.String("anyone"),
				Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("*"),
			})
			return err
		},
		AddUntagged: func(ctx context.Context) error {
			_, err := sqs.NewFromConfig(bob).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &queue.Physical})
			return err
		},
		Wait: func() { w.advance(2 * time.Second) },
	}
}

func TestContractOnSandbox(t *testing.T) {
	for name, o := range map[string]sandbox.Options{"at once": {}, "with time": {Updating: 5 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Options{New: func(t *testing.T) *providertest.Platform {
				b := newBoxed(t, o)
				other := testOptions(t, b.box.URL())
				other.Environment = "production"
				return contracted(b.world, newWorld(t, other), b.as("AKIABOB"))
			}})
		})
	}
}
