package rollout

import (
	"cmp"
	"slices"

	"mooring.dev/sources/manifest"
)

// Merge makes one ladder of several: a release moves in lockstep, so it stands
// at every weight that one of them names, for the longest hold named for it,
// and is judged as the most careful would be. Without any it is all at once.
func Merge(of ...manifest.Rollout) manifest.Rollout {
	if len(of) == 1 {
		return of[0]
	}
	out := manifest.Rollout{Strategy: manifest.AllAtOnce}
	for i, r := range of {
		for _, stage := range ladder(r, false) {
			out.Stages = withStage(out.Stages, stage)
		}
		if i == 0 {
			out.Analysis = r.Analysis
		} else {
			out.Analysis = stricter(out.Analysis, r.Analysis)
		}
	}
	if len(out.Stages) > 1 {
		out.Strategy = manifest.Custom
	}
	return out
}

// withStage adds a stage, or lengthens the hold of the one with its weight.
func withStage(stages []manifest.Stage, stage manifest.Stage) []manifest.Stage {
	i, found := slices.BinarySearchFunc(stages, stage, func(a, b manifest.Stage) int { return cmp.Compare(a.Weight, b.Weight) })
	if found {
		stages[i].Hold = max(stages[i].Hold, stage.Hold)
		return stages
	}
	return slices.Insert(stages, i, stage)
}

// stricter is what satisfies both.
func stricter(a, b manifest.Analysis) manifest.Analysis {
	a, b = settled(a), settled(b)
	careful := []string{"proceed", "hold", "rollback"}
	out := a
	out.FalseRollback, out.Tolerance = min(a.FalseRollback, b.FalseRollback), min(a.Tolerance, b.Tolerance)
	out.Confidence, out.MinSamples = max(a.Confidence, b.Confidence), max(a.MinSamples, b.MinSamples)
	if slices.Index(careful, b.OnUndecided) > slices.Index(careful, a.OnUndecided) {
		out.OnUndecided = b.OnUndecided
	}
	out.MaxHold = min(a.MaxHold, b.MaxHold)
	if out.OnUndecided == "proceed" {
		out.MaxHold = max(a.MaxHold, b.MaxHold)
	}
	// Whose checks and probes these are does not matter: each function is asked its own.
	out.PreTraffic, out.PostTraffic = cmp.Or(a.PreTraffic, b.PreTraffic), cmp.Or(a.PostTraffic, b.PostTraffic)
	out.Probe = cmp.Or(a.Probe, b.Probe)
	out.Metrics, out.Alarms = manifest.MergeMeasures(a.Metrics, b.Metrics), manifest.MergeAlarms(a.Alarms, b.Alarms)
	out.Latency = manifest.MergeLatency(a.Latency, b.Latency)
	return out
}
