package rego

import (
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"mooring.dev/policy"
)

// past makes n decisions as a daemon records them: at every point, in varying
// situations.
func past(t *testing.T, e *Evaluator, n int) iter.Seq[policy.Recorded] {
	rng := rand.New(rand.NewPCG(34, 0))
	return func(yield func(policy.Recorded) bool) {
		for i := range n {
			p := points[i%len(points)]
			r, err := policy.ParseRecorded(decide(t, e, p, situation(rng, p)).Record)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// situation varies a sample in what policies mostly look at.
func situation(rng *rand.Rand, p policy.Point) policy.Input {
	in := sample(p)
	in.Request.TimeNS += rng.Int64N(int64(365 * 24 * time.Hour))
	in.Environment.Protected, in.Environment.Suspended, in.Environment.Window.Open = rng.IntN(2) == 0, rng.IntN(8) == 0, rng.IntN(4) != 0
	in.Environment.Name = []string{"production", "staging", "preview"}[rng.IntN(3)]
	in.Release.Promoted, in.Summary.Created, in.Summary.Deleted = rng.IntN(2) == 0, rng.IntN(80), rng.IntN(3)
	switch p {
	case policy.Promotion:
		up := &in.Upstream[0]
		up.Healthy, up.SoakSeconds, up.Held = rng.IntN(3) != 0, rng.Int64N(20), rng.IntN(5) == 0
		up.Checks[0].Passed, in.Contract.Satisfied = rng.IntN(4) != 0, rng.IntN(5) != 0
	case policy.Rollout:
		in.Metrics["checkout.canary.error_rate"] = policy.Metric{Known: rng.IntN(3) != 0, Value: rng.Float64(), Samples: rng.Int64N(500)}
		in.Alarms[0].State = []string{"ok", "alarm", "unknown"}[rng.IntN(3)]
	case policy.Drift:
		in.Items[0].Rounds, in.Items[0].KindOfResource = rng.IntN(5), []string{"Function", "Alias", "Url"}[rng.IntN(3)]
	case policy.Notify:
		in.Event.Severity, in.Event.Status = []string{"low", "critical"}[rng.IntN(2)], []string{"firing", "resolved"}[rng.IntN(2)]
	}
	return in
}

// Lesson 34: the same policies decide 10,000 past decisions the same again.
func TestLesson34ReplayUnderTheSamePolicies(t *testing.T) {
	long(t)
	n := 10_000
	if testing.Short() {
		n = 500
	}
	began := time.Now()
	r := policy.Replay(t.Context(), New(shop(t), EvaluatorOptions{}), past(t, New(shop(t), EvaluatorOptions{}), n))
	if r.Decisions != n || len(r.Flips) != 0 || len(r.Skipped) != 0 {
		t.Errorf("%d decisions, %d flips, %d skipped: %+v", r.Decisions, len(r.Flips), len(r.Skipped), r.Flips[:min(3, len(r.Flips))])
	}
	t.Logf("%d decided and replayed in %v", n, time.Since(began).Round(time.Millisecond))
}

// Under others, exactly what would be another is named.
func TestReplayUnderOtherPolicies(t *testing.T) {
	was := New(mustLoad(t, packs(policy.Promotion, "allow if input.contract.satisfied")), EvaluatorOptions{})
	is := New(mustLoad(t, packs(policy.Promotion, "allow if input.contract.satisfied\n\ndeny contains {\"code\": \"sick\", \"msg\": \"sick\"} if input.upstream[_].healthy == false")), EvaluatorOptions{})
	rng, records, sick := rand.New(rand.NewPCG(7, 0)), []policy.Recorded{}, map[string]bool{}
	for range 200 {
		in := situation(rng, policy.Promotion)
		in.Request.ID = "dec_" + string(rune('a'+rng.IntN(26))) + time.Unix(0, in.Request.TimeNS).Format("150405.000000000")
		sick[in.Request.ID] = !in.Upstream[0].Healthy
		r, err := policy.ParseRecorded(decide(t, was, policy.Promotion, in).Record)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	flipped := map[string]bool{}
	for _, f := range policy.Replay(t.Context(), is, func(yield func(policy.Recorded) bool) {
		for _, r := range records {
			if !yield(r) {
				return
			}
		}
	}).Flips {
		flipped[f.ID] = true
		if f.After != policy.Deny || len(f.Appear) != 1 || f.Appear[0] != "sick" {
			t.Errorf("flip %+v", f)
		}
	}
	for id, want := range sick {
		if flipped[id] != want {
			t.Errorf("%s: flipped %v, want %v", id, flipped[id], want)
		}
	}
}
