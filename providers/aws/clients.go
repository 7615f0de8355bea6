package aws

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwschemas "github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
)

// clients is one set of service clients behind one gate: the provider keeps
// one for what is asked for and one for its sweeps, so that each is counted
// and slowed by its own rule.
type clients struct {
	gate *gate
	// listed: tags that the listing of what is owned shows unchanged are not
	// asked for again.
	listed     bool
	lambda     *lambda.Client
	sqs        *sqs.Client
	iam        *iam.Client
	sts        *sts.Client
	secrets    *secretsmanager.Client
	ssm        *ssm.Client
	tagging    *resourcegroupstaggingapi.Client
	trail      *cloudtrail.Client
	iamTrail   *cloudtrail.Client // of the region where IAM's events are
	cloudwatch *cloudwatch.Client
	logs       *cloudwatchlogs.Client
	events     *eventbridge.Client
	scheduler  *scheduler.Client
	sns        *sns.Client
	apis       *apigatewayv2.Client
	machines   *sfn.Client
	tables     *dynamodb.Client
	buckets    *s3.Client
}

func newClients(o Options) *clients {
	g := &gate{model: o.Quota, scope: scopeOf(o), onCall: o.OnCall, trace: o.Trace, patience: attemptTimeout}
	cfg := o.Config.Copy()
	cfg.APIOptions = append(cfg.APIOptions[:len(cfg.APIOptions):len(cfg.APIOptions)], g.register)
	if cfg.Retryer == nil {
		cfg.Retryer = newRetryer
	}
	return &clients{
		gate:     g,
		lambda:   lambda.NewFromConfig(cfg),
		sqs:      sqs.NewFromConfig(cfg),
		iam:      iam.NewFromConfig(cfg),
		sts:      sts.NewFromConfig(cfg),
		secrets:  secretsmanager.NewFromConfig(cfg),
		ssm:      ssm.NewFromConfig(cfg),
		tagging:  resourcegroupstaggingapi.NewFromConfig(cfg),
		trail:    cloudtrail.NewFromConfig(cfg),
		logs:     cloudwatchlogs.NewFromConfig(cfg),
		apis:     apigatewayv2.NewFromConfig(cfg),
		machines: sfn.NewFromConfig(cfg),
		tables:   dynamodb.NewFromConfig(cfg),
		buckets:  s3.NewFromConfig(cfg, func(s *s3.Options) { s.UsePathStyle = cfg.BaseEndpoint != nil }),
		events:   eventbridge.NewFromConfig(cfg), scheduler: scheduler.NewFromConfig(cfg), sns: sns.NewFromConfig(cfg),
		cloudwatch: cloudwatch.NewFromConfig(cfg, func(c *cloudwatch.Options) {
			switch o.CloudWatchProtocol {
			case "json":
				c.Protocol = awsjson.New10(cwschemas.GraniteServiceVersion20100801)
			case "query":
				c.Protocol = awsquery.New(cwschemas.GraniteServiceVersion20100801)
			}
		}),
		iamTrail: cloudtrail.NewFromConfig(cfg, func(c *cloudtrail.Options) { c.Region = globalRegion(cfg.Region) }),
	}
}

// globalRegion is where a partition's global services leave their events.
func globalRegion(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "cn-north-1"
	case strings.HasPrefix(region, "us-gov-"):
		return "us-gov-west-1"
	}
	return "us-east-1"
}

// scopeOf names the account and region whose rates a provider shares with
// others of this process.
func scopeOf(o Options) string {
	account := o.Target.Account
	if account == "" {
		account = o.Target.RoleArn
	}
	scope := account + "/" + o.Config.Region
	if o.Target.Endpoint != "" {
		scope += "/" + o.Target.Endpoint
	}
	return scope
}

// gate stands before every attempt of every call: it waits for the lane,
// counts, and hears refusals.
type gate struct {
	model  *quota.Model
	scope  string
	onCall func(service, operation, code string)
	trace  func(ctx context.Context, service, operation string) (context.Context, func(Call))
	class  atomic.Int32 // quota.Class
	calls  atomic.Int64
	// patience bounds one attempt, the upload of code included: the SDK
	// itself would wait for ever for an answer that never comes.
	patience time.Duration
}

const attemptTimeout = 2 * time.Minute

// Recorded is a configuration whose calls are told of as a Provider's are (see
// Options), and wait in no lane.
func Recorded(cfg awssdk.Config, o Options) awssdk.Config {
	g := &gate{onCall: o.OnCall, trace: o.Trace}
	cfg = cfg.Copy()
	cfg.APIOptions = append(cfg.APIOptions[:len(cfg.APIOptions):len(cfg.APIOptions)], g.register)
	return cfg
}

func (g *gate) register(stack *middleware.Stack) error {
	if g.trace != nil {
		whole := middleware.InitializeMiddlewareFunc("MooringTrace", g.record)
		if err := stack.Initialize.Add(whole, middleware.After); err != nil {
			return err
		}
	}
	step := middleware.FinalizeMiddlewareFunc("MooringLane", g.handle)
	return stack.Finalize.Insert(step, "Retry", middleware.After)
}

func (g *gate) handle(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error) {
	service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
	var lane *quota.Lane
	if g.model != nil {
		lane = g.model.Lane(g.scope, service, operation)
	}
	if lane != nil {
		if err := lane.Wait(ctx, quota.Class(g.class.Load())); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		// An invocation has no lane, and lasts as long as the function does.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.patience)
		defer cancel()
	}
	g.calls.Add(1)
	out, meta, err := next.HandleFinalize(ctx, in)
	code := codeOf(err)
	if lane != nil && isRateRefusal(err) {
		lane.Throttled()
	}
	if g.onCall != nil {
		g.onCall(service, operation, code)
	}
	return out, meta, err
}

// Call is what one call came to, with all its attempts.
type Call struct {
	Code     string // AWS's, "" for success
	Attempts int
	Request  string // AWS's id of the last attempt; "" where none was answered
}

// record tells of a whole call: what its lane made it wait, each attempt, and the
// waits between.
func (g *gate) record(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error) {
	ctx, ended := g.trace(ctx, awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx))
	out, meta, err := next.HandleInitialize(ctx, in)
	call := Call{Code: codeOf(err)}
	if tries, ok := retry.GetAttemptResults(meta); ok {
		call.Attempts = len(tries.Results)
	}
	call.Request, _ = awsmiddleware.GetRequestIDMetadata(meta)
	ended(call)
	return out, meta, err
}

// receipt notes a call's request id, to know it again in an audit trail.
func receipt(metas ...middleware.Metadata) providers.Receipt {
	var r providers.Receipt
	for _, m := range metas {
		if id, ok := awsmiddleware.GetRequestIDMetadata(m); ok && id != "" {
			r.RequestIDs = append(r.RequestIDs, id)
		}
	}
	return r
}
