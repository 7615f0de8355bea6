package lambda_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestCodeSigningIsAttachedAndEnforced(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	f := aws.String("f")
	if out := must(w.GetFunctionCodeSigningConfig(w.ctx, &awslambda.GetFunctionCodeSigningConfigInput{FunctionName: f})); out.CodeSigningConfigArn != nil {
		t.Error("no code signing is configured at first")
	}
	_, err := w.PutFunctionCodeSigningConfig(w.ctx, &awslambda.PutFunctionCodeSigningConfigInput{FunctionName: f,
		CodeSigningConfigArn: aws.String("arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0123456789abcdefg")})
	refuse(t, err, "CodeSigningConfigNotFoundException", 404)
	made := must(w.CreateCodeSigningConfig(w.ctx, &awslambda.CreateCodeSigningConfigInput{
		AllowedPublishers: &types.AllowedPublishers{SigningProfileVersionArns: []string{"arn:aws:signer:eu-west-1:111122223333:/signing-profiles/p/1"}}})).CodeSigningConfig
	must(w.PutFunctionCodeSigningConfig(w.ctx, &awslambda.PutFunctionCodeSigningConfigInput{FunctionName: f, CodeSigningConfigArn: made.CodeSigningConfigArn}))
	must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: python(t, "x = 1")})) // Warn is the default
	must(w.UpdateCodeSigningConfig(w.ctx, &awslambda.UpdateCodeSigningConfigInput{CodeSigningConfigArn: made.CodeSigningConfigArn,
		CodeSigningPolicies: &types.CodeSigningPolicies{UntrustedArtifactOnDeployment: types.CodeSigningPolicyEnforce}}))
	_, err = w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: python(t, "x = 2")})
	refuse(t, err, "CodeVerificationFailedException", 400)
	users := must(w.ListFunctionsByCodeSigningConfig(w.ctx, &awslambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: made.CodeSigningConfigArn}))
	if len(users.FunctionArns) != 1 || len(must(w.ListCodeSigningConfigs(w.ctx, &awslambda.ListCodeSigningConfigsInput{})).CodeSigningConfigs) != 1 {
		t.Errorf("used by %v", users.FunctionArns)
	}
	_, err = w.DeleteCodeSigningConfig(w.ctx, &awslambda.DeleteCodeSigningConfigInput{CodeSigningConfigArn: made.CodeSigningConfigArn})
	refuse(t, err, "ResourceConflictException", 409)
	must(w.DeleteFunctionCodeSigningConfig(w.ctx, &awslambda.DeleteFunctionCodeSigningConfigInput{FunctionName: f}))
	must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: python(t, "x = 2")}))
	must(w.DeleteCodeSigningConfig(w.ctx, &awslambda.DeleteCodeSigningConfigInput{CodeSigningConfigArn: made.CodeSigningConfigArn}))
	_, err = w.GetCodeSigningConfig(w.ctx, &awslambda.GetCodeSigningConfigInput{CodeSigningConfigArn: made.CodeSigningConfigArn})
	refuse(t, err, "CodeSigningConfigNotFoundException", 404)
}
