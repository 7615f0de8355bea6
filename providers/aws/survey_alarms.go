package aws

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// alarmsACall is how many alarms DescribeAlarms tells of at once.
const alarmsACall = 100

// survey reads alarms a hundred a call, which shows all of them but tags.
func (k alarmKind) survey(ctx context.Context, s *sweep) {
	m := &s.p.memory
	r := round[alarmLook]{
		kind: manifest.KindAlarm, service: "CloudWatch", operation: "ListTagsForResource", looks: m.alarms,
		at:      func(l *alarmLook) time.Time { return l.at },
		touched: func(l *alarmLook) *int { return &l.touched },
		arn:     func(l *alarmLook) string { return awssdk.ToString(l.metric.AlarmArn) },
		look:    s.p.lookAlarm,
		again: func(ctx context.Context, name string, l *alarmLook) (*alarmLook, error) {
			return k.renew(ctx, s, name, l)
		},
		tell: func(res manifest.Resource, l *alarmLook) providers.Live {
			s.layer(layerAlarms, l.shown)
			return k.live(res, l)
		},
	}
	r.survey(ctx, s, r.overview(ctx, s, overview[alarmLook]{
		size: alarmsACall, operation: "DescribeAlarms", last: &m.alarmed,
		same: func(ctx context.Context, names []string, known map[string]*alarmLook) (map[string]bool, error) {
			return k.unchanged(ctx, s, names, known)
		},
	}))
}

func (k alarmKind) unchanged(ctx context.Context, s *sweep, names []string, known map[string]*alarmLook) (map[string]bool, error) {
	same := map[string]bool{}
	pages := cloudwatch.NewDescribeAlarmsPaginator(s.cl.cloudwatch, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm}, MaxRecords: awssdk.Int32(alarmsACall),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for i := range page.MetricAlarms {
			name := awssdk.ToString(page.MetricAlarms[i].AlarmName)
			l := known[name]
			if l == nil {
				continue
			}
			fresh := *l
			fresh.metric, fresh.shown = &page.MetricAlarms[i], s.at
			if fresh.guard() != l.guard() {
				continue
			}
			same[name] = true
			remember(&s.p.memory, s.p.memory.alarms, name, &fresh)
		}
	}
	return same, nil
}

// renew looks at the tags alone where the rest was shown a moment ago.
func (k alarmKind) renew(ctx context.Context, s *sweep, name string, l *alarmLook) (*alarmLook, error) {
	if s.at.Sub(l.shown) >= s.p.o.LayerAge/stateShare {
		return s.p.lookAlarm(ctx, s.lazy, name)
	}
	fresh := *l
	fresh.at = s.at
	return s.p.withAlarmTags(ctx, s.lazy, &fresh)
}
