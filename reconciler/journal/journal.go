// Package journal is the daemon's only memory: an append-only sequence of
// records whose fold is the state. It refuses to hold anything that can be
// looked up (live resources, trees) and any secret.
package journal

import (
	"context"
	"errors"
	"iter"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// Seq numbers records from 1 without gaps.
type Seq uint64

// Fence proves that the writer still holds the lease. A Store refuses an
// append whose fence is older than the newest it knows.
type Fence uint64

// Record is one thing that happened. Exactly one body is set; a record about
// an environment names it.
type Record struct {
	Seq         Seq       `json:"seq"`
	At          time.Time `json:"at"`
	Environment string    `json:"env,omitempty"`

	Admission  *record.Admission   `json:"admission,omitempty"`
	Fact       *record.Fact        `json:"fact,omitempty"`
	Intent     *record.Intent      `json:"intent,omitempty"`
	Outcome    *record.Outcome     `json:"outcome,omitempty"`
	Rollout    *rollout.State      `json:"rollout,omitempty"`
	Hold       *record.Hold        `json:"hold,omitempty"`
	Lift       *Lift               `json:"lift,omitempty"`
	Approval   *record.Approval    `json:"approval,omitempty"`
	Quarantine *record.Quarantine  `json:"quarantine,omitempty"`
	Retry      *Retry              `json:"retry,omitempty"`
	Drift      *record.DriftItem   `json:"drift,omitempty"`
	Resolved   *Resolved           `json:"resolved,omitempty"`
	Named      *Named              `json:"named,omitempty"`
	Check      *record.CheckResult `json:"check,omitempty"`
	Soak       *Soak               `json:"soak,omitempty"`
	Promotion  *record.Promotion   `json:"promotion,omitempty"`
	Request    *Request            `json:"request,omitempty"`
	Decision   *Decision           `json:"decision,omitempty"`
	Alert      *Alert              `json:"alert,omitempty"`
	Delivered  *Delivered          `json:"delivered,omitempty"`
	Evidence   *Evidence           `json:"evidence,omitempty"`
	Lease      *Lease              `json:"lease,omitempty"`
	Activation *record.Activation  `json:"activation,omitempty"`
	PolicyWord *record.PolicyWord  `json:"policyWord,omitempty"`
	Switch     *record.Switch      `json:"switch,omitempty"`
	Audit      *record.Audit       `json:"audit,omitempty"`
	Queued     *record.Queued      `json:"queued,omitempty"`
	Place      *record.Place       `json:"place,omitempty"`
	Adoption   *record.Adoption    `json:"adoption,omitempty"`
}

// Lift ends a hold.
type Lift struct {
	ID  string `json:"id"`
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
}

// Retry lifts a quarantine.
type Retry struct {
	Key    record.Key `json:"key"`
	By     string     `json:"by"`
	Reason string     `json:"reason,omitempty"`
}

// Resolved ends a drift item.
type Resolved struct {
	ID  string `json:"id"`
	How string `json:"how"` // reverted | gone | released | accepted
}

// Named tells who made a difference that was over before the audit trail told.
// An actor that is not known ends the search.
type Named struct {
	ID    string          `json:"id"`
	Actor providers.Actor `json:"actor"`
}

// Soak is observed, healthy time in force accrued by one release.
type Soak struct {
	Release string        `json:"release"` // digest
	Elapsed time.Duration `json:"elapsed"` // total so far
	Tick    time.Time     `json:"tick"`
	Reset   bool          `json:"reset,omitempty"` // continuity was lost
}

// Request is a person's wish that a pass carries out.
type Request struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"` // promote | rollback | abort | sync | accept | destroy
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	To     string    `json:"to,omitempty"` // a release digest, for rollback; "data" for destroy with what holds data
	Done   bool      `json:"done,omitempty"`
	Result string    `json:"result,omitempty"`
	At     time.Time `json:"at"`
}

// Decision is one decision record, chained.
type Decision struct {
	ID      string `json:"id"`
	Point   string `json:"point"`
	Outcome string `json:"outcome"`
	// Line is the decision record (masked JSON), its "prev" member filled in.
	Line []byte `json:"line"`
	Hash string `json:"hash"` // of Line: the next record's prev
}

// Alert is an event to be delivered: the outbox is the alerts not yet
// delivered to each of their receivers.
type Alert struct {
	ID          string            `json:"id"` // idempotency key
	Fingerprint string            `json:"fingerprint"`
	Status      string            `json:"status"` // firing | resolved
	Kind        string            `json:"kind"`
	Severity    string            `json:"severity"`
	Title       string            `json:"title"`
	Text        string            `json:"text"`
	Resource    string            `json:"resource,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Facts       []Fact            `json:"facts,omitempty"` // what Text says, one by one
	Receivers   []string          `json:"receivers"`
	// Severities are those of receivers at which it is not Severity.
	Severities map[string]string `json:"severities,omitempty"`
	// Groups is, by receiver, what alerts share that go as one message there.
	Groups map[string]string `json:"groups,omitempty"`
	At     time.Time         `json:"at"`
	Trace  string            `json:"trace,omitempty"` // where it was raised, as a traceparent; "": it was not traced
}

// Fact is one thing that is known about an alert, for people.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Delivered is what became of one alert at one receiver.
type Delivered struct {
	ID       string `json:"id"`
	Receiver string `json:"receiver"`
	Dead     bool   `json:"dead,omitempty"` // refused for good
	Error    string `json:"error,omitempty"`
}

// Evidence is an envelope of signed statements that was posted. Its signature
// is verified anew at each use.
type Evidence struct {
	Digest   string    `json:"digest"` // of Envelope
	Envelope []byte    `json:"envelope"`
	By       string    `json:"by"` // who posted it, which is not who signed it
	At       time.Time `json:"at"`
}

// Lease is a daemon taking over.
type Lease struct {
	Instance string `json:"instance"`
	Fence    Fence  `json:"fence"`
}

// Store keeps records durably. An append is atomic and ordered; what was
// appended is read back by every later Records, also after a crash.
type Store interface {
	// Append writes records in order and assigns Seq. ErrFenced when another
	// daemon took over.
	Append(ctx context.Context, fence Fence, recs ...Record) error
	// Records yields what was appended after a sequence number, in order. A
	// damaged record ends the sequence with an error.
	Records(ctx context.Context, after Seq) iter.Seq2[Record, error]
	// Acquire takes the store for one instance and returns its fence.
	// ErrLocked when another daemon holds it.
	Acquire(ctx context.Context, instance string) (Fence, error)
	Close() error
}

var (
	// ErrFenced: another daemon took over; stop writing.
	ErrFenced = errors.New("journal: another daemon took over")
	// ErrLocked: another daemon holds the journal.
	ErrLocked = errors.New("journal: in use by another daemon")
	// ErrCorrupt: the journal is damaged; nothing was changed.
	ErrCorrupt = errors.New("journal: damaged")
)
