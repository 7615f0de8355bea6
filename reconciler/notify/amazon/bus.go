package amazon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"mooring.dev/reconciler/notify"
)

// Source and DetailType are what rules match Mooring's events by.
const (
	Source     = "mooring"
	DetailType = "Mooring Alert"
)

// batch is how many entries one PutEvents takes; entrySize and batchSize are
// in bytes, of an entry and of all of them: EventBridge takes 256 KB.
const (
	batch     = 10
	entrySize = 250 << 10
	batchSize = 250 << 10
)

// Bus puts each event on a bus of EventBridge; its detail is the event.
type Bus struct {
	client *eventbridge.Client
	name   string
}

// NewBus puts events on the bus of a name or ARN.
func NewBus(client *eventbridge.Client, name string) *Bus { return &Bus{client: client, name: name} }

// Notify implements notify.Notifier.
func (b *Bus) Notify(ctx context.Context, e notify.Event) error {
	return b.NotifyAll(ctx, []notify.Event{e})
}

// Look asks whether the bus is there, and sends nothing.
func (b *Bus) Look(ctx context.Context) error {
	_, err := b.client.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &b.name})
	return classify(b.name, err)
}

// NotifyAll implements notify.Grouper. What was taken before or beside an entry
// that was refused is told as taken, and not put again with it.
func (b *Bus) NotifyAll(ctx context.Context, events []notify.Event) error {
	var taken []string
	for len(events) > 0 {
		in, of := &eventbridge.PutEventsInput{}, events
		for size := 0; len(events) > 0 && len(in.Entries) < batch; events = events[1:] {
			entry, err := b.entry(events[0])
			if err != nil {
				return notify.Partly(taken, err)
			}
			if size += len(*entry.Detail) + len(Source) + len(DetailType) + timeSize; size > batchSize && len(in.Entries) > 0 {
				break
			}
			in.Entries = append(in.Entries, entry)
		}
		out, err := b.client.PutEvents(ctx, in)
		if err != nil {
			return notify.Partly(taken, classify(b.name, err))
		}
		for i, entry := range out.Entries {
			if i < len(in.Entries) && aws.ToString(entry.ErrorCode) == "" {
				taken = append(taken, of[i].ID)
			}
		}
		if err := b.refused(out.Entries); err != nil {
			return notify.Partly(taken, err)
		}
	}
	return nil
}

// timeSize is what the time of an entry counts for.
const timeSize = 14

func (b *Bus) entry(e notify.Event) (types.PutEventsRequestEntry, error) {
	e = notify.Fit(e, entrySize-len(Source)-len(DetailType)-timeSize)
	detail, err := json.Marshal(e)
	if err != nil {
		return types.PutEventsRequestEntry{}, notify.Permanent(fmt.Errorf("notify %s: %w", b.name, err))
	}
	return types.PutEventsRequestEntry{EventBusName: &b.name, Source: aws.String(Source), DetailType: aws.String(DetailType),
		Detail: aws.String(string(detail)), Time: aws.Time(e.At)}, nil
}

// refused is what a batch that was answered left out; for good only when every
// refusal is.
func (b *Bus) refused(entries []types.PutEventsResultEntry) error {
	var refusals []error
	lastingAll := true
	for _, entry := range entries {
		if code := aws.ToString(entry.ErrorCode); code != "" {
			refusals = append(refusals, fmt.Errorf("notify %s: entry refused: %s", b.name, code))
			lastingAll = lastingAll && lasting[code]
		}
	}
	err := errors.Join(refusals...)
	if err != nil && lastingAll {
		return notify.Permanent(err)
	}
	return err
}
