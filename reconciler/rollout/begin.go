package rollout

import (
	"cmp"
	"slices"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout/analysis"
	"mooring.dev/sources/manifest"
)

// start takes a release about to move and says whether the state became
// another one that this signal says nothing more about.
func (s *State) start(st Start) bool {
	same := st.Release.Digest == s.Release.Digest
	if same && s.stopped() && st.Retry {
		s.retry()
		return true
	}
	switch s.Phase {
	case Back:
		s.queue(st, same)
		return false
	case Idle:
		if same && !st.Retry {
			return false
		}
		s.begin(st)
	case Expand, Check:
		return s.replace(st, same)
	case Shift:
		if same {
			return false
		}
		if s.Stable.Digest == "" {
			s.begin(s.onto(st)) // a first deployment: what serves is the baseline
			return true
		}
		s.giveUp(BySuperseded, "superseded by "+name(st.Release))
		s.queue(st, same)
	default: // Connect, Contract: every stage was passed
		if same {
			return false
		}
		s.begin(s.onto(st))
	}
	return true
}

// queue remembers what comes once traffic is back. Stable itself comes by
// going back, and what just failed does not come at all.
func (s *State) queue(st Start, same bool) {
	switch {
	case st.Release.Digest == s.Stable.Digest:
		s.Next = nil
	case same && s.Failed:
	default:
		next := s.beside(st)
		s.Next = &next
	}
}

// replace begins another release before traffic moved: there is nothing to
// return but what was added, which the newer release prunes or stable does.
func (s *State) replace(st Start, same bool) bool {
	switch {
	case same:
		return false
	case st.Release.Digest == s.Stable.Digest && s.Stable.Digest != "":
		s.giveUp(BySuperseded, "superseded by "+name(st.Release))
	default:
		s.begin(s.beside(st))
	}
	return true
}

// retry tries a stopped first deployment again, from where it stopped.
func (s *State) retry() {
	s.Measures = nil
	s.Failed, s.Returned, s.Reason, s.Paused, s.Halted = false, "", "", "", false
	for i, f := range s.Functions {
		s.Functions[i] = Function{Ref: f.Ref, Alias: f.Alias, Stable: f.Stable, New: f.New, Probed: f.Probed, Longest: f.Longest,
			Checked: s.Analysis.PreTraffic == nil || s.Phase == Shift, Proved: s.Analysis.PostTraffic == nil, Evidence: analysis.Evidence{Measured: f.Measured}}
	}
	s.enterStage(s.Stage)
}

// beside makes a Start against the same baseline as the one that moves now.
func (s *State) beside(st Start) Start {
	return s.over(st, s.Stable, func(f Function) string { return f.Stable })
}

// onto makes a Start whose baseline is what serves now.
func (s *State) onto(st Start) Start {
	return s.over(st, s.Release, func(f Function) string { return f.New })
}

func (s *State) over(st Start, stable record.Release, version func(Function) string) Start {
	st.Stable, st.Functions = stable, slices.Clone(st.Functions)
	for i, f := range st.Functions {
		if known := s.index(f.Ref); known >= 0 {
			st.Functions[i].Stable = version(s.Functions[known])
		}
	}
	return st
}

// begin is a rollout's first state.
func (s *State) begin(st Start) {
	fresh := State{Release: st.Release, Phase: Expand, Cause: st.Cause, Stable: st.Stable,
		Analysis: settled(st.Rollout.Analysis), Blind: st.Blind, Tick: s.Tick}
	compared := false
	for _, f := range st.Functions {
		fresh.Functions = append(fresh.Functions, Function{Ref: f.Ref, Alias: f.Alias, Stable: f.Stable,
			New: f.New, Probed: f.Probed, Longest: f.Longest, Checked: f.Checked || st.Rollout.Analysis.PreTraffic == nil, Proved: st.Rollout.Analysis.PostTraffic == nil})
		compared = compared || f.Stable != "" && f.Alias != (manifest.Ref{})
	}
	slices.SortFunc(fresh.Functions, func(a, b Function) int { return a.Ref.Compare(b.Ref) })
	whole := st.Blind != "" || st.Stable.Digest == "" || !compared
	fresh.Stages = ladder(st.Rollout, whole)
	*s = fresh
}

// ladder is the stages traffic takes. It always ends at 100; whole keeps only
// that one, with its hold.
func ladder(r manifest.Rollout, whole bool) []manifest.Stage {
	stages := slices.Clone(r.Stages)
	for i := range stages {
		stages[i].Weight = max(1, min(100, stages[i].Weight))
	}
	if n := len(stages); n == 0 {
		stages = []manifest.Stage{{Weight: 100}}
	} else if stages[n-1].Weight != 100 {
		stages = append(stages, manifest.Stage{Weight: 100, Hold: stages[n-1].Hold})
	}
	if whole || r.Strategy == "allAtOnce" || r.Strategy == "blueGreen" {
		stages = stages[len(stages)-1:]
	}
	return stages
}

// settled fills in what was left out: everything, when nothing is said. No
// finite number of calls shows that two rates are equal, so the least
// tolerance is one call in a thousand.
func settled(a manifest.Analysis) manifest.Analysis {
	const leastTolerance = 0.001
	if a.Tolerance == 0 && a.MinSamples == 0 && a.FalseRollback == 0 && a.Confidence == 0 && a.MaxHold == 0 && a.OnUndecided == "" {
		a.Tolerance, a.MinSamples = 0.02, 50
	}
	a.Tolerance = max(a.Tolerance, leastTolerance)
	if a.FalseRollback <= 0 || a.FalseRollback >= 1 {
		a.FalseRollback = 0.01
	}
	if a.Confidence <= 0 || a.Confidence >= 1 {
		a.Confidence = 0.95
	}
	if a.MaxHold <= 0 {
		a.MaxHold = manifest.Duration(30 * time.Minute)
	}
	a.OnUndecided = cmp.Or(a.OnUndecided, "hold")
	return a
}

// name is how people know a release.
func name(r record.Release) string {
	const short = 12
	if len(r.Commit) > short {
		return r.Commit[:short]
	}
	if r.Commit != "" {
		return r.Commit
	}
	return r.Digest
}
