package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

// Invoke calls a version or an alias and waits for its answer. failed means
// that the function itself failed; the response then says how.
func (p *Provider) Invoke(ctx context.Context, fn manifest.Resource, qualifier string, payload []byte) (response []byte, failed bool, err error) {
	out, err := p.front.lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &fn.Physical, Qualifier: optional(qualifier), Payload: payload,
		InvocationType: types.InvocationTypeRequestResponse,
	}, func(o *lambda.Options) { o.RetryMaxAttempts = 1 }) // a call that may have run is not made twice
	if err != nil {
		return nil, false, about("invoke", fn.Ref, classify(err))
	}
	return out.Payload, awssdk.ToString(out.FunctionError) != "", nil
}
