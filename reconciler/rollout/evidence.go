package rollout

import (
	"fmt"
	"math"
)

// # How a stage is judged
//
// Every look gives, per function, n calls and k failures of the new version
// and of the baseline in the same window. Two questions are asked, each by a
// test martingale (an e-process), so that the answer may be looked at after
// every minute and acted on at once without raising the error rate:
//
//	harm: H0 "the new version fails no more often than the baseline"
//	safe: H0 "the new version fails more often by at least the tolerance"
//
// Both H0 are convex sets of pairs (pc, pb). For one look, with θ the best
// guess from the looks before it (add-0.18 smoothing in each arm, as Turner,
// Ly and Grünwald advise for 2×2 tables) and θ° the point of H0 nearest to θ
// in n-weighted Kullback-Leibler divergence, the look's factor is the
// likelihood ratio of θ to θ°:
//
//	S = ∏ over both arms (θ/θ°)^k ((1-θ)/(1-θ°))^(n-k)
//
// Its mean is at most 1 whatever (pc, pb) in H0 is true in that window: the
// mean of one arm's factor is 1+x with x = (p-θ°)(θ-θ°)/(θ°(1-θ°)), the
// nearest point of a convex set makes nc·xc + nb·xb ≤ 0 for all of H0, and
// (1+xc)^nc (1+xb)^nb ≤ exp(nc·xc + nb·xb). So the running product stays
// above 1/α with probability at most α over the whole rollout (Ville), also
// when the failure rate both share moves with the hour. A guess that lies in
// H0 is its own nearest point: S = 1, and nothing is staked.
//
// Sources: R. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact
// sequential k-sample tests that allow for optional stopping" (2021);
// R. Turner, P. Grünwald, "Exact anytime-valid confidence intervals for
// contingency tables and beyond" (2023). The pass is the dual of a confidence
// sequence: "safe" crosses 1/(1-confidence) exactly when the upper bound of
// the difference falls below the tolerance.
//
// What it assumes: within one window, calls fail independently with one rate
// per version. Failures that come in bursts make it see more than there is.

// smoothing is the prior weight of one failure and of one success.
const smoothing = 0.18

// sure is the log evidence the hard guard gives.
const sure = 600

// pair is the two arms over one span.
type pair struct{ canary, baseline Counts }

func guess(c Counts) float64 {
	return (float64(c.failures()) + smoothing) / (float64(c.trials()) + 2*smoothing)
}

// harmEvidence is log S of one look for H0: pc ≤ pb.
func harmEvidence(before, now pair) float64 {
	return factor(before, now, 0)
}

// safeEvidence is log S of one look for H0: pc ≥ pb + tolerance.
func safeEvidence(before, now pair, tolerance float64) float64 {
	return factor(before, now, tolerance)
}

// factor is log S. difference 0 asks for harm, a positive one for safety.
func factor(before, now pair, difference float64) float64 {
	nc, nb := float64(now.canary.trials()), float64(now.baseline.trials())
	if nc == 0 || nb == 0 {
		return 0 // one arm alone says nothing about a difference
	}
	c, b := guess(before.canary), guess(before.baseline)
	inside := c <= b
	if difference > 0 {
		inside = c >= b+difference
	}
	if inside {
		return 0
	}
	c0, b0 := nearest(arm{c, nc}, arm{b, nb}, difference)
	return likelihood(now.canary, c, c0) + likelihood(now.baseline, b, b0)
}

// likelihood is the log likelihood ratio of rate p to rate q.
func likelihood(seen Counts, p, q float64) float64 {
	k, n := float64(seen.failures()), float64(seen.trials())
	return k*math.Log(p/q) + (n-k)*math.Log((1-p)/(1-q))
}

// arm is a guessed rate and the number of calls it is weighed with.
type arm struct{ rate, calls float64 }

// nearest is the point on the line pc = pb + d nearest to the guess: the zero
// of a derivative that only rises, found by halving. For d = 0 it is the mean.
func nearest(c, b arm, d float64) (pc, pb float64) {
	const edge = 1e-12
	if d == 0 {
		p := (c.calls*c.rate + b.calls*b.rate) / (c.calls + b.calls)
		return p, p
	}
	low, high := edge, 1-d-edge
	for range 60 {
		mid := (low + high) / 2
		if slope(c, mid+d)+slope(b, mid) < 0 {
			low = mid
		} else {
			high = mid
		}
	}
	pb = (low + high) / 2
	return math.Min(pb+d, 1-edge), pb
}

// slope is the derivative of n·KL(rate ‖ p) by p.
func slope(a arm, p float64) float64 { return a.calls * (p - a.rate) / (p * (1 - p)) }

// harmed says what is wrong with the release, or "".
//
// The error budget α covers all functions and the whole rollout: nine tenths
// for the mean of their e-processes (a mean of e-processes is one, whatever
// ties them together, and is never weaker than dividing α among them), one
// tenth for the hard guard, divided among the functions.
func (s *State) harmed() string {
	compared, worst := 0, -1
	total := 0.0
	for i, f := range s.Functions {
		if !f.shifts() {
			continue
		}
		if why := s.collapsed(f); why != "" {
			return why
		}
		if f.Stable == "" {
			continue
		}
		compared++
		total += math.Exp(f.LogE)
		if worst < 0 || f.LogE > s.Functions[worst].LogE {
			worst = i
		}
	}
	if compared == 0 || math.Log(total/float64(compared)) < -math.Log(0.9*s.Analysis.FalseRollback) {
		return ""
	}
	f := s.Functions[worst]
	return fmt.Sprintf("%s: %d of %d calls of version %s failed, beside it %d of %d of version %s", f.Ref,
		f.Canary.failures(), f.Canary.trials(), f.New, f.Baseline.failures(), f.Baseline.trials(), f.Stable)
}

// guard is the hard guard: at the first look that could prove it, with at
// least five calls, every call of the new version failed and the baseline's
// did not. The chance of that arrangement, given as many failures in all and
// no difference between versions, must be within its part of α. It is asked
// once, at a moment that depends on the numbers of calls alone, so it needs no
// correction for repeated looks.
func (s *State) guard(f *Function) {
	const first = 5
	c, b := f.Canary, f.Baseline
	among := 0
	for _, g := range s.Functions {
		if g.shifts() && g.Stable != "" {
			among++
		}
	}
	limit := math.Log(0.1 * s.Analysis.FalseRollback / float64(max(1, among)))
	if f.Guarded || c.trials() < first || -choose(c.trials()+b.trials(), c.trials()) > limit {
		return
	}
	f.Guarded = true
	if c.failures() < c.trials() {
		return
	}
	// All nc calls among the failures: C(N-nc, K-nc) / C(N, K), with K-nc = kb.
	chance := choose(b.trials(), b.failures()) - choose(c.trials()+b.trials(), c.trials()+b.failures())
	if chance <= limit {
		f.LogE = sure
	}
}

// choose is the log of the binomial coefficient.
func choose(n, k int64) float64 {
	return lgamma(float64(n+1)) - lgamma(float64(k+1)) - lgamma(float64(n-k+1))
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// collapsed judges calls that have no baseline beside them (full weight, a
// function that is new), and only by what needs none: the first five all
// failed, or, where the baseline was seen healthy earlier in this rollout,
// most calls of the newest looks fail. The second begins anew after every look
// that is not mostly failures, so hours of good calls do not hide it; from a
// baseline that fails less than one call in four it is far enough away for
// that to cost nothing. A baseline that was red itself excuses both: a fix
// that does not fix is no harm.
func (s *State) collapsed(f Function) string {
	const (
		first   = 5
		healthy = 0.25
	)
	n, k := f.Solo.trials(), f.Solo.failures()
	seen := f.Baseline.trials()
	red := seen > 0 && float64(f.Baseline.failures()) >= healthy*float64(seen)
	switch {
	case n < first || red:
		return ""
	case k == n:
		return fmt.Sprintf("%s: the first %d calls of version %s all failed", f.Ref, n, f.New)
	case seen >= 20 && mostFail(f.Run) >= -math.Log(s.Analysis.FalseRollback):
		return fmt.Sprintf("%s: %d of %d calls of version %s failed at full traffic", f.Ref, f.Run.failures(), f.Run.trials(), f.New)
	}
	return ""
}

// mostFail is the log evidence that more than half of all calls fail: a
// Beta(½,½) mixture against one half.
func mostFail(c Counts) float64 {
	k, n := c.failures(), c.trials()
	if 2*k <= n {
		return 0
	}
	a, b := float64(k)+0.5, float64(n-k)+0.5
	return lgamma(a) + lgamma(b) - lgamma(a+b) - 2*lgamma(0.5) + lgamma(1) + float64(n)*math.Ln2
}

// need estimates how many more calls of the new version a pass takes, if both
// versions go on failing as seen: what is missing of the evidence, by what
// one call is expected to add. 0 means it cannot be said: the new version
// looks no safer than the tolerance allows.
func (s *State) need(f Function) int64 {
	missing := int64(s.Analysis.MinSamples) - f.Staged.trials()
	ratio := float64(100-s.Weight) / float64(max(1, s.Weight))
	c, b := f.Canary, f.Baseline
	if c.trials() == 0 {
		c = b // nothing known: as good as what runs beside it
	}
	pc, pb := expected(c), expected(b)
	if pc >= pb+s.Analysis.Tolerance {
		return 0
	}
	c0, b0 := nearest(arm{pc, 1}, arm{pb, ratio}, s.Analysis.Tolerance)
	gain := divergence(pc, c0) + ratio*divergence(pb, b0)
	if gain <= 0 {
		return 0
	}
	more := int64(math.Ceil((-math.Log(1-s.Analysis.Confidence) - f.LogSafe) / gain))
	const most = 1_000_000_000
	return min(most, max(1, missing, more))
}

// expected is the rate to reckon with: what was seen, or next to nothing.
func expected(c Counts) float64 {
	if c.trials() == 0 {
		return 0.001
	}
	return guess(c)
}

// divergence is KL(p ‖ q) of two rates.
func divergence(p, q float64) float64 {
	return p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
}
