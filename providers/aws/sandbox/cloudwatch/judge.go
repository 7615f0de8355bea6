package cloudwatch

import (
	"fmt"
	"time"
)

// comparisons are the operators of alarms.
var comparisons = map[string]func(value, threshold float64) bool{
	"GreaterThanOrEqualToThreshold": func(v, t float64) bool { return v >= t },
	"GreaterThanThreshold":          func(v, t float64) bool { return v > t },
	"LessThanThreshold":             func(v, t float64) bool { return v < t },
	"LessThanOrEqualToThreshold":    func(v, t float64) bool { return v <= t },
}

// judge brings an alarm's state up to date. What a person set stays for one
// period, so that it can be seen. The caller holds the lock.
func (s *Service) judge(a *alarm) {
	now := s.options.Now()
	period := a.period()
	if !a.setAt.IsZero() && now.Before(a.setAt.Add(period)) {
		return
	}
	points, err := s.recent(a, now, period)
	if err != nil {
		a.become(stateUnknown, err.Error(), now)
		return
	}
	state, reason := a.verdict(points)
	if state != "" {
		a.become(state, reason, now)
	}
}

func (a *alarm) period() time.Duration {
	if a.Period != nil {
		return time.Duration(*a.Period) * time.Second
	}
	for _, q := range a.Metrics {
		if q.MetricStat != nil {
			return time.Duration(q.MetricStat.Period) * time.Second
		}
	}
	return time.Minute
}

// recent are the values of the last EvaluationPeriods periods, nil where there
// is none. The running period counts once it has data.
func (s *Service) recent(a *alarm, now time.Time, period time.Duration) ([]*float64, error) {
	n := time.Duration(a.EvaluationPeriods)
	current := now.Truncate(period)
	queries := a.Metrics
	if len(queries) == 0 {
		queries = []dataQuery{{Id: "m", MetricStat: &metricStat{Metric: a.metric(), Period: int(period / time.Second), Stat: a.statistic()}}}
	}
	results, err := s.evaluate(queries, current.Add(-n*period), current.Add(period))
	if err != nil {
		return nil, err
	}
	byTime := map[time.Time]float64{}
	for i, q := range queries {
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		for _, p := range results[i] {
			byTime[p.at] = p.value
		}
	}
	last := current
	if _, running := byTime[current]; !running {
		last = current.Add(-period)
	}
	out := make([]*float64, 0, a.EvaluationPeriods)
	for at := last.Add(-(n - 1) * period); !at.After(last); at = at.Add(period) {
		if v, ok := byTime[at]; ok {
			out = append(out, &v)
			continue
		}
		out = append(out, nil)
	}
	return out, nil
}

// verdict is M out of N; "" keeps the state.
func (a *alarm) verdict(points []*float64) (state, reason string) {
	breaching, missing := 0, 0
	for _, p := range points {
		switch {
		case p != nil && comparisons[a.ComparisonOperator](*p, *a.Threshold):
			breaching++
		case p == nil && a.TreatMissingData == "breaching":
			breaching++
		case p == nil && a.TreatMissingData != "notBreaching":
			missing++
		}
	}
	need := a.EvaluationPeriods
	if a.DatapointsToAlarm != nil {
		need = *a.DatapointsToAlarm
	}
	reason = fmt.Sprintf("Threshold Crossed: %d of %d datapoints were %s (%g).", breaching, len(points), a.ComparisonOperator, *a.Threshold)
	switch {
	case breaching >= need:
		return stateAlarm, reason
	case missing == len(points) && a.TreatMissingData == "ignore":
		return "", ""
	case missing == len(points):
		return stateUnknown, fmt.Sprintf("Insufficient Data: %d datapoints were unknown.", missing)
	case missing > 0 && breaching > 0 && breaching+missing >= need && a.TreatMissingData == "ignore":
		return "", ""
	default:
		return stateOK, reason
	}
}
