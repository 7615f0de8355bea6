package analysis

import (
	"math"
	"slices"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

const (
	// Prompt is how long a call may run and still be told in time: a window is
	// looked at a minute and a half after its end, and CloudWatch takes about one.
	Prompt = 30 * time.Second
	// settling is how long after the longest call of a window has ended all of
	// it is told.
	settling = 2 * time.Minute
	// patience is how long a window whose answer does not come is asked for;
	// then it is given up.
	patience = 5 * time.Minute
)

// Span is a window with both versions in it of which calls may still run.
type Span struct {
	providers.Window
	Earlier bool `json:"earlier,omitempty"` // of an earlier stage: it passes none
}

// Settled is what is known of calls that may run longer than is told in time. Each
// window is counted a second time, once all that was called in it has ended.
type Settled struct {
	Test // of complete windows
	// Split judges what ended in time by the share of calls the version gets.
	Split Split `json:"split,omitzero"`
	// Seen is up to where windows were taken note of, and Open are those not
	// complete yet, the oldest first. Nothing writes to a list that is there.
	Seen time.Time `json:"seen,omitzero"`
	Open []Span    `json:"open,omitempty"`
}

// complete is when all of a span's calls have ended and are told.
func (s Span) complete(longest time.Duration) time.Time { return s.To.Add(longest + settling) }

// Due are the windows that are complete by now.
func (s Settled) Due(longest time.Duration, now time.Time) []providers.Window {
	var out []providers.Window
	for _, span := range s.Open {
		if !now.Before(span.complete(longest)) {
			out = append(out, span.Window)
		}
	}
	return out
}

// Awaited are how many minutes' windows are waited for, and until when at most they
// become complete: what has been asked for in vain for too long is not.
func (s Settled) Awaited(longest time.Duration, now time.Time) (minutes int, until time.Time) {
	var all time.Duration
	for _, span := range s.Open {
		if at := span.complete(longest); now.Before(at.Add(patience)) {
			all += span.To.Sub(span.From)
			until = at
		}
	}
	return int(math.Ceil(all.Minutes())), until
}

// note takes note of a window with both versions in it. Short ones are put
// together, up to a minute.
func (s *Settled) note(w providers.Window, earlier bool) {
	if w.From.Before(s.Seen) {
		w.From = s.Seen
	}
	s.Seen = w.To
	if last := len(s.Open) - 1; last >= 0 && s.Open[last].To.Equal(w.From) && s.Open[last].Earlier == earlier && w.To.Sub(s.Open[last].From) <= time.Minute {
		s.Open = slices.Clone(s.Open)
		s.Open[last].To = w.To
		return
	}
	s.Open = append(slices.Clip(s.Open), Span{w, earlier})
}

// Again is a window of before once it is complete.
type Again struct {
	Window           providers.Window
	Canary, Baseline providers.Sample
}

// settle counts the windows that are complete, each once, and gives up those whose
// time has long come.
func (s *Settled) settle(again []Again, in Setting, tolerance float64) (counted bool) {
	var open []Span
	for _, span := range s.Open {
		i := slices.IndexFunc(again, func(a Again) bool { return a.Window.From.Equal(span.From) && a.Window.To.Equal(span.To) })
		known := i >= 0 && Possible(again[i].Canary) && Possible(again[i].Baseline)
		switch {
		case in.Now.Before(span.complete(in.Longest)):
			open = append(open, span)
		case known:
			s.add(pair{canary: counts(again[i].Canary), baseline: counts(again[i].Baseline)}, tolerance, span.Earlier)
			counted = true
		case in.Now.Before(span.complete(in.Longest).Add(patience)):
			open = append(open, span)
		}
	}
	s.Open = open
	return counted
}

// nextStage forgets what is known of one stage only.
func (s *Settled) nextStage() {
	s.Staged, s.LogSafe = Counts{}, 0
	s.Open = slices.Clone(s.Open)
	for i := range s.Open {
		s.Open[i].Earlier = true
	}
}

// promptHarm is the log evidence of harm in what was told in time. Where calls may
// run longer it is no more than that of Split: a version that fails at once where
// the one beside it first hangs has more failures told in time, and no fewer
// successes.
func (m Arm) promptHarm() float64 {
	if m.Longest == 0 {
		return m.LogE
	}
	return min(m.LogE, m.Settled.Split.LogE)
}

// harm is the log evidence of harm in all calls: where some may run long, the mean
// of what was told in time and of what is complete.
func (m Arm) harm() float64 {
	if m.Longest == 0 {
		return m.LogE
	}
	return logSum(m.promptHarm(), m.Settled.LogE) - math.Ln2
}

// against is which evidence about calls that run long keeps a stage from passing by
// what was told in time; "" for none.
func (m Arm) against() string {
	switch {
	case m.Longest == 0:
	case m.Settled.LogE > 0:
		return "minutes of which all calls have ended speak against it: " + m.failing("calls", m.Settled.Test)
	case m.Settled.Split.LogE > 0:
		return m.Ref.String() + ": fewer calls of version " + m.New + " end well in time than its share: they hang, or run longer than " + Prompt.String() + ", and not enough is known of what becomes of them"
	}
	return ""
}

// settledPass: complete windows of this stage are evidence of no harm.
func (m Arm) settledPass(bar goal) bool {
	return m.Longest > 0 && m.Settled.LogE <= 0 && bar.reached(m.Settled.Test)
}

// evidence is the log evidence of no harm that a pass by users' calls takes. What
// was told in time and what is complete may each pass a stage, and have half of
// what is left to chance.
func (m Arm) evidence(a manifest.Analysis) float64 {
	if m.Longest == 0 {
		return evidenceOf(a, m.Probed)
	}
	return evidenceOf(a, m.Probed) + math.Ln2
}
