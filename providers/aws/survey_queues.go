package aws

import (
	"context"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// queues looks at queues in rotation: SQS has no bulk reading but of tags.
func (s *sweep) queues(ctx context.Context) {
	k := queueKind{s.p}
	round[queueLook]{
		kind: manifest.KindQueue, service: "SQS", operation: "GetQueueAttributes", looks: s.p.memory.queues,
		at:      func(l *queueLook) time.Time { return l.at },
		touched: func(l *queueLook) *int { return &l.touched },
		arn:     func(l *queueLook) string { return l.attributes["QueueArn"] },
		look:    s.p.lookQueue,
		tell: func(res manifest.Resource, l *queueLook) providers.Live {
			s.layer(layerQueues, l.at)
			return k.live(res, l)
		},
	}.survey(ctx, s, nil)
}

func physicalNames(resources []manifest.Resource) []string {
	names := make([]string, 0, len(resources))
	for _, res := range resources {
		names = append(names, res.Physical)
	}
	return names
}
