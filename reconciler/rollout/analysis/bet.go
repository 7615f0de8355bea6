package analysis

import "math"

// ratios are the rate ratios that are betted on. Between two of them little is
// lost: the factor is flat around its best.
var ratios = [...]float64{1.4, 2, 3.5, 8, 30}

// Stakes are the logs of what is kept, of what the adapting bettor has, and of
// what each bettor on a ratio has. All zero: nobody has betted yet.
type Stakes [2 + len(ratios)]float64

const (
	kept     = 0
	adapting = 1
	// opening of the stake is betted at the first look, and later of what is
	// kept at each look: the half-life of what is kept is 34 looks.
	opening = 0.8
	later   = 0.02
)

// bet plays one look and gives the log of the sum. carried is that log before;
// it counts only where evidence comes from before there were stakes.
func (s Stakes) bet(before, now pair, carried float64) (Stakes, float64) {
	if now.canary.Trials() == 0 || now.baseline.Trials() == 0 {
		return s, carried // one arm alone says nothing about a difference
	}
	total := wager(s[:], s == (Stakes{}), carried, func(i int) float64 { return s.factor(i, before, now) })
	return s, total
}

// wager plays one look with stakes, of which the first is kept and the others are
// betted, and gives the log of their sum. factor is the log of what the ith bet
// brings.
func wager(stakes []float64, fresh bool, carried float64, factor func(i int) float64) float64 {
	part := later
	if fresh {
		part = opening
		for i := range stakes {
			stakes[i] = -most
		}
		stakes[kept] = carried
	}
	each := stakes[kept] + math.Log(part/float64(len(stakes)-1))
	stakes[kept] += math.Log1p(-part)
	total := stakes[kept]
	for i := kept + 1; i < len(stakes); i++ {
		stakes[i] = bounded(logSum(stakes[i], each) + factor(i))
		total = logSum(total, stakes[i])
	}
	stakes[kept] = bounded(stakes[kept])
	return bounded(total)
}

func (Stakes) factor(i int, before, now pair) float64 {
	if i == adapting {
		return harmEvidence(before, now)
	}
	return ratioEvidence(now, ratios[i-1-adapting])
}

// ratioEvidence is log(ω^k / (1+ρ(ω-1))^K).
func ratioEvidence(now pair, ratio float64) float64 {
	nc, nb := float64(now.canary.Trials()), float64(now.baseline.Trials())
	k, all := float64(now.canary.Failures()), float64(now.canary.Failures()+now.baseline.Failures())
	return k*math.Log(ratio) - all*math.Log1p(nc/(nc+nb)*(ratio-1))
}

func logSum(a, b float64) float64 {
	high, low := max(a, b), min(a, b)
	return high + math.Log1p(math.Exp(low-high))
}

// most is the evidence that JSON and exp can hold.
const most = 600

// bounded keeps evidence within most.
func bounded(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return max(-most, min(most, x))
}
