package journal

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// How much is remembered of what only grows.
const (
	keepKnown      = 50
	keepPromotions = 50
	keepApprovals  = 200

	keepActivations = 50
	keepEvidence    = 200
	keepAudit       = 1000
	keepDead        = 200
	keepHistory     = 500
	keepRollouts    = 50
	keepChecks      = 64   // contents with check results
	keepRequests    = 4096 // request ids of our own writes
	keepRounds      = 4096
	keepUnnamed     = 256
	keepRefused     = 1000
	keepAlerts      = 4096
	keepOutbox      = 10000
	keepOutboxBytes = 32 << 20
	keepExpired     = 24 * time.Hour // holds, after they ended
)

// Fold applies records to a state, in order. It takes the state over: its maps
// and lists are written to in place, so the argument must not be used again
// (hand out a Clone to whoever reads meanwhile). Bodies of records are kept as
// they are and never written to.
//
// A gap in the sequence is ErrCorrupt; a record without a number is the next.
// On an error the state is what came before it.
func Fold(s State, records iter.Seq2[Record, error]) (State, error) {
	if s.Environments == nil {
		s.Environments = map[string]*Environment{}
	}
	if s.Alerts == nil {
		s.Alerts = map[string]AlertState{}
	}
	for rec, err := range records {
		if err != nil {
			return s, fmt.Errorf("journal after record %d: %w", s.Seq, err)
		}
		if rec.Seq == 0 {
			rec.Seq = s.Seq + 1
		}
		if rec.Seq != s.Seq+1 {
			return s, fmt.Errorf("%w: record %d follows record %d", ErrCorrupt, rec.Seq, s.Seq)
		}
		if err := Valid(rec); err != nil {
			return s, err
		}
		s.apply(rec)
		s.Seq = rec.Seq
	}
	return s, nil
}

// Valid records have exactly one body, and name their environment when the
// body is about one.
func Valid(r Record) error {
	about, of := 0, 0
	for _, set := range []bool{r.Admission != nil, r.Fact != nil, r.Intent != nil, r.Outcome != nil, r.Rollout != nil,
		r.Hold != nil, r.Lift != nil, r.Approval != nil, r.Quarantine != nil, r.Retry != nil, r.Drift != nil,
		r.Resolved != nil, r.Named != nil, r.Check != nil, r.Soak != nil, r.Promotion != nil, r.Request != nil, r.Switch != nil, r.Queued != nil, r.Place != nil, r.Adoption != nil} {
		if set {
			about++
		}
	}
	for _, set := range []bool{r.Decision != nil, r.Alert != nil, r.Delivered != nil, r.Lease != nil, r.Activation != nil, r.PolicyWord != nil, r.Evidence != nil, r.Audit != nil} {
		if set {
			of++
		}
	}
	switch {
	case about+of != 1:
		return fmt.Errorf("%w: record %d has %d bodies, want one this version knows", ErrCorrupt, r.Seq, about+of)
	case about == 1 && r.Environment == "":
		return fmt.Errorf("%w: record %d names no environment", ErrCorrupt, r.Seq)
	}
	return nil
}

func (s *State) apply(r Record) {
	switch {
	case r.Decision != nil:
		s.DecisionHash = r.Decision.Hash
	case r.Alert != nil:
		s.alert(*r.Alert)
	case r.Delivered != nil:
		s.delivered(*r.Delivered, r.At)
	case r.Evidence != nil:
		s.Evidence = newest(append(s.Evidence, *r.Evidence), keepEvidence)
	case r.Lease != nil:
		s.Fence = max(s.Fence, r.Lease.Fence)
	case r.Activation != nil:
		s.activation(*r.Activation)
	case r.PolicyWord != nil:
		s.PolicyWords = newest(append(s.PolicyWords, *r.PolicyWord), keepApprovals)
	case r.Audit != nil:
		s.Audit = newest(append(s.Audit, *r.Audit), keepAudit)
	}
	if r.Environment == "" {
		return
	}
	e := s.Environments[r.Environment]
	if e == nil {
		e = newEnvironment(r.Environment)
		s.Environments[r.Environment] = e
	}
	e.tell(r) // before apply: it compares with what was
	e.apply(r)
}

// activation remembers the newest attempts. The newest that succeeded stays
// however many failed since: what it made active is what judges the next.
func (s *State) activation(a record.Activation) {
	s.Activations = append(s.Activations, a)
	if len(s.Activations) <= keepActivations {
		return
	}
	oldest, active := 0, func(a record.Activation) bool { return a.Active }
	if active(s.Activations[0]) && !slices.ContainsFunc(s.Activations[1:], active) {
		oldest = 1
	}
	s.Activations = slices.Delete(s.Activations, oldest, oldest+1)
}

func newEnvironment(name string) *Environment {
	e := &Environment{Name: name}
	e.fill()
	return e
}

// fill makes every map writable.
func (e *Environment) fill() {
	fill(&e.Contents)
	fill(&e.Applied)
	fill(&e.Intents)
	fill(&e.Wrote)
	fill(&e.Parked)
	fill(&e.OwnRequests)
	fill(&e.Holds)
	fill(&e.Quarantine)
	fill(&e.Drift)
	fill(&e.Unnamed)
	fill(&e.Rounds)
	fill(&e.Checks)
	fill(&e.Soaked)
	fill(&e.Requests)
	fill(&e.Switches)
	fill(&e.Refused)
}

func fill[K comparable, V any](m *map[K]V) {
	if *m == nil {
		*m = map[K]V{}
	}
}

func (e *Environment) apply(r Record) {
	switch {
	case r.Admission != nil:
		e.admission(r.Admission)
	case r.Fact != nil:
		e.fact(*r.Fact)
	case r.Intent != nil:
		e.Intents[r.Intent.Ref] = *r.Intent
		if r.Intent.Release != "" {
			e.Wrote[r.Intent.Ref] = r.Intent.Release
		}
		if f, ok := e.Applied[r.Intent.Ref]; ok && r.Intent.Operation == "create" {
			f.Identity = "" // what we make is another, and no stranger
			e.Applied[r.Intent.Ref] = f
		}
	case r.Outcome != nil:
		e.outcome(*r.Outcome)
	case r.Rollout != nil:
		e.ride(e.Rollout, *r.Rollout, r.Seq, r.At)
		e.Rollout = *r.Rollout
	case r.Hold != nil:
		maps.DeleteFunc(e.Holds, func(_ string, h record.Hold) bool { return !h.Active(r.At.Add(-keepExpired)) })
		e.Holds[r.Hold.ID] = *r.Hold
	case r.Lift != nil:
		delete(e.Holds, r.Lift.ID)
	case r.Approval != nil:
		e.Approvals = newest(append(e.Approvals, *r.Approval), keepApprovals)
	case r.Quarantine != nil:
		e.Quarantine[r.Quarantine.Key] = *r.Quarantine
	case r.Retry != nil:
		// A person wants it tried again: what was parked is, too.
		delete(e.Quarantine, r.Retry.Key)
		clear(e.Parked)
	case r.Drift != nil:
		item := *r.Drift
		item.Rounds = e.Rounds[item.ID].Count
		e.Drift[item.ID] = item
	case r.Resolved != nil:
		e.resolved(*r.Resolved)
	case r.Named != nil:
		delete(e.Unnamed, r.Named.ID)
	case r.Check != nil:
		e.check(*r.Check)
	case r.Soak != nil:
		e.soak(*r.Soak)
	case r.Promotion != nil:
		e.promotion(*r.Promotion)
	case r.Request != nil && r.Request.Done:
		delete(e.Requests, r.Request.ID)
	case r.Request != nil:
		e.Requests[r.Request.ID] = *r.Request
	case r.Switch != nil:
		e.turn(*r.Switch)
	case r.Queued != nil:
		e.queued(*r.Queued)
	case r.Place != nil:
		e.place(r.Place)
	case r.Adoption != nil:
		e.adoption(*r.Adoption)
	}
}

// place keeps where the environment is. One that was let go of has nothing in
// place, whatever is still there.
func (e *Environment) place(at *record.Place) {
	e.Place = at
	if at.LetGo {
		clear(e.Applied)
		clear(e.Wrote)
		e.Rollout = rollout.State{}
	}
}

func (e *Environment) admission(a *record.Admission) {
	e.Judged = a
	if !unsafe(a) {
		// What is built on a held rewrite is no safer than the rewrite.
		e.Branch = a.Release.Commit
	}
	if a.Outcome != "allow" {
		return
	}
	e.Admitted = a
	if _, known := e.Contents[a.Release.Content]; !known {
		e.Contents[a.Release.Content] = a.At
	}
	if n := len(e.Known); n > 0 && e.Known[n-1].Release == a.Release {
		e.Known[n-1] = *a
		return
	}
	e.Known = newest(append(e.Known, *a), keepKnown)
}

// unsafe: the branch's update itself was held, until a person accepts it.
func unsafe(a *record.Admission) bool {
	return a.Outcome == "hold" && slices.ContainsFunc(a.Findings, func(f record.Finding) bool { return f.Code == "forced_update" || f.Code == "empty" })
}

func (e *Environment) fact(f record.Fact) {
	delete(e.Intents, f.Ref) // seen: whatever was answered
	delete(e.Wrote, f.Ref)
	if f.Gone {
		delete(e.Applied, f.Ref)
		return
	}
	e.Applied[f.Ref] = f
}

// outcome ends an intent. A revert that was made counts as a round against
// every difference it was about, also when the difference is back before the
// next look: Fold is the only one that counts rounds.
func (e *Environment) outcome(o record.Outcome) {
	intent := e.Intents[o.Ref]
	delete(e.Intents, o.Ref)
	e.own(o.RequestIDs, o.At)
	switch o.Kind {
	case "":
		delete(e.Parked, o.Ref)
	case providers.Invalid.String(), providers.Denied.String():
		e.Parked[o.Ref] = o
	}
	if o.Kind != "" || intent.Cause != "drift" {
		return
	}
	for id, item := range e.Drift {
		if item.Response == record.Revert && item.Confirmed() && about(item, o) {
			item.Rounds = e.Rounds[id].Count + 1
			e.Rounds[id] = Rounds{Count: item.Rounds, Last: o.At}
			e.Drift[id] = item
		}
	}
	bound(e.Rounds, keepRounds, func(r Rounds) time.Time { return r.Last }, cmp.Compare[string])
}

// own notes requests of our own.
func (e *Environment) own(ids []string, at time.Time) {
	for _, id := range ids {
		e.OwnRequests[id] = at
	}
	bound(e.OwnRequests, keepRequests, func(t time.Time) time.Time { return t }, cmp.Compare[string])
}

// queued keeps what waits in turn, in the order it joined.
func (e *Environment) queued(q record.Queued) {
	e.Queue = slices.DeleteFunc(slices.Clone(e.Queue), func(o record.Queued) bool { return o.N == q.N })
	if q.Outcome == "" {
		e.Queue, e.LastQueued = append(e.Queue, q), q
	}
}

// turn keeps what is known of a dead man's switch until it was taken away.
func (e *Environment) turn(s record.Switch) {
	e.own(s.RequestIDs, s.Since)
	if s.State == record.SwitchGone {
		delete(e.Switches, s.Alias)
		return
	}
	e.Switches[s.Alias] = s
}

// resolved ends a difference. One that people were told of, without a name, is
// kept until the audit trail tells.
func (e *Environment) resolved(r Resolved) {
	if item, known := e.Drift[r.ID]; known && item.Confirmed() && !item.Actor.Known {
		e.Unnamed[r.ID] = item
		bound(e.Unnamed, keepUnnamed, func(d record.DriftItem) time.Time { return d.Since }, cmp.Compare[string])
	}
	delete(e.Drift, r.ID)
}

func about(item record.DriftItem, o record.Outcome) bool {
	return item.Ref == o.Ref || o.Operation == "detach" && item.Parent == o.Ref && o.Ref != (manifest.Ref{})
}

// soak keeps the longest stretch of each release: what has soaked once, has.
func (e *Environment) soak(s Soak) {
	e.Soak = s
	if s.Elapsed > e.Soaked[s.Release].Elapsed {
		e.Soaked[s.Release] = s
		bound(e.Soaked, keepChecks, func(s Soak) time.Time { return s.Tick }, cmp.Compare[string])
	}
}

func (e *Environment) check(c record.CheckResult) {
	of := e.Checks[c.Key]
	if of == nil {
		of = map[string]record.CheckResult{}
		e.Checks[c.Key] = of
	}
	of[c.Name] = c
	bound(e.Checks, keepChecks, func(of map[string]record.CheckResult) time.Time {
		var last time.Time
		for _, c := range of {
			if c.At.After(last) {
				last = c.At
			}
		}
		return last
	}, compareKeys)
}

// promotion keeps what happened; the same hold again only moves its time.
func (e *Environment) promotion(p record.Promotion) {
	if n := len(e.Promotions); n > 0 && samePromotion(e.Promotions[n-1], p) {
		e.Promotions[n-1] = p
		return
	}
	if e.Promotions = append(e.Promotions, p); len(e.Promotions) > keepPromotions {
		// What came in is asked for as long as it is in force; why others waited is not.
		waited := max(0, slices.IndexFunc(e.Promotions[:keepPromotions], func(p record.Promotion) bool { return p.Outcome == "held" || p.Outcome == "failed" }))
		e.Promotions = slices.Delete(e.Promotions, waited, waited+1)
	}
}

func samePromotion(a, b record.Promotion) bool {
	return a.From == b.From && a.To == b.To && a.Key == b.Key && a.Commit == b.Commit && a.Outcome == b.Outcome && a.Reason == b.Reason
}

// newest keeps the last n of a list.
func newest[T any](list []T, n int) []T {
	if len(list) > n {
		return slices.Delete(list, 0, len(list)-n)
	}
	return list
}
