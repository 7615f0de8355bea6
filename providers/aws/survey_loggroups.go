package aws

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// groupsACall is how many log groups DescribeLogGroups tells of at once.
const groupsACall = 50

// meteringLook is the last listing of the metric filters of all log groups.
type meteringLook struct {
	at    time.Time
	of    map[string]map[string]any // by group and field path
	calls int
}

// survey reads log groups fifty a call, and metric filters of all groups
// together; subscription filters take a call a group, in rotation.
func (k logGroupKind) survey(ctx context.Context, s *sweep) {
	resources, orphans := s.everyOf(manifest.KindLogGroup)
	if len(resources) == 0 {
		return
	}
	changed := k.glance(ctx, s, resources)
	k.meter(ctx, s, changed)
	due := s.due(rotation{
		names: physicalNames(resources), service: "CloudWatch Logs", operation: "DescribeSubscriptionFilters", cost: 1,
		lookedAt: func(name string) time.Time {
			if l, _ := recall(&s.p.memory, s.p.memory.groups, name); l != nil {
				return l.at
			}
			return time.Time{}
		},
	})
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, err := k.recent(ctx, s, res, due[res.Physical], changed[res.Physical])
		if err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
			return
		}
		live := providers.Live{}
		if l != nil {
			live = k.live(res, l)
			s.layer(layerLogGroups, l.shown)
			s.layer(layerLogFilters, l.at)
		}
		s.answer(res, live, orphans)
	})
}

// glance reads those in bulk that were seen before, and tells which are not as
// they were.
func (k logGroupKind) glance(ctx context.Context, s *sweep, resources []manifest.Resource) map[string]bool {
	s.p.memory.mu.Lock()
	known, last := maps.Clone(s.p.memory.groups), s.p.memory.grouped
	s.p.memory.mu.Unlock()
	var names []string
	for _, res := range resources {
		if known[res.Physical] != nil {
			names = append(names, res.Physical)
		}
	}
	changed, asked, err := s.glance(ctx, glance{
		names: names, last: last, size: groupsACall, service: "CloudWatch Logs", operation: "DescribeLogGroups",
		ask: func(ctx context.Context, names []string) (map[string]bool, error) {
			return k.unchanged(ctx, s, names, known)
		},
	})
	if err != nil {
		s.fail(manifest.Ref{}, fmt.Errorf("describe log groups: %w", err))
	} else if asked {
		s.p.memory.mu.Lock()
		s.p.memory.grouped = s.at
		s.p.memory.mu.Unlock()
	}
	return changed
}

func (k logGroupKind) unchanged(ctx context.Context, s *sweep, names []string, known map[string]*logGroupLook) (map[string]bool, error) {
	same := map[string]bool{}
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(s.cl.logs, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupIdentifiers: names})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for i := range page.LogGroups {
			name := awssdk.ToString(page.LogGroups[i].LogGroupName)
			l := known[name]
			if l == nil {
				continue
			}
			fresh := *l
			fresh.head(&page.LogGroups[i])
			if fresh.group != l.group || fresh.created != l.created || fresh.arn != l.arn {
				continue
			}
			fresh.shown, same[name] = s.at, true
			remember(&s.p.memory, s.p.memory.groups, name, &fresh)
		}
	}
	return same, nil
}

// meter lists the metric filters of all groups, in rotation, and marks as
// changed the groups whose filters are not as they were seen. Where it is
// refused, they are asked for group by group.
func (k logGroupKind) meter(ctx context.Context, s *sweep, changed map[string]bool) {
	if s.narrow {
		return
	}
	s.p.memory.mu.Lock()
	last, groups := s.p.memory.metering, maps.Clone(s.p.memory.groups)
	s.p.memory.mu.Unlock()
	turn := s.due(rotation{
		names: []string{"all"}, lookedAt: func(string) time.Time { return last.at }, age: s.p.o.LayerAge / 2,
		service: "CloudWatch Logs", operation: "DescribeMetricFilters", cost: max(1, last.calls),
	})
	if len(turn) == 0 {
		return
	}
	found, err := listMetricFilters(ctx, s.cl, nil)
	if err != nil {
		if kind := providers.KindOf(classify(err)); !isUnknownOperation(err) && kind != providers.Invalid && kind != providers.Denied {
			s.fail(manifest.Ref{}, fmt.Errorf("list metric filters: %w", classify(err)))
		}
		return
	}
	s.p.memory.mu.Lock()
	s.p.memory.metering = meteringLook{at: s.at, of: found, calls: pagesOf(found)}
	s.p.memory.mu.Unlock()
	for name, l := range groups {
		if l != nil && canonicalJSON(l.metering()) != canonicalJSON(nonNil(found[name])) {
			changed[name] = true
		}
	}
}

// pagesOf is how many calls the listing took, fifty filters each.
func pagesOf(found map[string]map[string]any) int {
	filters := 0
	for _, f := range found {
		filters += len(f)
	}
	return 1 + filters/50
}

func nonNil(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// metering are the metric filters a look shows, by field path.
func (l *logGroupLook) metering() map[string]any {
	out := map[string]any{}
	for path, f := range l.filters {
		if strings.HasPrefix(path, pathMetricFilters) {
			out[path] = f
		}
	}
	return out
}

// recent is the last look at a log group, or a new one; nil when there is
// none.
func (k logGroupKind) recent(ctx context.Context, s *sweep, res manifest.Resource, due, changed bool) (*logGroupLook, error) {
	l, _ := recall(&s.p.memory, s.p.memory.groups, res.Physical)
	touches := s.p.memory.touches(lockName(res))
	var err error
	if l != nil && l.touched == touches && !changed {
		if !due && !s.retagged[l.arn] {
			return l, nil
		}
		l, err = k.renew(ctx, s, res.Physical, l)
	} else {
		l, err = s.p.lookLogGroup(ctx, s.cl, res.Physical)
	}
	if err != nil {
		return nil, err
	}
	if l != nil {
		l.touched = touches
	}
	remember(&s.p.memory, s.p.memory.groups, res.Physical, l)
	return l, nil
}

// renew looks at what the bulk readings leave out, where there were some.
func (k logGroupKind) renew(ctx context.Context, s *sweep, name string, l *logGroupLook) (*logGroupLook, error) {
	s.p.memory.mu.Lock()
	metered := s.p.memory.metering.at
	s.p.memory.mu.Unlock()
	if s.at.Sub(l.shown) >= s.p.o.LayerAge/stateShare || metered.IsZero() || s.at.Sub(metered) >= s.p.o.LayerAge {
		return s.p.lookLogGroup(ctx, s.lazy, name)
	}
	fresh := *l
	fresh.at, fresh.filters = s.at, l.metering()
	return s.p.around(ctx, s.lazy, &fresh, []groupAsk{s.p.askGroupTags(&fresh), fresh.askSubscriptions(name)})
}
