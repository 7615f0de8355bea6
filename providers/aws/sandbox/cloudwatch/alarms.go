package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// alarm is one alarm; the service's lock guards it.
type alarm struct {
	Alarm
	tags  map[string]string
	setAt time.Time // when a person set the state
}

// Alarm is a metric alarm as CloudWatch shows it.
type Alarm struct {
	AlarmName, AlarmArn, AlarmDescription            string
	ActionsEnabled                                   bool
	OKActions, AlarmActions, InsufficientDataActions []string
	MetricName, Namespace                            string
	Statistic, ExtendedStatistic, Unit               string
	Dimensions                                       []Dimension
	Period                                           *int
	EvaluationPeriods                                int
	DatapointsToAlarm                                *int
	Threshold                                        *float64
	ComparisonOperator, TreatMissingData             string
	EvaluateLowSampleCountPercentile                 string
	Metrics                                          []dataQuery
	ThresholdMetricId                                string
	WarmUpConfiguration                              *warmUp

	StateValue, StateReason, StateReasonData string
	StateUpdatedTimestamp                    time.Time
	StateTransitionedTimestamp               time.Time
	AlarmConfigurationUpdatedTimestamp       time.Time
}

type warmUp struct {
	WarmUpPeriodDurationInMinutes            int
	OnlyStartEvaluatingAfterWarmUpPeriodEnds *bool
}

// The states of an alarm.
const (
	stateOK      = "OK"
	stateAlarm   = "ALARM"
	stateUnknown = "INSUFFICIENT_DATA"
)

type tagPair struct{ Key, Value string }

type putAlarmInput struct {
	Alarm
	ActionsEnabled *bool
	Tags           []tagPair
}

func (s *Service) putAlarm(_ context.Context, _ *wire.Call, in *putAlarmInput) (wire.None, error) {
	if err := s.checkAlarm(in); err != nil {
		return wire.None{}, err
	}
	now := s.options.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.alarms[in.AlarmName]
	fresh := a == nil
	if fresh {
		a = &alarm{tags: map[string]string{}}
		for _, t := range in.Tags {
			a.tags[t.Key] = t.Value
		}
		s.alarms[in.AlarmName] = a
	}
	before := a.Alarm
	a.Alarm = in.Alarm
	a.AlarmArn = "arn:aws:cloudwatch:" + s.options.Region + ":" + s.options.Account + ":alarm:" + in.AlarmName
	a.Alarm.ActionsEnabled = in.ActionsEnabled == nil || *in.ActionsEnabled
	a.AlarmConfigurationUpdatedTimestamp = now
	a.StateValue, a.StateReason = before.StateValue, before.StateReason
	a.StateUpdatedTimestamp, a.StateTransitionedTimestamp = before.StateUpdatedTimestamp, before.StateTransitionedTimestamp
	if fresh {
		a.become(stateUnknown, "Unchecked: Initial alarm creation", now)
	}
	return wire.None{}, nil
}

func (a *alarm) become(state, reason string, now time.Time) {
	if a.StateValue == state {
		return
	}
	a.StateValue, a.StateReason = state, reason
	a.StateUpdatedTimestamp, a.StateTransitionedTimestamp = now, now
}

func (s *Service) checkAlarm(in *putAlarmInput) error {
	switch {
	case in.AlarmName == "":
		return validation("AlarmName is required.")
	case in.EvaluationPeriods < 1:
		return validation("EvaluationPeriods must be at least 1.")
	case in.DatapointsToAlarm != nil && *in.DatapointsToAlarm > in.EvaluationPeriods:
		return validation("DatapointsToAlarm must not be greater than EvaluationPeriods.")
	case in.Threshold == nil:
		return validation("Threshold is required: the sandbox has no anomaly detection.")
	case !slices.Contains(slices.Collect(maps.Keys(comparisons)), in.ComparisonOperator):
		return validation("ComparisonOperator " + in.ComparisonOperator + " is not supported.")
	case (in.MetricName == "") == (len(in.Metrics) == 0):
		return validation("Give either MetricName or Metrics.")
	}
	if len(in.Metrics) > 0 {
		return nil
	}
	if in.Period == nil {
		return validation("Period is required.")
	}
	if _, err := s.period(*in.Period); err != nil {
		return err
	}
	_, err := parseStatistic(in.statistic())
	return err
}

func (a Alarm) statistic() string {
	if a.ExtendedStatistic != "" {
		return a.ExtendedStatistic
	}
	return a.Statistic
}

type describeInput struct {
	AlarmNames                             []string
	AlarmTypes                             []string
	AlarmNamePrefix, StateValue, NextToken string
	MaxRecords                             *int
}

type describeOutput struct {
	MetricAlarms    []Alarm
	CompositeAlarms []wire.None
	NextToken       string
}

func (s *Service) describeAlarms(_ context.Context, _ *wire.Call, in *describeInput) (describeOutput, error) {
	limit := 50
	if in.MaxRecords != nil {
		limit = *in.MaxRecords
	}
	if limit < 1 || limit > 100 {
		return describeOutput{}, validation("MaxRecords must be between 1 and 100.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := describeOutput{MetricAlarms: []Alarm{}, CompositeAlarms: []wire.None{}}
	if len(in.AlarmTypes) > 0 && !slices.Contains(in.AlarmTypes, "MetricAlarm") {
		return out, nil
	}
	if len(in.AlarmNames) > 0 && in.MaxRecords == nil {
		limit = 100
	}
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		a := s.alarms[name]
		if name <= in.NextToken || !strings.HasPrefix(name, in.AlarmNamePrefix) || len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name) {
			continue
		}
		s.judge(a)
		if in.StateValue != "" && a.StateValue != in.StateValue {
			continue
		}
		if len(out.MetricAlarms) == limit {
			out.NextToken = out.MetricAlarms[limit-1].AlarmName
			break
		}
		out.MetricAlarms = append(out.MetricAlarms, a.Alarm)
	}
	return out, nil
}

func (s *Service) alarmsForMetric(_ context.Context, _ *wire.Call, in *Metric) (describeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := describeOutput{MetricAlarms: []Alarm{}}
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		if a := s.alarms[name]; a.metric().key() == in.key() {
			s.judge(a)
			out.MetricAlarms = append(out.MetricAlarms, a.Alarm)
		}
	}
	return out, nil
}

func (a Alarm) metric() Metric {
	return Metric{Namespace: a.Namespace, MetricName: a.MetricName, Dimensions: a.Dimensions}
}

type stateInput struct{ AlarmName, StateValue, StateReason, StateReasonData string }

func (s *Service) setState(_ context.Context, _ *wire.Call, in *stateInput) (wire.None, error) {
	if !slices.Contains([]string{stateOK, stateAlarm, stateUnknown}, in.StateValue) {
		return wire.None{}, invalid("The value " + in.StateValue + " for parameter StateValue is not supported.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.alarms[in.AlarmName]
	if !ok {
		return wire.None{}, &wire.Error{Status: 404, Code: "ResourceNotFound", Message: "Unknown alarm: " + in.AlarmName}
	}
	now := s.options.Now()
	a.become(in.StateValue, in.StateReason, now)
	a.StateReason, a.StateReasonData, a.StateUpdatedTimestamp, a.setAt = in.StateReason, in.StateReasonData, now, now
	return wire.None{}, nil
}

type namesInput struct{ AlarmNames []string }

func (s *Service) deleteAlarms(_ context.Context, _ *wire.Call, in *namesInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.AlarmNames {
		delete(s.alarms, name)
	}
	return wire.None{}, nil
}

func (s *Service) enableActions(_ context.Context, _ *wire.Call, in *namesInput) (wire.None, error) {
	return s.switchActions(in, true)
}

func (s *Service) disableActions(_ context.Context, _ *wire.Call, in *namesInput) (wire.None, error) {
	return s.switchActions(in, false)
}

func (s *Service) switchActions(in *namesInput, on bool) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.AlarmNames {
		if a, ok := s.alarms[name]; ok {
			a.Alarm.ActionsEnabled = on
		}
	}
	return wire.None{}, nil
}

type tagInput struct {
	ResourceARN string
	Tags        []tagPair
	TagKeys     []string
}

type tagOutput struct{ Tags []tagPair }

// tagsOf are an alarm's tags; the caller holds the lock.
func (s *Service) tagsOf(arn string) (map[string]string, error) {
	_, name, _ := strings.Cut(arn, ":alarm:")
	if a, ok := s.alarms[name]; ok {
		return a.tags, nil
	}
	return nil, &wire.Error{Status: 404, Code: "ResourceNotFoundException", Message: "Unknown resource: " + arn}
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsOf(in.ResourceARN)
	for _, t := range in.Tags {
		if err == nil {
			tags[t.Key] = t.Value
		}
	}
	return wire.None{}, err
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsOf(in.ResourceARN)
	for _, k := range in.TagKeys {
		delete(tags, k)
	}
	return wire.None{}, err
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *tagInput) (tagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsOf(in.ResourceARN)
	out := tagOutput{Tags: []tagPair{}}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, tagPair{Key: k, Value: tags[k]})
	}
	return out, err
}

// Tagged is the tags of every alarm, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for _, a := range s.alarms {
		out[a.AlarmArn] = maps.Clone(a.tags)
	}
	return out
}
