package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/measure"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// Options is everything a Daemon is made of. Nothing is read from the
// environment below this.
type Options struct {
	Source   sources.Source
	Proposer sources.Proposer // nil: content is not moved by the daemon
	Store    journal.Store
	// Control is the branch that mooring.yaml and policies/ are read from;
	// "": main, else the repository's default branch.
	Control string
	// Environments limits the daemon to these; empty: all of the pipeline.
	Environments []string
	// Provider opens the platform of one environment.
	Provider func(ctx context.Context, p *manifest.Pipeline, e manifest.Environment) (providers.Provider, error)
	// Policies makes an evaluator of a tree's policies/ folder, or says why
	// they cannot be active.
	Policies func(tree fs.FS, revision string) (policy.Evaluator, error)
	// Evidence opens the keys that a pipeline names; nil: nothing signed is
	// read.
	Evidence func(tree fs.FS, spec manifest.Evidence) (sources.Verifier, error)
	// Signers opens the keys that sign commits; nil: no signature is checked.
	Signers func(tree fs.FS, spec manifest.Signatures) (sources.Signers, error)
	// Signs: the Proposer signs the commits it makes.
	Signs bool
	// Closed is the evaluator that answers every question closed, naming err.
	Closed func(err error) policy.Evaluator
	// Contracts reads the contract that code brings with it; nil: code brings
	// none. Errors are classified: Invalid for code that is missing or is not
	// what its digest says.
	Contracts func(ctx context.Context, e manifest.Environment, a manifest.Artifact) (manifest.Expects, error)
	// Beside reads the statements that lie beside an artifact, not verified; none
	// is no error. nil: none are looked for.
	Beside func(ctx context.Context, e manifest.Environment, a manifest.Artifact) ([]byte, error)
	// Ask puts the questions of checks that leave the platform, with what
	// Secret reads; nil: such checks are not answered.
	Ask    *measure.Client
	Secret func(manifest.Secret) (string, error)
	// Host opens the service that people review on, as the pipeline names it;
	// nil: nobody is told there, and nobody heard.
	Host func(manifest.Host) (sources.Host, error)
	// Tokens are those of single people, as they are now: whose token was taken
	// back approves no more. nil: nobody's right to approve is asked again.
	Tokens func() (access.Tokens, error)
	// ReadOnly daemons look at what their branches declare, tell what differs,
	// and write nothing: no resource, no branch.
	ReadOnly bool
	// Notifier opens a receiver.
	Notifier func(name string, r manifest.Receiver) (notify.Notifier, error)
	// PageURL is where people reach the page; "": messages lead nowhere.
	PageURL string
	// Lanes tells what is used of the rates the platforms allow; nil: unknown.
	Lanes   func() []web.Lane
	Metrics Metrics
	// Tracer records what is done for each commit; nil: nothing does.
	Tracer   *trace.Tracer
	Log      *zap.Logger
	Instance string // this daemon's name in the journal and in sessions
	// Trigger is what policy is told woke a pass when nothing better is known.
	Trigger string
	Now     func() time.Time
	// NewID names a decision, an alert, a hold or a request, beginning with
	// prefix; nil: by chance. A simulation names them by count.
	NewID func(prefix string) string
	Pace  Pace
}

// Pace is how fast things are looked at. Zero members take the default.
type Pace struct {
	SecondLook time.Duration // after a difference is first seen; default 2s
	Settle     time.Duration // while a change takes hold; default 500ms
	Retry      time.Duration // after a failure, doubled up to RetryMax; default 2s
	RetryMax   time.Duration // default 2m
	Look       time.Duration // between looks at a rollout's metrics; default 10s
	Check      time.Duration // between tries of a check that failed; default 30s
	ActorWait  time.Duration // how long a revert waits for the actor's name when policy reads it; default 2m
	Parallel   int           // steps in flight per environment; default 4
	// MetricDelay is how old a metric window must be before it is complete;
	// default 0 for sandboxes, 90s on AWS (set by cmd).
	MetricDelay time.Duration
	// MetricPeriod is the grain of metric windows; default 1s, 60s on AWS.
	MetricPeriod time.Duration
}

// Metrics is what the daemon counts. web.Metrics fulfils it; nil counts nothing.
type Metrics interface {
	Environment(name string, after []string)
	Gone(environment string)
	Pass(environment, outcome string, seconds float64)
	Resources(environment string, byState map[string]int)
	DriftItems(environment string, bySeverity map[string]int)
	DriftReverted(environment string)
	ObservationAge(environment, layer string, seconds float64)
	RolloutWeights(environment string, percent map[string]float64)
	Rollout(outcome string)
	Promotion(from, to, outcome string)
	Decision(point, outcome string, seconds float64)
	Bundle(revision string)
	Fetch(result string, staleSeconds float64)
	Outbox(depth int, oldestSeconds float64)
	OutboxDropped(n int)
	Delivery(receiver, outcome string)
	Holds(environment string, n int)
	Panic(environment string)
}

func (p Pace) withDefaults() Pace {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&p.SecondLook, 2*time.Second)
	set(&p.Settle, 500*time.Millisecond)
	set(&p.Retry, 2*time.Second)
	set(&p.RetryMax, 2*time.Minute)
	set(&p.Look, 10*time.Second)
	set(&p.Check, 30*time.Second)
	set(&p.ActorWait, 2*time.Minute)
	set(&p.MetricPeriod, time.Second)
	if p.Parallel == 0 {
		p.Parallel = 4
	}
	return p
}

// validate names every fault at once.
func (o *Options) validate() error {
	var faults []error
	need := func(ok bool, field, why string) {
		if !ok {
			faults = append(faults, fmt.Errorf("options: %s is missing: %s", field, why))
		}
	}
	need(o.Source != nil, "Source", "there is nothing to reconcile towards")
	need(o.Store != nil, "Store", "the daemon remembers nothing without a journal")
	need(o.Provider != nil, "Provider", "no platform can be reached")
	need(o.Policies != nil, "Policies", "nothing could be judged")
	need(o.Closed != nil, "Closed", "broken policies could not close anything")
	need(o.Notifier != nil, "Notifier", "alerts could not be sent")
	need(o.Now != nil, "Now", "the daemon reads its clock from here")
	need(o.Instance != "", "Instance", "the journal must know who writes")
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.Trigger == "" {
		o.Trigger = "poll"
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	o.Pace = o.Pace.withDefaults()
	return errors.Join(faults...)
}

// noMetrics counts nothing.
type noMetrics struct{}

func (noMetrics) Environment(string, []string)              {}
func (noMetrics) Gone(string)                               {}
func (noMetrics) Pass(string, string, float64)              {}
func (noMetrics) Resources(string, map[string]int)          {}
func (noMetrics) DriftItems(string, map[string]int)         {}
func (noMetrics) DriftReverted(string)                      {}
func (noMetrics) ObservationAge(string, string, float64)    {}
func (noMetrics) RolloutWeights(string, map[string]float64) {}
func (noMetrics) Rollout(string)                            {}
func (noMetrics) Promotion(string, string, string)          {}
func (noMetrics) Decision(string, string, float64)          {}
func (noMetrics) Bundle(string)                             {}
func (noMetrics) Fetch(string, float64)                     {}
func (noMetrics) Outbox(int, float64)                       {}
func (noMetrics) OutboxDropped(int)                         {}
func (noMetrics) Delivery(string, string)                   {}
func (noMetrics) Holds(string, int)                         {}
func (noMetrics) Panic(string)                              {}
