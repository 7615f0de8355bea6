package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// write wraps one effect: the context, the fault before and after it, the log.
func (pr *Provider) write(ctx context.Context, op string, ref manifest.Ref, effect func() (*thing, Call, error)) (providers.Receipt, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return providers.Receipt{}, err
	}
	if err := p.inject(op+":before", ref); err != nil {
		return providers.Receipt{}, fmt.Errorf("%s %s: %w", op, ref, err)
	}
	t, call, err := effect()
	call.Op, call.Ref, call.Environment, call.Actor = op, ref, pr.environment, "mooring/"+pr.environment
	if err != nil {
		call.Error = err.Error()
		p.record(nil, call, false)
		return providers.Receipt{}, fmt.Errorf("%s %s: %w", op, ref, err)
	}
	receipt := providers.Receipt{RequestIDs: []string{p.record(t, call, false)}}
	if t != nil && !t.deleted {
		receipt.Guard = t.guard()
	}
	if err := p.inject(op+":after", ref); err != nil {
		return providers.Receipt{}, fmt.Errorf("%s %s: %w", op, ref, err)
	}
	return receipt, nil
}

// Put creates or updates. A Function takes one of two calls a time: code
// first, then configuration.
func (pr *Provider) Put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	return pr.write(ctx, "put", c.Resource.Ref, func() (*thing, Call, error) { return pr.put(c) })
}

func (pr *Provider) put(c providers.Change) (*thing, Call, error) {
	call := Call{Guard: c.Guard}
	spec, err := pr.Canonical(c.Resource, c.Bindings)
	if err != nil {
		return nil, call, err
	}
	name := NameOf(c.Resource)
	if name.Kind == manifest.KindSecret || name.Kind == manifest.KindParameter || c.Resource.Bound() {
		return nil, call, providers.Errorf(providers.Denied, "it is checked, never written")
	}
	if err := pr.parentOurs(name); err != nil {
		return nil, call, err
	}
	t, exists := pr.p.live(name)
	if !exists {
		return pr.create(c, spec, call)
	}
	paths, remove := wanted(c, spec, t)
	if len(paths) > 0 && len(spec.Unbound) > 0 {
		return nil, call, unboundError(spec)
	}
	if err := pr.mayWrite(t, c); err != nil {
		return nil, call, err
	}
	retag := pr.tagged(t) && t.owner.Release != c.Release
	if len(paths)+len(remove) == 0 && !retag {
		return t, call, nil // as asked already: a retry
	}
	if err := pr.free(t, c.Guard); err != nil {
		return nil, call, err
	}
	call.Fields = append(slices.Clone(paths), remove...)
	pr.p.touch(t)
	for _, path := range paths {
		t.fields[path] = spec.Fields[path]
		t.sensitive[path] = slices.Contains(spec.Sensitive, path)
	}
	for _, path := range remove {
		delete(t.fields, path)
		delete(t.sensitive, path)
	}
	if name.Kind == manifest.KindLayer {
		pr.p.publishLayer(t)
	}
	pr.tag(t, c)
	pr.settle(t, len(paths)+len(remove) > 0)
	return t, call, nil
}

func unboundError(spec providers.Spec) error {
	return providers.Errorf(providers.Conflict, "%s does not live yet", spec.Unbound[0])
}

// wanted lists what a Put has to change, one call's worth for a Function.
func wanted(c providers.Change, spec providers.Spec, t *thing) (paths, remove []string) {
	if c.Fields == nil {
		paths = slices.Sorted(maps.Keys(spec.Fields))
	} else {
		paths = slices.Clone(c.Fields)
	}
	paths = slices.DeleteFunc(paths, func(path string) bool {
		v, declared := spec.Fields[path]
		have, ok := t.fields[path]
		return !declared || ok && have == v
	})
	for _, path := range c.Remove {
		if _, ok := t.fields[path]; ok {
			remove = append(remove, path)
		}
	}
	if t.name.Kind == manifest.KindFunction {
		code := slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path != "code" && path != "architectures" })
		if len(code) > 0 {
			return code, nil
		}
	}
	return paths, remove
}

// create makes what is absent.
func (pr *Provider) create(c providers.Change, spec providers.Spec, call Call) (*thing, Call, error) {
	name := NameOf(c.Resource)
	switch {
	case c.Guard != "":
		return nil, call, providers.Errorf(providers.Conflict, "it was there when this was planned and is gone")
	case len(spec.Unbound) > 0:
		return nil, call, unboundError(spec)
	case manifest.AliasKind(name.Kind):
		return nil, call, providers.Errorf(providers.Invalid, "an alias is made by Route: it needs a version")
	}
	if err := pr.standing(c.Resource); err != nil {
		return nil, call, err
	}
	t := pr.p.birth(name)
	t.fields = maps.Clone(spec.Fields)
	if t.fields == nil {
		t.fields = map[string]string{}
	}
	for _, path := range spec.Sensitive {
		t.sensitive[path] = true
	}
	if name.Kind == manifest.KindLayer {
		pr.p.publishLayer(t)
	}
	pr.tag(t, c)
	pr.settle(t, true)
	call.Fields = slices.Sorted(maps.Keys(spec.Fields))
	return t, call, nil
}

// birth makes a thing, or a new one where one was deleted.
func (p *Platform) birth(name Name) *thing {
	t := &thing{name: name, fields: map[string]string{}, sensitive: map[string]bool{}, versions: map[string]published{}, changed: p.o.Now()}
	if old := p.things[name]; old != nil {
		t.revision, t.last, t.audit = old.revision, old.last, old.audit
		t.routes = old.routes
	}
	t.revision++
	t.born = t.revision
	p.things[name] = t
	return t
}

// standing checks what a child needs to be made on.
func (pr *Provider) standing(res manifest.Resource) error {
	if !child(res.Ref.Kind) {
		return nil
	}
	if parent := parentName(NameOf(res)); !pr.p.lives(parent) {
		return providers.Errorf(providers.Conflict, "%s does not live", parent)
	}
	var alias manifest.Ref
	switch spec := res.Spec.(type) {
	case *manifest.TriggerSpec:
		alias = spec.Alias
	case *manifest.PermissionSpec:
		alias = spec.Alias
	case *manifest.URLSpec:
		alias = spec.Alias
	case *manifest.AsyncSpec:
		alias = spec.Alias
	}
	if alias == (manifest.Ref{}) {
		return nil
	}
	if _, ok := pr.p.live(Name{manifest.KindAlias, res.Physical, qualifier(alias)[1:]}); !ok {
		return providers.Errorf(providers.Conflict, "%s does not live", alias)
	}
	return nil
}

// tagged things carry ownership tags.
func (pr *Provider) tagged(t *thing) bool { return !child(t.name.Kind) }

func (pr *Provider) tag(t *thing, c providers.Change) {
	if pr.tagged(t) {
		t.owner = providers.Owner{Pipeline: pr.pipeline, Environment: pr.environment, Resource: c.Resource.Ref.String(), Release: c.Release}
	}
}

// parentOurs refuses to write on somebody else's function or role.
func (pr *Provider) parentOurs(name Name) error {
	if !child(name.Kind) {
		return nil
	}
	parent, ok := pr.p.live(parentName(name))
	if ok && !pr.owns(parent.owner) {
		return providers.Errorf(providers.Denied, "%s is not owned by this environment", parentName(name))
	}
	return nil
}

// mayWrite checks ownership of what lives.
func (pr *Provider) mayWrite(t *thing, c providers.Change) error {
	switch {
	case !pr.tagged(t) || pr.owns(t.owner):
		return nil
	case t.owner == (providers.Owner{}) && c.Adopt:
		return nil
	case t.owner == (providers.Owner{}):
		return providers.Errorf(providers.Denied, "it lives already and nobody owns it")
	}
	return providers.Errorf(providers.Denied, "it belongs to %s/%s", t.owner.Pipeline, t.owner.Environment)
}

// free checks the guard, and that nothing is settling.
func (pr *Provider) free(t *thing, guard providers.Guard) error {
	switch {
	case t.guard() != guard:
		return providers.Errorf(providers.Conflict, "it changed since this was planned (%s, not %s)", t.guard(), guard)
	case pr.p.o.Now().Before(t.settles):
		return providers.Errorf(providers.Conflict, "a change is still taking hold")
	}
	return nil
}

// settle starts the time a change takes; it ends in a second revision.
func (pr *Provider) settle(t *thing, changed bool) {
	if !changed || t.name.Kind != manifest.KindFunction && t.name.Kind != manifest.KindTrigger && t.name.Kind != manifest.KindProvisioned {
		return
	}
	t.settles = pr.p.o.Now().Add(pr.p.o.Settle)
	t.bump = true
	pr.p.live(t.name)
}

// Publish makes a version of what is declared.
func (pr *Provider) Publish(ctx context.Context, c providers.Change) (providers.Version, providers.Receipt, error) {
	var made providers.Version
	receipt, err := pr.write(ctx, "publish", c.Resource.Ref, func() (*thing, Call, error) {
		t, v, err := pr.publish(c)
		if err == nil {
			made = providers.Version{Number: v.number, Snapshot: v.snapshot, Ready: !pr.p.o.Now().Before(v.ready)}
		}
		return t, Call{Guard: c.Guard}, err
	})
	if err != nil {
		return providers.Version{}, receipt, err
	}
	return made, receipt, nil
}

func (pr *Provider) publish(c providers.Change) (*thing, published, error) {
	none := published{}
	spec, err := pr.Canonical(c.Resource, c.Bindings)
	if err != nil {
		return nil, none, err
	}
	t, ok := pr.p.live(NameOf(c.Resource))
	switch {
	case !manifest.Versioned(c.Resource.Ref.Kind):
		return nil, none, providers.Errorf(providers.Invalid, "a %s has no versions", c.Resource.Ref.Kind)
	case !ok:
		return nil, none, providers.Errorf(providers.Conflict, "it does not live")
	case len(spec.Unbound) > 0:
		return nil, none, unboundError(spec)
	}
	if err := pr.mayWrite(t, providers.Change{}); err != nil {
		return nil, none, err
	}
	if digest(t.fields, outsideVersion) != spec.Snapshot {
		return nil, none, providers.Errorf(providers.Conflict, "the unpublished state is not the declared one")
	}
	if v, ok := t.newest(spec.Snapshot); ok {
		return t, v, nil
	}
	if err := pr.free(t, c.Guard); err != nil {
		return nil, none, err
	}
	pr.p.touch(t)
	t.last++
	v := published{
		number: strconv.Itoa(t.last), snapshot: spec.Snapshot, code: t.code(), ready: pr.p.o.Now().Add(pr.p.o.Activate),
	}
	t.versions[v.number] = v
	return t, v, nil
}

// code is what a version runs.
func (t *thing) code() string {
	if t.name.Kind == manifest.KindWorkflow {
		return t.fields["definition"]
	}
	return t.fields["code"]
}

// newest is the newest version with a snapshot.
func (t *thing) newest(snapshot string) (published, bool) {
	for n := t.last; n > 0; n-- {
		if v, ok := t.versions[strconv.Itoa(n)]; ok && v.snapshot == snapshot {
			return v, true
		}
	}
	return published{}, false
}

// Route points an alias, creating it when absent.
func (pr *Provider) Route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	return pr.write(ctx, "route", c.Resource.Ref, func() (*thing, Call, error) {
		t, err := pr.route(c, to)
		return t, Call{Guard: c.Guard, Routing: to}, err
	})
}

func (pr *Provider) route(c providers.Change, to providers.Routing) (*thing, error) {
	name := NameOf(c.Resource)
	if !manifest.AliasKind(name.Kind) {
		return nil, providers.Errorf(providers.Invalid, "only aliases route")
	}
	if err := pr.parentOurs(name); err != nil {
		return nil, err
	}
	if err := pr.p.routable(name, to); err != nil {
		return nil, err
	}
	t, exists := pr.p.live(name)
	switch {
	case !exists && c.Guard != "":
		return nil, providers.Errorf(providers.Conflict, "it was there when this was planned and is gone")
	case !exists:
		spec, err := pr.Canonical(c.Resource, c.Bindings)
		if err != nil {
			return nil, err
		}
		t = pr.p.birth(name)
		maps.Copy(t.fields, spec.Fields)
	case t.routing == to:
		return t, nil
	case t.guard() != c.Guard:
		return nil, providers.Errorf(providers.Conflict, "it changed since this was planned")
	default:
		pr.p.touch(t)
	}
	pr.p.point(t, to)
	return t, nil
}

// routable enforces the platform's rules for weighted aliases.
func (p *Platform) routable(alias Name, to providers.Routing) error {
	fn, ok := p.live(parentName(alias))
	if !ok {
		return providers.Errorf(providers.Conflict, "%s does not live", parentName(alias))
	}
	if to.Version == "" || (to.Canary == "") != (to.Weight == 0) || to.Weight < 0 || to.Weight > 10000 || to.Canary == to.Version {
		return providers.Errorf(providers.Invalid, "%+v is no routing", to)
	}
	for _, number := range []string{to.Version, to.Canary} {
		if _, ok := fn.versions[number]; !ok && number != "" {
			return providers.Errorf(providers.Invalid, "version %s is not published", number)
		}
	}
	return nil
}

func (p *Platform) point(t *thing, to providers.Routing) {
	t.routing = to
	t.routes = append(t.routes, moved{p.o.Now(), to})
}
