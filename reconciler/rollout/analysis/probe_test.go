package analysis

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mooring.dev/providers"
)

// drill is a stage whose functions are probed, with as many of users' calls
// as the trial says.
type drill struct {
	trial
	perRound         int64   // probes
	canary, baseline float64 // their failure rates
}

func (dr drill) state() watch {
	s := dr.trial.state()
	for i := range s.arms {
		s.arms[i].Probed = true
	}
	return s
}

// round is one round of probes of every function, half a minute after a look.
func (dr drill) round(r *rand.Rand, s *watch, minute int) {
	for i := range s.arms {
		m := &s.arms[i]
		m.CountProbes(Probed{Ref: m.Ref, At: noon.Add(time.Duration(minute)*time.Minute + 30*time.Second),
			Canary:   Counts{Calls: dr.perRound, Errors: binomial(r, dr.perRound, dr.canary)},
			Baseline: Counts{Calls: dr.perRound, Errors: binomial(r, dr.perRound, dr.baseline)}},
			Setting{Alone: m.alone(), Among: 2 * len(s.arms), Weight: m.Weight}, s.rules)
	}
}

// ends is the minute in which the stage has this verdict, or 0.
func (dr drill) ends(r *rand.Rand, verdict Verdict) (minute int, s watch) {
	s = dr.state()
	for minute := range dr.minutes {
		dr.round(r, &s, minute)
		s.learn(dr.looks(r, s, minute))
		if verdict == Fail && Harm(s.arms, s.rules) == "" {
			continue // the rest of what is judged says nothing of that
		}
		if s.judge(); s.Verdict == verdict {
			return minute + 1, s
		}
	}
	return 0, s
}

// silent are looks at a function nobody calls, as a platform shows them that
// cannot tell none from not heard of.
func silent(m Arm, minute int) Look {
	from := noon.Add(time.Duration(minute) * time.Minute)
	return Look{Ref: m.Ref, Window: providers.Window{From: from, To: from.Add(time.Minute)},
		Canary: providers.Sample{Silent: true}, Baseline: providers.Sample{Silent: true}}
}

// With probes beside users' calls the bound on false rollbacks holds, whatever
// the event fails at, and however many functions are probed.
func TestProbesKeepTheBound(t *testing.T) {
	for name, dr := range map[string]drill{
		"nobody calls":               {trial{weight: 10}, 10, 0.02, 0.02},
		"nobody calls, one a minute": {trial{weight: 10}, 1, 0.05, 0.05},
		"an event that mostly fails": {trial{weight: 10}, 10, 0.9, 0.9},
		"an event unlike users'":     {trial{perMinute: 60, canary: 0.001, baseline: 0.001, weight: 10}, 10, 0.3, 0.3},
		"some calls":                 {trial{perMinute: 60, canary: 0.05, baseline: 0.05, weight: 10}, 10, 0.05, 0.05},
		"five functions":             {trial{perMinute: 30, canary: 0.02, baseline: 0.02, weight: 10, functions: 5}, 4, 0.05, 0.05},
		"better than the baseline":   {trial{perMinute: 60, canary: 0.01, baseline: 0.05, weight: 10}, 10, 0.01, 0.2},
	} {
		dr.minutes = 60
		r, failed := seeded(29), 0
		const runs = 300
		for range runs {
			if minute, _ := dr.ends(r, Fail); minute > 0 {
				failed++
			}
		}
		t.Logf("%s: %.2f%% false rollbacks", name, 100*float64(failed)/runs)
		if share := float64(failed) / runs; share > 0.01 {
			t.Errorf("%s: %.2f%% false rollbacks", name, 100*share)
		}
	}
}

// The measurement is not blind: probes that are counted among users' calls take
// good versions back, because the event fails more often than users' calls do.
func TestProbesMixedWithCallsAreSeen(t *testing.T) {
	dr := drill{trial{perMinute: 60, canary: 0.001, baseline: 0.001, weight: 10}, 10, 0.3, 0.3}
	r, failed := seeded(31), 0
	const runs = 100
	for range runs {
		s := dr.trial.state()
		for minute := range 60 {
			looks := dr.looks(r, s, minute)
			for i := range looks {
				for _, of := range []*providers.Sample{&looks[i].Canary, &looks[i].Baseline} {
					of.Calls, of.Errors = of.Calls+dr.perRound, of.Errors+binomial(r, dr.perRound, dr.canary)
				}
			}
			if ours(&s, looks) {
				failed++
				break
			}
		}
	}
	if share := float64(failed) / runs; share < 0.5 {
		t.Errorf("only %.0f%% false rollbacks where probes are mixed in: the measurement is blind", 100*share)
	}
}

// Without one user's call, a version that fails the probes goes back within so
// many, and one that does not passes.
func TestProbesAloneDecide(t *testing.T) {
	for _, tc := range []struct {
		canary, baseline float64
		probes           int64 // of each version at most, in nine of ten runs
	}{{1, 0, 7}, {1, 0.01, 7}, {0.5, 0, 30}, {0.2, 0.01, 130}} {
		r := seeded(37)
		var took []int64
		for range 300 {
			dr := drill{trial{weight: 10}, 1, tc.canary, tc.baseline}
			s := dr.state()
			for minute := 0; s.Verdict != Fail && minute < 1000; minute++ {
				dr.round(r, &s, minute)
				s.judge()
			}
			took = append(took, s.arms[0].Probe.Canary.Calls)
		}
		slices.Sort(took)
		t.Logf("%.0f%% beside %.0f%%: back after %d probes (median), %d in nine of ten runs", 100*tc.canary, 100*tc.baseline, took[len(took)/2], took[len(took)*9/10])
		if late := took[len(took)*9/10]; late > tc.probes {
			t.Errorf("%.0f%% beside %.0f%%: back after %d probes, want %d", 100*tc.canary, 100*tc.baseline, late, tc.probes)
		}
	}
	for _, rate := range []float64{0, 0.01} {
		dr := drill{trial{weight: 10, minutes: 120}, 10, rate, rate}
		r, passed := seeded(41), 0
		for range 100 {
			if minute, _ := dr.ends(r, Pass); minute > 0 {
				passed++
			}
		}
		if passed < 80 { // nine of ten in the long run
			t.Errorf("%d of 100 good versions pass by probes that fail at %.0f%%", passed, 100*rate)
		}
	}
}

// A version that is worse by more than the tolerance, for users and probes
// alike, passes no more stages than it may.
func TestProbesPassNoHarm(t *testing.T) {
	for _, base := range []float64{0.001, 0.05} {
		dr := drill{trial{perMinute: 200, canary: base + 0.0201, baseline: base, weight: 10, minutes: 60}, 10, base + 0.0201, base}
		r, passed := seeded(43), 0
		const runs = 300
		for range runs {
			if minute, _ := dr.ends(r, Pass); minute > 0 {
				passed++
			}
		}
		if share := float64(passed) / runs; share > 0.05 {
			t.Errorf("base %.1f%%: %.1f%% of versions at the tolerance's edge pass", 100*base, 100*share)
		}
	}
}

// Probes pass a stage only in the place of calls that are known to be few and
// harmless: not while users' calls are unknown, not beside a baseline whose calls
// say that there must be some, and not against what users meet.
func TestProbesVouchForNobodyUnseen(t *testing.T) {
	rules := usual
	good := func(m *Arm, until int) {
		for minute := range until {
			at := noon.Add(time.Duration(minute)*time.Minute + 30*time.Second)
			m.CountProbes(Probed{Ref: m.Ref, At: at, Canary: Counts{Calls: 10}, Baseline: Counts{Calls: 10}}, Setting{Among: 2, Weight: 10}, rules)
		}
	}
	for name, tc := range map[string]struct {
		look func(Arm, int) (Look, bool)
		pass bool
	}{
		"nobody calls":      {func(m Arm, i int) (Look, bool) { return silent(m, i), true }, true},
		"no answer":         {func(Arm, int) (Look, bool) { return Look{}, false }, false},
		"answers that stop": {func(m Arm, i int) (Look, bool) { return silent(m, i), i < 3 }, false},
		"unknown": {func(m Arm, i int) (Look, bool) {
			l := silent(m, i)
			l.Canary.Silent = false
			return l, true
		}, false},
		"few calls beside it": {func(m Arm, i int) (Look, bool) {
			l := silent(m, i)
			l.Baseline = providers.Sample{Known: true, Calls: 5}
			return l, true
		}, true},
		"many calls beside it": {func(m Arm, i int) (Look, bool) {
			l := silent(m, i)
			l.Baseline = providers.Sample{Known: true, Calls: 500}
			return l, true
		}, false},
		"users' calls fail": {func(m Arm, i int) (Look, bool) {
			l := silent(m, i)
			if i < 4 {
				l.Canary, l.Baseline = providers.Sample{Known: true, Calls: 1, Errors: int64(i % 2)}, providers.Sample{Known: true, Calls: 9}
			}
			return l, true
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := Arm{Ref: fn("f"), Stable: "1", New: "2", Weight: 10, Probed: true}
			good(&m, 60)
			for minute := range 60 {
				if look, ok := tc.look(m, minute); ok {
					m.Count(look, Setting{Among: 2, Weight: 10}, rules)
				}
			}
			got := Judge([]Arm{m}, rules)
			if (got.Verdict == Pass) != tc.pass || got.Verdict == Fail {
				t.Errorf("%s: %s", got.Verdict, got.Reason)
			}
			m.NextStage()
			if got := Judge([]Arm{m}, rules); got.Verdict == Pass {
				t.Error("the probes of one stage pass the next")
			}
		})
	}
}

// A round counts once, and only what is possible.
func TestRoundsCountOnce(t *testing.T) {
	var e Evidence
	in := Setting{Among: 2, Weight: 10}
	round := Probed{At: noon, Canary: Counts{Calls: 3}, Baseline: Counts{Calls: 3}}
	if !e.CountProbes(round, in, usual) || e.CountProbes(round, in, usual) || e.Probe.Canary.Calls != 3 {
		t.Errorf("one round twice: %+v", e.Probe)
	}
	round.At = noon.Add(time.Minute)
	for _, c := range []Counts{{}, {Calls: 1, Errors: 2}, {Calls: -1}, {Calls: 1, Errors: -1}} {
		if round.Canary = c; e.CountProbes(round, in, usual) {
			t.Errorf("%+v is counted", c)
		}
	}
	if e.Canary != (Counts{}) || e.Staged != (Counts{}) {
		t.Errorf("probes are among users' calls: %+v", e)
	}
}
