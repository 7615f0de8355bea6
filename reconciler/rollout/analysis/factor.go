package analysis

import "math"

// smoothing is the prior weight of one failure and of one success.
const smoothing = 0.18

// pair is the two arms over one span.
type pair struct{ canary, baseline Counts }

func guess(c Counts) float64 {
	return (float64(c.Failures()) + smoothing) / (float64(c.Trials()) + 2*smoothing)
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
	nc, nb := float64(now.canary.Trials()), float64(now.baseline.Trials())
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
	k, n := float64(seen.Failures()), float64(seen.Trials())
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

// divergence is KL(p ‖ q) of two rates.
func divergence(p, q float64) float64 {
	return p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
}
