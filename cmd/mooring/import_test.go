package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/web"
)

// account is an AWS that people have worked in.
type account struct {
	t      *testing.T
	lambda *lambda.Client
	iam    *iam.Client
	sqs    *sqs.Client

	kinesis *kinesis.Client
	role    string
	code    []byte

	environment []string // of programs that work in it
}

func newAccount(t *testing.T) *account {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Updating: 20 * time.Millisecond})
	check(t, err)
	check(t, s.Start(context.Background()))
	t.Cleanup(func() { check(t, s.Close()) })
	return accountAt(t, s.URL())
}

func accountAt(t *testing.T, url string) *account {
	t.Helper()
	cfg := awssdk.Config{Region: "eu-west-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("alice", "any", "")}
	var code bytes.Buffer
	w := zip.NewWriter(&code)
	f, err := w.Create("app.py")
	check(t, err)
	_, err = f.Write([]byte("def handle(event, context): return {}\n"))
	check(t, err)
	check(t, w.Close())
	environment := append(os.Environ(), "AWS_ENDPOINT_URL="+url, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=mooring", "AWS_SECRET_ACCESS_KEY=any",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "NO_COLOR=1")
	return &account{t: t, environment: environment, lambda: lambda.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg), kinesis: kinesis.NewFromConfig(cfg), code: code.Bytes()}
}

const trustLambda = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func (a *account) makeRole(name string) string {
	a.t.Helper()
	out, err := a.iam.CreateRole(a.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: awssdk.String(trustLambda), Description: awssdk.String("of " + name)})
	check(a.t, err)
	_, err = a.iam.PutRolePolicy(a.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: awssdk.String("queues"), PolicyDocument: awssdk.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs:eu-west-1:111111111111:production-orders"}}`)})
	check(a.t, err)
	_, err = a.iam.AttachRolePolicy(a.t.Context(), &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: awssdk.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")})
	check(a.t, err)
	return *out.Role.Arn
}

func (a *account) makeQueue(name string, attributes map[string]string) (url, arn string) {
	a.t.Helper()
	out, err := a.sqs.CreateQueue(a.t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	check(a.t, err)
	return *out.QueueUrl, "arn:aws:sqs:eu-west-1:111111111111:" + name
}

func (a *account) makeFunction(name string, env, tags map[string]string) string {
	a.t.Helper()
	_, err := a.lambda.CreateFunction(a.t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Role: &a.role, Runtime: types.RuntimePython312, Handler: awssdk.String("app.handle"), Timeout: awssdk.Int32(7),
		Code: &types.FunctionCode{ZipFile: a.code}, Environment: &types.Environment{Variables: env}, Tags: tags,
	})
	var made *types.ResourceConflictException
	if !errors.As(err, &made) { // moto may make one and lose its answer: the client asks again
		check(a.t, err)
	}
	check(a.t, lambda.NewFunctionActiveV2Waiter(a.lambda, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 50*time.Millisecond
	}).
		Wait(a.t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, 20*time.Second))
	out, err := a.lambda.GetFunction(a.t.Context(), &lambda.GetFunctionInput{FunctionName: &name})
	check(a.t, err)
	return *out.Configuration.FunctionArn
}

// secrets of the account, which nothing may show.
var accountSecrets = []string{"sk_live_51H8example0secret", "hunter2hunter2", "Zk3vQ9pXt7Lm2Rw8Yb5N"}

// furnish makes what an import meets: a function that goes through an alias,
// one that does not, what other tools and services made, and secrets.
func (a *account) furnish() {
	t := a.t
	ctx := t.Context()
	a.role = a.makeRole("production-checkout")
	_, dead := a.makeQueue("production-dead", nil)
	url, orders := a.makeQueue("production-orders", map[string]string{
		"VisibilityTimeout": "60", "RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `","maxReceiveCount":"4"}`,
	})
	name := "production-checkout"
	a.makeFunction(name, map[string]string{
		"LOG_LEVEL": "info", "ORDERS": url, "STRIPE_KEY": accountSecrets[0], "DATABASE": "postgres://shop:" + accountSecrets[1] + "@db/shop",
		"OPAQUE": accountSecrets[2], "GREETING": "Hello ${name}", "PORT": "8080",
	}, map[string]string{"team": "shop"})
	_, err := a.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &name})
	check(t, err)
	live := awssdk.String("live")
	alias, err := a.lambda.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &name, Name: live, FunctionVersion: awssdk.String("1"), Description: awssdk.String("what serves")})
	check(t, err)
	_, err = a.lambda.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{FunctionName: alias.AliasArn, EventSourceArn: &orders, BatchSize: awssdk.Int32(3)})
	check(t, err)
	_, err = a.lambda.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: &name, Qualifier: live, StatementId: awssdk.String("partner"),
		Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("222222222222")})
	check(t, err)
	_, err = a.lambda.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: &name, Qualifier: live, AuthType: types.FunctionUrlAuthTypeAwsIam})
	check(t, err)
	_, err = a.lambda.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: &name, Qualifier: live, MaximumRetryAttempts: awssdk.Int32(0),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &dead}}})
	check(t, err)
	_, err = a.lambda.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: awssdk.Int32(5)})
	check(t, err)

	plain := a.makeFunction("plain", nil, nil)
	_, err = a.lambda.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{FunctionName: &plain, EventSourceArn: &dead, Enabled: awssdk.Bool(false)})
	check(t, err)
	a.makeFunction("stacked", nil, map[string]string{"sst:app": "billing", "sst:stage": "production"})
	a.makeFunction("aws-controltower-forwarder", nil, nil)
}

// mooring runs the program.
func (a *account) mooring(args ...string) (stdout string, code int) {
	a.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(a.t.Context(), "mooring", args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = a.environment, &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		a.t.Fatal(err)
	}
	a.quiet("mooring "+args[0], out.String()+errs.String())
	if code = cmd.ProcessState.ExitCode(); code == exitError {
		a.t.Logf("mooring %v: %s%s", args, out.String(), errs.String())
	}
	return out.String(), code
}

// quiet: no secret of the account is in a text.
func (a *account) quiet(where, text string) {
	a.t.Helper()
	for _, secret := range accountSecrets {
		if strings.Contains(text, secret) {
			a.t.Errorf("%s shows a secret", where)
		}
	}
}

func (a *account) plan(dir string, more ...string) web.Plan {
	a.t.Helper()
	out, code := a.mooring(append([]string{"plan", "--path", dir, "--environment", "production", "-o", "json"}, more...)...)
	var p web.Plan
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		a.t.Fatalf("plan: exit %d, %v: %s", code, err, out)
	}
	return p
}

func (a *account) variables(name string) map[string]string {
	a.t.Helper()
	out, err := a.lambda.GetFunctionConfiguration(a.t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	check(a.t, err)
	return out.Environment.Variables
}

func TestImportOfAnAccount(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.furnish()
	_, err := a.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: awssdk.String("clicks"), ShardCount: awssdk.Int32(1)})
	check(t, err)
	_, err = a.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: awssdk.String("production-checkout"), PolicyName: awssdk.String("streams"), PolicyDocument: awssdk.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kinesis:*","Resource":"*"}}`)})
	check(t, err)
	_, err = a.lambda.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: awssdk.String("plain"), EventSourceArn: awssdk.String("arn:aws:kinesis:eu-west-1:111111111111:stream/clicks"),
		StartingPosition: types.EventSourcePositionLatest, ParallelizationFactor: awssdk.Int32(2), MaximumRetryAttempts: awssdk.Int32(3),
	})
	check(t, err)
	_, err = a.lambda.PutFunctionRecursionConfig(t.Context(), &lambda.PutFunctionRecursionConfigInput{FunctionName: awssdk.String("plain"), RecursiveLoop: types.RecursiveLoopAllow})
	check(t, err)
	_, err = a.lambda.PutProvisionedConcurrencyConfig(t.Context(), &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: awssdk.String("production-checkout"), Qualifier: awssdk.String("1"), ProvisionedConcurrentExecutions: awssdk.Int32(1)})
	check(t, err)
	before := a.variables("production-checkout")
	work := t.TempDir()
	dir, artifacts := filepath.Join(work, "shop"), filepath.Join(work, "code")
	if out, code := a.mooring("import", "--to", dir, "--all", "--environment", "production", "--artifacts", "file:"+artifacts); code != exitDone {
		t.Fatalf("import: exit %d: %s", code, out)
	}
	check(t, filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		a.quiet(path, string(text))
		return err
	}))
	report, err := os.ReadFile(filepath.Join(dir, "IMPORT.md"))
	check(t, err)
	for _, want := range []string{"STRIPE_KEY", "DATABASE", "OPAQUE", "Function stacked: made by sst", "aws-controltower-forwarder"} {
		if !strings.Contains(string(report), want) {
			t.Errorf("IMPORT.md does not name %s", want)
		}
	}

	// What was imported is what lives.
	p := a.plan(dir, "--artifacts", artifacts)
	if p.Outcome != "in_sync" || len(p.Steps) > 0 {
		t.Fatalf("the plan right after is not empty: %s %+v %+v", p.Outcome, p.Steps, p.Holds)
	}
	slices.Sort(p.Adopt)
	if diff := cmp.Diff([]string{"Function/checkout", "Function/plain", "Queue/dead", "Queue/orders", "Role/checkout"}, p.Adopt); diff != "" {
		t.Errorf("adopted -want +got:\n%s", diff)
	}

	// Adopting it changes nothing but tags.
	if out, code := a.mooring("run", "--once", "--path", dir, "--artifacts", artifacts, "--state", filepath.Join(work, "state"), "--timeout", "1m"); code != exitDone {
		t.Fatalf("run --once: exit %d: %s", code, out)
	}
	if p := a.plan(dir, "--artifacts", artifacts); p.Outcome != "in_sync" || len(p.Adopt) > 0 {
		t.Errorf("after adoption: %s, still to adopt %v, steps %+v", p.Outcome, p.Adopt, p.Steps)
	}
	if diff := cmp.Diff(before, a.variables("production-checkout")); diff != "" {
		t.Errorf("adoption changed variables -before +after:\n%s", diff)
	}
	versions, err := a.lambda.ListVersionsByFunction(t.Context(), &lambda.ListVersionsByFunctionInput{FunctionName: awssdk.String("production-checkout")})
	check(t, err)
	if len(versions.Versions) != 2 { // $LATEST and 1
		t.Errorf("adoption published: %d versions", len(versions.Versions))
	}

	// Again, everything is owned; and nothing is overwritten.
	if out, _ := a.mooring("import", "--to", filepath.Join(work, "again"), "--all"); !strings.Contains(out, "declared already by pipeline shop") {
		t.Errorf("an owned function was imported again: %s", out)
	}
	if _, code := a.mooring("import", "--to", dir, "--all", "--take", "all"); code != exitError {
		t.Errorf("a folder was overwritten: exit %d", code)
	}
}
