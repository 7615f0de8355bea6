package analysis

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

var (
	ninetieth = manifest.LatencyRule{Percentile: 90, Tolerance: 0.25}
	timed     = manifest.Analysis{FalseRollback: 0.01, Tolerance: 0.02, Confidence: 0.95, MinSamples: 50, Latency: manifest.LatencyRules{ninetieth}}
)

// clocked is one simulated hour of calls that all succeed: durations are
// log-normal around 100 ms, the new version's times slower.
type clocked struct {
	perMinute int // calls of both versions, a tenth of them on the new one
	slower    float64
	wave      bool // both become slower and faster with the hour
}

func (c clocked) look(r *rand.Rand, m Arm, minute int) Look {
	scale := float64(100 * time.Millisecond)
	if c.wave {
		scale *= math.Exp2(math.Sin(float64(minute) / 5))
	}
	above, beside := m.Latency.Of(ninetieth).Thresholds(ninetieth)
	return Look{Ref: m.Ref, Window: windowAt(minute),
		Canary:   took(r, c.perMinute/10, scale*c.slower, above),
		Baseline: took(r, c.perMinute-c.perMinute/10, scale, beside)}
}

// took is what a platform would tell of so many calls, without drawing each: how
// many are above the threshold, and of those on its side the one at the percentile.
func took(r *rand.Rand, calls int, scale float64, threshold time.Duration) providers.Sample {
	n := int64(calls)
	return providers.Sample{Known: true, Calls: n, Latency: []providers.Latency{slowOf(r, n, ninetieth.Percentile, scale, threshold)}}
}

// slowOf is what is told of n durations that are spread log-normally around scale.
func slowOf(r *rand.Rand, n int64, percentile, scale float64, threshold time.Duration) providers.Latency {
	const spread = 0.5
	fast, out := 1.0, providers.Latency{Known: n > 0, Percentile: percentile, Calls: n, Threshold: threshold}
	if n == 0 {
		return out
	}
	if threshold > 0 {
		fast = (1 + math.Erf(math.Log(float64(threshold)/scale)/spread/math.Sqrt2)) / 2
		out.Above = binomial(r, n, 1-fast)
	}
	rank, within, at := int64(float64(n)*percentile/100)+1, n-out.Above, 0.0
	if rank <= within {
		at = fast * beta(r, rank, within-rank+1)
	} else {
		at = fast + (1-fast)*beta(r, rank-within, n-rank+1)
	}
	out.Quantile = time.Duration(scale * math.Exp(spread*math.Sqrt2*math.Erfinv(2*at-1)))
	return out
}

// play is the minute in which the rule fails the release, or 0; and how it
// stands after the hour.
func (c clocked) play(r *rand.Rand, fails func(Arm) bool) (int, Judgement) {
	m := Arm{Ref: fn("a"), Stable: "1", New: "2", Weight: 10}
	for minute := range 60 {
		m.Count(c.look(r, m, minute), Setting{Among: 1}, timed)
		if fails(m) {
			return minute + 1, Judgement{}
		}
	}
	return 0, Judge([]Arm{m}, timed)
}

func tooSlow(m Arm) bool { return Harm([]Arm{m}, timed) != "" }

// peeksAtLatency is a z-test at 1% on the shares of slow calls, asked after
// every look.
func peeksAtLatency(m Arm) bool {
	known := m.Latency.Of(ninetieth)
	c, b := known.Canary, known.Baseline
	nc, nb := float64(c.Calls), float64(b.Calls)
	p := float64(c.Errors+b.Errors) / (nc + nb)
	return nc > 0 && nb > 0 && (float64(c.Errors)/nc-float64(b.Errors)/nb)/math.Sqrt(p*(1-p)*(1/nc+1/nb)) > 2.326
}

// A version that is no slower than the tolerance allows is rolled back in at
// most falseRollback of all rollouts; one that is twice as slow is seen soon,
// and an equal one passes.
func TestLatency(t *testing.T) {
	const runs = 100
	for name, tc := range map[string]struct {
		clocked
		within int // minutes, in most runs; 0: never, in all but 1%
	}{
		"the same":                      {clocked: clocked{perMinute: 300, slower: 1}},
		"the same, few calls":           {clocked: clocked{perMinute: 60, slower: 1}},
		"the same, slower by the hour":  {clocked: clocked{perMinute: 300, slower: 1, wave: true}},
		"just as slow as is allowed":    {clocked: clocked{perMinute: 300, slower: 1.25}},
		"faster":                        {clocked: clocked{perMinute: 300, slower: 0.5}},
		"twice as slow":                 {clocked: clocked{perMinute: 300, slower: 2}, within: 6},
		"twice as slow, few calls":      {clocked: clocked{perMinute: 60, slower: 2}, within: 20},
		"five times as slow, few calls": {clocked: clocked{perMinute: 60, slower: 5}, within: 8},
	} {
		r, failed, soon, passed := seeded(23), 0, 0, 0
		for range runs {
			minute, end := tc.play(r, tooSlow)
			if minute > 0 {
				failed++
			}
			if minute > 0 && minute <= tc.within {
				soon++
			}
			if end.Verdict == Pass {
				passed++
			}
		}
		t.Logf("%s: %d of %d rolled back, %d within %d minutes, %d passed", name, failed, runs, soon, tc.within, passed)
		if tc.within == 0 && failed > runs/100 {
			t.Errorf("%s: %d of %d rolled back", name, failed, runs)
		}
		if tc.within > 0 && soon < runs/2 {
			t.Errorf("%s: %d of %d rolled back within %d minutes", name, soon, runs, tc.within)
		}
		if tc.slower <= 1 && tc.perMinute == 300 && passed < runs*9/10 {
			t.Errorf("%s: %d of %d passed", name, passed, runs)
		}
	}
	false1, r := 0, seeded(23)
	for range runs {
		if minute, _ := (clocked{perMinute: 300, slower: 1.25}).play(r, peeksAtLatency); minute > 0 {
			false1++
		}
	}
	if false1 <= 3*runs/100 {
		t.Errorf("a z-test after every look rolls back %d of %d: the measurement is blind", false1, runs)
	}
}

// Thresholds are fixed before the window they are held against, and what was
// measured against another one, or cannot be, says nothing of latency. What
// the same look says of failures counts all the same.
func TestWhatCountsOfLatency(t *testing.T) {
	const ms = time.Millisecond
	known := func(calls, above int64, threshold, quantile time.Duration) providers.Sample {
		return providers.Sample{Known: true, Calls: 100, Latency: []providers.Latency{{Known: true, Percentile: 90, Calls: calls, Above: above, Threshold: threshold, Quantile: quantile}}}
	}
	good := known(100, 10, 100*ms, 100*ms)
	for name, tc := range map[string]struct {
		canary, baseline providers.Sample
		counted          bool
	}{
		"a minute":               {known(100, 10, 125*ms, 0), good, true},
		"another threshold":      {known(100, 10, 100*ms, 0), good, false},
		"no threshold":           {known(100, 10, 0, 0), good, false},
		"unknown":                {sample(100, 0), good, false},
		"baseline unknown":       {known(100, 10, 125*ms, 0), sample(100, 0), false},
		"more slow than calls":   {known(100, 101, 125*ms, 0), good, false},
		"slow below zero":        {known(100, -1, 125*ms, 0), good, false},
		"calls below zero":       {known(-1, -1, 125*ms, 0), good, false},
		"baseline says nonsense": {known(100, 10, 125*ms, 0), known(5, 6, 100*ms, 100*ms), false},
	} {
		var e Evidence
		e.Count(Look{Window: windowAt(0), Canary: known(100, 0, 0, 0), Baseline: known(100, 0, 0, 100*ms)}, Setting{Among: 1}, timed)
		if e.Latency[0].Canary.Calls != 0 || e.Latency[0].Slow != 100*ms {
			t.Fatalf("%s: the first window fixes the threshold and counts nothing: %+v", name, e.Latency)
		}
		if !e.Count(Look{Window: windowAt(1), Canary: tc.canary, Baseline: tc.baseline}, Setting{Among: 1}, timed) || e.Canary.Calls != 200 {
			t.Errorf("%s: failures were not counted", name)
		}
		if got := e.Latency[0].Canary.Calls > 0 || e.Latency[0].Baseline.Calls > 0; got != tc.counted {
			t.Errorf("%s: counted %t", name, got)
		}
	}
	var unread Evidence
	for n := range 60 {
		unread.Count(Look{Window: windowAt(n), Canary: sample(1000, 0), Baseline: sample(1000, 0)}, Setting{Among: 1}, timed)
	}
	if j := Judge([]Arm{{Evidence: unread, Ref: fn("a"), Stable: "1", New: "2", Weight: 10}}, timed); j.Verdict != Undecided {
		t.Errorf("an hour without durations is %q", j.Verdict)
	}
	if j := Judge([]Arm{{Evidence: unread, Ref: fn("a"), Stable: "1", New: "2", Weight: 10, Untimed: true}}, timed); j.Verdict != Pass {
		t.Errorf("an hour of what has no durations is %q: %s", j.Verdict, j.Reason)
	}
}

// Each percentile that is named is judged: a version whose slowest calls alone are
// slower goes back for the one, whichever stands first, and passes only once no
// slower at all of them.
func TestEachPercentileIsJudged(t *testing.T) {
	ninetyNinth := manifest.LatencyRule{Percentile: 99, Tolerance: 0.25}
	sample := func(threshold time.Duration, above90, above99 int64) providers.Sample {
		return providers.Sample{Known: true, Calls: 1000, Latency: []providers.Latency{
			{Known: true, Percentile: 99, Calls: 1000, Above: above99, Threshold: threshold, Quantile: 100},
			{Known: true, Percentile: 90, Calls: 1000, Above: above90, Threshold: threshold, Quantile: 100}}}
	}
	for name, tc := range map[string]struct {
		rules            manifest.LatencyRules
		above90, above99 int64 // of 1,000 calls of the new version; beside it 100 and 10
		want             Verdict
	}{
		"the tail is slower":                {manifest.LatencyRules{ninetieth, ninetyNinth}, 100, 60, Fail},
		"the tail is slower, other order":   {manifest.LatencyRules{ninetyNinth, ninetieth}, 100, 60, Fail},
		"the tail is slower, unasked":       {manifest.LatencyRules{ninetieth}, 100, 60, Pass},
		"most are slower":                   {manifest.LatencyRules{ninetieth, ninetyNinth}, 200, 10, Fail},
		"most are slower, other order":      {manifest.LatencyRules{ninetyNinth, ninetieth}, 200, 10, Fail},
		"no slower":                         {manifest.LatencyRules{ninetieth, ninetyNinth}, 50, 5, Pass},
		"as slow at one, and unknown there": {manifest.LatencyRules{ninetieth, {Percentile: 75, Tolerance: 0.25}}, 50, 5, Undecided},
	} {
		rules := timed
		rules.Latency = tc.rules
		m := Arm{Ref: fn("a"), Stable: "1", New: "2", Weight: 10}
		m.Count(Look{Window: windowAt(0), Canary: sample(0, 0, 0), Baseline: sample(0, 0, 0)}, Setting{Among: 1}, rules)
		before := m
		for n := range 20 {
			m.Count(Look{Window: windowAt(n + 1), Canary: sample(125, tc.above90, tc.above99), Baseline: sample(100, 100, 10)}, Setting{Among: 1}, rules)
		}
		j := Judge([]Arm{m}, rules)
		if j.Verdict != tc.want || tc.want == Fail && !strings.Contains(j.Reason, map[bool]string{true: "(p99)", false: "(p90)"}[tc.above99 > 10]) {
			t.Errorf("%s: %s, %s", name, j.Verdict, j.Reason)
		}
		if before.Latency[0].Canary.Calls != 0 {
			t.Errorf("%s: what was known before is written to", name)
		}
	}
}

// Evidence of one percentile is written as it was when there could be one alone,
// and what was written then is read.
func TestEvidenceOfOnePercentileIsReadAsBefore(t *testing.T) {
	const old = `{"canary":{"calls":90,"errors":9},"baseline":{"calls":900,"errors":9},"logE":2.5,"slow":100}`
	var e Evidence
	if err := json.Unmarshal([]byte(`{"canary":{"calls":90},"latency":`+old+`}`), &e); err != nil {
		t.Fatal(err)
	}
	if known := e.Latency.Of(ninetieth); known.LogE != 2.5 || known.Slow != 100 || known.Canary.Calls != 90 {
		t.Fatalf("read as %+v", known)
	}
	e.Latency = e.Latency.count(Look{}, manifest.LatencyRules{ninetieth}, false)
	text, err := json.Marshal(e.Latency)
	if err != nil || !strings.HasPrefix(string(text), `{"canary"`) || !strings.Contains(string(text), `"percentile":90`) {
		t.Fatalf("%s, %v", text, err)
	}
	two := Latencies{{Percentile: 90, Slow: 1}, {Percentile: 99, Slow: 2}}
	var back Latencies
	if text, err = json.Marshal(two); err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || !reflect.DeepEqual(back, two) {
		t.Errorf("%s is read as %+v: %v", text, back, err)
	}
	if text, err := json.Marshal(Evidence{}); err != nil || strings.Contains(string(text), "latency") {
		t.Errorf("none is written as %s, %v", text, err)
	}
}
