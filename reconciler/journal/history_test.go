package journal

import (
	"testing"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// A stage that is left is told with what was seen in it, the daemon's own calls
// apart from users'.
func TestHistoryTellsHowAStageWasLeft(t *testing.T) {
	was := rollout.State{Release: record.Release{Commit: "commit2", Digest: "d2"}, Phase: rollout.Shift, Weight: 10, Reached: true,
		Stages: []manifest.Stage{{Weight: 10}, {Weight: 100}}}
	left := rollout.Left{Weight: 10, Held: 301 * time.Second, Verdict: rollout.Pass, Canary: rollout.Counts{Calls: 3}, Baseline: rollout.Counts{Calls: 30, Errors: 1}}
	for want, l := range map[string]rollout.Left{
		"commit2: stage 1 of 2 at 10% is left after 5m1s, pass: 0 of 3 calls failed, beside it 1 of 30": left,
		"commit2: stage 1 of 2 at 10% is left after 5m1s, pass: 0 of 3 calls failed, beside it 1 of 30; 1 of 90 probes failed, beside it 0 of 90": func() rollout.Left {
			l := left
			l.ProbedCanary, l.ProbedBaseline = rollout.Counts{Calls: 90, Errors: 1}, rollout.Counts{Calls: 90}
			return l
		}(),
	} {
		is := was
		is.Stage, is.Weight, is.Reached, is.Left = 1, 100, false, []rollout.Left{l}
		if got := rolloutLine(was, is); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
