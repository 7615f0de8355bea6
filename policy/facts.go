package policy

import "encoding/json"

// PromotionFacts is what Promotion adds: the environment of the Input is the
// target.
type PromotionFacts struct {
	Upstream  []Upstream `json:"upstream"`
	Evidence  []Evidence `json:"evidence"`
	Approvals []Approval `json:"approvals"`
	Contract  Contract   `json:"contract"`
}

// Upstream is an environment the target comes after.
type Upstream struct {
	Environment  string  `json:"environment"`
	ContentMatch bool    `json:"content_match"` // this very content is in force there
	Applied      bool    `json:"applied"`
	Healthy      bool    `json:"healthy"`
	SoakSeconds  int64   `json:"soak_seconds"` // observed time in force; no clock jump counts
	Held         bool    `json:"held"`
	Checks       []Check `json:"checks"`
}

// Check is one check's result for this content.
type Check struct {
	Name   string `json:"name"`
	Known  bool   `json:"known"` // false: not run for this content yet
	Passed bool   `json:"passed"`
	TimeNS int64  `json:"time_ns"`
}

// Evidence is a verified or claimed fact about the content: what one signer's
// statements of one kind and name come to.
type Evidence struct {
	Kind          string   `json:"kind"` // test_result | provenance | attestation
	Name          string   `json:"name"` // of the test, of the builder; of what is not verified, where it lies
	PredicateType string   `json:"predicate_type"`
	Verified      bool     `json:"verified"`
	SubjectMatch  bool     `json:"subject_match"`
	Passed        bool     `json:"passed"`
	Signer        string   `json:"signer"`   // the name of the key
	TimeNS        int64    `json:"time_ns"`  // 0: no time that could be believed
	Result        string   `json:"result"`   // passed | warned | failed, the worst of a test's; "" of everything else
	Builder       string   `json:"builder"`  // of provenance
	Subjects      []string `json:"subjects"` // sha256:… and gitCommit:…, those of this content first; at most 100
	Source        string   `json:"source"`   // where it lies: of several the first
	Digests       []string `json:"digests"`  // of the envelopes
	Why           string   `json:"why"`      // it is not verified
}

func (e Evidence) complete() Evidence {
	e.Subjects, e.Digests = filled(e.Subjects), filled(e.Digests)
	return e
}

// Approval is a person's yes to this content in this environment. Void ones
// (expired, revoked, for another content) never get here.
type Approval struct {
	Name     string   `json:"name"`
	Verified bool     `json:"verified"` // the identity was proved, not only stated
	Author   bool     `json:"author"`   // the same person as an author of the content
	Teams    []string `json:"teams"`
	Codes    []string `json:"codes"` // of the findings it was given in view of
	TimeNS   int64    `json:"time_ns"`
}

// Contract is what the content's code expects of the target.
type Contract struct {
	Satisfied bool             `json:"satisfied"`
	Broken    []BrokenContract `json:"broken"`
}

// BrokenContract is one expectation that does not hold.
type BrokenContract struct {
	Resource string `json:"resource"` // whose code expects it
	Expects  string `json:"expects"`  // what, e.g. "secret shop/stripe"
	Why      string `json:"why"`
}

// RolloutFacts is what Rollout adds.
type RolloutFacts struct {
	Rollout RolloutState `json:"rollout"`
	// Metrics by name: of a function or workflow NAME.canary.error_rate, the share
	// of the calls made that failed, and NAME.canary.throttle_rate, the share of
	// those wanted that were refused (where all were, no call was made and the first
	// is not known); NAME.canary.probe_error_rate of calls of Mooring's own; each
	// beside NAME.baseline.…; and what the pipeline names.
	Metrics map[string]Metric `json:"metrics"`
	Alarms  []Alarm           `json:"alarms"`
}

// RolloutState is where the traffic stands. Weights are percents.
type RolloutState struct {
	Weight         float64           `json:"weight"`
	NextWeight     float64           `json:"next_weight"`
	Stage          int               `json:"stage"` // from 1; 0 before the first
	Stages         int               `json:"stages"`
	ElapsedSeconds int64             `json:"elapsed_seconds"` // in this stage
	HoldSeconds    int64             `json:"hold_seconds"`    // what the stage asks for
	Verdict        string            `json:"verdict"`         // pass | fail | undecided | none
	Attempt        int               `json:"attempt"`         // from 1; of this content here, as far as remembered
	Functions      []RolloutFunction `json:"functions"`
}

// RolloutFunction is one function's share of a rollout.
type RolloutFunction struct {
	Resource string `json:"resource"`
	From     string `json:"from"` // version number; "" on a first deployment
	To       string `json:"to"`
	Verdict  string `json:"verdict"`
	Reason   string `json:"reason"`
}

// Metric is one measured number.
type Metric struct {
	Known         bool    `json:"known"`
	Value         float64 `json:"value"`
	Samples       int64   `json:"samples"`        // what it is a share of; 0 where that is not told
	WindowSeconds int64   `json:"window_seconds"` // 0: of the whole rollout so far, or of a moment
}

// Alarm is one alarm's state.
type Alarm struct {
	Name  string `json:"name"`
	State string `json:"state"` // ok | alarm | insufficient_data | unknown
}

// DriftFacts is what Drift adds.
type DriftFacts struct {
	Items []DriftItem `json:"items"`
}

// DriftItem is one confirmed difference. Declared and Live are JSON values;
// null means absent on that side; tokens where Sensitive.
type DriftItem struct {
	ID             string          `json:"id"`
	Resource       string          `json:"resource"`
	KindOfResource string          `json:"kind_of_resource"`
	Path           string          `json:"path"`
	Kind           string          `json:"kind"` // changed | missing | extra
	Declared       json.RawMessage `json:"declared"`
	Live           json.RawMessage `json:"live"`
	Sensitive      bool            `json:"sensitive"`
	Severity       string          `json:"severity"` // low | medium | high | critical
	SinceNS        int64           `json:"since_ns"`
	Actor          DriftActor      `json:"actor"`
	Default        string          `json:"default"` // the response where policy says nothing
	Open           bool            `json:"open"`    // lets the public in, or grants rights
	Rounds         int             `json:"rounds"`  // how often it was reverted already
}

// DriftActor is who did it, if an audit trail told.
type DriftActor struct {
	Known   bool   `json:"known"`
	Name    string `json:"name"`
	Event   string `json:"event"`
	Service string `json:"service"` // a service acting by itself; "" for a person
}

// NotifyFacts is what Notify adds.
type NotifyFacts struct {
	Event     Event    `json:"event"`
	Receivers []string `json:"receivers"`
}

// Event is what would be sent.
type Event struct {
	Kind        string `json:"kind"`
	Fingerprint string `json:"fingerprint"`
	Severity    string `json:"severity"`
	Title       string `json:"title"`
	Text        string `json:"text"`
	Environment string `json:"environment"`
	Resource    string `json:"resource"`
	Status      string `json:"status"` // firing; an alert's end goes to whom its beginning was sent, and policy is not asked
}

// ActivationFacts is what Activation adds. The commit of the Input is that of the
// control branch; its environment and its release are empty.
type ActivationFacts struct {
	Activation PolicyChange `json:"activation"`
}

// PolicyChange is what would take the place of the policies in force, which are
// asked. It has passed all that stands before it: it loads, its own tests pass,
// and it can evaluate what was decided lately.
type PolicyChange struct {
	From      string          `json:"from"`      // commit of the policies in force
	To        string          `json:"to"`        // commit of those that would be
	Files     []PolicyPart    `json:"files"`     // that differ, below the policy folder
	Packages  []PolicyPart    `json:"packages"`  // that differ, helpers among them
	Tests     int             `json:"tests"`     // of the new folder; all passed
	Replay    PolicyRehearsal `json:"replay"`    // of recent decisions
	Approvals []Approval      `json:"approvals"` // of this change
}

// PolicyPart is a file or a package that differs.
type PolicyPart struct {
	Name      string `json:"name"`
	Operation string `json:"operation"` // added | changed | removed
}

// PolicyRehearsal is what the new policies make of recent decisions.
type PolicyRehearsal struct {
	Decisions int          `json:"decisions"` // made again
	Skipped   int          `json:"skipped"`   // that could not be
	Flips     []PolicyFlip `json:"flips"`     // that come out another way
}

// PolicyFlip is a recent decision that the new policies make another way.
type PolicyFlip struct {
	Decision    string `json:"decision"`
	Environment string `json:"environment"`
	Point       string `json:"point"`
	Before      string `json:"before"` // allow | hold | deny | error
	After       string `json:"after"`
	Opens       bool   `json:"opens"` // it lets through now what it did not before
}
