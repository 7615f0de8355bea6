package quota

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLanesOfLambdaAreThree(t *testing.T) {
	m := New(Options{})
	get, policy := m.Lane("a", "Lambda", "GetFunction"), m.Lane("a", "Lambda", "GetPolicy")
	list, update := m.Lane("a", "Lambda", "ListFunctions"), m.Lane("a", "Lambda", "UpdateAlias")
	if get == policy || get == list || policy == list {
		t.Error("GetFunction, GetPolicy and the rest share a lane; the account meters them apart")
	}
	if list != update {
		t.Error("ListFunctions and UpdateAlias drive in different lanes; the account meters them together")
	}
	if m.Lane("b", "Lambda", "GetFunction") == get {
		t.Error("two accounts share a lane")
	}
	if m.Lane("a", "Lambda", "Invoke") != nil {
		t.Error("an invocation is metered as control plane")
	}
}

func TestSweepsTakeTheirShareAndNoMore(t *testing.T) {
	for _, c := range []struct {
		class Class
		most  int // calls in 100 s on the 15/s lane
	}{{Foreground, 500}, {Background, 305}} {
		synctest.Test(t, func(t *testing.T) {
			lane := New(Options{}).Lane("a", "Lambda", "ListFunctions")
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
			defer cancel()
			made := 0
			for lane.Wait(ctx, c.class) == nil {
				made++
			}
			if made > c.most || made < c.most*9/10 {
				t.Errorf("class %d made %d calls in 100 s, want just under %d", c.class, made, c.most)
			}
		})
	}
}

func TestAWriteNeverWaitsBehindASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := New(Options{}).Lane("a", "Lambda", "ListFunctions")
		ctx, cancel := context.WithCancel(context.Background())
		for range 50 {
			go func() { _ = lane.Wait(ctx, Background) }()
		}
		synctest.Wait()
		start := time.Now()
		if err := lane.Wait(ctx, Foreground); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("a write waited %v behind 50 calls of a sweep", waited)
		}
		cancel()
	})
}

func TestThrottlingSlowsTheLaneAndItRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Share: 1})
		lane := m.Lane("a", "Lambda", "GetPolicy")
		lane.Throttled()
		lane.Throttled()
		if got := m.Lanes()[0]; got.Allowed > 15.0/4+0.01 || got.Throttles != 2 {
			t.Errorf("after two refusals the lane allows %.1f/s, want a quarter of 15", got.Allowed)
		}
		for range 20 {
			lane.Throttled()
		}
		if got := m.Lanes()[0].Allowed; got < 1.4 {
			t.Errorf("the lane slowed to %.2f/s, below a tenth", got)
		}
		time.Sleep(2 * time.Minute)
		if err := lane.Wait(context.Background(), Foreground); err != nil {
			t.Fatal(err)
		}
		if got := m.Lanes()[0].Allowed; got != 15 {
			t.Errorf("two minutes without refusal: %.1f/s, want the whole lane again", got)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := New(Options{}).Lane("a", "CloudTrail", "LookupEvents")
		ctx, cancel := context.WithCancel(context.Background())
		_ = lane.Wait(ctx, Foreground)
		go cancel()
		if err := lane.Wait(ctx, Foreground); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait on a cancelled context: %v", err)
		}
	})
}

func TestRatioIsOfTheAccountsAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Share: 1})
		lane := m.Lane("a", "Lambda", "ListFunctions")
		for range 90 {
			if err := lane.Wait(context.Background(), Foreground); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.Lanes()[0].Ratio; got != 0.1 {
			t.Errorf("90 calls of 900 a minute: ratio %v, want 0.1", got)
		}
		time.Sleep(2 * time.Minute)
		if got := m.Lanes()[0].Ratio; got != 0 {
			t.Errorf("two idle minutes: ratio %v, want 0", got)
		}
	})
}

func TestWaitGivesUpBeforeAHopelessDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := New(Options{}).Lane("a", "CloudTrail", "LookupEvents")
		_ = lane.Wait(context.Background(), Foreground)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		if err := lane.Wait(ctx, Foreground); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		if time.Since(start) > 0 {
			t.Error("it waited for what it could not reach")
		}
	})
}

// TestSpareIsWhatSweepsLeave: it accrues with the share, is kept for a while
// only, goes down with every background call, and never below nothing.
func TestSpareIsWhatSweepsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := New(Options{}).Lane("a", "Lambda", "ListAliases") // 3 calls a second
		if got := lane.Spare(); got != 180 {
			t.Errorf("at first %d, want a minute's worth", got)
		}
		time.Sleep(time.Hour)
		if got := lane.Spare(); got != 360 {
			t.Errorf("after an hour of rest %d, want two minutes' worth", got)
		}
		for range 300 {
			if err := lane.Wait(t.Context(), Background); err != nil {
				t.Fatal(err)
			}
		}
		// Taking them lasted as long as it takes to accrue most of them again.
		if got := lane.Spare(); got < 355 {
			t.Errorf("after calls at the share's pace %d", got)
		}
		lane.Throttled()
		if got := lane.Spare(); got > 180 {
			t.Errorf("a slowed lane has %d to spare", got)
		}
	})
}
