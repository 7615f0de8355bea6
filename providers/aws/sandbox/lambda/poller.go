package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
	"mooring.dev/providers/aws/sandbox/wire"
)

const (
	receiveWait    = time.Second // one long poll
	stateWait      = 20 * time.Millisecond
	backOff        = time.Second
	batchesAtOnce  = 5                  // what AWS starts with
	messagesAtOnce = 10                 // what one receive returns at most
	byLambda       = "LAMBDA_INITIATED" // StateTransitionReason of what no user did
)

// poller moves messages from one queue to one function. It holds a copy of the
// mapping; a change of the mapping starts another poller.
type poller struct {
	service    *Service
	uuid       string
	queue      string
	function   reference
	batch      int
	window     time.Duration
	concurrent int
	report     bool // the function answers with the items that failed
	filter     []pattern
}

// startPolling starts a poller for a mapping that is enabled, or about to be.
// The caller holds s.mu.
func (s *Service) startPolling(m *mapping) {
	if m.enabled && m.read != nil {
		s.startReading(m)
		return
	}
	if !m.enabled || m.service() != "sqs" || s.opts.Queues == nil {
		return
	}
	p := &poller{service: s, uuid: m.uuid, queue: m.source, function: m.function, batch: *m.config.BatchSize,
		window: time.Duration(*m.config.MaximumBatchingWindowInSeconds) * time.Second, concurrent: batchesAtOnce,
		report: len(*m.config.FunctionResponseTypes) > 0, filter: m.filter}
	if c := m.config.ScalingConfig; c != nil {
		p.concurrent = *c.MaximumConcurrency
	}
	ctx, cancel := context.WithCancel(s.ctx)
	m.stop = cancel
	if !s.background(func(context.Context) { defer cancel(); p.run(ctx) }) {
		cancel()
	}
}

// stopPolling ends a mapping's poller; batches it has handed out run on. The
// caller holds s.mu.
func (s *Service) stopPolling(m *mapping) {
	if m.stop != nil {
		m.stop()
		m.stop = nil
	}
}

func (p *poller) run(ctx context.Context) {
	if !p.awaitEnabled(ctx) {
		return
	}
	var batches sync.WaitGroup
	defer batches.Wait()
	room := make(chan struct{}, p.concurrent)
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		messages, err := p.gather(ctx)
		if ctx.Err() != nil && len(messages) == 0 {
			return
		}
		if err != nil && len(messages) == 0 {
			<-room
			if p.lost() || !pause(ctx, backOff) {
				return
			}
			continue
		}
		if len(messages) == 0 {
			<-room
			continue
		}
		batches.Go(func() {
			defer func() { <-room }()
			p.handle(messages)
		})
	}
}

// awaitEnabled waits until the mapping's window is over.
func (p *poller) awaitEnabled(ctx context.Context) bool {
	for {
		p.service.mu.Lock()
		m := p.service.mappings[p.uuid]
		state := ""
		if m != nil {
			state, _ = p.service.state(m)
		}
		p.service.mu.Unlock()
		if state == "Enabled" {
			return true
		}
		if m == nil || !pause(ctx, stateWait) {
			return false
		}
	}
}

// lost disables the mapping when its queue is gone, as Lambda does itself.
func (p *poller) lost() bool {
	s := p.service
	if s.opts.Queues.Exists(p.queue) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.mappings[p.uuid]; m != nil && m.enabled {
		now := s.opts.Now()
		m.enabled, m.passing, m.settledAt, m.modified, m.reason = false, "Disabling", now.Add(s.opts.Updating), now, byLambda
	}
	return true
}

// gather receives one batch: what is there, or what comes within the window.
func (p *poller) gather(ctx context.Context) ([]Message, error) {
	queues := p.service.opts.Queues
	visibility, _ := queues.VisibilityTimeout(p.queue)
	messages, err := queues.Receive(ctx, p.queue, min(p.batch, messagesAtOnce), visibility, receiveWait)
	if err != nil || len(messages) == 0 || p.window == 0 {
		return messages, err
	}
	until := time.Now().Add(p.window)
	for len(messages) < p.batch && ctx.Err() == nil {
		left := time.Until(until)
		if left <= 0 {
			break
		}
		more, err := queues.Receive(ctx, p.queue, min(p.batch-len(messages), messagesAtOnce), visibility, min(left, receiveWait))
		if err != nil {
			break // what is here is handled; the next batch meets the error again
		}
		messages = append(messages, more...)
	}
	return messages, nil
}

// handle gives a batch to the function and deletes what it dealt with. What is
// left comes back when its visibility timeout is over.
func (p *poller) handle(messages []Message) {
	s := p.service
	var wanted []Message
	var done []string
	for _, m := range messages {
		if p.wants(m) {
			wanted = append(wanted, m)
		} else {
			done = append(done, m.Receipt)
		}
	}
	if len(wanted) > 0 {
		done = append(done, p.process(wanted)...)
	}
	if len(done) > 0 {
		_ = s.opts.Queues.Delete(s.ctx, p.queue, done) // kept messages come again: at least once is the promise
	}
}

// process returns the receipts of the messages that the function dealt with.
func (p *poller) process(messages []Message) []string {
	s := p.service
	event, err := json.Marshal(map[string]any{"Records": p.records(messages)})
	if err != nil {
		return nil
	}
	_, result, err := s.call(p.function, runtime.Invocation{ID: newID(), Payload: event})
	var refused *wire.Error
	if errors.As(err, &refused) {
		pause(s.ctx, backOff/10) // throttled, or not ready: do not spin
		return nil
	}
	if err != nil || result.Error != "" {
		return nil
	}
	failed := map[string]bool{}
	if p.report {
		var whole bool
		if failed, whole = failures(result.Payload, messages); whole {
			return nil
		}
	}
	var done []string
	for _, m := range messages {
		if !failed[m.ID] {
			done = append(done, m.Receipt)
		}
	}
	return done
}

// failures reads the answer of ReportBatchItemFailures. Nothing listed is
// success; what cannot be understood fails the whole batch.
func failures(payload []byte, messages []Message) (failed map[string]bool, whole bool) {
	var answer *struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(payload) > 0 && json.Unmarshal(payload, &answer) != nil {
		return nil, true
	}
	failed = map[string]bool{}
	if answer == nil {
		return failed, false
	}
	known := map[string]bool{}
	for _, m := range messages {
		known[m.ID] = true
	}
	for _, f := range answer.Failures {
		if !known[f.ID] {
			return nil, true
		}
		failed[f.ID] = true
	}
	return failed, false
}

type record struct {
	MessageID         string                      `json:"messageId"`
	ReceiptHandle     string                      `json:"receiptHandle"`
	Body              string                      `json:"body"`
	Attributes        map[string]string           `json:"attributes"`
	MessageAttributes map[string]MessageAttribute `json:"messageAttributes"`
	MD5               string                      `json:"md5OfBody"`
	EventSource       string                      `json:"eventSource"`
	EventSourceARN    string                      `json:"eventSourceARN"`
	Region            string                      `json:"awsRegion"`
}

func (p *poller) records(messages []Message) []record {
	out := make([]record, 0, len(messages))
	for _, m := range messages {
		r := record{MessageID: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, Attributes: m.Attributes, MessageAttributes: m.MessageAttributes,
			MD5: m.MD5, EventSource: "aws:sqs", EventSourceARN: p.queue, Region: p.service.opts.Region}
		if r.Attributes == nil {
			r.Attributes = map[string]string{}
		}
		if r.MessageAttributes == nil {
			r.MessageAttributes = map[string]MessageAttribute{}
		}
		out = append(out, r)
	}
	return out
}

// wants holds a message against the filters; one must match. A body that is
// JSON is matched as JSON.
func (p *poller) wants(m Message) bool {
	if len(p.filter) == 0 {
		return true
	}
	text, err := json.Marshal(p.records([]Message{m})[0])
	if err != nil {
		return false
	}
	var fields map[string]any
	if json.Unmarshal(text, &fields) != nil {
		return false
	}
	var body any
	if json.Unmarshal([]byte(m.Body), &body) == nil {
		if object, isObject := body.(map[string]any); isObject {
			fields["body"] = object
		}
	}
	for _, f := range p.filter {
		if f.matches(fields, true) {
			return true
		}
	}
	return false
}
