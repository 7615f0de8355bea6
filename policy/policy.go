// Package policy is the contract of deciding: the points at which policy is
// asked, the documents it is given (public and versioned), and what may come
// out. It refuses to know any policy language.
package policy

import (
	"context"
	"errors"
)

// Point is where policy is asked.
type Point string

const (
	Admission Point = "admission"
	Promotion Point = "promotion"
	Rollout   Point = "rollout"
	Drift     Point = "drift"
	Notify    Point = "notify"
	// Activation is about policies themselves: those in force are asked about
	// others that would take their place, and only where they speak about it.
	Activation Point = "activation"
)

// Outcome is what a decision came to. The zero Outcome denies.
type Outcome string

const (
	Deny  Outcome = "deny"
	Allow Outcome = "allow"
	Hold  Outcome = "hold"
	// Error: something could not be evaluated. It is never an allow: at
	// admission it denies, at promotion it holds, a rollout stays at its
	// weight, drift is alerted and not touched, an event goes to the default
	// receiver. What other packages said is among the findings all the same.
	Error Outcome = "error"
)

// Finding is one reason.
type Finding struct {
	Code        string `json:"code"`
	Msg         string `json:"msg"`
	Resource    string `json:"resource,omitempty"`
	Path        string `json:"path,omitempty"`
	Details     any    `json:"details,omitempty"`
	Remediation string `json:"remediation,omitempty"`
	// Level is deny | require | warn | error.
	Level   string `json:"level,omitempty"`
	Package string `json:"package,omitempty"`
}

// Action is the answer to one drift item.
type Action struct {
	Item    string `json:"item"`
	Do      string `json:"do"` // revert | alert | hold | propose | ignore
	Reason  string `json:"reason,omitempty"`
	UntilNS int64  `json:"until_ns,omitempty"`
}

// Route sends an event to a receiver.
type Route struct {
	Receiver string `json:"receiver"`
	// Severity is the event's there; "": its own.
	Severity string `json:"severity,omitempty"`
	// GroupBy is what events have in common that wait for the receiver and go as
	// one message there: one of Groupings. "": only a storm goes as one.
	GroupBy string `json:"group_by,omitempty"`
}

// Severities are those of events, the least severe first.
func Severities() []string { return []string{"low", "medium", "high", "critical"} }

// Groupings are the fields of an event that a route may group by.
func Groupings() []string { return []string{"environment", "kind", "resource", "severity"} }

// Decision is what policy said at one point. Its zero value denies.
type Decision struct {
	ID       string    `json:"id"`
	Point    Point     `json:"point"`
	Outcome  Outcome   `json:"outcome"`
	Findings []Finding `json:"findings"`
	// Default is true when no package decided (none is there, or none allowed,
	// denied or held): the built-in default applied and is Outcome. At Rollout
	// it means "follow the analysis", at Drift "use the catalogue", at Notify
	// "the default receiver".
	Default bool `json:"default,omitempty"`
	// Allowed: at admission and promotion, it is an allow once every
	// requirement is met; nothing denies it and nothing is broken.
	Allowed   bool     `json:"allowed,omitempty"`
	RecheckNS int64    `json:"recheck_ns,omitempty"` // when to ask again; 0: no time known
	Flags     []string `json:"flags,omitempty"`
	Revision  string   `json:"revision,omitempty"` // of the policies

	Abort   []Finding `json:"abort,omitempty"` // rollout
	Pause   []Finding `json:"pause,omitempty"`
	Advance bool      `json:"advance,omitempty"` // rollout: policy positively says go on
	// WeightCap is the highest weight in percent policy allows; 0: no cap said.
	WeightCap int      `json:"weight_cap,omitempty"`
	Actions   []Action `json:"actions,omitempty"` // drift, one per item a package spoke about, combined
	Routes    []Route  `json:"routes,omitempty"`  // notify
	Muted     bool     `json:"muted,omitempty"`

	// Record is the decision record as one JSON line (sensitive values are tokens), for the journal.
	Record []byte `json:"-"`
}

// ErrInput: the document is not of the form policy is given at this point, so
// that nobody was asked. Evaluators' errors tell it by errors.Is.
var ErrInput = errors.New("the input does not fit its schema")

// About is what an Evaluator knows of its policies without asking them.
type About struct {
	Digest   string            // of the folder they were read from
	Tests    int               // of the folder; all passed
	Guards   []string          // the packages that are asked at Activation
	Packages map[string]string // a digest of each package's text, helpers among them
}

// Described is an Evaluator that tells of its policies.
type Described interface{ About() About }

// Evaluator asks policy. An error is a failure to evaluate; the Decision that
// comes with it is the point's closed answer, so a caller that looks only at
// the Decision is safe.
type Evaluator interface {
	Evaluate(ctx context.Context, point Point, in Input) (Decision, error)
}
