package rollout

import (
	"fmt"
	"math"
	"slices"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// learn takes in what was seen of the new versions: their numbers, the
// results of their checks, and their calls.
func (s *State) learn(sig Signal) {
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

// count adds one look to a function's evidence, once: a window that overlaps
// what was counted, a sample nobody could give, and a function that does not
// move add nothing.
func (s *State) count(f *Function, look Look) bool {
	w := look.Window
	if !f.shifts() || !w.To.After(w.From) || w.From.Before(f.Measured) || !known(look.Canary) {
		return false
	}
	alone := s.alone(*f)
	if !known(look.Baseline) {
		if !alone {
			return false
		}
		look.Baseline = providers.Sample{}
	}
	f.Measured = w.To
	canary, baseline := counts(look.Canary), counts(look.Baseline)
	if alone {
		f.Solo, f.Run = f.Solo.plus(canary), f.Run.plus(canary)
		if 2*f.Run.failures() <= f.Run.trials() {
			f.Run = Counts{}
		}
	}
	before := pair{canary: f.Canary, baseline: f.Baseline}
	now := pair{canary: canary, baseline: baseline}
	f.LogE = bounded(f.LogE + harmEvidence(before, now))
	f.LogSafe = bounded(f.LogSafe + safeEvidence(before, now, s.Analysis.Tolerance))
	f.Canary, f.Baseline = f.Canary.plus(canary), f.Baseline.plus(baseline)
	f.Staged = f.Staged.plus(canary)
	if !alone {
		s.guard(f)
	}
	return true
}

// known samples are complete and possible.
func known(s providers.Sample) bool {
	return s.Known && s.Calls >= 0 && s.Errors >= 0 && s.Throttles >= 0
}

func counts(s providers.Sample) Counts {
	return Counts{Calls: s.Calls, Errors: min(s.Errors, s.Calls), Throttles: s.Throttles}
}

func (c Counts) plus(d Counts) Counts {
	return Counts{Calls: c.Calls + d.Calls, Errors: c.Errors + d.Errors, Throttles: c.Throttles + d.Throttles}
}

// trials and failures: a throttled call is one that was wanted and failed.
// Platforms count it apart from calls, so it is added to both.
func (c Counts) trials() int64   { return c.Calls + c.Throttles }
func (c Counts) failures() int64 { return c.Errors + c.Throttles }

// bounded keeps evidence within what JSON and exp can hold.
func bounded(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return math.Max(-600, math.Min(600, x))
}

// judge puts the evidence of all functions together: one failing fails the
// release, all passing pass the stage.
func (s *State) judge() {
	switch s.Phase {
	case Shift, Connect, Contract:
	default:
		return
	}
	if s.stopped() {
		return
	}
	if why := s.harmed(); why != "" {
		s.Verdict, s.Reason = Fail, why
		return
	}
	if s.Phase == Shift {
		s.judgeStage()
	}
}

// judgeStage says Pass when every function has evidence of no harm in this
// stage, and how many calls are missing when not.
func (s *State) judgeStage() {
	s.Verdict, s.Need, s.Reason = Pass, 0, ""
	unknown := false
	for _, f := range s.Functions {
		if !f.shifts() || s.alone(f) || s.safe(f) {
			continue
		}
		if s.Verdict == Pass {
			s.Reason = fmt.Sprintf("%s: no evidence yet of no harm (%d of %d calls failed, beside it %d of %d)", f.Ref,
				f.Canary.failures(), f.Canary.trials(), f.Baseline.failures(), f.Baseline.trials())
		}
		s.Verdict = Undecided
		need := s.need(f)
		unknown = unknown || need == 0
		s.Need = max(s.Need, need)
	}
	if unknown {
		s.Need = 0
	}
	if s.Verdict == Undecided && !s.looked() {
		s.Verdict = Unjudged
	}
	if s.Verdict == Pass && !s.compared() {
		s.Reason = "nothing runs beside it to compare with"
	}
}

// looked: some call of a new version was counted in this stage.
func (s *State) looked() bool {
	return slices.ContainsFunc(s.Functions, func(f Function) bool { return f.Staged.trials() > 0 })
}

// compared: some function has a baseline beside it.
func (s *State) compared() bool {
	return slices.ContainsFunc(s.Functions, func(f Function) bool { return f.shifts() && !s.alone(f) })
}

func (s *State) safe(f Function) bool {
	return f.Staged.trials() >= int64(s.Analysis.MinSamples) && f.LogSafe >= -math.Log(1-s.Analysis.Confidence)
}
