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

// Measure sums a version's calls through an alias. CloudWatch shows nothing
// for a version without calls and nothing for one it has not heard of yet, so
// that without calls the sample is unknown, not zero.
func (p *Provider) Measure(ctx context.Context, alias manifest.Resource, version string, w providers.Window) (providers.Sample, error) {
	k, err := p.frontKind(alias.Ref)
	if err != nil {
		return providers.Sample{}, err
	}
	metrics, err := k.metrics(ctx, alias, version)
	if err != nil {
		return providers.Sample{}, about("measure", alias.Ref, err)
	}
	in := &cloudwatch.GetMetricDataInput{
		StartTime: awssdk.Time(w.From), EndTime: awssdk.Time(w.To), ScanBy: types.ScanByTimestampAscending,
	}
	for i, m := range metrics {
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id: awssdk.String("m" + strconv.Itoa(i)), ReturnData: awssdk.Bool(true),
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: awssdk.String(m.namespace), MetricName: awssdk.String(m.name), Dimensions: m.dimensions},
				Period: awssdk.Int32(int32(max(1, p.o.MetricPeriod/time.Second))), Stat: awssdk.String("Sum"),
			},
		})
	}
	sums, known, err := p.sums(ctx, in)
	if err != nil {
		return providers.Sample{}, fmt.Errorf("measure %s version %s: %w", alias.Ref, version, err)
	}
	return sampleOf(metrics, sums, known), nil
}

// sums asks for the values of every query, by its id.
func (p *Provider) sums(ctx context.Context, in *cloudwatch.GetMetricDataInput) (map[string]float64, map[string]bool, error) {
	sums, known := map[string]float64{}, map[string]bool{}
	pages := cloudwatch.NewGetMetricDataPaginator(p.front.cloudwatch, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, classify(err)
		}
		for _, r := range page.MetricDataResults {
			id := awssdk.ToString(r.Id)
			known[id] = known[id] || len(r.Values) > 0
			for _, v := range r.Values {
				sums[id] += v
			}
		}
	}
	return sums, known, nil
}

func sampleOf(metrics []metric, sums map[string]float64, known map[string]bool) providers.Sample {
	var out providers.Sample
	for i, m := range metrics {
		id := "m" + strconv.Itoa(i)
		n := int64(sums[id])
		switch m.counts {
		case countsCalls:
			out.Known, out.Calls = out.Known || known[id], out.Calls+n
		case countsErrors:
			out.Errors += n
		case countsBoth:
			out.Known, out.Calls, out.Errors = out.Known || known[id], out.Calls+n, out.Errors+n
		case countsThrottles:
			out.Throttles += n
		}
	}
	if !out.Known {
		return providers.Sample{}
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
		{countsCalls, "AWS/Lambda", "Invocations", through}, {countsErrors, "AWS/Lambda", "Errors", through},
		{countsThrottles, "AWS/Lambda", "Throttles", through},
	}, nil
}

// versionDimensions name the calls that came through the alias and were
// answered by the version.
func versionDimensions(function, alias, version string) []types.Dimension {
	return []types.Dimension{
		dimension("FunctionName", function), dimension("Resource", function+":"+alias), dimension("ExecutedVersion", version),
	}
}
