// Package providers is the contract of a platform that runs functions and what
// is around them. Canonical form belongs to the provider, so that whoever
// plans compares strings and knows no platform. It refuses to plan, to decide
// and to remember.
package providers

import (
	"context"
	"time"

	"mooring.dev/sources/manifest"
)

// Spec is a resource in canonical form: equal meaning, equal Spec. Field paths
// are the platform's member names in lowerCamelCase, keys with dots quoted
// (environment["a.b"]); values are canonical JSON text. A sensitive value is
// already a keyed token: no Spec ever holds a secret.
type Spec struct {
	Digest string            // over all Fields
	Fields map[string]string // nil for a resource that only exists or not
	// Snapshot is the digest over what a published version keeps; "" for
	// kinds that are not versioned.
	Snapshot string
	// Sensitive lists the paths whose value is a token.
	Sensitive []string
	// Observed lists the paths that are compared and told, and never written:
	// they are somebody else's to write.
	Observed []string
	// Unbound lists the references Canonical could not resolve: their targets
	// do not live yet. Such fields hold a placeholder and must not be written.
	Unbound []manifest.Ref
}

// Version is one published, immutable version of a function.
type Version struct {
	Number   string
	Snapshot string // Spec.Snapshot it was published with
	Ready    bool   // can take traffic
	Failed   string // why it never will; "" if it may
	// Fields are those of a version that can be changed after it was made (who
	// may use a layer's version); nil when they were not looked at.
	Fields map[string]string
}

// Routing is where an alias sends its calls: Version, and a share of them to
// Canary. The zero Routing sends nothing anywhere.
type Routing struct {
	Version string `json:"version"`
	Canary  string `json:"canary,omitempty"`
	Weight  Weight `json:"weight,omitempty"` // the share of Canary; 0 exactly when Canary is ""
}

// Weight is a share of traffic in hundredths of a percent, 0..10000.
type Weight int

// Percent makes a Weight of whole percents.
func Percent(p int) Weight { return Weight(p * 100) }

// Guard is the revision a write was planned against. It is opaque; "" means
// the platform offers none, or that the thing is not there yet.
type Guard string

// Owner is what the ownership tags say. The zero Owner is "nobody".
type Owner struct {
	Pipeline    string
	Environment string
	Resource    string // Ref text
	Release     string // the last release that changed this resource
}

// Live is one resource as the platform shows it. The zero Live is absent.
type Live struct {
	Exists    bool
	Spec      Spec
	Published map[string]Version // of a Function, by number
	Routing   Routing            // of an Alias
	Guard     Guard
	Settling  bool   // a change is still taking hold; writes would be refused
	Failed    string // the last change did not take hold, and why
	// Faults says which field paths Failed is about, and why each is; nil: it is
	// about the resource as a whole.
	Faults map[string]string
	Owner  Owner
	// Attributes are what references to this resource resolve to: "arn",
	// "url", "name", "id".
	Attributes map[string]string
	// Unseen lists field paths that could not be read, with why. They are
	// unknown, not absent, and are never compared.
	Unseen map[string]string
	// SeenAt is when the oldest part of this was read.
	SeenAt time.Time
	// Note is a platform's own explanation (a mapping disabled by the
	// service), a cause rather than a person.
	Note string
}

// Bindings are the observed attributes of other resources.
type Bindings map[manifest.Ref]map[string]string

// Extra is a thing on an owned parent that nobody declared.
type Extra struct {
	Ref    manifest.Ref // named like a child, with the name it has live
	Parent manifest.Ref
	Spec   Spec
	Guard  Guard
	// Open is true when it lets the public in (Principal "*", URL without
	// authentication) or grants rights (a foreign inline policy).
	Open   bool
	SeenAt time.Time
}

// Inventory is what a survey saw: everything owned, and extras on it.
type Inventory struct {
	At     time.Time
	Live   map[manifest.Ref]Live
	Extras []Extra
	// Complete is false when any listing failed or was cut short. What is
	// absent from an incomplete inventory is unknown.
	Complete bool
	// Orphans are owned resources of this environment whose Ref is not among
	// those asked for: candidates for deletion.
	Orphans map[manifest.Ref]Live
	// Errors are the questions that failed, by what they were about; a zero
	// Ref stands for a listing as a whole.
	Errors map[manifest.Ref]error
	// Layers is the age of the oldest look per layer of observation.
	Layers map[string]time.Time
	Calls  int // cloud calls this survey cost
}

// Change is one write to one resource.
type Change struct {
	Resource manifest.Resource
	Bindings Bindings
	// Fields limits an update to these paths; all others keep the value they
	// have live, extras included. nil means every declared field.
	Fields  []string
	Remove  []string // field paths to take away (undeclared extras on the resource itself)
	Guard   Guard
	Release string // written to the ownership tag
	Adopt   bool   // taking over an untagged resource is approved
}

// Receipt is a platform's answer to a write.
type Receipt struct {
	RequestIDs []string // to recognise our own writes in an audit trail
	Guard      Guard    // the revision after the write, if the platform told
}

// Provider is one environment's platform. There is one value per environment.
// Every method may be retried; errors are classified by KindOf; no error text
// holds a secret. An answer is read while the next question is asked: no method
// writes into what another gave.
type Provider interface {
	// Canonical is pure: the form the platform would show for res. Unresolved
	// references make Spec.Unbound, not an error.
	Canonical(res manifest.Resource, b Bindings) (Spec, error)
	// Survey looks at everything in want, at everything else owned by this
	// environment, and at extras on owned things, within its own budget of
	// calls: layers not due are answered from the last look.
	Survey(ctx context.Context, want []manifest.Resource) (Inventory, error)
	// Observe reads these resources now, every layer. Absent is a zero Live;
	// a resource whose question failed is missing from the map and present in
	// the error (errors.As *ObserveError).
	Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]Live, error)
	// Put creates or updates. For a Function it moves only the unpublished
	// configuration and code, one platform call that changes something per
	// Put; the caller looks again until live equals declared. For an Alias it
	// creates it (pointing at Change.Resource's version named by Routing) or
	// updates its own fields, never its routing.
	Put(ctx context.Context, c Change) (Receipt, error)
	// Publish makes an immutable version of a Function whose unpublished state
	// equals the declared one; it refuses (Conflict) when it does not. A
	// repeated Publish returns the version already made.
	Publish(ctx context.Context, c Change) (Version, Receipt, error)
	// Route points an Alias, creating it when absent. One call.
	Route(ctx context.Context, c Change, to Routing) (Receipt, error)
	// Delete removes an owned resource; Denied for what is not owned by this
	// environment. Deleting what is absent succeeds.
	Delete(ctx context.Context, res manifest.Resource, guard Guard) (Receipt, error)
	// Detach removes an extra from an owned parent.
	Detach(ctx context.Context, parent manifest.Resource, extra Extra) (Receipt, error)
}

// Sample is what was measured about one version over one window.
type Sample struct {
	Known bool // false: no answer, which is not zero
	// Silent: the platform answered and shows no calls, where it cannot tell none
	// from not heard of yet. It is no zero either.
	Silent    bool
	Calls     int64
	Errors    int64
	Throttles int64
	// Latency is of the calls that ran, one for each that was asked.
	Latency []Latency
	// Again are the windows that were asked for again, in the same order, without
	// latency. Of these no word at all is a known none.
	Again []Sample
}

// Latency is how long the calls of one version over one window took, as far as
// the platform can tell: a new instance's start, where it is counted apart, is
// not in it. What it cannot tell is not Known, whatever else is.
type Latency struct {
	Known bool
	// Percentile is the one that was asked for.
	Percentile float64
	// Calls that a duration is known of, and those among them that took longer
	// than Threshold, the one that was asked for. With no Threshold neither is
	// counted.
	Calls     int64
	Above     int64
	Threshold time.Duration
	// Quantile is the duration that the asked percentile of calls stays within;
	// 0 when unknown.
	Quantile time.Duration
}

// Window is a half-open span of time [From, To).
type Window struct{ From, To time.Time }

// Asked is what is measured: calls always, latency where percentiles are
// given, and windows of before, in the same question to the platform.
type Asked struct {
	Window
	Latency []AskedLatency // each percentile once
	// Again are windows of before that are counted once more, the oldest first: what
	// was called in them has ended by now, however long it ran.
	Again []Window
}

// AskedLatency is one percentile of durations, and the threshold calls are held
// against.
type AskedLatency struct {
	Percentile float64       // 50 to 100 exclusive
	Threshold  time.Duration // above which calls are counted; 0: none are
}

// Meter measures a version's calls through an alias.
type Meter interface {
	Measure(ctx context.Context, alias manifest.Resource, version string, q Asked) (Sample, error)
}

// Invoker calls one version of a function directly (checks and probes).
type Invoker interface {
	// Invoke returns the response payload, and failed=true when the function
	// itself failed; qualifier is a version or alias name.
	Invoke(ctx context.Context, fn manifest.Resource, qualifier string, payload []byte) (response []byte, failed bool, err error)
}

// AlarmReader tells what alarms say now.
type AlarmReader interface {
	// AlarmStates are ok, alarm or insufficient_data, by alarm; one that is not
	// there is absent.
	AlarmStates(ctx context.Context, alarms []manifest.Resource) (map[manifest.Ref]string, error)
}

// Actor is who changed something, as the platform's audit trail tells.
type Actor struct {
	Known     bool      `json:"known"`
	Name      string    `json:"name,omitempty"`  // assumed-role/Admin/alice, user/bob
	Event     string    `json:"event,omitempty"` // UpdateFunctionConfiguration
	At        time.Time `json:"at,omitzero"`
	RequestID string    `json:"requestId,omitempty"`
	// Service is true when a service did it, not a person.
	Service bool `json:"service,omitempty"`
}

// ActorFinder reads the platform's audit trail.
type ActorFinder interface {
	// Actors lists changes to the resource (or, for an extra, its parent)
	// since a time, newest first.
	Actors(ctx context.Context, res manifest.Resource, since time.Time) ([]Actor, error)
	// Explains says whether what an actor did can have made a difference at a
	// field path of a resource, or of an extra; path is "" for one that is
	// missing or extra as a whole. It is pure.
	Explains(a Actor, ref manifest.Ref, path string) bool
}

// AccountChecker verifies where writes would land.
type AccountChecker interface {
	// CheckAccount returns the account the credentials reach; Denied if it is
	// not the declared one.
	CheckAccount(ctx context.Context) (account string, err error)
}

// Cleaner removes old versions.
type Cleaner interface {
	// Clean deletes versions of fn that nothing refers to, keeping those in
	// keep, whatever any alias names, and the newest last ones; of a layer,
	// those no function names.
	Clean(ctx context.Context, fn manifest.Resource, keep []string, last int) (Receipt, error)
}
