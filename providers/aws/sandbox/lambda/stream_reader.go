package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
	"mooring.dev/providers/aws/sandbox/stream"
	"mooring.dev/providers/aws/sandbox/wire"
)

// positions are how far a mapping has read each shard.
type positions struct {
	mu sync.Mutex
	at map[int]int64
}

func (p *positions) of(shard int) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at[shard]
}

func (p *positions) move(shard int, to int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at[shard] = max(p.at[shard], to) // one that is ending does not move another back
}

// reader moves the records of one stream to one function, shard by shard and
// in order. It holds a copy of the mapping; a change of the mapping starts
// another one, which goes on where this one was. Batches of a shard are not
// handed out side by side, whatever the parallelization factor, and tumbling
// windows carry no state.
type reader struct {
	poller  // of its members: service, uuid, function, batch, window, report, filter
	source  string
	kind    string // kinesis, dynamodb
	log     *stream.Log
	read    *positions
	retries int // -1: for ever
	age     time.Duration
	bisect  bool
	failed  string // ARN of the queue that is told; "" for nobody
}

// startReading starts a reader for a mapping of a stream. The caller holds s.mu.
func (s *Service) startReading(m *mapping) {
	log := s.opts.Streams.Stream(streamOf(m.source))
	if log == nil {
		return
	}
	r := &reader{
		poller: poller{service: s, uuid: m.uuid, function: m.function, batch: *m.config.BatchSize, filter: m.filter,
			window: time.Duration(*m.config.MaximumBatchingWindowInSeconds) * time.Second, report: len(*m.config.FunctionResponseTypes) > 0},
		source: m.source, kind: m.service(), log: log, read: m.read, retries: *m.config.MaximumRetryAttempts,
		age: time.Duration(*m.config.MaximumRecordAgeInSeconds) * time.Second, bisect: *m.config.BisectBatchOnFunctionError,
	}
	var destination struct{ OnFailure struct{ Destination string } }
	if json.Unmarshal(m.config.DestinationConfig, &destination) == nil {
		r.failed = destination.OnFailure.Destination
	}
	ctx, cancel := context.WithCancel(s.ctx)
	m.stop = cancel
	if !s.background(func(context.Context) { defer cancel(); r.run(ctx) }) {
		cancel()
	}
}

func (r *reader) run(ctx context.Context) {
	if !r.awaitEnabled(ctx) {
		return
	}
	var shards sync.WaitGroup
	defer shards.Wait()
	for shard := range r.log.Shards() {
		shards.Go(func() { r.follow(ctx, shard) })
	}
}

func (r *reader) follow(ctx context.Context, shard int) {
	for ctx.Err() == nil {
		records := r.gather(ctx, shard)
		if len(records) == 0 {
			if !pause(ctx, stateWait) { // also when the stream has ended: nothing more comes
				return
			}
			continue
		}
		r.deal(ctx, shard, records)
	}
}

// gather reads one batch: what is there, or what comes within the window.
func (r *reader) gather(ctx context.Context, shard int) []stream.Record {
	records := r.log.Read(ctx, shard, r.read.of(shard), r.batch, receiveWait)
	if len(records) == 0 || r.window == 0 {
		return records
	}
	for until := time.Now().Add(r.window); len(records) < r.batch && ctx.Err() == nil; {
		left := time.Until(until)
		more := r.log.Read(ctx, shard, records[len(records)-1].Position, r.batch-len(records), left)
		if left <= 0 || len(more) == 0 {
			break
		}
		records = append(records, more...)
	}
	return records
}

// deal hands a batch to the function until it is dealt with or given up, and
// moves on behind it.
func (r *reader) deal(ctx context.Context, shard int, records []stream.Record) {
	wanted := records[:0:0]
	for _, rec := range records {
		if r.wants(rec) {
			wanted = append(wanted, rec)
		}
	}
	if len(wanted) > 0 && !r.insist(ctx, shard, wanted) {
		return // ended in between: it begins here again
	}
	r.read.move(shard, records[len(records)-1].Position)
}

// insist tries a batch until it is dealt with; false when there was no time.
func (r *reader) insist(ctx context.Context, shard int, records []stream.Record) bool {
	for attempt := 1; ; attempt++ {
		if records = r.young(shard, records); len(records) == 0 {
			return true
		}
		left, refused := r.attempt(records)
		if len(left) == 0 {
			return true
		}
		if len(left) < len(records) {
			r.read.move(shard, left[0].Position-1) // what was reported done is done
		}
		records = left
		switch {
		case refused:
			attempt-- // throttled, or not ready: that is no attempt
		case r.bisect && len(records) > 1:
			half := len(records) / 2
			return r.insist(ctx, shard, records[:half]) && r.insist(ctx, shard, records[half:])
		case r.retries >= 0 && attempt > r.retries:
			r.giveUp(shard, records, "RetryAttemptsExhausted", attempt)
			return true
		}
		if !pause(ctx, backOff/10) {
			return false
		}
	}
}

// young leaves out records that are too old.
func (r *reader) young(shard int, records []stream.Record) []stream.Record {
	if r.age <= 0 {
		return records
	}
	oldest := r.service.opts.Now().Add(-r.age)
	n := 0
	for n < len(records) && records[n].At.Before(oldest) {
		n++
	}
	if n > 0 {
		r.giveUp(shard, records[:n], "RecordAgeExceeded", 0)
	}
	return records[n:]
}

// attempt calls the function once, and returns what it did not deal with.
func (r *reader) attempt(records []stream.Record) (left []stream.Record, refused bool) {
	events := make([]map[string]any, 0, len(records))
	for _, rec := range records {
		events = append(events, rec.Event)
	}
	payload, err := json.Marshal(map[string]any{"Records": events})
	if err != nil {
		return nil, false
	}
	_, result, err := r.service.call(r.function, runtime.Invocation{ID: newID(), Payload: payload})
	var denied *wire.Error
	if errors.As(err, &denied) {
		return records, true
	}
	if err != nil || result.Error != "" {
		r.note("PROBLEM: Function call failed")
		return records, false
	}
	r.note("OK")
	if !r.report {
		return nil, false
	}
	return unfinished(result.Payload, records), false
}

// note shows how the last batch went.
func (r *reader) note(result string) {
	s := r.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.mappings[r.uuid]; m != nil {
		m.lastResult = result
	}
}

// unfinished reads the answer of ReportBatchItemFailures: everything from the
// first record named. What cannot be understood fails the whole batch.
func unfinished(payload []byte, records []stream.Record) []stream.Record {
	var answer *struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(payload) > 0 && json.Unmarshal(payload, &answer) != nil {
		return records
	}
	if answer == nil || len(answer.Failures) == 0 {
		return nil
	}
	first := len(records)
	for _, f := range answer.Failures {
		at := -1
		for i, rec := range records {
			if rec.Sequence() == f.ID {
				at = i
			}
		}
		if at < 0 {
			return records
		}
		first = min(first, at)
	}
	return records[first:]
}

// giveUp tells the destination what was given up. The records themselves are
// not sent: that is what AWS does.
func (r *reader) giveUp(shard int, records []stream.Record, why string, attempts int) {
	s := r.service
	if (&mapping{source: r.failed}).service() != "sqs" || s.opts.Queues == nil {
		return
	}
	info := "KinesisBatchInfo"
	if r.kind == "dynamodb" {
		info = "DDBStreamBatchInfo"
	}
	first, last := records[0], records[len(records)-1]
	body, err := json.Marshal(map[string]any{
		"version": "1.0", "timestamp": s.opts.Now().UTC().Format(time.RFC3339),
		"requestContext": map[string]any{
			"requestId": newID(), "functionArn": s.qualifiedARN(r.function.name, r.function.qualifier), "condition": why, "approximateInvokeCount": attempts,
		},
		info: map[string]any{
			"shardId": shardName(shard), "streamArn": r.source, "batchSize": len(records),
			"startSequenceNumber": first.Sequence(), "endSequenceNumber": last.Sequence(),
			"approximateArrivalOfFirstRecord": first.At.UTC().Format(time.RFC3339), "approximateArrivalOfLastRecord": last.At.UTC().Format(time.RFC3339),
		},
	})
	if err == nil {
		_ = s.opts.Queues.Send(s.ctx, r.failed, string(body)) // a queue that is gone is told nothing
	}
}

func shardName(shard int) string { return "shardId-" + pad(shard) }

func pad(n int) string {
	text := "00000000000" + itoa(n)
	return text[len(text)-12:]
}

// wants holds a record against the filters; one must match. The data of a
// Kinesis record is matched as JSON.
func (r *reader) wants(rec stream.Record) bool {
	if len(r.filter) == 0 {
		return true
	}
	text, err := json.Marshal(rec.Event)
	var fields map[string]any
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return false
	}
	if inner, ok := fields["kinesis"].(map[string]any); ok {
		fields = inner
		encoded, _ := inner["data"].(string)
		raw, err := base64.StdEncoding.DecodeString(encoded)
		var data any
		if err != nil || json.Unmarshal(raw, &data) != nil {
			return false // what is no JSON matches nothing
		}
		fields["data"] = data
	}
	for _, f := range r.filter {
		if f.matches(fields, true) {
			return true
		}
	}
	return false
}
