package rollout

import (
	"fmt"
	"slices"
	"time"

	"mooring.dev/reconciler/rollout/analysis"
)

// Prompt is how long a call may run and still be told in time.
const Prompt = analysis.Prompt

// lost is how long a window whose calls are not known keeps a stage from being
// left; then it is taken for lost.
const lost = 5 * time.Minute

// divide notes since when traffic is known to be divided as this stage wants,
// which calls that run long are judged by. A hand in between begins it anew.
func (s *State) divide(sig Signal) {
	switch {
	case s.Phase != Shift || !slices.ContainsFunc(s.Functions, func(f Function) bool { return f.Longest > 0 }):
	case !sig.Routed || sig.Foreign != "":
		s.Divided = time.Time{}
	case s.Divided.IsZero():
		s.Divided = s.Tick
	}
}

// awaits: the stage may be left, but for windows that are not known yet; Reason says
// which. Policy that says go on is waited for no longer.
func (s *State) awaits(sig Signal) bool {
	if sig.Advance {
		return false
	}
	why := s.unknown(sig.Due)
	if why == "" && s.Stage+1 >= len(s.Stages) {
		why = s.running()
	}
	if why != "" {
		s.Reason = why
	}
	return why != ""
}

// unknown is whose calls of this stage are not known, though they could be by now;
// "" where all are, or are taken for lost.
func (s *State) unknown(due time.Time) string {
	for _, f := range s.Functions {
		from := f.Answered
		if from.Before(s.Since) {
			from = s.Since
		}
		if f.shifts() && from.Before(due) && due.Sub(from) < lost {
			return fmt.Sprintf("%s: calls since %s are not known yet; they are waited for until %s", f.Ref, clock(from), clock(from.Add(lost)))
		}
	}
	return ""
}

// running is what the end of the release waits for while calls of the time in which
// traffic was divided may still run, or "".
func (s *State) running() string {
	why, last := "", time.Time{}
	for _, f := range s.Functions {
		minutes, until := f.Settled.Awaited(f.Longest, s.Tick)
		if f.Longest > 0 && minutes > 0 && until.After(last) {
			last = until
			why = fmt.Sprintf("%s: minutes with both versions (%d) are not complete until %s: calls may run %s", f.Ref, minutes, clock(until), f.Longest)
		}
	}
	return why
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
