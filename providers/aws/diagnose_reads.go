package aws

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"mooring.dev/sources/manifest"
)

// tryReads makes every kind of call that a sweep of these resources makes, on
// one resource of each kind; of listings, the first item. What they answer is
// not looked at: who counts the calls hears which were refused.
func (p *Provider) tryReads(ctx context.Context, want []manifest.Resource) {
	one := awssdk.Int32(1)
	kinds := map[string]bool{}
	for _, res := range want {
		kinds[res.Ref.Kind] = true
	}
	_, _ = p.front.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{MaxItems: one})
	_, _ = p.front.lambda.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{MaxItems: one})
	_, _ = p.front.tagging.GetResources(ctx, &resourcegroupstaggingapi.GetResourcesInput{ResourcesPerPage: one})
	if kinds[manifest.KindFunction] {
		_, _ = p.front.lambda.ListCodeSigningConfigs(ctx, &lambda.ListCodeSigningConfigsInput{MaxItems: one})
	}
	if kinds[manifest.KindRole] {
		_, _ = p.front.iam.ListRoles(ctx, &iam.ListRolesInput{MaxItems: one})
		_, _ = p.front.iam.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{
			MaxItems: one, Filter: []iamtypes.EntityType{iamtypes.EntityTypeRole},
		})
	}
	if p.o.Emulator != "moto" { // which has no history of events
		_, _ = p.front.trail.LookupEvents(ctx, &cloudtrail.LookupEventsInput{MaxResults: one})
	}
	if kinds[manifest.KindAlias] || kinds[manifest.KindWorkflowAlias] {
		_, _ = p.metricOf(ctx, queueMetric{"NumberOfMessagesSent", "Sum", "none", time.Minute, time.Minute})
	}
	some := sampleResources(want)
	p.tryAbsent(ctx, some)
	refs := make([]manifest.Ref, len(some))
	for i, res := range some {
		refs[i] = res.Ref
	}
	_, _ = p.Examine(ctx, some, refs...)
}

// tryAbsent makes the calls that a look at a function or role begins only when
// it is there: on the first day none is.
func (p *Provider) tryAbsent(ctx context.Context, some []manifest.Resource) {
	for _, res := range some {
		name := &res.Physical
		switch res.Ref.Kind {
		case manifest.KindFunction:
			_, _ = p.front.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name})
			_, _ = p.front.lambda.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: name})
			_, _ = p.front.lambda.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: name})
			_, _ = p.front.lambda.ListFunctionUrlConfigs(ctx, &lambda.ListFunctionUrlConfigsInput{FunctionName: name})
			_, _ = p.front.lambda.ListFunctionEventInvokeConfigs(ctx, &lambda.ListFunctionEventInvokeConfigsInput{FunctionName: name})
			_, _ = p.front.lambda.GetFunctionCodeSigningConfig(ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: name})
		case manifest.KindRole:
			_, _ = p.front.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
			_, _ = p.front.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
		}
	}
}
