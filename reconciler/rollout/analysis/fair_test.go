package analysis

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Evidence is monotone: more failures of the new version never look safer,
// more of the baseline never look worse, within a look.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := func(what string) Counts {
			n := rapid.Int64Range(1, 2000).Draw(t, what)
			return Counts{Calls: n, Errors: rapid.Int64Range(0, n).Draw(t, what+" failed")}
		}
		before := pair{counts("canary before"), counts("baseline before")}
		now := pair{counts("canary"), counts("baseline")}
		const tolerance = 0.02
		worse := now
		worse.canary.Errors = rapid.Int64Range(now.canary.Errors, now.canary.Calls).Draw(t, "more failures")
		const eps = 1e-6
		if harmEvidence(before, worse) < harmEvidence(before, now)-eps {
			t.Fatalf("more failures of the new version are less evidence of harm: %+v %+v", before, now)
		}
		if safeEvidence(before, worse, tolerance) > safeEvidence(before, now, tolerance)+eps {
			t.Fatalf("more failures of the new version are more evidence of safety: %+v %+v", before, now)
		}
		red := now
		red.baseline.Errors = rapid.Int64Range(now.baseline.Errors, now.baseline.Calls).Draw(t, "more beside it")
		if harmEvidence(before, red) > harmEvidence(before, now)+eps {
			t.Fatalf("more failures of the baseline are more evidence of harm: %+v %+v", before, now)
		}
		if safeEvidence(before, red, tolerance) < safeEvidence(before, now, tolerance)-eps {
			t.Fatalf("more failures of the baseline are less evidence of safety: %+v %+v", before, now)
		}
	})
}

// Each look's factor has a mean of at most 1 under every pair of rates in its
// H0: computed exactly, not drawn.
func TestFactorsAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := func(what string) float64 { return rapid.Float64Range(0, 1).Draw(t, what) }
		n := func(what string) int64 { return rapid.Int64Range(1, 12).Draw(t, what) }
		before := pair{Counts{Calls: n("cb"), Errors: 0}, Counts{Calls: n("bb"), Errors: 0}}
		before.canary.Errors = rapid.Int64Range(0, before.canary.Calls).Draw(t, "cbe")
		before.baseline.Errors = rapid.Int64Range(0, before.baseline.Calls).Draw(t, "bbe")
		nc, nb := n("nc"), n("nb")
		low, high := rate("p"), rate("q")
		if low > high {
			low, high = high, low
		}
		if mean := meanFactor(before, nc, nb, low, high, 0); mean > 1+1e-6 {
			t.Fatalf("harm: mean %.9f at pc %.3f, pb %.3f", mean, low, high)
		}
		tolerance := rapid.Float64Range(0.001, 0.3).Draw(t, "tolerance")
		pb := rate("pb") * (1 - tolerance)
		pc := pb + tolerance + rate("above")*(1-pb-tolerance)
		if mean := meanFactor(before, nc, nb, min(1, pc), pb, tolerance); mean > 1+1e-6 {
			t.Fatalf("safe: mean %.9f at pc %.3f, pb %.3f, tolerance %.3f", mean, pc, pb, tolerance)
		}
	})
}

// meanFactor is the exact mean of a look's factor when nc and nb calls fail
// with rates pc and pb.
func meanFactor(before pair, nc, nb int64, pc, pb, tolerance float64) float64 {
	mean := 0.0
	for kc := range nc + 1 {
		for kb := range nb + 1 {
			now := pair{Counts{Calls: nc, Errors: kc}, Counts{Calls: nb, Errors: kb}}
			s := harmEvidence(before, now)
			if tolerance > 0 {
				s = safeEvidence(before, now, tolerance)
			}
			mean += mass(nc, kc, pc) * mass(nb, kb, pb) * math.Exp(s)
		}
	}
	return mean
}

// mass is the binomial probability.
func mass(n, k int64, p float64) float64 {
	return math.Exp(choose(n, k)) * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k))
}
