// Package quota is the rates AWS grants an account in a region: lanes of calls
// that share a budget. It refuses calls and knows nothing of who made them.
package quota

import (
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Lanes are the lanes of every account and region, enforced when switched on.
type Lanes struct {
	now     func() time.Time
	enforce bool

	mu      sync.Mutex
	buckets map[laneKey]*bucket
}

type laneKey struct{ account, region, lane string }

// Lane is a shared budget of calls: a rate a second, and as much burst.
type Lane struct {
	Name string
	rate float64
}

// bucket holds the tokens left at a time.
type bucket struct {
	tokens float64
	at     time.Time
}

// New makes lanes with full budgets.
func New(now func() time.Time, enforce bool) *Lanes {
	return &Lanes{now: now, enforce: enforce, buckets: map[laneKey]*bucket{}}
}

// Of is the lane a call runs in; ok is false for calls without one.
func Of(service, operation string) (Lane, bool) {
	switch {
	case service == "cloudtrail" && operation == "LookupEvents":
		return Lane{Name: "cloudtrail/LookupEvents", rate: 2}, true
	case service != "lambda":
		return Lane{}, false
	}
	switch operation {
	case "GetFunction":
		return Lane{Name: "lambda/GetFunction", rate: 100}, true
	case "GetPolicy":
		return Lane{Name: "lambda/GetPolicy", rate: 15}, true
	case "Invoke", "InvokeAsync", "InvokeWithResponseStream": // the data plane has its own limits
		return Lane{}, false
	default:
		return Lane{Name: "lambda/other", rate: 15}, true
	}
}

// Take spends a call of the account's and region's budget; false when there is
// none left.
func (l *Lanes) Take(account, region string, ln Lane) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.enforce {
		return true
	}
	now := l.now()
	key := laneKey{account: account, region: region, lane: ln.Name}
	b := l.buckets[key]
	if b == nil {
		b = &bucket{tokens: ln.rate, at: now}
		l.buckets[key] = b
	}
	b.tokens = min(ln.rate, b.tokens+now.Sub(b.at).Seconds()*ln.rate)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Enforce switches the lanes on or off, with full budgets.
func (l *Lanes) Enforce(enforce bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enforce = enforce
	clear(l.buckets)
}

// Refusal is the refusal as the service words it.
func Refusal(service string) *wire.Error {
	switch service {
	case "lambda":
		return &wire.Error{
			Status: 429, Code: "TooManyRequestsException", Message: "Rate exceeded",
			Members: map[string]any{"Reason": "CallerRateLimitExceeded", "Type": "User", "retryAfterSeconds": "1"},
		}
	case "apigateway":
		return &wire.Error{Status: 429, Code: "TooManyRequestsException", Message: "Too Many Requests"}
	case "s3":
		return &wire.Error{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."}
	case "sqs":
		return &wire.Error{Status: 403, Code: "RequestThrottled", Message: "Request is throttled."}
	case "iam", "sts":
		return &wire.Error{Status: 400, Code: "Throttling", Message: "Rate exceeded"}
	default:
		return &wire.Error{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}
	}
}
