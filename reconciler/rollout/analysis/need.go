package analysis

import "math"

// need estimates how many more calls of the new version a pass takes, if both
// versions go on failing as seen: what is missing of the evidence, by what
// one call is expected to add. 0 means it cannot be said: the new version
// looks no safer than the tolerance allows.
func (g goal) need(t Test) int64 {
	missing := g.samples - t.Staged.Trials()
	ratio := float64(100-g.weight) / float64(max(1, g.weight))
	c, b := t.Canary, t.Baseline
	if c.Trials() == 0 {
		c = b // nothing known: as good as what runs beside it
	}
	pc, pb := expected(c), expected(b)
	if pc >= pb+g.tolerance {
		return 0
	}
	c0, b0 := nearest(arm{pc, 1}, arm{pb, ratio}, g.tolerance)
	gain := divergence(pc, c0) + ratio*divergence(pb, b0)
	if gain <= 0 {
		return 0
	}
	more := int64(math.Ceil((g.evidence - t.LogSafe) / gain))
	const many = 1_000_000_000
	return min(many, max(1, missing, more))
}

// expected is the rate to reckon with: what was seen, or next to nothing.
func expected(c Counts) float64 {
	if c.Trials() == 0 {
		return 0.001
	}
	return guess(c)
}
