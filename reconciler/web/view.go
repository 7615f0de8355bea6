package web

import (
	"context"
	"encoding/json"
	"time"

	"mooring.dev/reconciler/access"
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

// Control is what people can have done. Each act checks itself whether who asks
// may, answers *access.Refusal if not, and is recorded.
type Control interface {
	Hold(ctx context.Context, h HoldRequest) (record.Hold, error)
	Resume(ctx context.Context, r ResumeRequest) error
	Rollback(ctx context.Context, r RollbackRequest) error
	Promote(ctx context.Context, environment string, by access.Person) error
	Sync(ctx context.Context, environment string, by access.Person) error
	// Rollout is a person's word on the release that moves, or that failed.
	Rollout(ctx context.Context, r RolloutRequest) error
	// Answer is a person's word on one difference, over policy's.
	Answer(ctx context.Context, a DriftAnswer) error
	// Approve is a person's word on content that waits.
	Approve(ctx context.Context, a ApprovalRequest) (Approval, error)
}

// Witness is a Control that takes verdicts.
type Witness interface {
	// Verdict is somebody's word on a content, for a check that waits for it.
	Verdict(ctx context.Context, v VerdictRequest) (record.CheckResult, error)
}

// VerdictRequest says whether a content has passed a check.
type VerdictRequest struct {
	Environment string `json:"environment"`
	Check       string `json:"check"`
	// Content is the digest of what was looked at, or the beginning of it.
	Content string        `json:"content"`
	Passed  bool          `json:"passed"`
	Reason  string        `json:"reason,omitempty"`
	By      access.Person `json:"-"`
}

// Tester is a Control that sends a message that says it is a test to a receiver,
// and tells what became of it.
type Tester interface {
	TestReceiver(ctx context.Context, name string, by access.Person) error
}

// Collector is a Control that takes signed statements.
type Collector interface {
	// AddEvidence keeps an envelope of statements that are signed by a known
	// key, and says what they state.
	AddEvidence(ctx context.Context, r EvidenceRequest) ([]Statement, error)
}

// Governor is a Control that takes people's words on policies.
type Governor interface {
	// PolicyWord is a person's word on policies that those in force keep out.
	PolicyWord(ctx context.Context, r PolicyRequest) (Approval, error)
}

// PolicyRequest is a person's word on the policies at a commit of the control
// branch that do not become active because of those in force.
type PolicyRequest struct {
	Commit string        `json:"commit"` // or the beginning of it; "" is the one that waits
	Answer record.Answer `json:"answer,omitempty"`
	Reason string        `json:"reason,omitempty"`
	For    time.Duration `json:"for,omitempty"` // how long an approval is good; every one ends
	By     access.Person `json:"-"`
	Force  bool          `json:"-"` // whatever the policies in force say
}

// EvidenceRequest is a DSSE envelope, or one on each line.
type EvidenceRequest struct {
	Envelope []byte
	By       access.Person
}

// Statement is what a signed statement says.
type Statement struct {
	Digest        string   `json:"digest"` // of its envelope
	Kind          string   `json:"kind"`   // test_result | provenance | attestation
	Name          string   `json:"name,omitempty"`
	PredicateType string   `json:"predicate_type"`
	Signer        string   `json:"signer"` // whose key
	Passed        bool     `json:"passed"`
	Subjects      []string `json:"subjects"`
}

// ResumeRequest lifts one hold by its id, or with "" every one.
type ResumeRequest struct {
	Environment string        `json:"environment"`
	Hold        string        `json:"hold"`
	Reason      string        `json:"reason,omitempty"`
	By          access.Person `json:"-"`
}

// RollbackRequest returns an environment to an earlier release: a digest or a
// commit, "" for the one before.
type RollbackRequest struct {
	Environment string        `json:"environment"`
	To          string        `json:"to"`
	Reason      string        `json:"reason"`
	By          access.Person `json:"-"`
}

// The acts of a RolloutRequest.
const (
	RolloutAbort  = "abort"  // traffic back to stable; the content is not tried again
	RolloutPause  = "pause"  // it stays at its weight, and goes on being looked at
	RolloutResume = "resume" // a pause is over
	RolloutRetry  = "retry"  // failed content may be tried again
)

// RolloutRequest is what a person wants of the release that moves, or of the
// one that failed.
type RolloutRequest struct {
	Environment string        `json:"environment"`
	Act         string        `json:"act"`
	Reason      string        `json:"reason"`
	For         time.Duration `json:"for,omitempty"` // of a pause: every one ends
	By          access.Person `json:"-"`
}

// HoldRequest asks for a hold. Resource and Item narrow it.
type HoldRequest struct {
	Environment string        `json:"environment"`
	Resource    string        `json:"resource,omitempty"`
	Item        string        `json:"item,omitempty"`
	Reason      string        `json:"reason"`
	For         time.Duration `json:"for"` // every hold ends
	By          access.Person `json:"-"`
	Suspend     bool          `json:"suspend,omitempty"`
}

// DriftAnswer is what a person wants done about a difference: put it back, or
// let it be for a while.
type DriftAnswer struct {
	Environment string        `json:"environment"`
	Item        string        `json:"item"`
	Accept      bool          `json:"accept,omitempty"` // else: put it back
	For         time.Duration `json:"for,omitempty"`    // of an acceptance: every one ends
	Reason      string        `json:"reason,omitempty"`
	By          access.Person `json:"-"`
}

// ApprovalRequest is a person's word on the content that waits to be admitted
// or promoted.
type ApprovalRequest struct {
	Environment string        `json:"environment"`
	Answer      record.Answer `json:"answer"`
	// Content is the digest of what is meant, or the beginning of it; "" is the
	// one content that waits.
	Content string        `json:"content,omitempty"`
	Reason  string        `json:"reason,omitempty"`
	For     time.Duration `json:"for,omitempty"` // how long an approval is good; every one ends
	By      access.Person `json:"-"`
}

// Approval is what was recorded, and whether it counts.
type Approval struct {
	Environment string        `json:"environment"`
	Content     string        `json:"content"`
	Answer      record.Answer `json:"answer"`
	By          string        `json:"by"`
	Findings    []string      `json:"findings"` // codes it was given in view of
	Until       time.Time     `json:"until,omitzero"`
	Counts      bool          `json:"counts"`
	Why         string        `json:"why,omitempty"` // it does not count
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
	// Approvals are the words people gave on what waits.
	Approvals     []Approval `json:"approvals,omitempty"`
	SoakSeconds   int64      `json:"soak_seconds"`
	LastError     string     `json:"last_error"`
	OldestSeconds int64      `json:"oldest_seconds"` // age of the oldest look
	Protected     bool       `json:"protected"`
	After         []string   `json:"after"`
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
	NotCanaried string       `json:"notCanaried,omitempty"`
	Ways        []PlannedWay `json:"ways"`
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
}

// Actor is who did it.
type Actor struct {
	Known bool      `json:"known"`
	Name  string    `json:"name,omitempty"`
	Event string    `json:"event,omitempty"`
	At    time.Time `json:"at,omitzero"`
}
