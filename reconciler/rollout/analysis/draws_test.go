package analysis

import (
	"math"
	"math/rand/v2"
	"testing"
)

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 2026)) }

// binomial draws how many of n succeed. While many are to be expected, the
// median of n uniform draws tells on which side of p its half lies (Devroye, Non-Uniform
// Random Variate Generation, X.4.3); the rest is found by jumping from success to success.
func binomial(r *rand.Rand, n int64, p float64) int64 {
	k, many := int64(0), 40.0
	for p > 0 && p < 1 && float64(n)*min(p, 1-p) > many {
		half := (n + 1) / 2
		if at := beta(r, half, n+1-half); at <= p {
			k, n, p = k+half, n-half, (p-at)/(1-at)
		} else {
			n, p = half-1, p/at
		}
	}
	switch {
	case p <= 0 || n == 0:
		return k
	case p >= 1:
		return k + n
	case p > 0.5:
		return k + n - binomial(r, n, 1-p)
	}
	at, scale := 0.0, 1/math.Log1p(-p)
	for {
		at += math.Floor(-r.ExpFloat64()*scale) + 1
		if at > float64(n) {
			return k
		}
		k++
	}
}

// beta draws the ath smallest of a+b-1 uniform draws.
func beta(r *rand.Rand, a, b int64) float64 {
	x := gamma(r, float64(a))
	return x / (x + gamma(r, float64(b)))
}

// gamma draws with shape a of at least 1 (Marsaglia and Tsang 2000).
func gamma(r *rand.Rand, a float64) float64 {
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if r.ExpFloat64() > -(x*x/2 + d - d*v + d*math.Log(v)) {
			return d * v
		}
	}
}

// The draws have the mean and the spread that they should, on either side of where
// they are drawn otherwise.
func TestDraws(t *testing.T) {
	const runs = 4000
	r := seeded(3)
	for _, tc := range []struct {
		n int64
		p float64
	}{{10, 0.3}, {5000, 0.001}, {100, 0.39}, {100, 0.45}, {6000, 0.05}, {6000, 0.97}, {50, 1}, {50, 0}, {0, 0.5}, {1_000_001, 0.5}} {
		sum, squares, mean := 0.0, 0.0, float64(tc.n)*tc.p
		for range runs {
			k := binomial(r, tc.n, tc.p)
			if k < 0 || k > tc.n {
				t.Fatalf("%d of %d", k, tc.n)
			}
			off := float64(k) - mean
			sum, squares = sum+off, squares+off*off
		}
		variance := mean * (1 - tc.p)
		if off := sum / runs; math.Abs(off) > 5*math.Sqrt(variance/runs) {
			t.Errorf("%d at %g: the mean is off by %g", tc.n, tc.p, off)
		}
		if got := squares / runs; math.Abs(got-variance) > 0.15*variance {
			t.Errorf("%d at %g: variance %g, want %g", tc.n, tc.p, got, variance)
		}
	}
}
