package memory

import (
	"context"
	"strconv"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Delete removes an owned resource.
func (pr *Provider) Delete(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	return pr.write(ctx, "delete", res.Ref, func() (*thing, Call, error) {
		call := Call{Guard: guard}
		name := NameOf(res)
		t, ok := pr.p.live(name)
		if !ok {
			return nil, call, nil
		}
		if err := pr.parentOurs(name); err != nil {
			return nil, call, err
		}
		if pr.tagged(t) && !pr.owns(t.owner) {
			return nil, call, providers.Errorf(providers.Denied, "it is not owned by this environment")
		}
		if t.guard() != guard {
			return nil, call, providers.Errorf(providers.Conflict, "it changed since this was planned")
		}
		pr.p.kill(t)
		return t, call, nil
	})
}

// kill deletes a thing and what goes with it. A mapping outlives its function.
func (p *Platform) kill(t *thing) {
	p.touch(t)
	t.deleted = true
	if !manifest.Versioned(t.name.Kind) && t.name.Kind != manifest.KindRole {
		return
	}
	for name, other := range p.things {
		if child(name.Kind) && name.Kind != manifest.KindTrigger && parentName(name) == t.name && !other.deleted {
			p.touch(other)
			other.deleted = true
		}
	}
}

// Detach removes an extra from an owned parent.
func (pr *Provider) Detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	return pr.write(ctx, "detach", extra.Ref, func() (*thing, Call, error) {
		call := Call{Guard: extra.Guard}
		owner, ok := pr.p.live(NameOf(parent))
		if !ok {
			return nil, call, nil
		}
		if !pr.owns(owner.owner) {
			return nil, call, providers.Errorf(providers.Denied, "%s is not owned by this environment", parent.Ref)
		}
		t, ok := pr.p.live(Name{extra.Ref.Kind, parent.Physical, keyBelow(parent.Ref, extra.Ref)})
		if !ok {
			return nil, call, nil
		}
		if t.guard() != extra.Guard {
			return nil, call, providers.Errorf(providers.Conflict, "it changed since this was planned")
		}
		pr.p.kill(t)
		return t, call, nil
	})
}

// keyBelow is a child's own part of its name.
func keyBelow(parent, extra manifest.Ref) string {
	if len(extra.Name) > len(parent.Name) {
		return extra.Name[len(parent.Name)+1:]
	}
	return ""
}

// Clean deletes versions nothing refers to.
func (pr *Provider) Clean(ctx context.Context, fn manifest.Resource, keep []string, last int) (providers.Receipt, error) {
	return pr.write(ctx, "clean", fn.Ref, func() (*thing, Call, error) {
		t, ok := pr.p.live(NameOf(fn))
		if !ok {
			return nil, Call{}, nil
		}
		if err := pr.mayWrite(t, providers.Change{}); err != nil {
			return nil, Call{}, err
		}
		kept := map[string]bool{}
		for _, number := range keep {
			kept[number] = true
		}
		for name, alias := range pr.p.things {
			if manifest.AliasKind(name.Kind) && parentName(name) == t.name && !alias.deleted {
				kept[alias.routing.Version], kept[alias.routing.Canary] = true, true
			}
		}
		for n := t.last; n > 0; n-- {
			number := strconv.Itoa(n)
			if _, ok := t.versions[number]; !ok {
				continue
			}
			if last > 0 || kept[number] {
				last--
				continue
			}
			delete(t.versions, number)
		}
		return t, Call{}, nil
	})
}
