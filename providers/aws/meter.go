package aws

import (
	"context"
	"fmt"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Measure sums a version's calls through an alias, and compares their
// durations with what was asked, in one question. CloudWatch shows nothing for
// a version without calls and nothing for one it has not heard of yet, so that
// without calls the sample is unknown, not zero, and silent. What was before is
// asked for too: a window is as short as one period, and by itself does not tell
// a count that is late from one that is not sent.
func (p *Provider) Measure(ctx context.Context, alias manifest.Resource, version string, q providers.Asked) (providers.Sample, error) {
	k, err := p.frontKind(alias.Ref)
	if err != nil {
		return providers.Sample{}, err
	}
	metrics, err := k.metrics(ctx, alias, version)
	if err != nil {
		return providers.Sample{}, about("measure", alias.Ref, err)
	}
	counted := metrics
	if timed, ok := k.(timedKind); ok && len(q.Latency) > 0 {
		metrics = append(metrics, timed.durations(alias, version, q.Latency)...)
	}
	seen, err := ask(ctx, p.front.cloudwatch, p.question(metrics, q))
	if err != nil {
		return providers.Sample{}, fmt.Errorf("measure %s version %s: %w", alias.Ref, version, err)
	}
	out := sampleOf(metrics, p.nearby(seen, q.Window), q)
	for _, w := range q.Again {
		out.Again = append(out.Again, completeOf(counted, p.nearby(seen, w), w))
	}
	return out, nil
}

// nearby is what was told of a window and of the periods before it.
func (p *Provider) nearby(seen map[string]points, w providers.Window) map[string]points {
	out := make(map[string]points, len(seen))
	for id, all := range seen {
		_, since := all.split(w.From.Add(-before * p.o.MetricPeriod))
		out[id], _ = since.split(w.To)
	}
	return out
}

// question asks for all of the metrics at once.
func (p *Provider) question(metrics []metric, q providers.Asked) *cloudwatch.GetMetricDataInput {
	from := q.From
	for _, w := range q.Again {
		if w.From.Before(from) {
			from = w.From
		}
	}
	in := &cloudwatch.GetMetricDataInput{
		StartTime: awssdk.Time(from.Add(-before * p.o.MetricPeriod)), EndTime: awssdk.Time(q.To), ScanBy: types.ScanByTimestampAscending,
	}
	for i, m := range metrics {
		stat := m.statistic(q.Latency)
		if stat == "" {
			continue
		}
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id: awssdk.String("m" + strconv.Itoa(i)), ReturnData: awssdk.Bool(true),
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: awssdk.String(m.namespace), MetricName: awssdk.String(m.name), Dimensions: m.dimensions},
				Period: awssdk.Int32(int32(max(1, p.o.MetricPeriod/time.Second))), Stat: awssdk.String(stat),
			},
		})
	}
	return in
}

// before is how many periods before a window are looked at. CloudWatch asks
// money for a metric, not for its values.
const before = 15

// statistic is what CloudWatch is asked for; "" where nothing is.
func (m metric) statistic(asked []providers.AskedLatency) string {
	switch m.counts {
	case countsTimed:
		return "SampleCount"
	case isQuantile:
		return "p" + strconv.FormatFloat(asked[m.nth].Percentile, 'f', -1, 64)
	case countsSlow:
		if asked[m.nth].Threshold <= 0 {
			return ""
		}
		// Everything above: the lower bound of a trimmed count is exclusive.
		return "TC(" + strconv.FormatFloat(milliseconds(asked[m.nth].Threshold), 'f', -1, 64) + ":)"
	}
	return "Sum"
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// points are the values of one query by their period.
type points map[time.Time]float64

// ask puts one question and reads every page of its answer.
func ask(ctx context.Context, client cloudwatch.GetMetricDataAPIClient, in *cloudwatch.GetMetricDataInput) (map[string]points, error) {
	a := answers{seen: map[string]points{}, said: map[string]types.StatusCode{}}
	pages := cloudwatch.NewGetMetricDataPaginator(client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify(err)
		}
		for _, r := range page.MetricDataResults {
			if err := a.take(r, awssdk.ToTime(in.EndTime)); err != nil {
				return nil, err
			}
		}
	}
	return a.seen, a.whole(in.MetricDataQueries)
}

// answers are the pages of one question put together.
type answers struct {
	seen map[string]points           // by the query's id
	said map[string]types.StatusCode // of a query's newest page
}

// take adds one page of one query. What failed says so with nothing but a word
// beside its empty values; what is told of the time after the question is for the
// next one; a period that is told twice is one.
func (a answers) take(r types.MetricDataResult, end time.Time) error {
	id := awssdk.ToString(r.Id)
	switch a.said[id] = r.StatusCode; r.StatusCode {
	case types.StatusCodeComplete, types.StatusCodePartialData, "":
	default:
		return providers.Errorf(providers.Transient, "query %s of metrics has no answer: %s", id, r.StatusCode)
	}
	if len(r.Values) != len(r.Timestamps) {
		return providers.Errorf(providers.Transient, "query %s of metrics has %d values at %d times", id, len(r.Values), len(r.Timestamps))
	}
	if a.seen[id] == nil {
		a.seen[id] = points{}
	}
	for i, v := range r.Values {
		if at := r.Timestamps[i].UTC(); at.Before(end) {
			a.seen[id][at] = v
		}
	}
	return nil
}

// whole: every query was answered, and to its end. PartialData says that more is
// to come; where no page follows, or a query is not spoken of, what is missing
// is unknown and no zero.
func (a answers) whole(asked []types.MetricDataQuery) error {
	for _, q := range asked {
		id := awssdk.ToString(q.Id)
		if code, told := a.said[id]; !told || code == types.StatusCodePartialData {
			return providers.Errorf(providers.Transient, "query %s of metrics was not answered to its end", id)
		}
	}
	return nil
}

// possible: no value is below zero, no number, or more than can be counted.
func (p points) possible() bool {
	const most = 1e15 // calls or milliseconds in one period
	for _, v := range p {
		if !(v >= 0 && v <= most) {
			return false
		}
	}
	return true
}

// saysNone: where nothing happened, that is said by a 0. Lambda's guide promises
// an error's 1 and no 0 (its earlier edition: "only … if they have a nonzero
// value"), so a missing datapoint is none that happened, except beside a 0 or
// after periods that told theirs, where it is late. Whoever asks waits until a period is settled.
func (p points) saysNone() bool {
	for _, v := range p {
		if v == 0 {
			return true
		}
	}
	return false
}

// tellsNone: every period with calls had its count, and one of them was 0.
func (p points) tellsNone(calls points) bool { return p.saysNone() && p.covers(calls) }

// split gives the periods before a time, and those from then on.
func (p points) split(at time.Time) (before, since points) {
	before, since = points{}, points{}
	for t, v := range p {
		if t.Before(at) {
			before[t] = v
		} else {
			since[t] = v
		}
	}
	return before, since
}

// covers: there is a value for every period of the other one that has calls.
func (p points) covers(calls points) bool {
	for at, n := range calls {
		if _, ok := p[at]; n > 0 && !ok {
			return false
		}
	}
	return true
}

// lasts: it happened in two periods at least. What lies between throttled calls
// and calls that are late is one more minute: calls that ran would be told of
// the first by the time the second is.
func (p points) lasts() bool {
	n := 0
	for _, v := range p {
		if v > 0 {
			n++
		}
	}
	return n > 1
}

func (p points) sum() int64 {
	total := 0.0
	for _, v := range p {
		total += v
	}
	return int64(total)
}

// completeOf is what a window comes to once all that was called in it has ended
// and was told: what is not spoken of did not happen, and throttled calls alone
// are all there were.
func completeOf(metrics []metric, seen map[string]points, w providers.Window) providers.Sample {
	out := tally(metrics, seen, providers.Asked{Window: w}, true)
	out.Known, out.Silent = out.Known || out.Silent, false
	return out
}

func sampleOf(metrics []metric, seen map[string]points, q providers.Asked) providers.Sample {
	return tally(metrics, seen, q, false)
}

// tally puts the metrics together; complete: no call of the window is still to
// be told.
func tally(metrics []metric, seen map[string]points, q providers.Asked, complete bool) providers.Sample {
	var out providers.Sample
	var invoked, invokedBefore, throttled, timed points
	slow, quantile := make([]points, len(q.Latency)), make([]points, len(q.Latency))
	late, silent := false, true
	for i, m := range metrics {
		earlier, of := seen["m"+strconv.Itoa(i)].split(q.From)
		if !of.possible() {
			return providers.Sample{}
		}
		silent = silent && len(of) == 0 // a 0 of failures is told of a call
		switch n := of.sum(); m.counts {
		case countsCalls:
			out.Known, out.Calls, invoked = out.Known || len(of) > 0, out.Calls+n, of
			invokedBefore = earlier
		case countsErrors:
			told := of.saysNone() || earlier.tellsNone(invokedBefore)
			out.Errors, late = out.Errors+n, late || told && !of.covers(invoked)
		case countsBoth:
			out.Known, out.Calls, out.Errors = out.Known || len(of) > 0, out.Calls+n, out.Errors+n
		case countsThrottles:
			out.Throttles, throttled = out.Throttles+n, of
		case countsTimed:
			timed = of
		case countsSlow:
			slow[m.nth] = of
		case isQuantile:
			quantile[m.nth] = of
		}
	}
	// Throttled calls are no invocations: where all are, there is no word of any.
	out.Known = out.Known || throttled.lasts() || complete && throttled.sum() > 0
	if !out.Known || late {
		return providers.Sample{Silent: silent}
	}
	for i, asked := range q.Latency {
		latency := providers.Latency{Percentile: asked.Percentile}
		// A count of slow calls that is missing beside calls is not 0 of them.
		if len(timed) > 0 && timed.covers(invoked) && (asked.Threshold <= 0 || slow[i].covers(timed)) {
			latency = latencyOf(timed, slow[i], quantile[i], asked)
		}
		out.Latency = append(out.Latency, latency)
	}
	return out
}

// latencyOf puts the periods together: counts add up, and the quantile is the
// mean of theirs by calls, which is near enough for what it is taken for: a
// threshold.
func latencyOf(timed, slow, quantile points, asked providers.AskedLatency) providers.Latency {
	out := providers.Latency{Known: true, Percentile: asked.Percentile, Calls: timed.sum(), Threshold: asked.Threshold, Above: slow.sum()}
	weighed, calls := 0.0, 0.0
	for at, ms := range quantile {
		weighed, calls = weighed+ms*timed[at], calls+timed[at]
	}
	if calls > 0 {
		out.Quantile = time.Duration(weighed / calls * float64(time.Millisecond))
	}
	return out
}

func dimension(name, value string) types.Dimension {
	return types.Dimension{Name: awssdk.String(name), Value: awssdk.String(value)}
}

// metrics are those of a version behind an alias: throttles are in neither
// invocations nor errors.
func (k aliasKind) metrics(_ context.Context, alias manifest.Resource, version string) ([]metric, error) {
	through := versionDimensions(alias.Physical, alias.Key, version)
	return []metric{
		{counts: countsCalls, namespace: "AWS/Lambda", name: "Invocations", dimensions: through},
		{counts: countsErrors, namespace: "AWS/Lambda", name: "Errors", dimensions: through},
		{counts: countsThrottles, namespace: "AWS/Lambda", name: "Throttles", dimensions: through},
	}, nil
}

// durations are those of the handler: the start of an instance is not in them.
func (k aliasKind) durations(alias manifest.Resource, version string, asked []providers.AskedLatency) []metric {
	duration := metric{counts: countsTimed, namespace: "AWS/Lambda", name: "Duration", dimensions: versionDimensions(alias.Physical, alias.Key, version)}
	out := []metric{duration}
	for i := range asked {
		duration.nth = i
		for _, duration.counts = range []counted{isQuantile, countsSlow} {
			out = append(out, duration)
		}
	}
	return out
}

// versionDimensions name the calls that came through the alias and were
// answered by the version.
func versionDimensions(function, alias, version string) []types.Dimension {
	return []types.Dimension{
		dimension("FunctionName", function), dimension("Resource", function+":"+alias), dimension("ExecutedVersion", version),
	}
}
