package rollout

import (
	"fmt"
	"slices"
	"time"

	"mooring.dev/reconciler/record"
)

// Advance is the whole state machine: what the rollout is after this signal,
// at this time.
//
//	Idle ──Start──▶ Expand ──▶ Check ──▶ Shift ─(stage by stage)─▶ Connect ──▶ Contract ──▶ Idle, Done
//	                  │          │         │                          │           │
//	                  └──────────┴─────────┴──────────┬───────────────┴───────────┘
//	            failed evidence, abort, rollback,      ▼
//	            impossible step, newer release:       Back ──▶ Idle, Done (or Expand of the newer release)
//
// What holds in it:
//   - One phase or stage a call: Ready and Routed were observed against the
//     state given, so they say nothing about the one that follows.
//   - Danger is looked at before anything else and in every phase; a pause
//     stops only what goes forward.
//   - A stage is left only when its hold has been observed in place and there
//     is a pass for it (or policy says go on, or nothing runs beside it to
//     compare with).
//   - Time is counted in small pieces between two calls that are not paused,
//     with the weight seen in place (see tick): a clock's jump, a stopped
//     machine or a restart can add at most one small piece.
//
// Advance writes to neither of its arguments and keeps no reference that it
// would write to later; the same arguments give the same state.
func Advance(s State, sig Signal, now time.Time) State {
	s.Functions, s.Measures = slices.Clone(s.Functions), slices.Clone(s.Measures)
	s.Done = false
	s.tick(sig, now)
	s.learn(sig)
	s.judge()
	if by, why := s.danger(sig); by != "" {
		s.giveUp(by, why)
		return s
	}
	s.arrive(sig)
	halt := sig.halt()
	s.pause(halt)
	if sig.Start != nil && sig.Held == "" && sig.Foreign == "" && s.start(*sig.Start) {
		return s
	}
	if halt == "" || s.Phase == Back || s.Phase == Contract {
		s.forward(sig)
	}
	s.limit(sig, halt)
	return s
}

// halt is why nothing goes forward now.
func (sig Signal) halt() string {
	switch {
	case sig.Held != "":
		return sig.Held
	case sig.Foreign != "":
		return "somebody else moved traffic: " + sig.Foreign
	case sig.Unasked != "":
		return sig.Unasked
	}
	return sig.Pause
}

// stopped: a first deployment failed. There is nothing to return to, so what
// stands is kept, and only another Start leads on.
func (s *State) stopped() bool {
	return s.Failed && s.Phase != Back && s.Phase != Idle
}

// pause says why the rollout does not go on; Idle and Back are never paused.
func (s *State) pause(halt string) {
	switch {
	case s.stopped():
		s.Paused, s.Halted = "stopped: "+s.Reason, true
	case s.Phase == Idle || s.Phase == Back:
		s.Paused, s.Halted = "", false // nothing stops a way back
	default:
		s.Paused, s.Halted = halt, halt != ""
	}
}

// danger is what ends this rollout, the surest first.
func (s *State) danger(sig Signal) (Return, string) {
	if s.Phase == Idle || s.stopped() {
		return "", ""
	}
	if s.Phase == Back {
		if sig.Rollback != "" && s.Next != nil {
			// The person wants stable, not the newer release.
			s.Next, s.Returned, s.Reason = nil, ByRollback, sig.Rollback
		}
		return "", ""
	}
	if sig.Rollback != "" && s.Stable.Digest != "" {
		return ByRollback, sig.Rollback
	}
	if s.Verdict == Fail {
		return ByVerdict, s.Reason
	}
	if sig.Switched != "" && s.Stable.Digest != "" {
		return BySwitch, sig.Switched
	}
	if sig.Abort != "" {
		return ByAbort, sig.Abort
	}
	if sig.Impossible != "" {
		return ByImpossible, sig.Impossible
	}
	if s.Unasked >= PolicyDeadline && s.Stable.Digest != "" {
		return ByUndecided, fmt.Sprintf("%s for %s", sig.Unasked, PolicyDeadline)
	}
	if why := s.refused(sig.Checks); why != "" {
		return ByCheck, why
	}
	return "", ""
}

// refused is which check failed, before the traffic or after it.
func (s *State) refused(checks []CheckDone) string {
	when := "post"
	switch {
	case s.Phase == Check:
		when = "pre"
	case s.Phase != Shift || !s.Asking:
		return ""
	}
	for _, c := range checks {
		if i := s.index(c.Ref); i >= 0 && !c.Passed && s.Functions[i].moving() {
			return fmt.Sprintf("%s: %s-traffic check failed: %s", c.Ref, when, c.Detail)
		}
	}
	return ""
}

// giveUp sends traffic back to stable. A first deployment has no stable: it
// stops where it is and keeps what stands.
func (s *State) giveUp(by Return, why string) {
	s.Failed = by != ByRollback && by != ByUndecided && by != BySuperseded && by != BySwitch
	s.Returned, s.Reason, s.Need = by, why, 0
	if s.Stable.Digest == "" {
		s.Paused, s.Halted = "stopped: "+why, true
		return
	}
	s.Phase, s.Paused, s.Halted = Back, "", false
	s.Reached, s.Weight, s.Asking = false, 0, false
}

// forward makes the one transition that what was seen allows.
func (s *State) forward(sig Signal) {
	if s.stopped() {
		return
	}
	switch s.Phase {
	case Expand:
		if sig.Ready && s.published() {
			s.Phase = Check
		}
	case Shift:
		s.shift(sig)
	case Connect:
		if sig.Ready {
			s.Phase = Contract
		}
	case Contract:
		if sig.Ready {
			s.finish()
		}
	case Back:
		s.back(sig)
	}
	if s.Phase == Check && s.checked() {
		s.enterShift()
	}
}

// back waits for traffic at stable, and then for the rest, unless a newer
// release waits: that one puts the rest in place itself.
func (s *State) back(sig Signal) {
	switch {
	case sig.Routed && s.Next != nil:
		s.begin(*s.Next)
	case sig.Routed && sig.Ready:
		s.finishBack()
	}
}

// published: every function's new version exists.
func (s *State) published() bool {
	for _, f := range s.Functions {
		if f.New == "" {
			return false
		}
	}
	return true
}

// checked: every new version may take traffic.
func (s *State) checked() bool {
	for _, f := range s.Functions {
		if f.moving() && !f.Checked {
			return false
		}
	}
	return true
}

// finish: the release is in force.
func (s *State) finish() {
	for i, f := range s.Functions {
		s.Functions[i] = Function{Ref: f.Ref, Alias: f.Alias, Stable: f.New, New: f.New}
	}
	s.end()
	s.Stable = record.Release{}
}

// finishBack: stable is in force again. Functions that stable did not have
// are no longer spoken of.
func (s *State) finishBack() {
	kept := s.Functions[:0]
	for _, f := range s.Functions {
		if f.Stable != "" {
			kept = append(kept, Function{Ref: f.Ref, Alias: f.Alias, Stable: f.Stable, New: f.Stable})
		}
	}
	s.Functions = kept
	s.Release, s.Stable = s.Stable, record.Release{}
	s.end()
}

// end leaves what an Idle state keeps: what is in force, and how it came.
func (s *State) end() {
	s.Phase, s.Done = Idle, true
	s.Stages, s.Stage, s.Weight, s.Reached, s.Since, s.Divided, s.Elapsed = nil, 0, 0, false, time.Time{}, time.Time{}, 0
	s.Paused, s.Halted, s.Need, s.Next, s.Asking, s.Measures = "", false, 0, nil, false, nil
}
