// Package quota models the rates an account allows on the control plane of
// each service, client-side, so that a daemon takes a stated share and leaves
// the rest to people and pipelines. It refuses to know what is called and why:
// it only makes callers wait.
//
// Lambda's rates (100/s for GetFunction, 15/s for GetPolicy, 15/s for all the
// rest together) are published and cannot be raised. The others are careful
// readings of what is published or known of each service.
package quota

import (
	"context"
	"fmt"
	"math"
	"sort"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Class says how urgent a call is.
type Class int32

const (
	// Foreground calls (writes, looks right after them) may use the whole share.
	Foreground Class = iota
	// Background calls (the rotation of a sweep) may use the smaller share, so
	// that they never stand before a write.
	Background
)

// Options of a Model. Zero values take the defaults.
type Options struct {
	Share      float64 // of each lane that this process may use, 0..1; default 0.33
	Background float64 // of each lane that sweeps may use, 0..1; default 0.2
	// Scale multiplies the rates, for platforms whose rates are not AWS's
	// (emulators, the demo). Default 1.
	Scale float64
}

// Model is the lanes of all accounts this process reaches. One Model is shared
// by all providers of a process.
type Model struct {
	share, background, scale float64

	mu    sync.Mutex
	lanes map[key]*Lane
}

type key struct{ scope, name string }

// New makes a Model.
func New(o Options) *Model {
	if o.Share <= 0 || o.Share > 1 {
		o.Share = 0.33
	}
	if o.Background <= 0 || o.Background > o.Share {
		o.Background = math.Min(0.2, o.Share)
	}
	if o.Scale <= 0 {
		o.Scale = 1
	}
	return &Model{share: o.Share, background: o.Background, scale: o.Scale, lanes: map[key]*Lane{}}
}

// Lane returns the lane a call drives in, or nil for calls that have none
// (invocations, objects). scope names the account and region.
func (m *Model) Lane(scope, service, operation string) *Lane {
	name, perSecond := laneOf(service, operation)
	if name == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := key{scope, name}
	lane := m.lanes[k]
	if lane == nil {
		lane = newLane(scope, name, perSecond*m.scale, m)
		m.lanes[k] = lane
	}
	return lane
}

// laneOf is the table of lanes: calls per second and account.
func laneOf(service, operation string) (name string, perSecond float64) {
	switch service {
	case "Lambda":
		switch operation {
		case "GetFunction":
			return "lambda:GetFunction", 100
		case "GetPolicy":
			return "lambda:GetPolicy", 15
		case "Invoke", "InvokeAsync", "InvokeWithResponseStream":
			return "", 0
		}
		return "lambda", 15
	case "CloudTrail":
		return "cloudtrail", 2
	case "CloudWatch":
		switch operation {
		case "DescribeAlarms":
			return "cloudwatch:DescribeAlarms", 9
		case "PutMetricAlarm":
			return "cloudwatch:PutMetricAlarm", 3
		}
		return "cloudwatch", 50
	case "CloudWatch Logs":
		return "logs", 10
	case "SNS":
		return "sns", 30
	case "EventBridge":
		return "events", 50
	case "Scheduler":
		return "scheduler", 50
	case "ApiGatewayV2":
		return "apigateway", 10
	case "IAM":
		return "iam", 15
	case "SQS":
		return "sqs", 50
	case "Secrets Manager":
		return "secretsmanager", 40
	case "DynamoDB":
		return "dynamodb", 10
	case "S3":
		return "s3", 100
	case "SSM":
		return "ssm", 20
	case "Resource Groups Tagging API":
		return "tagging", 15
	case "SFN":
		switch operation {
		case "StartExecution", "StartSyncExecution", "DescribeExecution":
			return "", 0
		}
		return "states", 10
	case "STS":
		return "sts", 50
	}
	return "", 0
}

// Use is what a lane carried, for metrics and status.
type Use struct {
	Scope     string
	Name      string
	PerSecond float64 // what the account allows
	Allowed   float64 // what this process takes now, calls a second
	Calls     int64   // since the start
	Throttles int64   // since the start
	// Ratio is the share of the account's allowance used over the last minute.
	Ratio float64
}

// Lanes lists all lanes used so far, sorted.
func (m *Model) Lanes() []Use {
	m.mu.Lock()
	lanes := make([]*Lane, 0, len(m.lanes))
	for _, l := range m.lanes {
		lanes = append(lanes, l)
	}
	m.mu.Unlock()
	uses := make([]Use, 0, len(lanes))
	for _, l := range lanes {
		uses = append(uses, l.use())
	}
	sort.Slice(uses, func(i, j int) bool {
		if uses[i].Scope != uses[j].Scope {
			return uses[i].Scope < uses[j].Scope
		}
		return uses[i].Name < uses[j].Name
	})
	return uses
}

// Lane is one rate lane of one account and region.
type Lane struct {
	scope, name       string
	perSecond         float64
	share, background float64

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
	l := &Lane{scope: scope, name: name, perSecond: perSecond, share: m.share, background: m.background, factor: 1, since: time.Now()}
	l.spare = l.perSecond * l.background * (spareFor / 2).Seconds()
	l.all = rate.NewLimiter(0, 1)
	l.sweep = rate.NewLimiter(0, 1)
	l.tune()
	return l
}

// tune sets the limiters from the factor. The lock is held, or nobody knows
// the lane yet.
func (l *Lane) tune() {
	set := func(lim *rate.Limiter, share float64) {
		perSecond := l.perSecond * share * l.factor
		lim.SetLimit(rate.Limit(perSecond))
		burst := 1
		if l.factor == 1 {
			burst = max(1, int(math.Ceil(perSecond)))
		}
		lim.SetBurst(burst)
	}
	set(l.all, l.share)
	set(l.sweep, l.background)
}

// Wait returns when the call may be made, or with the context's error; at
// once, when its deadline comes before the lane is free.
func (l *Lane) Wait(ctx context.Context, class Class) error {
	l.recover()
	if class == Background {
		if err := l.sweep.Wait(ctx); err != nil {
			return l.gaveUp(ctx)
		}
		l.mu.Lock()
		l.spare = max(0, l.save()-1)
		l.mu.Unlock()
	}
	if err := l.all.Wait(ctx); err != nil {
		return l.gaveUp(ctx)
	}
	l.count()
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

// save adds what has accrued since the last time. The lock is held.
func (l *Lane) save() float64 {
	now := time.Now()
	perSecond := l.perSecond * l.background * l.factor
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
	l.changed = time.Now()
	l.tune()
}

func (l *Lane) recover() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.factor == 1 || time.Since(l.changed) < recovery {
		return
	}
	steps := float64(time.Since(l.changed) / recovery)
	l.factor = math.Min(1, l.factor+steps*step)
	l.changed = time.Now()
	l.tune()
}

func (l *Lane) count() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	now := time.Now().Unix()
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
	oldest := time.Now().Unix() - 59
	for _, s := range l.seconds {
		if s.unix >= oldest {
			recent += s.calls
		}
	}
	return Use{
		Scope: l.scope, Name: l.name, PerSecond: l.perSecond,
		Allowed: l.perSecond * l.share * l.factor,
		Calls:   l.calls, Throttles: l.throttles,
		Ratio: float64(recent) / (l.perSecond * 60),
	}
}
