package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

func (k functionKind) invoke(ctx context.Context, fn manifest.Resource, qualifier string, payload []byte) (response []byte, failed bool, err error) {
	out, err := k.p.front.lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &fn.Physical, Qualifier: optional(qualifier), Payload: payload,
		InvocationType: types.InvocationTypeRequestResponse,
	}, func(o *lambda.Options) { o.RetryMaxAttempts = 1 }) // a call that may have run is not made twice
	if err != nil {
		return nil, false, classify(err)
	}
	return out.Payload, awssdk.ToString(out.FunctionError) != "", nil
}
