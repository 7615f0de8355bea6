package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// contractRead is the contract found in one artifact, or why it could not be
// read.
type contractRead struct {
	expects manifest.Expects
	err     error
}

// withContracts adds to a release what its code itself says it expects. Code
// that cannot be read adds nothing here: admission names it, and what is in
// force stays.
func (e *environment) withContracts(ctx context.Context, spec manifest.Environment, rel *manifest.Release) *manifest.Release {
	if e.d.opts.Contracts == nil {
		return rel
	}
	merged := *rel
	merged.Functions = maps.Clone(rel.Functions)
	for _, res := range rel.Resources {
		config, ok := res.Spec.(*manifest.FunctionConfig)
		if !ok || config.PackageType == "Image" {
			continue
		}
		read := e.contractOf(ctx, spec, config.Artifact)
		if read.err != nil {
			continue
		}
		d := merged.Functions[res.Ref]
		d.Expects = manifest.MergeExpects(d.Expects, read.expects)
		merged.Functions[res.Ref] = d
	}
	return &merged
}

// contractOf reads an artifact's contract once. What failed is read again next
// time.
func (e *environment) contractOf(ctx context.Context, spec manifest.Environment, a manifest.Artifact) contractRead {
	if read, ok := e.brought[a.Digest]; ok {
		return read
	}
	var read contractRead
	if read.expects, read.err = e.d.opts.Contracts(ctx, spec, a); read.err == nil {
		e.brought[a.Digest] = read
	}
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
		if !ok || config.PackageType == "Image" {
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
