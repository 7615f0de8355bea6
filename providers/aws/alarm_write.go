package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k alarmKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, spec, err := declaredAlarm(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookAlarm(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		in := &cloudwatch.PutMetricAlarmInput{AlarmName: &c.Resource.Physical}
		want.into(in)
		in.Tags = alarmTags(k.p.allTags(spec.Tags, c.Resource.Ref, c.Release))
		return k.write(ctx, in)
	}
	if err := k.p.mayWrite(ownerOf(now.tags), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	return k.update(ctx, c, now, want, spec)
}

// update writes the alarm whole, as PutMetricAlarm wants it: what is not
// declared and what may not be touched keeps what lives.
func (k alarmKind) update(ctx context.Context, c providers.Change, now *alarmLook, want *alarm, spec *manifest.AlarmSpec) (providers.Receipt, error) {
	var total providers.Receipt
	if plan := k.p.planTags(c, spec.Tags, now.tags, true); !plan.empty() {
		tagged, err := k.tag(ctx, now.metric.AlarmArn, plan)
		total.RequestIDs = append(total.RequestIDs, tagged.RequestIDs...)
		if err != nil {
			return total, err
		}
	}
	desired := liveAlarm(now.metric)
	if len(merge(alarmMembers, desired, want, allowedBy(c.Fields))) == 0 {
		return total, nil
	}
	in := &cloudwatch.PutMetricAlarmInput{
		AlarmName: &c.Resource.Physical, EvaluationWindow: now.metric.EvaluationWindow, ActionConfiguration: now.metric.ActionConfiguration,
	}
	desired.into(in)
	written, err := k.write(ctx, in)
	total.RequestIDs = append(total.RequestIDs, written.RequestIDs...)
	return total, err
}

func (k alarmKind) write(ctx context.Context, in *cloudwatch.PutMetricAlarmInput) (providers.Receipt, error) {
	out, err := k.p.front.cloudwatch.PutMetricAlarm(ctx, in)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// into fills in every member of ours.
func (a *alarm) into(in *cloudwatch.PutMetricAlarmInput) {
	in.ActionsEnabled, in.AlarmDescription = &a.enabled, optional(a.description)
	in.AlarmActions, in.OKActions, in.InsufficientDataActions = a.onAlarm, a.onOK, a.onUnknown
	in.Namespace, in.MetricName, in.Statistic, in.ExtendedStatistic = optional(a.namespace), optional(a.metric), types.Statistic(a.statistic), optional(a.extend)
	in.Unit, in.EvaluateLowSampleCountPercentile, in.ThresholdMetricId = types.StandardUnit(a.unit), optional(a.lowSamples), optional(a.thresholdMetric)
	in.Dimensions, in.Period, in.EvaluationPeriods = dimensionList(a.dimensions), positive(a.period), positive(a.periods)
	in.DatapointsToAlarm, in.Threshold, in.ComparisonOperator = positive(a.datapoints), a.threshold, types.ComparisonOperator(a.comparison)
	in.TreatMissingData = &a.missing
	for i := range a.metrics {
		in.Metrics = append(in.Metrics, a.metrics[i].query())
	}
	if a.warmUp > 0 {
		in.WarmUpConfiguration = &types.WarmUpConfiguration{WarmUpPeriodDurationInMinutes: positive(a.warmUp), OnlyStartEvaluatingAfterWarmUpPeriodEnds: &a.warmUpWhole}
	}
}

func (m *alarmMetric) query() types.MetricDataQuery {
	q := types.MetricDataQuery{
		Id: &m.ID, Expression: optional(m.Expression), Label: optional(m.Label), ReturnData: &m.ReturnData, Period: positive(m.Period), AccountId: optional(m.AccountID),
	}
	if m.MetricName != "" {
		q.MetricStat = &types.MetricStat{
			Metric: &types.Metric{Namespace: &m.Namespace, MetricName: &m.MetricName, Dimensions: dimensionList(m.Dimensions)},
			Period: positive(m.StatPeriod), Stat: &m.Stat, Unit: types.StandardUnit(m.Unit),
		}
	}
	return q
}

func dimensionList(in map[string]string) []types.Dimension {
	var out []types.Dimension
	for _, name := range sortedKeys(in) {
		out = append(out, types.Dimension{Name: awssdk.String(name), Value: awssdk.String(in[name])})
	}
	return out
}

// positive is a number, or nothing for 0.
func positive(n int) *int32 {
	if n == 0 {
		return nil
	}
	return awssdk.Int32(int32(n))
}

func alarmTags(in map[string]string) []types.Tag {
	var out []types.Tag
	for _, key := range sortedKeys(in) {
		out = append(out, types.Tag{Key: awssdk.String(key), Value: awssdk.String(in[key])})
	}
	return out
}

func (k alarmKind) tag(ctx context.Context, arn *string, plan tagPlan) (providers.Receipt, error) {
	var total providers.Receipt
	if len(plan.add) > 0 {
		out, err := k.p.front.cloudwatch.TagResource(ctx, &cloudwatch.TagResourceInput{ResourceARN: arn, Tags: alarmTags(plan.add)})
		if err != nil {
			return total, classify(err)
		}
		total = receipt(out.ResultMetadata)
	}
	if len(plan.remove) > 0 {
		out, err := k.p.front.cloudwatch.UntagResource(ctx, &cloudwatch.UntagResourceInput{ResourceARN: arn, TagKeys: plan.remove})
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return total, nil
}

func (k alarmKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.lookAlarm(ctx, k.p.front, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(now.tags)); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.cloudwatch.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{res.Physical}})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
