package sandbox_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

// TestReadingTheTrailDoesNotMoveItsPages reads the events of whoever reads
// them: each page adds one.
func TestReadingTheTrailDoesNotMoveItsPages(t *testing.T) {
	for name, now := range map[string]func() time.Time{"time passes": nil, "time stands": func() time.Time { return noon }} {
		t.Run(name, func(t *testing.T) {
			s := start(t, sandbox.Options{Now: now})
			queues := sqs.NewFromConfig(as(s, "alice"))
			for _, queue := range []string{"a", "b", "c", "d"} {
				newQueue(t, queues, queue, nil)
			}
			seen := map[string]int{}
			pages := 0
			p := cloudtrail.NewLookupEventsPaginator(cloudtrail.NewFromConfig(as(s, "alice")), &cloudtrail.LookupEventsInput{
				LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyUsername, AttributeValue: aws.String("alice")}}, MaxResults: aws.Int32(1),
			})
			for ; p.HasMorePages() && pages < 50; pages++ {
				for _, e := range must(p.NextPage(t.Context()))(t).Events {
					seen[*e.EventId]++
				}
			}
			if pages != len(seen) || len(seen) != 8 {
				t.Errorf("%d pages showed %d events, want 8 of both: %v", pages, len(seen), seen)
			}
		})
	}
}
