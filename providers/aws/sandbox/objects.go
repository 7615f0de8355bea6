package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"mooring.dev/providers/aws/sandbox/events"
	"mooring.dev/providers/aws/sandbox/iam"
	"mooring.dev/providers/aws/sandbox/s3"
)

// What S3 needs of its neighbours, wherever they live.

const s3Service = "s3.amazonaws.com"

// mayNotify tells whether a target lets S3 tell it of a bucket.
func (s *Sandbox) mayNotify(bucket, target string) bool {
	switch serviceIn(target) {
	case "lambda":
		return s.mayInvoke(s3Service, bucket, target)
	case "sqs":
		queues, err := queuesFor{s}.at(target)
		return err == nil && queues.Exists(target) && iam.Permits([]byte(queues.Policy(target)), s3Service, "sqs:SendMessage", bucket)
	case "sns":
		_, err := s.siteOf(target, "sns")
		return err == nil
	}
	return false
}

// tellOfObject hands an event of an object to its target, or to the bus. What
// cannot be delivered is lost.
func (s *Sandbox) tellOfObject(n s3.Notice) {
	ctx := context.Background()
	payload, err := json.Marshal(map[string]any{"Records": []any{n.Record}})
	if err != nil {
		return
	}
	switch serviceIn(n.Target) {
	case "lambda":
		_ = s.invokeFor(ctx, s3Service, "arn:aws:s3::"+n.Account+":"+n.Bucket, n.Target, payload)
	case "sqs":
		_ = queuesFor{s}.Send(ctx, n.Target, string(payload))
	case "sns":
		_ = s.publishTo(ctx, n.Target, payload)
	case "":
		_ = s.publishObject(ctx, n)
	}
}

// publishObject puts an event of an object on the bus of the bucket's place.
func (s *Sandbox) publishObject(ctx context.Context, n s3.Notice) error {
	st, err := s.site(place{account: n.Account, region: n.Region})
	if err != nil {
		return err
	}
	inner, _ := n.Record["s3"].(map[string]any)
	object, _ := inner["object"].(map[string]any)
	key, err := url.QueryUnescape(fmt.Sprint(object["key"]))
	if err != nil {
		return err
	}
	kind := "Object Created"
	if len(n.Event) > len("ObjectRemoved") && n.Event[:len("ObjectRemoved")] == "ObjectRemoved" {
		kind = "Object Deleted"
	}
	detail := map[string]any{
		"version": "0", "bucket": map[string]any{"name": n.Bucket}, "object": map[string]any{"key": key, "size": object["size"], "etag": object["eTag"]},
	}
	_, err = st.bus.Publish(ctx, events.Event{Source: "aws.s3", DetailType: kind, Detail: detail, At: s.clock.Now()})
	return err
}
