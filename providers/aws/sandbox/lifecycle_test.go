package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/providers/aws/sandbox"
)

func TestARolesLife(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := iam.NewFromConfig(as(s, "alice"))
	name := aws.String("r")
	newRole(t, as(s, "alice"), "r", "AdministratorAccess")
	document := aws.String(`{"Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]}`)
	must(c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("inline"), PolicyDocument: document}))(t)
	must(c.TagRole(t.Context(), &iam.TagRoleInput{RoleName: name, Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}}))(t)
	must(c.UntagRole(t.Context(), &iam.UntagRoleInput{RoleName: name, TagKeys: []string{"a"}}))(t)
	must(c.PutRolePermissionsBoundary(t.Context(), &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}))(t)
	must(c.UpdateRole(t.Context(), &iam.UpdateRoleInput{RoleName: name, Description: aws.String("changed"), MaxSessionDuration: aws.Int32(7200)}))(t)
	must(c.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: trusting("*")}))(t)

	role := must(c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: name}))(t).Role
	got := fmt.Sprint(*role.Description, *role.MaxSessionDuration, *role.PermissionsBoundary.PermissionsBoundaryArn, len(role.Tags), *role.Tags[0].Key)
	if want := "changed 7200 arn:aws:iam::aws:policy/ReadOnlyAccess 1 b"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("%s, want %s", got, want)
	}
	inline := must(c.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: name}))(t)
	attached := must(c.ListAttachedRolePolicies(t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: name}))(t)
	if !slices.Equal(inline.PolicyNames, []string{"inline"}) || len(attached.AttachedPolicies) != 1 {
		t.Errorf("inline %v, attached %v", inline.PolicyNames, attached.AttachedPolicies)
	}
	must(c.DeleteRolePermissionsBoundary(t.Context(), &iam.DeleteRolePermissionsBoundaryInput{RoleName: name}))(t)
	must(c.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("inline")}))(t)
	must(c.DetachRolePolicy(t.Context(), &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: attached.AttachedPolicies[0].PolicyArn}))(t)
	if _, err := c.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("inline")}); codeOf(err) != "NoSuchEntity" {
		t.Errorf("a deleted inline policy: %v", err)
	}
	must(c.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: name}))(t)
	fresh := newRole(t, as(s, "alice"), "r", "AdministratorAccess")
	again := must(c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: name}))(t).Role
	if *again.Arn != fresh || *again.RoleId == *role.RoleId {
		t.Error("a role made again has the old identifier")
	}
}

func TestARulesLife(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := eventbridge.NewFromConfig(as(s, "alice"))
	var arn *string
	for i := range 3 {
		arn = must(c.PutRule(t.Context(), &eventbridge.PutRuleInput{
			Name: aws.String(fmt.Sprintf("rule-%d", i)), ScheduleExpression: aws.String("rate(1 day)"), Tags: []ebtypes.Tag{{Key: aws.String("team"), Value: aws.String("payments")}},
		}))(t).RuleArn
	}
	page := must(c.ListRules(t.Context(), &eventbridge.ListRulesInput{NamePrefix: aws.String("rule-"), Limit: aws.Int32(2)}))(t)
	if len(page.Rules) != 2 || page.NextToken == nil {
		t.Errorf("%d rules, next %v", len(page.Rules), page.NextToken)
	}
	target := aws.String("arn:aws:sqs:eu-west-1:111111111111:q")
	var targets []ebtypes.Target
	for i := range 6 {
		targets = append(targets, ebtypes.Target{Id: aws.String(fmt.Sprint(i)), Arn: target})
	}
	if _, err := c.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("rule-2"), Targets: targets}); codeOf(err) != "LimitExceededException" {
		t.Errorf("six targets: %v", err)
	}
	must(c.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("rule-2"), Targets: targets[:2]}))(t)
	listed := must(c.ListTargetsByRule(t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: aws.String("rule-2")}))(t)
	names := must(c.ListRuleNamesByTarget(t.Context(), &eventbridge.ListRuleNamesByTargetInput{TargetArn: target}))(t)
	if len(listed.Targets) != 2 || !slices.Equal(names.RuleNames, []string{"rule-2"}) {
		t.Errorf("targets %v, rules %v", listed.Targets, names.RuleNames)
	}
	must(c.UntagResource(t.Context(), &eventbridge.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"team"}}))(t)
	must(c.TagResource(t.Context(), &eventbridge.TagResourceInput{ResourceARN: arn, Tags: []ebtypes.Tag{{Key: aws.String("owner"), Value: aws.String("alice")}}}))(t)
	tags := must(c.ListTagsForResource(t.Context(), &eventbridge.ListTagsForResourceInput{ResourceARN: arn}))(t).Tags
	if len(tags) != 1 || *tags[0].Key != "owner" {
		t.Errorf("tags %v", tags)
	}
	if _, err := c.DescribeRule(t.Context(), &eventbridge.DescribeRuleInput{Name: aws.String("rule-0"), EventBusName: aws.String("other")}); codeOf(err) != "ResourceNotFoundException" {
		t.Errorf("another bus: %v", err)
	}
}

func TestAnAlarmsLife(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := cloudwatch.NewFromConfig(as(s, "alice"))
	put := func(in cloudwatch.PutMetricAlarmInput) error {
		in.AlarmName, in.Namespace, in.MetricName, in.Statistic = aws.String("a"), aws.String("Shop"), aws.String("Errors"), cwtypes.StatisticSum
		in.Period, in.ComparisonOperator = aws.Int32(60), cwtypes.ComparisonOperatorGreaterThanThreshold
		_, err := c.PutMetricAlarm(t.Context(), &in)
		return err
	}
	if err := put(cloudwatch.PutMetricAlarmInput{EvaluationPeriods: aws.Int32(1), DatapointsToAlarm: aws.Int32(2), Threshold: aws.Float64(1)}); codeOf(err) != "ValidationError" {
		t.Errorf("two of one datapoints: %v", err)
	}
	if err := put(cloudwatch.PutMetricAlarmInput{EvaluationPeriods: aws.Int32(3), DatapointsToAlarm: aws.Int32(2), Threshold: aws.Float64(1), Tags: []cwtypes.Tag{{Key: aws.String("team"), Value: aws.String("payments")}}}); err != nil {
		t.Fatal(err)
	}
	must(c.DisableAlarmActions(t.Context(), &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{"a"}}))(t)
	found := must(c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("a")}))(t).MetricAlarms
	if len(found) != 1 || *found[0].ActionsEnabled || found[0].StateValue != cwtypes.StateValueInsufficientData {
		t.Fatalf("%+v", found)
	}
	tags := must(c.ListTagsForResource(t.Context(), &cloudwatch.ListTagsForResourceInput{ResourceARN: found[0].AlarmArn}))(t).Tags
	if len(tags) != 1 || *tags[0].Value != "payments" {
		t.Errorf("tags %v", tags)
	}
	must(c.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a"}}))(t)
	if left := must(c.DescribeAlarms(t.Context(), nil))(t).MetricAlarms; len(left) != 0 {
		t.Errorf("%d alarms left", len(left))
	}
}

func TestABucketsDocumentsCopiesAndBulkDeletion(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	name := aws.String("artifacts")
	if _, err := c.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: name}); codeOf(err) != "NoSuchBucketPolicy" {
		t.Errorf("no policy yet: %v", err)
	}
	policy := aws.String(`{"Statement":[]}`)
	must(c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: name, Policy: policy}))(t)
	if got := must(c.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: name}))(t); *got.Policy != *policy {
		t.Errorf("the policy is %s", *got.Policy)
	}
	put(t, c, "a", "text")
	must(c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: name, Key: aws.String("b"), CopySource: aws.String("artifacts/a")}))(t)
	if got := text(t, c, &s3.GetObjectInput{Key: aws.String("b")}); got != "text" {
		t.Errorf("the copy holds %q", got)
	}
	out := must(c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: name, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("b")}}}}))(t)
	if len(out.Deleted) != 2 {
		t.Errorf("deleted %v", out.Deleted)
	}
	up := must(c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: name, Key: aws.String("big")}))(t)
	must(c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: name, Key: aws.String("big"), UploadId: up.UploadId}))(t)
	if _, err := c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: name, Key: aws.String("big"), UploadId: up.UploadId}); codeOf(err) != "NoSuchUpload" {
		t.Errorf("an aborted upload: %v", err)
	}
	must(c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: name}))(t)
	if _, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: name}); codeOf(err) != "NotFound" {
		t.Errorf("a deleted bucket: %v", err)
	}
}
