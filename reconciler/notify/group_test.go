package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// groupInbox is an inbox that takes groups.
type groupInbox struct {
	inbox
	groups [][]string
	when   []time.Time // of every message
	refuse func([]Event) error
}

func (g *groupInbox) Notify(ctx context.Context, e Event) error {
	err := g.inbox.Notify(ctx, e)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.when = append(g.when, time.Now())
	return err
}

func (g *groupInbox) NotifyAll(_ context.Context, events []Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.when = append(g.when, time.Now())
	if g.refuse != nil {
		if err := g.refuse(events); err != nil {
			return err
		}
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	g.groups = append(g.groups, ids)
	g.got = append(g.got, events...)
	return nil
}

// TestLesson73AThousandAtOnce: a thousand functions drift at once: one message.
func TestLesson73AThousandAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, q := &groupInbox{}, &queue{}
		for i := range 1000 {
			q.put("oncall", event(fmt.Sprint(i), fmt.Sprint("f", i)))
		}
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		synctest.Wait()
		stop()
		if q.left() != 0 || len(in.when) != 1 || len(in.got) != 1000 || in.got[999].ID != "999" {
			t.Errorf("%d left, %d messages with %d events", q.left(), len(in.when), len(in.got))
		}
	})
}

// A storm's message is the last of its window: what comes after it waits, though
// no ten single ones were sent, and then goes by itself.
func TestAStormEndsItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, q := &groupInbox{}, &queue{}
		for i := range 100 {
			q.put("oncall", event(fmt.Sprint(i), fmt.Sprint("f", i)))
		}
		o, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		for i := range 3 {
			time.Sleep(5 * time.Second)
			q.put("oncall", event(fmt.Sprint("late", i), fmt.Sprint("late", i)))
			o.Wake()
		}
		time.Sleep(14 * time.Second)
		synctest.Wait()
		if len(in.when) != 1 || q.left() != 3 {
			t.Errorf("%d messages within the window, %d wait", len(in.when), q.left())
		}
		time.Sleep(2 * time.Second) // nobody wakes the outbox for this
		synctest.Wait()
		if len(in.when) != 4 || q.left() != 0 || len(in.groups) != 1 {
			t.Errorf("%d messages, %d groups, %d wait", len(in.when), len(in.groups), q.left())
		}
		stop()
	})
}

// TestLesson73AThousandOneByOne: a thousand found one after another: at most Burst messages and one group
// in any window, and each event once, in order.
func TestLesson73AThousandOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, q := &groupInbox{}, &queue{}
		o, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		var want []string
		for i := range 1000 {
			id := fmt.Sprint(i)
			want = append(want, id)
			q.put("oncall", event(id, fmt.Sprint("f", i%3)))
			o.Wake()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if ids := in.ids(); !slices.Equal(ids, want) {
			t.Errorf("delivered %v", ids)
		}
		for i := range in.when {
			if j := i + 22; j < len(in.when) && in.when[j].Sub(in.when[i]) < 30*time.Second {
				t.Errorf("%d messages within 30s", j-i+1)
				break
			}
		}
		if len(in.when) > 5*11 {
			t.Errorf("%d messages for 100s of trouble", len(in.when))
		}
	})
}

// A group that is refused for one bad event costs only that one; one that
// fails for the moment is tried again as a whole.
func TestGroupRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, q := &groupInbox{refuse: func([]Event) error { return Permanent(errors.New("answered 400")) }}, &queue{}
		in.answer = func(e Event) error {
			if e.ID == "7" {
				return Permanent(errors.New("answered 400"))
			}
			return nil
		}
		for i := range 20 {
			q.put("oncall", event(fmt.Sprint(i), fmt.Sprint("f", i)))
		}
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		synctest.Wait()
		stop()
		if q.left() != 0 || len(q.dead) != 1 || q.dead["oncall/7"] == "" || len(in.got) != 19 {
			t.Errorf("%d left, dead %v, %d delivered", q.left(), q.dead, len(in.got))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		in, q := &groupInbox{refuse: func([]Event) error {
			if tries++; tries < 4 {
				return errDown
			}
			return nil
		}}, &queue{}
		for i := range 20 {
			q.put("oncall", event(fmt.Sprint(i), fmt.Sprint("f", i)))
		}
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if q.left() != 0 || tries != 4 || len(in.groups) != 1 {
			t.Errorf("%d left after %d tries, groups %d", q.left(), tries, len(in.groups))
		}
	})
}

func TestGroupMessages(t *testing.T) {
	server, got := receiver(t, 200, nil)
	other := sample
	other.ID, other.Fingerprint = "a2", "f2"
	hook, am := NewWebhook(fixed(server.URL), fixed("key"), transport(t)), NewAlertmanager(fixed(server.URL), transport(t))
	for _, g := range []Grouper{hook, hook, am} {
		if err := g.NotifyAll(t.Context(), []Event{sample, other}); err != nil {
			t.Fatal(err)
		}
	}
	first, again := (*got)[0], (*got)[1]
	if key := first.header.Get("Idempotency-Key"); key == "" || key != again.header.Get("Idempotency-Key") || key == groupKey([]Event{other, sample}) {
		t.Errorf("idempotency keys %q and %q", key, again.header.Get("Idempotency-Key"))
	}
	if first.header.Get("X-Mooring-Signature") != Sign([]byte("key"), first.body) {
		t.Error("a group is not signed")
	}
	for i, part := range []string{`"events":[{"id":"a1"`, `"events":[{"id":"a1"`, `"fingerprint":"f2"`} {
		if !strings.Contains(string((*got)[i].body), part) {
			t.Errorf("message %d lacks %s: %s", i, part, (*got)[i].body)
		}
	}
}

// What policy groups goes as one message, without a storm and for those alone
// who can take one, and nothing overtakes its own alert.
func TestGroupsGoTogether(t *testing.T) {
	of := func(id, fingerprint, group string) Event {
		e := event(id, fingerprint)
		e.Group = group
		return e
	}
	events := []Event{of("1", "a", "x"), of("2", "b", "y"), of("3", "b", "x"), of("4", "c", "x"), of("5", "d", ""), of("6", "e", "y"), of("7", "f", "")}
	synctest.Test(t, func(t *testing.T) {
		in, plain, q := &groupInbox{}, &inbox{}, &queue{}
		for _, e := range events {
			q.put("oncall", e)
			q.put("plain", e)
		}
		_, stop := serve(t, q, map[string]Notifier{"oncall": in, "plain": plain}, nil)
		synctest.Wait()
		stop()
		if ids := in.ids(); q.left() != 0 || !slices.Equal(ids, []string{"1", "4", "2", "6", "3", "5", "7"}) || len(in.when) != 5 {
			t.Errorf("%d left, %v in %d messages", q.left(), ids, len(in.when))
		}
		if len(in.groups) != 2 || !slices.Equal(in.groups[0], []string{"1", "4"}) || !slices.Equal(in.groups[1], []string{"2", "6"}) {
			t.Errorf("went together: %v", in.groups)
		}
		if ids := plain.ids(); len(ids) != len(events) {
			t.Errorf("plain got %v", ids)
		}
	})
}

// A group that fails for the moment is tried again whole, and holds up nobody
// but itself.
func TestGroupIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 3
		in, q := &groupInbox{refuse: func([]Event) error {
			if failures--; failures >= 0 {
				return errors.New("no answer")
			}
			return nil
		}}, &queue{}
		for i := range 4 {
			e := event(fmt.Sprint(i), fmt.Sprint("f", i))
			e.Group = "x"
			q.put("oncall", e)
		}
		_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if q.left() != 0 || len(in.groups) != 1 || len(in.got) != 4 || len(in.when) != 4 {
			t.Errorf("%d left, groups %v, %d tries", q.left(), in.groups, len(in.when))
		}
	})
}
