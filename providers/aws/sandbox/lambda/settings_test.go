package lambda_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

func (w *world) permit(sid, qualifier string) error {
	in := &awslambda.AddPermissionInput{FunctionName: aws.String("f"), StatementId: &sid, Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("sns.amazonaws.com")}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	_, err := w.AddPermission(w.ctx, in)
	return err
}

func (w *world) policy(qualifier string) (document string, revision string) {
	w.t.Helper()
	in := &awslambda.GetPolicyInput{FunctionName: aws.String("f")}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	out := must(w.GetPolicy(w.ctx, in))
	return *out.Policy, *out.RevisionId
}

func TestEveryQualifierHasItsOwnPolicy(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	for _, qualifier := range []string{"", "1", "live"} {
		if err := w.permit("sns", qualifier); err != nil { // the same Sid: three policies
			t.Fatal(err)
		}
	}
	document, _ := w.policy("live")
	p := decode[struct{ Statement []map[string]any }](t, []byte(document))
	if len(p.Statement) != 1 || p.Statement[0]["Resource"] != "arn:aws:lambda:eu-west-1:111122223333:function:f:live" {
		t.Errorf("the alias's policy is %s", document)
	}
	_, err := w.GetPolicy(w.ctx, &awslambda.GetPolicyInput{FunctionName: aws.String("f"), Qualifier: aws.String("2")})
	refuse(t, err, "ResourceNotFoundException", 404)
	_, err = w.RemovePermission(w.ctx, &awslambda.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("sns"), Qualifier: aws.String("2")})
	refuse(t, err, "ResourceNotFoundException", 404)
	refuse(t, w.permit("x", "$LATEST"), "InvalidParameterValueException", 400)
}

func TestPolicyRevisionIsItsOwn(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	before := w.revision("f")
	if err := w.permit("a", ""); err != nil {
		t.Fatal(err)
	}
	_, first := w.policy("")
	if err := w.permit("b", ""); err != nil {
		t.Fatal(err)
	}
	_, second := w.policy("")
	if first == second || w.revision("f") != before {
		t.Error("statements move the policy's RevisionId and not the function's")
	}
	_, err := w.AddPermission(w.ctx, &awslambda.AddPermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("c"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("sns.amazonaws.com"), RevisionId: &first})
	refuse(t, err, "PreconditionFailedException", 412)
	_, err = w.RemovePermission(w.ctx, &awslambda.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("a"), RevisionId: &first})
	refuse(t, err, "PreconditionFailedException", 412)
	if !strings.Contains(err.Error(), "GetPolicy") {
		t.Errorf("the text names GetPolicy: %v", err)
	}
	must(w.RemovePermission(w.ctx, &awslambda.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("a"), RevisionId: &second}))
}

func TestPolicyStatementForms(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	add := func(in awslambda.AddPermissionInput) map[string]any {
		in.FunctionName, in.StatementId = aws.String("f"), aws.String(fmt.Sprintf("s%p", &in))
		return decode[map[string]any](t, []byte(*must(w.AddPermission(w.ctx, &in)).Statement))
	}
	got := add(awslambda.AddPermissionInput{Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("444455556666")})
	if d := cmp.Diff(map[string]any{"AWS": "arn:aws:iam::444455556666:root"}, got["Principal"]); d != "" {
		t.Error(d)
	}
	got = add(awslambda.AddPermissionInput{Action: aws.String("lambda:InvokeFunctionUrl"), Principal: aws.String("*"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone})
	want := map[string]any{"StringEquals": map[string]any{"lambda:FunctionUrlAuthType": "NONE"}}
	if d := cmp.Diff(want, got["Condition"]); d != "" || got["Principal"] != "*" {
		t.Error(got["Principal"], d)
	}
	got = add(awslambda.AddPermissionInput{Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("s3.amazonaws.com"), SourceArn: aws.String("arn:aws:s3:::b"), SourceAccount: aws.String("111122223333")})
	want = map[string]any{"ArnLike": map[string]any{"AWS:SourceArn": "arn:aws:s3:::b"}, "StringEquals": map[string]any{"AWS:SourceAccount": "111122223333"}}
	if d := cmp.Diff(want, got["Condition"]); d != "" {
		t.Error(d)
	}
	got = add(awslambda.AddPermissionInput{Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("*"), InvokedViaFunctionUrl: aws.Bool(true)})
	if d := cmp.Diff(map[string]any{"Bool": map[string]any{"lambda:InvokedViaFunctionUrl": "true"}}, got["Condition"]); d != "" {
		t.Error(d)
	}
}

func TestPolicyLimits(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	if err := w.permit("a", ""); err != nil {
		t.Fatal(err)
	}
	refuse(t, w.permit("a", ""), "ResourceConflictException", 409)
	var err error
	for i := 0; err == nil && i < 500; i++ {
		err = w.permit(strings.Repeat("s", 90)+fmt.Sprint(i), "")
	}
	refuse(t, err, "PolicyLengthExceededException", 400)
	document, _ := w.policy("")
	if n := len(document); n > 20480 || n < 20000 {
		t.Errorf("the policy grew to %d bytes", n)
	}
}

func TestReservedConcurrencyNoughtIsAValue(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	f := aws.String("f")
	if out := must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: f})); out.Concurrency != nil {
		t.Error("nothing is reserved at first")
	}
	must(w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(0)}))
	out := must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: f}))
	if out.Concurrency == nil || out.Concurrency.ReservedConcurrentExecutions == nil || *out.Concurrency.ReservedConcurrentExecutions != 0 {
		t.Errorf("0 shows as %+v", out.Concurrency)
	}
	_, err := w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: f})
	refuse(t, err, "TooManyRequestsException", 429)
	if !strings.Contains(fmt.Sprintf("%+v", reason(err)), "ReservedFunctionConcurrentInvocationLimitExceeded") {
		t.Errorf("the reason is %v", reason(err))
	}
	must(w.DeleteFunctionConcurrency(w.ctx, &awslambda.DeleteFunctionConcurrencyInput{FunctionName: f}))
	if got := must(w.GetFunctionConcurrency(w.ctx, &awslambda.GetFunctionConcurrencyInput{FunctionName: f})); got.ReservedConcurrentExecutions != nil {
		t.Error("a deleted reservation is absent")
	}
}

func TestReservationsLeaveAHundredForTheRest(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	w.ready("g")
	must(w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(900)}))
	_, err := w.PutFunctionConcurrency(w.ctx, &awslambda.PutFunctionConcurrencyInput{FunctionName: aws.String("g"), ReservedConcurrentExecutions: aws.Int32(1)})
	refuse(t, err, "InvalidParameterValueException", 400)
	limits := must(w.GetAccountSettings(w.ctx, &awslambda.GetAccountSettingsInput{}))
	if limits.AccountLimit.ConcurrentExecutions != 1000 || *limits.AccountLimit.UnreservedConcurrentExecutions != 100 || limits.AccountUsage.FunctionCount != 2 {
		t.Errorf("%+v %+v", limits.AccountLimit, limits.AccountUsage)
	}
}

func TestPutReplacesAndUpdateMergesAsyncConfiguration(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	f := aws.String("f")
	to := &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:sqs:eu-west-1:111122223333:dlq")}}
	put := must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: f, MaximumRetryAttempts: aws.Int32(0), DestinationConfig: to}))
	if *put.FunctionArn != "arn:aws:lambda:eu-west-1:111122223333:function:f:$LATEST" {
		t.Errorf("the unqualified configuration is that of %s", *put.FunctionArn)
	}
	merged := must(w.UpdateFunctionEventInvokeConfig(w.ctx, &awslambda.UpdateFunctionEventInvokeConfigInput{FunctionName: f, MaximumEventAgeInSeconds: aws.Int32(60)}))
	if merged.MaximumRetryAttempts == nil || *merged.MaximumRetryAttempts != 0 || merged.DestinationConfig.OnFailure.Destination == nil {
		t.Errorf("an update keeps the rest: %+v", merged)
	}
	replaced := must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: f, MaximumEventAgeInSeconds: aws.Int32(90)}))
	if replaced.MaximumRetryAttempts != nil || replaced.DestinationConfig.OnFailure.Destination != nil {
		t.Errorf("a put forgets the rest: %+v", replaced)
	}
	must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: f, Qualifier: aws.String("1"), MaximumRetryAttempts: aws.Int32(1)}))
	if list := must(w.ListFunctionEventInvokeConfigs(w.ctx, &awslambda.ListFunctionEventInvokeConfigsInput{FunctionName: f})); len(list.FunctionEventInvokeConfigs) != 2 {
		t.Errorf("%d configurations", len(list.FunctionEventInvokeConfigs))
	}
	_, err := w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: f})
	refuse(t, err, "InvalidParameterValueException", 400)
	must(w.DeleteFunctionEventInvokeConfig(w.ctx, &awslambda.DeleteFunctionEventInvokeConfigInput{FunctionName: f}))
	_, err = w.GetFunctionEventInvokeConfig(w.ctx, &awslambda.GetFunctionEventInvokeConfigInput{FunctionName: f})
	refuse(t, err, "ResourceNotFoundException", 404)
}

func TestFunctionURLsBelongToFunctionsAndAliases(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	f := aws.String("f")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	one := must(w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeNone}))
	two := must(w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: f, Qualifier: aws.String("live"), AuthType: types.FunctionUrlAuthTypeAwsIam,
		Cors: &types.Cors{AllowOrigins: []string{"*"}}}))
	if *one.FunctionUrl == *two.FunctionUrl || one.InvokeMode != types.InvokeModeBuffered {
		t.Errorf("%s %s %s", *one.FunctionUrl, *two.FunctionUrl, one.InvokeMode)
	}
	_, err := w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeNone})
	refuse(t, err, "ResourceConflictException", 409)
	_, err = w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: f, Qualifier: aws.String("1"), AuthType: types.FunctionUrlAuthTypeNone})
	refuse(t, err, "ValidationException", 400)
	changed := must(w.UpdateFunctionUrlConfig(w.ctx, &awslambda.UpdateFunctionUrlConfigInput{FunctionName: f, Qualifier: aws.String("live"), InvokeMode: types.InvokeModeResponseStream}))
	if changed.AuthType != types.FunctionUrlAuthTypeAwsIam || changed.Cors == nil || *changed.FunctionUrl != *two.FunctionUrl {
		t.Errorf("an update keeps the rest: %+v", changed)
	}
	if list := must(w.ListFunctionUrlConfigs(w.ctx, &awslambda.ListFunctionUrlConfigsInput{FunctionName: f})); len(list.FunctionUrlConfigs) != 2 {
		t.Errorf("%d URLs", len(list.FunctionUrlConfigs))
	}
	must(w.DeleteFunctionUrlConfig(w.ctx, &awslambda.DeleteFunctionUrlConfigInput{FunctionName: f}))
	_, err = w.GetFunctionUrlConfig(w.ctx, &awslambda.GetFunctionUrlConfigInput{FunctionName: f})
	refuse(t, err, "ResourceNotFoundException", 404)
}

func TestProvisionedConcurrencyOnVersionAndAliasExclude(t *testing.T) {
	w := newWorld(t)
	twoVersions(w)
	f := aws.String("f")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	put := func(qualifier string) error {
		_, err := w.PutProvisionedConcurrencyConfig(w.ctx, &awslambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: &qualifier, ProvisionedConcurrentExecutions: aws.Int32(1)})
		return err
	}
	if err := put("1"); err != nil {
		t.Fatal(err)
	}
	refuse(t, put("live"), "ResourceConflictException", 409)
	refuse(t, put("$LATEST"), "InvalidParameterValueException", 400)
	get := &awslambda.GetProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1")}
	if out := must(w.GetProvisionedConcurrencyConfig(w.ctx, get)); out.Status != types.ProvisionedConcurrencyStatusEnumInProgress || *out.AvailableProvisionedConcurrentExecutions != 0 {
		t.Errorf("at first %s", out.Status)
	}
	w.settle()
	if out := must(w.GetProvisionedConcurrencyConfig(w.ctx, get)); out.Status != types.ProvisionedConcurrencyStatusEnumReady {
		t.Errorf("later %s", out.Status)
	}
	if list := must(w.ListProvisionedConcurrencyConfigs(w.ctx, &awslambda.ListProvisionedConcurrencyConfigsInput{FunctionName: f})); len(list.ProvisionedConcurrencyConfigs) != 1 {
		t.Errorf("%d listed", len(list.ProvisionedConcurrencyConfigs))
	}
	must(w.DeleteProvisionedConcurrencyConfig(w.ctx, &awslambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("1")}))
	_, err := w.GetProvisionedConcurrencyConfig(w.ctx, get)
	refuse(t, err, "ProvisionedConcurrencyConfigNotFoundException", 404)
}

func TestRuntimeManagementAndRecursion(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	f := aws.String("f")
	if out := must(w.GetRuntimeManagementConfig(w.ctx, &awslambda.GetRuntimeManagementConfigInput{FunctionName: f})); out.UpdateRuntimeOn != types.UpdateRuntimeOnAuto {
		t.Errorf("the default is %s", out.UpdateRuntimeOn)
	}
	_, err := w.PutRuntimeManagementConfig(w.ctx, &awslambda.PutRuntimeManagementConfigInput{FunctionName: f, UpdateRuntimeOn: types.UpdateRuntimeOnManual})
	refuse(t, err, "InvalidParameterValueException", 400)
	must(w.PutRuntimeManagementConfig(w.ctx, &awslambda.PutRuntimeManagementConfigInput{FunctionName: f, Qualifier: aws.String("1"), UpdateRuntimeOn: types.UpdateRuntimeOnFunctionUpdate}))
	if out := must(w.GetRuntimeManagementConfig(w.ctx, &awslambda.GetRuntimeManagementConfigInput{FunctionName: f})); out.UpdateRuntimeOn != types.UpdateRuntimeOnAuto {
		t.Error("the mode is the version's, not the function's")
	}
	if out := must(w.GetFunctionRecursionConfig(w.ctx, &awslambda.GetFunctionRecursionConfigInput{FunctionName: f})); out.RecursiveLoop != types.RecursiveLoopTerminate {
		t.Errorf("the default is %s", out.RecursiveLoop)
	}
	must(w.PutFunctionRecursionConfig(w.ctx, &awslambda.PutFunctionRecursionConfigInput{FunctionName: f, RecursiveLoop: types.RecursiveLoopAllow}))
	if out := must(w.GetFunctionRecursionConfig(w.ctx, &awslambda.GetFunctionRecursionConfigInput{FunctionName: f})); out.RecursiveLoop != types.RecursiveLoopAllow {
		t.Errorf("after the put %s", out.RecursiveLoop)
	}
}

func TestLayersArePublishedNumberedAndKeptWhileInUse(t *testing.T) {
	w := newWorld(t, instantly)
	code := zipped(t, file{name: "python/extra.py", content: "x = 1"})
	publish := func() *awslambda.PublishLayerVersionOutput {
		return must(w.PublishLayerVersion(w.ctx, &awslambda.PublishLayerVersionInput{LayerName: aws.String("extra"), Content: &types.LayerVersionContentInput{ZipFile: code}}))
	}
	one, two := publish(), publish()
	if one.Version != 1 || two.Version != 2 || two.Content.CodeSize != int64(len(code)) {
		t.Errorf("versions %d, %d", one.Version, two.Version)
	}
	w.make("f", python(t, echo), func(in *awslambda.CreateFunctionInput) { in.Layers = []string{*one.LayerVersionArn} })
	_, err := w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Layers: []string{*one.LayerVersionArn, *two.LayerVersionArn}})
	refuse(t, err, "InvalidParameterValueException", 400)
	must(w.DeleteLayerVersion(w.ctx, &awslambda.DeleteLayerVersionInput{LayerName: aws.String("extra"), VersionNumber: aws.Int64(1)}))
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(4)})) // it is in use
	_, err = w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Layers: []string{*one.LayerVersionArn}})
	refuse(t, err, "InvalidParameterValueException", 400)
	list := must(w.ListLayers(w.ctx, &awslambda.ListLayersInput{}))
	if len(list.Layers) != 1 || list.Layers[0].LatestMatchingVersion.Version != 2 {
		t.Errorf("%+v", list.Layers)
	}
	if n := len(must(w.ListLayerVersions(w.ctx, &awslambda.ListLayerVersionsInput{LayerName: aws.String("extra")})).LayerVersions); n != 1 {
		t.Errorf("%d versions", n)
	}
	must(w.GetLayerVersionByArn(w.ctx, &awslambda.GetLayerVersionByArnInput{Arn: two.LayerVersionArn}))
	_, err = w.GetLayerVersion(w.ctx, &awslambda.GetLayerVersionInput{LayerName: aws.String("extra"), VersionNumber: aws.Int64(1)})
	refuse(t, err, "ResourceNotFoundException", 404)
}

func TestUnknownOperationIsRefused(t *testing.T) {
	w := newWorld(t)
	request := must(http.NewRequestWithContext(w.ctx, http.MethodPatch, w.url+"/2015-03-31/functions/f", nil))
	response := must(http.DefaultClient.Do(request))
	response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if response.StatusCode != http.StatusNotFound || w.lastCall().Operation != "" {
		t.Errorf("%d %q", response.StatusCode, w.lastCall().Operation)
	}
}

func TestSettingsByQualifierComeInPages(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	f := aws.String("f")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	for _, qualifier := range []*string{nil, aws.String("live")} {
		must(w.PutFunctionEventInvokeConfig(w.ctx, &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: f, Qualifier: qualifier, MaximumRetryAttempts: aws.Int32(0)}))
		must(w.CreateFunctionUrlConfig(w.ctx, &awslambda.CreateFunctionUrlConfigInput{FunctionName: f, Qualifier: qualifier, AuthType: types.FunctionUrlAuthTypeAwsIam}))
	}
	configs, urls := 0, 0
	for p := awslambda.NewListFunctionEventInvokeConfigsPaginator(w.Client, &awslambda.ListFunctionEventInvokeConfigsInput{FunctionName: f, MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		configs += len(must(p.NextPage(w.ctx)).FunctionEventInvokeConfigs)
	}
	for p := awslambda.NewListFunctionUrlConfigsPaginator(w.Client, &awslambda.ListFunctionUrlConfigsInput{FunctionName: f, MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		urls += len(must(p.NextPage(w.ctx)).FunctionUrlConfigs)
	}
	if configs != 2 || urls != 2 {
		t.Errorf("by pages of one there are %d configurations and %d URLs, want 2 and 2", configs, urls)
	}
}
