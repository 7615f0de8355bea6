package rollout

import "math"

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
