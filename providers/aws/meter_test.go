package aws

import (
	"context"
	"math"
	"reflect"
	"strconv"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
)

// What CloudWatch's answers make: a series that is missing, late, no number or
// below zero is unknown, never 0; only failures without any word of them are
// none. Throttles have no calls beside them.
func TestSampleOfAnswers(t *testing.T) {
	metrics := append([]metric{{counts: countsCalls}, {counts: countsErrors}, {counts: countsThrottles}},
		metric{counts: countsTimed}, metric{counts: isQuantile, nth: 1}, metric{counts: countsSlow, nth: 1}, metric{counts: isQuantile}, metric{counts: countsSlow})
	at := func(values ...float64) points {
		out := points{}
		for i, v := range values {
			if v != skipped {
				out[time.Unix(int64(60*i), 0)] = v
			}
		}
		return out
	}
	// Of the other percentile the threshold is not known yet: all that is asked is its quantile.
	latency := func(calls, above int64) []providers.Latency {
		return []providers.Latency{{Known: true, Percentile: 99, Calls: calls}, {Known: true, Percentile: 90, Calls: calls, Above: above, Threshold: time.Second, Quantile: 20 * time.Millisecond}}
	}
	slower := latency(10, 1)
	slower[0].Quantile = 40 * time.Millisecond
	none := []providers.Latency{{Percentile: 99}, {Percentile: 90}}
	unslowed := []providers.Latency{{Known: true, Percentile: 99, Calls: 10}, {Percentile: 90}}
	for name, tc := range map[string]struct {
		answers []points
		want    providers.Sample
	}{
		"all there":                        {[]points{at(5, 5), at(1, 0), at(0, 2), at(5, 5), at(10, 30), at(1, 0)}, providers.Sample{Known: true, Calls: 10, Errors: 1, Throttles: 2, Latency: latency(10, 1)}},
		"both percentiles":                 {[]points{at(5, 5), at(1, 0), at(0, 2), at(5, 5), at(10, 30), at(1, 0), at(40, 40)}, providers.Sample{Known: true, Calls: 10, Errors: 1, Throttles: 2, Latency: slower}},
		"nothing":                          {nil, providers.Sample{Silent: true}},
		"no calls, and 0 failures":         {[]points{at(), at(0, 0)}, providers.Sample{}},
		"a minute of throttles alone":      {[]points{at(), at(), at(3)}, providers.Sample{}},
		"all is throttled":                 {[]points{at(), at(), at(3, 4)}, providers.Sample{Known: true, Throttles: 7}},
		"throttles now and then":           {[]points{at(), at(), at(0, 3, 0)}, providers.Sample{}},
		"calls, then throttles alone":      {[]points{at(5), at(), at(0, 3)}, providers.Sample{Known: true, Calls: 5, Throttles: 3}},
		"calls, and no word of failures":   {[]points{at(5, 5)}, providers.Sample{Known: true, Calls: 10}},
		"only failures are told":           {[]points{at(5, 5), at(2)}, providers.Sample{Known: true, Calls: 10, Errors: 2}},
		"a minute's failures are late":     {[]points{at(5, 5), at(0)}, providers.Sample{}},
		"0 calls need no word of failures": {[]points{at(5, 0), at(0)}, providers.Sample{Known: true, Calls: 5}},
		"calls are no number":              {[]points{at(math.NaN(), 5), at(0, 0)}, providers.Sample{}},
		"failures are no number":           {[]points{at(5, 5), at(0, math.NaN())}, providers.Sample{}},
		"without end":                      {[]points{at(math.Inf(1)), at(0)}, providers.Sample{}},
		"below zero":                       {[]points{at(5, -5), at(0, 0)}, providers.Sample{}},
		"durations are late":               {[]points{at(5, 5), at(0, 0), at(), at(5), at(20), at(0)}, providers.Sample{Known: true, Calls: 10}},
		"no word of slow calls":            {[]points{at(5, 5), at(0, 0), at(), at(5, 5), at(20, 20)}, providers.Sample{Known: true, Calls: 10, Latency: unslowed}},
		"one minute's slow calls are late": {[]points{at(5, 5), at(0, 0), at(), at(5, 5), at(20, 20), at(skipped, 1)}, providers.Sample{Known: true, Calls: 10, Latency: unslowed}},
	} {
		seen := map[string]points{}
		for i, p := range tc.answers {
			seen["m"+strconv.Itoa(i)] = p
		}
		if tc.want.Known && tc.want.Latency == nil {
			tc.want.Latency = none
		}
		q := providers.Asked{Latency: []providers.AskedLatency{{Percentile: 99}, {Percentile: 90, Threshold: time.Second}}}
		if got := sampleOf(metrics, seen, q); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// A window of one minute: whether a count that is missing is late is known by the
// minutes before, which count for nothing else.
func TestLateIsKnownByWhatWasBefore(t *testing.T) {
	metrics := []metric{{counts: countsCalls}, {counts: countsErrors}}
	at := func(values ...float64) points {
		out := points{}
		for i, v := range values {
			if v != skipped {
				out[time.Unix(int64(60*i), 0)] = v
			}
		}
		return out
	}
	from := time.Unix(120, 0)
	asked := providers.Asked{Window: providers.Window{From: from, To: from.Add(time.Minute)}}
	p := &Provider{o: Options{MetricPeriod: time.Minute}}
	if in := p.question(metrics, asked); !in.StartTime.Before(from.Add(-5*time.Minute)) || !in.EndTime.Equal(asked.To) {
		t.Errorf("asked from %s to %s", in.StartTime, in.EndTime)
	}
	known := providers.Sample{Known: true, Calls: 100}
	for name, tc := range map[string]struct {
		calls, failed points
		want          providers.Sample
	}{
		"told before, late now":       {at(100, 100, 100), at(0, 0), providers.Sample{}},
		"told before and now":         {at(100, 100, 100), at(0, 0, 0), known},
		"failures before, none now":   {at(100, 100, 100), at(7, 0, 0), known},
		"never told":                  {at(100, 100, 100), at(), known},
		"only failures were told":     {at(100, 100, 100), at(7, 7), known},
		"a 0 that is not always told": {at(100, 100, 100), at(0), known},
		"no calls a minute before":    {at(0, 100, 100), at(skipped, 0), providers.Sample{}},
		"calls before, none now":      {at(100, 100), at(0, 0), providers.Sample{Silent: true}},
		"the first minute":            {at(skipped, skipped, 100), at(), known},
	} {
		got := sampleOf(metrics, map[string]points{"m0": tc.calls, "m1": tc.failed}, asked)
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// answeredIn is a CloudWatch whose answer comes in these pages.
type answeredIn [][]types.MetricDataResult

func (p answeredIn) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	at := 0
	if in.NextToken != nil {
		at, _ = strconv.Atoi(*in.NextToken)
	}
	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: p[at]}
	if at+1 < len(p) {
		out.NextToken = awssdk.String(strconv.Itoa(at + 1))
	}
	return out, nil
}

// All pages make one answer. A query that failed, that is not spoken of or whose
// last page says that there is more has none: that is an error, and never the part
// that was told, nor a zero.
func TestAnAnswerIsWholeOrNone(t *testing.T) {
	from := time.Unix(1_800_000_000, 0).UTC().Truncate(time.Minute)
	result := func(id string, code types.StatusCode, minutes []int, values ...float64) types.MetricDataResult {
		r := types.MetricDataResult{Id: &id, StatusCode: code, Values: values}
		for _, m := range minutes {
			r.Timestamps = append(r.Timestamps, from.Add(time.Duration(m)*time.Minute))
		}
		return r
	}
	const (
		complete = types.StatusCodeComplete
		partial  = types.StatusCodePartialData
	)
	calls, none := result("m0", complete, []int{0, 1}, 5, 7), result("m1", complete, nil)
	known := &providers.Sample{Known: true, Calls: 12}
	for name, tc := range map[string]struct {
		pages answeredIn
		want  *providers.Sample // nil: an error
	}{
		"one page":                   {answeredIn{{calls, none}}, known},
		"no word of how it went":     {answeredIn{{result("m0", "", []int{0, 1}, 5, 7), result("m1", "", nil)}}, known},
		"two pages":                  {answeredIn{{result("m0", partial, []int{0}, 5), none}, {result("m0", complete, []int{1}, 7)}}, known},
		"a query on the second page": {answeredIn{{calls}, {none}}, known},
		"a period told twice":        {answeredIn{{result("m0", partial, []int{0, 1}, 5, 7), none}, {result("m0", complete, []int{1}, 7)}}, known},
		"what comes after the end":   {answeredIn{{result("m0", complete, []int{0, 1, 2}, 5, 7, 9), none}}, known},
		"nothing":                    {answeredIn{{result("m0", complete, nil), none}}, &providers.Sample{Silent: true}},
		"a part, and no more":        {answeredIn{{result("m0", partial, []int{0}, 5), none}}, nil},
		"a part of the failures":     {answeredIn{{calls, result("m1", partial, []int{0}, 0)}}, nil},
		"it stops in the middle":     {answeredIn{{result("m0", partial, []int{0}, 5), none}, {}}, nil},
		"failures not spoken of":     {answeredIn{{calls}}, nil},
		"an empty answer":            {answeredIn{{}}, nil},
		"it failed":                  {answeredIn{{calls, result("m1", types.StatusCodeInternalError, nil)}}, nil},
		"it failed on a later page":  {answeredIn{{result("m0", partial, []int{0}, 5), none}, {result("m0", types.StatusCodeInternalError, nil)}}, nil},
		"forbidden":                  {answeredIn{{calls, result("m1", types.StatusCodeForbidden, nil)}}, nil},
		"a word nobody knows":        {answeredIn{{calls, result("m1", "Sampled", nil)}}, nil},
		"values without a time":      {answeredIn{{result("m0", complete, []int{0}, 5, 7), none}}, nil},
		"times without a value":      {answeredIn{{result("m0", complete, []int{0, 1}, 5), none}}, nil},
		"more than can be counted":   {answeredIn{{result("m0", complete, []int{0}, 1e300), none}}, &providers.Sample{}},
	} {
		metrics := []metric{{counts: countsCalls}, {counts: countsErrors}}
		asked := providers.Asked{Window: providers.Window{From: from, To: from.Add(2 * time.Minute)}}
		seen, err := ask(t.Context(), tc.pages, (&Provider{o: Options{MetricPeriod: time.Minute}}).question(metrics, asked))
		if (err != nil) != (tc.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && tc.want != nil {
			if got := sampleOf(metrics, seen, asked); !reflect.DeepEqual(got, *tc.want) {
				t.Errorf("%s: %+v, want %+v", name, got, *tc.want)
			}
		} else if kind := providers.KindOf(err); err != nil && kind != providers.Transient {
			t.Errorf("%s: %v, want it asked again", name, kind)
		}
	}
}

// skipped stands for a datapoint that is missing.
const skipped = -99
