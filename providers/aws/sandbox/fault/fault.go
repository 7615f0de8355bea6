// Package fault is how the calls of a sandbox go wrong: rules that match calls,
// and what happens to a call that meets one. It decides and does not act, and
// refuses rules that make no sense.
package fault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// What Call.Fault says.
const (
	Rate      = "rate" // the account's own rate lane, not an injected fault
	Throttle  = "throttle"
	Error     = "error"
	FailAfter = "failAfter"
	Drop      = "drop"
	Stale     = "stale"
	Latency   = "latency"
)

// Deliveries is the Service of the events on their way from the bus to a
// target. Only rules that name it meet them, with the rule's and the target's
// ARN as the parameters Rule and Target: FailAfter delivers twice, Latency late
// (so that others overtake), and whatever is an error, Drop or Throttle loses.
const Deliveries = "delivery"

// Rule makes calls go wrong. Empty patterns match every call; patterns are
// globs (Update*, user/alice).
type Rule struct {
	ID        string `json:"id,omitempty"` // given by Add
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	Actor     string `json:"actor,omitempty"` // the name, or the access key
	// Param are globs over members of the request (FunctionName, QueueUrl), and
	// over "path", the path of its URL.
	Param map[string]string `json:"param,omitempty"`

	After       int     `json:"after,omitempty"`       // lets so many matching calls through first
	Times       int     `json:"times,omitempty"`       // then meets so many; 0 is all
	Probability float64 `json:"probability,omitempty"` // of meeting each; 0 is always

	Effect Effect `json:"effect"`
}

// Effect is what happens to a call that meets a rule. Latency goes with any
// other; of the others one is given.
type Effect struct {
	Latency  time.Duration `json:"latency,omitempty"`
	Throttle bool          `json:"throttle,omitempty"` // as the service words it
	Status   int           `json:"status,omitempty"`   // an error, before anything happens
	Code     string        `json:"code,omitempty"`
	// FailAfter runs the call and loses its reply: a 500 takes its place.
	FailAfter bool `json:"failAfter,omitempty"`
	// Drop runs the call and closes the connection without a reply.
	Drop bool `json:"drop,omitempty"`
	// Stale makes reads of the same service, account and region answer for so
	// long what they answered before this write. A question first asked after
	// the write is answered truthfully.
	Stale time.Duration `json:"stale,omitempty"`
}

// Rules are the rules in force.
type Rules struct {
	mu    sync.Mutex
	rng   *rand.Rand
	next  int
	rules []*liveRule
}

type liveRule struct {
	Rule
	seen, met int
}

// NewRules makes an empty set; the seed is that of rules which meet by chance.
func NewRules(seed uint64) *Rules { return &Rules{rng: rand.New(rand.NewPCG(seed, seed))} }

// Add puts a rule in force and returns its identifier. A rule without an
// effect, or with an impossible one, is an error.
func (f *Rules) Add(r Rule) (string, error) {
	if err := r.Effect.validate(); err != nil {
		return "", err
	}
	if r.Probability < 0 || r.Probability > 1 {
		return "", fmt.Errorf("fault rule: probability %v is not between 0 and 1", r.Probability)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	r.ID = strconv.Itoa(f.next)
	f.rules = append(f.rules, &liveRule{Rule: r})
	return r.ID, nil
}

func (e Effect) validate() error {
	main := 0
	for _, given := range []bool{e.Throttle, e.Status != 0, e.FailAfter, e.Drop, e.Stale > 0} {
		if given {
			main++
		}
	}
	switch {
	case main > 1:
		return fmt.Errorf("fault rule: give one of throttle, status, failAfter, drop and stale")
	case main == 0 && e.Latency <= 0:
		return fmt.Errorf("fault rule: it has no effect")
	case e.Status != 0 && (e.Status < 400 || e.Status > 599):
		return fmt.Errorf("fault rule: status %d is not an error", e.Status)
	}
	return nil
}

// Remove takes one rule out of force.
func (f *Rules) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.rules)
	f.rules = slices.DeleteFunc(f.rules, func(r *liveRule) bool { return r.ID == id })
	return len(f.rules) < before
}

// Clear takes every rule out of force.
func (f *Rules) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// List is what is in force.
func (f *Rules) List() []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Rule, 0, len(f.rules))
	for _, r := range f.rules {
		out = append(out, r.Rule)
	}
	return out
}

// Met is how many calls a rule in force has changed so far.
func (f *Rules) Met(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.ID == id {
			return r.met
		}
	}
	return 0
}

// Meet is what happens to a call: the latencies of all rules met, and the first
// of their other effects. params are asked for only when a rule needs them.
func (f *Rules) Meet(c *wire.Call, params func() map[string]any) Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out Effect
	for _, r := range f.rules {
		if !r.matches(c, params) || !r.due(f.rng) {
			continue
		}
		latency := out.Latency + r.Effect.Latency
		if out.Kind() == "" || out.Kind() == Latency {
			out = r.Effect
		}
		out.Latency = latency
	}
	return out
}

func (r *liveRule) due(rng *rand.Rand) bool {
	r.seen++
	if r.seen <= r.After || (r.Times > 0 && r.met >= r.Times) {
		return false
	}
	if r.Probability > 0 && rng.Float64() >= r.Probability {
		return false
	}
	r.met++
	return true
}

func (r *liveRule) matches(c *wire.Call, params func() map[string]any) bool {
	if c.Service == Deliveries && r.Service != Deliveries {
		return false
	}
	if !globs(r.Service, c.Service) || !globs(r.Operation, c.Operation) {
		return false
	}
	if r.Effect.Stale > 0 && c.ReadOnly { // staleness begins with a write
		return false
	}
	if !globs(r.Actor, c.Actor.Name) && !globs(r.Actor, c.Actor.AccessKey) {
		return false
	}
	if len(r.Param) == 0 {
		return true
	}
	have := params()
	for name, pattern := range r.Param {
		value, ok := have[name]
		if !ok || !wire.Glob(pattern, fmt.Sprint(value)) {
			return false
		}
	}
	return true
}

func globs(pattern, s string) bool { return pattern == "" || wire.Glob(pattern, s) }

// Kind names the effect, as Call.Fault does; "" for none.
func (e Effect) Kind() string {
	switch {
	case e.Throttle:
		return Throttle
	case e.Status != 0:
		return Error
	case e.FailAfter:
		return FailAfter
	case e.Drop:
		return Drop
	case e.Stale > 0:
		return Stale
	case e.Latency > 0:
		return Latency
	default:
		return ""
	}
}
