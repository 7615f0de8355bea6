package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/providers"
)

const (
	longPoll    = 20   // seconds that SQS waits for a message
	unheard     = 4096 // events that wait for one environment; older ones are dropped
	rememberIDs = 8192 // event ids known again
)

// Hearing receives from hint queues for all environments of a process. SQS
// hands a message to one receiver, and the environments of an account share
// its events: whoever's turn it is receives for all of them.
type Hearing struct {
	mu   sync.Mutex
	ears map[string]*ear // by account, region and queue
}

// NewHearing makes one that has heard nothing.
func NewHearing() *Hearing { return &Hearing{ears: map[string]*ear{}} }

// ear is one queue.
type ear struct {
	turn chan struct{} // held by who receives

	mu      sync.Mutex
	inboxes map[*Provider]*inbox
	seen    map[string]bool // event ids
	order   []string        // of seen, oldest first
}

type inbox struct {
	events []trailEvent
	bell   chan struct{} // rings when events came
}

func (h *Hearing) ear(key string) *ear {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.ears[key]
	if e == nil {
		e = &ear{turn: make(chan struct{}, 1), inboxes: map[*Provider]*inbox{}, seen: map[string]bool{}}
		h.ears[key] = e
	}
	return e
}

func (e *ear) join(p *Provider) *inbox {
	e.mu.Lock()
	defer e.mu.Unlock()
	in := e.inboxes[p]
	if in == nil {
		in = &inbox{bell: make(chan struct{}, 1)}
		e.inboxes[p] = in
	}
	return in
}

// leave forgets an environment that does not listen any more.
func (e *ear) leave(p *Provider) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.inboxes, p)
}

func (e *ear) take(in *inbox) []trailEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	events := in.events
	in.events = nil
	return events
}

// spread hands events, each once, to every environment.
func (e *ear) spread(events []trailEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range events {
		if ev.EventID != "" {
			if e.seen[ev.EventID] {
				continue
			}
			e.seen[ev.EventID] = true
			e.order = append(e.order, ev.EventID)
			if len(e.order) > rememberIDs {
				delete(e.seen, e.order[0])
				e.order = e.order[1:]
			}
		}
		for _, in := range e.inboxes {
			in.events = append(in.events, ev)
			in.events = in.events[max(0, len(in.events)-unheard):]
			select {
			case in.bell <- struct{}{}:
			default:
			}
		}
	}
}

// Hints waits for word of changes to what was last surveyed. Events that are
// garbage, of reads, refused, or about other things are left out.
func (p *Provider) Hints(ctx context.Context) ([]providers.Hint, error) {
	if p.o.HintQueue == "" {
		return nil, errors.ErrUnsupported
	}
	e := p.o.Hearing.ear(scopeOf(p.o) + " " + p.o.HintQueue)
	in := e.join(p)
	for {
		if hints := p.hintsOf(e.take(in)); len(hints) > 0 {
			return hints, nil
		}
		select {
		case <-ctx.Done():
			e.leave(p)
			return nil, ctx.Err()
		case <-in.bell:
			continue
		case e.turn <- struct{}{}:
		}
		events, err := p.receive(ctx)
		<-e.turn
		if ctx.Err() != nil {
			e.leave(p)
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("receive hints from %s: %w", p.o.HintQueue, err)
		}
		e.spread(events)
	}
}

// receive takes what is in the queue, waiting for it a while. A message that
// was received is done with, whatever it says.
func (p *Provider) receive(ctx context.Context) ([]trailEvent, error) {
	url, err := p.hintQueueURL(ctx)
	if err != nil {
		return nil, err
	}
	out, err := p.front.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: longPoll}, p.inHintRegion)
	if err != nil {
		return nil, classify(err)
	}
	var events []trailEvent
	var done []sqstypes.DeleteMessageBatchRequestEntry
	for _, m := range out.Messages {
		if ev, ok := readTrailEvent([]byte(awssdk.ToString(m.Body))); ok {
			events = append(events, ev)
		}
		done = append(done, sqstypes.DeleteMessageBatchRequestEntry{Id: awssdk.String(fmt.Sprint(len(done))), ReceiptHandle: m.ReceiptHandle})
	}
	if len(done) > 0 {
		// What is not deleted comes again, and is known again by its id.
		_, _ = p.front.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: done}, p.inHintRegion)
	}
	return events, nil
}

// hintQueueURL finds the queue once.
func (p *Provider) hintQueueURL(ctx context.Context) (string, error) {
	if url, ok := recall(&p.memory, p.memory.queueURLs, p.o.HintQueue); ok {
		return url, nil
	}
	in := &sqs.GetQueueUrlInput{QueueName: &p.o.HintQueue}
	if parts := strings.Split(p.o.HintQueue, ":"); len(parts) == 6 {
		in.QueueName, in.QueueOwnerAWSAccountId = &parts[5], &parts[4]
	}
	out, err := p.front.sqs.GetQueueUrl(ctx, in, p.inHintRegion)
	if err != nil {
		return "", classify(err)
	}
	url := awssdk.ToString(out.QueueUrl)
	remember(&p.memory, p.memory.queueURLs, p.o.HintQueue, url)
	return url, nil
}

// hintRegion is where the queue is: the ARN's region, else the provider's own.
func (p *Provider) hintRegion() string {
	if parts := strings.Split(p.o.HintQueue, ":"); len(parts) == 6 && parts[3] != "" {
		return parts[3]
	}
	return p.o.Config.Region
}

// inHintRegion sends a call where the queue is: a queue's URL does not.
func (p *Provider) inHintRegion(o *sqs.Options) { o.Region = p.hintRegion() }
