package lambda_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda"
)

// queues keeps messages in memory. What is received stays in flight until it is
// deleted or brought back by the test.
type queues struct {
	mu         sync.Mutex
	visibility map[string]time.Duration // by ARN; absent is no queue
	ready      map[string][]lambda.Message
	flight     map[string]map[string]lambda.Message // by receipt
	deleted    map[string][]string                  // bodies
	arrived    chan struct{}
	serial     int
}

func newQueues(arns ...string) *queues {
	q := &queues{visibility: map[string]time.Duration{}, ready: map[string][]lambda.Message{}, flight: map[string]map[string]lambda.Message{},
		deleted: map[string][]string{}, arrived: make(chan struct{})}
	for _, arn := range arns {
		q.visibility[arn] = 30 * time.Second
		q.flight[arn] = map[string]lambda.Message{}
	}
	return q
}

func withQueues(q *queues) setting { return func(o *lambda.Options) { o.Queues = q } }

func (q *queues) Exists(arn string) bool {
	_, found := q.VisibilityTimeout(arn)
	return found
}

func (q *queues) VisibilityTimeout(arn string) (time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	v, found := q.visibility[arn]
	return v, found
}

func (q *queues) Send(_ context.Context, arn, body string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, found := q.visibility[arn]; !found {
		return fmt.Errorf("no queue %s", arn)
	}
	q.serial++
	id := fmt.Sprint("m", q.serial)
	q.ready[arn] = append(q.ready[arn], lambda.Message{ID: id, Receipt: "r" + id, Body: body})
	close(q.arrived)
	q.arrived = make(chan struct{})
	return nil
}

func (q *queues) Receive(ctx context.Context, arn string, most int, _, wait time.Duration) ([]lambda.Message, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		if ctx.Err() != nil { // a poller that was stopped takes nothing any more
			return nil, ctx.Err()
		}
		q.mu.Lock()
		if _, found := q.visibility[arn]; !found {
			q.mu.Unlock()
			return nil, fmt.Errorf("no queue %s", arn)
		}
		n := min(most, len(q.ready[arn]))
		got := slices.Clone(q.ready[arn][:n])
		q.ready[arn] = q.ready[arn][n:]
		for _, m := range got {
			q.flight[arn][m.Receipt] = m
		}
		arrived := q.arrived
		q.mu.Unlock()
		if n > 0 {
			return got, nil
		}
		select {
		case <-arrived:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *queues) Delete(_ context.Context, arn string, receipts []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range receipts {
		if m, found := q.flight[arn][r]; found {
			delete(q.flight[arn], r)
			q.deleted[arn] = append(q.deleted[arn], m.Body)
		}
	}
	return nil
}

// gone removes the queue.
func (q *queues) gone(arn string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.visibility, arn)
	close(q.arrived)
	q.arrived = make(chan struct{})
}

// counts are the messages waiting, in flight and deleted.
func (q *queues) counts(arn string) (ready, flight, deleted int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready[arn]), len(q.flight[arn]), len(q.deleted[arn])
}

func (q *queues) bodies(arn string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []string
	for _, m := range q.ready[arn] {
		out = append(out, m.Body)
	}
	return out
}

func (q *queues) removed(arn string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Sorted(slices.Values(q.deleted[arn]))
}

func (q *queues) send(t *testing.T, arn string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if err := q.Send(t.Context(), arn, b); err != nil {
			t.Fatal(err)
		}
	}
}
