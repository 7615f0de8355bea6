package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// measured are the metrics of a version behind an alias.
var measured = []struct{ id, name string }{
	{"calls", "Invocations"}, {"errors", "Errors"}, {"throttles", "Throttles"},
}

// Measure sums a version's calls through an alias. CloudWatch shows nothing
// for a version without calls and nothing for one it has not heard of yet, so
// that without invocations the sample is unknown, not zero.
func (p *Provider) Measure(ctx context.Context, alias manifest.Resource, version string, w providers.Window) (providers.Sample, error) {
	in := &cloudwatch.GetMetricDataInput{
		StartTime: awssdk.Time(w.From), EndTime: awssdk.Time(w.To), ScanBy: types.ScanByTimestampAscending,
	}
	for _, m := range measured {
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id: awssdk.String(m.id), ReturnData: awssdk.Bool(true),
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{
					Namespace: awssdk.String("AWS/Lambda"), MetricName: awssdk.String(m.name),
					Dimensions: versionDimensions(alias.Physical, alias.Key, version),
				},
				Period: awssdk.Int32(int32(max(1, p.o.MetricPeriod/time.Second))), Stat: awssdk.String("Sum"),
			},
		})
	}
	sums, known := map[string]float64{}, map[string]bool{}
	pages := cloudwatch.NewGetMetricDataPaginator(p.front.cloudwatch, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return providers.Sample{}, fmt.Errorf("measure %s version %s: %w", alias.Ref, version, classify(err))
		}
		for _, r := range page.MetricDataResults {
			id := awssdk.ToString(r.Id)
			known[id] = known[id] || len(r.Values) > 0
			for _, v := range r.Values {
				sums[id] += v
			}
		}
	}
	if !known["calls"] {
		return providers.Sample{}, nil
	}
	return providers.Sample{Known: true, Calls: int64(sums["calls"]), Errors: int64(sums["errors"]), Throttles: int64(sums["throttles"])}, nil
}

// versionDimensions name the calls that came through the alias and were
// answered by the version.
func versionDimensions(function, alias, version string) []types.Dimension {
	dimension := func(name, value string) types.Dimension {
		return types.Dimension{Name: awssdk.String(name), Value: awssdk.String(value)}
	}
	return []types.Dimension{
		dimension("FunctionName", function), dimension("Resource", function+":"+alias), dimension("ExecutedVersion", version),
	}
}
