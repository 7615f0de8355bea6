// Package readonly is a platform that can be looked at and not changed: every
// write, and every call of a function, is refused before it leaves the
// process. It refuses to decide what is looked at.
package readonly

import (
	"context"
	"errors"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Provider shows another provider's platform and refuses to change it. What
// the other cannot tell is unknown here too.
type Provider struct{ inner providers.Provider }

var (
	_ providers.Provider       = (*Provider)(nil)
	_ providers.Meter          = (*Provider)(nil)
	_ providers.Invoker        = (*Provider)(nil)
	_ providers.AlarmReader    = (*Provider)(nil)
	_ providers.ActorFinder    = (*Provider)(nil)
	_ providers.AccountChecker = (*Provider)(nil)
	_ providers.Hinter         = (*Provider)(nil)
	_ providers.Examiner       = (*Provider)(nil)
	_ providers.Cleaner        = (*Provider)(nil)
	_ providers.Switcher       = (*Provider)(nil)
	_ providers.Diagnoser      = (*Provider)(nil)
)

// Wrap makes a read-only view of a provider.
func Wrap(p providers.Provider) *Provider { return &Provider{inner: p} }

func refuse(what string, ref manifest.Ref) error {
	return providers.Errorf(providers.Denied, "%s %s: this daemon only looks (--read-only)", what, ref)
}

// Canonical is the inner provider's.
func (p *Provider) Canonical(res manifest.Resource, b providers.Bindings) (providers.Spec, error) {
	return p.inner.Canonical(res, b)
}

// Survey is the inner provider's.
func (p *Provider) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	return p.inner.Survey(ctx, want)
}

// Observe is the inner provider's.
func (p *Provider) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	return p.inner.Observe(ctx, want...)
}

// Put is Denied.
func (p *Provider) Put(_ context.Context, c providers.Change) (providers.Receipt, error) {
	return providers.Receipt{}, refuse("put", c.Resource.Ref)
}

// Publish is Denied.
func (p *Provider) Publish(_ context.Context, c providers.Change) (providers.Version, providers.Receipt, error) {
	return providers.Version{}, providers.Receipt{}, refuse("publish", c.Resource.Ref)
}

// Route is Denied.
func (p *Provider) Route(_ context.Context, c providers.Change, _ providers.Routing) (providers.Receipt, error) {
	return providers.Receipt{}, refuse("route", c.Resource.Ref)
}

// Delete is Denied.
func (p *Provider) Delete(_ context.Context, res manifest.Resource, _ providers.Guard) (providers.Receipt, error) {
	return providers.Receipt{}, refuse("delete", res.Ref)
}

// Detach is Denied.
func (p *Provider) Detach(_ context.Context, _ manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	return providers.Receipt{}, refuse("detach", extra.Ref)
}

// Clean is Denied.
func (p *Provider) Clean(_ context.Context, fn manifest.Resource, _ []string, _ int) (providers.Receipt, error) {
	return providers.Receipt{}, refuse("clean versions of", fn.Ref)
}

// Invoke is Denied: code that runs changes things.
func (p *Provider) Invoke(_ context.Context, fn manifest.Resource, _ string, _ []byte) ([]byte, bool, error) {
	return nil, false, refuse("invoke", fn.Ref)
}

// Measure is the inner provider's; unknown where that measures nothing.
func (p *Provider) Measure(ctx context.Context, alias manifest.Resource, version string, q providers.Asked) (providers.Sample, error) {
	if meter, ok := p.inner.(providers.Meter); ok {
		return meter.Measure(ctx, alias, version, q)
	}
	return providers.Sample{}, nil
}

// AlarmStates are the inner provider's; unknown where that has no alarms.
func (p *Provider) AlarmStates(ctx context.Context, alarms []manifest.Resource) (map[manifest.Ref]string, error) {
	if reader, ok := p.inner.(providers.AlarmReader); ok {
		return reader.AlarmStates(ctx, alarms)
	}
	return nil, nil
}

// Actors are the inner provider's; none where that reads no trail.
func (p *Provider) Actors(ctx context.Context, res manifest.Resource, since time.Time) ([]providers.Actor, error) {
	if finder, ok := p.inner.(providers.ActorFinder); ok {
		return finder.Actors(ctx, res, since)
	}
	return nil, nil
}

// Explains is the inner provider's.
func (p *Provider) Explains(a providers.Actor, ref manifest.Ref, path string) bool {
	finder, ok := p.inner.(providers.ActorFinder)
	return ok && finder.Explains(a, ref, path)
}

// Hints are the inner provider's.
func (p *Provider) Hints(ctx context.Context) ([]providers.Hint, error) {
	if hinter, ok := p.inner.(providers.Hinter); ok {
		return hinter.Hints(ctx)
	}
	return nil, errors.ErrUnsupported
}

// Examine is the inner provider's, or a whole survey.
func (p *Provider) Examine(ctx context.Context, want []manifest.Resource, subjects ...manifest.Ref) (providers.Inventory, error) {
	if examiner, ok := p.inner.(providers.Examiner); ok {
		return examiner.Examine(ctx, want, subjects...)
	}
	return p.inner.Survey(ctx, want)
}

// CheckAccount is the inner provider's; "" where that knows no accounts.
func (p *Provider) CheckAccount(ctx context.Context) (string, error) {
	if checker, ok := p.inner.(providers.AccountChecker); ok {
		return checker.CheckAccount(ctx)
	}
	return "", nil
}

// Diagnose is the inner provider's; nothing is told where that tells nothing.
func (p *Provider) Diagnose(ctx context.Context, want []manifest.Resource) providers.Diagnosis {
	if diagnoser, ok := p.inner.(providers.Diagnoser); ok {
		return diagnoser.Diagnose(ctx, want)
	}
	return providers.Diagnosis{}
}

// Arm is Denied.
func (p *Provider) Arm(_ context.Context, s providers.Switch) (providers.Receipt, error) {
	return providers.Receipt{}, refuse("arm", s.Alias.Ref)
}

// Armed is the inner provider's; none is where that has no switches.
func (p *Provider) Armed(ctx context.Context, s providers.Switch) (bool, error) {
	if switcher, ok := p.inner.(providers.Switcher); ok {
		return switcher.Armed(ctx, s)
	}
	return false, nil
}

// Disarm is Denied.
func (p *Provider) Disarm(_ context.Context, s providers.Switch) (providers.Receipt, error) {
	return providers.Receipt{}, refuse("disarm", s.Alias.Ref)
}
