package analysis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// watch is a release looked at.
type watch struct {
	Judgement
	arms  []Arm
	rules manifest.Analysis
}

func (s *watch) learn(looks []Look) {
	for _, look := range looks {
		for i := range s.arms {
			if m := &s.arms[i]; m.Ref == look.Ref {
				m.Count(look, Setting{Alone: m.alone(), Among: len(s.arms)}, s.rules)
			}
		}
	}
}

func (s *watch) judge() { s.Judgement = Judge(s.arms, s.rules) }

var (
	usual = manifest.Analysis{FalseRollback: 0.01, Tolerance: 0.02, Confidence: 0.95, MinSamples: 50}
	noon  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
)

func fn(name string) manifest.Ref { return manifest.Ref{Kind: manifest.KindFunction, Name: name} }

// rule decides after each look whether the release fails. Mutants of ours are
// rules too.
type rule func(*watch, []Look) bool

// ours is the rule of this package.
func ours(s *watch, looks []Look) bool {
	s.learn(looks)
	s.judge()
	return s.Verdict == Fail
}

// fails is its half that says whether it is harm, which is all that Fail rests on.
func fails(s *watch, looks []Look) bool {
	s.learn(looks)
	return Harm(s.arms, s.rules) != ""
}

// ignoresBaseline is an alarm on the canary alone: one call in twenty failed.
func ignoresBaseline(s *watch, looks []Look) bool {
	s.learn(looks)
	c := s.arms[0].Canary
	return c.Trials() >= 50 && float64(c.Failures()) > 0.05*float64(c.Trials())
}

// peeks is a z-test at 1%, asked after every look.
func peeks(s *watch, looks []Look) bool {
	s.learn(looks)
	c, b := s.arms[0].Canary, s.arms[0].Baseline
	nc, nb := float64(c.Trials()), float64(b.Trials())
	pc, pb := float64(c.Failures())/nc, float64(b.Failures())/nb
	p := float64(c.Failures()+b.Failures()) / (nc + nb)
	return (pc-pb)/math.Sqrt(p*(1-p)*(1/nc+1/nb)) > 2.326
}

// forgetsPast starts its evidence anew each look and asks for log(1/α) once:
// the best look of sixty decides.
func forgetsPast(s *watch, looks []Look) bool {
	bar := -math.Log(s.rules.FalseRollback) / 3
	for i := range s.arms {
		s.arms[i].LogE, s.arms[i].Stakes = 0, Stakes{}
	}
	s.learn(looks)
	return s.arms[0].LogE > bar
}

// trial is one simulated stage.
type trial struct {
	perMinute        int64   // calls of both versions
	canary, baseline float64 // failure rates
	weight           int
	functions        int
	wave             bool // the rate both share doubles and halves with the hour
	minutes          int
}

func (tr trial) state() watch {
	s := watch{rules: usual}
	for i := range max(1, tr.functions) {
		s.arms = append(s.arms, Arm{Ref: fn(fmt.Sprint("f", i)), Stable: "1", New: "2", Weight: tr.weight})
	}
	return s
}

// fails is the minute in which the rule fails the release, or 0.
func (tr trial) fails(r *rand.Rand, judge rule) int {
	s := tr.state()
	for minute := range tr.minutes {
		if judge(&s, tr.looks(r, s, minute)) {
			return minute + 1
		}
	}
	return 0
}

func (tr trial) looks(r *rand.Rand, s watch, minute int) []Look {
	factor := 1.0
	if tr.wave {
		factor = math.Exp2(math.Sin(float64(minute) / 5))
	}
	from := noon.Add(time.Duration(minute) * time.Minute)
	var looks []Look
	for _, f := range s.arms {
		n := binomial(r, tr.perMinute, float64(tr.weight)/100)
		looks = append(looks, Look{Ref: f.Ref, Window: providers.Window{From: from, To: from.Add(time.Minute)},
			Canary:   providers.Sample{Known: true, Calls: n, Errors: binomial(r, n, factor*tr.canary)},
			Baseline: providers.Sample{Known: true, Calls: tr.perMinute - n, Errors: binomial(r, tr.perMinute-n, factor*tr.baseline)}})
	}
	return looks
}

// falseRollbacks is the share of identical versions that a rule fails within
// an hour of looks.
func falseRollbacks(tr trial, judge rule, runs int) float64 {
	r, failed := seeded(7), 0
	tr.minutes = 60
	for range runs {
		if tr.fails(r, judge) > 0 {
			failed++
		}
	}
	return float64(failed) / float64(runs)
}

func TestFalseRollbacks(t *testing.T) {
	const runs = 800
	for _, perMinute := range []int64{60, 600, 6000} {
		for _, rate := range []float64{0.001, 0.01, 0.05, 0.5} {
			if perMinute == 6000 && rate > 0.1 {
				continue // slow, and no different
			}
			tr := trial{perMinute: perMinute, canary: rate, baseline: rate, weight: 10}
			if got := falseRollbacks(tr, fails, runs); got > 0.01 {
				t.Errorf("%d calls a minute at %.1f%%: %.2f%% false rollbacks", perMinute, 100*rate, 100*got)
			} else {
				t.Logf("%5d calls/min, base %5.1f%%: %.2f%% false rollbacks", perMinute, 100*rate, 100*got)
			}
		}
	}
	for name, tr := range map[string]trial{
		"ten functions":        {perMinute: 100, canary: 0.02, baseline: 0.02, weight: 10, functions: 10},
		"half of the traffic":  {perMinute: 600, canary: 0.02, baseline: 0.02, weight: 50},
		"rate that moves":      {perMinute: 600, canary: 0.1, baseline: 0.1, weight: 10, wave: true},
		"better than baseline": {perMinute: 600, canary: 0.02, baseline: 0.1, weight: 10},
		"red baseline":         {perMinute: 60, canary: 0.95, baseline: 0.95, weight: 10},
	} {
		if got := falseRollbacks(tr, fails, 500); got > 0.01 {
			t.Errorf("%s: %.2f%% false rollbacks", name, 100*got)
		}
	}
}

// The measurement above catches rules that are wrong: each of these must be
// far over the budget somewhere.
func TestFalseRollbacksCatchesMutants(t *testing.T) {
	for name, mutant := range map[string]rule{"ignores the baseline": ignoresBaseline, "peeks with a z-test": peeks, "forgets the past": forgetsPast} {
		worst := 0.0
		for _, rate := range []float64{0.01, 0.05} {
			worst = max(worst, falseRollbacks(trial{perMinute: 600, canary: rate, baseline: rate, weight: 10}, mutant, 300))
		}
		if worst < 0.03 {
			t.Errorf("%s: %.1f%% false rollbacks look fine: the measurement is blind", name, 100*worst)
		}
	}
}

// How soon harm is seen. The bounds are loose; the table is for people.
func TestDetection(t *testing.T) {
	for _, tc := range []struct {
		perMinute        int64
		baseline, canary float64
		median           int // at most, in minutes
	}{
		{600, 0.001, 0.01, 15}, {600, 0.001, 0.05, 4}, {600, 0.01, 0.05, 6}, {600, 0.001, 1, 1},
		{60, 0.001, 0.05, 20}, {60, 0.01, 0.05, 40}, {60, 0.001, 1, 2}, {60, 0.3, 1, 5}, {6000, 0.001, 0.005, 6},
	} {
		tr := trial{perMinute: tc.perMinute, canary: tc.canary, baseline: tc.baseline, weight: 10, minutes: 60}
		r := seeded(11)
		var when []int
		for range 300 {
			if minute := tr.fails(r, fails); minute > 0 {
				when = append(when, minute)
			} else {
				when = append(when, math.MaxInt32)
			}
		}
		slices.Sort(when)
		median, late := when[len(when)/2], when[len(when)*9/10]
		t.Logf("%5d calls/min, %5.1f%% -> %5.1f%%: median %s, 90%% within %s minutes", tc.perMinute, 100*tc.baseline, 100*tc.canary, minutes(median), minutes(late))
		if median > tc.median {
			t.Errorf("%d calls a minute, %.1f%% to %.1f%%: median %d minutes, want %d", tc.perMinute, 100*tc.baseline, 100*tc.canary, median, tc.median)
		}
	}
}

func minutes(n int) string {
	if n == math.MaxInt32 {
		return "over 60"
	}
	return fmt.Sprint(n)
}

// A version that is worse by more than the tolerance passes a stage in at most
// 1-confidence of all stages, however long and often it is looked at; a good
// one passes soon.
func TestPasses(t *testing.T) {
	passes := func(tr trial, runs int) (share float64, calls int64) {
		r := seeded(13)
		passed := 0
		var spent []int64
		for range runs {
			s := tr.state()
			for minute := range tr.minutes {
				s.learn(tr.looks(r, s, minute))
				if s.judge(); s.Verdict == Pass {
					passed++
					spent = append(spent, s.arms[0].Canary.Calls)
					break
				}
			}
		}
		slices.Sort(spent)
		if len(spent) > 0 {
			calls = spent[len(spent)/2]
		}
		return float64(passed) / float64(runs), calls
	}
	for _, base := range []float64{0.0005, 0.01, 0.05, 0.2} {
		bad := trial{perMinute: 600, canary: base + 0.0201, baseline: base, weight: 10, minutes: 60}
		if share, _ := passes(bad, 1000); share > 0.05 {
			t.Errorf("base %.2f%%: %.1f%% of versions at the tolerance's edge pass", 100*base, 100*share)
		}
		good := trial{perMinute: 600, canary: base, baseline: base, weight: 10, minutes: 240}
		share, calls := passes(good, 200)
		t.Logf("base %.2f%%: %.0f%% of equal versions pass within 4 hours, after %d canary calls (median)", 100*base, 100*share, calls)
		if share < 0.95 {
			t.Errorf("base %.2f%%: only %.0f%% of equal versions pass", 100*base, 100*share)
		}
	}
}

// What "needs about N more calls" says is about what it takes.
func TestNeed(t *testing.T) {
	tr := trial{perMinute: 600, canary: 0.01, baseline: 0.01, weight: 10, minutes: 240}
	r := seeded(17)
	var ratios []float64
	for range 100 {
		s := tr.state()
		said, saidAt := int64(0), int64(0)
		for minute := range tr.minutes {
			s.learn(tr.looks(r, s, minute))
			s.judge()
			if minute == 1 {
				said, saidAt = s.Need, s.arms[0].Canary.Calls
			}
			if s.Verdict == Pass {
				ratios = append(ratios, float64(said)/float64(max(1, s.arms[0].Canary.Calls-saidAt)))
				break
			}
		}
	}
	slices.Sort(ratios)
	if median := ratios[len(ratios)/2]; median < 0.3 || median > 3 {
		t.Errorf("the estimate is %.2f times what it took (median)", median)
	}
}

// Harm that begins late, after hours of good calls, is seen as well.
func TestLateHarm(t *testing.T) {
	r := seeded(19)
	good := trial{perMinute: 600, canary: 0.002, baseline: 0.002, weight: 10}
	bad := trial{perMinute: 600, canary: 0.2, baseline: 0.002, weight: 10}
	s := good.state()
	for minute := range 180 {
		if ours(&s, good.looks(r, s, minute)) {
			t.Fatal("false alarm")
		}
	}
	for minute := range 20 {
		if ours(&s, bad.looks(r, s, 180+minute)) {
			t.Logf("seen after %d minutes", minute+1)
			return
		}
	}
	t.Errorf("a version that fails 20%% after three good hours is not seen: log evidence %.1f", s.arms[0].LogE)
}
