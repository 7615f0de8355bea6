package rollout

import (
	"slices"

	"mooring.dev/reconciler/rollout/analysis"
	"mooring.dev/sources/manifest"
)

// What the analysis counts and says, under this package's name.
type (
	Counts  = analysis.Counts
	Look    = analysis.Look
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
	in := analysis.Setting{Alone: s.alone(*f)}
	for _, g := range s.Functions {
		if g.shifts() && g.Stable != "" {
			in.Among++
		}
	}
	return f.Count(look, in, s.Analysis)
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
				Untimed: f.Ref.Kind != manifest.KindFunction}
			if s.Phase != Shift {
				arm.Weight = 100
			}
			arms = append(arms, arm)
		}
	}
	return arms
}
