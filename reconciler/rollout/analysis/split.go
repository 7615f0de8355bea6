package analysis

import "math"

// deficits are what may be left of the successes that a version owes its share of
// calls: the ratios that are betted on.
var deficits = [...]float64{0.97, 0.9, 0.75, 0.5, 0.05}

// Split is the evidence that, of the calls begun, fewer of the new version's ended
// well in time than of the baseline's. It needs no count of the calls that still
// run: of all that ended well, no smaller share is the new version's than the
// share of calls that it gets, unless it is so.
type Split struct {
	LogE   float64                    `json:"logE,omitempty"`
	Stakes [1 + len(deficits)]float64 `json:"stakes,omitzero"` // their logs; the first is what is kept
}

// bet plays one look at a weight in percent.
func (s Split) bet(now pair, weight int) Split {
	good := func(c Counts) float64 { return float64(c.Trials() - c.Failures()) }
	c, b, share := good(now.canary), good(now.baseline), float64(weight)/100
	if c+b == 0 || share <= 0 || share >= 1 {
		return s
	}
	s.LogE = wager(s.Stakes[:], s.Stakes == [len(s.Stakes)]float64{}, s.LogE, func(i int) float64 {
		left := deficits[i-1]
		return c*math.Log(left) - (c+b)*math.Log1p(share*(left-1))
	})
	return s
}
