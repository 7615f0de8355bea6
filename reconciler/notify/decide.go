package notify

import "time"

// Last is what was last sent about a fingerprint. The zero Last: nothing.
type Last struct {
	Status   string
	Severity string
	At       time.Time
}

// rank orders severities; what is unknown ranks highest, so that it is told.
func rank(severity string) int {
	switch severity {
	case "low":
		return 1
	case "medium":
		return 2
	case "high":
		return 3
	case "critical":
		return 4
	}
	return 5
}

// MoreSevere: severity a is above severity b.
func MoreSevere(a, b string) bool { return rank(a) > rank(b) }

// Decide says whether an event is worth a message after what was last sent
// about the same fingerprint, and why. Changes of text are not: an alert is
// its fingerprint. repeat is how often a firing alert is told again; 0: never.
//
//	last      now        send
//	nothing   firing     yes
//	nothing   resolved   no: nobody was told
//	firing    firing     when the severity rose, or repeat is over
//	firing    resolved   yes
//	resolved  firing     yes
//	resolved  resolved   no
func Decide(last Last, e Event, repeat time.Duration) (send bool, why string) {
	fired := last.Status == Firing
	switch {
	case e.Status != Firing && fired:
		return true, "resolved"
	case e.Status != Firing:
		return false, "nothing was firing"
	case last.Status == "":
		return true, "first"
	case !fired:
		return true, "fires again"
	case MoreSevere(e.Severity, last.Severity):
		return true, "more severe"
	case repeat > 0 && e.At.Sub(last.At) >= repeat:
		return true, "still firing"
	}
	return false, "already told"
}
