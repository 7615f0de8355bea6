package notify

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestGroupTakenInPart: what of a group was taken before the rest failed is
// recorded, and not sent again, neither with the group nor by itself; but what
// would overtake an earlier event of its own alert is.
func TestGroupTakenInPart(t *testing.T) {
	for name, c := range map[string]struct {
		group string // "": a storm
		err   error
		again []string
	}{
		"of a storm":                   {"", errDown, []string{"3", "4"}},
		"of a group":                   {"x", errDown, []string{"3", "4"}},
		"of a storm, refused for good": {"", Permanent(errDown), []string{"3", "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, q := &groupInbox{}, &queue{}
				first := true
				in.refuse = func(events []Event) error {
					if !first {
						return nil
					}
					first = false
					var ids []string
					for _, e := range events {
						if e.ID != "3" { // of the alert that 4 is of too
							ids = append(ids, e.ID)
							in.got = append(in.got, e)
						}
					}
					return fmt.Errorf("traced: %w", Partly(ids, c.err))
				}
				for i := range 12 {
					e := event(fmt.Sprint(i), fmt.Sprint("f", i))
					if e.Group = c.group; i == 4 {
						e.Fingerprint = "f3"
					}
					q.put("oncall", e)
				}
				var mu sync.Mutex
				retried := map[string]bool{}
				o, stop := serve(t, q, map[string]Notifier{"oncall": in}, func(o *Options) {
					o.Observe = func(a Attempt) {
						mu.Lock()
						defer mu.Unlock()
						retried[a.Event] = retried[a.Event] || a.Outcome == "retry"
					}
				})
				synctest.Wait()
				mu.Lock()
				if want := 2; c.err == errDown && (q.left() != want || retried["2"] || !retried["3"]) {
					t.Errorf("%d are not recorded, want %d; to be tried again %v", q.left(), want, retried)
				}
				mu.Unlock()
				time.Sleep(time.Minute)
				o.Wake()
				synctest.Wait()
				stop()
				times := map[string]int{}
				for _, id := range in.ids() {
					times[id]++
				}
				if times["4"] != 2 || times["3"] != 1 || len(times) != 12 || len(in.ids()) != 13 || q.left() != 0 {
					t.Errorf("%d left, sent %v", q.left(), in.ids())
				}
				if ids := in.ids(); !slices.Equal(ids[len(ids)-2:], c.again) {
					t.Errorf("again %v", ids)
				}
			})
		})
	}
	if Partly([]string{"a"}, nil) != nil || Partly(nil, errDown) != errDown {
		t.Error("nothing failed, or nothing was taken, and it says otherwise")
	}
}

// TestUnrecordedGoesInNoGroup: what was sent and could not be recorded is only
// recorded: it goes with no group that comes after it, of policy's or of a storm.
func TestUnrecordedGoesInNoGroup(t *testing.T) {
	for name, n := range map[string]int{"policy's": 4, "a storm's": 30} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, q, until := &groupInbox{}, &queue{}, time.Now().Add(20*time.Second)
				q.failing = func(id string) error {
					if id == "0" && time.Now().Before(until) {
						return errDown
					}
					return nil
				}
				of := func(i int) Event {
					e := event(fmt.Sprint(i), fmt.Sprint("f", i))
					e.Group = "x"
					return e
				}
				q.put("oncall", of(0))
				_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
				synctest.Wait()
				for i := 1; i < n; i++ {
					q.put("oncall", of(i)) // nobody wakes the outbox: they are due when the first is recorded again
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				stop()
				times := map[string]int{}
				for _, id := range in.ids() {
					times[id]++
				}
				if q.left() != 0 || len(times) != n || len(in.ids()) != n {
					t.Errorf("%d left, %d events sent %d times: %v", q.left(), len(times), len(in.ids()), in.ids())
				}
			})
		})
	}
}

// TestGroupsAreRecordedInOrder: of one alert nothing is recorded before what was
// sent before it, or a crash in between would have the older said last.
func TestGroupsAreRecordedInOrder(t *testing.T) {
	for name, part := range map[string]bool{"taken whole": false, "taken in part": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, q := &groupInbox{}, &queue{}
				in.refuse = func(events []Event) error {
					if !part {
						return nil
					}
					part = false
					in.got = append(in.got, events[:11]...)
					return Partly(idsOf(events[:11]), errDown)
				}
				var recorded []string
				until := time.Now().Add(10 * time.Second)
				q.failing = func(id string) error {
					if id == "2" && time.Now().Before(until) {
						return errDown
					}
					recorded = append(recorded, id)
					return nil
				}
				for i := range 12 {
					q.put("oncall", event(fmt.Sprint(i), fmt.Sprint("f", min(i, 2)))) // from 2 on the same
				}
				_, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				stop()
				if want := strings.Fields("0 1 2 3 4 5 6 7 8 9 10 11"); !slices.Equal(recorded, want) || !slices.Equal(in.ids(), want) {
					t.Errorf("recorded %v, sent %v", recorded, in.ids())
				}
			})
		})
	}
}

func idsOf(events []Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// TestWhatCountsAsAStorm: as many as may go one by one do; one group of policy's
// is one message among them.
func TestWhatCountsAsAStorm(t *testing.T) {
	for name, c := range map[string]struct{ grouped, single, messages int }{
		"as many as may": {0, 10, 10}, "one more": {0, 11, 1}, "after a group": {3, 10, 2}, "beside a group": {3, 9, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, q := &groupInbox{}, &queue{}
				for i := range c.grouped {
					e := event(fmt.Sprint("g", i), fmt.Sprint("g", i))
					e.Group = "x"
					q.put("oncall", e)
				}
				o, stop := serve(t, q, map[string]Notifier{"oncall": in}, nil)
				synctest.Wait()
				for i := range c.single {
					q.put("oncall", event(fmt.Sprint(i), fmt.Sprint("f", i)))
				}
				o.Wake()
				synctest.Wait()
				stop()
				if len(in.when) != c.messages || q.left() != 0 {
					t.Errorf("%d messages, %d left", len(in.when), q.left())
				}
			})
		})
	}
}
