package journal

import (
	"context"
	"iter"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// Rollout is one release's way into force, and where in the journal every look
// at it stands.
type Rollout struct {
	Release record.Release `json:"release"`
	Stable  record.Release `json:"stable,omitzero"` // what served beside it; zero on a first deployment
	Cause   string         `json:"cause,omitempty"` // commit | rollback
	First   Seq            `json:"first"`           // its first record, which names it from others of the same release
	Last    Seq            `json:"last"`            // its newest
	Began   time.Time      `json:"began"`
	Ended   time.Time      `json:"ended,omitzero"` // zero while it moves
	// Outcome is moving | stopped | in_force | returned | superseded.
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// Outcomes of a Rollout.
const (
	Moving     = "moving"
	Stopped    = "stopped" // a first deployment that failed: there is nothing to return to
	InForce    = "in_force"
	Returned   = "returned"   // traffic went back to stable
	Superseded = "superseded" // a newer release came before the first traffic
)

// ride keeps the list of rollouts: was is the state before this record.
func (e *Environment) ride(was, is rollout.State, seq Seq, at time.Time) {
	n := len(e.Rollouts)
	open := n > 0 && e.Rollouts[n-1].Ended.IsZero()
	if is.Phase != rollout.Idle && (!open || is.Release != was.Release) {
		if open {
			e.Rollouts[n-1].end(was, Superseded, at)
		}
		e.Rollouts = newest(append(e.Rollouts, Rollout{Release: is.Release, Stable: is.Stable, Cause: is.Cause, First: seq, Began: at}), keepRollouts)
		n, open = len(e.Rollouts), true
	}
	if !open {
		return
	}
	r := &e.Rollouts[n-1]
	r.Last, r.Outcome, r.Reason = seq, Moving, ""
	switch {
	case is.Phase == rollout.Idle && is.Returned != "":
		r.end(is, Returned, at)
	case is.Phase == rollout.Idle:
		r.end(is, InForce, at)
	case is.Failed && is.Phase != rollout.Back:
		r.Outcome, r.Reason = Stopped, is.Reason
	}
}

// end closes a rollout. One that was on its way back is returned, whatever
// came next.
func (r *Rollout) end(s rollout.State, outcome string, at time.Time) {
	r.Outcome, r.Ended = outcome, at
	if outcome != InForce {
		r.Reason = s.Reason
	}
	if s.Phase == rollout.Back {
		r.Outcome = Returned
	}
}

// Look is what a rollout was at one moment.
type Look struct {
	Seq   Seq
	At    time.Time
	State rollout.State
}

// Looks yields what the journal holds of one rollout of an environment, oldest
// first. An error ends them.
func (d *Docket) Looks(ctx context.Context, environment string, r Rollout) iter.Seq2[Look, error] {
	return func(yield func(Look, error) bool) {
		found, err := d.findLooks(ctx, environment, r)
		if err != nil {
			yield(Look{}, err)
			return
		}
		for _, seq := range found {
			rec, err := from(ctx, d.store, seq)
			if err != nil {
				yield(Look{}, err)
				return
			}
			if rec.Seq == seq && !yield(Look{Seq: rec.Seq, At: rec.At, State: *rec.Rollout}, nil) {
				return
			}
		}
	}
}

// findLooks says which records are of one rollout, the oldest first.
func (d *Docket) findLooks(ctx context.Context, environment string, r Rollout) (found []Seq, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.catchUp(ctx); err != nil {
		return nil, err
	}
	for d.from >= r.First && !d.begun {
		if err := d.back(ctx); err != nil {
			return nil, err
		}
	}
	name := d.names[environment]
	for e := range d.oldestFirst {
		if e.point == 0 && e.environment == name && e.seq >= r.First && e.seq <= r.Last {
			found = append(found, e.seq)
		}
	}
	return found, nil
}
