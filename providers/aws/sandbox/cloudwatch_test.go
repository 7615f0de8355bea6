package sandbox_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers/aws/sandbox"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// query asks for one statistic of NAMESPACE METRIC; dims are names and values
// in turn.
func query(id, name, stat string, dims ...string) types.MetricDataQuery {
	cut := strings.LastIndexByte(name, ' ')
	m := &types.Metric{Namespace: aws.String(name[:cut]), MetricName: aws.String(name[cut+1:])}
	for i := 0; i < len(dims); i += 2 {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: &dims[i], Value: &dims[i+1]})
	}
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Metric: m, Period: aws.Int32(60), Stat: &stat}}
}

// measured is a sandbox at noon whose metric Shop/Latency holds 1..100 in the
// minute before, and Shop/Errors 3 in it.
func measured(t *testing.T) (*sandbox.Sandbox, *cloudwatch.Client) {
	t.Helper()
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }})
	c := cloudwatch.NewFromConfig(as(s, "alice"))
	var data []types.MetricDatum
	for i := range 100 {
		data = append(data, types.MetricDatum{
			MetricName: aws.String("Latency"), Timestamp: aws.Time(noon.Add(-40 * time.Second)), Value: aws.Float64(float64(i + 1)),
			Dimensions: []types.Dimension{{Name: aws.String("Padding"), Value: aws.String(string(bytes.Repeat([]byte{'x'}, 200)))}},
		})
	}
	data = append(data, types.MetricDatum{MetricName: aws.String("Errors"), Timestamp: aws.Time(noon.Add(-40 * time.Second)), Value: aws.Float64(3)})
	// Over 10 KB, so the SDK compresses it.
	must(c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"), MetricData: data}))(t)
	return s, c
}

func TestStatisticsAndPercentiles(t *testing.T) {
	_, c := measured(t)
	padding := string(bytes.Repeat([]byte{'x'}, 200))
	want := map[string]float64{"Sum": 5050, "Average": 50.5, "Minimum": 1, "Maximum": 100, "SampleCount": 100, "p50": 50.5, "p99": 99.01}
	var queries []types.MetricDataQuery
	i := 0
	byID := map[string]string{}
	for stat := range want {
		id := fmt.Sprintf("q%d", i)
		i++
		byID[id] = stat
		queries = append(queries, query(id, "Shop Latency", stat, "Padding", padding))
	}
	out := must(c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(noon.Add(-5 * time.Minute)), EndTime: aws.Time(noon), MetricDataQueries: queries,
	}))(t)
	for _, r := range out.MetricDataResults {
		stat := byID[*r.Id]
		if len(r.Values) != 1 || math.Abs(r.Values[0]-want[stat]) > 1e-9 || !r.Timestamps[0].Equal(noon.Add(-time.Minute)) {
			t.Errorf("%s is %v at %v, want %v in the minute before noon", stat, r.Values, r.Timestamps, want[stat])
		}
	}
}

func TestMetricMath(t *testing.T) {
	_, c := measured(t)
	padding := string(bytes.Repeat([]byte{'x'}, 200))
	hidden := aws.Bool(false)
	calls, errors := query("calls", "Shop Latency", "SampleCount", "Padding", padding), query("errors", "Shop Errors", "Sum")
	absent := query("absent", "Shop Nothing", "Sum")
	calls.ReturnData, errors.ReturnData, absent.ReturnData = hidden, hidden, hidden
	for expression, want := range map[string]float64{
		"100 * errors / calls": 3, "(errors+calls)-1": 102, "SUM(METRICS())": 103, "SUM([errors, calls])*2": 206, "FILL(absent, 7)": 7,
	} {
		out := must(c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(noon.Add(-5 * time.Minute)), EndTime: aws.Time(noon),
			MetricDataQueries: []types.MetricDataQuery{calls, errors, absent, {Id: aws.String("e"), Expression: &expression}},
		}))(t)
		if r := out.MetricDataResults; len(r) != 1 || len(r[0].Values) != 1 || r[0].Values[0] != want {
			t.Errorf("%s is %+v, want %v", expression, r, want)
		}
	}
	_, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(noon.Add(-5 * time.Minute)), EndTime: aws.Time(noon),
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("e"), Expression: aws.String("ANOMALY_DETECTION_BAND(m)")}},
	})
	if codeOf(err) != "ValidationError" {
		t.Errorf("an expression the sandbox does not know: %v", err)
	}
}

func TestPeriodsAreAWSsUnlessTheSandboxsMinuteIsShorter(t *testing.T) {
	ask := func(s *sandbox.Sandbox) error {
		c := cloudwatch.NewFromConfig(as(s, "alice"))
		q := query("m", "Shop Errors", "Sum")
		q.MetricStat.Period = aws.Int32(3)
		_, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(noon.Add(-time.Minute)), EndTime: aws.Time(noon), MetricDataQueries: []types.MetricDataQuery{q},
		})
		return err
	}
	if err := ask(start(t, sandbox.Options{})); codeOf(err) != "ValidationError" {
		t.Errorf("three seconds, as on AWS: %v", err)
	}
	if err := ask(start(t, sandbox.Options{Period: time.Second})); err != nil {
		t.Errorf("three seconds, of a sandbox whose minute is a second: %v", err)
	}
}

func TestAlarmsAreJudgedWhenLookedAt(t *testing.T) {
	s, c := measured(t)
	put := func(name, missing string, threshold float64) {
		must(c.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
			AlarmName: &name, Namespace: aws.String("Shop"), MetricName: aws.String("Errors"), Statistic: types.StatisticSum,
			Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: &threshold,
			ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold, TreatMissingData: &missing,
		}))(t)
	}
	put("high", "missing", 3)
	put("low", "missing", 4)
	put("quiet", "notBreaching", 3)
	state := func(name string) string {
		out := must(c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}}))(t)
		return string(out.MetricAlarms[0].StateValue)
	}
	if state("high") != "ALARM" || state("low") != "OK" {
		t.Errorf("3 errors: high is %s, low is %s", state("high"), state("low"))
	}
	s.Advance(10 * time.Minute)
	if state("high") != "INSUFFICIENT_DATA" || state("quiet") != "OK" {
		t.Errorf("no data: high is %s, quiet is %s", state("high"), state("quiet"))
	}
	must(c.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("quiet"), StateValue: types.StateValueAlarm, StateReason: aws.String("a drill")}))(t)
	if got := state("quiet"); got != "ALARM" {
		t.Errorf("set by hand it is %s", got)
	}
	s.Advance(2 * time.Minute)
	if got := state("quiet"); got != "OK" {
		t.Errorf("a period after it was set by hand it is %s", got)
	}
}

// TestTheQueryProtocolStillWorks is for clients older than rpc-v2-cbor.
func TestTheQueryProtocolStillWorks(t *testing.T) {
	s, _ := measured(t)
	req := must(http.NewRequest(http.MethodPost, s.URL(), bytes.NewBufferString(
		"Action=GetMetricStatistics&Version=2010-08-01&Namespace=Shop&MetricName=Errors&Period=60&Statistics.member.1=Sum"+
			"&StartTime=2026-11-23T11:55:00Z&EndTime=2026-11-23T12:00:00Z")))(t)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=alice/20261123/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
	res := must(http.DefaultClient.Do(req))(t)
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	var out bytes.Buffer
	must(out.ReadFrom(res.Body))(t)
	if want := "<Sum>3</Sum>"; res.StatusCode != 200 || !bytes.Contains(out.Bytes(), []byte(want)) {
		t.Errorf("%d %s, want %s", res.StatusCode, out.String(), want)
	}
}
