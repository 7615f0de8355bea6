package cloudwatch

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

type metricStat struct {
	Metric Metric
	Period int
	Stat   string
	Unit   string
}

type dataQuery struct {
	Id, Expression, Label string
	MetricStat            *metricStat
	Period                *int
	ReturnData            *bool
}

type dataInput struct {
	MetricDataQueries  []dataQuery
	StartTime, EndTime time.Time
	ScanBy, NextToken  string
	MaxDatapoints      *int
}

type dataResult struct {
	Id, Label, StatusCode string
	Timestamps            []time.Time
	Values                []float64
}

type dataOutput struct {
	MetricDataResults []dataResult
	Messages          []string
	NextToken         string
}

const defaultPoints = 100_800

func (s *Service) getData(_ context.Context, _ *wire.Call, in *dataInput) (dataOutput, error) {
	if err := in.check(); err != nil {
		return dataOutput{}, err
	}
	limit, offset := defaultPoints, 0
	if in.MaxDatapoints != nil {
		limit = *in.MaxDatapoints
	}
	if in.NextToken != "" {
		var err error
		if offset, err = strconv.Atoi(in.NextToken); err != nil {
			return dataOutput{}, &wire.Error{Status: 400, Code: "InvalidNextToken", Message: "The token is not one of this query."}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	results, err := s.evaluate(in.MetricDataQueries, in.StartTime, in.EndTime)
	if err != nil {
		return dataOutput{}, err
	}
	out := dataOutput{MetricDataResults: []dataResult{}, Messages: []string{}}
	for i, q := range in.MetricDataQueries {
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		r := dataResult{Id: q.Id, Label: q.label(), StatusCode: "Complete", Timestamps: []time.Time{}, Values: []float64{}}
		for _, p := range results[i] {
			r.Timestamps = append(r.Timestamps, p.at)
			r.Values = append(r.Values, p.value)
		}
		if in.ScanBy != "TimestampAscending" {
			slices.Reverse(r.Timestamps)
			slices.Reverse(r.Values)
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	out.cut(offset, limit)
	return out, nil
}

// cut keeps limit data points from offset on, over all results.
func (out *dataOutput) cut(offset, limit int) {
	left, position := limit, 0
	for i := range out.MetricDataResults {
		r := &out.MetricDataResults[i]
		n := len(r.Values)
		from := min(max(offset-position, 0), n)
		to := min(from+left, n)
		position += n
		left -= to - from
		if to < n {
			r.StatusCode = "PartialData"
			out.NextToken = strconv.Itoa(offset + limit)
		}
		r.Timestamps, r.Values = r.Timestamps[from:to], r.Values[from:to]
	}
}

func (in *dataInput) check() error {
	switch {
	case len(in.MetricDataQueries) == 0:
		return validation("The collection MetricDataQueries must not be empty.")
	case len(in.MetricDataQueries) > 500:
		return validation("The collection MetricDataQueries must not have a size greater than 500.")
	case !in.StartTime.Before(in.EndTime):
		return validation("The parameter StartTime must be less than the parameter EndTime.")
	}
	seen := map[string]bool{}
	for _, q := range in.MetricDataQueries {
		if q.Id == "" || q.Id[0] < 'a' || q.Id[0] > 'z' {
			return validation("The value '" + q.Id + "' for parameter Id must begin with a lowercase letter.")
		}
		if seen[q.Id] {
			return validation("The values for parameter Id in MetricDataQueries are not unique.")
		}
		seen[q.Id] = true
		if (q.MetricStat == nil) == (q.Expression == "") {
			return validation("Exactly one element of the metric data query object must be specified: MetricStat or Expression.")
		}
	}
	return nil
}

func (q dataQuery) label() string {
	switch {
	case q.Label != "":
		return q.Label
	case q.MetricStat != nil:
		return q.MetricStat.Metric.MetricName
	default:
		return q.Id
	}
}

// point is one value of one period.
type point struct {
	at    time.Time
	value float64
}

// evaluate answers the queries in order, each over the window; expressions see
// the others by their identifiers. The caller holds the lock.
func (s *Service) evaluate(queries []dataQuery, from, to time.Time) ([][]point, error) {
	out := make([][]point, len(queries))
	byID := map[string][]point{}
	var metrics [][]point
	for i, q := range queries {
		if q.MetricStat == nil {
			continue
		}
		points, err := s.points(*q.MetricStat, from, to)
		if err != nil {
			return nil, err
		}
		out[i], byID[q.Id] = points, points
		metrics = append(metrics, points)
	}
	for i, q := range queries {
		if q.MetricStat != nil {
			continue
		}
		points, err := calculate(q.Expression, byID, metrics)
		if err != nil {
			return nil, validation(fmt.Sprintf("Error in expression '%s': %v", q.Id, err))
		}
		out[i], byID[q.Id] = points, points
	}
	return out, nil
}

func (s *Service) points(m metricStat, from, to time.Time) ([]point, error) {
	period, err := s.period(m.Period)
	if err != nil {
		return nil, err
	}
	stat, err := parseStatistic(m.Stat)
	if err != nil {
		return nil, err
	}
	var out []point
	for _, b := range s.series[m.Metric.key()].buckets(window{from: from, to: to, period: period}) {
		out = append(out, point{at: b.at, value: stat(b.data)})
	}
	return out, nil
}

// period checks a period: 1, 5, 10, 20, 30 or a multiple of 60 seconds, or any,
// where the sandbox's own minute is shorter.
func (s *Service) period(n int) (time.Duration, error) {
	ok := n > 0 && (n%60 == 0 || slices.Contains([]int{1, 5, 10, 20, 30}, n) || s.options.Period < time.Minute)
	if !ok {
		return 0, validation("Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
	}
	return time.Duration(n) * time.Second, nil
}

type statisticsInput struct {
	Metric
	StartTime, EndTime time.Time
	Period             int
	Statistics         []string
	ExtendedStatistics []string
	Unit               string
}

type datapoint struct {
	Timestamp                                   time.Time
	SampleCount, Average, Sum, Minimum, Maximum *float64
	ExtendedStatistics                          map[string]float64
	Unit                                        string
}

type statisticsOutput struct {
	Label      string
	Datapoints []datapoint
}

func (s *Service) getStatistics(_ context.Context, _ *wire.Call, in *statisticsInput) (statisticsOutput, error) {
	out := statisticsOutput{Label: in.MetricName, Datapoints: []datapoint{}}
	period, err := s.period(in.Period)
	if err != nil {
		return out, err
	}
	if !in.StartTime.Before(in.EndTime) {
		return out, validation("The parameter StartTime must be less than the parameter EndTime.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sr := s.series[in.key()]
	for _, b := range sr.buckets(window{from: in.StartTime, to: in.EndTime, period: period}) {
		d := datapoint{Timestamp: b.at, Unit: sr.unit}
		if d.Unit == "" {
			d.Unit = "None"
		}
		if err := d.fill(b.data, in); err != nil {
			return out, err
		}
		out.Datapoints = append(out.Datapoints, d)
	}
	return out, nil
}

func (d *datapoint) fill(data slot, in *statisticsInput) error {
	into := map[string]**float64{
		"SampleCount": &d.SampleCount, "Average": &d.Average, "Sum": &d.Sum, "Minimum": &d.Minimum, "Maximum": &d.Maximum,
	}
	for _, name := range in.Statistics {
		stat, err := parseStatistic(name)
		field, known := into[name]
		if err != nil || !known {
			return invalid("The value " + name + " for parameter Statistics is not supported.")
		}
		value := stat(data)
		*field = &value
	}
	for _, name := range in.ExtendedStatistics {
		stat, err := parseStatistic(name)
		if err != nil {
			return err
		}
		if d.ExtendedStatistics == nil {
			d.ExtendedStatistics = map[string]float64{}
		}
		d.ExtendedStatistics[name] = stat(data)
	}
	return nil
}
