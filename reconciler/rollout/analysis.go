package rollout

import (
	"slices"
	"time"

	"mooring.dev/reconciler/rollout/analysis"
	"mooring.dev/sources/manifest"
)

// What the analysis counts and says, under this package's name.
type (
	Counts  = analysis.Counts
	Look    = analysis.Look
	Again   = analysis.Again
	Probed  = analysis.Probed
	Verdict = analysis.Verdict
)

// The verdicts on a stage.
const (
	Unjudged  = analysis.Unjudged
	Undecided = analysis.Undecided
	Pass      = analysis.Pass
	Fail      = analysis.Fail
)

// learn takes in what was seen of the new versions: their numbers, the
// results of their checks, and their calls.
func (s *State) learn(sig Signal) {
	s.hear(sig.Measures)
	switch s.Phase {
	case Expand:
		for i, f := range s.Functions {
			if v := sig.Versions[f.Ref]; v != "" {
				s.Functions[i].New = v
			}
		}
	case Check:
		for _, c := range sig.Checks {
			if i := s.index(c.Ref); i >= 0 && c.Passed {
				s.Functions[i].Checked = true
			}
		}
	case Shift, Connect, Contract:
		s.divide(sig)
		for _, c := range sig.Checks {
			// What was asked through an alias that somebody else moved is no proof.
			if i := s.index(c.Ref); i >= 0 && c.Passed && s.Asking && sig.Routed {
				s.Functions[i].Proved = true
			}
		}
		counted := false
		for _, look := range sig.Looks {
			if i := s.index(look.Ref); i >= 0 {
				counted = s.count(&s.Functions[i], look) || counted
			}
		}
		if counted {
			s.Looks++
		}
		s.hearProbes(sig.Probes)
	}
}

func (s *State) index(ref manifest.Ref) int {
	return slices.IndexFunc(s.Functions, func(f Function) bool { return f.Ref == ref })
}

// alone: no baseline runs beside this function's new version.
func (s *State) alone(f Function) bool {
	return f.Stable == "" || s.Phase != Shift || s.Weight >= 100
}

// count adds one look to a function's evidence; one that does not move has none.
func (s *State) count(f *Function, look Look) bool {
	if !f.shifts() {
		return false
	}
	return f.Count(look, s.setting(*f, look.Window.From), s.Analysis)
}

// hearProbes takes in what our own calls found while traffic moves.
func (s *State) hearProbes(rounds []Probed) {
	counted := false
	for _, round := range rounds {
		if i := s.index(round.Ref); i >= 0 && s.Phase == Shift && s.Functions[i].shifts() && s.Functions[i].Probed {
			f := &s.Functions[i]
			counted = f.CountProbes(round, s.setting(*f, round.At), s.Analysis) || counted
		}
	}
	if counted {
		s.Probes++
	}
}

// setting is the circumstances of a look at a function from a time on.
func (s *State) setting(f Function, from time.Time) analysis.Setting {
	in := analysis.Setting{Alone: s.alone(f), Weight: s.Weight, Longest: f.Longest, Now: s.Tick,
		Steady:  !s.Divided.IsZero() && !from.Before(s.Divided),
		Earlier: s.Since.IsZero() || from.Before(s.Since) || s.Weight != s.stage().Weight}
	for _, g := range s.Functions {
		if g.shifts() && g.Stable != "" {
			in.Among++
			if g.Probed {
				in.Among++
			}
		}
	}
	return in
}

// judge asks the analysis about all functions together.
func (s *State) judge() {
	switch s.Phase {
	case Shift, Connect, Contract:
	default:
		return
	}
	if s.stopped() {
		return
	}
	arms := s.arms()
	if why := analysis.Harm(arms, s.Analysis); why != "" {
		s.Verdict, s.Reason = Fail, why
		return
	}
	if why := s.alarmed(); why != "" {
		s.Verdict, s.Reason = Fail, why
		return
	}
	if s.Phase == Shift {
		j := analysis.Judge(arms, s.Analysis)
		s.Verdict, s.Reason, s.Need = j.Verdict, j.Reason, j.Need
		if why := s.unmeasured(); why != "" && j.Verdict == Pass {
			s.Verdict, s.Reason = Undecided, why
		}
	}
}

// arms are the functions whose traffic moves.
func (s *State) arms() []analysis.Arm {
	var arms []analysis.Arm
	for _, f := range s.Functions {
		if f.shifts() {
			arm := analysis.Arm{Evidence: f.Evidence, Ref: f.Ref, Stable: f.Stable, New: f.New, Weight: s.Weight,
				Untimed: f.Ref.Kind != manifest.KindFunction, Probed: f.Probed, Longest: f.Longest}
			if s.Phase != Shift {
				arm.Weight = 100
			}
			arms = append(arms, arm)
		}
	}
	return arms
}
