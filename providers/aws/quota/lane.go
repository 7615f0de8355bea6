package quota

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Lane is one rate lane of one account and region.
type Lane struct {
	model     *Model
	scope     string
	name      string
	perSecond float64

	all   *rate.Limiter // everything
	sweep *rate.Limiter // background calls, besides

	mu sync.Mutex
	// spare is what background calls left of their share, up to spareFor of
	// it; since is when it was last added to.
	spare     float64
	since     time.Time
	factor    float64 // 1, less after the account said stop
	changed   time.Time
	calls     int64
	throttles int64
	seconds   [60]struct {
		unix  int64
		calls int64
	}
}

const (
	slowest  = 0.1              // the least a lane is slowed to
	recovery = 10 * time.Second // between two steps of getting faster again
	step     = 0.1
	spareFor = 2 * time.Minute // of unused background share that is kept
)

func newLane(scope, name string, perSecond float64, m *Model) *Lane {
	l := &Lane{model: m, scope: scope, name: name, perSecond: perSecond, factor: 1, since: m.now()}
	l.spare = l.perSecond * l.model.background * (spareFor / 2).Seconds()
	l.all = rate.NewLimiter(0, 1)
	l.sweep = rate.NewLimiter(0, 1)
	l.tune()
	return l
}

// tune sets the limiters from the factor. The lock is held, or nobody knows
// the lane yet.
func (l *Lane) tune() {
	now := l.model.now()
	set := func(lim *rate.Limiter, share float64) {
		perSecond := l.perSecond * share * l.factor
		lim.SetLimitAt(now, rate.Limit(perSecond))
		burst := 1
		if l.factor == 1 {
			burst = max(1, int(math.Ceil(perSecond)))
		}
		lim.SetBurstAt(now, burst)
	}
	set(l.all, l.model.share)
	set(l.sweep, l.model.background)
}

// Wait returns when the call may be made, or with the context's error; at
// once, when its deadline comes before the lane is free.
func (l *Lane) Wait(ctx context.Context, class Class) error {
	l.recover()
	if class == Background {
		if err := l.take(ctx, l.sweep); err != nil {
			return l.gaveUp(ctx)
		}
		l.mu.Lock()
		l.spare = max(0, l.save()-1)
		l.mu.Unlock()
	}
	if err := l.take(ctx, l.all); err != nil {
		return l.gaveUp(ctx)
	}
	l.count()
	return nil
}

// take waits for a place behind a limiter. Whom the context's deadline would
// not let wait that long gives up at once, and takes nobody's place.
func (l *Lane) take(ctx context.Context, lim *rate.Limiter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := l.model.now()
	place := lim.ReserveN(now, 1)
	wait := place.DelayFrom(now)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		place.CancelAt(now)
		return context.DeadlineExceeded
	}
	if wait == 0 {
		return nil
	}
	if err := l.model.sleep(ctx, wait); err != nil {
		place.CancelAt(l.model.now())
		return err
	}
	return nil
}

// Spare is how many background calls may be made without waiting for the
// lane's share: what rotates takes no more, whoever else sweeps the account.
func (l *Lane) Spare() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = l.save()
	return int(l.spare)
}

// Within is how many background calls the lane lets through in a time.
func (l *Lane) Within(d time.Duration) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.perSecond * l.model.background * l.factor * d.Seconds())
}

// save adds what has accrued since the last time. The lock is held.
func (l *Lane) save() float64 {
	now := l.model.now()
	perSecond := l.perSecond * l.model.background * l.factor
	spare := math.Min(l.spare+perSecond*now.Sub(l.since).Seconds(), perSecond*spareFor.Seconds())
	l.since = now
	return spare
}

func (l *Lane) gaveUp(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = context.DeadlineExceeded
	}
	return fmt.Errorf("wait for the rate lane %s: %w", l.name, err)
}

// Throttled tells the lane that the account refused a call for its rate:
// somebody else drives here too. The lane halves, and gets faster again in
// steps.
func (l *Lane) Throttled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.throttles++
	l.factor = math.Max(slowest, l.factor/2)
	l.changed = l.model.now()
	l.tune()
}

func (l *Lane) recover() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.factor == 1 || l.model.now().Sub(l.changed) < recovery {
		return
	}
	steps := float64(l.model.now().Sub(l.changed) / recovery)
	l.factor = math.Min(1, l.factor+steps*step)
	l.changed = l.model.now()
	l.tune()
}

func (l *Lane) count() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	now := l.model.now().Unix()
	slot := &l.seconds[now%60]
	if slot.unix != now {
		slot.unix, slot.calls = now, 0
	}
	slot.calls++
}

func (l *Lane) use() Use {
	l.mu.Lock()
	defer l.mu.Unlock()
	var recent int64
	oldest := l.model.now().Unix() - 59
	for _, s := range l.seconds {
		if s.unix >= oldest {
			recent += s.calls
		}
	}
	return Use{
		Scope: l.scope, Name: l.name, PerSecond: l.perSecond,
		Allowed: l.perSecond * l.model.share * l.factor,
		Calls:   l.calls, Throttles: l.throttles,
		Ratio: float64(recent) / (l.perSecond * 60),
	}
}
