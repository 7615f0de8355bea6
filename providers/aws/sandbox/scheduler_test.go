package sandbox_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

// schedulerRole is a role the Scheduler may take, that allows one action.
func schedulerRole(t *testing.T, cfg aws.Config, name, action string) string {
	t.Helper()
	c := iam.NewFromConfig(cfg)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	role := must(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}))(t).Role
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
	must(c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("target"), PolicyDocument: &policy}))(t)
	return *role.Arn
}

func always() *types.FlexibleTimeWindow {
	return &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}
}

func TestAScheduleFiresAsItsRole(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c, queues := scheduler.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	url, arn := newQueue(t, queues, "work", nil)
	dead, deadARN := newQueue(t, queues, "dead", nil)
	create := func(name, target, role string) error {
		_, err := c.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
			Name: &name, ScheduleExpression: aws.String("rate(1 hour)"), FlexibleTimeWindow: always(),
			Target: &types.Target{Arn: &target, RoleArn: &role, Input: aws.String(`{"by":"` + name + `"}`), DeadLetterConfig: &types.DeadLetterConfig{Arn: &deadARN}},
		})
		return err
	}
	if err := create("unwelcome", arn, newRole(t, cfg, "lambda-only", "service-role/AWSLambdaSQSQueueExecutionRole")); codeOf(err) != "ValidationException" {
		t.Errorf("a role that the Scheduler may not take: %v", err)
	}
	role := schedulerRole(t, cfg, "sender", "sqs:SendMessage")
	for name, target := range map[string]string{"hourly": arn, "refused": "arn:aws:lambda:eu-west-1:111111111111:function:f"} {
		if err := create(name, target, role); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("hourly", arn, role); codeOf(err) != "ConflictException" {
		t.Errorf("made twice: %v", err)
	}
	s.Advance(time.Hour)
	eventually(t, "the schedule's message", func() bool {
		got := receive(t, queues, url)
		return len(got) == 1 && *got[0].Body == `{"by":"hourly"}`
	})
	eventually(t, "what the role may not do, in the dead-letter queue", func() bool {
		got := receive(t, queues, dead)
		return len(got) == 1 && *got[0].Body == `{"by":"refused"}`
	})
}

func TestAnUpdateReplacesTheWholeSchedule(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c := scheduler.NewFromConfig(cfg)
	role := schedulerRole(t, cfg, "sender", "sqs:SendMessage")
	target := &types.Target{Arn: aws.String("arn:aws:sqs:eu-west-1:111111111111:work"), RoleArn: &role}
	must(c.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String("shop"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("payments")}}}))(t)
	must(c.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
		Name: aws.String("nightly"), GroupName: aws.String("shop"), ScheduleExpression: aws.String("cron(0 3 * * ? *)"),
		ScheduleExpressionTimezone: aws.String("Europe/Zurich"), Description: aws.String("every night"), State: types.ScheduleStateDisabled,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: aws.Int32(15)}, Target: target,
	}))(t)
	must(c.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{
		Name: aws.String("nightly"), GroupName: aws.String("shop"), ScheduleExpression: aws.String("at(2030-01-01T00:00:00)"), FlexibleTimeWindow: always(), Target: target,
	}))(t)
	got := must(c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: aws.String("nightly"), GroupName: aws.String("shop")}))(t)
	if aws.ToString(got.Description) != "" || got.State != types.ScheduleStateEnabled || *got.ScheduleExpressionTimezone != "UTC" || *got.Target.RetryPolicy.MaximumRetryAttempts != 185 {
		t.Errorf("%q, %s, %s", aws.ToString(got.Description), got.State, *got.ScheduleExpressionTimezone)
	}
	listed := must(c.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: aws.String("shop")}))(t).Schedules
	if len(listed) != 1 || !listed[0].LastModificationDate.Equal(*got.LastModificationDate) {
		t.Errorf("%d schedules in the group", len(listed))
	}
	arn := "arn:aws:scheduler:eu-west-1:111111111111:schedule-group/shop"
	must(c.UntagResource(t.Context(), &scheduler.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"team", "none"}}))(t)
	if tags := must(c.ListTagsForResource(t.Context(), &scheduler.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags; len(tags) != 0 {
		t.Errorf("%v", tags)
	}
	must(c.DeleteScheduleGroup(t.Context(), &scheduler.DeleteScheduleGroupInput{Name: aws.String("shop")}))(t)
	if _, err := c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: aws.String("nightly"), GroupName: aws.String("shop")}); codeOf(err) != "ResourceNotFoundException" {
		t.Errorf("a schedule of a deleted group: %v", err)
	}
}
