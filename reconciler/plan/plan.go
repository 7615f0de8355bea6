// Package plan compares what is declared with what lives and says what to do
// next: facts newly observed, differences nobody released, and at most one
// guarded step per resource. It is pure: the same input gives the same bytes.
// It refuses to know a platform, to read a clock, and to remember.
//
// The diff, per field of a resource (declared D, applied A, live L):
//
//	D = L                    in place: a fact, when it was not one yet
//	D ≠ L, A = D             drift: live was changed and no release says so
//	D ≠ L, A ≠ D, A = L      commit (or binding, when only a binding moved)
//	D ≠ L, A ≠ D, A ≠ L      commit wins; the drift under it is reported
//	L unseen                 unknown: neither compared nor written
//
// A resource that was never applied has only D and L: its differences are the
// commit's while its release moves, and drift once the release is in force.
//
// What we wrote for a release that was then taken back or overtaken looks like
// drift by this table (A = D, L is that release's). Input.Wrote tells it apart.
package plan

import (
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// Operation is what a step does.
type Operation string

const (
	Create  Operation = "create"
	Update  Operation = "update"
	Publish Operation = "publish"
	Route   Operation = "route"
	Delete  Operation = "delete"
	Detach  Operation = "detach"
)

// Cause is why a step is made.
type Cause string

const (
	Commit   Cause = "commit"
	Drift    Cause = "drift"
	Rollback Cause = "rollback"
	Prune    Cause = "prune"
	Binding  Cause = "binding"
	// Destroyed: the environment was taken out of the pipeline, and a person had
	// what is left of it removed.
	Destroyed Cause = "destroy"
)

// Input is the whole world as one pass knows it. Make never writes to it.
type Input struct {
	Now         time.Time
	Pipeline    string
	Environment manifest.Environment
	// Target is what shall live: the release moving, or in force, or, in
	// rollout.Back, the stable one. nil: nothing was ever admitted.
	Target *manifest.Release
	// Specs is the canonical form of Target's resources with today's bindings.
	Specs map[manifest.Ref]providers.Spec
	// Applied is what was last seen in place, per resource.
	Applied map[manifest.Ref]record.Fact
	// Previous is the release that was in force before Target, for the shape
	// of what is to be removed; may be nil.
	Previous  *manifest.Release
	Inventory providers.Inventory // the survey, with fresher looks merged in
	// Surveys counts complete surveys in a row since Target became the target.
	Surveys int
	Rollout rollout.State
	Holds   []record.Hold
	Items   map[string]record.DriftItem // open drift, with what was decided
	Parked  map[manifest.Ref]record.Outcome
	// Rounds counts reverts per drift item id; it outlives the item.
	Rounds map[string]int
	// Wrote is the release digest of the newest intent per resource that no
	// fact about the resource followed yet. It tells what an abandoned release
	// left behind from what other people did.
	Wrote map[manifest.Ref]string
	// Approved says a person approved this release's deletions and adoptions.
	Approved bool
	// Observing: look and report, write nothing but rollback (suspended,
	// sync manual, drift off elsewhere).
	Observing bool
	// Unowned: extras are told of what nobody owns as well, as by a daemon that
	// only looks and has tagged nothing.
	Unowned bool
	// atRest collects what a road found in place and has nothing to do with:
	// its further steps do not look there again. nil outside of Foresee.
	atRest map[manifest.Ref]bool
	// users are the places in Target of what is on a ref, or refers to it; nil: not
	// asked for yet.
	users map[manifest.Ref][]int
}

// Plan is what one pass found and wants.
type Plan struct {
	Facts []record.Fact
	Steps []Step
	// Items is every difference now open, updated; Resolved are ids no longer.
	Items    []record.DriftItem
	Resolved []string
	// Waits says why a resource that differs gets no step in this pass.
	Waits []Wait
	Holds []record.Hold // that the planner asks for (adoption, deletion guard)
	// Signal is what the rollout learns from this look: Ready, Versions,
	// Routed, Foreign, Impossible. The other members are the shell's.
	Signal rollout.Signal
	// Adopt lists resources that get ownership tags and nothing else. Each has
	// a step without Fields, which is no change.
	Adopt []manifest.Ref
	// Stale lists functions whose alias serves a version that does not carry
	// what is declared, while their release is in force: a binding moved. It
	// takes a rollout of the same release to bring them up.
	Stale []manifest.Ref
}

// Step is one change to one resource.
type Step struct {
	Ref       manifest.Ref
	Operation Operation
	Cause     Cause
	Fields    []Field // what changes, sorted by path
	// Change is what the provider is asked; its Resource and Bindings are
	// filled. Zero for Delete and Detach beyond Resource and Guard.
	Change  providers.Change
	Routing providers.Routing // of Route
	Extra   providers.Extra   // of Detach; Change.Resource is the parent
	Items   []string          // drift items this reverts
	Risk    []string          // stateful | iam | public | replaces | …
}

// Field is one field's change. Values are canonical JSON text, or tokens.
type Field struct {
	Path      string
	Before    string // "" when absent
	After     string // "" when taken away
	Sensitive bool
}

// Wait says what a resource waits for.
type Wait struct {
	Ref  manifest.Ref
	For  string         // settling | dependency | phase | hold | parked | unknown | listing | confirm | decision
	Why  string         // for people
	Refs []manifest.Ref // the dependencies
}
