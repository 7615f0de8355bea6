package lambda_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

func TestNewFunctionIsPendingThenActiveWithAnotherRevision(t *testing.T) {
	w := newWorld(t)
	made := w.make("f", python(t, echo), nil)
	if made.State != types.StatePending || made.StateReasonCode != types.StateReasonCodeCreating || made.LastUpdateStatus != "" {
		t.Errorf("just made: state %q, reason %q, update %q", made.State, made.StateReasonCode, made.LastUpdateStatus)
	}
	_, err := w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("f")})
	refuse(t, err, "ResourceConflictException", 409)
	w.settle()
	now := w.config("f")
	if now.State != types.StateActive || now.LastUpdateStatus != types.LastUpdateStatusSuccessful {
		t.Errorf("later: state %q, update %q", now.State, now.LastUpdateStatus)
	}
	if *now.RevisionId == *made.RevisionId {
		t.Error("the RevisionId did not change from Pending to Active")
	}
}

func TestDefaultsThatComeBack(t *testing.T) {
	w := newWorld(t, instantly)
	made := w.make("f", python(t, echo), nil)
	got := fmt.Sprintln(*made.Timeout, *made.MemorySize, *made.EphemeralStorage.Size, made.TracingConfig.Mode, made.PackageType, made.Architectures,
		made.LoggingConfig.LogFormat, *made.LoggingConfig.LogGroup, made.SnapStart.ApplyOn, *made.Version, *made.FunctionArn)
	want := "3 128 512 PassThrough Zip [x86_64] Text /aws/lambda/f None $LATEST arn:aws:lambda:eu-west-1:111122223333:function:f\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if made.Environment != nil || made.VpcConfig != nil || made.DeadLetterConfig != nil || made.Layers != nil {
		t.Error("members that were never set are shown")
	}
	if *made.LastModified != "2026-03-01T12:00:00.000+0000" {
		t.Errorf("LastModified is %s", *made.LastModified)
	}
}

func TestEveryFieldComesBackAndSurvivesAnUnrelatedUpdate(t *testing.T) {
	w := newWorld(t, instantly)
	w.make("f", python(t, echo), func(in *awslambda.CreateFunctionInput) {
		in.Description, in.Timeout, in.MemorySize = aws.String("d"), aws.Int32(9), aws.Int32(256)
		in.Environment = &types.Environment{Variables: map[string]string{"LEVEL": "info"}}
		in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: aws.String("arn:aws:sqs:eu-west-1:111122223333:dlq")}
		in.KMSKeyArn = aws.String("arn:aws:kms:eu-west-1:111122223333:key/1")
		in.TracingConfig = &types.TracingConfig{Mode: types.TracingModeActive}
		in.EphemeralStorage = &types.EphemeralStorage{Size: aws.Int32(1024)}
		in.SnapStart = &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}
		in.LoggingConfig = &types.LoggingConfig{LogFormat: types.LogFormatJson}
		in.FileSystemConfigs = []types.FileSystemConfig{{Arn: aws.String("arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-1"), LocalMountPath: aws.String("/mnt/a")}}
		in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}}
		in.Architectures = []types.Architecture{types.ArchitectureArm64}
	})
	before := w.config("f")
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(10)}))
	after := w.config("f")
	if before.LoggingConfig.ApplicationLogLevel != types.ApplicationLogLevelInfo || before.VpcConfig.VpcId == nil {
		t.Error("AWS fills in log levels for JSON and the VPC's id")
	}
	*before.Timeout = 10
	if d := cmp.Diff(fields(before), fields(after)); d != "" {
		t.Errorf("an update of the timeout changed more (-before +after):\n%s", d)
	}
}

func fields(c *awslambda.GetFunctionConfigurationOutput) map[string]any {
	return map[string]any{"description": c.Description, "timeout": c.Timeout, "memory": c.MemorySize, "env": c.Environment.Variables, "dlq": *c.DeadLetterConfig.TargetArn,
		"kms": c.KMSKeyArn, "tracing": c.TracingConfig.Mode, "storage": *c.EphemeralStorage.Size, "snap": c.SnapStart.ApplyOn, "format": c.LoggingConfig.LogFormat,
		"fs": *c.FileSystemConfigs[0].LocalMountPath, "subnets": c.VpcConfig.SubnetIds, "groups": c.VpcConfig.SecurityGroupIds, "arch": c.Architectures, "code": *c.CodeSha256}
}

func TestEmptyClearsAndAbsentKeeps(t *testing.T) {
	w := newWorld(t, instantly)
	w.make("f", python(t, echo), func(in *awslambda.CreateFunctionInput) {
		in.Description = aws.String("d")
		in.Environment = &types.Environment{Variables: map[string]string{"A1": "1", "B1": "2"}}
		in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: aws.String("arn:aws:sqs:eu-west-1:111122223333:dlq")}
		in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}}
	})
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"),
		Environment: &types.Environment{Variables: map[string]string{"C1": "3"}}}))
	c := w.config("f")
	if d := cmp.Diff(map[string]string{"C1": "3"}, c.Environment.Variables); d != "" {
		t.Errorf("the environment is replaced whole: %s", d)
	}
	if *c.Description != "d" || c.DeadLetterConfig == nil {
		t.Error("what was not said was not kept")
	}
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Description: aws.String(""),
		Environment: &types.Environment{Variables: map[string]string{}}, DeadLetterConfig: &types.DeadLetterConfig{TargetArn: aws.String("")},
		VpcConfig: &types.VpcConfig{SubnetIds: []string{}, SecurityGroupIds: []string{}}}))
	c = w.config("f")
	if c.Environment != nil && len(c.Environment.Variables) > 0 || *c.Description != "" || c.DeadLetterConfig != nil || len(c.VpcConfig.SubnetIds) > 0 {
		t.Error("what was sent empty was not cleared")
	}
}

func TestRevisionIdChangesTwicePerUpdate(t *testing.T) {
	w := newWorld(t)
	w.ready("f")
	before := w.revision("f")
	during := *must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(5)})).RevisionId
	if w.revision("f") != during {
		t.Error("the RevisionId moved within the window")
	}
	w.settle()
	after := w.revision("f")
	if before == during || during == after || before == after {
		t.Errorf("want three RevisionIds, got %s, %s, %s", before, during, after)
	}
	same := *must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: python(t, echo)})).RevisionId
	w.settle()
	if same == after || w.revision("f") == same {
		t.Error("an update with the same zip changes the RevisionId twice as well")
	}
}

func TestRevisionIdOfAnAnswerIsStaleEvenWhenUpdatesAreInstant(t *testing.T) {
	w := newWorld(t, instantly)
	made := w.make("f", python(t, echo), nil)
	if w.revision("f") == *made.RevisionId {
		t.Error("create")
	}
	out := must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(5)}))
	if w.revision("f") == *out.RevisionId {
		t.Error("configuration")
	}
	code := must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: python(t, echo)}))
	if w.revision("f") == *code.RevisionId {
		t.Error("code")
	}
}

func TestUpdatesConflictWhileOneIsInProgress(t *testing.T) {
	w := newWorld(t)
	w.ready("f")
	name := aws.String("f")
	out := must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: aws.Int32(5)}))
	if out.LastUpdateStatus != types.LastUpdateStatusInProgress || out.LastUpdateStatusReasonCode != "Creating" || out.State != types.StateActive {
		t.Errorf("during: %q %q %q", out.State, out.LastUpdateStatus, out.LastUpdateStatusReasonCode)
	}
	_, err := w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: python(t, echo)})
	refuse(t, err, "ResourceConflictException", 409)
	_, err = w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: aws.Int32(6)})
	refuse(t, err, "ResourceConflictException", 409)
	_, err = w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: name})
	refuse(t, err, "ResourceConflictException", 409)
	_, err = w.TagResource(w.ctx, &awslambda.TagResourceInput{Resource: out.FunctionArn, Tags: map[string]string{"a": "b"}})
	refuse(t, err, "ResourceConflictException", 409)
	w.settle()
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: aws.Int32(6)}))
}

func TestStaleRevisionIsRefusedEverywhere(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	name, stale := aws.String("f"), aws.String("00000000-0000-4000-8000-000000000000")
	_, err := w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: python(t, echo), RevisionId: stale})
	refuse(t, err, "PreconditionFailedException", 412)
	_, err = w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: name, RevisionId: stale})
	refuse(t, err, "PreconditionFailedException", 412)
	_, err = w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: name, RevisionId: stale})
	refuse(t, err, "PreconditionFailedException", 412)
	current := w.revision("f")
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: name, RevisionId: &current}))
}

func TestTagsChangeTheRevisionEachTime(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	arn := w.config("f").FunctionArn
	seen := map[string]bool{w.revision("f"): true}
	must(w.TagResource(w.ctx, &awslambda.TagResourceInput{Resource: arn, Tags: map[string]string{"a": "1", "b": "2"}}))
	seen[w.revision("f")] = true
	must(w.UntagResource(w.ctx, &awslambda.UntagResourceInput{Resource: arn, TagKeys: []string{"a"}}))
	seen[w.revision("f")] = true
	if len(seen) != 3 {
		t.Errorf("want 3 RevisionIds, got %d", len(seen))
	}
	if d := cmp.Diff(map[string]string{"b": "2"}, must(w.ListTags(w.ctx, &awslambda.ListTagsInput{Resource: arn})).Tags); d != "" {
		t.Error(d)
	}
	_, err := w.TagResource(w.ctx, &awslambda.TagResourceInput{Resource: aws.String(*arn + ":live"), Tags: map[string]string{"a": "1"}})
	refuse(t, err, "InvalidParameterValueException", 400)
}

func TestRefusedConfigurations(t *testing.T) {
	w := newWorld(t, instantly)
	for name, c := range map[string]struct {
		code   string
		change func(*awslambda.CreateFunctionInput)
	}{
		"unknown runtime":       {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.Runtime = "python9.9" }},
		"too much memory":       {"ValidationException", func(in *awslambda.CreateFunctionInput) { in.MemorySize = aws.Int32(10241) }},
		"too long a timeout":    {"ValidationException", func(in *awslambda.CreateFunctionInput) { in.Timeout = aws.Int32(901) }},
		"name over 64":          {"ValidationException", func(in *awslambda.CreateFunctionInput) { in.FunctionName = aws.String(strings.Repeat("a", 65)) }},
		"name with a blank":     {"ValidationException", func(in *awslambda.CreateFunctionInput) { in.FunctionName = aws.String("a b") }},
		"no role":               {"ValidationException", func(in *awslambda.CreateFunctionInput) { in.Role = aws.String("shop") }},
		"six layers":            {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.Layers = layers(6) }},
		"layer that is not":     {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.Layers = layers(1) }},
		"no handler":            {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.Handler = nil }},
		"not a zip":             {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.Code.ZipFile = []byte("hello") }},
		"zip that climbs out":   {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.Code.ZipFile = zipped(t, file{name: "../x", content: "x"}) }},
		"no code":               {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.Code = &types.FunctionCode{} }},
		"reserved variable":     {"InvalidParameterValueException", env("AWS_REGION", "x")},
		"environment over 4 KB": {"InvalidParameterValueException", env("BIG", strings.Repeat("x", 4096))},
		"a capacity provider": {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) {
			in.CapacityProviderConfig = &types.CapacityProviderConfig{LambdaManagedInstancesCapacityProviderConfig: &types.LambdaManagedInstancesCapacityProviderConfig{
				CapacityProviderArn: aws.String("arn:aws:lambda:eu-west-1:111122223333:capacity-provider:c")}}
		}},
		"subnets without groups": {"InvalidParameterValueException", func(in *awslambda.CreateFunctionInput) { in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"s"}} }},
	} {
		t.Run(name, func(t *testing.T) {
			in := &awslambda.CreateFunctionInput{FunctionName: aws.String("f"), Role: aws.String(role), Runtime: types.RuntimePython312,
				Handler: aws.String("app.handler"), Code: &types.FunctionCode{ZipFile: python(t, echo)}}
			c.change(in)
			_, err := w.CreateFunction(w.ctx, in)
			refuse(t, err, c.code, 400)
		})
	}
}

func layers(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("arn:aws:lambda:eu-west-1:111122223333:layer:l%d:1", i))
	}
	return out
}

func env(name, value string) func(*awslambda.CreateFunctionInput) {
	return func(in *awslambda.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{name: value}}
	}
}

func TestRoleThatLambdaCannotAssumeIsRefused(t *testing.T) {
	w := newWorld(t, instantly, withRoles(roles{role: nil}))
	w.ready("f")
	_, err := w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Role: aws.String(role + "-gone")})
	refuse(t, err, "InvalidParameterValueException", 400)
	if !strings.Contains(err.Error(), "The role defined for the function cannot be assumed by Lambda") {
		t.Errorf("clients retry by this text: %v", err)
	}
}

func TestCodeFromObjectsByVersion(t *testing.T) {
	one, two := python(t, echo), python(t, echo+"\n# two")
	w := newWorld(t, instantly, withObjects(objects{"b/k@1": one, "b/k@2": two}))
	w.make("f", nil, func(in *awslambda.CreateFunctionInput) {
		in.Code = &types.FunctionCode{S3Bucket: aws.String("b"), S3Key: aws.String("k"), S3ObjectVersion: aws.String("1")}
	})
	first := *w.config("f").CodeSha256
	must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), S3Bucket: aws.String("b"), S3Key: aws.String("k"), S3ObjectVersion: aws.String("2")}))
	if *w.config("f").CodeSha256 == first {
		t.Error("another object version is other code")
	}
	refer := &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), S3Bucket: aws.String("b"), S3Key: aws.String("k"), S3ObjectVersion: aws.String("2"), S3ObjectStorageMode: types.S3ObjectStorageModeReference}
	must(w.UpdateFunctionCode(w.ctx, refer))
	if got := must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("f")})).Code.ResolvedS3Object; got == nil || *got.S3ObjectVersion != "2" {
		t.Errorf("a reference shows its object: %+v", got)
	}
	refer.S3ObjectStorageMode = "" // which goes back to a copy, without a word
	must(w.UpdateFunctionCode(w.ctx, refer))
	if got := must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("f")})).Code.ResolvedS3Object; got != nil {
		t.Errorf("a copy shows none: %+v", got)
	}
	_, err := w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), S3Bucket: aws.String("b"), S3Key: aws.String("gone")})
	refuse(t, err, "InvalidParameterValueException", 400)
	if !strings.Contains(err.Error(), "NoSuchKey") {
		t.Errorf("S3's code is named: %v", err)
	}
}

func TestCodeLocationServesTheZip(t *testing.T) {
	w := newWorld(t, instantly)
	code := python(t, echo)
	w.make("f", code, nil)
	location := *must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("f")})).Code.Location
	response := must(http.Get(location))
	defer response.Body.Close()
	if got := must(io.ReadAll(response.Body)); string(got) != string(code) {
		t.Errorf("%s does not serve the zip", location)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestDryRunChangesNothing(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	before := w.config("f")
	out := must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: python(t, "x = 1"), DryRun: true}))
	after := w.config("f")
	if *out.CodeSha256 == *before.CodeSha256 {
		t.Error("a dry run answers with the digest that the code would have")
	}
	if *after.CodeSha256 != *before.CodeSha256 || *after.RevisionId != *before.RevisionId {
		t.Error("a dry run changed the function")
	}
}

func TestLastModifiedMovesWithUpdates(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	before := *w.config("f").LastModified
	w.clock.Advance(time.Minute)
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(7)}))
	if *w.config("f").LastModified == before {
		t.Error("LastModified stood still")
	}
}

func TestRecordsHoldNoSecretsAndNoCode(t *testing.T) {
	w := newWorld(t, instantly)
	w.make("f", python(t, echo), env("TOKEN", "hush-hush"))
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(4),
		Environment: &types.Environment{Variables: map[string]string{"TOKEN": "hush-hush"}}}))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if text := fmt.Sprint(c.Params, c.Response); strings.Contains(text, "hush") || strings.Contains(text, "zipFile") {
			t.Errorf("%s recorded %s", c.Operation, text)
		}
	}
	last := w.calls[len(w.calls)-1]
	if last.Operation != "UpdateFunctionConfiguration" || last.Params["functionName"] != "f" || last.Params["timeout"] != 4.0 || last.ReadOnly || last.Status != 200 || last.Response["revisionId"] == nil {
		t.Errorf("recorded %+v", last)
	}
}

func TestImageFunctionsKeepTheirDigest(t *testing.T) {
	w := newWorld(t, instantly)
	digest := strings.Repeat("ab", 32)
	uri := "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop@sha256:" + digest
	must(w.CreateFunction(w.ctx, &awslambda.CreateFunctionInput{FunctionName: aws.String("img"), Role: aws.String(role), PackageType: types.PackageTypeImage,
		Code: &types.FunctionCode{ImageUri: &uri}, ImageConfig: &types.ImageConfig{Command: []string{"a"}}}))
	out := must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("img")}))
	if *out.Code.ResolvedImageUri != uri || *out.Configuration.CodeSha256 != digest || *out.Code.RepositoryType != "ECR" {
		t.Errorf("%+v %s", out.Code, *out.Configuration.CodeSha256)
	}
	_, err := w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("img"), ZipFile: python(t, echo)})
	refuse(t, err, "InvalidParameterValueException", 400)
	_, err = w.Invoke(w.ctx, &awslambda.InvokeInput{FunctionName: aws.String("img")})
	refuse(t, err, "InvalidRuntimeException", 502)
}
