package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

var _ providers.AlarmReader = (*Provider)(nil)

// alarmsAtOnce is how many names DescribeAlarms takes.
const alarmsAtOnce = 100

// AlarmStates asks for a hundred alarms a call.
func (p *Provider) AlarmStates(ctx context.Context, alarms []manifest.Resource) (map[manifest.Ref]string, error) {
	refs := map[string]manifest.Ref{}
	var names []string
	for _, a := range alarms {
		refs[a.Physical] = a.Ref
		names = append(names, a.Physical)
	}
	out := map[manifest.Ref]string{}
	for batch := range slices.Chunk(names, alarmsAtOnce) {
		page, err := p.front.cloudwatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: batch, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm}, MaxRecords: awssdk.Int32(alarmsAtOnce),
		})
		if err != nil {
			return nil, fmt.Errorf("read the state of alarms: %w", classify(err))
		}
		for _, m := range page.MetricAlarms {
			if ref, asked := refs[awssdk.ToString(m.AlarmName)]; asked {
				out[ref] = strings.ToLower(string(m.StateValue))
			}
		}
	}
	return out, nil
}
