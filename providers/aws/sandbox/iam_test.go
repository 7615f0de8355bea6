package sandbox_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
)

func trusting(principal string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`)
}

func TestAuthorizationDetailsHoldEveryRoleWhole(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := iam.NewFromConfig(as(s, "alice"))
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]}`
	for i := range 3 {
		name := aws.String(fmt.Sprintf("role-%d", i))
		must(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(lambdaTrust), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("payments")}}}))(t)
		must(c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("queue"), PolicyDocument: &document}))(t)
		must(c.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")}))(t)
	}
	pages := iam.NewGetAccountAuthorizationDetailsPaginator(c, &iam.GetAccountAuthorizationDetailsInput{
		Filter: []types.EntityType{types.EntityTypeRole}, MaxItems: aws.Int32(2),
	})
	seen, count := 0, 0
	for pages.HasMorePages() {
		page := must(pages.NextPage(t.Context()))(t)
		count++
		for _, r := range page.RoleDetailList {
			seen++
			got := must(url.PathUnescape(*r.RolePolicyList[0].PolicyDocument))(t)
			trust := must(url.PathUnescape(*r.AssumeRolePolicyDocument))(t)
			if got != document || trust != lambdaTrust || *r.AttachedManagedPolicies[0].PolicyName != "AWSLambdaBasicExecutionRole" || *r.Tags[0].Value != "payments" {
				t.Errorf("%s: %s, %s, %v, %v", *r.RoleName, got, trust, r.AttachedManagedPolicies, r.Tags)
			}
		}
	}
	if seen != 3 || count != 2 {
		t.Errorf("%d roles in %d pages", seen, count)
	}
}

func TestRolesAreRefusedWhatIAMRefuses(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := iam.NewFromConfig(as(s, "alice"))
	name := aws.String("r")
	if _, err := c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String("{")}); codeOf(err) != "MalformedPolicyDocument" {
		t.Errorf("a malformed trust policy: %v", err)
	}
	must(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(lambdaTrust)}))(t)
	if _, err := c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(lambdaTrust)}); codeOf(err) != "EntityAlreadyExists" {
		t.Errorf("a second role of the name: %v", err)
	}
	if _, err := c.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/Nothing")}); codeOf(err) != "NoSuchEntity" {
		t.Errorf("a policy AWS does not have: %v", err)
	}
	policy := must(c.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)}))(t)
	must(c.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: policy.Policy.Arn}))(t)
	if _, err := c.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: name}); codeOf(err) != "DeleteConflict" {
		t.Errorf("a role with a policy: %v", err)
	}
	if _, err := c.DeletePolicy(t.Context(), &iam.DeletePolicyInput{PolicyArn: policy.Policy.Arn}); codeOf(err) != "DeleteConflict" {
		t.Errorf("an attached policy: %v", err)
	}
	if _, err := c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("nobody")}); codeOf(err) != "NoSuchEntity" {
		t.Errorf("an absent role: %v", err)
	}
}

func TestARoleIsAssumedOnlyByWhomItTrusts(t *testing.T) {
	s := start(t, sandbox.Options{})
	other := as(s, "222222222222")
	must(iam.NewFromConfig(other).CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: aws.String("mooring"), AssumeRolePolicyDocument: trusting("arn:aws:iam::111111111111:user/daemon"),
	}))(t)
	in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::222222222222:role/mooring"), RoleSessionName: aws.String("mooring-1")}
	s.RegisterActor("AKIADAEMON", wire.Actor{Type: "IAMUser", Name: "user/daemon"})
	if _, err := sts.NewFromConfig(as(s, "mallory")).AssumeRole(t.Context(), in); codeOf(err) != "AccessDenied" {
		t.Errorf("somebody else: %v", err)
	}
	out := must(sts.NewFromConfig(as(s, "AKIADAEMON")).AssumeRole(t.Context(), in))(t)
	session := as(s, "")
	session.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	who := must(sts.NewFromConfig(session).GetCallerIdentity(t.Context(), nil))(t)
	if *who.Arn != "arn:aws:sts::222222222222:assumed-role/mooring/mooring-1" || *who.Account != "222222222222" || !strings.HasPrefix(*who.UserId, "AROA") {
		t.Errorf("the session is %s of %s (%s)", *who.Arn, *who.Account, *who.UserId)
	}
}

func TestAnExternalIDIsAskedFor(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	must(iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"shop"}}}]}`)}))(t)
	c := sts.NewFromConfig(cfg)
	in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111111111111:role/r"), RoleSessionName: aws.String("s")}
	if _, err := c.AssumeRole(t.Context(), in); codeOf(err) != "AccessDenied" {
		t.Errorf("without the external id: %v", err)
	}
	in.ExternalId = aws.String("shop")
	must(c.AssumeRole(t.Context(), in))(t)
}

func TestCustomerPoliciesKeepVersions(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := iam.NewFromConfig(as(s, "alice"))
	document := func(action string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`)
	}
	arn := must(c.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: document("sqs:*")}))(t).Policy.Arn
	second := must(c.CreatePolicyVersion(t.Context(), &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: document("s3:*"), SetAsDefault: true}))(t)
	if *second.PolicyVersion.VersionId != "v2" || !second.PolicyVersion.IsDefaultVersion {
		t.Errorf("the second version: %+v", second.PolicyVersion)
	}
	got := must(c.GetPolicyVersion(t.Context(), &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")}))(t)
	if text := must(url.PathUnescape(*got.PolicyVersion.Document))(t); text != *document("sqs:*") {
		t.Errorf("v1 holds %s", text)
	}
	if _, err := c.DeletePolicyVersion(t.Context(), &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")}); codeOf(err) != "DeleteConflict" {
		t.Errorf("deleting the default version: %v", err)
	}
	details := must(c.GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeLocalManagedPolicy}}))(t)
	if len(details.Policies) != 1 || *details.Policies[0].DefaultVersionId != "v2" || len(details.Policies[0].PolicyVersionList) != 2 {
		t.Errorf("details: %+v", details.Policies)
	}
}

func TestAUserKnowsItself(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.RegisterActor("ROLE", wire.Actor{Type: "AssumedRole", Name: "assumed-role/Admin/carol"})
	alice, role := iam.NewFromConfig(as(s, "alice")), iam.NewFromConfig(as(s, "ROLE"))
	for _, in := range []*iam.GetUserInput{{}, {UserName: aws.String("alice")}} {
		if u := must(alice.GetUser(t.Context(), in))(t).User; *u.UserName != "alice" || *u.Arn != "arn:aws:iam::111111111111:user/alice" || u.CreateDate == nil {
			t.Errorf("alice is %s, %s", *u.UserName, *u.Arn)
		}
	}
	if _, err := alice.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("bob")}); codeOf(err) != "NoSuchEntity" {
		t.Errorf("somebody else: %v", err)
	}
	if _, err := role.GetUser(t.Context(), nil); codeOf(err) != "ValidationError" {
		t.Errorf("a role is no user: %v", err)
	}
}
