package aws

import (
	"context"
	"errors"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Detach takes an extra off an owned parent, if it still is as it was seen.
func (p *Provider) Detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	defer p.locks.lock(lockName(parent))()
	defer p.memory.touch(parent)
	r, err := p.detach(ctx, parent, extra)
	return r, about("detach", extra.Ref, err)
}

func (p *Provider) detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	name, ok := strings.CutPrefix(extra.Ref.Name, parent.Ref.Name)
	if !ok || extra.Parent != parent.Ref {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "is not on %s", parent.Ref)
	}
	name = strings.TrimPrefix(name, ".")
	if extra.Ref.Kind == KindPolicy {
		return roleKind{p}.dropPolicy(ctx, parent, extra, name)
	}
	if parent.Ref.Kind == manifest.KindAPI {
		return routeKind{p}.detach(ctx, parent, extra)
	}
	if k, ok := p.kinds[extra.Ref.Kind].(detachable); ok {
		return k.detach(ctx, parent, extra)
	}
	l, err := p.look(ctx, p.front, parent.Physical)
	if err != nil || l.absent {
		return providers.Receipt{}, err
	}
	if err := p.mayDelete(l.owner()); err != nil {
		return providers.Receipt{}, err
	}
	switch extra.Ref.Kind {
	case manifest.KindTrigger:
		return p.detachMapping(ctx, parent, extra, name)
	case manifest.KindPermission, manifest.KindURL, manifest.KindAsync:
		return p.detachQualified(ctx, parent, extra, name)
	case manifest.KindAlias:
		return aliasKind{p}.drop(ctx, parent.Physical, name, extra.Guard)
	case manifest.KindProvisioned, manifest.KindRuntimeManagement:
		fn := manifest.Resource{Ref: extra.Ref, Parent: parent.Ref, Physical: parent.Physical}
		return p.kinds[extra.Ref.Kind].remove(ctx, fn, extra.Guard)
	case manifest.KindConcurrency:
		fn := manifest.Resource{Ref: extra.Ref, Parent: parent.Ref, Physical: parent.Physical}
		return concurrencyKind{p}.remove(ctx, fn, extra.Guard)
	}
	return providers.Receipt{}, providers.Errorf(providers.Invalid, "a %s cannot be detached", extra.Ref.Kind)
}

// detachMapping deletes an undeclared mapping by its UUID, which is its name.
func (p *Provider) detachMapping(ctx context.Context, parent manifest.Resource, extra providers.Extra, name string) (providers.Receipt, error) {
	now, err := p.strayMapping(ctx, parent, extra, name)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if name, _ := functionOf(awssdk.ToString(now.FunctionArn)); name != parent.Physical {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "the mapping is not on %s any more", parent.Ref)
	}
	k := triggerKind{p}
	if err := holds(extra.Guard, k.guard(now)); err != nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, awssdk.ToString(now.UUID))
}

// strayMapping is the mapping an extra means; nil when there is none. What was
// declared once still goes by the name it was declared by: its mapping is the
// one that looks as it was seen, or that is tagged with that name.
func (p *Provider) strayMapping(ctx context.Context, parent manifest.Resource, extra providers.Extra, name string) (*types.EventSourceMappingConfiguration, error) {
	if mappingUUID(name) {
		return p.getMapping(ctx, p.front, name)
	}
	all, err := p.listMappings(ctx, p.front, "")
	if err != nil {
		return nil, err
	}
	k := triggerKind{p}
	var tagged *types.EventSourceMappingConfiguration
	for i := range all {
		c := &all[i]
		if on, _ := functionOf(awssdk.ToString(c.FunctionArn)); on != parent.Physical {
			continue
		}
		if extra.Guard != "" && k.guard(c) == extra.Guard {
			return c, nil
		}
		tags, err := p.mappingTags(ctx, p.front, c)
		if err != nil {
			return nil, err
		}
		if o := ownerOf(tags); p.owns(o) && o.Resource == extra.Ref.String() {
			tagged = c
		}
	}
	return tagged, nil
}

// mappingUUID is true for the name AWS gives a mapping: 8-4-4-4-12 hexadecimal
// digits.
func mappingUUID(name string) bool {
	if len(name) != 36 {
		return false
	}
	for i, c := range name {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}

// detachQualified finds the qualifier an extra stands on. Where its name does
// not say, each alias is tried; the guard says which one is meant.
func (p *Provider) detachQualified(ctx context.Context, parent manifest.Resource, extra providers.Extra, name string) (providers.Receipt, error) {
	if extra.Guard == "" {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "comes without a guard")
	}
	key, qualifier, named := strings.Cut(name, "@")
	qualifiers := []string{qualifier}
	if !named {
		aliases, err := p.listAliases(ctx, p.front, parent.Physical)
		if err != nil {
			return providers.Receipt{}, err
		}
		qualifiers = []string{latest}
		for _, a := range aliases {
			qualifiers = append(qualifiers, awssdk.ToString(a.Name))
		}
	}
	var refused error
	for _, q := range qualifiers {
		if q == latest {
			q = ""
		}
		r, err := p.dropQualified(ctx, parent, extra, key, q)
		if err == nil && len(r.RequestIDs) > 0 {
			return r, nil
		}
		if err != nil && providers.KindOf(err) != providers.Conflict {
			return r, err
		}
		refused = errors.Join(refused, err)
	}
	return providers.Receipt{}, refused
}

func (p *Provider) dropQualified(ctx context.Context, parent manifest.Resource, extra providers.Extra, key, qualifier string) (providers.Receipt, error) {
	switch extra.Ref.Kind {
	case manifest.KindPermission:
		return permissionKind{p}.dropGuarded(ctx, parent.Physical, qualifier, key, extra.Guard)
	case manifest.KindURL:
		return urlKind{p}.drop(ctx, parent.Physical, optional(qualifier), extra.Guard)
	}
	return asyncKind{p}.drop(ctx, parent.Physical, optional(qualifier), extra.Guard)
}

// withQualifier names an extra that does not stand on the function's one
// alias: Permission/checkout.sid@blue, Url/checkout@$LATEST for the function
// itself.
func withQualifier(name, qualifier string) string { return name + "@" + orElse(qualifier, latest) }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
