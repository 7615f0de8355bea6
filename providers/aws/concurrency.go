package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// concurrencyKind is a function's reserved concurrency. Zero is a value: it
// is how people stop a function.
type concurrencyKind struct{ p *Provider }

func (k concurrencyKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetFunction"),
		toManage(functionARN, "lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"),
	}
}

const reservedField = "reservedConcurrentExecutions"

func (k concurrencyKind) canonical(res manifest.Resource, b *builder) error {
	spec, ok := res.Spec.(*manifest.ConcurrencySpec)
	if !ok {
		return wrongSpec(res)
	}
	b.set(reservedField, spec.ReservedConcurrentExecutions)
	return nil
}

// live reads the reservation out of a look at the function.
func (k concurrencyKind) live(ref manifest.Ref, l *functionLook) providers.Live {
	if l.absent || l.concurrency == nil {
		return providers.Live{}
	}
	b := k.p.builder(nil)
	b.set(reservedField, *l.concurrency)
	live := b.live()
	live.Guard = seen(live.Spec.Fields)
	live.Owner = childOwner(l.owner(), ref)
	live.Attributes = functionAttributes(&l.config)
	live.SeenAt = l.at
	return live
}

func (k concurrencyKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.look(ctx, cl, res.Physical)
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(res.Ref, l), nil
}

func (k concurrencyKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, ok := c.Resource.Spec.(*manifest.ConcurrencySpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(c.Resource)
	}
	l, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, k.live(c.Resource.Ref, l).Guard); err != nil {
		return providers.Receipt{}, err
	}
	if l.concurrency != nil && int(*l.concurrency) == spec.ReservedConcurrentExecutions || !allowedBy(c.Fields)(reservedField) {
		return providers.Receipt{}, nil
	}
	out, err := k.p.front.lambda.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{
		FunctionName: &c.Resource.Physical, ReservedConcurrentExecutions: awssdk.Int32(int32(spec.ReservedConcurrentExecutions)),
	})
	k.p.memory.forgetFunction(c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func (k concurrencyKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	l, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || l.absent || l.concurrency == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(l.owner()); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, k.live(res.Ref, l).Guard); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.lambda.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: &res.Physical})
	k.p.memory.forgetFunction(res.Physical)
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
