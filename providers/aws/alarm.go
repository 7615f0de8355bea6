package aws

import (
	"context"
	"sort"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// alarmKind is a metric alarm of CloudWatch.
type alarmKind struct{ p *Provider }

func (k alarmKind) rights() []rights.Row {
	on, all := []string{"arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"}, []string{"arn:{partition}:cloudwatch:{region}:{account}:alarm:*"}
	return []rights.Row{
		because(toObserve(all, "cloudwatch:DescribeAlarms"), "AWS asks for all alarms where some are described"),
		toObserve(on, "cloudwatch:ListTagsForResource"),
		because(toCheck(all, "cloudwatch:DescribeAlarms"), "what alarms say while traffic moves"),
		toManage(on, "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"),
		toDelete(on, "cloudwatch:DeleteAlarms"),
	}
}

const layerAlarms = "alarms"

type alarm struct {
	description                          string
	enabled                              bool
	onAlarm, onOK, onUnknown             []string
	namespace, metric, statistic, extend string
	unit, lowSamples, thresholdMetric    string
	dimensions                           map[string]string
	period, periods, datapoints          int
	threshold                            *float64
	comparison, missing                  string
	metrics                              []alarmMetric
	warmUp                               int
	warmUpWhole                          bool
}

// alarmMetric is one of the metrics of an alarm of metric math, as one field
// shows them all.
type alarmMetric struct {
	ID         string            `json:"id"`
	Expression string            `json:"expression,omitempty"`
	Label      string            `json:"label,omitempty"`
	ReturnData bool              `json:"returnData"`
	Period     int               `json:"period,omitempty"`
	AccountID  string            `json:"accountId,omitempty"`
	Namespace  string            `json:"namespace,omitempty"`
	MetricName string            `json:"metricName,omitempty"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
	StatPeriod int               `json:"statPeriod,omitempty"`
	Stat       string            `json:"stat,omitempty"`
	Unit       string            `json:"unit,omitempty"`
}

var alarmMembers = []member[alarm]{
	{"actionsEnabled", func(a *alarm) any { return a.enabled }, func(d, s *alarm) { d.enabled = s.enabled }},
	{"alarmActions", func(a *alarm) any { return set(a.onAlarm) }, func(d, s *alarm) { d.onAlarm = s.onAlarm }},
	{"alarmDescription", func(a *alarm) any { return a.description }, func(d, s *alarm) { d.description = s.description }},
	{"comparisonOperator", func(a *alarm) any { return a.comparison }, func(d, s *alarm) { d.comparison = s.comparison }},
	{"datapointsToAlarm", func(a *alarm) any { return a.datapoints }, func(d, s *alarm) { d.datapoints = s.datapoints }},
	{"dimensions", func(a *alarm) any { return a.dimensions }, func(d, s *alarm) { d.dimensions = s.dimensions }},
	{"evaluateLowSampleCountPercentile", func(a *alarm) any { return a.lowSamples }, func(d, s *alarm) { d.lowSamples = s.lowSamples }},
	{"evaluationPeriods", func(a *alarm) any { return a.periods }, func(d, s *alarm) { d.periods = s.periods }},
	{"extendedStatistic", func(a *alarm) any { return a.extend }, func(d, s *alarm) { d.extend = s.extend }},
	{"insufficientDataActions", func(a *alarm) any { return set(a.onUnknown) }, func(d, s *alarm) { d.onUnknown = s.onUnknown }},
	{"metricName", func(a *alarm) any { return a.metric }, func(d, s *alarm) { d.metric = s.metric }},
	{"metrics", func(a *alarm) any { return a.metrics }, func(d, s *alarm) { d.metrics = s.metrics }},
	{"namespace", func(a *alarm) any { return a.namespace }, func(d, s *alarm) { d.namespace = s.namespace }},
	{"okActions", func(a *alarm) any { return set(a.onOK) }, func(d, s *alarm) { d.onOK = s.onOK }},
	{"period", func(a *alarm) any { return a.period }, func(d, s *alarm) { d.period = s.period }},
	{"statistic", func(a *alarm) any { return a.statistic }, func(d, s *alarm) { d.statistic = s.statistic }},
	{"threshold", func(a *alarm) any { return a.threshold }, func(d, s *alarm) { d.threshold = s.threshold }},
	{"thresholdMetricId", func(a *alarm) any { return a.thresholdMetric }, func(d, s *alarm) { d.thresholdMetric = s.thresholdMetric }},
	{"treatMissingData", func(a *alarm) any { return a.missing }, func(d, s *alarm) { d.missing = s.missing }},
	{"unit", func(a *alarm) any { return a.unit }, func(d, s *alarm) { d.unit = s.unit }},
	{"warmUpConfiguration.onlyStartEvaluatingAfterWarmUpPeriodEnds", func(a *alarm) any { return a.warmUpWhole }, func(d, s *alarm) { d.warmUpWhole = s.warmUpWhole }},
	{"warmUpConfiguration.warmUpPeriodDurationInMinutes", func(a *alarm) any { return a.warmUp }, func(d, s *alarm) { d.warmUp = s.warmUp }},
}

func declaredAlarm(res manifest.Resource, b *builder) (*alarm, *manifest.AlarmSpec, error) {
	spec, ok := res.Spec.(*manifest.AlarmSpec)
	if !ok {
		return nil, nil, wrongSpec(res)
	}
	a := &alarm{
		description: spec.AlarmDescription, enabled: spec.ActionsEnabled,
		onAlarm: b.values(spec.AlarmActions), onOK: b.values(spec.OKActions), onUnknown: b.values(spec.InsufficientDataActions),
		namespace: spec.Namespace, metric: spec.MetricName, statistic: spec.Statistic, extend: spec.ExtendedStatistic,
		unit: spec.Unit, lowSamples: spec.EvaluateLowSampleCountPercentile, thresholdMetric: spec.ThresholdMetricID,
		dimensions: b.valueMap(spec.Dimensions), period: spec.Period, periods: spec.EvaluationPeriods,
		datapoints: orElse(spec.DatapointsToAlarm, spec.EvaluationPeriods), threshold: spec.Threshold,
		comparison: spec.ComparisonOperator, missing: orElse(spec.TreatMissingData, "missing"),
	}
	for _, m := range spec.Metrics {
		out := alarmMetric{ID: m.ID, Expression: m.Expression, Label: m.Label, ReturnData: m.ReturnData == nil || *m.ReturnData, Period: m.Period, AccountID: m.AccountID}
		if s := m.MetricStat; s != nil {
			out.Namespace, out.MetricName, out.StatPeriod, out.Stat, out.Unit = s.Namespace, s.MetricName, s.Period, s.Stat, s.Unit
			out.Dimensions = b.valueMap(s.Dimensions)
		}
		a.metrics = append(a.metrics, out)
	}
	if w := spec.WarmUpConfiguration; w != nil {
		a.warmUp, a.warmUpWhole = w.WarmUpPeriodDurationInMinutes, w.OnlyStartEvaluatingAfterWarmUpPeriodEnds
	}
	a.order()
	return a, spec, nil
}

// order: the order of metrics means nothing, and AWS keeps none.
func (a *alarm) order() {
	sort.Slice(a.metrics, func(i, j int) bool { return a.metrics[i].ID < a.metrics[j].ID })
}

// values resolves a list of values.
func (b *builder) values(list []manifest.Value) []string {
	var out []string
	for _, v := range list {
		out = append(out, b.value(v))
	}
	return out
}

// valueMap resolves a map of values; nil for an empty one.
func (b *builder) valueMap(in map[string]manifest.Value) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = b.value(v)
	}
	return out
}

func liveAlarm(m *types.MetricAlarm) *alarm {
	a := &alarm{
		description: awssdk.ToString(m.AlarmDescription), enabled: awssdk.ToBool(m.ActionsEnabled),
		onAlarm: m.AlarmActions, onOK: m.OKActions, onUnknown: m.InsufficientDataActions,
		namespace: awssdk.ToString(m.Namespace), metric: awssdk.ToString(m.MetricName), statistic: string(m.Statistic), extend: awssdk.ToString(m.ExtendedStatistic),
		unit: string(m.Unit), lowSamples: awssdk.ToString(m.EvaluateLowSampleCountPercentile), thresholdMetric: awssdk.ToString(m.ThresholdMetricId),
		dimensions: dimensionMap(m.Dimensions), period: int(awssdk.ToInt32(m.Period)), periods: int(awssdk.ToInt32(m.EvaluationPeriods)),
		datapoints: int(awssdk.ToInt32(m.DatapointsToAlarm)), threshold: m.Threshold,
		comparison: string(m.ComparisonOperator), missing: orElse(awssdk.ToString(m.TreatMissingData), "missing"),
	}
	a.datapoints = orElse(a.datapoints, a.periods)
	for _, q := range m.Metrics {
		out := alarmMetric{
			ID: awssdk.ToString(q.Id), Expression: awssdk.ToString(q.Expression), Label: awssdk.ToString(q.Label),
			ReturnData: q.ReturnData == nil || *q.ReturnData, Period: int(awssdk.ToInt32(q.Period)), AccountID: awssdk.ToString(q.AccountId),
		}
		if s := q.MetricStat; s != nil && s.Metric != nil {
			out.Namespace, out.MetricName = awssdk.ToString(s.Metric.Namespace), awssdk.ToString(s.Metric.MetricName)
			out.Dimensions, out.StatPeriod = dimensionMap(s.Metric.Dimensions), int(awssdk.ToInt32(s.Period))
			out.Stat, out.Unit = awssdk.ToString(s.Stat), string(s.Unit)
		}
		a.metrics = append(a.metrics, out)
	}
	if w := m.WarmUpConfiguration; w != nil {
		a.warmUp, a.warmUpWhole = int(awssdk.ToInt32(w.WarmUpPeriodDurationInMinutes)), awssdk.ToBool(w.OnlyStartEvaluatingAfterWarmUpPeriodEnds)
	}
	a.order()
	return a
}

func dimensionMap(list []types.Dimension) map[string]string {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string]string, len(list))
	for _, d := range list {
		out[awssdk.ToString(d.Name)] = awssdk.ToString(d.Value)
	}
	return out
}

func (k alarmKind) canonical(res manifest.Resource, b *builder) error {
	a, spec, err := declaredAlarm(res, b)
	if err != nil {
		return err
	}
	each(b, alarmMembers, a)
	setTags(b, spec.Tags, spec.Tags)
	return nil
}

// alarmLook is an alarm as one look shows it.
type alarmLook struct {
	at      time.Time
	metric  *types.MetricAlarm
	tags    map[string]string
	shown   time.Time // when all but the tags was last seen
	touched int
}

// lookAlarm asks for an alarm by name; nil when there is none.
func (p *Provider) lookAlarm(ctx context.Context, cl *clients, name string) (*alarmLook, error) {
	l := &alarmLook{at: p.o.Now(), shown: p.o.Now()}
	out, err := cl.cloudwatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm},
	})
	if err != nil {
		return nil, classify(err)
	}
	if len(out.MetricAlarms) == 0 {
		return nil, nil
	}
	l.metric = &out.MetricAlarms[0]
	return p.withAlarmTags(ctx, cl, l)
}

// withAlarmTags completes a look; nil when the alarm went meanwhile.
func (p *Provider) withAlarmTags(ctx context.Context, cl *clients, l *alarmLook) (*alarmLook, error) {
	var err error
	l.tags, err = p.tags(cl, awssdk.ToString(l.metric.AlarmArn), func() (map[string]string, error) {
		out, err := cl.cloudwatch.ListTagsForResource(ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: l.metric.AlarmArn})
		if err != nil {
			return nil, err
		}
		return pairs(out.Tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value }), nil
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return l, nil
}

func (k alarmKind) live(res manifest.Resource, l *alarmLook) providers.Live {
	b := k.p.builder(nil)
	each(b, alarmMembers, liveAlarm(l.metric))
	if spec, ok := res.Spec.(*manifest.AlarmSpec); ok {
		setTags(b, spec.Tags, l.tags)
	}
	live := b.live()
	live.Guard = l.guard()
	live.Owner = ownerOf(l.tags)
	live.SeenAt = l.at
	arn := awssdk.ToString(l.metric.AlarmArn)
	live.Attributes = map[string]string{"arn": arn, "name": res.Physical, "id": arn}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

// guard holds while everything that people set is the same; the state, which
// moves by itself, is left out.
func (l *alarmLook) guard() providers.Guard {
	b := &builder{fields: map[string]string{}}
	each(b, alarmMembers, liveAlarm(l.metric))
	return seen([]any{awssdk.ToString(l.metric.AlarmArn), b.fields, l.tags})
}

func (k alarmKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookAlarm(ctx, cl, res.Physical)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(res, l), nil
}

func (k alarmKind) resourceType() string { return "cloudwatch:alarm" }

func (k alarmKind) physicalIn(arn string) (string, bool) { return lastIn(arn, "cloudwatch", "alarm:") }
