package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// series is one metric's data, by second.
type series struct {
	metric Metric
	unit   string
	slots  []*slot // in time order
}

// slot is what was measured in one second.
type slot struct {
	at           time.Time
	n, sum       float64
	lowest, most float64
	values       []weighted
}

type weighted struct{ value, weight float64 }

// retention is how long AWS keeps data points.
const retention = 15 * 24 * time.Hour

// slot finds or makes the slot of a time.
func (s *series) slot(at time.Time) *slot {
	at = at.UTC().Truncate(time.Second)
	i, found := slices.BinarySearchFunc(s.slots, at, func(x *slot, t time.Time) int { return x.at.Compare(t) })
	if found {
		return s.slots[i]
	}
	made := &slot{at: at, lowest: math.Inf(1), most: math.Inf(-1)}
	s.slots = slices.Insert(s.slots, i, made)
	if old := s.slots[0]; at.Sub(old.at) > retention {
		s.slots = slices.DeleteFunc(s.slots, func(x *slot) bool { return at.Sub(x.at) > retention })
	}
	return made
}

func (s *slot) add(value, weight float64) {
	s.n += weight
	s.sum += value * weight
	s.lowest, s.most = min(s.lowest, value), max(s.most, value)
	s.values = append(s.values, weighted{value, weight})
}

// addSet adds an aggregate; percentiles see its mean.
func (s *slot) addSet(set statisticSet) {
	if set.SampleCount <= 0 {
		return
	}
	s.n += set.SampleCount
	s.sum += set.Sum
	s.lowest, s.most = min(s.lowest, set.Minimum), max(s.most, set.Maximum)
	s.values = append(s.values, weighted{set.Sum / set.SampleCount, set.SampleCount})
}

// window is a half-open span of time, in periods.
type window struct {
	from, to time.Time
	period   time.Duration
}

// aligned widens the window to begin with a period.
func (w window) aligned() window {
	w.from = w.from.UTC().Truncate(w.period)
	return w
}

// bucket is the data of one period.
type bucket struct {
	at   time.Time
	data slot
}

// buckets gathers the periods of the window that have data, in time order.
func (s *series) buckets(w window) []bucket {
	if s == nil {
		return nil
	}
	w = w.aligned()
	var out []bucket
	start, _ := slices.BinarySearchFunc(s.slots, w.from, func(x *slot, t time.Time) int { return x.at.Compare(t) })
	for _, x := range s.slots[start:] {
		at := x.at.Truncate(w.period)
		if !at.Before(w.to) {
			break
		}
		if len(out) == 0 || !out[len(out)-1].at.Equal(at) {
			out = append(out, bucket{at: at, data: slot{lowest: math.Inf(1), most: math.Inf(-1)}})
		}
		out[len(out)-1].data.merge(x)
	}
	return out
}

func (s *slot) merge(x *slot) {
	s.n += x.n
	s.sum += x.sum
	s.lowest, s.most = min(s.lowest, x.lowest), max(s.most, x.most)
	s.values = append(s.values, x.values...)
}

// statistic is a function of a period's data.
type statistic func(slot) float64

// trimmedCount reads TC(low:high) with values for bounds, either of which may
// be left out: how many values are above the lower and not above the upper.
func trimmedCount(name string) (statistic, bool) {
	bounds, ok := strings.CutPrefix(strings.ToUpper(name), "TC(")
	bounds, closed := strings.CutSuffix(bounds, ")")
	from, to, both := strings.Cut(bounds, ":")
	if !ok || !closed || !both || from == "" && to == "" {
		return nil, false
	}
	low, high := math.Inf(-1), math.Inf(1)
	for text, into := range map[string]*float64{from: &low, to: &high} {
		v, err := strconv.ParseFloat(text, 64)
		if text != "" && err != nil {
			return nil, false
		}
		if text != "" {
			*into = v
		}
	}
	return func(s slot) float64 {
		n := 0.0
		for _, v := range s.values {
			if v.value > low && v.value <= high {
				n += v.weight
			}
		}
		return n
	}, true
}

// parseStatistic reads Sum, Average, Minimum, Maximum, SampleCount, pNN.N and
// TC(low:high).
func parseStatistic(name string) (statistic, error) {
	switch name {
	case "Sum":
		return func(s slot) float64 { return s.sum }, nil
	case "Average":
		return func(s slot) float64 { return s.sum / s.n }, nil
	case "Minimum":
		return func(s slot) float64 { return s.lowest }, nil
	case "Maximum":
		return func(s slot) float64 { return s.most }, nil
	case "SampleCount":
		return func(s slot) float64 { return s.n }, nil
	}
	if count, ok := trimmedCount(name); ok {
		return count, nil
	}
	percent, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	if !strings.HasPrefix(name, "p") || err != nil || percent < 0 || percent > 100 {
		return nil, invalid("The value " + name + " for parameter Stat is not supported.")
	}
	return func(s slot) float64 { return s.percentile(percent / 100) }, nil
}

// percentile interpolates between the values nearest the rank.
func (s slot) percentile(q float64) float64 {
	values := slices.Clone(s.values)
	slices.SortFunc(values, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	rank := q * (s.n - 1)
	below := 0.0 // weight of the values passed
	for i, v := range values {
		last := below + v.weight - 1 // the rank of this value's last copy
		if rank <= last || i == len(values)-1 {
			return v.value
		}
		if rank < last+1 { // between this value and the next
			return v.value + (rank-last)*(values[i+1].value-v.value)
		}
		below += v.weight
	}
	return 0
}
