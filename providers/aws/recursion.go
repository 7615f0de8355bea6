package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// recursionField is what Lambda does when a function feeds its own trigger. It
// is the function's, not a version's.
const recursionField = "recursiveLoop"

func declaredLoop(spec *manifest.FunctionConfig) string {
	return orElse(spec.RecursiveLoop, string(types.RecursiveLoopTerminate))
}

func (p *Provider) recursionLive(b *builder, physical string) {
	switch l, looked := recall(&p.memory, p.memory.recursion, physical); {
	case !looked:
		b.unseen[recursionField] = "not looked at yet"
	case l.unseen != "":
		b.unseen[recursionField] = l.unseen
	default:
		b.set(recursionField, orElse(l.loop, string(types.RecursiveLoopTerminate)))
	}
}

func (f *functionPut) recursionAllowed() bool {
	l, looked := recall(&f.p.memory, f.p.memory.recursion, f.c.Resource.Physical)
	if !allowedBy(f.c.Fields)(recursionField) || l.unseen != "" {
		return false
	}
	return !looked && f.spec.RecursiveLoop != "" || looked && l.loop != declaredLoop(f.spec)
}

func (f *functionPut) updateRecursion(ctx context.Context) (providers.Receipt, error) {
	forget(&f.p.memory, f.p.memory.recursion, f.c.Resource.Physical)
	out, err := f.p.front.lambda.PutFunctionRecursionConfig(ctx, &lambda.PutFunctionRecursionConfigInput{
		FunctionName: &f.c.Resource.Physical, RecursiveLoop: types.RecursiveLoop(declaredLoop(f.spec)),
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
