package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// strangers is how many schedules that nobody declared one sweep looks at, to
// learn whether they are ours.
const strangers = 20

// survey lists all schedules in bulk: the listing says when each was last
// changed, so that only what changed is asked for by itself.
func (k scheduleKind) survey(ctx context.Context, s *sweep) {
	resources := s.ofKind(manifest.KindSchedule)
	s.p.memory.mu.Lock()
	listedAt := s.p.memory.scheduled
	s.p.memory.mu.Unlock()
	if len(resources) == 0 && !listedAt.IsZero() && s.at.Sub(listedAt) < s.p.o.LayerAge {
		return
	}
	listed, err := k.schedulesInBulk(ctx, s.cl)
	if isUnknownOperation(err) && len(resources) == 0 {
		return
	}
	if err != nil {
		err = fmt.Errorf("list schedules: %w", classify(err))
		s.fail(manifest.Ref{}, err)
		for _, res := range resources {
			s.fail(res.Ref, about("observe", res.Ref, err))
		}
		return
	}
	s.p.memory.mu.Lock()
	s.p.memory.scheduled = s.at
	s.p.memory.mu.Unlock()
	s.layer(layerSchedules, s.at)
	wanted := map[string]bool{}
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		k.see(ctx, s, res, listed)
	})
	for _, res := range resources {
		wanted[k.groupOf(res)+"/"+res.Physical] = true
	}
	k.orphans(ctx, s, listed, wanted)
}

func (k scheduleKind) schedulesInBulk(ctx context.Context, cl *clients) (map[string]types.ScheduleSummary, error) {
	out := map[string]types.ScheduleSummary{}
	pages := scheduler.NewListSchedulesPaginator(cl.scheduler, &scheduler.ListSchedulesInput{MaxResults: awssdk.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range page.Schedules {
			if isSwitch(awssdk.ToString(one.Name)) {
				continue // of a release that moves, and no resource
			}
			out[awssdk.ToString(one.GroupName)+"/"+awssdk.ToString(one.Name)] = one
		}
	}
	return out, nil
}

func (k scheduleKind) see(ctx context.Context, s *sweep, res manifest.Resource, listed map[string]types.ScheduleSummary) {
	key := k.groupOf(res) + "/" + res.Physical
	one, there := listed[key]
	if !there {
		forget(&s.p.memory, s.p.memory.schedules, key)
		s.see(res.Ref, providers.Live{})
		return
	}
	l, err := k.recent(ctx, s, key, &one, s.p.memory.touches(lockName(res)))
	switch {
	case err != nil:
		s.fail(res.Ref, about("observe", res.Ref, err))
	case l == nil:
		s.see(res.Ref, providers.Live{})
	default:
		live := k.live(res.Ref, l)
		live.SeenAt = s.at // the listing says that it was not changed since
		s.see(res.Ref, live)
	}
}

// recent is the last look at a schedule, or a new one where the listing says
// that it was changed. Once in a while one is asked for all the same.
func (k scheduleKind) recent(ctx context.Context, s *sweep, key string, one *types.ScheduleSummary, touches int) (*scheduleLook, error) {
	if l, ok := recall(&s.p.memory, s.p.memory.schedules, key); ok && l.unchanged(one) && l.touched == touches && s.at.Sub(l.at) < s.p.o.LayerAge {
		return l, nil
	}
	l, err := s.p.lookSchedule(ctx, s.cl, awssdk.ToString(one.GroupName), awssdk.ToString(one.Name))
	if err != nil || l == nil {
		return nil, err
	}
	l.touched = touches
	remember(&s.p.memory, s.p.memory.schedules, key, l)
	return l, nil
}

func (l *scheduleLook) unchanged(one *types.ScheduleSummary) bool {
	return l.out != nil && one.LastModificationDate != nil && awssdk.ToTime(l.out.LastModificationDate).Equal(*one.LastModificationDate) && l.out.State == one.State
}

// orphans are schedules with our mark that nobody wants.
func (k scheduleKind) orphans(ctx context.Context, s *sweep, listed map[string]types.ScheduleSummary, wanted map[string]bool) {
	asked := 0
	for _, key := range sortedKeys(listed) {
		one := listed[key]
		l, known := recall(&s.p.memory, s.p.memory.schedules, key)
		if wanted[key] {
			continue
		}
		if !known || !l.unchanged(&one) {
			if asked++; asked > strangers {
				continue
			}
			var err error
			if l, err = k.recent(ctx, s, key, &one, 0); err != nil {
				s.fail(manifest.Ref{}, fmt.Errorf("observe schedule %s: %w", key, err))
				continue
			}
		}
		if l == nil || !s.p.owns(l.owner()) {
			continue
		}
		if ref, err := manifest.ParseRef(l.owner().Resource); err == nil {
			live := k.live(ref, l)
			live.SeenAt = time.Time{}
			s.orphan(ref, live)
		}
	}
}
