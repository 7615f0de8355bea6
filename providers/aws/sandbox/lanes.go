package sandbox

import (
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// lanes are the rates AWS grants an account in a region. They are counted
// always and enforced when switched on.
type lanes struct {
	now     func() time.Time
	enforce bool

	mu      sync.Mutex
	buckets map[laneKey]*bucket
}

type laneKey struct {
	place
	lane string
}

// lane is a shared budget of calls: a rate a second, and as much burst.
type lane struct {
	name string
	rate float64
}

// bucket holds the tokens left at a time.
type bucket struct {
	tokens float64
	at     time.Time
}

func newLanes(now func() time.Time, enforce bool) *lanes {
	return &lanes{now: now, enforce: enforce, buckets: map[laneKey]*bucket{}}
}

// laneOf is the lane a call runs in; ok is false for calls without one.
func laneOf(service, operation string) (lane, bool) {
	switch {
	case service == "cloudtrail" && operation == "LookupEvents":
		return lane{name: "cloudtrail/LookupEvents", rate: 2}, true
	case service != "lambda":
		return lane{}, false
	}
	switch operation {
	case "GetFunction":
		return lane{name: "lambda/GetFunction", rate: 100}, true
	case "GetPolicy":
		return lane{name: "lambda/GetPolicy", rate: 15}, true
	case "Invoke", "InvokeAsync", "InvokeWithResponseStream": // the data plane has its own limits
		return lane{}, false
	default:
		return lane{name: "lambda/other", rate: 15}, true
	}
}

// take spends a token; the answer is how long to wait when there is none.
func (l *lanes) take(at place, ln lane) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.enforce {
		return 0, true
	}
	now := l.now()
	key := laneKey{place: at, lane: ln.name}
	b := l.buckets[key]
	if b == nil {
		b = &bucket{tokens: ln.rate, at: now}
		l.buckets[key] = b
	}
	b.tokens = min(ln.rate, b.tokens+now.Sub(b.at).Seconds()*ln.rate)
	b.at = now
	if b.tokens < 1 {
		return time.Duration((1 - b.tokens) / ln.rate * float64(time.Second)), false
	}
	b.tokens--
	return 0, true
}

// set switches enforcement.
func (l *lanes) set(enforce bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enforce = enforce
	clear(l.buckets)
}

// throttled is the refusal as the service words it.
func throttled(service string) *wire.Error {
	switch service {
	case "lambda":
		return &wire.Error{
			Status: 429, Code: "TooManyRequestsException", Message: "Rate exceeded",
			Members: map[string]any{"Reason": "CallerRateLimitExceeded", "Type": "User", "retryAfterSeconds": "1"},
		}
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
