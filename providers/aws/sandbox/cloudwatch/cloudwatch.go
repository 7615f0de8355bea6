// Package cloudwatch is the sandbox's CloudWatch: metrics of one account in one
// region, statistics over them, and alarms that are judged when they are looked
// at. Data points stay in memory. It refuses what it would answer wrongly
// (Metrics Insights, anomaly detection), and takes data for the AWS/
// namespaces, which AWS keeps for itself, so that tests can plant some.
package cloudwatch

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's place and time.
type Options struct {
	Now     func() time.Time
	Account string
	Region  string
	// Period is the shortest period that may be asked for; shorter than a
	// minute, any whole number of seconds may be.
	Period time.Duration
}

// Service is one account's metrics and alarms in one region.
type Service struct {
	*wire.Model
	options Options

	mu     sync.Mutex
	series map[string]*series
	alarms map[string]*alarm
}

// New makes a service without metrics.
func New(o Options) *Service {
	s := &Service{options: o, series: map[string]*series{}, alarms: map[string]*alarm{}}
	s.Model = &wire.Model{
		Signing:   "monitoring",
		Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		Operations: map[string]wire.Operation{
			"PutMetricData":           wire.Op(s.putData),
			"ListMetrics":             wire.Op(s.listMetrics),
			"GetMetricData":           wire.Op(s.getData),
			"GetMetricStatistics":     wire.Op(s.getStatistics),
			"PutMetricAlarm":          wire.Op(s.putAlarm),
			"DescribeAlarms":          wire.Op(s.describeAlarms),
			"DescribeAlarmsForMetric": wire.Op(s.alarmsForMetric),
			"SetAlarmState":           wire.Op(s.setState),
			"DeleteAlarms":            wire.Op(s.deleteAlarms),
			"EnableAlarmActions":      wire.Op(s.enableActions),
			"DisableAlarmActions":     wire.Op(s.disableActions),
			"TagResource":             wire.Op(s.tag),
			"UntagResource":           wire.Op(s.untag),
			"ListTagsForResource":     wire.Op(s.listTags),
		},
	}
	return s
}

func invalid(message string) *wire.Error {
	return &wire.Error{Status: 400, Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: message}
}

func validation(message string) *wire.Error {
	return &wire.Error{Status: 400, Code: "ValidationError", Message: message}
}

// Dimension is a metric's dimension.
type Dimension struct{ Name, Value string }

// Metric names a metric.
type Metric struct {
	Namespace, MetricName string
	Dimensions            []Dimension
}

// key is one text for one metric, whatever the order of its dimensions.
func (m Metric) key() string {
	dims := slices.Clone(m.Dimensions)
	slices.SortFunc(dims, func(a, b Dimension) int { return strings.Compare(a.Name, b.Name) })
	var out strings.Builder
	for _, part := range []string{m.Namespace, m.MetricName} {
		out.WriteString(strconv.Quote(part))
	}
	for _, d := range dims {
		out.WriteString(strconv.Quote(d.Name) + "=" + strconv.Quote(d.Value))
	}
	return out.String()
}

type statisticSet struct{ SampleCount, Sum, Minimum, Maximum float64 }

type datum struct {
	MetricName        string
	Dimensions        []Dimension
	Timestamp         time.Time
	Value             *float64
	Values, Counts    []float64
	StatisticValues   *statisticSet
	Unit              string
	StorageResolution *int
}

type putInput struct {
	Namespace  string
	MetricData []datum
}

func (s *Service) putData(_ context.Context, _ *wire.Call, in *putInput) (wire.None, error) {
	if in.Namespace == "" {
		return wire.None{}, &wire.Error{Status: 400, Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Message: "The parameter Namespace is required."}
	}
	if len(in.MetricData) > 1000 {
		return wire.None{}, validation("The collection MetricData must not have a size greater than 1000.")
	}
	for _, d := range in.MetricData {
		if len(d.Dimensions) > 30 || d.MetricName == "" {
			return wire.None{}, invalid("a datum needs a MetricName and at most 30 Dimensions")
		}
		if len(d.Counts) > 0 && len(d.Counts) != len(d.Values) {
			return wire.None{}, invalid("The parameters Values and Counts must be of the same size.")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range in.MetricData {
		s.add(Metric{Namespace: in.Namespace, MetricName: d.MetricName, Dimensions: d.Dimensions}, d)
	}
	return wire.None{}, nil
}

// add stores one datum; the caller holds the lock.
func (s *Service) add(m Metric, d datum) {
	at := d.Timestamp
	if at.IsZero() {
		at = s.options.Now()
	}
	sr := s.series[m.key()]
	if sr == nil {
		sr = &series{metric: m}
		s.series[m.key()] = sr
	}
	slot := sr.slot(at)
	if d.Unit != "" {
		sr.unit = d.Unit
	}
	switch {
	case d.StatisticValues != nil:
		slot.addSet(*d.StatisticValues)
	case d.Value != nil:
		slot.add(*d.Value, 1)
	}
	for i, v := range d.Values {
		weight := 1.0
		if len(d.Counts) > 0 {
			weight = d.Counts[i]
		}
		slot.add(v, weight)
	}
}

// Put stores one value, as an AWS service does.
func (s *Service) Put(namespace, metric string, dims map[string]string, at time.Time, value float64) {
	m := Metric{Namespace: namespace, MetricName: metric}
	for name, v := range dims {
		m.Dimensions = append(m.Dimensions, Dimension{Name: name, Value: v})
	}
	slices.SortFunc(m.Dimensions, func(a, b Dimension) int { return strings.Compare(a.Name, b.Name) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(m, datum{Timestamp: at, Value: &value})
}

type dimensionFilter struct {
	Name  string
	Value *string
}

type listInput struct {
	Namespace, MetricName, NextToken string
	Dimensions                       []dimensionFilter
}

type listOutput struct {
	Metrics        []Metric
	OwningAccounts []string
	NextToken      string
}

const listPage = 500

func (s *Service) listMetrics(_ context.Context, _ *wire.Call, in *listInput) (listOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := []string{}
	for key, sr := range s.series {
		if key > in.NextToken && in.matches(sr.metric) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	out := listOutput{Metrics: []Metric{}}
	for i, key := range keys {
		if i == listPage {
			out.NextToken = keys[i-1]
			break
		}
		out.Metrics = append(out.Metrics, s.series[key].metric)
	}
	return out, nil
}

func (in *listInput) matches(m Metric) bool {
	if in.Namespace != "" && in.Namespace != m.Namespace || in.MetricName != "" && in.MetricName != m.MetricName {
		return false
	}
	for _, want := range in.Dimensions {
		if !slices.ContainsFunc(m.Dimensions, func(d Dimension) bool {
			return d.Name == want.Name && (want.Value == nil || *want.Value == d.Value)
		}) {
			return false
		}
	}
	return true
}
