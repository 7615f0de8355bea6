// Package analysis judges a new version against the one that runs beside it:
// from counts of calls, failures and slow calls, look after look, it says
// harm, no harm, or that it cannot tell yet and what is missing. It is pure:
// numbers come in, evidence and verdicts go out. It refuses to know stages,
// weights over time, and where numbers come from.
//
// # How it judges
//
// Every look gives, per function, n calls and k failures of the new version
// and of the baseline in the same window. Two questions are asked, each by a
// test martingale (an e-process), so that the answer may be looked at after
// every minute and acted on at once without raising the error rate:
//
//	harm: H0 "the new version fails no more often than the baseline"
//	safe: H0 "the new version fails more often by at least the tolerance"
//
// Harm is a bet. It begins with a stake of 1, most of it shared among bettors
// at the first look and a little of what is left at each later one, so that
// harm that begins late finds somebody fresh. Each bettor multiplies its
// share by a factor whose mean is at most 1 under H0; so does the sum, which
// therefore stays below 1/α with probability 1-α over the whole rollout
// however often it is looked at (Ville's inequality).
//
// The bettors on a rate ratio ω use, with K failures in all and ρ the new
// version's share of the calls of this window,
//
//	ω^k / (1+ρ(ω-1))^K
//
// Given K and equal rates, k is hypergeometric. A convex function has a mean
// no greater under it than under the binomial with the same mean (Hoeffding
// 1963), and the mean of ω^k under that one is the denominator; a lower rate
// of the new version only makes k smaller. The rate both share drops out, so it
// may move with the hour.
//
// One more bettor adapts: with θ the best guess from the looks before (add-0.18
// smoothing in each arm) and θ° the point of H0 nearest to it in n-weighted
// Kullback-Leibler divergence, its factor is the likelihood ratio of θ to θ°:
//
//	S = ∏ over both arms (θ/θ°)^k ((1-θ)/(1-θ°))^(n-k)
//
// Its mean is at most 1 for every (pc, pb) of a convex H0: the mean of one
// arm's factor is 1+x with x = (p-θ°)(θ-θ°)/(θ°(1-θ°)), the nearest point of a
// convex set makes nc·xc + nb·xb ≤ 0 for all of H0, and
// (1+xc)^nc (1+xb)^nb ≤ exp(nc·xc + nb·xb). It is good where failures are
// common. The same S with the other H0 is the evidence of safety; "safe"
// crosses 1/(1-confidence) exactly when the upper bound of a confidence
// sequence of the difference falls below the tolerance.
//
// Several functions and latency are put together by the mean of their
// e-processes, which is one whatever ties them together, and never weaker than
// dividing α among them.
//
// Latency is asked the same way: of the calls in a window, how many were
// slower than a threshold that was fixed before the window: the baseline's
// quantile in the windows before, and for the new version that times
// 1+tolerance. If the new version is at most that much slower, its share above
// is at most the baseline's, whatever the distribution.
//
// Probes, calls of our own, have a test for themselves: what they fail at has
// nothing to do with what users' calls fail at, and two arms with different
// mixtures of both would differ without harm. Their evidence of harm is one more
// e-process in the mean; the guard's part of α is divided once more. No harm is
// shown by users' calls or, in their place, by probes, each of which takes 1/(half
// of 1-confidence).
//
// Calls that run longer than is told in time are in no window when it is first
// looked at. Where a timeout allows them, every window is counted a second time
// when all of its calls have ended, and these counts are a test for themselves
// (Settled), whose null is about all calls. Of what is told in time more failures
// alone show nothing: failing sooner is failing no more. So its evidence of harm is
// the lesser of two e-processes: that of failures, as above, and that of successes
// (Split). Each call goes to the new version with the chance w that the alias says,
// whoever calls; if no smaller share of the new version's calls ends well in time, a
// call that did is the new version's with a chance of at least w, and
//
//	ω^s / (1+w(ω-1))^S, ω < 1, with S successes in time and s of the new version's
//
// has a mean of at most 1, whatever still runs. The lesser of both is an e-process
// for every world in which one of the two nulls holds. Its mean with Settled's takes
// the place of the function's evidence of harm.
//
// Sources: R. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact
// sequential k-sample tests that allow for optional stopping" (2021);
// M. Herbster, M. Warmuth, "Tracking the best expert" (1998); V. Vovk, R. Wang,
// "E-values: calibration, combination and applications" (2021).
//
// What it assumes: within one window, calls fail (or are slow) independently
// with one rate per version. Failures that come in bursts make it see more than
// there is.
package analysis
