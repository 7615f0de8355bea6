package aws

import (
	"context"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// queues looks at queues in rotation: SQS has no bulk reading but of tags.
func (s *sweep) queues(ctx context.Context) {
	k, absent := queueKind{s.p}, s.absentQueues(ctx)
	round[queueLook]{
		kind: manifest.KindQueue, service: "SQS", operation: "GetQueueAttributes", looks: s.p.memory.queues,
		at:      func(l *queueLook) time.Time { return l.at },
		touched: func(l *queueLook) *int { return &l.touched },
		arn:     func(l *queueLook) string { return l.attributes["QueueArn"] },
		look: func(ctx context.Context, cl *clients, name string) (*queueLook, error) {
			if absent[name] {
				return nil, nil
			}
			return s.p.lookQueue(ctx, cl, name)
		},
		tell: func(res manifest.Resource, l *queueLook) providers.Live {
			s.layer(layerQueues, l.at)
			return k.live(res, l)
		},
	}.survey(ctx, s, nil)
}

// A page of a listing of queues has so many, and takes the place of at least so
// many questions.
const queuesListed, questionsSpared = 1000, 10

// absentQueues lists queues where it is not known of many whether they are there:
// a release of thousands that is held would ask for each in every survey. It
// gives those that are not, and remembers where the others are. What was not
// listed to the end, or may not be, is asked for one by one.
func (s *sweep) absentQueues(ctx context.Context) map[string]bool {
	resources, _ := s.everyOf(manifest.KindQueue)
	absent, prefix := map[string]bool{}, ""
	for _, res := range resources {
		if _, known := recall(&s.p.memory, s.p.memory.queueURLs, res.Physical); known {
			continue
		}
		if len(absent) == 0 {
			prefix = res.Physical
		}
		for !strings.HasPrefix(res.Physical, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
		absent[res.Physical] = true
	}
	in := &sqs.ListQueuesInput{MaxResults: awssdk.Int32(queuesListed)}
	if prefix != "" {
		in.QueueNamePrefix = &prefix
	}
	pages := sqs.NewListQueuesPaginator(s.cl.sqs, in)
	for left := len(absent) / questionsSpared; pages.HasMorePages(); left-- {
		if left <= 0 {
			return nil
		}
		page, err := pages.NextPage(ctx)
		if err != nil || len(page.QueueUrls) >= queuesListed && page.NextToken == nil {
			return nil // a full page that is called the last may be cut
		}
		for _, url := range page.QueueUrls {
			if name := nameOfARN(url); absent[name] {
				remember(&s.p.memory, s.p.memory.queueURLs, name, url)
				delete(absent, name)
			}
		}
	}
	return absent
}

func physicalNames(resources []manifest.Resource) []string {
	names := make([]string, 0, len(resources))
	for _, res := range resources {
		names = append(names, res.Physical)
	}
	return names
}
