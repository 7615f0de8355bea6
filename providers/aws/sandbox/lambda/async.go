package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
	"mooring.dev/providers/aws/sandbox/wire"
)

// event is an asynchronous call on its way.
type event struct {
	id       string
	ref      reference
	payload  []byte
	accepted time.Time
	attempts int
}

func (s *Service) invokeEvent(q *request, ref reference) (reply, error) {
	if err := s.accept(&event{id: s.requestID(q), ref: ref, payload: payload(q.body)}); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted, raw: []byte{}}, nil
}

// invokeAsyncCall is the old way to do the same.
func (s *Service) invokeAsyncCall(q *request) (reply, error) {
	ref, err := s.parseReference(q.path["FunctionName"], "")
	if err != nil {
		return reply{}, err
	}
	if err := checkPayload(q.body, "Event"); err != nil {
		return reply{}, err
	}
	return s.invokeEvent(q, ref)
}

// accept queues an event for a function that exists.
func (s *Service) accept(e *event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, _, err := s.aim(e.ref); err != nil {
		return err
	}
	e.accepted = time.Now()
	if !s.background(func(ctx context.Context) { s.deliver(ctx, e) }) {
		return closing(runtime.ErrClosed)
	}
	return nil
}

// deliver tries an event until it succeeds, its retries are spent or it is too
// old. Throttles are no attempts: they are waited out.
func (s *Service) deliver(ctx context.Context, e *event) {
	throttles := 0
	for {
		retries, age := s.retryPolicy(e)
		t, result, err := s.call(e.ref, runtime.Invocation{ID: e.id, Payload: e.payload})
		var refused *wire.Error
		var wait time.Duration
		switch {
		case err == nil && result.Error == "":
			e.attempts++
			s.conclude(ctx, e, outcome{target: t, result: result, condition: "Success"})
			return
		case err == nil:
			e.attempts++
			if e.attempts > retries {
				s.conclude(ctx, e, outcome{target: t, result: result, condition: "RetriesExhausted"})
				return
			}
			wait = s.retryDelay(e.attempts)
		case errors.As(err, &refused) && refused.Code != "ResourceNotFoundException":
			throttles++
			wait = time.Duration(math.Min(float64(s.retryDelay(1)), float64(time.Second)*math.Pow(2, float64(throttles))))
		default: // the function is gone, or the service closes
			return
		}
		if time.Since(e.accepted)+wait > age {
			s.conclude(ctx, e, outcome{target: t, result: result, condition: "EventAgeExceeded"})
			return
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// retryDelay is the wait after the n-th attempt.
func (s *Service) retryDelay(n int) time.Duration {
	d := s.opts.RetryDelays
	if len(d) == 0 {
		return 0
	}
	return d[min(n, len(d))-1]
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// asyncOf is the configuration of the qualifier that was called.
func (s *Service) asyncOf(ref reference) *asyncConfig {
	f := s.functions[ref.name]
	if f == nil {
		return nil
	}
	if ref.qualifier == "" {
		return f.async[latest]
	}
	return f.async[ref.qualifier]
}

func (s *Service) retryPolicy(e *event) (retries int, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retries, age = 2, 6*time.Hour
	if c := s.asyncOf(e.ref); c != nil {
		if c.retries != nil {
			retries = *c.retries
		}
		if c.age != nil {
			age = time.Duration(*c.age) * time.Second
		}
	}
	return retries, age
}

// outcome is how an event ended. target is nil when it never ran.
type outcome struct {
	target    *target
	result    runtime.Result
	condition string // Success, RetriesExhausted, EventAgeExceeded
}

// conclude tells the destinations and, after failure, the dead-letter queue.
func (s *Service) conclude(ctx context.Context, e *event, o outcome) {
	s.mu.Lock()
	var to, deadLetter string
	if c := s.asyncOf(e.ref); c != nil {
		to = c.destinations.OnFailure.Destination
		if o.condition == "Success" {
			to = c.destinations.OnSuccess.Destination
		}
	}
	if t, v, err := s.aim(e.ref); err == nil {
		if o.target == nil {
			o.target = t
		}
		if o.condition != "Success" {
			deadLetter = v.DeadLetter
		}
	}
	s.mu.Unlock()
	if o.target == nil {
		return // the function is gone, and with it whatever wanted to know
	}
	if to != "" {
		if err := s.send(ctx, to, s.destinationRecord(e, o)); err != nil {
			s.put(o.target, "DestinationDeliveryFailures", 1)
		}
	}
	if deadLetter != "" {
		if err := s.send(ctx, deadLetter, e.payload); err != nil {
			s.put(o.target, "DeadLetterErrors", 1)
		}
	}
}

// send delivers to a queue or to another function.
func (s *Service) send(ctx context.Context, arn string, body []byte) error {
	switch {
	case queueARN(arn) && s.opts.Queues != nil:
		return s.opts.Queues.Send(ctx, arn, string(body))
	case strings.Contains(arn, ":lambda:"):
		ref, err := s.parseReference(arn, "")
		if err != nil {
			return err
		}
		return s.accept(&event{id: newID(), ref: ref, payload: body})
	}
	return invalid("The sandbox cannot deliver to %s", arn)
}

func (s *Service) destinationRecord(e *event, o outcome) []byte {
	context := map[string]any{"requestId": e.id, "functionArn": s.recordARN(e.ref), "condition": o.condition, "approximateInvokeCount": e.attempts}
	record := map[string]any{"version": "1.0", "timestamp": s.opts.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"requestContext": context, "requestPayload": json.RawMessage(e.payload)}
	if e.attempts > 0 {
		response := map[string]any{"statusCode": 200, "executedVersion": o.target.version}
		if o.result.Error != "" {
			response["functionError"] = o.result.Error
		}
		record["responseContext"] = response
		record["responsePayload"] = json.RawMessage("null")
		if json.Valid(o.result.Payload) {
			record["responsePayload"] = json.RawMessage(o.result.Payload)
		}
	}
	text, err := json.Marshal(record)
	if err != nil {
		return []byte("{}") // every part is JSON already
	}
	return text
}

func (s *Service) recordARN(ref reference) string {
	if ref.qualifier == "" {
		return s.qualifiedARN(ref.name, latest)
	}
	return s.qualifiedARN(ref.name, ref.qualifier)
}
