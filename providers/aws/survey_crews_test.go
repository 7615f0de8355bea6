package aws

import (
	"fmt"
	"sort"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/providers/aws/quota"
)

// tollLane lets one through a period, in the order of coming, and remembers
// when somebody could have come and when he was let through.
type tollLane struct {
	mu     sync.Mutex
	period time.Duration
	free   time.Time
	passed []passage
}

type passage struct{ ready, through time.Time }

func (l *tollLane) pass(ready time.Time) {
	l.mu.Lock()
	at := time.Now()
	if at.Before(l.free) {
		at = l.free
	}
	l.free = at.Add(l.period)
	l.passed = append(l.passed, passage{ready, at})
	l.mu.Unlock()
	time.Sleep(time.Until(at))
}

// TestNoLaneIdlesBesideAnother: while somebody could drive in a lane, somebody
// does, whoever waits in the lanes beside it, and everything is done once.
func TestNoLaneIdlesBesideAnother(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		model := quota.New(quota.Options{})
		keys := []*quota.Lane{model.Lane("a", "Lambda", "GetFunction"), model.Lane("a", "Lambda", "GetPolicy"), model.Lane("a", "Lambda", "ListAliases")}
		lanes := map[*quota.Lane]*tollLane{}
		for _, key := range keys {
			lanes[key] = &tollLane{period: time.Duration(rapid.IntRange(1, 500).Draw(rt, "period")) * time.Millisecond}
		}
		routes := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 2), 1, 4), 1, 40).Draw(rt, "routes")
		size, stops := rapid.IntRange(1, 8).Draw(rt, "size"), 0
		var wrong []string
		synctest.Test(t, func(*testing.T) {
			c := newCrews(size, false)
			var travel func(route []int)
			travel = func(route []int) {
				ready, key := time.Now(), keys[route[0]]
				c.hand(key, func() {
					lanes[key].pass(ready)
					if len(route) > 1 {
						travel(route[1:])
					}
				})
			}
			for _, route := range routes {
				stops += len(route)
				travel(route)
			}
			c.wait()
			for _, key := range keys {
				passed := lanes[key].passed
				stops -= len(passed)
				sort.Slice(passed, func(i, j int) bool { return passed[i].through.Before(passed[j].through) })
				for i := 1; i < len(passed); i++ {
					if gap := passed[i].through.Sub(passed[i-1].through); gap > lanes[key].period && passed[i].ready.Before(passed[i].through) {
						wrong = append(wrong, fmt.Sprintf("a lane stood idle for %v while somebody was ready", gap))
					}
				}
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(wrong[0])
		}
		if stops != 0 {
			rt.Fatalf("%d stops were not made", stops)
		}
	})
}

// TestACrewIsNoLargerThanItsSize: who looks side by side is bounded.
func TestACrewIsNoLargerThanItsSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := quota.New(quota.Options{}).Lane("a", "Lambda", "GetPolicy")
		c, start := newCrews(3, false), time.Now()
		for range 30 {
			c.hand(lane, func() { time.Sleep(time.Second) })
		}
		c.wait()
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("three worked 30 s off in %v", took)
		}
	})
}
