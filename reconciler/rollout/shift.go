package rollout

import (
	"fmt"
	"slices"
	"time"

	"mooring.dev/sources/manifest"
)

// PolicyDeadline is how long traffic stays split while policy cannot be
// evaluated; then it goes back to stable.
const PolicyDeadline = 10 * time.Minute

// MaxTick is the most time one Advance may count for a stage. Whoever calls
// Advance less often than Wake says only makes a stage last longer.
const MaxTick = time.Minute

// tick counts the time since the last call, if all of it was observed: the
// weight was in place then and is now, and neither end is halted. A clock
// that went back counts nothing, one that jumped ahead at most one piece.
func (s *State) tick(sig Signal, now time.Time) {
	passed := now.Sub(s.Tick)
	first := s.Tick.IsZero()
	s.Tick = now
	if s.Phase != Shift || sig.Unasked == "" {
		s.Unasked = 0
	} else if !first && passed > 0 {
		s.Unasked += min(passed, MaxTick)
	}
	if first || passed <= 0 || s.Phase != Shift || !s.Reached || !sig.Routed || s.Halted || sig.halt() != "" {
		return
	}
	s.Elapsed += min(passed, s.piece())
}

// piece is the most one call may count: a quarter of the hold, so that no
// jump shortens a stage by more, but within a second and MaxTick.
func (s State) piece() time.Duration {
	hold := s.hold()
	if s.Elapsed >= hold {
		return MaxTick
	}
	return min(MaxTick, max(time.Second, hold/4), hold-s.Elapsed)
}

// Wake is how long after this Advance the next one is useful for time's sake;
// 0 when time alone moves nothing.
func (s State) Wake() time.Duration {
	if s.Phase != Shift || !s.Reached || s.Halted {
		return 0
	}
	return s.piece()
}

func (s State) hold() time.Duration { return time.Duration(s.stage().Hold) }

func (s State) stage() manifest.Stage {
	if s.Stage < 0 || s.Stage >= len(s.Stages) {
		return manifest.Stage{Weight: 100}
	}
	return s.Stages[s.Stage]
}

// enterShift begins the first stage, or passes over a release that moves no
// traffic.
func (s *State) enterShift() {
	for _, f := range s.Functions {
		if f.shifts() {
			s.Phase = Shift
			s.enterStage(0)
			return
		}
	}
	s.Phase, s.Weight = Connect, 100
}

// enterStage asks for a stage's weight; everything about the stage begins
// anew, what is known of the whole rollout stays.
func (s *State) enterStage(i int) {
	s.Stage, s.Weight = i, 0
	s.Reached, s.Since, s.Divided, s.Elapsed, s.Verdict, s.Need, s.Asking = false, time.Time{}, time.Time{}, 0, Unjudged, 0, false
	if s.Phase != Shift {
		return
	}
	s.Weight = s.stage().Weight
	for i := range s.Functions {
		s.Functions[i].NextStage()
	}
	for i := range s.Measures {
		s.Measures[i].Verdict = Unjudged
	}
}

// arrive notes that the weight was seen in place, whether or not the release may
// go on: from then on what is elsewhere was moved by somebody else.
func (s *State) arrive(sig Signal) {
	if s.Phase == Shift && !s.stopped() {
		s.Reached = s.Reached || sig.Routed
		if s.Reached && s.Since.IsZero() {
			s.Since = s.Tick
		}
	}
}

// shift stays in its stage or leaves it.
func (s *State) shift(sig Signal) {
	if s.Weight != s.stage().Weight {
		return // capped: this stage's weight was never in place
	}
	if !s.Reached || s.Elapsed < s.hold() {
		return
	}
	late := s.Elapsed >= max(s.hold(), time.Duration(s.Analysis.MaxHold))
	may := s.Verdict == Pass || sig.Advance || late && s.Analysis.OnUndecided == "proceed"
	waits := may && sig.Unadvanced != ""
	may = may && !waits
	s.Asking = may && s.Stage+1 >= len(s.Stages) && !s.proved()
	may = may && !s.Asking
	switch {
	case may && sig.Routed && s.awaits(sig):
	case may && sig.Routed:
		s.leaveStage()
	case waits && !late:
		s.Paused = sig.Unadvanced
	case may || !late:
	case s.Analysis.OnUndecided == "rollback":
		s.giveUp(ByUndecided, s.undecided(sig.Unadvanced))
	default:
		s.Paused = s.undecided(sig.Unadvanced)
	}
}

func (s *State) leaveStage() {
	left := Left{Weight: s.Weight, Held: s.Elapsed, Verdict: s.Verdict, Reason: s.Reason}
	for _, f := range s.Functions {
		left.Canary, left.Baseline = left.Canary.Plus(f.Canary), left.Baseline.Plus(f.Baseline)
		left.ProbedCanary, left.ProbedBaseline = left.ProbedCanary.Plus(f.Probe.Canary), left.ProbedBaseline.Plus(f.Probe.Baseline)
	}
	s.Left = append(slices.Clone(s.Left), left)
	if s.Stage+1 < len(s.Stages) {
		s.enterStage(s.Stage + 1)
		return
	}
	s.Phase, s.Weight, s.Reached, s.Need = Connect, 100, false, 0
}

// proved: every function passed its post-traffic check.
func (s *State) proved() bool {
	return !slices.ContainsFunc(s.Functions, func(f Function) bool { return f.shifts() && !f.Proved })
}

// undecided is why a stage is not left that lasts too long; unadvanced is why
// policy does not let it go on.
func (s *State) undecided(unadvanced string) string {
	if unadvanced != "" && s.Verdict == Pass {
		return "undecided: " + unadvanced
	}
	if s.Asking {
		return "undecided: no answer to the post-traffic check"
	}
	if why := s.unmeasured(); why != "" && s.Need == 0 {
		return "undecided: " + why
	}
	if s.Need == 0 && s.Reason != "" && slices.ContainsFunc(s.Functions, func(f Function) bool { return f.Longest > 0 }) {
		return "undecided: " + s.Reason
	}
	if s.Need > 0 {
		return fmt.Sprintf("undecided: needs about %d more calls", roughly(s.Need))
	}
	return "undecided: too little is known to say how many calls are missing"
}

// roughly rounds up to 1, 2 or 5 and noughts: the words should not change with
// every look. State.Need is the number itself.
func roughly(n int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		for _, step := range []int64{1, 2, 5} {
			if n <= step*unit {
				return step * unit
			}
		}
	}
}

// limit lowers the weight to policy's cap, and lets it come back up to the
// stage's (never above, and never while halted).
func (s *State) limit(sig Signal, halt string) {
	if s.Phase != Shift || s.stopped() {
		return
	}
	want := s.stage().Weight
	if sig.WeightCap > 0 && sig.WeightCap < want {
		want = sig.WeightCap
		if s.Paused == "" {
			s.Paused, s.Halted = fmt.Sprintf("policy caps the weight at %d%%", want), true
		}
	}
	if halt != "" && want > s.Weight {
		want = s.Weight
	}
	if want != s.Weight {
		s.Weight, s.Reached, s.Since, s.Divided, s.Asking = want, false, time.Time{}, time.Time{}, false
	}
}
