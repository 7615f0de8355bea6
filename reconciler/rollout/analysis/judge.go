package analysis

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mooring.dev/sources/manifest"
)

// Verdict is what is known about the release's health.
type Verdict string

const (
	Unjudged  Verdict = ""          // no look yet
	Undecided Verdict = "undecided" // cannot tell yet
	Pass      Verdict = "pass"      // evidence of no harm within tolerance
	Fail      Verdict = "fail"
)

// Arm is one function of the release.
type Arm struct {
	Evidence
	Ref    manifest.Ref
	Stable string // the baseline's version; "" where there never was one
	New    string
	// Weight is the percent of calls the new version gets now; at 100, or with
	// no Stable, nothing runs beside it.
	Weight int
	// Untimed: the platform knows no durations by version, and latency is not
	// judged.
	Untimed bool
	// Probed: calls of our own are made of both versions.
	Probed bool
	// Longest is how long a call of either may run, where that is longer than is
	// told in time; else 0.
	Longest time.Duration
}

// latency are the rules for it.
func (m Arm) latency(a manifest.Analysis) manifest.LatencyRules {
	if m.Untimed {
		return nil
	}
	return a.Latency
}

func (m Arm) alone() bool { return m.Stable == "" || m.Weight >= 100 }

// Judgement is a verdict on all functions of a release.
type Judgement struct {
	Verdict Verdict
	Reason  string
	Need    int64 // calls of the new version missing for a verdict; 0 unknown
}

// Harm is why the release fails, or "". It may be asked at any time.
//
// The error budget α covers all functions and the whole rollout: nine tenths
// for the mean of their e-processes, one tenth for the hard guard.
func Harm(arms []Arm, a manifest.Analysis) string {
	tests, total := 0, 0.0
	most, worst := math.Inf(-1), func() string { return "" }
	take := func(harm float64, what func() string) {
		tests++
		total += math.Exp(harm)
		if harm > most {
			most, worst = harm, what
		}
	}
	for _, m := range arms {
		if why := m.collapsed(a); why != "" {
			return why
		}
		if m.Stable == "" {
			continue
		}
		take(m.harm(), func() string {
			if m.Longest > 0 && m.Settled.LogE > m.promptHarm() {
				return m.failing("calls, all of which have ended,", m.Settled.Test)
			}
			return m.failing("calls", m.Test)
		})
		for _, rule := range m.latency(a) {
			take(m.Latency.Of(rule).LogE, func() string { return m.slowness("", rule, a) })
		}
		if m.Probed {
			take(m.Probe.LogE, func() string { return m.failing("probes", m.Probe.Test) })
		}
	}
	if tests == 0 || math.Log(total/float64(tests)) < -math.Log(0.9*a.FalseRollback) {
		return ""
	}
	return worst()
}

// failing tells what was seen of failures.
func (m Arm) failing(what string, t Test) string {
	return fmt.Sprintf("%s: %d of %d %s of version %s failed, beside it %d of %d of version %s", m.Ref,
		t.Canary.Failures(), t.Canary.Trials(), what, m.New, t.Baseline.Failures(), t.Baseline.Trials(), m.Stable)
}

// slowness tells what was seen of latency, and at which percentile where that is
// not plain.
func (m Arm) slowness(before string, rule manifest.LatencyRule, a manifest.Analysis) string {
	known := m.Latency.Of(rule)
	c, b, where := known.Canary, known.Baseline, ""
	if len(a.Latency) > 1 {
		where = fmt.Sprintf(" (p%g)", rule.Percentile)
	}
	return fmt.Sprintf("%s: %s%d of %d calls of version %s are slower than allowed%s, beside it %d of %d of version %s", m.Ref, before,
		c.Errors, c.Calls, m.New, where, b.Errors, b.Calls, m.Stable)
}

// Judge puts the evidence of all functions together: one failing fails the
// release, all passing pass the stage. What has no baseline beside it can only
// fail. How many calls are missing is said when it is undecided.
func Judge(arms []Arm, a manifest.Analysis) Judgement {
	if why := Harm(arms, a); why != "" {
		return Judgement{Verdict: Fail, Reason: why}
	}
	out := Judgement{Verdict: Pass}
	unknown := false
	for _, m := range arms {
		if m.alone() {
			continue
		}
		for _, open := range m.open(a) {
			if out.Verdict == Pass {
				out.Verdict, out.Reason = Undecided, open.Reason
			}
			unknown = unknown || open.Need == 0
			out.Need = max(out.Need, open.Need)
		}
	}
	if unknown {
		out.Need = 0
	}
	if out.Verdict == Undecided && !slices.ContainsFunc(arms, func(m Arm) bool { return m.Staged.Trials()+m.Probe.Staged.Trials() > 0 }) {
		out.Verdict = Unjudged
	}
	if out.Verdict == Pass && !slices.ContainsFunc(arms, func(m Arm) bool { return !m.alone() }) {
		out.Reason = "nothing runs beside it to compare with"
	}
	return out
}

// open are the questions about a function that are not answered yet.
func (m Arm) open(a manifest.Analysis) []Judgement {
	var out []Judgement
	bar := goal{evidence: m.evidence(a), samples: int64(a.MinSamples), tolerance: a.Tolerance, weight: m.Weight}
	vouched, against := m.vouched(a), m.against()
	switch {
	case m.settledPass(bar), vouched:
	case bar.reached(m.Test) && against != "":
		out = append(out, Judgement{Reason: against})
	case !bar.reached(m.Test):
		probes := ""
		if m.Probed {
			probes = m.unvouched(a)
		}
		out = append(out, Judgement{Need: m.missing(bar), Reason: fmt.Sprintf("%s: no evidence yet of no harm (%d of %d calls failed, beside it %d of %d%s)", m.Ref,
			m.Canary.Failures(), m.Canary.Trials(), m.Baseline.Failures(), m.Baseline.Trials(), probes)})
	}
	if vouched && m.Staged.Trials() == 0 {
		return out // nobody called it, so nobody waited
	}
	bar.evidence = evidenceOf(a, false)
	for _, rule := range m.latency(a) {
		bar.tolerance = margin(rule)
		if test := m.Latency.Of(rule).Test; !bar.reached(test) {
			out = append(out, Judgement{Need: bar.need(test), Reason: m.slowness("no evidence yet that it is no slower: ", rule, a)})
		}
	}
	return out
}

// goal is what a stage's pass takes.
type goal struct {
	evidence  float64 // log
	samples   int64
	tolerance float64
	weight    int // percent
}

func (g goal) reached(t Test) bool {
	return t.Staged.Trials() >= g.samples && t.LogSafe >= g.evidence
}
