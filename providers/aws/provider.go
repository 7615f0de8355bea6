// Package aws is the AWS provider: functions, what is around them, and what
// people do to both. It is the only reader of AWS's answers: it turns them
// into canonical form, guards every write, and says what it could not see. It
// refuses to plan, to wait for long, to decide, and to let a secret's value
// leave it.
package aws

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/manifest"
)

// Artifacts fetches code by digest; it returns only bytes that have it.
// *artifact.Store is one.
type Artifacts interface {
	Fetch(ctx context.Context, a manifest.Artifact) (artifact.Blob, error)
}

// Options of a Provider. Config, Pipeline and Environment are required.
type Options struct {
	Config      awssdk.Config // see Load
	Target      manifest.AWSTarget
	Pipeline    string // value of the ownership tag
	Environment string
	Artifacts   Artifacts // nil: only image functions can be written
	// Tokens keys the tokens that stand for sensitive values. Equal keys make
	// equal values show equal tokens across restarts; empty draws a key for
	// this process alone.
	Tokens []byte
	Now    func() time.Time // nil: time.Now
	// LayerAge is how old a look at a per-resource layer may become before a
	// survey renews it. Default 10 minutes.
	LayerAge time.Duration
	// Quota is the model of the account's rates, shared by all providers of
	// the process. nil: one of its own.
	Quota *quota.Model
	// HintQueue is the name or ARN of the queue that CloudTrail's events come
	// to; "": none do.
	HintQueue string
	// Deadman is what dead man's switches are made of, for Diagnose; nil: the
	// environment has none.
	Deadman *manifest.Deadman
	// Hearing is shared by all providers of the process, as Quota is. nil: one
	// of its own.
	Hearing *Hearing
	// OnCall hears of every call and its error code ("" for success). Calls are
	// made side by side, and so is this.
	OnCall func(service, operation, code string)
	// Trace is told that a call begins, and returns the context to make it in and
	// what is to be told when it ended; nil: nobody records calls.
	Trace func(ctx context.Context, service, operation string) (context.Context, func(Call))
	// CloudWatchProtocol is "" (what the SDK speaks), or "json" or "query" for
	// emulators that know only those.
	CloudWatchProtocol string
	// Emulator is "", or "moto": its mappings name the version their alias
	// pointed at once, and are read as naming the alias; its policies have
	// revisions that do not hold, and are written without; its state machines
	// are taken to have no versions, and its HTTP APIs no authorizers; Diagnose
	// does not ask it about patterns, and for its history of events.
	Emulator string
	// ReadOnly providers stand behind a wrapper that refuses every write: extras
	// are told of what nobody owns as well.
	ReadOnly     bool
	MetricPeriod time.Duration // of a CloudWatch datapoint; default 60s
	KeepVersions int           // versions Clean keeps when told none; default 3
	Parallel     int           // looks at a time of each kind; default 8
}

// Provider is one environment on AWS. It is safe for concurrent use.
type Provider struct {
	o     Options
	front *clients // writes, and looks asked for
	sweep *clients // surveys
	kinds map[string]kind
	order []namedKind // as surveys go through them

	trail    *trail
	iamTrail *trail // of the region where IAM's events are

	memory memory
	sweeps sweeps
	locks  keyedLocks
}

var (
	_ providers.Provider       = (*Provider)(nil)
	_ providers.Meter          = (*Provider)(nil)
	_ providers.Invoker        = (*Provider)(nil)
	_ providers.ActorFinder    = (*Provider)(nil)
	_ providers.Hinter         = (*Provider)(nil)
	_ providers.Examiner       = (*Provider)(nil)
	_ providers.AccountChecker = (*Provider)(nil)
	_ providers.Cleaner        = (*Provider)(nil)
)

// New makes a Provider. It makes no call.
func New(o Options) (*Provider, error) {
	if o.Pipeline == "" || o.Environment == "" {
		return nil, fmt.Errorf("aws provider: pipeline and environment must be named, they mark what is owned")
	}
	if o.Config.Region == "" {
		o.Config.Region = o.Target.Region
	}
	if o.Config.Region == "" {
		return nil, fmt.Errorf("aws provider: no region; name one with AWS_REGION, or with provider: {aws: {region: …}} in mooring.yaml")
	}
	switch o.CloudWatchProtocol {
	case "", "json", "query":
	default:
		return nil, fmt.Errorf("aws provider: CloudWatch protocol %q: want json, query or nothing", o.CloudWatchProtocol)
	}
	if o.Emulator != "" && o.Emulator != "moto" {
		return nil, fmt.Errorf("aws provider: emulator %q: only moto is known", o.Emulator)
	}
	if len(o.Tokens) == 0 {
		o.Tokens = make([]byte, 32)
		_, _ = rand.Read(o.Tokens) // never fails
	}
	o.defaults()
	p := &Provider{o: o}
	p.front, p.sweep = newClients(o), newClients(o)
	p.trail, p.iamTrail = newTrail(p.front.trail, o.Now), newTrail(p.front.iamTrail, o.Now)
	p.order = p.allKinds()
	p.kinds = make(map[string]kind, len(p.order))
	for _, k := range p.order {
		p.kinds[k.name] = k.kind
	}
	p.memory.init()
	return p, nil
}

func (o *Options) defaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LayerAge <= 0 {
		o.LayerAge = 10 * time.Minute
	}
	if o.Quota == nil {
		o.Quota = quota.New(quota.Options{})
	}
	if o.Hearing == nil {
		o.Hearing = NewHearing()
	}
	if o.MetricPeriod <= 0 {
		o.MetricPeriod = time.Minute
	}
	if o.KeepVersions <= 0 {
		o.KeepVersions = 3
	}
	if o.Emulator == "moto" {
		o.CloudWatchProtocol = orElse(o.CloudWatchProtocol, "json")
	}
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
}

// Lanes tells how much of the account's rates is used.
func (p *Provider) Lanes() []quota.Use { return p.o.Quota.Lanes() }

func (p *Provider) kindOf(ref manifest.Ref) (kind, error) {
	k, ok := p.kinds[ref.Kind]
	if !ok {
		return nil, providers.Errorf(providers.Invalid, "%s: the AWS provider knows no kind %s", ref, ref.Kind)
	}
	return k, nil
}

// Canonical is the form AWS would show for res.
func (p *Provider) Canonical(res manifest.Resource, b providers.Bindings) (providers.Spec, error) {
	k, err := p.kindOf(res.Ref)
	if err != nil {
		return providers.Spec{}, err
	}
	builder := p.builder(b)
	if err := k.canonical(res, builder); err != nil {
		return providers.Spec{}, fmt.Errorf("canonical form of %s: %w", res.Ref, err)
	}
	return builder.spec(), nil
}

// Put creates or updates one resource.
func (p *Provider) Put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	k, err := p.kindOf(c.Resource.Ref)
	if err != nil {
		return providers.Receipt{}, err
	}
	defer p.locks.lock(lockName(c.Resource))()
	defer p.memory.touch(c.Resource)
	receipt, err := k.put(ctx, c)
	return receipt, about("put", c.Resource.Ref, err)
}

// Delete removes one owned resource.
func (p *Provider) Delete(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	k, err := p.kindOf(res.Ref)
	if err != nil {
		return providers.Receipt{}, err
	}
	defer p.locks.lock(lockName(res))()
	defer p.memory.touch(res)
	receipt, err := k.remove(ctx, res, guard)
	return receipt, about("delete", res.Ref, err)
}

// about says what was being done. The kind of the error stays.
func about(doing string, ref manifest.Ref, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", doing, ref, err)
}

// lockName makes writes to a function, or a workflow, and its children take
// turns: they share revisions that AWS moves under all of them.
func lockName(res manifest.Resource) string {
	if parent := manifest.VersionedBy(res.Ref.Kind); parent != "" {
		return parent + " " + res.Physical
	}
	if onFunction[res.Ref.Kind] {
		return manifest.KindFunction + " " + res.Physical
	}
	return res.Ref.Kind + " " + res.Physical
}

// keyedLocks is one lock per name.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

func (k *keyedLocks) lock(name string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*sync.Mutex{}
	}
	l := k.locks[name]
	if l == nil {
		l = &sync.Mutex{}
		k.locks[name] = l
	}
	k.mu.Unlock()
	l.Lock()
	return l.Unlock
}
