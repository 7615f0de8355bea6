package journal

import (
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// State is the fold of all records: everything the daemon remembers.
type State struct {
	Seq          Seq
	Environments map[string]*Environment
	Alerts       map[string]AlertState // by fingerprint: the newest
	Outbox       []Pending             // oldest first
	// OutboxBytes is about what Outbox takes, and Dropped how many resolved alerts
	// were dropped from it, ever, because nobody took them.
	OutboxBytes int    `json:",omitempty"`
	Dropped     uint64 `json:",omitempty"`
	// DeadLetters were refused for good; newest last, bounded.
	DeadLetters  []DeadLetter `json:",omitempty"`
	DecisionHash string       // of the last decision record
	Fence        Fence
	Evidence     []Evidence          // posted, newest last, bounded
	Activations  []record.Activation // of policies, newest last, bounded
	PolicyWords  []record.PolicyWord // people's, on policies, newest last, bounded
	Audit        []record.Audit      // acts and refusals, newest last, bounded
}

// Environment is what is remembered of one environment.
type Environment struct {
	Name string
	// Branch is the commit last judged (whatever came of it).
	Branch string
	// Judged is the newest admission record; Admitted the newest allowed one.
	Judged   *record.Admission
	Admitted *record.Admission
	// Contents is every content that was admitted, with when.
	Contents map[string]time.Time
	// Known is every release admitted, newest last, bounded to the last 50.
	Known   []record.Admission
	Applied map[manifest.Ref]record.Fact
	Rollout rollout.State
	// Rollouts are the newest ones, newest last, bounded to the last 50.
	Rollouts []Rollout
	Intents  map[manifest.Ref]record.Intent // not yet answered
	// Wrote is the release of the newest intent per resource that no fact
	// followed yet: what an overtaken release may have left behind.
	Wrote       map[manifest.Ref]string
	Parked      map[manifest.Ref]record.Outcome // permanent errors
	OwnRequests map[string]time.Time            // request ids of our writes, bounded
	Holds       map[string]record.Hold
	Approvals   []record.Approval
	Quarantine  map[record.Key]record.Quarantine
	Drift       map[string]record.DriftItem
	Unnamed     map[string]record.DriftItem // resolved, and nobody knows yet who made them; bounded
	Rounds      map[string]Rounds           // by drift item id, surviving its resolution
	Checks      map[record.Key]map[string]record.CheckResult
	Soak        Soak
	Soaked      map[string]Soak    // the longest of each release, by digest; bounded
	Queue       []record.Queued    // content that waits in turn, first in first
	LastQueued  record.Queued      // what joined last, waiting or not
	Promotions  []record.Promotion // newest last, bounded to the last 50
	Requests    map[string]Request // open ones
	// Switches are the dead man's switches that stand at the platform, or may.
	Switches map[manifest.Ref]record.Switch
	// Place is where it was when something of it was last seen in place; nil:
	// that was before this was remembered.
	Place *record.Place `json:",omitempty"`
	// Adoption is the newest offer to declare what was changed by hand, Refused
	// what people did not want declared, by its print; bounded.
	Adoption record.Adoption           `json:",omitzero"`
	Refused  map[string]record.Refusal `json:",omitempty"`
	History  []Event                   // what people see, bounded to the last 500
}

// Rounds counts reverts of one difference.
type Rounds struct {
	Count int
	Last  time.Time
}

// Event is one line of history.
type Event struct {
	Seq  Seq       `json:"seq"`
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
	Ref  string    `json:"resource,omitempty"`
	// Release is the digest of the release that was let in or came into force.
	Release string `json:"release,omitempty"`
}

// AlertState is the newest state of one alert.
type AlertState struct {
	Alert Alert
	Since time.Time // firing since
	Sent  Sent      // since it fires; kept when it is over, until it fires again
}

// Sent is what was put into the outbox of one alert since it fires. Its zero
// value: nobody is told.
type Sent struct {
	Severity string    // the alert's own, when it was sent last
	At       time.Time // when that was
	// To is every receiver it went to, with each severity it had there, newest last.
	To map[string][]string `json:",omitempty"`
}

// DeadLetter is an alert that a receiver refused for good.
type DeadLetter struct {
	ID, Fingerprint, Title, Receiver, Error string
	At                                      time.Time // it was refused
}

// Pending is an alert on its way to one receiver.
type Pending struct {
	Alert    Alert
	Receiver string
	Group    string `json:",omitempty"` // what goes as one message has this in common; "": nothing
}
