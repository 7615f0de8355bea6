package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
)

// hall is a receiver that takes many events in one message.
type hall struct {
	mu       sync.Mutex
	down     time.Time // it answers nothing before
	tries    int
	messages [][]string // ids of each
	taking   func()     // may be nil: called when it took one
}

// Notify implements notify.Notifier.
func (h *hall) Notify(ctx context.Context, e notify.Event) error {
	return h.NotifyAll(ctx, []notify.Event{e})
}

// NotifyAll implements notify.Grouper.
func (h *hall) NotifyAll(_ context.Context, events []notify.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tries++; time.Now().Before(h.down) {
		return errors.New("no answer")
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	h.messages = append(h.messages, ids)
	if h.taking != nil {
		h.taking()
	}
	return nil
}

// took is how often each event came, and in how many messages; it forgets them.
func (h *hall) took() (times map[string]int, messages int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	times, messages = map[string]int{}, len(h.messages)
	for _, id := range slices.Concat(h.messages...) {
		times[id]++
	}
	h.messages = nil
	return times, messages
}

// fullDisk is a journal on a disk that may be full.
type fullDisk struct {
	journal.Store
	full *atomic.Bool
}

// Append implements journal.Store.
func (f fullDisk) Append(ctx context.Context, fence journal.Fence, recs ...journal.Record) error {
	if f.full.Load() {
		return errors.New("no space left on device")
	}
	return f.Store.Append(ctx, fence, recs...)
}

// A thousand drifts go through the daemon and its own outbox as few messages to
// each receiver, each once: at once to one that takes them, after its hour to one
// that does not answer, and again under the same ids where the daemon died
// between sending and recording.
func TestAStormGoesThroughTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const drifts, fewMessages = 1000, 12
		halls, full := map[string]*hall{"default": {}, "oncall": {down: time.Now().Add(time.Hour)}}, &atomic.Bool{}
		board := &switchboard{says: routes(policy.Route{Receiver: "default"}, policy.Route{Receiver: "oncall"})}
		s := begin(t, memory.Options{}, mutant{
			evaluator: func(e policy.Evaluator) policy.Evaluator { return evaluatorOf{e, board} },
			store:     func(store journal.Store, _ *simulation) journal.Store { return fullDisk{store, full} },
			notifier:  func(n notify.Notifier) notify.Notifier { return halls[n.(receiver).name] },
		}, "preview")
		s.refresh()
		live := func() (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.d.deliver(ctx) }()
			return func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		storm := func(name string) {
			for i := range drifts {
				ev := event{kind: "drift", key: fmt.Sprint(name, i), severity: "high", title: name, text: name, labels: map[string]string{"item": fmt.Sprint(i)}}
				if err := s.d.environment("preview").alert(t.Context(), s.d.world.Load(), ev, notify.Firing); err != nil {
					t.Fatal(err)
				}
			}
		}
		each := func(what, receiver string, want int) {
			t.Helper()
			times, messages := halls[receiver].took()
			for id, n := range times {
				if n != want {
					t.Errorf("%s: %s got %s %d times", what, receiver, id, n)
					break
				}
			}
			if len(times) != drifts || messages > want*fewMessages {
				t.Errorf("%s: %s got %d of %d in %d messages", what, receiver, len(times), drifts, messages)
			}
		}

		stop := live()
		storm("first")
		time.Sleep(time.Minute)
		synctest.Wait()
		each("at once", "default", 1)
		time.Sleep(time.Hour - time.Minute)
		if times, _ := halls["oncall"].took(); len(times) > 0 || halls["oncall"].tries > 60 || len(s.d.ledger.pending()) != drifts {
			t.Errorf("while it was away oncall got %d, was asked %d times, and %d wait", len(times), halls["oncall"].tries, len(s.d.ledger.pending()))
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		each("after its hour", "oncall", 1)

		halls["default"].taking = func() { full.Store(true) }
		halls["oncall"].down = time.Now().Add(24 * time.Hour)
		stop()
		storm("second")
		stop = live()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if _, messages := halls["default"].took(); messages != 1 || len(s.d.ledger.pending()) != 2*drifts {
			t.Errorf("nothing can be recorded: %d messages, and %d wait", messages, len(s.d.ledger.pending()))
		}
		stop() // what was sent is forgotten
		halls["default"].taking = nil
		full.Store(false)
		s.restart()
		s.refresh()
		stop = live()
		time.Sleep(time.Minute)
		synctest.Wait()
		each("after the crash", "default", 1)
		stop()
	})
}
