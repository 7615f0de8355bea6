package analysis

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Latency compares slow calls at one percentile: Errors in its counts are calls
// above the threshold.
type Latency struct {
	Test
	// Percentile is which; 0 in what was written when a release had one at most.
	Percentile float64 `json:"percentile,omitempty"`
	// Slow is the baseline's quantile as seen so far: what the next window's
	// calls are held against. 0 until a window gave one.
	Slow time.Duration `json:"slow,omitempty"`
}

// Latencies are what is known at each percentile that is judged. Nothing writes
// to one that is there: who learns makes another. In JSON one alone stands as
// itself, and several as a list.
type Latencies []Latency

// Of is what is known for a rule.
func (l Latencies) Of(rule manifest.LatencyRule) Latency {
	for _, known := range l {
		if known.Percentile == rule.Percentile || known.Percentile == 0 {
			return known
		}
	}
	return Latency{}
}

// MarshalJSON writes one as itself.
func (l Latencies) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]Latency(l))
}

// UnmarshalJSON reads one or a list.
func (l *Latencies) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		*l = make(Latencies, 1)
		if err := json.Unmarshal(text, &(*l)[0]); err != nil {
			return fmt.Errorf("latency: %w", err)
		}
		return nil
	}
	if err := json.Unmarshal(text, (*[]Latency)(l)); err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	return nil
}

// count takes in one window for each rule.
func (l Latencies) count(look Look, rules manifest.LatencyRules, earlier bool) Latencies {
	next := make(Latencies, len(rules))
	for i, rule := range rules {
		next[i] = l.Of(rule)
		next[i].count(look, rule, earlier)
	}
	return next
}

// nextStage forgets what is known of one stage only.
func (l Latencies) nextStage() Latencies {
	next := slices.Clone(l)
	for i := range next {
		next[i].Staged, next[i].LogSafe = Counts{}, 0
	}
	return next
}

// newest is the least weight the newest window has in Slow: a baseline that
// becomes slower by day is followed within some ten looks.
const newest = 0.1

// Thresholds are what calls of the next window are slow above, fixed before it
// is seen; 0 when nothing is known to fix them by. The new version's is the
// baseline's and the tolerance on it.
func (l Latency) Thresholds(rule manifest.LatencyRule) (canary, baseline time.Duration) {
	if l.Slow <= 0 {
		return 0, 0
	}
	return time.Duration(float64(l.Slow) * (1 + rule.Tolerance)), l.Slow
}

// margin is how many more calls may be above the threshold and still be no
// harm: as many as are above it anyway.
func margin(rule manifest.LatencyRule) float64 { return 1 - rule.Percentile/100 }

// count takes in one window, where both sides were measured against the
// thresholds that were fixed before it, and fixes the next ones.
func (l *Latency) count(look Look, rule manifest.LatencyRule, earlier bool) {
	l.Percentile = rule.Percentile
	c, b := at(look.Canary.Latency, rule.Percentile), at(look.Baseline.Latency, rule.Percentile)
	above, beside := l.Thresholds(rule)
	if beside > 0 && measured(c, above) && measured(b, beside) {
		l.add(pair{canary: tail(c), baseline: tail(b)}, margin(rule), earlier)
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

// at is what was measured at a percentile; what was not is not Known.
func at(all []providers.Latency, percentile float64) providers.Latency {
	for _, l := range all {
		if l.Percentile == percentile {
			return l
		}
	}
	return providers.Latency{}
}

func measured(l providers.Latency, threshold time.Duration) bool {
	return l.Known && l.Threshold == threshold && l.Calls >= 0 && l.Above >= 0 && l.Above <= l.Calls
}

func tail(l providers.Latency) Counts { return Counts{Calls: l.Calls, Errors: l.Above} }
