package demo

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
)

const (
	region  = "eu-west-1"
	account = "111111111111"
)

// Access keys of the people and programs in the story.
const (
	keyMooring = "mooring"
	keyAlice   = "alice"
	keyOncall  = "oncall"
	keyTeam    = "platform"
	keyTraffic = "customers"
)

// cloud is the sandbox and clients of it under several names.
type cloud struct{ box *sandbox.Sandbox }

func openCloud(ctx context.Context, dir string) (*cloud, error) {
	box, err := sandbox.New(sandbox.Options{
		Listen: "127.0.0.1:0", DataDir: dir, Account: account, Region: region,
		Period: time.Second, Updating: 200 * time.Millisecond, Records: 40_000,
	})
	if err != nil {
		return nil, err
	}
	c := &cloud{box: box}
	for key, name := range map[string]string{keyAlice: "user/alice", keyOncall: "user/oncall", keyTeam: "user/platform", keyTraffic: "user/customers", keyMooring: "user/mooring"} {
		box.RegisterActor(key, wire.Actor{AccessKey: key, Type: "IAMUser", Name: name})
	}
	if err := box.Start(ctx); err != nil {
		return c, err
	}
	return c, c.furnish(ctx)
}

// furnish makes what the shop expects to be there: another team's secret and
// parameter.
func (c *cloud) furnish(ctx context.Context) error {
	secrets := secretsmanager.NewFromConfig(c.as(keyTeam))
	if _, err := secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: awssdk.String("shop/stripe"), SecretString: awssdk.String("sk_demo_only")}); err != nil {
		return fmt.Errorf("make the shop's secret: %w", err)
	}
	parameters := ssm.NewFromConfig(c.as(keyTeam))
	if _, err := parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: awssdk.String("/shop/rates"), Type: types.ParameterTypeString, Value: awssdk.String("1.0")}); err != nil {
		return fmt.Errorf("make the shop's parameter: %w", err)
	}
	return nil
}

func (c *cloud) url() string { return c.box.URL() }

func (c *cloud) close() error { return c.box.Close() }

// as is an SDK configuration with somebody's credentials.
func (c *cloud) as(key string) awssdk.Config {
	return awssdk.Config{
		Region: region, BaseEndpoint: awssdk.String(c.url()),
		Credentials: credentials.NewStaticCredentialsProvider(key, "any", ""),
	}
}

func (c *cloud) lambda(key string) *lambda.Client { return lambda.NewFromConfig(c.as(key)) }

func (c *cloud) sqs(key string) *sqs.Client { return sqs.NewFromConfig(c.as(key)) }

// writes are the changing calls of one actor since a time.
func (c *cloud) writes(key string, since time.Time) []wire.Call {
	var out []wire.Call
	for _, call := range c.box.Calls(since) {
		if call.Actor.AccessKey == key && !call.ReadOnly && call.Operation != "Invoke" {
			out = append(out, call)
		}
	}
	return out
}
