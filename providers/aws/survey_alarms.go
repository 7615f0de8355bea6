package aws

import (
	"context"
	"fmt"
	"maps"
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
	resources, orphans := s.everyOf(manifest.KindAlarm)
	changed := k.glance(ctx, s, resources)
	due := s.due(rotation{names: physicalNames(resources), service: "CloudWatch", operation: "ListTagsForResource", cost: 1, lookedAt: func(name string) time.Time {
		if l, _ := recall(&s.p.memory, s.p.memory.alarms, name); l != nil {
			return l.at
		}
		return time.Time{}
	}})
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, err := k.recent(ctx, s, res, due[res.Physical], changed[res.Physical])
		if err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
			return
		}
		live := providers.Live{}
		if l != nil {
			live = k.live(res, l)
			s.layer(layerAlarms, l.shown)
		}
		s.answer(res, live, orphans)
	})
}

// glance reads those in bulk that were seen before, and tells which are not as
// they were.
func (k alarmKind) glance(ctx context.Context, s *sweep, resources []manifest.Resource) map[string]bool {
	s.p.memory.mu.Lock()
	known, last := maps.Clone(s.p.memory.alarms), s.p.memory.alarmed
	s.p.memory.mu.Unlock()
	var names []string
	for _, res := range resources {
		if known[res.Physical] != nil {
			names = append(names, res.Physical)
		}
	}
	changed, asked, err := s.glance(ctx, glance{
		names: names, last: last, size: alarmsACall, service: "CloudWatch", operation: "DescribeAlarms",
		ask: func(ctx context.Context, names []string) (map[string]bool, error) {
			return k.unchanged(ctx, s, names, known)
		},
	})
	if err != nil {
		s.fail(manifest.Ref{}, fmt.Errorf("describe alarms: %w", err))
	} else if asked {
		s.p.memory.mu.Lock()
		s.p.memory.alarmed = s.at
		s.p.memory.mu.Unlock()
	}
	return changed
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

// recent is the last look at an alarm, or a new one; nil when there is none.
func (k alarmKind) recent(ctx context.Context, s *sweep, res manifest.Resource, due, changed bool) (*alarmLook, error) {
	l, _ := recall(&s.p.memory, s.p.memory.alarms, res.Physical)
	touches := s.p.memory.touches(lockName(res))
	var err error
	if l != nil && l.touched == touches && !changed {
		if !due && !s.retagged[awssdk.ToString(l.metric.AlarmArn)] {
			return l, nil
		}
		if s.at.Sub(l.shown) < s.p.o.LayerAge/stateShare { // only its tags are due
			fresh := *l
			fresh.at = s.at
			l, err = s.p.withAlarmTags(ctx, s.lazy, &fresh)
		} else {
			l, err = s.p.lookAlarm(ctx, s.lazy, res.Physical)
		}
	} else {
		l, err = s.p.lookAlarm(ctx, s.cl, res.Physical)
	}
	if err != nil {
		return nil, err
	}
	if l != nil {
		l.touched = touches
	}
	remember(&s.p.memory, s.p.memory.alarms, res.Physical, l)
	return l, nil
}
