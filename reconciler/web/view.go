package web

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// View is what the API and the page show. Every answer is a copy.
type View interface {
	Status() Status
	// History of one environment, newest first; all with name "".
	History(environment string, limit int) []Event
	// Plan of an environment's head against what lives; nothing is written.
	Plan(ctx context.Context, environment string) (Plan, error)
	// Drift of an environment as last looked at.
	Drift(ctx context.Context, environment string) (Drift, error)
	// Input is the document policy would be asked about now at a point.
	Input(ctx context.Context, environment string, q InputQuery) (json.RawMessage, error)
	// Decisions are decision records, oldest first, a page at a time.
	Decisions(ctx context.Context, q journal.DecisionQuery) (DecisionPage, error)
	// Rollouts of one environment, newest first.
	Rollouts(ctx context.Context, q RolloutQuery) ([]Rollout, error)
	// Ready says why the daemon is not ready yet; nil when it is.
	Ready() error
}

// InputQuery says which question to policy is meant.
type InputQuery struct {
	Point string
	// Commit is another commit than the one that would be judged; "" for that.
	Commit string
}

// DecisionPage is some decision records. Next continues after them; 0 at the
// end.
type DecisionPage struct {
	Decisions []RecordedDecision `json:"decisions"`
	Next      journal.Seq        `json:"next"`
}

// RecordedDecision is a decision as the journal keeps it.
type RecordedDecision struct {
	Seq         journal.Seq `json:"seq"`
	At          time.Time   `json:"at"`
	Environment string      `json:"environment"`
	Hash        string      `json:"hash"` // of Line, as bytes: what the next record's prev names
	Line        string      `json:"line"` // the record: one line of JSON
}

// Status is where everything stands.
type Status struct {
	Pipeline     string              `json:"pipeline"`
	ObservedAt   time.Time           `json:"observed_at"`
	Control      ControlStatus       `json:"control"`
	Environments []EnvironmentStatus `json:"environments"`
	Outbox       int                 `json:"outbox"`
	Faults       []string            `json:"faults"`
	Quota        []Lane              `json:"quota"`
	Receivers    []string            `json:"receivers,omitempty"` // of alerts, by name
}

// Lane is one rate that a platform's account allows, and what of it is used.
type Lane struct {
	Name      string  `json:"lane"` // account, region and the calls it is about
	PerSecond float64 `json:"per_second"`
	Allowed   float64 `json:"allowed"`    // calls a second that this daemon takes at most now
	UsedRatio float64 `json:"used_ratio"` // share of the account's rate used over the last minute
	Calls     int64   `json:"calls"`      // since the daemon started
	Throttles int64   `json:"throttles"`  // calls the account refused for their rate
}

// ControlStatus is the state of the control branch.
type ControlStatus struct {
	Branch   string `json:"branch"`
	Commit   string `json:"commit"`
	Policies string `json:"policies"` // revision of the active policies
	// Activation is the newest attempt to make policies active.
	Activation *record.Activation `json:"activation,omitempty"`
}

// EnvironmentStatus is one environment.
type EnvironmentStatus struct {
	Name    string `json:"name"`
	Branch  string `json:"branch"`
	Commit  string `json:"commit"` // of the release in force or moving
	Head    string `json:"head"`   // of the branch
	Content string `json:"content"`
	Release string `json:"release"`
	// State is in_sync | progressing | drifted | held | denied | degraded | unknown.
	State     string         `json:"state"`
	Reason    string         `json:"reason,omitempty"`
	Rollout   RolloutStatus  `json:"rollout"`
	Drift     map[string]int `json:"drift"`     // open items by severity
	Resources map[string]int `json:"resources"` // by state: in_place | missing | differs | settling | unknown
	Holds     []HoldStatus   `json:"holds"`
	Checks    []CheckStatus  `json:"checks"`
	Promotion string         `json:"promotion,omitempty"` // why content waits to come in
	// PromotionCode is that reason's code, where the last look at promotion gave one.
	PromotionCode string         `json:"promotion_code,omitempty"`
	Queue         []QueuedStatus `json:"queue,omitempty"` // content that waits in turn, first in first
	// Approvals are the words people gave on what waits.
	Approvals     []Approval `json:"approvals,omitempty"`
	SoakSeconds   int64      `json:"soak_seconds"`
	LastError     string     `json:"last_error"`
	OldestSeconds int64      `json:"oldest_seconds"` // age of the oldest look
	Protected     bool       `json:"protected"`
	After         []string   `json:"after"`
	// Orphaned: mooring.yaml does not have it any more, and something of it is left.
	Orphaned bool `json:"orphaned,omitempty"`
}

// QueuedStatus is content that waits in turn.
type QueuedStatus struct {
	Content string    `json:"content"`
	From    string    `json:"from"`
	Commit  string    `json:"commit"` // upstream
	Since   time.Time `json:"since"`
}

// HoldStatus is one stop.
type HoldStatus struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Owner    string    `json:"owner"`
	Reason   string    `json:"reason"`
	Resource string    `json:"resource,omitempty"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until,omitzero"`
}

// CheckStatus is one check of the content in force.
type CheckStatus struct {
	Name   string    `json:"name"`
	Passed bool      `json:"passed"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
	// Unknown: there is no answer yet. By is whose verdict it is.
	Unknown bool   `json:"unknown,omitempty"`
	By      string `json:"by,omitempty"`
}

// Event is one line of history.
type Event struct {
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	Kind        string    `json:"kind"`
	Text        string    `json:"text"`
	Resource    string    `json:"resource,omitempty"`
	// Seq is the journal's record it tells of: it grows within an environment. 0
	// of what is about no environment.
	Seq uint64 `json:"seq,omitempty"`
	// Release is the digest of the release that was let in or came into force.
	Release string `json:"release,omitempty"`
	// NoReturn is why a rollback to that release would be refused; absent where
	// it would not be.
	NoReturn string `json:"no_return,omitempty"`
}

// Plan is what a commit would change.
type Plan struct {
	Environment string       `json:"environment"`
	Commit      string       `json:"commit"`
	Content     string       `json:"content"`
	Release     string       `json:"release"`
	Outcome     string       `json:"outcome"`            // in_sync | changes | held | denied | error
	Baseline    string       `json:"baseline,omitempty"` // "ref" when no journal was at hand
	Holds       []HoldStatus `json:"holds"`
	Steps       []Step       `json:"steps"`
	// Adopt lists what would be tagged as this environment's and is as
	// declared already: that is no change.
	Adopt    []string `json:"adopt"`
	Decision Decision `json:"decision"`
	// Traffic is how calls get to each function whose version changes.
	Traffic []PlannedTraffic `json:"traffic,omitempty"`
}

// PlannedTraffic is how the calls of one function, or the executions of one
// workflow, get to the version that a plan brings.
type PlannedTraffic struct {
	Resource string `json:"resource"`
	Stages   []int  `json:"stages"` // weights in percent; empty when all is moved at once
	// NotCanaried is why, then.
	NotCanaried string `json:"notCanaried,omitempty"`
	// ProbesPerMinute is how often Mooring calls both versions itself meanwhile.
	ProbesPerMinute int          `json:"probesPerMinute,omitempty"`
	Ways            []PlannedWay `json:"ways"`
}

// PlannedWay is one thing by which calls come.
type PlannedWay struct {
	Resource string `json:"resource"`
	Weighted bool   `json:"weighted"` // the weight of the alias applies
	How      string `json:"how"`
}

// Step is one change of a plan.
type Step struct {
	Resource  string  `json:"resource"`
	Operation string  `json:"operation"`
	Cause     string  `json:"cause"`
	Fields    []Field `json:"fields"`
	Note      string  `json:"note,omitempty"`
}

// Field is one field's change; values are JSON values, or tokens.
type Field struct {
	Path      string `json:"path"`
	Before    any    `json:"before"`
	After     any    `json:"after"`
	Sensitive bool   `json:"sensitive"`
}

// Decision is what policy said.
type Decision struct {
	Point    string    `json:"point"`
	Outcome  string    `json:"outcome"`
	Findings []Finding `json:"findings"`
}

// Finding is one reason.
type Finding struct {
	Code     string `json:"code"`
	Msg      string `json:"msg"`
	Resource string `json:"resource"`
	Path     string `json:"path,omitempty"`
	// Level is deny, require, warn or error: only a warn stops nothing.
	Level       string `json:"level,omitempty"`
	Remediation string `json:"remediation,omitempty"`
}

// Drift is what differs without a release.
type Drift struct {
	Environment string      `json:"environment"`
	ObservedAt  time.Time   `json:"observed_at"`
	Baseline    string      `json:"baseline,omitempty"`
	Coverage    Coverage    `json:"coverage"`
	Items       []DriftItem `json:"items"`
}

// Coverage says what was compared, and what could not be.
type Coverage struct {
	Compared      int            `json:"compared"`
	Unobservable  []Unobservable `json:"unobservable"`
	OldestSeconds int64          `json:"oldest_seconds"`
	// Layers is the age of the oldest look of each layer, in seconds.
	Layers map[string]int64 `json:"layers"`
}

// Unobservable is one field that could not be seen.
type Unobservable struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// DriftItem is one difference.
type DriftItem struct {
	ID        string    `json:"id"`
	Resource  string    `json:"resource"`
	Path      string    `json:"path"`
	Kind      string    `json:"kind"`
	Declared  any       `json:"declared"`
	Live      any       `json:"live"`
	Sensitive bool      `json:"sensitive"`
	Since     time.Time `json:"since"`
	Actor     Actor     `json:"actor"`
	Severity  string    `json:"severity"`
	Response  string    `json:"response"`
	Reason    string    `json:"reason,omitempty"`
	Confirmed bool      `json:"confirmed"`
	Rounds    int       `json:"rounds,omitempty"`
	// Proposal is what became of it where the response is propose.
	Proposal *Proposal `json:"proposal,omitempty"`
}

// Proposal is the offer to declare a difference as it lives.
type Proposal struct {
	State  string `json:"state"` // offered | refused | left (a manifest cannot say it) | held | failed
	Why    string `json:"why,omitempty"`
	Branch string `json:"branch,omitempty"`
	Commit string `json:"commit,omitempty"`
	Number int    `json:"number,omitempty"` // of the pull request
	URL    string `json:"url,omitempty"`
}

// String is Line with the address.
func (p *Proposal) String() string {
	if p.URL == "" {
		return p.Line()
	}
	return p.Line() + " " + p.URL
}

// Line says it in a line.
func (p *Proposal) Line() string {
	where := "branch " + p.Branch
	if p.Number > 0 {
		where = fmt.Sprintf("pull request %d", p.Number)
	}
	switch p.State {
	case "offered":
		return "offered by " + where
	case "refused":
		return p.Why
	case "left":
		return "not offered: " + p.Why
	}
	return p.State + ": " + p.Why
}

// Actor is who did it.
type Actor struct {
	Known bool      `json:"known"`
	Name  string    `json:"name,omitempty"`
	Event string    `json:"event,omitempty"`
	At    time.Time `json:"at,omitzero"`
}
