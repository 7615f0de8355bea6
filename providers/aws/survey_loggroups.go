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
	if resources, _ := s.everyOf(manifest.KindLogGroup); len(resources) == 0 {
		return
	}
	m := &s.p.memory
	r := round[logGroupLook]{
		kind: manifest.KindLogGroup, service: "CloudWatch Logs", operation: "DescribeSubscriptionFilters", looks: m.groups,
		at:      func(l *logGroupLook) time.Time { return l.at },
		touched: func(l *logGroupLook) *int { return &l.touched },
		arn:     func(l *logGroupLook) string { return l.arn },
		look:    s.p.lookLogGroup,
		again: func(ctx context.Context, name string, l *logGroupLook) (*logGroupLook, error) {
			return k.renew(ctx, s, name, l)
		},
		tell: func(res manifest.Resource, l *logGroupLook) providers.Live {
			s.layer(layerLogGroups, l.shown)
			s.layer(layerLogFilters, l.at)
			return k.live(res, l)
		},
	}
	changed := r.overview(ctx, s, overview[logGroupLook]{
		size: groupsACall, operation: "DescribeLogGroups", last: &m.grouped,
		same: func(ctx context.Context, names []string, known map[string]*logGroupLook) (map[string]bool, error) {
			return k.unchanged(ctx, s, names, known)
		},
	})
	k.meter(ctx, s, changed)
	r.survey(ctx, s, changed)
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
