package web

import (
	"context"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

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

// Destroyer is a Control that removes what is left of environments that were
// taken out of the pipeline.
type Destroyer interface {
	// Destruction is what would go, and what would stay; nothing is changed.
	Destruction(ctx context.Context, environment string, data bool, by access.Person) (Destruction, error)
	Destroy(ctx context.Context, r DestroyRequest) error
}

// DestroyRequest has what is left of an environment removed.
type DestroyRequest struct {
	Environment string        `json:"environment"`
	Confirm     string        `json:"confirm"` // the environment's name once more
	Reason      string        `json:"reason"`
	Data        bool          `json:"data,omitempty"` // queues too, and what was declared with deletionPolicy: Delete
	By          access.Person `json:"-"`
}

// Destruction is what is left of an environment, and what becomes of it.
type Destruction struct {
	Environment string         `json:"environment"`
	Begun       bool           `json:"begun"`   // somebody has it destroyed now
	Deletes     []Doomed       `json:"deletes"` // in the order in which they go
	Keeps       []Spared       `json:"keeps"`
	Holds       []HoldStatus   `json:"holds"`   // that stop it
	Unknown     []Unobservable `json:"unknown"` // what could not be looked at, and why
}

// Doomed is a resource that goes.
type Doomed struct {
	Resource string `json:"resource"`
	Name     string `json:"name,omitempty"` // as the platform calls it
	With     string `json:"with,omitempty"` // it goes by itself when this one does
	Data     bool   `json:"data,omitempty"` // it holds what cannot be made again
}

// Spared is a resource that stays.
type Spared struct {
	Resource string `json:"resource"`
	Name     string `json:"name,omitempty"` // as the platform calls it
	Why      string `json:"why"`
	Data     bool   `json:"data,omitempty"` // it goes when what holds data goes too
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
	Identity    string        `json:"identity,omitempty"` // oidc:ISSUER|SUBJECT where the name is an issuer's alone
	Findings    []string      `json:"findings"`           // codes it was given in view of
	Until       time.Time     `json:"until,omitzero"`
	Counts      bool          `json:"counts"`
	Why         string        `json:"why,omitempty"` // it does not count
}
