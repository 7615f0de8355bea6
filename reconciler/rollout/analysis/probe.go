package analysis

import (
	"fmt"
	"math"
	"time"

	"mooring.dev/sources/manifest"
)

// Probe is what calls of our own found: one event, sent to both versions side by
// side. It is kept apart from users' calls, in numbers and in evidence: an event
// fails at a rate of its own, and the version with more of them among its calls
// would look worse.
type Probe struct {
	Test
	At      time.Time `json:"at,omitzero"` // of the newest round
	Guarded bool      `json:"guarded,omitempty"`
	// Enough is when, in this stage, the probes became evidence of no harm; zero
	// while they are none.
	Enough time.Time `json:"enough,omitzero"`
}

// Probed is one round of probes of one function: as many calls of either
// version, or none of the baseline where there is none.
type Probed struct {
	Ref      manifest.Ref
	At       time.Time
	Canary   Counts
	Baseline Counts
}

// CountProbes adds one round, once.
func (e *Evidence) CountProbes(round Probed, in Setting, a manifest.Analysis) bool {
	if !round.At.After(e.Probe.At) || !sensible(round.Canary) || !sensible(round.Baseline) || round.Canary.Calls == 0 {
		return false
	}
	e.Probe.At = round.At
	e.Probe.add(pair{canary: round.Canary, baseline: round.Baseline}, a.Tolerance, in.Earlier)
	hardGuard(&e.Probe.Test, &e.Probe.Guarded, a.FalseRollback, in.Among)
	switch enough := e.probesPass(a); {
	case !enough:
		e.Probe.Enough = time.Time{}
	case e.Probe.Enough.IsZero():
		e.Probe.Enough = round.At
	}
	return true
}

func sensible(c Counts) bool { return c.Calls >= 0 && c.Errors >= 0 && c.Errors <= c.Calls }

// probesPass: the probes of this stage are evidence of no harm. Calls of both
// kinds count towards the least number of samples. An event that fails in most
// calls of either version would be no other with worse code, and shows nothing.
func (e Evidence) probesPass(a manifest.Analysis) bool {
	return 2*e.Probe.Staged.Failures() <= e.Probe.Staged.Trials() && e.Probe.LogSafe >= evidenceOf(a, true) && e.Staged.Trials()+e.Probe.Staged.Trials() >= int64(a.MinSamples)
}

// evidenceOf is the log evidence of no harm that a pass takes. Where probes may
// pass a stage too, each of the two has half of what is left to chance.
func evidenceOf(a manifest.Analysis, probed bool) float64 {
	chance := 1 - a.Confidence
	if probed {
		chance /= 2
	}
	return -math.Log(chance)
}

// vouched: the probes pass this stage in the place of users' calls. These must be
// known up to when the probes were enough, if only that there were none, and
// must hold no evidence against.
func (m Arm) vouched(a manifest.Analysis) bool {
	return m.Probed && m.probesPass(a) && !m.Probe.Enough.IsZero() && !m.Answered.Before(m.Probe.Enough) && m.LogE <= 0 && m.against() == ""
}

// unvouched is what the probes say that are not enough.
func (m Arm) unvouched(a manifest.Analysis) string {
	text := fmt.Sprintf("; of probes %d of %d failed, beside it %d of %d", m.Probe.Canary.Failures(), m.Probe.Canary.Trials(), m.Probe.Baseline.Failures(), m.Probe.Baseline.Trials())
	switch {
	case !m.probesPass(a):
	case m.LogE > 0:
		text += ", which users' calls speak against"
	default:
		text += ", and users' calls are not known yet up to these"
	}
	return text
}

// missing is how many calls a pass takes, of whichever kind takes fewer.
func (m Arm) missing(bar goal) int64 {
	calls := bar.need(m.Test)
	if !m.Probed || m.LogE > 0 {
		return calls
	}
	bar.weight = 50 // both versions are called alike
	bar.samples -= m.Staged.Trials()
	probes := bar.need(m.Probe.Test)
	if probes > 0 && (calls == 0 || m.Canary.Trials() == 0 || probes < calls) {
		return probes
	}
	return calls
}

// quiet: the platform answered that the new version had no calls of users, and
// the baseline's calls, where one runs beside it, are few enough for that to be
// so: with three to be expected, none at all is one chance in twenty.
func quiet(look Look, in Setting) bool {
	const few = 3
	c, b := look.Canary, look.Baseline
	switch {
	case !c.Silent:
		return false
	case in.Alone:
		return true
	case !b.Silent && !Possible(b):
		return false
	}
	return float64(b.Calls)*float64(in.Weight)/float64(100-in.Weight) < few
}
