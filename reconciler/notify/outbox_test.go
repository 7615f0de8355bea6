package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue is an outbox in memory; failing says which records of deliveries fail.
type queue struct {
	mu      sync.Mutex
	items   []Item
	dead    map[string]string // receiver/id to why
	failing func(id string) error
}

func (q *queue) Pending() []Item {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.items)
}

func (q *queue) Delivered(_ context.Context, id, receiver string, dead bool, text string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing != nil {
		if err := q.failing(id); err != nil {
			return err
		}
	}
	if dead {
		if q.dead == nil {
			q.dead = map[string]string{}
		}
		q.dead[receiver+"/"+id] = text
	}
	q.items = slices.DeleteFunc(q.items, func(i Item) bool { return i.Event.ID == id && i.Receiver == receiver })
	return nil
}

func (q *queue) put(receiver string, events ...Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range events {
		q.items = append(q.items, Item{Event: e, Receiver: receiver})
	}
}

func (q *queue) left() int { return len(q.Pending()) }

// inbox is a receiver that answers as it is told and remembers what it took.
type inbox struct {
	mu     sync.Mutex
	tried  []Event
	got    []Event
	answer func(Event) error
}

func (i *inbox) Notify(_ context.Context, e Event) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tried = append(i.tried, e)
	if i.answer != nil {
		if err := i.answer(e); err != nil {
			return err
		}
	}
	i.got = append(i.got, e)
	return nil
}

func (i *inbox) ids() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var ids []string
	for _, e := range i.got {
		ids = append(ids, e.ID)
	}
	return ids
}

func (i *inbox) tries() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.tried)
}

func event(id, fingerprint string) Event {
	return Event{ID: id, Fingerprint: fingerprint, Status: Firing, Kind: "drift", Severity: "high", At: time.Now()}
}

// serve runs an outbox over a queue within a synctest bubble.
func serve(t *testing.T, q *queue, receivers map[string]Notifier, change func(*Options)) (o *Outbox, stop func()) {
	t.Helper()
	options := Options{Queue: q, Random: func() float64 { return 0.5 },
		Resolve: func(name string) (Notifier, bool) { n, ok := receivers[name]; return n, ok }}
	if change != nil {
		change(&options)
	}
	o, err := NewOutbox(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	return o, func() { cancel(); <-done }
}

var errDown = errors.New("answered 500")

// TestLesson71ReceiverFailsAnHourThenHeals: a receiver that fails for an hour and heals gets every event, in order
// for each fingerprint, within the longest wait.
func TestLesson71ReceiverFailsAnHourThenHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		in := &inbox{answer: func(Event) error {
			if time.Since(start) < time.Hour {
				return errDown
			}
			return nil
		}}
		q := &queue{}
		var want []string
		for i := range 40 {
			e := event(fmt.Sprint("e", i), fmt.Sprint("f", i%4))
			q.put("oncall", e)
			want = append(want, e.ID)
		}
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		defer stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		if tries := in.tries(); tries > 40 {
			t.Errorf("a receiver that is down was asked %d times in an hour", tries)
		}
		if q.left() != 40 {
			t.Fatalf("%d of 40 left while the receiver was down", q.left())
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if q.left() != 0 {
			t.Fatalf("%d events still wait after the receiver healed", q.left())
		}
		ids := in.ids()
		for f := range 4 {
			var got, expected []string
			for i, id := range want {
				if i%4 == f {
					expected = append(expected, id)
				}
			}
			for _, id := range ids {
				if slices.Contains(expected, id) {
					got = append(got, id)
				}
			}
			if !slices.Equal(got, expected) {
				t.Errorf("fingerprint f%d: got %v, want each once in order %v", f, got, expected)
			}
		}
	})
}

// TestLesson71RefusedForGoodIsADeadLetter: what is refused for good becomes a dead letter, and blocks nothing.
func TestLesson71RefusedForGoodIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{answer: func(e Event) error {
			if e.ID == "bad" {
				return Permanent(errors.New("answered 400"))
			}
			return nil
		}}
		q := &queue{}
		q.put("oncall", event("bad", "f"), event("good", "f"))
		var seen []string
		var mu sync.Mutex
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, func(o *Options) {
			o.Observe = func(a Attempt) { mu.Lock(); defer mu.Unlock(); seen = append(seen, a.Event+" "+a.Outcome) }
		})
		synctest.Wait()
		stop()
		if q.left() != 0 || q.dead["oncall/bad"] != "answered 400" {
			t.Errorf("left %d, dead %v", q.left(), q.dead)
		}
		if !slices.Equal(seen, []string{"bad dead", "good delivered"}) {
			t.Errorf("told to metrics: %v", seen)
		}
		if in.tries() != 2 {
			t.Errorf("%d tries, want one each", in.tries())
		}
	})
}

// An event the receiver chokes on holds up only its own fingerprint.
func TestPoisonHoldsUpOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{answer: func(e Event) error {
			if e.Fingerprint == "poison" {
				return errDown
			}
			return nil
		}}
		q := &queue{}
		q.put("oncall", event("p1", "poison"), event("p2", "poison"), event("a", "fa"), event("b", "fb"))
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if ids := in.ids(); !slices.Equal(ids, []string{"a", "b"}) {
			t.Errorf("delivered %v beside a poisonous event, want a and b", ids)
		}
		for _, e := range in.tried {
			if e.ID == "p2" {
				t.Error("a later event of a fingerprint overtook an earlier one")
			}
		}
		stop()
	})
}

// A receiver that hangs delays no other.
func TestSlowReceiverDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast := &inbox{}
		q := &queue{}
		q.put("slow", event("s", "f"))
		q.put("fast", event("a", "f"))
		_, stop := serve(t, q, map[string]Notifier{"slow": hanging{}, "fast": fast}, nil)
		synctest.Wait()
		if ids := fast.ids(); !slices.Equal(ids, []string{"a"}) {
			t.Errorf("the fast receiver got %v", ids)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		begin := time.Now()
		stop()
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("stopping took %s with a receiver that hangs", took)
		}
		if q.left() != 1 {
			t.Errorf("%d left: what was not delivered must stay", q.left())
		}
	})
}

type hanging struct{}

func (hanging) Notify(ctx context.Context, _ Event) error { <-ctx.Done(); return ctx.Err() }

// 72: a crash between send and record makes at most one duplicate, with the
// same idempotency key; a record that merely fails makes none.
func TestCrashBetweenSendAndRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{}
		broken := true
		q := &queue{failing: func(string) error {
			if broken {
				return errors.New("disk full")
			}
			return nil
		}}
		q.put("oncall", event("a", "f"), event("b", "f"))
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if ids := in.ids(); !slices.Equal(ids, []string{"a"}) {
			t.Errorf("while the record failed the receiver got %v, want a once and nothing after it", ids)
		}
		stop() // the crash: what was sent is forgotten
		q.mu.Lock()
		broken = false
		q.mu.Unlock()
		_, stop = serve(t, q, map[string]Notifier{"oncall": in}, nil)
		synctest.Wait()
		stop()
		if ids := in.ids(); !slices.Equal(ids, []string{"a", "a", "b"}) {
			t.Errorf("after the restart %v, want one duplicate of a under the same id", ids)
		}
	})
}

// What is due when the daemon stops gets a last try.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{}
		q := &queue{}
		q.put("oncall", event("a", "f"))
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		synctest.Wait()
		q.put("oncall", event("b", "f")) // nobody wakes the outbox for this
		stop()
		if ids := in.ids(); !slices.Equal(ids, []string{"a", "b"}) || q.left() != 0 {
			t.Errorf("delivered %v, %d left", ids, q.left())
		}
	})
}

// A receiver that is taken out of the configuration keeps its events until it
// is back.
func TestUnknownReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{}
		receivers := map[string]Notifier{}
		var mu sync.Mutex
		q := &queue{}
		q.put("gone", event("a", "f"))
		_, stop := serve(t, q, nil, func(o *Options) {
			o.Resolve = func(name string) (Notifier, bool) {
				mu.Lock()
				defer mu.Unlock()
				n, ok := receivers[name]
				return n, ok
			}
		})
		time.Sleep(time.Hour)
		if q.left() != 1 || len(q.dead) > 0 {
			t.Errorf("left %d, dead %v", q.left(), q.dead)
		}
		mu.Lock()
		receivers["gone"] = in
		mu.Unlock()
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		stop()
		if q.left() != 0 {
			t.Error("not delivered when the receiver came back")
		}
	})
}

// A receiver that asks for a wait is left alone so long.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		in := &inbox{answer: func(Event) error {
			if time.Since(start) < 20*time.Minute {
				return Later(errDown, 20*time.Minute)
			}
			return nil
		}}
		q := &queue{}
		q.put("oncall", event("a", "f"), event("b", "g"))
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		time.Sleep(19 * time.Minute)
		synctest.Wait()
		if in.tries() != 1 {
			t.Errorf("asked %d times although the receiver wants 20 minutes", in.tries())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		stop()
		if q.left() != 0 {
			t.Errorf("%d left", q.left())
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := NewOutbox(Options{}); err == nil || !strings.Contains(err.Error(), "Queue") {
		t.Errorf("options without a queue: %v", err)
	}
}
