package policy

import "encoding/json"

// API is the version of the input documents. Fields are only ever added.
const API = "policy/v1"

// Input is the document policy is given at a point. It is complete: every
// field is always present in its JSON, no list or map is null, no number is
// null, and a fact that may be unknown says so beside its value
// ({"known": false, …}). Complete fills what a caller left nil; the evaluator
// calls it and then refuses whatever its schema does not describe.
//
// The five embedded pointers are the parts of single points. Their fields
// stand at the top of the JSON document. A point needs exactly its own part:
// PromotionFacts at Promotion, and so on, and none at Admission. A missing or a
// foreign part is an error, which closes the decision.
//
// Sensitive values must already be keyed tokens when they get here.
type Input struct {
	API         string      `json:"api"`   // policy/v1: of these documents
	Point       Point       `json:"point"` // admission | promotion | rollout | drift | notify | activation
	Request     Request     `json:"request"`
	Environment Environment `json:"environment"`
	Source      Source      `json:"source"`
	Commit      Commit      `json:"commit"`
	// Commits are those between Source.From and Source.To, newest first.
	Commits     []Commit    `json:"commits"`
	PullRequest PullRequest `json:"pull_request"`
	Release     Release     `json:"release"`
	Changes     []Change    `json:"changes"`
	Summary     Summary     `json:"summary"`
	// Flags are what earlier decisions about this content raised.
	Flags []string `json:"flags"`
	// Truncated is true when Changes was cut for size; Summary still counts
	// them all.
	Truncated bool `json:"truncated"`

	*PromotionFacts
	*RolloutFacts
	*DriftFacts
	*NotifyFacts
	*ActivationFacts
}

// Request is why policy is asked now.
type Request struct {
	ID      string `json:"id"`      // of the decision; chosen by the caller
	TimeNS  int64  `json:"time_ns"` // the only clock policy has
	Trigger string `json:"trigger"` // push | webhook | poll | schedule | drift | rollout | cli | api | startup
	Actor   Actor  `json:"actor"`
	DryRun  bool   `json:"dry_run"` // a plan that somebody looks at; nothing follows from the answer
}

// Actor is who asked.
type Actor struct {
	Kind string `json:"kind"` // daemon | user | ci
	Name string `json:"name"`
}

// Environment is where the change would land.
type Environment struct {
	Name      string            `json:"name"`
	Branch    string            `json:"branch"`
	Order     int               `json:"order"`     // place in the promotion order, from 0
	Protected bool              `json:"protected"` // nothing enters without a positive allow
	Provider  string            `json:"provider"`
	Account   string            `json:"account"`
	Region    string            `json:"region"`
	Labels    map[string]string `json:"labels"`
	Window    Window            `json:"window"`
	Suspended bool              `json:"suspended"` // a person stopped it
}

// Window is the environment's change window now. Where none is configured it
// is open and never changes.
type Window struct {
	Open         bool  `json:"open"`
	NextChangeNS int64 `json:"next_change_ns"` // 0: none known
}

// Source is how the content came here.
type Source struct {
	Ref        string   `json:"ref"`
	From       string   `json:"from"` // commit; "" if the branch is new
	To         string   `json:"to"`
	Update     string   `json:"update"` // created | fast_forward | merge | forced | deleted, the same when a commit is judged again; empty where no branch moved
	Paths      []string `json:"paths"`
	AgeSeconds int64    `json:"age_seconds"` // since the source was last read with success
}

// Commit is one commit. Author, committer and message are claims; Signature
// says what was verified.
type Commit struct {
	SHA       string            `json:"sha"`
	Author    string            `json:"author"` // "Name <address>"
	Committer string            `json:"committer"`
	Message   string            `json:"message"`  // a claim like author and committer
	Trailers  map[string]string `json:"trailers"` // of the message, by name
	TimeNS    int64             `json:"time_ns"`
	Signature Signature         `json:"signature"`
}

// Signature is what a verification found.
type Signature struct {
	Status string `json:"status"` // unsigned | valid | invalid | unknown_key | unchecked
	Kind   string `json:"kind"`   // ssh | pgp | ""
	KeyID  string `json:"key_id"`
	Signer string `json:"signer"`
}

// PullRequest is the pull request that brought Commit, when a host told.
type PullRequest struct {
	Known      bool     `json:"known"`
	Number     int      `json:"number"`
	Author     string   `json:"author"`
	Base       string   `json:"base"`
	Labels     []string `json:"labels"`
	MergedBy   string   `json:"merged_by"`
	ApprovedBy []string `json:"approved_by"`
}

// Release is the release in question.
type Release struct {
	Commit  string `json:"commit"`
	Content string `json:"content"` // content digest
	Digest  string `json:"digest"`  // release digest
	// Promoted is true when this content holds a current promotion allow into
	// this environment, by the journal: a commit's message cannot claim it.
	Promoted bool `json:"promoted"`
}

// Change is what the release would do to one resource.
type Change struct {
	Resource  string        `json:"resource"`  // Kind/name
	Kind      string        `json:"kind"`      // Kind
	Operation string        `json:"operation"` // create | update | publish | route | delete | detach
	Cause     string        `json:"cause"`     // commit | drift | rollback | prune | binding
	Risk      []string      `json:"risk"`      // stateful | iam | public
	Fields    []FieldChange `json:"fields"`
	Artifact  Artifact      `json:"artifact"`
	// Labels are those of the manifest, a child's those of its parent; none on
	// what the release no longer declares.
	Labels  map[string]string `json:"labels"`
	Traffic Traffic           `json:"traffic"`
}

// Traffic is how a new version of a Function, or of a Workflow, would get its
// calls. Of everything else, and of what has no alias, it is not known.
type Traffic struct {
	Known       bool   `json:"known"`
	Strategy    string `json:"strategy"`     // allAtOnce | canary | linear | blueGreen
	Stages      int    `json:"stages"`       // the last one is all of it
	FirstWeight int    `json:"first_weight"` // percent of the first stage; 100 is all at once
}

// FieldChange is one field, before and after, as JSON values. null means the
// field is absent on that side; nothing else is ever null. Where the platform
// always shows a field, "" or 0 is what it shows for nothing. A sensitive value
// is a token (a string): equal values have equal tokens.
type FieldChange struct {
	Path      string          `json:"path"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Sensitive bool            `json:"sensitive"`
}

// Artifact is the code's digest before and after; "" where there is none.
type Artifact struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// Summary counts by resource, children not counted: what would change, and
// what the release declares.
type Summary struct {
	Created         int `json:"created"`
	Updated         int `json:"updated"`
	Deleted         int `json:"deleted"`
	StatefulDeleted int `json:"stateful_deleted"`
	Managed         int `json:"managed"`   // resources the release declares
	Functions       int `json:"functions"` // of them, functions
}

// Fits is true when in has exactly the part that point p asks for.
func (in Input) Fits(p Point) bool {
	want := map[Point][5]bool{
		Admission: {}, Promotion: {0: true}, Rollout: {1: true}, Drift: {2: true}, Notify: {3: true}, Activation: {4: true},
	}
	parts, known := want[p]
	return known && parts == [5]bool{in.PromotionFacts != nil, in.RolloutFacts != nil, in.DriftFacts != nil, in.NotifyFacts != nil, in.ActivationFacts != nil}
}
