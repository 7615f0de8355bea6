// Package promote says which environment takes which content next. It is
// pure: it looks at where contents are and what is known about them, and
// names the moves that are due and those that are held, and why. It refuses
// to ask policy (that is the shell's) and to touch Git.
package promote

import (
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// Place is one environment as promotion sees it.
type Place struct {
	Environment manifest.Environment
	// Known: it was looked at since the daemon started. Of one that was not,
	// neither holds nor what it ever carried are known.
	Known       bool
	Head        string     // the branch's commit; "" when there is no branch
	Tree        string     // the head's tree id
	HeadKey     record.Key // content and overlay as rendered for this environment
	HeadInvalid bool       // the head's manifests do not render
	// InForce is the release wholly applied; zero when none or moving.
	InForce record.Release
	// InForceTree is the tree that carried InForce.
	InForceTree string
	Moving      bool // a rollout is under way
	Healthy     bool // no failed check, no broken contract, no degraded function
	// Soak is how long InForce was observed in force and healthy, continuously.
	Soak time.Duration
	// Soaked is the longest such time InForce ever had: a soak that was
	// completed stays, also when another release was in force since.
	Soaked time.Duration
	Flags  []string             // policy raised about InForce
	Checks []record.CheckResult // of InForce's key
	Holds  []record.Hold
	// Seen is every content that was ever admitted here.
	Seen map[string]bool
	// Left is what was last admitted in a key's place, of every key that was
	// admitted; of the newest there is none. HeadBy is the head's commit.
	Left   map[record.Key]Change
	HeadBy Change
	// Newest is what was admitted last, Since when its content came to be that,
	// At when its commit did.
	Newest      record.Key
	Since, At   time.Time
	Quarantined map[record.Key]bool
	// BrokenContract says what the live environment lacks for the code; empty
	// when satisfied or never looked at.
	BrokenContract []string
}

// Change is a commit of an environment's branch, and whose it is.
type Change struct {
	At     time.Time // when it was admitted; zero: it is not
	Before time.Time // when what it took the place of was
	Commit string
	// From is the environment that Mooring moved it from; "" for a commit by
	// hand. Author is who that one says made it; "" where nobody knows.
	From, Author string
}

// CodeWaiting is of moves that the environments before are not ready for, or the
// target is not: time brings them, and nobody has to do anything.
const CodeWaiting = "waiting"

// Input is every environment, in the pipeline's order.
type Input struct {
	Now    time.Time
	Places []Place
	// Overlay gives, for a source environment's tree rendered for a target,
	// the key the target would carry: [from][to].
	Rendered map[string]map[string]record.Key
	// Requested are moves a person asked for, by target environment.
	Requested map[string]bool
	// Approved holds keys with standing approvals, by target environment.
	Approved map[string]map[record.Key]bool
	// Queues are what waits in turn, first in first, by target environment; Last
	// is what joined each last. A zero key of a first one: it does not render.
	Queues map[string][]record.Queued
	Last   map[string]record.Key
	// Outside holds keys that people let in outside of windows.
	Outside map[string]map[record.Key]bool
}

// Move is content that should go from one environment to the next.
type Move struct {
	From   string
	To     string
	Commit string // the source's commit whose tree is to be taken
	Expect string // the target's head
	Key    record.Key
	// Offer: people merge it. It is put to policy, and offered by a pull request
	// where a move would be made.
	Offer bool
	// Held says why the move is not to be made now; "" when it may be put to
	// policy and made. Code is a stable name for it.
	Held string
	Code string // manual | diverged | returned | hold | checks | soak | unhealthy | contract | quarantined | invalid | waiting | window
	// RecheckAt is when the reason may be gone by time alone.
	RecheckAt time.Time
}
