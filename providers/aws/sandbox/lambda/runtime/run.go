package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"time"
)

// run hands one event to the process and waits for what comes of it.
func (e *environment) run(ctx context.Context, in Invocation, cold bool) (Result, state, error) {
	var result Result
	e.output.begin(in.ID)
	if cold {
		began := time.Now()
		payload, err := e.initialise(ctx, in.ID)
		if err != nil || payload != nil {
			return Result{Payload: payload, Error: "Unhandled", Tail: e.output.tail()}, dead, err
		}
		result.Init = time.Since(began)
	}
	if !cold && e.cmd.Process.Signal(syscall.Signal(0)) != nil {
		return Result{}, vanished, nil // its exit is not through yet, and its last request may still look open
	}
	p := &pending{Invocation: in, answer: make(chan answer, 1)}
	e.mu.Lock()
	e.current = p
	e.mu.Unlock()
	select {
	case e.work <- p:
	case <-e.exited:
		if !cold {
			return Result{}, vanished, nil
		}
		return Result{Payload: e.exitFailure(in.ID), Error: "Unhandled", Tail: e.output.tail()}, dead, nil
	case <-ctx.Done():
		return Result{}, dead, ctx.Err()
	}
	e.output.line("START RequestId: " + in.ID + " Version: " + e.function.Version)
	began := time.Now()
	outcome, err := e.await(ctx, p, &result)
	result.Duration = time.Since(began)
	if err != nil {
		return Result{}, dead, err
	}
	e.report(in, &result)
	return result, outcome, nil
}

// initialise waits until the process asks for its first event. A payload is the
// function's error instead.
func (e *environment) initialise(ctx context.Context, id string) ([]byte, error) {
	timer := time.NewTimer(e.host.opts.Init)
	defer timer.Stop()
	select {
	case <-e.ready:
		return nil, nil
	case payload := <-e.initError:
		return payload, nil
	case <-e.exited:
		select {
		case payload := <-e.initError: // it said why before it left
			return payload, nil
		default:
		}
		return e.exitFailure(id), nil
	case <-timer.C:
		return failure("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Initialisation timed out after %.2f seconds", id, e.host.opts.Init.Seconds())), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *environment) await(ctx context.Context, p *pending, result *Result) (state, error) {
	timer := time.NewTimer(e.function.Timeout)
	defer timer.Stop()
	select {
	case a := <-p.answer:
		return e.answered(a, result), nil
	case <-e.exited:
		select {
		case a := <-p.answer: // it answered before it left
			e.answered(a, result)
			return dead, nil
		default:
		}
		result.Payload, result.Error = e.exitFailure(p.ID), "Unhandled"
		return dead, nil
	case <-timer.C:
		text := fmt.Sprintf("Task timed out after %.2f seconds", e.function.Timeout.Seconds())
		e.output.line(time.Now().UTC().Format(time.RFC3339Nano) + " " + p.ID + " " + text)
		result.Payload, result.Error = failure("Sandbox.Timedout", "RequestId: "+p.ID+" Error: "+text), "Unhandled"
		return dead, nil
	case <-ctx.Done():
		return dead, ctx.Err()
	}
}

func (e *environment) answered(a answer, result *Result) state {
	result.Payload = a.payload
	if a.failed {
		result.Error = "Unhandled"
	}
	return alive
}

func (e *environment) report(in Invocation, result *Result) {
	if in.Tail {
		e.output.settle()
	}
	ms := float64(result.Duration.Microseconds()) / 1000
	text := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB", in.ID, ms, int(ms)+1, e.function.Memory)
	if result.Init > 0 {
		text += fmt.Sprintf("\tInit Duration: %.2f ms", float64(result.Init.Microseconds())/1000)
	}
	e.output.line("END RequestId: " + in.ID)
	e.output.line(text)
	result.Tail = e.output.tail()
}

func (e *environment) exitFailure(id string) []byte {
	return failure("Runtime.ExitError", "RequestId: "+id+" Error: "+e.exitState)
}

func failure(kind, text string) []byte {
	out, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": text})
	if err != nil {
		return []byte("{}") // two strings always marshal
	}
	return out
}
