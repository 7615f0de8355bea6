package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// contractRead is the contract found in one artifact, or why it could not be
// read.
type contractRead struct {
	expects manifest.Expects
	err     error
	until   time.Time // of a failure: it is not read again before
}

// withContracts adds to a release what its code itself says it expects. Code
// that cannot be read adds nothing here: admission names it, and what is in
// force stays.
//
// whole is false when some code could not be read: such a release is made
// again next time.
func (e *environment) withContracts(ctx context.Context, spec manifest.Environment, rel *manifest.Release) (out *manifest.Release, whole bool) {
	if e.d.opts.Contracts == nil {
		return rel, true
	}
	whole = true
	merged := *rel
	merged.Functions = maps.Clone(rel.Functions)
	for _, res := range rel.Resources {
		config, ok := res.Spec.(*manifest.FunctionConfig)
		if !ok || config.PackageType == "Image" || config.Artifact.Unmanaged {
			continue
		}
		read := e.contractOf(ctx, spec, config.Artifact)
		if read.err != nil {
			whole = false
			continue
		}
		d := merged.Functions[res.Ref]
		d.Expects = manifest.MergeExpects(d.Expects, read.expects)
		merged.Functions[res.Ref] = d
	}
	return &merged, whole
}

// contractOf reads an artifact's contract once. What failed is read again
// after a while.
func (e *environment) contractOf(ctx context.Context, spec manifest.Environment, a manifest.Artifact) contractRead {
	if read, ok := e.brought[a.Digest]; ok && (read.err == nil || e.d.opts.Now().Before(read.until)) {
		return read
	}
	var read contractRead
	if read.expects, read.err = e.d.opts.Contracts(ctx, spec, a); read.err != nil {
		read.until = e.d.opts.Now().Add(e.d.opts.Pace.Retry)
	}
	e.brought[a.Digest] = read
	return read
}

// codeFaults names code that cannot be deployed: absent, or not what its
// digest says. later is an answer that may still come.
func (p *pass) codeFaults(ctx context.Context) (faults, later error) {
	if p.e.d.opts.Contracts == nil {
		return nil, nil
	}
	var bad, wait []error
	for _, res := range p.head.release.Resources {
		config, ok := res.Spec.(*manifest.FunctionConfig)
		if !ok || config.PackageType == "Image" || config.Artifact.Unmanaged {
			continue
		}
		read := p.e.contractOf(ctx, p.spec, config.Artifact)
		switch {
		case read.err == nil:
		case providers.KindOf(read.err).Permanent():
			bad = append(bad, fmt.Errorf("%s: %s: %w", res.Origin, res.Ref, read.err))
		default:
			wait = append(wait, fmt.Errorf("%s: %w", res.Ref, read.err))
		}
	}
	return errors.Join(bad...), errors.Join(wait...)
}
