package rego

import (
	"context"
	"errors"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// How an evaluation can end without an answer. Each begins with its name,
// which stands in the finding's details too.
var (
	ErrLate    = errors.New("late: not decided before its deadline")
	ErrMemory  = errors.New("memory: it takes more memory than a decision may")
	ErrCrashed = errors.New("crashed: the engine ended before it had decided")
	ErrBusy    = errors.New("busy: too many decisions are still being made")
)

// endedAs is the name of how err ended an evaluation; "" for any other error.
func endedAs(err error) string {
	for name, known := range map[string]error{"late": ErrLate, "memory": ErrMemory, "crashed": ErrCrashed, "busy": ErrBusy} {
		if errors.Is(err, known) {
			return name
		}
	}
	return ""
}

// maxErrorText is how much is told of an error: an engine's may quote what it
// choked on.
const maxErrorText = 2000

// shortened is an error with its text cut.
type shortened struct{ error }

func (t shortened) Error() string {
	text := strings.ToValidUTF8(t.error.Error(), "?")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + " …"
	}
	return text
}

func (t shortened) Unwrap() error { return t.error }

// heapPeriod is how often the heap is measured while a package is evaluated.
const heapPeriod = 5 * time.Millisecond

// watchHeap ends ctx with ErrMemory when the heap of this process grows over
// most bytes; 0 watches nothing. What is dead but not yet collected counts,
// so a memory limit of the runtime should lie below most.
func watchHeap(ctx context.Context, most uint64) (context.Context, func()) {
	if most == 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(heapPeriod)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if heap() > most {
					cancel(ErrMemory)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// heap is what the objects of this process take, the dead ones included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// shed gives back what an evaluation that was ended for its memory left, so
// that the next package does not pay for it.
func shed() { debug.FreeOSMemory() }
