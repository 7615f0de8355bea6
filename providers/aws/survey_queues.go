package aws

import (
	"context"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// queues looks at queues in rotation: SQS has no bulk reading but of tags.
func (s *sweep) queues(ctx context.Context) {
	resources, orphans := s.everyOf(manifest.KindQueue)
	due := s.due(rotation{names: physicalNames(resources), service: "SQS", operation: "GetQueueAttributes", cost: 1, lookedAt: func(name string) time.Time {
		if l, ok := recall(&s.p.memory, s.p.memory.queues, name); ok && l != nil {
			return l.at
		}
		return time.Time{}
	}})
	k := queueKind{s.p}
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, err := s.recentQueue(ctx, res, due[res.Physical])
		if err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
			return
		}
		live := providers.Live{}
		if l != nil {
			live = k.live(res, l)
			s.layer(layerQueues, l.at)
		}
		s.answer(res, live, orphans)
	})
}

// recentQueue is the last look at a queue, or a new one; nil when there is
// none.
func (s *sweep) recentQueue(ctx context.Context, res manifest.Resource, due bool) (*queueLook, error) {
	l, known := recall(&s.p.memory, s.p.memory.queues, res.Physical)
	touches, cl := s.p.memory.touches(lockName(res)), s.cl
	if known && l != nil && l.touched == touches {
		if !due && !s.retagged[l.attributes["QueueArn"]] {
			return l, nil
		}
		cl = s.lazy
	}
	l, err := s.p.lookQueue(ctx, cl, res.Physical)
	if err != nil {
		return nil, err
	}
	if l != nil {
		l.touched = touches
	}
	remember(&s.p.memory, s.p.memory.queues, res.Physical, l)
	return l, nil
}

func physicalNames(resources []manifest.Resource) []string {
	names := make([]string, 0, len(resources))
	for _, res := range resources {
		names = append(names, res.Physical)
	}
	return names
}
