package journal

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"mooring.dev/reconciler/record"
)

// Clone is a copy that later folds do not write to: maps and lists are the
// copy's own, what they hold is shared and never written by anyone.
func (s State) Clone() State {
	s.Environments = maps.Clone(s.Environments)
	for name, e := range s.Environments {
		s.Environments[name] = e.clone()
	}
	s.Alerts = maps.Clone(s.Alerts)
	s.Outbox = slices.Clone(s.Outbox)
	s.DeadLetters = slices.Clone(s.DeadLetters)
	s.Activations = slices.Clone(s.Activations)
	s.PolicyWords = slices.Clone(s.PolicyWords)
	s.Evidence = slices.Clone(s.Evidence)
	s.Audit = slices.Clone(s.Audit)
	return s
}

func (e *Environment) clone() *Environment {
	c := *e
	c.Contents = maps.Clone(e.Contents)
	c.Known = slices.Clone(e.Known)
	c.Applied = maps.Clone(e.Applied)
	c.Intents = maps.Clone(e.Intents)
	c.Wrote = maps.Clone(e.Wrote)
	c.Parked = maps.Clone(e.Parked)
	c.OwnRequests = maps.Clone(e.OwnRequests)
	c.Holds = maps.Clone(e.Holds)
	c.Approvals = slices.Clone(e.Approvals)
	c.Quarantine = maps.Clone(e.Quarantine)
	c.Drift = maps.Clone(e.Drift)
	c.Unnamed = maps.Clone(e.Unnamed)
	c.Rounds = maps.Clone(e.Rounds)
	c.Soaked = maps.Clone(e.Soaked)
	c.Checks = maps.Clone(e.Checks)
	for key, of := range c.Checks {
		c.Checks[key] = maps.Clone(of)
	}
	c.Rollouts = slices.Clone(e.Rollouts)
	c.Promotions = slices.Clone(e.Promotions)
	c.Queue = slices.Clone(e.Queue)
	c.Requests = maps.Clone(e.Requests)
	c.Switches = maps.Clone(e.Switches)
	c.Refused = maps.Clone(e.Refused)
	c.History = slices.Clone(e.History)
	return &c
}

// plain is an Environment with JSON's own rules.
type plain Environment

// written is an Environment in a snapshot: JSON has no keys of two parts, so
// what is keyed by record.Key is a list there.
type written struct {
	*plain
	Quarantine []record.Quarantine
	Checks     []record.CheckResult
}

// MarshalJSON writes an environment into a snapshot, the same one always as
// the same bytes.
func (e *Environment) MarshalJSON() ([]byte, error) {
	w := written{plain: (*plain)(e), Quarantine: slices.Collect(maps.Values(e.Quarantine))}
	slices.SortFunc(w.Quarantine, func(a, b record.Quarantine) int { return compareKeys(a.Key, b.Key) })
	for _, of := range e.Checks {
		w.Checks = slices.AppendSeq(w.Checks, maps.Values(of))
	}
	slices.SortFunc(w.Checks, func(a, b record.CheckResult) int {
		return cmp.Or(compareKeys(a.Key, b.Key), cmp.Compare(a.Name, b.Name))
	})
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Environment) UnmarshalJSON(data []byte) error {
	w := written{plain: (*plain)(e)}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	e.fill()
	for _, q := range w.Quarantine {
		e.Quarantine[q.Key] = q
	}
	for _, c := range w.Checks {
		if e.Checks[c.Key] == nil {
			e.Checks[c.Key] = map[string]record.CheckResult{}
		}
		e.Checks[c.Key][c.Name] = c
	}
	return nil
}

func compareKeys(a, b record.Key) int {
	return cmp.Or(cmp.Compare(a.Content, b.Content), cmp.Compare(a.Overlay, b.Overlay))
}

// bound lets a map grow to twice the number to keep, then drops the oldest
// down to it, so that the cost per entry stays constant.
func bound[K comparable, V any](m map[K]V, keep int, at func(V) time.Time, compare func(a, b K) int) {
	if len(m) <= 2*keep {
		return
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		return cmp.Or(at(m[a]).Compare(at(m[b])), compare(a, b))
	})
	for _, k := range keys[:len(m)-keep] {
		delete(m, k)
	}
}
