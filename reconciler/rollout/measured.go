package rollout

import (
	"fmt"
	"slices"
)

// Measured is what one source beside the calls says of the release: a metric,
// or an alarm.
type Measured struct {
	Name    string   `json:"name"`
	Alarm   bool     `json:"alarm,omitempty"`
	Verdict Verdict  `json:"verdict,omitempty"` // "" while it was not asked in this stage
	Detail  string   `json:"detail,omitempty"`
	Value   *float64 `json:"value,omitempty"` // nil: none is known
	DryRun  bool     `json:"dryRun,omitempty"`
	// Red: it failed before the new version got its first call, and did not pass
	// since. That is not the new version's doing, and a fix must get through.
	Red bool `json:"red,omitempty"`
}

// Heard is what was known of measures with newer answers in their place.
func (s State) Heard(seen []Measured) []Measured {
	s.Measures = slices.Clone(s.Measures)
	s.hear(seen)
	return s.Measures
}

// hear takes in answers. While nothing serves the new version yet they tell
// which measures are red without it.
func (s *State) hear(seen []Measured) {
	before := s.Phase == Expand || s.Phase == Check
	if s.Phase == Idle || s.Phase == Back {
		return
	}
	for _, m := range seen {
		i := s.measure(m.Name, m.Alarm)
		old := Measured{}
		if i >= 0 {
			old = s.Measures[i]
		}
		switch m.Verdict {
		case Fail:
			m.Red = before || old.Red
		case Pass:
			m.Red = false
		default: // says nothing, and changes nothing about what is red
			m.Red = old.Red
		}
		if i >= 0 {
			s.Measures[i] = m
		} else {
			s.Measures = append(s.Measures, m)
		}
	}
}

func (s *State) measure(name string, alarm bool) int {
	return slices.IndexFunc(s.Measures, func(m Measured) bool { return m.Name == name && m.Alarm == alarm })
}

// alarmed is which measure takes the release back, or "".
func (s *State) alarmed() string {
	for _, m := range s.Measures {
		if m.Verdict == Fail && !m.Red && !m.DryRun {
			return m.what() + ": " + m.Detail
		}
	}
	return ""
}

// unmeasured is which declared measure has not passed in this stage, or "". One
// that is red without the new version is not waited for.
func (s *State) unmeasured() string {
	open := func(name string, alarm bool) string {
		m := Measured{Name: name, Alarm: alarm}
		if i := s.measure(name, alarm); i >= 0 {
			m = s.Measures[i]
		}
		switch {
		case m.Verdict == Pass || m.Verdict == Fail && m.Red:
			return ""
		case m.Verdict == Unjudged:
			return m.what() + " was not asked yet"
		}
		return m.what() + ": " + m.Detail
	}
	for _, d := range s.Analysis.Metrics {
		if why := open(d.Name, false); why != "" && !d.DryRun {
			return why
		}
	}
	for _, name := range s.Analysis.Alarms {
		if why := open(name, true); why != "" {
			return why
		}
	}
	return ""
}

func (m Measured) what() string {
	if m.Alarm {
		return fmt.Sprintf("alarm %s", m.Name)
	}
	return fmt.Sprintf("metric %s", m.Name)
}
