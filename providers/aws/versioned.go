package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// versionedKind is a kind that publishes immutable versions.
type versionedKind interface {
	publish(ctx context.Context, c providers.Change) (providers.Version, providers.Receipt, error)
	cleanedKind
	// invoke runs one version, or what an alias points at, and waits.
	invoke(ctx context.Context, res manifest.Resource, qualifier string, payload []byte) (response []byte, failed bool, err error)
}

// cleanedKind is a kind whose old versions are deleted.
type cleanedKind interface {
	// clean deletes versions that nothing refers to.
	clean(ctx context.Context, res manifest.Resource, keep []string, last int) (providers.Receipt, error)
}

// frontKind is an alias: it is pointed at versions, and measured by them.
type frontKind interface {
	route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error)
	// metrics are what is summed about one version behind the alias.
	metrics(ctx context.Context, alias manifest.Resource, version string) ([]metric, error)
}

// timedKind is an alias whose calls have durations by version.
type timedKind interface {
	durations(alias manifest.Resource, version string, asked []providers.AskedLatency) []metric
}

// metric is one number of each period, and what it counts toward.
type metric struct {
	counts     counted
	namespace  string
	name       string
	dimensions []types.Dimension
	nth        int // of what is asked of durations
}

type counted int

const (
	countsCalls counted = iota
	countsErrors
	countsBoth // an error that is not among the calls otherwise
	countsThrottles
	countsTimed // calls that a duration is known of
	countsSlow  // those that took longer than was asked
	isQuantile  // milliseconds
)

var (
	_ versionedKind = functionKind{}
	_ versionedKind = workflowKind{}
	_ frontKind     = aliasKind{}
	_ frontKind     = workflowAliasKind{}
	_ timedKind     = aliasKind{}
)

func (p *Provider) versionedKind(ref manifest.Ref) (versionedKind, error) {
	if k, ok := p.kinds[ref.Kind].(versionedKind); ok {
		return k, nil
	}
	return nil, providers.Errorf(providers.Invalid, "%s: a %s has no versions", ref, ref.Kind)
}

func (p *Provider) frontKind(ref manifest.Ref) (frontKind, error) {
	if k, ok := p.kinds[ref.Kind].(frontKind); ok {
		return k, nil
	}
	return nil, providers.Errorf(providers.Invalid, "%s: a %s is no alias", ref, ref.Kind)
}

// Publish makes a version of what is declared, where the unpublished state is
// just that.
func (p *Provider) Publish(ctx context.Context, c providers.Change) (providers.Version, providers.Receipt, error) {
	k, err := p.versionedKind(c.Resource.Ref)
	if err != nil {
		return providers.Version{}, providers.Receipt{}, err
	}
	defer p.locks.lock(lockName(c.Resource))()
	defer p.memory.touch(c.Resource)
	v, r, err := k.publish(ctx, c)
	return v, r, about("publish", c.Resource.Ref, err)
}

// Clean deletes versions that nothing refers to.
func (p *Provider) Clean(ctx context.Context, res manifest.Resource, keep []string, last int) (providers.Receipt, error) {
	k, ok := p.kinds[res.Ref.Kind].(cleanedKind)
	if !ok {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "%s: a %s has no versions", res.Ref, res.Ref.Kind)
	}
	defer p.locks.lock(lockName(res))()
	defer p.memory.touch(res)
	if last <= 0 {
		last = p.o.KeepVersions
	}
	r, err := k.clean(ctx, res, keep, last)
	return r, about("clean versions of", res.Ref, err)
}

// Invoke calls a version or an alias and waits for its answer. failed means
// that what was called failed itself; the response then says how.
func (p *Provider) Invoke(ctx context.Context, res manifest.Resource, qualifier string, payload []byte) (response []byte, failed bool, err error) {
	k, err := p.versionedKind(res.Ref)
	if err != nil {
		return nil, false, err
	}
	response, failed, err = k.invoke(ctx, res, qualifier, payload)
	return response, failed, about("invoke", res.Ref, err)
}

// Route points an alias: one guarded call, and none before it when the owner
// of what it is of is remembered.
func (p *Provider) Route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	k, err := p.frontKind(c.Resource.Ref)
	if err != nil {
		return providers.Receipt{}, err
	}
	defer p.locks.lock(lockName(c.Resource))()
	defer p.memory.touch(c.Resource)
	r, err := k.route(ctx, c, to)
	return r, about("route", c.Resource.Ref, err)
}

func (k functionKind) publish(ctx context.Context, c providers.Change) (providers.Version, providers.Receipt, error) {
	return k.p.publish(ctx, c)
}

func (k functionKind) clean(ctx context.Context, res manifest.Resource, keep []string, last int) (providers.Receipt, error) {
	return k.p.clean(ctx, res, keep, last)
}

func (k aliasKind) route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	return k.p.route(ctx, c, to)
}
