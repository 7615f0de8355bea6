package analysis

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// climb is a whole release: functions that move in lockstep through stages, each
// held at least five minutes and left once it passes, and at full traffic for ten.
type climb struct {
	trial            // of each function; its weight is the stage's
	worse    float64 // how many times as often the last function's new version fails
	latency  manifest.LatencyRules
	perRound int64 // probes a minute, which fail as calls do
	wilful   bool  // an adversary: see leaves
	// What the test of the bound holds against ours.
	alpha float64 // 0: the usual
	harm  func([]Arm, manifest.Analysis) string
	anew  bool // evidence of harm begins anew with each stage
}

// rungs are the weights of a release's stages.
var rungs = []int{5, 10, 25, 50, 100}

// ends is the minute in which the release is taken back, or in which it is in
// force; 0 where neither is after as many minutes. peeked is when a z-test at 1%, asked
// each minute of each function beside its baseline, takes it back; it is heard for an
// hour after ours.
func (c climb) ends(r *rand.Rand) (back, inForce, peeked int) {
	s := c.trial.state()
	s.rules.Latency, s.rules.FalseRollback = c.latency, cmp.Or(c.alpha, s.rules.FalseRollback)
	if c.harm == nil {
		c.harm = Harm
	}
	for i := range s.arms {
		s.arms[i].Probed = c.perRound > 0
	}
	stage, held := -1, 0
	enter := func() {
		stage, held = stage+1, 0
		for i := range s.arms {
			s.arms[i].Weight = rungs[stage]
			s.arms[i].NextStage()
			if c.anew {
				s.arms[i].LogE, s.arms[i].Stakes = 0, Stakes{}
			}
		}
	}
	enter()
	for minute := 1; minute <= c.minutes; minute++ {
		c.minute(r, &s, minute)
		held++
		if back == 0 && c.harm(s.arms, s.rules) != "" {
			back = minute
		}
		alone := s.arms[0].alone()
		for _, m := range s.arms {
			if peeked == 0 && !alone && zTest(m.Evidence) {
				peeked = minute
			}
		}
		switch {
		case back > 0:
			if peeked > 0 || minute >= back+60 {
				return back, 0, peeked
			}
		case alone && held >= 10:
			return 0, minute, peeked
		case !alone && held >= 5 && c.leaves(&s):
			enter()
		}
	}
	return back, 0, peeked
}

// leaves: the stage passes. An adversary who wants it back stays while what was
// seen speaks against it, and moves on as soon as it does not.
func (c climb) leaves(s *watch) bool {
	s.judge()
	return s.Verdict == Pass && (!c.wilful || s.arms[0].LogE < -0.5)
}

// minute lets calls and probes come in.
func (c climb) minute(r *rand.Rand, s *watch, minute int) {
	for i := range s.arms {
		m, rate := &s.arms[i], c.canary
		if i == len(s.arms)-1 && c.worse > 0 {
			rate *= c.worse
		}
		among := len(s.arms)
		if c.perRound > 0 {
			among *= 2
		}
		in := Setting{Alone: m.alone(), Among: among, Weight: m.Weight}
		n := binomial(r, c.perMinute, float64(m.Weight)/100)
		look := Look{Ref: m.Ref, Window: windowAt(minute),
			Canary:   providers.Sample{Known: true, Calls: n, Errors: binomial(r, n, rate)},
			Baseline: providers.Sample{Known: true, Calls: c.perMinute - n, Errors: binomial(r, c.perMinute-n, c.baseline)}}
		for _, rule := range c.latency {
			canary, baseline := m.Latency.Of(rule).Thresholds(rule)
			look.Canary.Latency = append(look.Canary.Latency, slowOf(r, n, rule.Percentile, 100*float64(time.Millisecond)*(1+rule.Tolerance), canary))
			look.Baseline.Latency = append(look.Baseline.Latency, slowOf(r, c.perMinute-n, rule.Percentile, 100*float64(time.Millisecond), baseline))
		}
		m.Count(look, in, s.rules)
		if c.perRound > 0 {
			at := noon.Add(time.Duration(minute)*time.Minute + 30*time.Second)
			m.CountProbes(Probed{Ref: m.Ref, At: at, Canary: Counts{Calls: c.perRound, Errors: binomial(r, c.perRound, rate)},
				Baseline: Counts{Calls: c.perRound, Errors: binomial(r, c.perRound, c.baseline)}}, in, s.rules)
		}
	}
}

// ladders: whole releases.
func ladders() figures {
	f := figures{runs: 1000, few: 6, head: "| Release | Baseline fails | Calls a minute of each | Mooring | In force | z-test each minute |\n|---|---|---|---|---|---|\n"}
	two := manifest.LatencyRules{{Percentile: 90, Tolerance: 0.25}, {Percentile: 99, Tolerance: 0.25}}
	add := func(kind string, same bool, c climb) {
		name := fmt.Sprintf("%s | %.1f %% | %d", kind, 100*c.baseline, c.perMinute)
		f.rows = append(f.rows, row{name, same, func(r *rand.Rand, runs int) []outcome {
			var back, inForce, peeked []int
			for range runs {
				b, i, p := c.ends(r)
				back, inForce, peeked = append(back, b), append(inForce, i), append(peeked, p)
			}
			return []outcome{outcomeOf(back), outcomeOf(inForce), outcomeOf(peeked)}
		}})
	}
	of := func(functions int, perMinute int64, rate float64) climb {
		return climb{trial: trial{functions: functions, perMinute: perMinute, canary: rate, baseline: rate, minutes: 480}}
	}
	for _, rate := range []float64{0.001, 0.01, 0.05, 0.2} {
		add("ten functions, all the same", true, of(10, 600, rate))
	}
	few := of(10, 60, 0.01)
	add("ten functions, all the same", true, few)
	few.perRound = 10
	add("the same, probed ten times a minute", true, few)
	slow := of(10, 600, 0.01)
	slow.latency = two
	add("the same, as slow as is allowed at p90 and p99", true, slow)
	wilful := of(10, 600, 0.01)
	wilful.wilful = true
	add("the same, stages left only while nothing speaks against", true, wilful)
	for _, worse := range []float64{2, 5, 10} {
		bad := of(10, 600, 0.01)
		bad.worse = worse
		add(fmt.Sprintf("one of ten %.0f× as bad", worse), false, bad)
	}
	return f
}

// The bound is of a whole release: ten functions that move in lockstep through five
// stages spend it together and once. With a fifth to spend it shows in few releases, and so
// does who spends it for each function, or for each stage.
func TestAReleaseSpendsItsChanceOnce(t *testing.T) {
	const alpha, runs = 0.2, 60
	each := func(arms []Arm, a manifest.Analysis) string {
		for _, m := range arms {
			if why := Harm([]Arm{m}, a); why != "" {
				return why
			}
		}
		return ""
	}
	for name, tc := range map[string]struct {
		harm func([]Arm, manifest.Analysis) string
		anew bool
		over bool
	}{"ours": {}, "each function for itself": {harm: each, over: true}, "each function, each stage": {harm: each, anew: true, over: true}} {
		c := climb{trial: trial{functions: 10, perMinute: 600, canary: 0.02, baseline: 0.02, minutes: 60}, alpha: alpha, harm: tc.harm, anew: tc.anew}
		r, back := seeded(47), 0
		for range runs {
			if minute, _, _ := c.ends(r); minute > 0 {
				back++
			}
		}
		t.Logf("%s: %d of %d good releases go back, where %.0f may", name, back, runs, alpha*runs)
		if over := float64(back) > alpha*runs; over != tc.over {
			t.Errorf("%s: %d of %d good releases go back", name, back, runs)
		}
	}
}
