package analysis

import (
	"fmt"
	"math"

	"mooring.dev/sources/manifest"
)

// hardGuard is asked of users' calls, and of probes: at the first look that could prove it, with at
// least five calls, every call of the new version failed and the baseline's
// did not. The chance of that arrangement, given as many failures in all and
// no difference between versions, must be within its part of α. It is asked
// once, at a moment that depends on the numbers of calls alone, so it needs no
// correction for repeated looks.
func hardGuard(t *Test, guarded *bool, alpha float64, among int) {
	const first = 5
	c, b := t.Canary, t.Baseline
	limit := math.Log(0.1 * alpha / float64(max(1, among)))
	if *guarded || c.Trials() < first || -choose(c.Trials()+b.Trials(), c.Trials()) > limit {
		return
	}
	*guarded = true
	if c.Failures() < c.Trials() {
		return
	}
	// All nc calls among the failures: C(N-nc, K-nc) / C(N, K), with K-nc = kb.
	chance := choose(b.Trials(), b.Failures()) - choose(c.Trials()+b.Trials(), c.Trials()+b.Failures())
	if chance <= limit {
		t.LogE, t.Stakes = most, Stakes{} // whoever bets on takes this over
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
func (m Arm) collapsed(a manifest.Analysis) string {
	const (
		first   = 5
		healthy = 0.25
	)
	if p := m.Probe.Canary; m.Stable == "" && p.Trials() >= first && p.Failures() == p.Trials() {
		return fmt.Sprintf("%s: the first %d probes of version %s all failed", m.Ref, p.Trials(), m.New)
	}
	n, k := m.Solo.Trials(), m.Solo.Failures()
	seen := m.Baseline.Trials()
	redIn := func(c Counts) bool { return c.Trials() > 0 && float64(c.Failures()) >= healthy*float64(c.Trials()) }
	red := redIn(m.Baseline) || redIn(m.Settled.Baseline)
	switch {
	case n < first || red:
		return ""
	case k == n:
		return fmt.Sprintf("%s: the first %d calls of version %s all failed", m.Ref, n, m.New)
	case seen >= 20 && mostFail(m.Run) >= -math.Log(a.FalseRollback):
		return fmt.Sprintf("%s: %d of %d calls of version %s failed at full traffic", m.Ref, m.Run.Failures(), m.Run.Trials(), m.New)
	}
	return ""
}

// mostFail is the log evidence that more than half of all calls fail: a
// Beta(½,½) mixture against one half.
func mostFail(c Counts) float64 {
	k, n := c.Failures(), c.Trials()
	if 2*k <= n {
		return 0
	}
	a, b := float64(k)+0.5, float64(n-k)+0.5
	return lgamma(a) + lgamma(b) - lgamma(a+b) - 2*lgamma(0.5) + lgamma(1) + float64(n)*math.Ln2
}
