package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// hand is somebody else in the account, who calls the sandbox itself: what
// befalls Mooring's calls does not befall these.
type hand struct {
	urls   []string // of the cloud, as answers may name it
	lambda *lambda.Client
	iam    *iam.Client
	sqs    *sqs.Client
	secret *secretsmanager.Client
}

func newHand(c *cloud) *hand {
	cfg := awssdk.Config{
		Region: "eu-west-1", BaseEndpoint: awssdk.String(c.URL()), Credentials: credentials.NewStaticCredentialsProvider("alice", "any", ""),
		Retryer: func() awssdk.Retryer { return awssdk.NopRetryer{} },
	}
	return &hand{
		urls:   []string{c.URL(), c.door.URL, strings.TrimPrefix(c.URL(), "http://"), strings.TrimPrefix(c.door.URL, "http://")},
		lambda: lambda.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg), secret: secretsmanager.NewFromConfig(cfg),
	}
}

// furnish makes what belongs to others: the secret, a queue, and a function
// whose name is in the middle of the shop's.
func (h *hand) furnish(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	_, err := h.secret.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: awssdk.String("shop/stripe"), SecretString: awssdk.String("sk_VALUE"), ClientRequestToken: awssdk.String("00000000-0000-0000-0000-000000000001")})
	check(t, err)
	_, err = h.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: awssdk.String("alices-own")})
	check(t, err)
	_, err = h.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: awssdk.String("other"), AssumeRolePolicyDocument: awssdk.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	check(t, err)
	h.function(t, "production-other")
}

// function makes a function of somebody else's.
func (h *hand) function(t testing.TB, name string) {
	t.Helper()
	_, err := h.lambda.CreateFunction(context.Background(), &lambda.CreateFunctionInput{
		FunctionName: awssdk.String(name), Role: awssdk.String("arn:aws:iam::111111111111:role/other"), PackageType: types.PackageTypeImage,
		Code: &types.FunctionCode{ImageUri: awssdk.String("111111111111.dkr.ecr.eu-west-1.amazonaws.com/other:1")},
	})
	check(t, err)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patient tries again while somebody else's change is under way.
func (h *hand) patient(t testing.TB, act func(context.Context) error) {
	t.Helper()
	var err error
	for range 100 {
		if err = act(context.Background()); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal(err)
}

// meddle changes four things: a variable, where traffic goes, who may call,
// and what calls.
func (h *hand) meddle(t testing.TB) {
	t.Helper()
	fn := awssdk.String("production-checkout")
	h.patient(t, func(ctx context.Context) error {
		_, err := h.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: awssdk.String("production-fulfil"), Environment: &types.Environment{Variables: map[string]string{"LOG_LEVEL": "trace"}}})
		return err
	})
	h.patient(t, func(ctx context.Context) error {
		_, err := h.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: fn, Name: awssdk.String("live"),
			RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"1": 0.3}}})
		return err
	})
	h.patient(t, func(ctx context.Context) error {
		_, err := h.lambda.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: fn, Qualifier: awssdk.String("live"),
			StatementId: awssdk.String("everybody"), Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("*")})
		return err
	})
	h.patient(t, func(ctx context.Context) error {
		_, err := h.lambda.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{
			FunctionName: awssdk.String("production-fulfil:live"), EventSourceArn: awssdk.String("arn:aws:sqs:eu-west-1:111111111111:alices-own")})
		return err
	})
}

// state is what lives, in words that mean the same in every run.
type state struct {
	things   map[string]string
	versions map[string][]string // of each function: what each version carries
	changes  int                 // that Mooring made, when nothing went wrong
}

// differs says how s is not what was wanted; "" when it is.
func (s state) differs(want state) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(want.things)) {
		if got, ok := s.things[key]; !ok {
			out = append(out, key+" is gone")
		} else if got != want.things[key] {
			out = append(out, fmt.Sprintf("%s is %s, not %s", key, got, want.things[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.things)) {
		if _, ok := want.things[key]; !ok {
			out = append(out, key+" is there as well")
		}
	}
	return strings.Join(out, "\n")
}

// look reads everything of the account that Mooring could have touched.
func (h *hand) look(t testing.TB) state {
	t.Helper()
	s := state{things: map[string]string{}, versions: map[string][]string{}}
	ctx := context.Background()
	var marker *string
	for {
		list, err := h.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{Marker: marker})
		check(t, err)
		for i := range list.Functions {
			if name := awssdk.ToString(list.Functions[i].FunctionName); !strings.HasPrefix(name, "unrelated-") {
				h.lookFunction(ctx, t, s, &list.Functions[i])
			}
		}
		if marker = list.NextMarker; marker == nil {
			break
		}
	}
	h.lookMappings(ctx, t, s)
	h.lookQueues(ctx, t, s)
	h.lookRoles(ctx, t, s)
	return s
}

// secretARN ends in six letters by chance.
var secretARN = regexp.MustCompile(`secret:([a-z/]+)-[A-Za-z0-9]{6}`)

// set keeps what is the same in every run: addresses and times are not.
func (h *hand) set(s state, key string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte(err.Error())
	}
	out := string(text)
	for _, url := range h.urls {
		out = strings.ReplaceAll(out, url, "URL")
	}
	s.things[key] = secretARN.ReplaceAllString(out, "secret:$1-SUFFIX")
}

func (h *hand) lookFunction(ctx context.Context, t testing.TB, s state, c *types.FunctionConfiguration) {
	t.Helper()
	name := awssdk.ToString(c.FunctionName)
	key := "function " + name
	var env map[string]string
	if c.Environment != nil {
		env = c.Environment.Variables
	}
	h.set(s, key, []any{c.CodeSha256, c.MemorySize, c.Timeout, c.Runtime, c.Handler, c.Role, c.State, c.LastUpdateStatus, env})
	tags, err := h.lambda.ListTags(ctx, &lambda.ListTagsInput{Resource: c.FunctionArn})
	check(t, err)
	delete(tags.Tags, "mooring:release") // whichever changed it last, in this run
	h.set(s, key+" tags", tags.Tags)
	versions, err := h.lambda.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: &name})
	check(t, err)
	for i := range versions.Versions {
		if v := &versions.Versions[i]; awssdk.ToString(v.Version) != "$LATEST" {
			s.versions[name] = append(s.versions[name], fmt.Sprint(awssdk.ToString(v.CodeSha256), " ", awssdk.ToInt32(v.MemorySize), " ", v.Environment.Variables["LOG_LEVEL"]))
		}
	}
	aliases, err := h.lambda.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: &name})
	check(t, err)
	for _, a := range aliases.Aliases {
		var weights map[string]float64
		if a.RoutingConfig != nil && len(a.RoutingConfig.AdditionalVersionWeights) > 0 {
			weights = a.RoutingConfig.AdditionalVersionWeights
		}
		h.set(s, key+" alias "+awssdk.ToString(a.Name), []any{a.FunctionVersion, weights, a.Description})
		h.lookPolicy(ctx, s, name, awssdk.ToString(a.Name))
	}
	h.lookPolicy(ctx, s, name, "")
	urls, err := h.lambda.ListFunctionUrlConfigs(ctx, &lambda.ListFunctionUrlConfigsInput{FunctionName: &name})
	check(t, err)
	for _, u := range urls.FunctionUrlConfigs {
		h.set(s, key+" url", []any{u.AuthType, u.InvokeMode, u.FunctionArn})
	}
	async, err := h.lambda.ListFunctionEventInvokeConfigs(ctx, &lambda.ListFunctionEventInvokeConfigsInput{FunctionName: &name})
	check(t, err)
	for _, a := range async.FunctionEventInvokeConfigs {
		h.set(s, key+" async "+awssdk.ToString(a.FunctionArn), []any{a.MaximumRetryAttempts, a.DestinationConfig})
	}
	limit, err := h.lambda.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: &name})
	check(t, err)
	h.set(s, key+" concurrency", limit.ReservedConcurrentExecutions)
}

func (h *hand) lookPolicy(ctx context.Context, s state, name, qualifier string) {
	in := &lambda.GetPolicyInput{FunctionName: &name}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	out, err := h.lambda.GetPolicy(ctx, in)
	if err != nil {
		return // there is none, or the next look says
	}
	var doc struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(awssdk.ToString(out.Policy)), &doc); err != nil {
		doc.Statement = []map[string]any{{"unreadable": err.Error()}}
	}
	for _, st := range doc.Statement {
		h.set(s, fmt.Sprintf("function %s permission %s %v", name, qualifier, st["Sid"]), st)
	}
}

func (h *hand) lookMappings(ctx context.Context, t testing.TB, s state) {
	t.Helper()
	out, err := h.lambda.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{})
	check(t, err)
	seen := map[string]int{}
	for _, m := range out.EventSourceMappings {
		key := "mapping " + awssdk.ToString(m.EventSourceArn) + " to " + awssdk.ToString(m.FunctionArn)
		seen[key]++
		h.set(s, fmt.Sprint(key, " ", seen[key]), []any{m.BatchSize, m.State})
	}
}

func (h *hand) lookQueues(ctx context.Context, t testing.TB, s state) {
	t.Helper()
	out, err := h.sqs.ListQueues(ctx, &sqs.ListQueuesInput{})
	check(t, err)
	for _, url := range out.QueueUrls {
		a, err := h.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		check(t, err)
		maps.DeleteFunc(a.Attributes, func(k, _ string) bool {
			return strings.HasSuffix(k, "Timestamp") || strings.HasPrefix(k, "ApproximateNumber")
		})
		tags, err := h.sqs.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &url})
		check(t, err)
		delete(tags.Tags, "mooring:release")
		h.set(s, "queue "+url[strings.LastIndex(url, "/")+1:], []any{a.Attributes, tags.Tags})
	}
}

func (h *hand) lookRoles(ctx context.Context, t testing.TB, s state) {
	t.Helper()
	roles, err := h.iam.ListRoles(ctx, &iam.ListRolesInput{})
	check(t, err)
	for _, r := range roles.Roles {
		name := awssdk.ToString(r.RoleName)
		h.set(s, "role "+name, []any{r.AssumeRolePolicyDocument, r.Description})
		policies, err := h.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
		check(t, err)
		for _, p := range policies.PolicyNames {
			doc, err := h.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &p})
			check(t, err)
			h.set(s, "role "+name+" policy "+p, doc.PolicyDocument)
		}
	}
}
