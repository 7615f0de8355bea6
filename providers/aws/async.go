package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// asyncKind is an alias's asynchronous invocation.
type asyncKind struct{ p *Provider }

func (k asyncKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetFunction", "lambda:GetFunctionEventInvokeConfig"),
		toManage(functionARN, "lambda:DeleteFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig"),
	}
}

type asyncConfig struct {
	retries, age         int
	onSuccess, onFailure string
}

var asyncMembers = []member[asyncConfig]{
	{"destinationConfig.onFailure.destination", func(a *asyncConfig) any { return a.onFailure }, func(d, s *asyncConfig) { d.onFailure = s.onFailure }},
	{"destinationConfig.onSuccess.destination", func(a *asyncConfig) any { return a.onSuccess }, func(d, s *asyncConfig) { d.onSuccess = s.onSuccess }},
	{"maximumEventAgeInSeconds", func(a *asyncConfig) any { return a.age }, func(d, s *asyncConfig) { d.age = s.age }},
	{"maximumRetryAttempts", func(a *asyncConfig) any { return a.retries }, func(d, s *asyncConfig) { d.retries = s.retries }},
}

// What Lambda does where nothing is configured.
const (
	defaultRetries  = 2
	defaultEventAge = 21600 // seconds
)

func declaredAsync(res manifest.Resource, b *builder) (*asyncConfig, *manifest.AsyncSpec, error) {
	spec, ok := res.Spec.(*manifest.AsyncSpec)
	if !ok {
		return nil, nil, wrongSpec(res)
	}
	a := &asyncConfig{retries: defaultRetries, age: defaultEventAge}
	if spec.MaximumRetryAttempts != nil {
		a.retries = *spec.MaximumRetryAttempts
	}
	if spec.MaximumEventAgeInSeconds != nil {
		a.age = *spec.MaximumEventAgeInSeconds
	}
	if spec.OnSuccess != nil {
		a.onSuccess = b.value(*spec.OnSuccess)
	}
	if spec.OnFailure != nil {
		a.onFailure = b.value(*spec.OnFailure)
	}
	return a, spec, nil
}

func liveAsync(c *types.FunctionEventInvokeConfig) *asyncConfig {
	a := &asyncConfig{retries: defaultRetries, age: defaultEventAge}
	if c.MaximumRetryAttempts != nil {
		a.retries = int(*c.MaximumRetryAttempts)
	}
	if c.MaximumEventAgeInSeconds != nil {
		a.age = int(*c.MaximumEventAgeInSeconds)
	}
	if d := c.DestinationConfig; d != nil {
		if d.OnSuccess != nil {
			a.onSuccess = awssdk.ToString(d.OnSuccess.Destination)
		}
		if d.OnFailure != nil {
			a.onFailure = awssdk.ToString(d.OnFailure.Destination)
		}
	}
	return a
}

func (k asyncKind) canonical(res manifest.Resource, b *builder) error {
	a, _, err := declaredAsync(res, b)
	if err != nil {
		return err
	}
	each(b, asyncMembers, a)
	return nil
}

func (k asyncKind) live(ref manifest.Ref, c *types.FunctionEventInvokeConfig, parent providers.Owner) providers.Live {
	b := k.p.builder(nil)
	each(b, asyncMembers, liveAsync(c))
	live := b.live()
	live.Guard = asyncGuard(c)
	live.Owner = childOwner(parent, ref)
	live.Attributes["arn"] = awssdk.ToString(c.FunctionArn)
	return live
}

// asyncGuard holds while the configuration looks the same; AWS gives it no
// revision.
func asyncGuard(c *types.FunctionEventInvokeConfig) providers.Guard {
	b := &builder{fields: map[string]string{}}
	each(b, asyncMembers, liveAsync(c))
	return seen([]any{awssdk.ToString(c.FunctionArn), b.fields})
}

func (p *Provider) getAsync(ctx context.Context, cl *clients, physical string, qualifier *string) (*types.FunctionEventInvokeConfig, error) {
	out, err := cl.lambda.GetFunctionEventInvokeConfig(ctx, &lambda.GetFunctionEventInvokeConfigInput{FunctionName: &physical, Qualifier: qualifier})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return &types.FunctionEventInvokeConfig{
		DestinationConfig: out.DestinationConfig, FunctionArn: qualified(out.FunctionArn, awssdk.ToString(qualifier)), LastModified: out.LastModified,
		MaximumEventAgeInSeconds: out.MaximumEventAgeInSeconds, MaximumRetryAttempts: out.MaximumRetryAttempts,
	}, nil
}

func (k asyncKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	spec, ok := res.Spec.(*manifest.AsyncSpec)
	if !ok {
		return providers.Live{}, wrongSpec(res)
	}
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil || parent.absent {
		return providers.Live{}, err
	}
	at := k.p.o.Now()
	c, err := k.p.getAsync(ctx, cl, res.Physical, qualifier(res, spec.Alias))
	if err != nil || c == nil {
		return providers.Live{}, err
	}
	live := k.live(res.Ref, c, parent.owner())
	live.SeenAt = at
	return live, nil
}

// put overwrites the whole configuration, with what is not to change as it is.
func (k asyncKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, spec, err := declaredAsync(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	parent, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt)
	if err != nil {
		return providers.Receipt{}, err
	}
	q := qualifier(c.Resource, spec.Alias)
	now, err := k.p.getAsync(ctx, k.p.front, c.Resource.Physical, q)
	if err != nil {
		return providers.Receipt{}, err
	}
	desired := want
	if now != nil {
		if err := holds(c.Guard, k.live(c.Resource.Ref, now, parent.owner()).Guard); err != nil {
			return providers.Receipt{}, err
		}
		desired = liveAsync(now)
		if len(merge(asyncMembers, desired, want, allowedBy(c.Fields))) == 0 {
			return providers.Receipt{}, nil
		}
	} else if c.Guard != "" {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
	}
	in := &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: &c.Resource.Physical, Qualifier: q,
		MaximumRetryAttempts: awssdk.Int32(int32(desired.retries)), MaximumEventAgeInSeconds: awssdk.Int32(int32(desired.age)),
		DestinationConfig: desired.destinations(),
	}
	out, err := k.p.front.lambda.PutFunctionEventInvokeConfig(ctx, in)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func (a *asyncConfig) destinations() *types.DestinationConfig {
	if a.onSuccess == "" && a.onFailure == "" {
		return nil
	}
	d := &types.DestinationConfig{}
	if a.onSuccess != "" {
		d.OnSuccess = &types.OnSuccess{Destination: &a.onSuccess}
	}
	if a.onFailure != "" {
		d.OnFailure = &types.OnFailure{Destination: &a.onFailure}
	}
	return d
}

func (k asyncKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	spec, ok := res.Spec.(*manifest.AsyncSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(res)
	}
	parent, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || parent.absent {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(parent.owner()); err != nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, res.Physical, qualifier(res, spec.Alias), guard)
}

func (k asyncKind) drop(ctx context.Context, physical string, qualifier *string, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.getAsync(ctx, k.p.front, physical, qualifier)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, asyncGuard(now)); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.lambda.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: &physical, Qualifier: qualifier})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
