package analysis

import (
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Latency compares slow calls: Errors in its counts are calls above the
// threshold.
type Latency struct {
	Test
	// Slow is the baseline's quantile as seen so far: what the next window's
	// calls are held against. 0 until a window gave one.
	Slow time.Duration `json:"slow,omitempty"`
}

// newest is the least weight the newest window has in Slow: a baseline that
// becomes slower by day is followed within some ten looks.
const newest = 0.1

// Thresholds are what calls of the next window are slow above, fixed before it
// is seen; 0 when nothing is known to fix them by. The new version's is the
// baseline's and the tolerance on it.
func (l Latency) Thresholds(rule *manifest.LatencyRule) (canary, baseline time.Duration) {
	if rule == nil || l.Slow <= 0 {
		return 0, 0
	}
	return time.Duration(float64(l.Slow) * (1 + rule.Tolerance)), l.Slow
}

// margin is how many more calls may be above the threshold and still be no
// harm: as many as are above it anyway.
func margin(rule manifest.LatencyRule) float64 { return 1 - rule.Percentile/100 }

// count takes in one window, where both sides were measured against the
// thresholds that were fixed before it, and fixes the next ones.
func (l *Latency) count(look Look, rule *manifest.LatencyRule) {
	if rule == nil {
		return
	}
	c, b := look.Canary.Latency, look.Baseline.Latency
	above, beside := l.Thresholds(rule)
	if beside > 0 && measured(c, above) && measured(b, beside) {
		l.add(pair{canary: tail(c), baseline: tail(b)}, margin(*rule))
	}
	if !b.Known || b.Calls <= 0 || b.Quantile <= 0 {
		return
	}
	share := 1.0
	if l.Slow > 0 {
		share = max(newest, float64(b.Calls)/float64(b.Calls+l.Baseline.Calls))
	}
	l.Slow += time.Duration(share * float64(b.Quantile-l.Slow))
}

func measured(l providers.Latency, threshold time.Duration) bool {
	return l.Known && l.Threshold == threshold && l.Calls >= 0 && l.Above >= 0 && l.Above <= l.Calls
}

func tail(l providers.Latency) Counts { return Counts{Calls: l.Calls, Errors: l.Above} }
