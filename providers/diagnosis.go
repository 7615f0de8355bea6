package providers

import (
	"context"
	"time"

	"mooring.dev/sources/manifest"
)

// Diagnoser tells how a platform is reached and what it lets us do, for a
// person who wants to know what is wrong. It reads, and writes nothing.
type Diagnoser interface {
	// Diagnose asks with a handful of cheap calls; want are the resources of
	// the environment, of which a few are looked at. Where the platform cannot
	// be reached, only Reached and Clock are told.
	Diagnose(ctx context.Context, want []manifest.Resource) Diagnosis
}

// Diagnosis is what a platform told. It judges nothing.
type Diagnosis struct {
	Reached Reached
	Clock   Clock
	Reads   []Read
	Limits  []Limit
	Hints   *HintPath   // nil: none is declared
	Switch  *SwitchRole // of dead man's switches; nil: none are declared
}

// SwitchRole is the role that dead man's switches act as.
type SwitchRole struct {
	Declared string // as in mooring.yaml
	Found    bool   // it is there, or declared
	ARN      string // "" while it is not there
	Trusted  bool   // the service that acts may take it on
	May      []SwitchRight
	Unasked  error // why May could not be asked
	Err      error // why it could not be looked at
}

// SwitchRight is one call that a switch makes.
type SwitchRight struct {
	Action, On string
	May        bool
	Every      []string // what a switch may have to make this call on, On among them
}

// Why a platform was not reached.
const (
	NoCredentials      = "no credentials"
	ExpiredCredentials = "expired"
	RefusedCredentials = "refused"
	RoleNotTaken       = "role"
	ClockRefused       = "clock"
	Unreachable        = "unreachable"
	OtherRefusal       = "other"
)

// Reached is where the credentials lead.
type Reached struct {
	Account  string
	Identity string // assumed-role/mooring/mooring-host-1
	Why      string // it was not reached, one of the constants; ""
	Text     string // what was answered instead
}

// Clock is this machine's clock against the platform's.
type Clock struct {
	Known bool
	Ahead time.Duration // of ours; exact to a second
}

// Read is one right that looking needs, as it was tried.
type Read struct {
	Action string // lambda:GetFunction
	Code   string // of the refusal; "" for an answer
	Denied bool
}

// Limit is something an account has only so much of.
type Limit struct {
	Name          string // concurrency, code-storage
	Used, Allowed float64
	Unit          string
}

// HintPath is the way that word of changes comes.
type HintPath struct {
	Queue   HintQueue
	Telling []string   // services whose changes have to come: aws.lambda
	Rules   []HintRule // that send to the queue
	// Elsewhere are rules for the same events that send somewhere else.
	Elsewhere []HintRule
	RulesErr  error
	Trails    []HintTrail
	TrailsErr error
}

// HintQueue is where word of changes arrives.
type HintQueue struct {
	Declared string // name or ARN
	Region   string // that the environment is in
	ARN, URL string // of the one that was found; ""
	Err      error  // why it could not be looked at
	Policy   string // its document; ""
	Key      string // its KMS key; "" for SQS's own
	Waiting  int
	// Oldest is the age of the oldest message, 0 when unknown; Sent how many
	// came in the last day, -1 when that could not be asked.
	Oldest  time.Duration
	Sent    int
	SentErr error
}

// HintRule is a rule of the bus that the events come to.
type HintRule struct {
	Name, ARN string
	Enabled   bool
	Rewritten bool     // the queue gets something else than the event
	Unmatched []string // services whose changes its pattern leaves out
	Target    string   // the id by which it has the queue; ""
	Targets   []string
	Err       error // why it could not be looked at
}

// HintTrail is something that makes events of changes.
type HintTrail struct {
	Name    string
	Here    bool // it is about the environment's region
	Logging bool
	Reads   bool  // it is known to leave changes out
	Err     error // why it could not be looked at
}
