package aws

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k scheduleKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, err := declaredSchedule(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	group := k.groupOf(c.Resource)
	now, err := k.p.lookSchedule(ctx, k.p.front, group, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return k.create(ctx, c, group, want)
	}
	if err := k.p.mayWrite(now.owner(), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	desired := liveSchedule(now.out)
	merge(scheduleMembers, &desired, &want, allowedBy(c.Fields))
	return k.update(ctx, c, group, desired)
}

func (k scheduleKind) create(ctx context.Context, c providers.Change, group string, want schedule) (providers.Receipt, error) {
	description, err := k.p.marked(want.description, c.Resource.Ref, c.Release)
	if err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.scheduler.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
		Name: &c.Resource.Physical, GroupName: &group, Description: &description,
		ScheduleExpression: &want.expression, ScheduleExpressionTimezone: &want.timezone, FlexibleTimeWindow: want.flexible(),
		StartDate: timeOf(want.start), EndDate: timeOf(want.end), State: types.ScheduleState(want.state),
		ActionAfterCompletion: types.ActionAfterCompletion(want.after), KmsKeyArn: optional(want.kms), Target: want.asTarget(),
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// update writes the whole schedule: the Scheduler sets to its default what is
// left out.
func (k scheduleKind) update(ctx context.Context, c providers.Change, group string, want schedule) (providers.Receipt, error) {
	description, err := k.p.marked(want.description, c.Resource.Ref, c.Release)
	if err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.scheduler.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: &c.Resource.Physical, GroupName: &group, Description: &description,
		ScheduleExpression: &want.expression, ScheduleExpressionTimezone: &want.timezone, FlexibleTimeWindow: want.flexible(),
		StartDate: timeOf(want.start), EndDate: timeOf(want.end), State: types.ScheduleState(want.state),
		ActionAfterCompletion: types.ActionAfterCompletion(want.after), KmsKeyArn: optional(want.kms), Target: want.asTarget(),
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func timeOf(text string) *time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil
	}
	return &at
}

func (s *schedule) flexible() *types.FlexibleTimeWindow {
	out := &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowMode(s.mode)}
	if s.window > 0 {
		out.MaximumWindowInMinutes = awssdk.Int32(int32(s.window))
	}
	return out
}

func (s *schedule) asTarget() *types.Target {
	out := types.Target{}
	if s.live != nil && string(s.others) != `""` {
		out = *s.live
	}
	out.Arn, out.RoleArn, out.Input, out.DeadLetterConfig, out.SqsParameters = &s.arn, &s.role, optional(s.input), nil, nil
	if s.deadLetter != "" {
		out.DeadLetterConfig = &types.DeadLetterConfig{Arn: &s.deadLetter}
	}
	if s.group != "" {
		out.SqsParameters = &types.SqsParameters{MessageGroupId: &s.group}
	}
	out.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: awssdk.Int32(int32(s.age)), MaximumRetryAttempts: awssdk.Int32(int32(s.attempts))}
	return &out
}

func (k scheduleKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	group := k.groupOf(res)
	now, err := k.p.lookSchedule(ctx, k.p.front, group, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(now.owner()); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &res.Physical, GroupName: &group})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
