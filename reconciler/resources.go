package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// resourceList is how each declared resource stands, in the order of names.
func (p *pass) resourceList() []web.ResourceStatus {
	if p.target == nil {
		return nil
	}
	drift := map[manifest.Ref]int{}
	for _, item := range p.confirmed() {
		drift[item.Ref]++
	}
	out := make([]web.ResourceStatus, 0, len(p.target.Resources))
	for _, res := range p.target.Resources {
		s := p.e.resourceStatus(res.Ref)
		s.Version, s.Drift = p.st.Applied[res.Ref].Version, drift[res.Ref]
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b web.ResourceStatus) int { return strings.Compare(a.Resource, b.Resource) })
	return out
}

func (e *environment) resourceStatus(ref manifest.Ref) web.ResourceStatus {
	return web.ResourceStatus{Resource: ref.String(), State: e.resourceState(ref), SeenAt: e.look.inventory.Live[ref].SeenAt}
}

func (e *environment) resourceState(ref manifest.Ref) string {
	live, looked := e.look.inventory.Live[ref]
	spec := e.specs[ref].spec
	switch {
	case e.look.inventory.Errors[ref] != nil, !looked:
		return "unknown"
	case !live.Exists:
		return "missing"
	case live.Settling:
		return "settling"
	case live.Spec.Digest != spec.Digest && !equalWhereSeen(live, spec):
		return "differs"
	}
	return "in_place"
}

// Resources are those that an environment declares, as they stood at the end
// of its last pass.
func (d *Daemon) Resources(name string) ([]web.ResourceStatus, error) {
	pub, err := d.lastSeen(name)
	if err != nil {
		return nil, err
	}
	return pub.resources, nil
}

// lastSeen is what an environment published last.
func (d *Daemon) lastSeen(name string) (*published, error) {
	e := d.environment(name)
	if e == nil {
		return nil, d.unknown(name)
	}
	pub := e.published.Load()
	if pub == nil {
		return nil, fmt.Errorf("environment %s was not looked at yet", name)
	}
	return pub, nil
}

// Resource is one of them, field by field, as it was looked at last.
func (d *Daemon) Resource(ctx context.Context, name, resource string) (out web.ResourceDetail, err error) {
	pub, err := d.lastSeen(name)
	if err != nil {
		return out, err
	}
	ref, err := manifest.ParseRef(resource)
	if err != nil {
		return out, fmt.Errorf("resource %q: %w", resource, err)
	}
	res, declared := find(ref, pub.target)
	if !declared {
		return out, fmt.Errorf("resource %s: %w: %s declares none of this name", ref, ErrUnknown, name)
	}
	return out, d.peek(ctx, name, func(e *environment) {
		out = e.detail(res)
		for _, item := range pub.drift.Items {
			if item.Resource == resource {
				out.Items = append(out.Items, item)
				out.Drift++
			}
		}
	})
}

func (e *environment) detail(res manifest.Resource) web.ResourceDetail {
	live, st := e.look.inventory.Live[res.Ref], e.state()
	applied, declared := st.Applied[res.Ref], e.specs[res.Ref].spec
	out := web.ResourceDetail{ResourceStatus: e.resourceStatus(res.Ref), Origin: res.Origin.String(), Failed: live.Failed, Note: live.Note,
		Fields: []web.ResourceField{}, Items: []web.DriftItem{}}
	out.Version = applied.Version
	if err := e.look.inventory.Errors[res.Ref]; err != nil {
		out.Error = err.Error()
	}
	paths := map[string]bool{}
	for _, fields := range []map[string]string{declared.Fields, applied.Fields, live.Spec.Fields, live.Unseen} {
		for path := range fields {
			paths[path] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		out.Fields = append(out.Fields, web.ResourceField{Path: path, Declared: value(declared.Fields[path]), Applied: value(applied.Fields[path]),
			Live: value(live.Spec.Fields[path]), Unseen: live.Unseen[path]})
	}
	out.Versions = versions(live, e.routingOf(res, st.Rollout))
	return out
}

// routingOf is where the calls of a function or workflow go now: what its
// alias was last seen to say.
func (e *environment) routingOf(res manifest.Resource, ro rollout.State) providers.Routing {
	for _, f := range ro.Functions {
		if f.Ref == res.Ref && f.Alias != (manifest.Ref{}) {
			return e.look.inventory.Live[f.Alias].Routing
		}
	}
	return providers.Routing{}
}

// versions are those published, the newest first, with their share of calls.
func versions(live providers.Live, to providers.Routing) []web.ResourceVersion {
	var out []web.ResourceVersion
	for number, v := range live.Published {
		shown := web.ResourceVersion{Number: number, Ready: v.Ready, Failed: v.Failed}
		canary := int(to.Weight) * 100 / int(providers.Percent(100))
		switch number {
		case to.Canary:
			shown.Weight = canary
		case to.Version:
			shown.Weight = 100 - canary
		}
		out = append(out, shown)
	}
	slices.SortFunc(out, func(a, b web.ResourceVersion) int {
		if newer(a.Number, b.Number) {
			return -1
		}
		return 1
	})
	return out
}
