// Package record is what the journal remembers: holds, approvals, quarantine,
// facts, drift items, admissions. It is data only: pure, and it decides
// nothing.
package record

import (
	"cmp"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Release names one release in force, moving or admitted.
type Release struct {
	Commit  string `json:"commit"`
	Content string `json:"content"` // content digest
	Overlay string `json:"overlay"` // digest of the environment's overlay
	Digest  string `json:"digest"`  // release digest
}

// Key is what evidence, approvals and quarantine are bound to: a content as
// one environment would render it.
type Key struct {
	Content string `json:"content"`
	Overlay string `json:"overlay"`
}

// Key of a release.
func (r Release) Key() Key { return Key{Content: r.Content, Overlay: r.Overlay} }

// Admission is a commit judged at the admission point.
type Admission struct {
	Release  Release   `json:"release"`
	Outcome  string    `json:"outcome"`        // allow | hold | deny | error | invalid
	From     string    `json:"from,omitempty"` // the branch's commit before
	Update   string    `json:"update"`         // how the branch got there
	Reason   string    `json:"reason,omitempty"`
	Decision string    `json:"decision,omitempty"` // decision id
	Findings []Finding `json:"findings,omitempty"`
	At       time.Time `json:"at"`
	// Policy is the revision of the policies that judged, Basis the digest of
	// everything else the judgement rests on (branch update, pipeline): when
	// either changes, a commit that was not allowed is judged again.
	Policy string `json:"policy,omitempty"`
	Basis  string `json:"basis,omitempty"`
	// RecheckAt is when time alone may change the judgement.
	RecheckAt time.Time `json:"recheckAt,omitzero"`
	// Promoted is the environment this content was promoted from by Mooring;
	// "" for a commit by hand.
	Promoted string `json:"promoted,omitempty"`
	// Flags are what policy raised here or before, for later decisions about
	// this content; ApprovedBy, whose approval the admission rests on.
	Flags      []string `json:"flags,omitempty"`
	ApprovedBy []string `json:"approvedBy,omitempty"`
}

// Finding is a reason kept with a decision.
type Finding struct {
	Code     string `json:"code"`
	Msg      string `json:"msg"`
	Resource string `json:"resource,omitempty"`
}

// Fact is something seen: this resource was in place as this release declares
// it. Facts come from observation only, never from an answered call.
type Fact struct {
	Ref     manifest.Ref      `json:"ref"`
	Gone    bool              `json:"gone,omitempty"` // seen to be removed
	Release string            `json:"release"`        // release digest that declares it so
	Fields  map[string]string `json:"fields,omitempty"`
	// Snapshot and Version tell which published version carries this.
	Snapshot string `json:"snapshot,omitempty"`
	Version  string `json:"version,omitempty"`
	// Newest is the newest version there was that a release can have made:
	// those after it are somebody else's.
	Newest string `json:"newest,omitempty"`
	// Identity tells what lives from another of the same name made after it;
	// "" of kinds that have none, and while it is not known.
	Identity string    `json:"identity,omitempty"`
	At       time.Time `json:"at"`
}

// Intent is a write about to be made; it is journaled before the call.
type Intent struct {
	Ref       manifest.Ref    `json:"ref"`
	Operation string          `json:"operation"`
	Cause     string          `json:"cause"`
	Release   string          `json:"release"`
	Guard     providers.Guard `json:"guard,omitempty"`
	At        time.Time       `json:"at"`
}

// Outcome is how an intent ended, as answered (not a fact).
type Outcome struct {
	Ref        manifest.Ref `json:"ref"`
	Operation  string       `json:"operation"`
	RequestIDs []string     `json:"requestIds,omitempty"` // ours: to recognise our own writes
	Kind       string       `json:"kind,omitempty"`       // error kind; "" when it succeeded
	Error      string       `json:"error,omitempty"`
	// Input is the digest a permanent error was about: it is not tried again
	// until this changes.
	Input string    `json:"input,omitempty"`
	At    time.Time `json:"at"`
}

// Hold is a recorded stop with owner, reason and expiry.
type Hold struct {
	ID    string    `json:"id"`
	Scope HoldScope `json:"scope"`
	Owner string    `json:"owner"` // "mooring", or local:USER (unverified)
	// Kind tells what made it: manual, rollback, forced_update,
	// branch_deleted, empty, deletion_guard, adoption, mitigation, fight,
	// undecided, admission, promotion, contract, suspend, recovered, pause,
	// deadman.
	Kind   string    `json:"kind"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until what it waits for changes
	// About is what lifts the hold by itself: a release digest or commit that,
	// once no longer current, makes the hold pointless. "" for manual ones.
	About string `json:"about,omitempty"`
}

// PauseHold is the kind of hold that keeps one release at its weight. It is
// about that release alone: a newer one overtakes it.
const PauseHold = "pause"

// HoldScope is what a hold stops. A zero Ref and Item mean the environment.
type HoldScope struct {
	Ref  manifest.Ref `json:"ref,omitzero"`
	Item string       `json:"item,omitempty"` // a drift item's id
}

// Active holds stop forward steps now.
func (h Hold) Active(now time.Time) bool { return h.Until.IsZero() || now.Before(h.Until) }

// Covers says whether the hold stops writes about ref. A pause stops a rollout
// from going on, and no write.
func (h Hold) Covers(ref manifest.Ref) bool {
	return h.Kind != PauseHold && h.Scope.Item == "" && (h.Scope.Ref == (manifest.Ref{}) || h.Scope.Ref == ref)
}

// Answer is what a person says of content that waits.
type Answer string

const (
	// Approved: it may come in.
	Approved Answer = "approve"
	// Rejected: it may not, until the same person says otherwise.
	Rejected Answer = "reject"
	// Withdrawn: what the person said before no longer holds.
	Withdrawn Answer = "withdraw"
)

// Approval is a named person's word on one key, given in view of findings. The
// newest of a person's about a key holds.
type Approval struct {
	Key      Key       `json:"key"`
	By       string    `json:"by"`
	Identity string    `json:"identity,omitempty"` // oidc:ISSUER|SUBJECT where the name is an issuer's alone
	Verified bool      `json:"verified"`           // the name was proved
	Proof    string    `json:"proof,omitempty"`    // by what: token:ID or oidc:ISSUER|SUBJECT; "" by a review, or before this was kept
	Answer   Answer    `json:"answer,omitempty"`   // "" is approve
	Findings []string  `json:"findings"`           // codes it was given in view of
	Emails   []string  `json:"emails,omitempty"`   // by which commits of that person are known
	Teams    []string  `json:"teams,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Review   string    `json:"review,omitempty"` // on the host, that said it
	At       time.Time `json:"at"`
	Until    time.Time `json:"until,omitzero"`
	// Guard: it lifted a hold of Mooring's own (deletions, adoptions) and is no
	// answer to policy.
	Guard bool `json:"guard,omitempty"`
}

// Person is by which words of one giver are known to be of one: the name, or
// who it is at an issuer.
func (a Approval) Person() string { return cmp.Or(a.Identity, a.By) }

// Quarantine keeps failed content from being tried again.
type Quarantine struct {
	Key    Key       `json:"key"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// DriftKind is how live differs from declared.
type DriftKind string

const (
	Changed DriftKind = "changed"
	Missing DriftKind = "missing"
	Extra   DriftKind = "extra"
)

// Response to a drift item.
type Response string

const (
	Revert  Response = "revert"
	Alert   Response = "alert"
	HoldIt  Response = "hold"
	Propose Response = "propose"
	Ignore  Response = "ignore"
)

// DriftItem is one difference that no release explains. Values are canonical
// JSON text, or tokens where sensitive.
type DriftItem struct {
	ID       string       `json:"id"` // stable while the same difference lasts
	Ref      manifest.Ref `json:"resource"`
	Parent   manifest.Ref `json:"parent,omitzero"` // of an extra
	Path     string       `json:"path"`            // "" for the resource as a whole
	Kind     DriftKind    `json:"kind"`
	Declared string       `json:"declared,omitempty"`
	Live     string       `json:"live,omitempty"`
	// Sensitive values are tokens.
	Sensitive bool            `json:"sensitive,omitempty"`
	Since     time.Time       `json:"since"`
	Seen      int             `json:"seen"`   // distinct looks in a row; 2 confirm
	SeenAt    time.Time       `json:"seenAt"` // the newest look that counted
	Actor     providers.Actor `json:"actor"`
	// Severity is low | medium | high | critical.
	Severity string `json:"severity"`
	// Default is the table's response, Response what was decided.
	Default  Response `json:"default"`
	Response Response `json:"response"`
	Reason   string   `json:"reason,omitempty"`
	Policy   bool     `json:"policy,omitempty"` // Response came from a policy package
	Decision string   `json:"decision,omitempty"`
	// Until ends the response: policy is asked again then.
	Until time.Time `json:"until,omitzero"`
	// Rounds counts reverts made against the same difference.
	Rounds int  `json:"rounds,omitempty"`
	Open   bool `json:"open,omitempty"` // lets the public in, or grants rights
	// Contract is true when it breaks what the code expects.
	Contract bool `json:"contract,omitempty"`
}

// Confirmed items were seen twice: once may be a stale read.
func (d DriftItem) Confirmed() bool { return d.Seen >= 2 }

// CheckResult is evidence: a check of an environment run on a content.
type CheckResult struct {
	Key    Key       `json:"key"`
	Name   string    `json:"name"`
	Passed bool      `json:"passed"`
	Detail string    `json:"detail,omitempty"` // never a payload
	At     time.Time `json:"at"`
	// Unknown: there was no answer, which is neither a pass nor a failure.
	Unknown bool `json:"unknown,omitempty"`
	// By is whose verdict it is; Verified, whether the name was proved.
	By       string `json:"by,omitempty"`
	Verified bool   `json:"verified,omitempty"`
}

// Promotion is content moved, or held, between environments.
type Promotion struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Key    Key      `json:"key"`
	Commit string   `json:"commit,omitempty"` // on the target, once moved
	Source string   `json:"source,omitempty"` // the upstream commit it is taken from
	Flags  []string `json:"flags,omitempty"`  // policy raised with the decision
	// Evidence names the signed statements that policy was told of, each by whose
	// it is, its kind and the digest of its envelope; the first 100.
	Evidence []string  `json:"evidence,omitempty"`
	Outcome  string    `json:"outcome"` // moved | proposed | held | failed
	Reason   string    `json:"reason,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	Decision string    `json:"decision,omitempty"`
	At       time.Time `json:"at"`
}

// Place is where an environment is and what its resources are called by: what
// is left to know of one that was taken out of the pipeline.
type Place struct {
	Pipeline string `json:"pipeline"` // its name, as in ownership tags
	Naming   string `json:"naming,omitempty"`
	// Environment has what it takes to reach the environment and to render its
	// releases, and nothing else.
	Environment manifest.Environment `json:"environment"`
	// LetGo: it was destroyed, and what is still there is no concern any more.
	LetGo bool `json:"letGo,omitempty"`
}

// Queued is content that waits in turn for an environment that takes one after
// another, or that does so no more.
type Queued struct {
	N       int     `json:"n"` // counts all that ever joined this queue
	From    string  `json:"from"`
	To      string  `json:"to"`
	Key     Key     `json:"key"`     // as the target would carry it
	Release Release `json:"release"` // upstream, that it is taken from
	Slot    int     `json:"slot"`    // of the queue; its commit is pinned by it
	// Upstream is what was known of it there when it joined.
	Upstream []QueuedUpstream `json:"upstream"`
	At       time.Time        `json:"at"`
	// Outcome is "" while it waits, else moved | rejected | failed | dropped, with
	// Reason.
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// QueuedUpstream is what one environment knew of content that joined a queue.
type QueuedUpstream struct {
	Environment string        `json:"environment"`
	Soaked      time.Duration `json:"soaked"`
	Checks      []CheckResult `json:"checks,omitempty"`
}

// Proposed is the outcome of content that policy allows and people are to merge.
const Proposed = "proposed"

// Activation is an attempt to make policies active.
type Activation struct {
	Revision  string `json:"revision"`         // the commit they are at
	Before    string `json:"before,omitempty"` // active until then
	Active    bool   `json:"active"`           // else those before stay
	Reason    string `json:"reason,omitempty"` // why they could not
	Author    string `json:"author"`           // of the commit, as it claims
	Signature string `json:"signature,omitempty"`
	// Files that differ from those before, below the policy folder.
	Files []string `json:"files"`
	// Replayed decisions were made again, Skipped ones could not be; Flips came
	// out another way.
	Replayed int       `json:"replayed"`
	Skipped  int       `json:"skipped,omitempty"`
	Flips    []Flip    `json:"flips,omitempty"`
	At       time.Time `json:"at"`
	// Digest is of the folder, Guards are its packages that are asked about
	// policies that would take its place.
	Digest string   `json:"digest,omitempty"`
	Guards []string `json:"guards,omitempty"`
	// Outcome, Decision and Findings are what the policies before said of these;
	// absent where they say nothing of policies.
	Outcome  string    `json:"outcome,omitempty"`
	Decision string    `json:"decision,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	// ApprovedBy are the people whose approval counted. ForcedBy is the admin who
	// made them active whatever the policies before say, and why.
	ApprovedBy  []string `json:"approvedBy,omitempty"`
	ForcedBy    string   `json:"forcedBy,omitempty"`
	ForceReason string   `json:"forceReason,omitempty"`
}

// PolicyWord is a person's word on policies that would become active, at a
// commit of the control branch: the Content of the Key.
type PolicyWord struct {
	Approval
	Force bool `json:"force,omitempty"` // an admin's: whatever the policies in force say
}

// Flip is a past decision that other policies would have made differently.
type Flip struct {
	Decision    string `json:"decision"`
	Environment string `json:"environment"`
	Point       string `json:"point"`
	Before      string `json:"before"`
	After       string `json:"after"`
}

// The outcomes of an Audit.
const (
	AuditDone    = "done"
	AuditRefused = "refused"
)

// Audit is one act that somebody asked for through the API or the page and what
// came of it, or something that somebody was refused. It holds no secret.
type Audit struct {
	Request string    `json:"request"` // the request's id, which its answer told
	At      time.Time `json:"at"`
	// Who is the name, proved or stated (which it says); "" when nobody was known.
	Who   string `json:"who,omitempty"`
	Proof string `json:"proof"` // token:ID | oidc:ISSUER|SUBJECT | own_token | loopback | none
	From  string `json:"from"`  // the caller's address
	// Act is named as the API's path names it: holds, rollout/abort; for what was
	// only to be looked at, "see".
	Act         string `json:"act"`
	Environment string `json:"environment,omitempty"`
	Target      string `json:"target,omitempty"` // what of it: resource=Function/checkout
	Reason      string `json:"reason,omitempty"` // as given
	Outcome     string `json:"outcome"`          // done | refused
	// Code of a refusal: unauthenticated | forbidden | foreign_site | invalid | refused | fault.
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"` // the refusal's words
	// More is how many refusals of the same proof were not recorded before this
	// one, because they were too many.
	More int `json:"more,omitempty"`
}
