package aws

import (
	"context"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"mooring.dev/sources/manifest"
)

func (k logGroupKind) namedIn(arn string) (string, bool) {
	name, ok := k.physicalIn(arn)
	return firstPart(name, ':'), ok
}

func (k logGroupKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(a.cl.logs, &cloudwatchlogs.DescribeLogGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, err
		}
		for i := range page.LogGroups {
			names = append(names, awssdk.ToString(page.LogGroups[i].LogGroupName))
		}
	}
	return names, nil
}

func (k logGroupKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	l, err := k.p.lookLogGroup(ctx, a.cl, name)
	if err != nil || l == nil || !a.passes(manifest.KindLogGroup, name, l.tags) {
		return nil, err
	}
	loggers := a.loggers(name)
	if fn, ofFunction := strings.CutPrefix(name, "/aws/lambda/"); ofFunction && len(loggers) == 0 {
		why := "the log of function " + fn + ", which is not taken"
		if a.sweep.bulk[fn] == nil {
			why = "the log of a function that is no more: delete it, or declare it by hand"
		}
		a.leave(manifest.KindLogGroup, name, "%s", why)
		return nil, nil
	}
	d := started(name, l.arn, l.tags)
	d.Addresses["streamsArn"] = l.arn + ":*"
	spec := &manifest.LogGroupSpec{
		RetentionInDays: l.group.retention, LogGroupClass: l.group.class, KmsKeyID: l.group.kmsKey, DeletionProtectionEnabled: l.group.protected,
		DeletionPolicy: l.group.deletion, Tags: ownTags(d, l.tags),
	}
	for _, path := range sortedKeys(l.filters) {
		if what, unsaid := l.filter(spec, path); unsaid {
			a.leave(manifest.KindLogGroup, name, "a manifest does not say all of its %s", what)
			return nil, nil
		}
	}
	for _, f := range spec.SubscriptionFilters {
		if f.RoleArn != nil {
			a.need(f.RoleArn.Literal)
		}
	}
	if d.Spec, err = manifest.SpecOf(spec); err != nil {
		return nil, err
	}
	if len(loggers) != 1 {
		return d, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	loggers[0].d.Spec["logGroup"] = d.Spec
	loggers[0].d.Left = append(loggers[0].d.Left, d.Left...)
	return nil, nil
}

// loggers are the functions drafted that write their log to a group.
func (a *adoption) loggers(group string) []*living {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*living
	for _, name := range sortedKeys(a.functions) {
		if a.functions[name].logGroup() == group {
			out = append(out, a.functions[name])
		}
	}
	return out
}

// filter adds a filter to a spec; unsaid is true for one that a manifest
// cannot say.
func (l *logGroupLook) filter(spec *manifest.LogGroupSpec, path string) (what string, unsaid bool) {
	switch f := l.filters[path].(type) {
	case subscription:
		if spec.SubscriptionFilters == nil {
			spec.SubscriptionFilters = map[string]manifest.SubscriptionFilter{}
		}
		out := manifest.SubscriptionFilter{FilterPattern: f.Pattern, DestinationArn: manifest.Value{Literal: f.Destination}, Distribution: f.Distribution}
		if f.Role != "" {
			out.RoleArn = &manifest.Value{Literal: f.Role}
		}
		name, _ := keyOf(pathSubscriptions, path)
		spec.SubscriptionFilters[name] = out
		return "subscription filter " + name, f.Transformed || len(f.System) > 0 || f.Selection != ""
	case metricFilter:
		if spec.MetricFilters == nil {
			spec.MetricFilters = map[string]manifest.MetricFilter{}
		}
		name, _ := keyOf(pathMetricFilters, path)
		spec.MetricFilters[name] = manifest.MetricFilter{
			FilterPattern: f.Pattern, MetricNamespace: f.Namespace, MetricName: f.Name, MetricValue: f.Value, DefaultValue: f.Default,
			Dimensions: f.Dimensions, Unit: f.Unit,
		}
		return "metric filter " + name, f.Transformed || len(f.System) > 0 || f.Selection != ""
	}
	return path, true
}

func (k alarmKind) namedIn(arn string) (string, bool) { return lastIn(arn, "cloudwatch", "alarm:") }

func (k alarmKind) every(ctx context.Context, a *adoption) ([]string, error) {
	return k.list(ctx, a, func(*cwtypes.MetricAlarm) bool { return true })
}

// on are the alarms of the functions drafted.
func (k alarmKind) on(ctx context.Context, a *adoption) ([]string, error) {
	return k.list(ctx, a, func(m *cwtypes.MetricAlarm) bool {
		alarm := liveAlarm(m)
		all := []map[string]string{alarm.dimensions}
		for _, metric := range alarm.metrics {
			all = append(all, metric.Dimensions)
		}
		for _, dimensions := range all {
			if a.functions[dimensions["FunctionName"]] != nil {
				return true
			}
		}
		return false
	})
}

func (k alarmKind) list(ctx context.Context, a *adoption, which func(*cwtypes.MetricAlarm) bool) ([]string, error) {
	var names []string
	pages := cloudwatch.NewDescribeAlarmsPaginator(a.cl.cloudwatch, &cloudwatch.DescribeAlarmsInput{
		AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm, cwtypes.AlarmTypeCompositeAlarm},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, fmt.Errorf("list alarms: %w", err)
		}
		for i := range page.MetricAlarms {
			if which(&page.MetricAlarms[i]) {
				names = append(names, awssdk.ToString(page.MetricAlarms[i].AlarmName))
			}
		}
		for i := range page.CompositeAlarms {
			if len(a.what.Functions) == 0 {
				a.leave(manifest.KindAlarm, awssdk.ToString(page.CompositeAlarms[i].AlarmName), "an alarm composed of others, which is not managed")
			}
		}
	}
	return names, nil
}

func (k alarmKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	l, err := k.p.lookAlarm(ctx, a.cl, name)
	if err != nil || l == nil || !a.passes(manifest.KindAlarm, name, l.tags) {
		return nil, err
	}
	d := started(name, awssdk.ToString(l.metric.AlarmArn), l.tags)
	m := liveAlarm(l.metric)
	spec := &manifest.AlarmSpec{
		AlarmDescription: m.description, ActionsEnabled: m.enabled, AlarmActions: literals(m.onAlarm), OKActions: literals(m.onOK),
		InsufficientDataActions: literals(m.onUnknown), Namespace: m.namespace, MetricName: m.metric, Dimensions: literalMap(m.dimensions),
		Statistic: m.statistic, ExtendedStatistic: m.extend, Period: m.period, Unit: m.unit, EvaluationPeriods: m.periods,
		ComparisonOperator: m.comparison, Threshold: m.threshold, ThresholdMetricID: m.thresholdMetric,
		TreatMissingData: m.missing, EvaluateLowSampleCountPercentile: m.lowSamples, Tags: ownTags(d, l.tags),
	}
	if m.datapoints != m.periods {
		spec.DatapointsToAlarm = m.datapoints
	}
	if m.thresholdMetric != "" {
		spec.Threshold = nil
	}
	for _, q := range m.metrics {
		spec.Metrics = append(spec.Metrics, q.written())
	}
	if m.warmUp > 0 {
		spec.WarmUpConfiguration = &manifest.WarmUp{WarmUpPeriodDurationInMinutes: m.warmUp, OnlyStartEvaluatingAfterWarmUpPeriodEnds: m.warmUpWhole}
	}
	for _, action := range append(append(append([]string(nil), m.onAlarm...), m.onOK...), m.onUnknown...) {
		a.need(action)
	}
	d.Spec, err = manifest.SpecOf(spec)
	return d, err
}

func (q *alarmMetric) written() manifest.AlarmMetric {
	out := manifest.AlarmMetric{ID: q.ID, Expression: q.Expression, Label: q.Label, Period: q.Period, AccountID: q.AccountID}
	if !q.ReturnData {
		out.ReturnData = &q.ReturnData
	}
	if q.Expression == "" {
		out.MetricStat = &manifest.AlarmMetricStat{
			Namespace: q.Namespace, MetricName: q.MetricName, Dimensions: literalMap(q.Dimensions), Period: q.StatPeriod, Stat: q.Stat, Unit: q.Unit,
		}
	}
	return out
}

func literals(list []string) []manifest.Value {
	var out []manifest.Value
	for _, text := range list {
		out = append(out, manifest.Value{Literal: text})
	}
	return out
}

func literalMap(m map[string]string) map[string]manifest.Value {
	out := make(map[string]manifest.Value, len(m))
	for key, text := range m {
		out[key] = manifest.Value{Literal: text}
	}
	return out
}
